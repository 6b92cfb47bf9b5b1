"""Leaky integrate-and-fire neuron that knows how strongly it was driven, whether it fired or not."""

import math

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.models.neurons.lif import check_membrane
from spikesim.neuron import Neuron


class LIFDrive(Neuron):
    """An integrate-and-fire neuron V_m, and its drive U_m, which obeys the same equation but is never reset:

        dV_m/dt = -(V_m - E_L)/tau_m + I_syn + I_stim + I_e,   V_m -> V_reset at V_m >= V_th
        dU_m/dt = -(U_m - E_L)/tau_m + I_syn + I_stim + I_e

    Potentials have no unit, currents are in 1/ms. A spike of weight w evokes the current w kappa(t),
    kappa(t) = (e^(-t/tau_L) - e^(-t/tau_s)) / (tau_L - tau_s). Neither potential falls below V_min.

    The event "window" begins a window: U_m starts anew from V_m, and Z, the highest drive since then, with it. Until
    the first spike of the window U_m = V_m to the last bit, so the neuron fires in the window if and only if
    Z >= V_th. That is what makes the threshold a discontinuity (doi:10.1371/journal.pcbi.1011005, Methods). A
    refractory period that a window begins in holds both potentials; one that begins in the window holds V_m only.
    `clock` counts the steps of the window, `Z_step` says at which of them the drive was highest, `fired` counts spikes.

    Interventions. With `mute` = 1 the neuron does not fire, whatever V_m is; at the step `force` of the window it
    fires in any case (0: never). Both are state variables and stay as they are set: do(no spike) and do(spike).
    """

    E_L: float = 0.0
    tau_m: float = 10.0  # ms
    t_ref: float = 0.0  # ms
    V_th: float = 1.0
    V_reset: float = 0.0
    V_min: float = -math.inf
    tau_L: float = 10.0  # ms, slow time constant of a postsynaptic current
    tau_s: float = 3.0  # ms, fast one
    I_e: float = 0.0  # 1/ms

    receptors = ("synaptic", "current")
    state = {"V_m": "E_L", "U_m": "E_L", "syn_L": 0.0, "syn_s": 0.0, "Z": "E_L", "clock": 0.0, "Z_step": 0.0,
             "fired": 0.0, "mute": 0.0, "force": 0.0}  # fmt: skip
    steady = ("mute", "force")
    constants = ("E_L", "V_th", "V_reset", "V_min", "I_e", "P", "P_I", "P_L", "P_s", "height")
    limits = {"t_ref": (">= 0",)}
    events = ("window",)
    reference = "doi:10.1371/journal.pcbi.1011005"

    @classmethod
    def validate(cls, p, dt):
        check_membrane(cls.__name__, p)
        if np.any(p.tau_L == p.tau_s):
            raise SpikesimError("LIFDrive: tau_L and tau_s must differ.")
        if np.any(p.V_min > p.V_reset):
            raise SpikesimError("LIFDrive: V_min must not be above V_reset.")

    @staticmethod
    def derive(p, dt):
        return {
            "E_L": p.E_L, "V_th": p.V_th, "V_reset": p.V_reset, "V_min": p.V_min, "I_e": p.I_e,
            "P": np.exp(-dt / p.tau_m),
            "P_I": -p.tau_m * np.expm1(-dt / p.tau_m),
            "P_L": np.exp(-dt / p.tau_L),
            "P_s": np.exp(-dt / p.tau_s),
            "height": 1.0 / (p.tau_L - p.tau_s),
        }  # fmt: skip

    @staticmethod
    def advance(s, x, c, free):
        # A spike that arrives now left one step ago, so its current is one step old; it holds for the step.
        syn_L, syn_s = (s.syn_L + x.synaptic) * c.P_L, (s.syn_s + x.synaptic) * c.P_s
        driven = ((syn_L - syn_s) * c.height + x.current + c.I_e) * c.P_I
        V_m, U_m, Z, Z_step, clock = s.V_m, s.U_m, s.Z, s.Z_step, s.clock + 1.0
        if free:
            V_m = max(c.E_L + (V_m - c.E_L) * c.P + driven, c.V_min)
        if free or s.fired > 0.0:
            U_m = max(c.E_L + (U_m - c.E_L) * c.P + driven, c.V_min)
            if U_m > Z or Z_step == 0.0:
                Z, Z_step = U_m, clock
        return (V_m, U_m, syn_L, syn_s, Z, clock, Z_step, s.fired)

    @staticmethod
    def spikes(s, c, u):
        return (s.V_m >= c.V_th and s.mute == 0.0) or s.clock == s.force

    @staticmethod
    def reset(s, c):
        return (c.V_reset, s.U_m, s.syn_L, s.syn_s, s.Z, s.clock, s.Z_step, s.fired + 1.0, s.mute, s.force)

    @staticmethod
    def on_window(s, c):
        return (s.V_m, s.V_m, s.syn_L, s.syn_s, s.V_m, 0.0, 0.0, 0.0, s.mute, s.force)
