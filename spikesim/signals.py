"""What a synapse can know of its postsynaptic neuron at every step: state variables, and low-pass filters of them.

    class VoltageRule(Rule):
        tau_minus: float = 10.0  # ms
        delay: float = 3.0       # ms
        signals = {"u": Signal("V_m"), "u_minus": LowPass("V_m", tau="tau_minus", delay="delay")}

        @staticmethod
        def drift(w, pre, post, p):  return ... post.u ... post.u_minus ...

Time. What hooks see at time t, as fields of `post`, is the neuron as it was one step before, the last time that is
over when the spikes of time t arrive, and `delay` earlier than that; signals come to the synapse over the dendritic
delay, as postsynaptic spikes do. So the spike of time t is not in them. A neuron has had its first value for ever.

A filter takes one step as a stretch of constant input:

    s(t + dt) = V(t + dt) + (s(t) - V(t + dt)) e^(-dt/tau).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikesim.plasticity import Rule


@dataclass(frozen=True)
class Signal:
    """A state variable of the postsynaptic neuron.

    variable
        its name, such as "V_m".
    delay
        the name of a parameter: how much earlier (ms) the value is taken. Put on the nearest step.
    squared_above
        the name of a parameter theta: ([V - theta]+)^2 takes the place of V.
    """

    variable: str
    delay: str | None = None
    squared_above: str | None = None


@dataclass(frozen=True)
class LowPass:
    """tau ds/dt = V - s: a low-pass filter of what a `Signal` is; `tau` is the name of a parameter (ms)."""

    variable: str
    tau: str
    delay: str | None = None
    squared_above: str | None = None


@dataclass(frozen=True)
class SignalSpec:
    """A signal of one rule with its numbers: what engine, protocols and reference need to know."""

    name: str
    variable: str
    tau: float  # ms; 0 for the variable itself
    delay: float  # ms
    squared_above: float | None

    def input(self, value: Any) -> Any:
        """What is filtered: the variable, or the square of what is above the threshold. Numbers or arrays."""
        if self.squared_above is None:
            return value
        above = value - self.squared_above
        return above * above * (above > 0)


def signal_specs(rule: Rule) -> tuple[SignalSpec, ...]:
    """The signals of a rule with the values of the parameters that they name."""

    def number(name: str | None) -> float:
        return 0.0 if name is None else float(getattr(rule, name))

    return tuple(
        SignalSpec(
            name,
            signal.variable,
            number(getattr(signal, "tau", None)),
            number(signal.delay),
            None if signal.squared_above is None else number(signal.squared_above),
        )
        for name, signal in rule.signals.items()
    )
