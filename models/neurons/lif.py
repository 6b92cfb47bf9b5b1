"""Leaky integrate-and-fire neuron with exponential synaptic currents (NEST's iaf_psc_exp)."""

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.event.describe import Exponential, Leaky
from spikesim.neuron import Neuron
from spikesim.propagators import constant_current, exponential_current


def check_membrane(label, p):
    """The reset must lie below the threshold, or the neuron would fire for ever."""
    if np.any(p.V_reset >= p.V_th):
        raise SpikesimError(f"{label}: V_reset must be below V_th.")


class LIF(Neuron):
    """C_m dV_m/dt = -(C_m/tau_m) (V_m - E_L) + I_syn_ex + I_syn_in + I_stim + I_e, solved exactly on the grid.

    A spike of weight w (pA) makes I_syn_ex (w >= 0) or I_syn_in (w < 0) jump by w; they decay with tau_syn_ex
    and tau_syn_in. At V_m >= V_th the neuron spikes, V_m is set to V_reset and held there for t_ref.
    The receptor "current" takes graded sources (DCSource, NoiseSource).
    Source: Rotter & Diesmann 1999, doi:10.1007/s004220050570.
    """

    E_L: float = -70.0  # mV
    C_m: float = 250.0  # pF
    tau_m: float = 10.0  # ms
    t_ref: float = 2.0  # ms
    V_th: float = -55.0  # mV
    V_reset: float = -70.0  # mV
    tau_syn_ex: float = 2.0  # ms
    tau_syn_in: float = 2.0  # ms
    I_e: float = 0.0  # pA

    receptors = ("excitatory", "inhibitory", "current")
    state = {"V_m": "E_L", "I_syn_ex": 0.0, "I_syn_in": 0.0}
    constants = ("E_L", "V_th", "V_reset", "I_e", "P11_ex", "P11_in", "P22", "P21_ex", "P21_in", "P20")
    limits = {"t_ref": (">= 0",)}
    sign_selects = True
    event = Leaky(excitatory=Exponential("I_syn_ex", "tau_syn_ex"), inhibitory=Exponential("I_syn_in", "tau_syn_in"))
    reference = "doi:10.1007/s004220050570"

    @classmethod
    def validate(cls, p, dt):
        check_membrane(cls.__name__, p)

    @staticmethod
    def derive(p, dt):
        return {
            "E_L": p.E_L, "V_th": p.V_th, "V_reset": p.V_reset, "I_e": p.I_e,
            "P11_ex": np.exp(-dt / p.tau_syn_ex),
            "P11_in": np.exp(-dt / p.tau_syn_in),
            "P22": np.exp(-dt / p.tau_m),
            "P21_ex": exponential_current(p.tau_syn_ex, p.tau_m, p.C_m, dt),
            "P21_in": exponential_current(p.tau_syn_in, p.tau_m, p.C_m, dt),
            "P20": constant_current(p.tau_m, p.C_m, dt),
        }  # fmt: skip

    @staticmethod
    def advance(s, x, c, free):
        driven = s.I_syn_ex * c.P21_ex + s.I_syn_in * c.P21_in + (c.I_e + x.current) * c.P20
        V_m = c.E_L + (s.V_m - c.E_L) * c.P22 + driven
        return (
            V_m if free else s.V_m,
            s.I_syn_ex * c.P11_ex + x.excitatory,
            s.I_syn_in * c.P11_in + x.inhibitory,
        )

    @staticmethod
    def spikes(s, c, u):
        return s.V_m >= c.V_th

    @staticmethod
    def reset(s, c):
        return (c.V_reset, s.I_syn_ex, s.I_syn_in)
