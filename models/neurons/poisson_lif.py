"""Leaky integrator that spikes at random, with a rate that grows with its membrane potential."""

import math

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.models.neurons.lif import LIF


class PoissonLIF(LIF):
    """Membrane and synapses of LIF, and an escape rate in place of the sharp threshold.

    escape = "exponential":  rho(V_m) = rate e^((V_m - V_th)/delta_V)       (Gerstner & Kistler 2002, eq. 5.36)
    escape = "sigmoid":      rho(V_m) = rate / (1 + e^(-(V_m - V_th)/delta_V))

    with `rate` in Hz. In a step of dt the neuron spikes with probability 1 - e^(-rho dt); then V_m is set to
    V_reset for t_ref, or left alone with with_reset = False.
    """

    rate: float = 10.0  # Hz, at threshold (exponential) or at most (sigmoid)
    delta_V: float = 2.0  # mV
    escape: str = "exponential"  # or sigmoid
    with_reset: bool = True

    choices = {"escape": ("exponential", "sigmoid")}
    limits = {"t_ref": (">= 0",), "rate": (">= 0",), "delta_V": ("> 0",)}
    constants = (*LIF.constants, "rate", "delta_V", "sigmoid", "resets")
    random = True
    reference = "doi:10.1017/CBO9780511815706"

    @classmethod
    def validate(cls, p, dt):
        if np.any((p.with_reset > 0.5) & (p.V_reset >= p.V_th)):
            raise SpikesimError(f"{cls.__name__}: V_reset must be below V_th.")

    @staticmethod
    def derive(p, dt):
        return {
            **LIF.derive(p, dt),
            "rate": p.rate * 1e-3 * dt,
            "delta_V": p.delta_V,
            "sigmoid": float(p.escape == "sigmoid"),
            "resets": np.asarray(p.with_reset, dtype=float),
        }

    @staticmethod
    def spikes(s, c, u):
        away = (s.V_m - c.V_th) / c.delta_V
        rho = c.rate / (1.0 + math.exp(-away)) if c.sigmoid > 0.5 else c.rate * math.exp(min(away, 500.0))
        return u < -math.expm1(-rho)

    @staticmethod
    def reset(s, c):
        return (c.V_reset if c.resets > 0.5 else s.V_m, s.I_syn_ex, s.I_syn_in)
