"""STDP that waits for dopamine (Izhikevich 2007)."""

import math

from spikesim.plasticity import Local, Rule, Trace


class DopamineSTDP(Rule):
    """Spike pairs mark a synapse as eligible; dopamine turns eligibility c into a change of the weight.

        dc/dt = -c/tau_c,   pre spike: dc = -a_minus y,   post spike: dc = +a_plus x
        dn/dt = -n/tau_n,   event "reward": dn = reward / tau_n
        dw/dt = c (n - b)

    (Izhikevich 2007, doi:10.1093/cercor/bhl152, in the units of Potjans, Morrison & Diesmann 2010,
    doi:10.3389/fncom.2010.00141.) x and y are traces of the spikes (tau_plus, tau_minus), n is the dopamine
    concentration and b its level without effect. The area under n after a reward is `reward`, so that a lasting c = 1
    would change the weight by as many w_ref. The integral of c (n - b) between spikes is taken in closed form.

    `net.trigger("reward")` rewards all synapses with this rule; each keeps its own c and n.

    `nest` (the defaults) are the values of NEST's stdp_dopamine_synapse. `izhikevich_2007` are those of the program
    that goes with the paper, in continuous time: nearest spikes, a tonic level of 0.002, weights from 0 to 4 mV, a
    dopamine level d that rises by 0.5 with a reward, and weights that change by 100 c d a second.
    """

    tau_plus: float = 20.0  # ms
    tau_minus: float = 20.0  # ms
    tau_c: float = 1000.0  # ms
    tau_n: float = 200.0  # ms
    a_plus: float = 1.0
    a_minus: float = 1.5
    reward: float = 1.0  # area under n after one reward
    b: float = 0.0  # 1/ms
    w_max: float = 200.0

    traces = {"x": Trace("pre", tau="tau_plus"), "y": Trace("post", tau="tau_minus")}
    synapse = {"c": Local(tau="tau_c"), "n": Local(tau="tau_n")}
    events = ("reward",)
    pairings = ("all_to_all", "nearest")
    reference = "doi:10.1093/cercor/bhl152"
    aliases = {"A_plus": ("a_plus", 1.0), "A_minus": ("a_minus", 1.0), "Wmax": ("w_max", 1.0)}
    presets = {
        "nest": {"tau_plus": 20.0, "tau_minus": 20.0, "a_plus": 1.0, "a_minus": 1.5, "w_max": 200.0},
        "izhikevich_2007": {
            "pairing": "nearest",
            "a_plus": 0.1,
            "a_minus": 0.15,
            "reward": 0.1 * 0.5 * 200.0,
            "b": -0.1 * 0.002,
            "w_max": 4.0,
        },
    }

    @staticmethod
    def between(w, s, elapsed, p):
        rate_c, rate_n = 1.0 / p.tau_c, 1.0 / p.tau_n
        phasic = -s.n * math.expm1(-elapsed * (rate_c + rate_n)) / (rate_c + rate_n)
        tonic = p.b * math.expm1(-elapsed * rate_c) / rate_c
        return w + s.c * (phasic + tonic), s.c * math.exp(-elapsed * rate_c), s.n * math.exp(-elapsed * rate_n)

    @staticmethod
    def on_pre(w, pre, post, p, s):
        return w, s.c - p.a_minus * post.y, s.n

    @staticmethod
    def on_post(w, pre, post, p, s):
        return w, s.c + p.a_plus * pre.x, s.n

    @staticmethod
    def on_reward(w, pre, post, p, s):
        return w, s.c, s.n + p.reward / p.tau_n
