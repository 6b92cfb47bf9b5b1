"""Hodgkin-Huxley neuron of Traub & Miles with exponential conductances (NEST's hh_cond_exp_traub)."""

import math

import numpy as np
from numba.extending import register_jitable

from spikesim.aliases import PYNN
from spikesim.neuron import Neuron

LONGEST = 0.02  # ms, of a Runge-Kutta step


@register_jitable
def linoid(y):
    """y / (e^y - 1), which is 1 at y = 0."""
    return y / math.expm1(y) if abs(y) > 1e-8 else 1.0 - 0.5 * y


@register_jitable
def rates(v):
    """alpha_m, beta_m, alpha_h, beta_h, alpha_n, beta_n (1/ms) at v = V_m - V_T (mV)."""
    return (
        0.32 * 4.0 * linoid((13.0 - v) / 4.0),
        0.28 * 5.0 * linoid((v - 40.0) / 5.0),
        0.128 * math.exp((17.0 - v) / 18.0),
        4.0 / (1.0 + math.exp((40.0 - v) / 5.0)),
        0.032 * 5.0 * linoid((15.0 - v) / 5.0),
        0.5 * math.exp((10.0 - v) / 40.0),
    )


def at_rest(v):
    """m, h, n of a membrane that has long been at v = V_m - V_T."""
    a_m, b_m, a_h, b_h, a_n, b_n = rates(v)
    return a_m / (a_m + b_m), a_h / (a_h + b_h), a_n / (a_n + b_n)


@register_jitable
def slopes(V, m, h, n, g_ex, g_in, I_ext, c):
    """(dV_m/dt, dm/dt, dh/dt, dn/dt)"""
    a_m, b_m, a_h, b_h, a_n, b_n = rates(V - c.V_T)
    I_Na = c.g_Na * m * m * m * h * (V - c.E_Na)
    I_K = c.g_K * n * n * n * n * (V - c.E_K)
    I_other = c.g_L * (V - c.E_L) + g_ex * (V - c.E_ex) + g_in * (V - c.E_in)
    dV = (I_ext - I_Na - I_K - I_other) / c.C_m
    return dV, a_m * (1.0 - m) - b_m * m, a_h * (1.0 - h) - b_h * h, a_n * (1.0 - n) - b_n * n


class HodgkinHuxley(Neuron):
    """C_m dV_m/dt = -g_Na m^3 h (V_m - E_Na) - g_K n^4 (V_m - E_K) - g_L (V_m - E_L)
                     - g_ex (V_m - E_ex) - g_in (V_m - E_in) + I_stim + I_e
    dz/dt = alpha_z(V_m - V_T) (1 - z) - beta_z(V_m - V_T) z   for z = m, h, n, in `state` Act_m, Inact_h, Act_n

    with the rates of hippocampal pyramidal cells (Traub & Miles 1991) shifted by V_T. The neuron spikes in the step
    in which V_m, above V_T + 30 mV, begins to fall; for t_ref after that it counts no other spike, but goes on
    as ever. A spike of weight w (nS) makes g_ex (w >= 0) or g_in (w < 0) jump by |w|; they decay with tau_syn_ex and
    tau_syn_in, exactly. The rest is integrated by the classical Runge-Kutta method, of order 4, in equal parts of
    a step that are no longer than 0.02 ms. Gates start at rest for the default E_L and V_T.
    Source: Brette et al. 2007, doi:10.1007/s10827-007-0038-6, appendix (COBAHH).
    """

    C_m: float = 200.0  # pF
    g_Na: float = 20000.0  # nS
    g_K: float = 6000.0  # nS
    g_L: float = 10.0  # nS
    E_Na: float = 50.0  # mV
    E_K: float = -90.0  # mV
    E_L: float = -60.0  # mV
    V_T: float = -63.0  # mV
    E_ex: float = 0.0  # mV
    E_in: float = -80.0  # mV
    t_ref: float = 2.0  # ms
    tau_syn_ex: float = 5.0  # ms
    tau_syn_in: float = 10.0  # ms
    I_e: float = 0.0  # pA

    receptors = ("excitatory", "inhibitory", "current")
    state = {"V_m": "E_L", **dict(zip(("Act_m", "Inact_h", "Act_n"), at_rest(E_L - V_T), strict=True)),
             "g_ex": 0.0, "g_in": 0.0, "V_before": "E_L"}  # fmt: skip
    constants = ("C_m", "g_Na", "g_K", "g_L", "E_Na", "E_K", "E_L", "V_T", "E_ex", "E_in", "I_e",
                 "parts", "dt", "P_ex", "P_in")  # fmt: skip
    limits = {"t_ref": (">= 0",), "g_Na": (">= 0",), "g_K": (">= 0",), "g_L": (">= 0",)}
    aliases = {
        **PYNN, "gbar_Na": ("g_Na", 1000.0), "gbar_K": ("g_K", 1000.0), "g_leak": ("g_L", 1000.0),
        "e_rev_Na": ("E_Na", 1.0), "e_rev_K": ("E_K", 1.0), "e_rev_leak": ("E_L", 1.0), "v_offset": ("V_T", 1.0),
    }  # fmt: skip
    sign_selects = True
    conductance = True
    reference = "doi:10.1007/s10827-007-0038-6"

    @staticmethod
    def derive(p, dt):
        own = {name: getattr(p, name) for name in HodgkinHuxley.constants if hasattr(p, name)}
        parts = np.ceil(dt / LONGEST - 1e-9)
        half = 0.5 * dt / parts
        return {**own, "parts": parts, "dt": dt / parts,
                "P_ex": np.exp(-half / p.tau_syn_ex), "P_in": np.exp(-half / p.tau_syn_in)}  # fmt: skip

    @staticmethod
    def advance(s, x, c, free):
        V, m, h, n, g_ex, g_in = s.V_m, s.Act_m, s.Inact_h, s.Act_n, s.g_ex, s.g_in
        I_ext, dt, half = c.I_e + x.current, c.dt, 0.5 * c.dt
        for _ in range(int(c.parts)):
            V1, m1, h1, n1 = slopes(V, m, h, n, g_ex, g_in, I_ext, c)
            g_ex, g_in = g_ex * c.P_ex, g_in * c.P_in
            V2, m2, h2, n2 = slopes(V + half * V1, m + half * m1, h + half * h1, n + half * n1, g_ex, g_in, I_ext, c)
            V3, m3, h3, n3 = slopes(V + half * V2, m + half * m2, h + half * h2, n + half * n2, g_ex, g_in, I_ext, c)
            g_ex, g_in = g_ex * c.P_ex, g_in * c.P_in
            V4, m4, h4, n4 = slopes(V + dt * V3, m + dt * m3, h + dt * h3, n + dt * n3, g_ex, g_in, I_ext, c)
            V += dt / 6.0 * (V1 + 2.0 * V2 + 2.0 * V3 + V4)
            m += dt / 6.0 * (m1 + 2.0 * m2 + 2.0 * m3 + m4)
            h += dt / 6.0 * (h1 + 2.0 * h2 + 2.0 * h3 + h4)
            n += dt / 6.0 * (n1 + 2.0 * n2 + 2.0 * n3 + n4)
        return (V, m, h, n, g_ex + x.excitatory, g_in + x.inhibitory, s.V_m)

    @staticmethod
    def spikes(s, c, u):
        return s.V_m >= c.V_T + 30.0 and s.V_before > s.V_m
