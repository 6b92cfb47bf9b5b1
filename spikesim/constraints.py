"""What a constraint is: something that acts on the weights of a plastic projection at fixed times, beside learning.

    class Normalisation(Constraint):
        total: float = 1.0
        ...
        def apply(self, w, synapses):
            return w * self.total / synapses.total(w)

    net.connect(..., plasticity=rule, constraints=[Normalisation(total=5.0, every=100.0)])

A constraint is applied after the steps that end at a multiple of `every`, counted from t = 0, however runs are split,
to the weights as of then, when every spike that has reached a synapse has had its effect. Several are applied in the
order given. The bounds of the rule hold afterwards. While a projection does not learn its constraints rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikesim.errors import SpikesimError
from spikesim.parameters import Parameters

if TYPE_CHECKING:
    from spikesim.plasticity import Rule
    from spikesim.projection import Projection

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Synapses:
    """What a constraint knows of the synapses of a projection.

    low, high
        the bounds of the rule; infinite where it has none.
    elapsed
        ms since the constraint was applied last.
    """

    targets: NDArray[np.integer[Any]]  # (synapses,)
    n_targets: int
    low: float
    high: float
    elapsed: float
    traces: Mapping[str, Array]  # name -> (n_targets,)

    def total(self, values: Array) -> Array:
        """(synapses,) the sum of `values` (synapses,) over all synapses onto the same target."""
        return np.bincount(self.targets, values, self.n_targets)[self.targets]

    def trace(self, name: str) -> Array:
        """(synapses,) the trace of the synapse's target."""
        return self.traces[name][self.targets]


class Constraint(Parameters):
    """Base of all constraints.

    every
        ms between two applications.
    traces
        traces of the target's spikes: name -> the parameter that is the time constant (ms).
    reference
        a DOI.
    """

    every: float = 100.0  # ms

    limits = {"every": ("> 0",)}

    traces: ClassVar[Mapping[str, str]] = {}
    reference: ClassVar[str] = ""

    def apply(self, w: Array, synapses: Synapses) -> Array:
        """(synapses,) the weights after it, from those before; float64, in units of the weights."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it does to weights.")

    def check(self, rule: Rule) -> None:
        """Raise SpikesimError unless it can act on weights that are within the bounds of `rule`."""


def check_constraints(projection: Projection, given: Any) -> tuple[Constraint, ...]:
    """The constraints as a tuple. Raises SpikesimError for what is none, or does not fit the projection."""
    constraints = tuple(given) if isinstance(given, Iterable) else (given,)
    for constraint in constraints:
        if not isinstance(constraint, Constraint):
            raise SpikesimError(f"{projection!r}: constraints is a list of constraints such as Normalisation(total=1), "
                                f"not of {constraint!r}.")  # fmt: skip
        if projection.rule is None:
            raise SpikesimError(f"{projection!r}: a constraint acts on plastic synapses; give a plasticity rule, too.")
        projection.network.whole_steps(constraint.every, f"{projection!r}: {type(constraint).__name__}: every")
        constraint.check(projection.rule)
    return constraints
