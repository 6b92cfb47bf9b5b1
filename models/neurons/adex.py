"""Adaptive exponential integrate-and-fire neuron with exponential conductances (NEST's aeif_cond_exp)."""

import math

import numpy as np
from numba.extending import register_jitable

from spikesim.aliases import PYNN
from spikesim.errors import SpikesimError
from spikesim.neuron import Neuron

STRIDE = 0.2  # a sub-step moves V_m by about this much of Delta_T, and of the way to its balance
SHORTEST = 1e-6  # ms, of a sub-step; the upstroke needs no shorter one


@register_jitable
def slopes(V, w, g_ex, g_in, I_ext, c, held):
    """(dV_m/dt, dw/dt), the exponential being that of V_peak from there on."""
    V = min(V, c.V_peak)
    dw = (c.a * (V - c.E_L) - w) / c.tau_w
    if held:
        return 0.0, dw
    I_ion = -c.g_L * (V - c.E_L) + c.g_L * c.Delta_T * math.exp((V - c.V_th) / c.Delta_T)
    I_syn = -g_ex * (V - c.E_ex) - g_in * (V - c.E_in)
    return (I_ion + I_syn - w + I_ext) / c.C_m, dw


class AdEx(Neuron):
    """C_m dV_m/dt = -g_L (V_m - E_L) + g_L Delta_T e^((V_m - V_th)/Delta_T) - g_ex (V_m - E_ex) - g_in (V_m - E_in)
                     - w + I_stim + I_e
    tau_w dw/dt = a (V_m - E_L) - w

    At V_m >= V_peak the neuron spikes: V_m is set to V_reset, and held there for t_ref; w (pA) jumps by b. This
    happens within the step, which then goes on, so that intervals are not rounded up to whole steps; only a second
    spike in one step waits for the next. A spike of weight w (nS) makes g_ex (w >= 0) or g_in (w < 0) jump by |w|;
    they decay with tau_syn_ex and tau_syn_in, exactly. V_m and w are integrated by the classical Runge-Kutta
    method, of order 4 in dt below threshold; steps are divided where V_m is fast, so that an interval is about
    2e-6 ms off at any dt. Source: Brette & Gerstner 2005, doi:10.1152/jn.00686.2005.
    """

    C_m: float = 281.0  # pF
    t_ref: float = 0.0  # ms
    V_reset: float = -60.0  # mV
    g_L: float = 30.0  # nS
    E_L: float = -70.6  # mV
    E_ex: float = 0.0  # mV
    E_in: float = -85.0  # mV
    a: float = 4.0  # nS
    b: float = 80.5  # pA
    V_th: float = -50.4  # mV
    Delta_T: float = 2.0  # mV
    tau_w: float = 144.0  # ms
    tau_syn_ex: float = 0.2  # ms
    tau_syn_in: float = 2.0  # ms
    I_e: float = 0.0  # pA
    V_peak: float = 0.0  # mV

    receptors = ("excitatory", "inhibitory", "current")
    state = {"V_m": "E_L", "w": 0.0, "g_ex": 0.0, "g_in": 0.0, "spiked": 0.0}
    constants = ("C_m", "V_reset", "g_L", "E_L", "E_ex", "E_in", "a", "b", "V_th", "Delta_T", "tau_w", "tau_syn_ex",
                 "tau_syn_in", "I_e", "V_peak", "dt", "longest")  # fmt: skip
    limits = {"t_ref": (">= 0",), "g_L": ("> 0",), "Delta_T": ("> 0",)}
    aliases = {**PYNN, "v_spike": ("V_peak", 1.0), "delta_T": ("Delta_T", 1.0)}
    sign_selects = True
    conductance = True
    reference = "doi:10.1152/jn.00686.2005"

    @classmethod
    def validate(cls, p, dt):
        if np.any(p.V_reset >= p.V_peak) or np.any(p.V_th > p.V_peak):
            raise SpikesimError(f"{cls.__name__}: V_reset must be below V_peak, and V_th not above it.")
        if np.any((p.V_peak - p.V_th) / p.Delta_T > 80.0):
            raise SpikesimError(f"{cls.__name__}: V_peak may be at most 80 Delta_T above V_th, or e^80 overflows.")

    @staticmethod
    def derive(p, dt):
        own = {name: getattr(p, name) for name in AdEx.constants if hasattr(p, name)}
        return {**own, "dt": dt, "longest": 0.5 * np.minimum(p.tau_syn_ex, p.tau_syn_in)}

    @staticmethod
    def advance(s, x, c, free):
        V, w, g_ex, g_in, spiked = s.V_m, s.w, s.g_ex, s.g_in, 0.0
        I_ext, held, left = c.I_e + x.current, not free, c.dt
        while left > 0.0:
            V1, w1 = slopes(V, w, g_ex, g_in, I_ext, c, held)
            rate = abs(V1) / c.Delta_T + (c.g_L + g_ex + g_in) / c.C_m
            h = min(left, c.longest, max(STRIDE / rate, SHORTEST))
            half_ex, half_in = math.exp(-0.5 * h / c.tau_syn_ex), math.exp(-0.5 * h / c.tau_syn_in)
            g_ex, g_in = g_ex * half_ex, g_in * half_in
            V2, w2 = slopes(V + 0.5 * h * V1, w + 0.5 * h * w1, g_ex, g_in, I_ext, c, held)
            V3, w3 = slopes(V + 0.5 * h * V2, w + 0.5 * h * w2, g_ex, g_in, I_ext, c, held)
            g_ex, g_in = g_ex * half_ex, g_in * half_in
            V4, w4 = slopes(V + h * V3, w + h * w3, g_ex, g_in, I_ext, c, held)
            V += h / 6.0 * (V1 + 2.0 * V2 + 2.0 * V3 + V4)
            w += h / 6.0 * (w1 + 2.0 * w2 + 2.0 * w3 + w4)
            left -= h
            if V >= c.V_peak:
                if spiked > 0.0:
                    V, held = c.V_peak, True
                else:
                    V, w, spiked, held = c.V_reset, w + c.b, 1.0, c.t_ref_steps > 0.0
        return (V, w, g_ex + x.excitatory, g_in + x.inhibitory, spiked)

    @staticmethod
    def spikes(s, c, u):
        return s.spiked > 0.0
