"""Presynaptic spikes while the postsynaptic potential is held (Clopath, Büsing, Vasilaki & Gerstner 2010)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.models.plasticity.clopath_stdp import ClopathSTDP
from spikesim.neuron import Neuron
from spikesim.plasticity import Rule
from spikesim.protocol import Condition, Protocol, ProtocolResult
from spikesim.registry import discover

HELD = "V_m"  # what a clamp holds
ROUNDING = 1e-9


class Clamped(Neuron):
    """The postsynaptic neuron: V_m is V, from long before the first spike on, and it never fires."""

    V: float = -70.0  # mV

    state = {HELD: "V"}
    reference = "doi:10.1038/nn.2479"

    @staticmethod
    def advance(s, x, c, free):
        return (s.V_m,)


class VoltageClamp(Protocol):
    """`spikes` presynaptic spikes at `frequency`, with the postsynaptic potential held at V: the change against V.

    V runs from V_min to V_max in steps of V_step. It is for rules that read the potential (`signals`): the neuron that
    such a rule names is replaced by one whose V_m stays at V and which does not fire. Number and frequency of the
    spikes are ours; as no two of them interact, the change of the published rule is proportional to their number.

    For `ClopathSTDP` without bounds the result has the expected change, too. Its filtered potentials are V, like the
    potential itself, and x has an area of 1 for each spike, so that each changes the weight by

        -a_ltd' [V - theta_minus]+  +  a_ltp [V - theta_plus]+ [V - theta_minus]+

    where a_ltd' is a_ltd, with homeostasis a_ltd (1 - homeostasis + homeostasis [V - theta_minus]+^2 / u2_ref). Without
    homeostasis depression turns into potentiation at `reversal_mV` = theta_plus + a_ltd / a_ltp. The walk is in steps
    of 0.1 ms, in which x has the area (0.1 ms / tau_x) / (e^(0.1 ms / tau_x) - 1): 0.3 % less, with the defaults.
    """

    V_min: float = -70.0  # mV
    V_max: float = 0.0  # mV
    V_step: float = 5.0  # mV
    spikes: int = 10
    frequency: float = 10.0  # Hz

    title = "Clopath et al. 2010: presynaptic spikes under voltage clamp"
    reference = "doi:10.1038/nn.2479"
    axis = "V"
    limits = {**Protocol.limits, "V_step": ("> 0",), "spikes": (">= 1",), "frequency": ("> 0",)}

    def conditions(self) -> Iterator[Condition]:
        if self.V_max < self.V_min:
            raise SpikesimError(f"VoltageClamp: V_max ({self.V_max:g}) must not be below V_min ({self.V_min:g}).")
        pre = np.arange(self.spikes) * 1000.0 / self.frequency
        for k in range(int((self.V_max - self.V_min) / self.V_step + ROUNDING) + 1):
            V = self.V_min + k * self.V_step
            yield Condition(f"{V:g} mV", {"V": V}, pre, ())

    @classmethod
    def takes(cls, rule: type[Rule]) -> bool:
        """Whether the rule reads the potential, and nothing else of the neuron."""
        return bool(rule.signals) and all(signal.variable == HELD for signal in rule.signals.values())

    def cell(self, rule: Rule, condition: Condition) -> Clamped:
        """A neuron that is held at the potential of the condition. Raises SpikesimError for a rule that has no use for
        it."""
        if not self.takes(type(rule)):
            others = ", ".join(kind.__name__ for kind in discover("rule").values() if self.takes(kind))
            raise SpikesimError(
                f"VoltageClamp holds the postsynaptic {HELD}, which {type(rule).__name__} does not go by; rules that "
                f"can be clamped have `signals` of {HELD} alone: {others}."
            )
        return Clamped(V=condition.variables["V"])

    def finish(self, result: ProtocolResult) -> None:
        """Add the closed form where it holds."""
        rule = result.rule
        if type(rule) is not ClopathSTDP or rule.given & {"w_min", "w_max", "bounds"}:
            return
        for point in result.points:
            change = self.spikes * per_spike(rule, point.condition.variables["V"])
            point.closed_form = change * rule.w_ref / self.start(rule)
        if rule.homeostasis == 0.0 and rule.a_ltp > 0.0:
            result.scalars["reversal_mV"] = rule.theta_plus + rule.a_ltd / rule.a_ltp


def per_spike(rule: ClopathSTDP, V: float) -> float:
    """The change by one presynaptic spike at a constant potential (mV), in units of w_ref."""
    above_minus, above_plus = max(V - rule.theta_minus, 0.0), max(V - rule.theta_plus, 0.0)
    a_ltd = rule.a_ltd * (1.0 - rule.homeostasis + rule.homeostasis * above_minus**2 / rule.u2_ref)
    return -a_ltd * above_minus + rule.a_ltp * above_plus * above_minus
