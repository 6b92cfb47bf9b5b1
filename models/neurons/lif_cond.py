"""Leaky integrate-and-fire neuron with exponential synaptic conductances (NEST's iaf_cond_exp)."""

import numpy as np

from spikesim.models.neurons.lif import check_membrane
from spikesim.neuron import Neuron
from spikesim.special import exp_ratio


class LIFCond(Neuron):
    """C_m dV_m/dt = -g_L (V_m - E_L) - g_ex (V_m - E_ex) - g_in (V_m - E_in) + I_stim + I_e.

    A spike of weight w (nS) makes g_ex (w >= 0) or g_in (w < 0) jump by |w|; they decay with tau_syn_ex and
    tau_syn_in. The step is exponential Euler: exact for conductances held at their value at its beginning, so
    first order in dt. Parameters are those of NEST's iaf_cond_exp, which integrates adaptively.
    """

    E_L: float = -70.0  # mV
    C_m: float = 250.0  # pF
    g_L: float = 16.6667  # nS
    t_ref: float = 2.0  # ms
    V_th: float = -55.0  # mV
    V_reset: float = -60.0  # mV
    E_ex: float = 0.0  # mV
    E_in: float = -85.0  # mV
    tau_syn_ex: float = 0.2  # ms
    tau_syn_in: float = 2.0  # ms
    I_e: float = 0.0  # pA

    receptors = ("excitatory", "inhibitory", "current")
    state = {"V_m": "E_L", "g_ex": 0.0, "g_in": 0.0}
    constants = ("E_L", "V_th", "V_reset", "I_e", "g_L", "E_ex", "E_in", "h_over_C", "P_ex", "P_in")
    limits = {"t_ref": (">= 0",), "g_L": ("> 0",)}
    sign_selects = True
    conductance = True
    reference = "doi:10.1007/s10827-007-0038-6"

    @classmethod
    def validate(cls, p, dt):
        check_membrane(cls.__name__, p)

    @staticmethod
    def derive(p, dt):
        return {
            "E_L": p.E_L, "V_th": p.V_th, "V_reset": p.V_reset, "I_e": p.I_e,
            "g_L": p.g_L, "E_ex": p.E_ex, "E_in": p.E_in, "h_over_C": dt / p.C_m,
            "P_ex": np.exp(-dt / p.tau_syn_ex),
            "P_in": np.exp(-dt / p.tau_syn_in),
        }  # fmt: skip

    @staticmethod
    def advance(s, x, c, free):
        g = c.g_L + s.g_ex + s.g_in
        current = c.g_L * c.E_L + s.g_ex * c.E_ex + s.g_in * c.E_in + c.I_e + x.current
        a, b = exp_ratio(g * c.h_over_C)  # V_inf + (V_m - V_inf) a/b with V_inf = current/g, over one fraction bar
        V_m = (current * (b - a) + s.V_m * g * a) / (g * b)
        return (
            V_m if free else s.V_m,
            s.g_ex * c.P_ex + x.excitatory,
            s.g_in * c.P_in + x.inhibitory,
        )

    @staticmethod
    def spikes(s, c, u):
        return s.V_m >= c.V_th

    @staticmethod
    def reset(s, c):
        return (c.V_reset, s.g_ex, s.g_in)
