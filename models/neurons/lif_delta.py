"""Leaky integrate-and-fire neuron with delta-shaped synaptic currents (NEST's iaf_psc_delta)."""

import numpy as np

from spikesim.event.describe import Jump, Leaky
from spikesim.models.neurons.lif import check_membrane
from spikesim.neuron import Neuron
from spikesim.propagators import constant_current


class LIFDelta(Neuron):
    """dV_m/dt = -(V_m - E_L)/tau_m + (I_stim + I_e)/C_m; a spike of weight w (mV) makes V_m jump by w.

    The jump is added before the threshold is tested in the same step; input that arrives while the neuron is
    refractory is lost. Source: Rotter & Diesmann 1999, doi:10.1007/s004220050570.
    """

    E_L: float = -70.0  # mV
    C_m: float = 250.0  # pF
    tau_m: float = 10.0  # ms
    t_ref: float = 2.0  # ms
    V_th: float = -55.0  # mV
    V_reset: float = -70.0  # mV
    I_e: float = 0.0  # pA

    receptors = ("membrane", "current")
    state = {"V_m": "E_L"}
    constants = ("E_L", "V_th", "V_reset", "I_e", "P33", "P30")
    limits = {"t_ref": (">= 0",)}
    event = Leaky(membrane=Jump())
    reference = "doi:10.1007/s004220050570"

    @classmethod
    def validate(cls, p, dt):
        check_membrane(cls.__name__, p)

    @staticmethod
    def derive(p, dt):
        return {
            "E_L": p.E_L, "V_th": p.V_th, "V_reset": p.V_reset, "I_e": p.I_e,
            "P33": np.exp(-dt / p.tau_m),
            "P30": constant_current(p.tau_m, p.C_m, dt),
        }  # fmt: skip

    @staticmethod
    def advance(s, x, c, free):
        V_m = c.E_L + (s.V_m - c.E_L) * c.P33 + (c.I_e + x.current) * c.P30 + x.membrane
        return (V_m if free else s.V_m,)

    @staticmethod
    def spikes(s, c, u):
        return s.V_m >= c.V_th

    @staticmethod
    def reset(s, c):
        return (c.V_reset,)
