"""Oja's rule on traces of spikes (Oja 1982)."""

from spikesim.plasticity import Rule, Trace


class OjaRule(Rule):
    """Hebbian growth, and a loss in proportion to the weight that keeps the weights of a neuron normalised.

    Oja's rule for rates is dw = eta (x y - alpha w y^2), with alpha = 1 (Oja 1982, doi:10.1007/BF00275687). Here one
    factor y of each term is the postsynaptic spike and the other factors are traces just before it, x of presynaptic
    spikes (tau_plus, ms), y of postsynaptic ones (tau_minus):

        post spike:  dw = eta (x - alpha w y)

    Uncorrelated Poisson trains of rates nu_x, nu_y make the mean drift eta nu_y (tau_plus nu_x - alpha w tau_minus
    nu_y): weights settle at w_ref tau_plus nu_x / (alpha tau_minus nu_y). Time constants and eta are our choice.
    """

    tau_plus: float = 20.0  # ms
    tau_minus: float = 20.0  # ms
    eta: float = 1e-3
    alpha: float = 1.0

    traces = {"x": Trace("pre", tau="tau_plus"), "y": Trace("post", tau="tau_minus")}
    reference = "doi:10.1007/BF00275687"
    limits = {**Rule.limits, "alpha": (">= 0",)}
    w_start = 0.5

    @staticmethod
    def on_post(w, pre, post, p):
        return w + p.eta * (pre.x - p.alpha * w * post.y)
