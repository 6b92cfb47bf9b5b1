"""STDP with additive potentiation and proportional depression (van Rossum, Bi & Turrigiano 2000)."""

from spikesim.plasticity import PAIRINGS, Rule, Trace


class VanRossumSTDP(Rule):
    """Additive potentiation, depression proportional to the weight: stable without an upper bound.

    x and y are traces of the pre- and postsynaptic spikes with time constants tau_plus and tau_minus (ms):

        post spike:  dw = +c_p x
        pre spike:   dw = -c_d w y

    (Van Rossum, Bi & Turrigiano 2000, doi:10.1523/JNEUROSCI.20-23-08812.2000.) c_p is a fraction of w_ref, c_d a pure
    number. Uncorrelated spikes take weights to w_ref c_p tau_plus / (c_d tau_minus). With w_ref = w_max this is NEST's
    `stdp_synapse` with mu_plus = 0, mu_minus = 1, lambda = c_p and alpha = c_d / c_p. The default constants are ours,
    not the paper's, and the noise that the paper adds to each step is left out.
    """

    tau_plus: float = 20.0  # ms
    tau_minus: float = 20.0  # ms
    c_p: float = 0.005
    c_d: float = 0.01

    traces = {"x": Trace("pre", tau="tau_plus"), "y": Trace("post", tau="tau_minus")}
    pairings = PAIRINGS
    reference = "doi:10.1523/JNEUROSCI.20-23-08812.2000"
    limits = {**Rule.limits, "c_p": (">= 0",), "c_d": (">= 0",)}
    aliases = {"Wmax": ("w_max", 1.0)}
    w_start = 0.5

    @staticmethod
    def on_pre(w, pre, post, p):
        return w - p.c_d * w * post.y

    @staticmethod
    def on_post(w, pre, post, p):
        return w + p.c_p * pre.x
