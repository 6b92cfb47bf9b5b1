"""What a neuron's file says to the event-driven engine, in its attribute `event`.

    class LIF(Neuron):
        ...
        event = Leaky(
            excitatory=Exponential("I_syn_ex", "tau_syn_ex"),
            inhibitory=Exponential("I_syn_in", "tau_syn_in"),
        )

Parameters and state variables are those of the class, named by what the description says of them. Between two events

    C_m dV_m/dt = -(C_m/tau_m) (V_m - E_L) + sum of the currents + I_stim + I_e,

V_m is set to V_reset where it meets V_th, and held there for t_ref.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Exponential:
    """A spike of weight w adds w to the current `I`, which decays: dI/dt = -I/tau."""

    I: str  # noqa: E741
    tau: str


@dataclass(frozen=True)
class Alpha:
    """A spike of weight w adds w e/tau to `dI`: dI/dt = dI - I/tau, d(dI)/dt = -dI/tau. The current I peaks at w."""

    dI: str
    I: str  # noqa: E741
    tau: str


@dataclass(frozen=True)
class Jump:
    """A spike of weight w makes V_m jump by w; while the neuron is refractory it is lost."""


class Leaky:
    """A leaky integrator with a sharp threshold; keywords are receptors and what arrives there, two currents at the
    most. The parameters are E_L, C_m, tau_m, t_ref, V_th, V_reset and I_e, the receptor "current" is always there."""

    def __init__(self, **inputs: Exponential | Alpha | Jump) -> None:
        self.inputs: Mapping[str, Exponential | Alpha | Jump] = inputs
        self.currents = [each for each in inputs.values() if not isinstance(each, Jump)]


class Poisson:
    """A source that fires at random at the `rate` (Hz) in force: intervals are exponential."""


class Replay:
    """A source that fires at the `times` (ms) of its `ids`, which are taken as real numbers."""


class Constant:
    """A source of the constant current I (pA)."""
