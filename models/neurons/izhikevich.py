"""Izhikevich's simple model of spiking neurons (NEST's izhikevich)."""

import math

import numpy as np

from spikesim.neuron import Neuron


def _cell(a, b, c, d):
    return {"a": a, "b": b, "c": c, "d": d}


# Izhikevich 2003, Fig. 2
CELLS = {
    "RS": _cell(0.02, 0.2, -65.0, 8.0),  # regular spiking
    "IB": _cell(0.02, 0.2, -55.0, 4.0),  # intrinsically bursting
    "CH": _cell(0.02, 0.2, -50.0, 2.0),  # chattering
    "FS": _cell(0.1, 0.2, -65.0, 2.0),  # fast spiking
    "LTS": _cell(0.02, 0.25, -65.0, 2.0),  # low-threshold spiking
    "TC": _cell(0.02, 0.25, -65.0, 0.05),  # thalamo-cortical
    "RZ": _cell(0.1, 0.26, -65.0, 2.0),  # resonator
}


class Izhikevich(Neuron):
    """dV_m/dt = 0.04 V_m^2 + 5 V_m + 140 - U_m + I_stim + I_e,  dU_m/dt = a (b V_m - U_m).

    V_m and U_m are in mV, t in ms; currents have the scale of the paper, in which 10 is a strong one and no unit
    is meant: NEST calls it pA. At V_m >= V_th the neuron spikes, V_m is set to c and U_m grows by d. V_m never
    falls below V_min. A spike of weight w (mV) makes V_m jump by w.

    consistent_integration = True is Euler's method, of order 1 in dt. False is the paper's program: V_m in two
    half steps, U_m with the V_m that results, spikes an input current of weight w for the step; made for dt = 1 ms.
    The presets RS, IB, CH, FS, LTS, TC and RZ are those of the paper; of RZ it states a and b, and c, d are the values
    it calls typical. U_m starts at -13, which is 0.2 V_m.
    Source: Izhikevich 2003, doi:10.1109/TNN.2003.820440.
    """

    a: float = 0.02  # 1/ms
    b: float = 0.2
    c: float = -65.0  # mV
    d: float = 8.0  # mV
    V_th: float = 30.0  # mV
    V_min: float = -math.inf  # mV
    I_e: float = 0.0  # pA
    consistent_integration: bool = True

    receptors = ("membrane", "current")
    state = {"V_m": -65.0, "U_m": -13.0}
    constants = ("a", "b", "c", "d", "V_th", "V_min", "I_e", "dt", "consistent")
    presets = CELLS
    reference = "doi:10.1109/TNN.2003.820440"

    @staticmethod
    def derive(p, dt):
        own = {name: getattr(p, name) for name in ("a", "b", "c", "d", "V_th", "V_min", "I_e")}
        return {**own, "dt": dt, "consistent": np.asarray(p.consistent_integration, dtype=float)}

    @staticmethod
    def advance(s, x, c, free):
        v, u, I_ext = s.V_m, s.U_m, c.I_e + x.current
        if c.consistent > 0.5:
            v_next = v + c.dt * (0.04 * v * v + 5.0 * v + 140.0 - u + I_ext) + x.membrane
            u_next = u + c.dt * c.a * (c.b * v - u)
        else:
            I_ext += x.membrane
            v_half = v + 0.5 * c.dt * (0.04 * v * v + 5.0 * v + 140.0 - u + I_ext)
            v_next = v_half + 0.5 * c.dt * (0.04 * v_half * v_half + 5.0 * v_half + 140.0 - u + I_ext)
            u_next = u + c.dt * c.a * (c.b * v_next - u)
        return (max(v_next, c.V_min), u_next)

    @staticmethod
    def spikes(s, c, u):
        return s.V_m >= c.V_th

    @staticmethod
    def reset(s, c):
        return (c.c, s.U_m + c.d)
