"""AdEx with a spike of two ms, a depolarising after-potential and a moving threshold (Clopath et al. 2010)."""

import math

import numpy as np

from spikesim.aliases import PYNN
from spikesim.errors import SpikesimError
from spikesim.neuron import Neuron


class ClopathAdEx(Neuron):
    """C_m dV_m/dt = -g_L (V_m - E_L) + g_L Delta_T e^((V_m - V_T)/Delta_T) - w + z + I_stim + I_e
    tau_w dw/dt = a (V_m - E_L) - w,  tau_z dz/dt = -z,  tau_V_T dV_T/dt = V_th - V_T

    At V_m >= V_peak the neuron spikes, and for t_spike V_m has the shape of a spike: V_spike in the first half and
    V_spike_end in the second, while nothing else moves and input is lost. Then V_m = V_reset; w (pA) jumps by b; z,
    the depolarising after-current, is set to I_sp; and the threshold V_T to V_T_max. A spike of weight w (mV) makes V_m
    jump by w; currents act from the next step.

    Units are ms, mV, pA, nS, pF. The defaults are those of the authors' program: the two plateaus are the mean of a
    finely computed spike in its first and second ms, and b = 0.0805 pA all but switches spike-triggered adaptation off,
    where 0.0805 nA seems to be meant. NEST's aeif_psc_delta_clopath has V_spike = V_spike_end = 33, V_reset = -60,
    b = 80.5 and V_T_max = 30.4 in their place.

    Linear decays are exact; V_m takes the rest as constant during a step (first order in dt). With integrator = "euler"
    and dt = 1 ms this is the authors' program. Source: Clopath et al. 2010, doi:10.1038/nn.2479.
    """

    C_m: float = 281.0  # pF
    g_L: float = 30.0  # nS
    E_L: float = -70.6  # mV
    Delta_T: float = 2.0  # mV
    V_th: float = -50.4  # mV, where the threshold V_T rests
    V_T_max: float = -30.4  # mV, where a spike puts it
    tau_V_T: float = 50.0  # ms
    a: float = 4.0  # nS
    b: float = 0.0805  # pA
    tau_w: float = 144.0  # ms
    I_sp: float = 400.0  # pA
    tau_z: float = 40.0  # ms
    V_peak: float = 20.0  # mV
    V_spike: float = 29.4  # mV, in the first half of a spike
    V_spike_end: float = 32.862  # mV, in the second half
    V_reset: float = -49.5016  # mV
    t_spike: float = 2.0  # ms
    I_e: float = 0.0  # pA
    integrator: str = "exponential"  # or euler, as published

    choices = {"integrator": ("exponential", "euler")}
    limits = {"g_L": ("> 0",), "Delta_T": ("> 0",), "t_spike": ("> 0",)}
    aliases = {**PYNN, "delta_T": ("Delta_T", 1.0), "v_spike": ("V_peak", 1.0)}
    receptors = ("membrane", "current")
    state = {"V_m": "E_L", "w": 0.0, "z": 0.0, "V_T": "V_th", "spiking": 0.0}
    constants = ("g_L", "E_L", "Delta_T", "V_th", "V_T_max", "a", "b", "I_sp", "V_peak", "V_spike", "V_spike_end",
                 "V_reset", "I_e", "spike_steps", "P_m", "P_w", "P_z", "P_T")  # fmt: skip
    reference = "doi:10.1038/nn.2479"

    @classmethod
    def validate(cls, p, dt):
        if np.any(p.V_reset >= p.V_peak) or np.any(p.V_th > p.V_peak):
            raise SpikesimError(f"{cls.__name__}: V_reset must be below V_peak, and V_th not above it.")
        if np.any((p.V_peak - p.V_th) / p.Delta_T > 80.0):
            raise SpikesimError(f"{cls.__name__}: V_peak may be at most 80 Delta_T above V_th, or e^80 overflows.")

    @staticmethod
    def derive(p, dt):
        def kept(tau):
            """What a step leaves of what decays with tau."""
            return 1.0 - dt / tau if p.integrator == "euler" else np.exp(-dt / tau)

        own = {name: getattr(p, name) for name in ClopathAdEx.constants if hasattr(p, name)}
        return {
            **own,
            "spike_steps": np.maximum(1.0, np.rint(p.t_spike / dt)),
            "P_m": kept(p.C_m / p.g_L),
            "P_w": kept(p.tau_w),
            "P_z": kept(p.tau_z),
            "P_T": kept(p.tau_V_T),
        }

    @staticmethod
    def advance(s, x, c, free):
        if s.spiking > 1.0:
            V_m = c.V_spike if 2.0 * s.spiking > c.spike_steps + 2.0 else c.V_spike_end
            return (V_m, s.w, s.z, s.V_T, s.spiking - 1.0)
        V_m, w, z, V_T = s.V_m, s.w, s.z, s.V_T
        if s.spiking > 0.0:
            V_m, w, z, V_T = c.V_reset, w + c.b, c.I_sp, c.V_T_max
        upswing = c.Delta_T * math.exp((V_m - V_T) / c.Delta_T)
        V_inf = c.E_L + upswing + (z - w + x.current + c.I_e) / c.g_L
        w_inf = c.a * (V_m - c.E_L)
        return (
            V_inf + (V_m - V_inf) * c.P_m + x.membrane,
            w_inf + (w - w_inf) * c.P_w,
            z * c.P_z,
            c.V_th + (V_T - c.V_th) * c.P_T,
            0.0,
        )

    @staticmethod
    def spikes(s, c, u):
        return s.V_m >= c.V_peak and s.spiking == 0.0

    @staticmethod
    def reset(s, c):
        return (c.V_spike, s.w, s.z, s.V_T, c.spike_steps)
