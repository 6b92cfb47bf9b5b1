"""Orchestrated plasticity at excitatory synapses (Zenke, Agnes & Gerstner 2015)."""

import math

from spikesim.jit import hook
from spikesim.plasticity import Local, Rule, Trace

LONGEST = 0.01  # of tau_cons, the longest step of the integration


@hook
def drift(w, w_tilde, p):
    """tau_cons dw~/dt"""
    return (w - w_tilde) - p.P * w_tilde * (p.w_P / 2.0 - w_tilde) * (p.w_P - w_tilde)


class Zenke2015(Rule):
    """Triplet potentiation, doublet depression, heterosynaptic and transmitter-induced plasticity, and consolidation.

    r is a trace of the presynaptic spikes (tau_plus, ms), o1 and o2 of the postsynaptic ones (tau_minus, tau_slow), nu
    their recent rate, a trace divided by its time constant tau_hom:

        post spike:  dw = A r(t-) o2(t-) - beta (w - w~) o1(t-)^3
        pre spike:   dw = -A (nu/kappa)^2 o1(t-) + delta

    The reference weight w~ is consolidated slowly, in a potential with minima at 0 and w_P for P large enough:

        tau_cons dw~/dt = (w - w~) - P w~ (w_P/2 - w~) (w_P - w~)

    (Zenke, Agnes & Gerstner 2015, doi:10.1038/ncomms7922.) It is integrated by Runge and Kutta's method of 4th order
    between the spikes of the synapse. Weights, w_P and w~ are in units of w_ref. `zenke_2015` (the defaults) are the
    values of the authors' program, which they say differ slightly from the paper's. Short-term plasticity, which the
    paper adds, is left out. w~ begins at `w_tilde` and nu at 0, so that there is next to no depression by doublets
    until tau_hom has passed.
    """

    tau_plus: float = 20.0  # ms
    tau_minus: float = 20.0  # ms
    tau_slow: float = 100.0  # ms
    tau_hom: float = 1200e3  # ms
    tau_cons: float = 1200e3  # ms
    A: float = 1e-3
    beta: float = 0.05
    delta: float = 2e-5
    kappa: float = 10.0  # Hz
    P: float = 20.0
    w_P: float = 0.5
    w_tilde: float = 0.0  # the reference weight at first
    w_max: float = 5.0

    traces = {
        "r": Trace("pre", tau="tau_plus"),
        "o1": Trace("post", tau="tau_minus"),
        "o2": Trace("post", tau="tau_slow"),
        "h": Trace("post", tau="tau_hom"),
    }
    synapse = {"w_tilde": Local(start="w_tilde")}
    reference = "doi:10.1038/ncomms7922"
    presets = {
        "zenke_2015": {
            "tau_plus": 20.0, "tau_minus": 20.0, "tau_slow": 100.0, "tau_hom": 1200e3, "tau_cons": 1200e3, "A": 1e-3,
            "beta": 0.05, "delta": 2e-5, "kappa": 10.0, "P": 20.0, "w_P": 0.5, "w_max": 5.0,
        }
    }  # fmt: skip
    limits = {**Rule.limits, "kappa": ("> 0",)}

    @staticmethod
    def between(w, s, elapsed, p):
        w_tilde, steps = s.w_tilde, int(math.ceil(elapsed / (LONGEST * p.tau_cons)))
        for _ in range(steps):
            h = elapsed / steps / p.tau_cons
            k1 = drift(w, w_tilde, p)
            k2 = drift(w, w_tilde + h / 2.0 * k1, p)
            k3 = drift(w, w_tilde + h / 2.0 * k2, p)
            k4 = drift(w, w_tilde + h * k3, p)
            w_tilde = w_tilde + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        return w, w_tilde

    @staticmethod
    def on_pre(w, pre, post, p, s):
        nu = post.h / p.tau_hom * 1e3  # Hz
        return w - p.A * (nu / p.kappa) ** 2 * post.o1 + p.delta, s.w_tilde

    @staticmethod
    def on_post(w, pre, post, p, s):
        return w + p.A * pre.r * post.o2 - p.beta * (w - s.w_tilde) * post.o1**3, s.w_tilde
