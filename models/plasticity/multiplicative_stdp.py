"""Multiplicative STDP (Rubin, Lee & Sompolinsky 2001)."""

from spikesim.plasticity import PAIRINGS, Rule, Trace


class MultiplicativeSTDP(Rule):
    """Multiplicative pair STDP: both changes shrink as the weight nears the bound it moves to.

    x and y are traces of the pre- and postsynaptic spikes with time constants tau_plus and tau_minus (ms):

        post spike:  dw = +lambda       (w_max - w) x
        pre spike:   dw = -lambda alpha  w          y

    (Rubin, Lee & Sompolinsky 2001, doi:10.1103/PhysRevLett.86.364.) `lambda_`, also given as `lambda`, is the learning
    rate: the step as a fraction of w_max, hence the same whatever w_ref. `alpha` is the ratio of depression to
    potentiation. With w_min = 0 and uncorrelated spikes weights settle at
    w_max tau_plus / (tau_plus + alpha tau_minus). This is NEST's `stdp_synapse` with mu_plus = mu_minus = 1, whose own
    values are the preset `nest`; the default rates are ours.
    """

    tau_plus: float = 20.0  # ms
    tau_minus: float = 20.0  # ms
    lambda_: float = 0.005
    alpha: float = 1.05

    traces = {"x": Trace("pre", tau="tau_plus"), "y": Trace("post", tau="tau_minus")}
    pairings = PAIRINGS
    reference = "doi:10.1103/PhysRevLett.86.364"
    presets = {"nest": {"tau_plus": 20.0, "tau_minus": 20.0, "lambda_": 0.01, "alpha": 1.0}}
    limits = {**Rule.limits, "w_max": ("> 0", "< inf"), "lambda_": (">= 0",), "alpha": (">= 0",)}
    aliases = {"lambda": ("lambda_", 1.0), "Wmax": ("w_max", 1.0)}
    w_start = 0.5

    @staticmethod
    def on_pre(w, pre, post, p):
        return w - p.alpha * p.lambda_ * w * post.y

    @staticmethod
    def on_post(w, pre, post, p):
        return w + p.lambda_ * (p.w_max - w) * pre.x
