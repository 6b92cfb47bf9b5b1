"""Leaky integrate-and-fire neuron with a second compartment that only learning reads (Neftci et al. 2017)."""

import numpy as np

from spikesim.models.neurons.lif import check_membrane
from spikesim.neuron import Neuron
from spikesim.propagators import constant_current, exponential_current


class DendriteLIF(Neuron):
    """C_m dV_m/dt = -(C_m/tau_m) (V_m - E_L) + I_syn + I_e,  and apart from it  tau_U dU/dt = -(U - U_e).

    A spike of weight w (pA) at the receptor "soma" makes I_syn jump by w, whatever its sign; I_syn decays with tau_syn.
    A spike at "dendrite" makes U jump by its weight: errors that come back, which rules such as ERBP read and the soma
    does not. At V_m >= V_th the neuron spikes, and V_m is held at V_reset for t_ref. Solved exactly on the grid.
    Source: doi:10.3389/fnins.2017.00324; parameters are those of LIF, tau_U is ours.
    """

    E_L: float = -70.0  # mV
    C_m: float = 250.0  # pF
    tau_m: float = 10.0  # ms
    t_ref: float = 2.0  # ms
    V_th: float = -55.0  # mV
    V_reset: float = -70.0  # mV
    tau_syn: float = 4.0  # ms
    I_e: float = 0.0  # pA
    tau_U: float = 20.0  # ms
    U_e: float = 0.0  # where U goes when no spike comes

    receptors = ("soma", "dendrite")
    state = {"V_m": "E_L", "I_syn": 0.0, "U": "U_e"}
    constants = ("E_L", "V_th", "V_reset", "I_e", "P11", "P21", "P22", "P20", "U_e", "P_U")
    limits = {"t_ref": (">= 0",)}
    reference = "doi:10.3389/fnins.2017.00324"

    @classmethod
    def validate(cls, p, dt):
        check_membrane(cls.__name__, p)

    @staticmethod
    def derive(p, dt):
        return {
            "E_L": p.E_L, "V_th": p.V_th, "V_reset": p.V_reset, "I_e": p.I_e, "U_e": p.U_e,
            "P11": np.exp(-dt / p.tau_syn),
            "P21": exponential_current(p.tau_syn, p.tau_m, p.C_m, dt),
            "P22": np.exp(-dt / p.tau_m),
            "P20": constant_current(p.tau_m, p.C_m, dt),
            "P_U": np.exp(-dt / p.tau_U),
        }  # fmt: skip

    @staticmethod
    def advance(s, x, c, free):
        V_m = c.E_L + (s.V_m - c.E_L) * c.P22 + s.I_syn * c.P21 + c.I_e * c.P20
        return (
            V_m if free else s.V_m,
            s.I_syn * c.P11 + x.soma,
            c.U_e + (s.U - c.U_e) * c.P_U + x.dendrite,
        )

    @staticmethod
    def spikes(s, c, u):
        return s.V_m >= c.V_th

    @staticmethod
    def reset(s, c):
        return (c.V_reset, s.I_syn, s.U)
