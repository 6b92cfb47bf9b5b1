"""Projections: the synapses made by one call of `Network.connect`.

A projection says how its synapses are made: their ends (`wiring`), `weight` and `delay` are functions of a synapse's
number. The engine makes them in place, where a run wants them; what is asked for here is made once more.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikesim.distributions import is_number
from spikesim.errors import SpikesimError
from spikesim.parallel import filled
from spikesim.receptors import receptors_for
from spikesim.short_term import ShortTermRule
from spikesim.values import Given, Same, Values
from spikesim.wiring import Listed

if TYPE_CHECKING:
    from spikesim.constraints import Constraint
    from spikesim.delays import Delays
    from spikesim.network import Network
    from spikesim.plasticity import Rule
    from spikesim.population import Population
    from spikesim.wiring import Wiring

NEVER = 1 << 62  # a step that no run comes to


class Projection:
    """Synapses from one population to another. Those given as pairs are in the order in which they were given; else
    they are numbered target by target, or source by source where the connection rule is about sources.

    sources, targets
        int64 ids in their populations.
    weights
        float64, in the unit of the target's receptor. Plastic weights are current: every spike that has reached
        the synapse by now has had its effect. Assign a number or an array to set them.
    delays
        float64 ms, whole steps where there are steps.
    """

    def __init__(
        self, network: Network, index: int, source: Population, target: Population, *, wiring: Wiring | None,
        weight: Values, delay: Delays, rule: Rule | ShortTermRule | None, dendritic_delay_fraction: float,
        receptor: str | None, sends: str = "spikes",
    ) -> None:  # fmt: skip
        self.network, self.index, self.source, self.target = network, index, source, target
        self.short_term = rule if isinstance(rule, ShortTermRule) else None
        self.rule: Rule | None = None if isinstance(rule, ShortTermRule) else rule
        self.dendritic_delay_fraction, self.receptor = dendritic_delay_fraction, receptor
        self.sends = sends  # "spikes" or a state variable of the source
        self.wiring, self.weight, self.delay = wiring, weight, delay
        self.made_by: Any = None  # (connection rule, source ids, target ids) of synapses that are not listed
        self.arrays: dict[str, Any] = {}  # what changes while the network runs
        self.kept: tuple[str, ...] = ("weights", "since")  # beginnings of the names of those that a reset leaves
        self.runtime: Any = None  # what the engine keeps for a plastic projection
        self.constraints: tuple[Constraint, ...] = ()
        if self.rule is not None:
            self.arrays["since"] = np.zeros(1, dtype=np.int64)  # spikes that reached a synapse before do not count

    @property
    def dense(self) -> bool:
        """Whether the weights are a matrix, `arrays["weights"]`, of all pairs of two populations."""
        return self.wiring is None

    @property
    def plastic(self) -> bool:
        return self.rule is not None

    @property
    def sends_values(self) -> bool:
        """Whether what its source sends are currents or a state variable, not spikes."""
        return self.source.model.graded or self.sends != "spikes"

    @property
    def receptors(self) -> tuple[int, int]:
        """The numbers of the target's receptors that weights >= 0 and those < 0 end on."""
        return receptors_for(self.target, self.receptor, self.weight.limits)

    def __len__(self) -> int:
        return self.source.n * self.target.n if self.wiring is None else self.wiring.n

    @property
    def expected(self) -> float:
        """How many synapses there should be; tells it without making any."""
        return float(len(self)) if self.wiring is None else self.wiring.expected

    def ends(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """(sources, targets), int32, of all synapses."""
        if self.wiring is None:
            ids = np.arange(self.source.n, dtype=np.int32), np.arange(self.target.n, dtype=np.int32)
            return np.repeat(ids[0], self.target.n), np.tile(ids[1], self.source.n)
        return self.wiring.everything()

    def digest(self) -> str:
        """sha256 of its synapses: both ends, delay and weight as they were made. Does not depend on threads."""
        found = [hashlib.sha256() for _ in range(4)]
        for first, sources, targets in (self.wiring or Listed(*self.ends())).chunks(0, self.target.n):
            last = first + len(sources)
            weights = self.weight.part(first, last).astype(self.network.dtype)
            for each, array in zip(found, (sources, targets, self.delay.part(first, last), weights), strict=True):
                each.update(array.tobytes())
        return hashlib.sha256(b"".join(each.digest() for each in found)).hexdigest()

    @property
    def sources(self) -> NDArray[np.int64]:
        """(synapses,) id of each synapse's presynaptic neuron."""
        return self.ends()[0].astype(np.int64)

    @property
    def targets(self) -> NDArray[np.int64]:
        """(synapses,) id of each synapse's postsynaptic neuron."""
        return self.ends()[1].astype(np.int64)

    @property
    def delays(self) -> NDArray[np.float64]:
        """(synapses,) ms."""
        return self.delay.in_ms(len(self), self.network.threads)

    def first_weights(self) -> Any:
        """(synapses,) weights as they were given or drawn, in the precision of the network."""
        return filled(self.weight.part, len(self), self.network.dtype, self.network.threads)

    @property
    def weights(self) -> NDArray[np.float64]:
        """(synapses,) a copy; current also for plastic synapses."""
        if self.wiring is None:
            return self.arrays["weights"][:, : self.target.n].astype(np.float64).ravel()
        if self.runtime is not None:
            return self.runtime.current_weights().astype(np.float64)
        return self.first_weights().astype(np.float64)

    @weights.setter
    def weights(self, given: Any) -> None:
        from spikesim.connecting import check_plastic_weights

        weight = self._checked(given)
        receptors = receptors_for(self.target, self.receptor, weight.limits)
        if self.rule is not None:
            check_plastic_weights(self, weight)
        elif self.wiring is None and receptors[0] != receptors[1]:
            raise SpikesimError(f"{self!r}: a weight matrix has one receptor, so weights of one sign; give a receptor.")
        if self.wiring is None or self.runtime is not None:
            self.put_weights(weight.part(0, len(self)))
        if receptors != self.receptors or not (self.wiring is None or self.plastic):
            self.network.changed()
        self.weight = weight

    def put_weights(self, weights: NDArray[Any]) -> None:
        """Write weights, which fit, where the engine has them; spikes that have arrived by now do not change them."""
        if self.wiring is None:
            self.arrays["weights"][:, : self.target.n] = weights.reshape(self.source.n, self.target.n)
        else:
            self.runtime.set_weights(weights)

    @property
    def learning(self) -> bool:
        """Whether the spikes that reach the synapses now change the weights.

        Set it to False, between two runs, and the weights stay as they are: traces go on, but spikes that arrive in the
        meantime never count. Raises SpikesimError for synapses without a plasticity rule.
        """
        return self.rule is not None and int(self.arrays["since"][0]) <= self.network.step

    @learning.setter
    def learning(self, on: Any) -> None:
        if on not in (True, False):
            raise SpikesimError(f"{self!r}: learning is True or False, not {on!r}.")
        if on != self.learning or self.rule is None:
            self.learn_from(self.network.time if on else math.inf)

    def learn_from(self, time: float) -> None:
        """Let the weights be as they are until `time` (ms, not before now); only spikes that arrive from then on count.

        Infinity is never. Raises SpikesimError for other times and for synapses without a plasticity rule.
        """
        network = self.network
        if self.rule is None:
            raise SpikesimError(f"{self!r}: these synapses do not learn; give connect a plasticity rule.")
        if not (isinstance(time, (int, float, np.number)) and time / network.dt > network.step - 0.5):
            raise SpikesimError(f"{self!r}: learning begins at {network.time:g} ms (now) or later, not at {time!r}.")
        if self.runtime is not None and self.learning:
            self.put_weights(self.weights)  # what has arrived has counted
        self.arrays["since"][0] = NEVER if time == math.inf else round(time / network.dt)

    def _checked(self, given: Any) -> Values:
        if is_number(given) and np.isfinite(given):
            return Same(float(given))
        try:
            array = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            raise SpikesimError(f"{self!r}: weights are numbers, not {given!r}.") from None
        if array.ndim and array.size != len(self):
            raise SpikesimError(f"{self!r}: {array.size} weights given for {len(self)} synapses.")
        if not np.isfinite(array).all():
            raise SpikesimError(f"{self!r}: weights must be finite numbers (NaN or infinity given).")
        return Given(array.ravel().astype(self.network.dtype))

    def __repr__(self) -> str:
        rule = self.rule or self.short_term
        plastic = f", {type(rule).__name__}" if rule is not None else ""
        return f"<{self.expected:.0f} synapses {self.source.name!r} -> {self.target.name!r}{plastic}>"
