"""Triplet STDP with a fast homeostatic rate of depression (Zenke, Hennequin & Gerstner 2013)."""

from spikesim.plasticity import Rule, Trace


class Zenke2013(Rule):
    """The minimal triplet rule of visual cortex, with depression that grows with the square of the neuron's rate.

    Traces r remember the presynaptic spikes (tau_plus, ms) and o1, o2 the postsynaptic ones (tau_minus, tau_slow):

        pre spike at t:   dw = -a_minus(nu) o1(t-),   a_minus(nu) = a3_plus tau_plus tau_slow nu^2 / (tau_minus kappa)
        post spike at t:  dw = +a3_plus r(t-) o2(t-)

    where nu, the recent rate of the postsynaptic neuron, is a trace of its spikes divided by its time constant tau_hom.
    The two balance on average where nu = kappa (Hz). The paper shows that tau_hom must be seconds, not minutes, for a
    recurrent network to stay stable. (Zenke, Hennequin & Gerstner 2013, doi:10.1371/journal.pcbi.1003330.) `auryn` (the
    defaults) are the values of the authors' simulator. The trace begins at 0: there is next to no depression until
    tau_hom has passed.
    """

    tau_plus: float = 16.8  # ms
    tau_minus: float = 33.7  # ms
    tau_slow: float = 114.0  # ms
    tau_hom: float = 10e3  # ms
    a3_plus: float = 6.5e-3
    kappa: float = 3.0  # Hz

    traces = {
        "r": Trace("pre", tau="tau_plus"),
        "o1": Trace("post", tau="tau_minus"),
        "o2": Trace("post", tau="tau_slow"),
        "h": Trace("post", tau="tau_hom"),
    }
    reference = "doi:10.1371/journal.pcbi.1003330"
    presets = {
        "auryn": {
            "tau_plus": 16.8, "tau_minus": 33.7, "tau_slow": 114.0, "tau_hom": 10e3, "a3_plus": 6.5e-3, "kappa": 3.0,
        }
    }  # fmt: skip
    limits = {**Rule.limits, "kappa": ("> 0",)}

    @staticmethod
    def on_pre(w, pre, post, p):
        nu, kappa = post.h / p.tau_hom, p.kappa * 1e-3  # 1/ms
        a_minus = p.a3_plus * p.tau_plus * p.tau_slow * nu * nu / (p.tau_minus * kappa)
        return w - a_minus * post.o1

    @staticmethod
    def on_post(w, pre, post, p):
        return w + p.a3_plus * pre.r * post.o2
