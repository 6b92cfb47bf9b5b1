"""Additive pair-based STDP (Song, Miller & Abbott 2000)."""

import math

from spikesim.plasticity import PAIRINGS, Rule, Trace


class PairSTDP(Rule):
    """Additive pair STDP.

    At a presynaptic spike  dw = -a_minus y,  at a postsynaptic spike  dw = +a_plus x,  where x and y are
    traces of the pre- and postsynaptic spikes with time constants tau_plus and tau_minus (ms). A single pair
    with dt = t_post - t_pre gives dw = a_plus exp(-dt/tau_plus) for dt > 0 and -a_minus exp(dt/tau_minus) for
    dt < 0 (Song, Miller & Abbott 2000, doi:10.1038/78829). Amplitudes are fractions of w_ref.

    The defaults, also `song_2000`, are Song, Miller & Abbott's, where w_ref and w_max are their g_max.
    `bi_poo_2001` is the window fitted to hippocampal culture (Bi & Poo 2001,
    doi:10.1146/annurev.neuro.24.1.139), its amplitudes shared out evenly over the 60 pairs of the experiment
    and without bounds. Its time constants were checked against a second source; its amplitudes, 0.777 and
    0.273 for the 60 pairs, were not.
    """

    tau_plus: float = 20.0  # ms
    tau_minus: float = 20.0  # ms
    a_plus: float = 0.005
    a_minus: float = 0.00525

    traces = {"x": Trace("pre", tau="tau_plus"), "y": Trace("post", tau="tau_minus")}
    pairings = PAIRINGS
    reference = "doi:10.1038/78829"
    aliases = {"Wmax": ("w_max", 1.0)}
    presets = {
        "song_2000": {"tau_plus": 20.0, "tau_minus": 20.0, "a_plus": 0.005, "a_minus": 0.00525},
        "bi_poo_2001": {
            "tau_plus": 16.8,
            "tau_minus": 33.7,
            "a_plus": 0.777 / 60,
            "a_minus": 0.273 / 60,
            "w_min": -math.inf,
            "w_max": math.inf,
        },
    }

    @staticmethod
    def on_pre(w, pre, post, p):
        return w - p.a_minus * post.y

    @staticmethod
    def on_post(w, pre, post, p):
        return w + p.a_plus * pre.x
