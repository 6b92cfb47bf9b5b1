"""STDP with power-law potentiation and proportional depression (Morrison, Aertsen & Diesmann 2007)."""

import math

from spikesim.plasticity import PAIRINGS, Rule, Trace


class PowerLawSTDP(Rule):
    """Potentiation grows as a power of the weight, depression in proportion to it: stable without an upper bound.

    x and y are traces of the pre- and postsynaptic spikes with time constants tau_plus and tau_minus (ms):

        post spike:  dw = +lambda       w_ref^(1 - mu) w^mu x
        pre spike:   dw = -lambda alpha                w    y

    (Morrison, Aertsen & Diesmann 2007, doi:10.1162/neco.2007.19.6.1437.) `lambda_`, also given as `lambda`, is the
    learning rate, `alpha` the ratio of depression to potentiation at the weight w_ref. Uncorrelated spikes take weights
    to w_ref (tau_plus / (alpha tau_minus))^(1/(1 - mu)). This is NEST's `stdp_pl_synapse_hom`, where w_ref is 1 in the
    unit of the weights; the defaults are NEST's, too. With mu above 0 a weight of 0 stays there.

    The presets, for weights in pA with w_ref = 1 pA, are the paper's values, `morrison_2007`, and those of NEST's
    `hpc_benchmark`. In protocols their weights start where uncorrelated spikes take them, at 39.6 and 44.5 pA.
    """

    tau_plus: float = 20.0  # ms
    tau_minus: float = 20.0  # ms
    lambda_: float = 0.1
    alpha: float = 1.0
    mu: float = 0.4
    w_max: float = math.inf

    traces = {"x": Trace("pre", tau="tau_plus"), "y": Trace("post", tau="tau_minus")}
    pairings = PAIRINGS
    reference = "doi:10.1162/neco.2007.19.6.1437"
    presets = {
        "morrison_2007": {"tau_plus": 20.0, "tau_minus": 20.0, "lambda_": 0.1, "alpha": 0.11, "mu": 0.4},
        "hpc_benchmark": {"tau_plus": 15.0, "tau_minus": 30.0, "lambda_": 0.1, "alpha": 0.0513, "mu": 0.4},
    }
    limits = {**Rule.limits, "lambda_": (">= 0",), "alpha": (">= 0",), "mu": (">= 0", "<= 1")}
    aliases = {"lambda": ("lambda_", 1.0)}

    def __init__(self, *, preset=None, **given):
        super().__init__(preset=preset, **given)
        if preset is not None:  # what a pair changes of a weight depends on it; that of the preset, whatever is given
            tau_plus, tau_minus, _, alpha, mu = self.presets[preset].values()
            self.w_start = (tau_plus / (alpha * tau_minus)) ** (1.0 / (1.0 - mu))

    @staticmethod
    def on_pre(w, pre, post, p):
        return w - p.alpha * p.lambda_ * w * post.y

    # Below 0, where bounds may let a weight go, a fractional power has no real value; there the change is that at 0.
    @staticmethod
    def on_post(w, pre, post, p):
        return w + p.lambda_ * max(w, 0.0) ** p.mu * pre.x
