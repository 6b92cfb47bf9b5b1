"""Triplet STDP (Pfister & Gerstner 2006)."""

import math

from spikesim.plasticity import Rule, Trace


def _fit(pairing, a2_plus, a3_plus, a2_minus, a3_minus, tau_x, tau_y):
    """A row of Table 3 or 4; tau_plus = 16.8 ms and tau_minus = 33.7 ms, the class defaults, hold in each."""
    return {
        "a2_plus": a2_plus,
        "a3_plus": a3_plus,
        "a2_minus": a2_minus,
        "a3_minus": a3_minus,
        "tau_x": tau_x,
        "tau_y": tau_y,
        "pairing": pairing,
        "w_min": -math.inf,
        "w_max": math.inf,
    }


UNUSED = 101.0  # tau_x (ms) where a3_minus = 0 leaves it without effect

# name -> pairing, A2+, A3+, A2-, A3-, tau_x (ms), tau_y (ms)
FITS = {
    "visual_cortex_full_all_to_all": _fit("all_to_all", 5e-10, 6.2e-3, 7.0e-3, 2.3e-4, 101.0, 125.0),
    "visual_cortex_minimal_all_to_all": _fit("all_to_all", 0.0, 6.5e-3, 7.1e-3, 0.0, UNUSED, 114.0),
    "visual_cortex_full_nearest": _fit("nearest", 8.8e-11, 53e-3, 6.6e-3, 3.1e-3, 714.0, 40.0),
    "visual_cortex_minimal_nearest": _fit("nearest", 0.0, 50e-3, 8.0e-3, 0.0, UNUSED, 40.0),
    "hippocampal_full_all_to_all": _fit("all_to_all", 6.1e-3, 6.7e-3, 1.6e-3, 1.4e-3, 946.0, 27.0),
    "hippocampal_minimal_all_to_all": _fit("all_to_all", 5.3e-3, 8.0e-3, 3.5e-3, 0.0, UNUSED, 40.0),
    "hippocampal_full_nearest": _fit("nearest", 4.6e-3, 9.1e-3, 3.0e-3, 7.5e-9, 575.0, 47.0),
    "hippocampal_minimal_nearest": _fit("nearest", 4.6e-3, 9.1e-3, 3.0e-3, 0.0, UNUSED, 48.0),
}


class TripletSTDP(Rule):
    """Triplet STDP: pairs of spikes, weighted by what either neuron did before.

    Traces r1, r2 remember the presynaptic spikes with time constants tau_plus, tau_x (ms), and o1, o2 the
    postsynaptic ones with tau_minus, tau_y (ms). With t- meaning just before the spikes of time t:

        pre spike at t:   dw = -o1(t-) [a2_minus + a3_minus r2(t-)]
        post spike at t:  dw = +r1(t-) [a2_plus  + a3_plus  o2(t-)]

    (Pfister & Gerstner 2006, doi:10.1523/JNEUROSCI.1425-06.2006, eqs. 3 and 4.) Amplitudes are fractions of w_ref.

    The presets are the paper's eight fits (Tables 3 and 4): `visual_cortex` or `hippocampal`, `full` or
    `minimal`, `all_to_all` or `nearest`. Amplitudes, time constants and pairing were fitted together and
    belong together; as in the paper, the weights of a preset have no bounds. The minimal models have a3_minus
    = 0, so their tau_x has no effect. The defaults are the minimal all-to-all model of visual cortex, with
    bounds 0 and 1.
    """

    tau_plus: float = 16.8  # ms
    tau_minus: float = 33.7  # ms
    tau_x: float = 101.0  # ms
    tau_y: float = 114.0  # ms
    a2_plus: float = 0.0
    a3_plus: float = 6.5e-3
    a2_minus: float = 7.1e-3
    a3_minus: float = 0.0

    traces = {
        "r1": Trace("pre", tau="tau_plus"),
        "r2": Trace("pre", tau="tau_x"),
        "o1": Trace("post", tau="tau_minus"),
        "o2": Trace("post", tau="tau_y"),
    }
    pairings = ("all_to_all", "nearest")
    reference = "doi:10.1523/JNEUROSCI.1425-06.2006"
    presets = FITS
    aliases = {
        "Aplus": ("a2_plus", 1.0),
        "Aplus_triplet": ("a3_plus", 1.0),
        "Aminus": ("a2_minus", 1.0),
        "Aminus_triplet": ("a3_minus", 1.0),
        "tau_plus_triplet": ("tau_x", 1.0),
        "tau_minus_triplet": ("tau_y", 1.0),
        "Wmax": ("w_max", 1.0),
    }

    @staticmethod
    def on_pre(w, pre, post, p):
        return w - post.o1 * (p.a2_minus + p.a3_minus * pre.r2)

    @staticmethod
    def on_post(w, pre, post, p):
        return w + pre.r1 * (p.a2_plus + p.a3_plus * post.o2)
