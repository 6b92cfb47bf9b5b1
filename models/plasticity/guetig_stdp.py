"""Nonlinear temporally asymmetric Hebbian plasticity (Guetig, Aharonov, Rotter & Sompolinsky 2003)."""

from spikesim.plasticity import PAIRINGS, Rule, Trace


class GuetigSTDP(Rule):
    """Pair STDP between additive (mu = 0) and multiplicative (mu = 1).

    x and y are traces of the pre- and postsynaptic spikes with time constants tau_plus and tau_minus (ms):

        post spike:  dw / w_max = +lambda       (1 - w/w_max)^mu x
        pre spike:   dw / w_max = -lambda alpha     (w/w_max)^mu y

    (Guetig et al. 2003, doi:10.1523/JNEUROSCI.23-09-03697.2003, eqs. 1 and 2.) `lambda_`, also given as `lambda`, is
    the learning rate: the step as a fraction of w_max, hence the same whatever w_ref. `alpha` is the ratio of
    depression to potentiation. With tau_plus = tau_minus and uncorrelated spikes weights settle at
    w_max / (1 + alpha^(1/mu)). This is NEST's `stdp_synapse` with mu_plus = mu_minus = mu.

    `guetig_2003` (the defaults) holds the rate, the ratio and the time constants of the paper, as they are usually
    quoted; they were not checked against it. It scans mu from 0 to 1; 0.02 is our choice.
    """

    tau_plus: float = 20.0  # ms
    tau_minus: float = 20.0  # ms
    lambda_: float = 0.005
    alpha: float = 1.05
    mu: float = 0.02

    traces = {"x": Trace("pre", tau="tau_plus"), "y": Trace("post", tau="tau_minus")}
    pairings = PAIRINGS
    reference = "doi:10.1523/JNEUROSCI.23-09-03697.2003"
    presets = {"guetig_2003": {"tau_plus": 20.0, "tau_minus": 20.0, "lambda_": 0.005, "alpha": 1.05}}
    limits = {
        **Rule.limits,
        "w_max": ("> 0", "< inf"),
        "lambda_": (">= 0",),
        "alpha": (">= 0",),
        "mu": (">= 0", "<= 1"),
    }
    aliases = {"lambda": ("lambda_", 1.0), "Wmax": ("w_max", 1.0)}
    w_start = 0.5

    # Outside [0, w_max] a fractional power has no real value; there the change is that at the bound.
    @staticmethod
    def on_pre(w, pre, post, p):
        return w - p.alpha * p.lambda_ * p.w_max * max(w / p.w_max, 0.0) ** p.mu * post.y

    @staticmethod
    def on_post(w, pre, post, p):
        return w + p.lambda_ * p.w_max * max(1.0 - w / p.w_max, 0.0) ** p.mu * pre.x
