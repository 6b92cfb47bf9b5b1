"""Pair STDP in which earlier spikes suppress later ones (Froemke & Dan 2002)."""

import math

from spikesim.plasticity import Rule, Trace


class FroemkeDanSTDP(Rule):
    """The suppression model: each spike has an efficacy, which recovers after the previous spike of the same neuron,

        eps_k = 1 - exp(-(t_k - t_(k-1)) / tau_s),

    1 for the first spike, with tau_s = tau_pre or tau_post (ms; Froemke & Dan 2002, doi:10.1038/416433a). A pair of
    spikes changes the weight by eps_pre eps_post F(dt), F = a_plus exp(-dt/tau_plus) for dt = t_post - t_pre > 0 and
    -a_minus exp(dt/tau_minus) for dt < 0; all pairs count. With x, y traces that a spike increases by its efficacy, and
    e_pre, e_post traces of the last spike only, eps = 1 - e:

        pre spike:   dw = -a_minus eps_pre  y
        post spike:  dw = +a_plus  eps_post x

    The contributions are summed, or, with `product`, dw is a fraction of the weight: each spike then multiplies it by
    1 + eps sum(eps F). Amplitudes are fractions of w_ref, fitted to what a whole experiment in layer 2/3 of visual
    cortex changes; `sixty_repetitions` shares them out evenly over as many, as a synapse sees them, and has no bounds.
    The values are those that the simulator Graphitti ascribes to the paper.
    """

    tau_plus: float = 14.8  # ms
    tau_minus: float = 33.8  # ms
    tau_pre: float = 34.0  # ms, recovery of presynaptic efficacy
    tau_post: float = 75.0  # ms, recovery of postsynaptic efficacy
    a_plus: float = 1.01
    a_minus: float = 0.52
    product: bool = False

    traces = {
        "x": Trace("pre", tau="tau_plus"),
        "e_pre": Trace("pre", tau="tau_pre", nearest=True),
        "y": Trace("post", tau="tau_minus"),
        "e_post": Trace("post", tau="tau_post", nearest=True),
    }
    reference = "doi:10.1038/416433a"
    presets = {
        "sixty_repetitions": {"a_plus": 1.01 / 60, "a_minus": 0.52 / 60, "w_min": -math.inf, "w_max": math.inf},
    }

    @staticmethod
    def jump_x(own, p):
        return 1.0 - own.e_pre

    @staticmethod
    def jump_y(own, p):
        return 1.0 - own.e_post

    @staticmethod
    def on_pre(w, pre, post, p):
        unit = w if p.product else 1.0
        return w - unit * p.a_minus * (1.0 - pre.e_pre) * post.y

    @staticmethod
    def on_post(w, pre, post, p):
        unit = w if p.product else 1.0
        return w + unit * p.a_plus * (1.0 - post.e_post) * pre.x
