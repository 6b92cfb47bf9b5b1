"""Projections: the synapses made by one call of `Network.connect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikesim.errors import SpikesimError

if TYPE_CHECKING:
    from spikesim.network import Network
    from spikesim.plasticity import Rule
    from spikesim.population import Population


class Projection:
    """Synapses from one population to another, in the order in which they were made.

    sources, targets
        int64 ids in their populations.
    weights
        float64, in the unit of the target's receptor. Plastic weights are current: every spike that has reached
        the synapse by now has had its effect. Assign a number or an array to set them.
    delays
        float64 ms, whole steps.
    """

    def __init__(
        self, network: Network, index: int, source: Population, target: Population, *,
        sources: Any, targets: Any, weights: Any, delay_steps: Any, receptors: Any,
        rule: Rule | None, dendritic_delay_fraction: float, dense: bool, receptor: str | None,
    ) -> None:  # fmt: skip
        self.network, self.index, self.source, self.target = network, index, source, target
        self.rule, self.dendritic_delay_fraction, self.dense = rule, dendritic_delay_fraction, dense
        self._sources, self._targets = sources, targets
        self._delay_steps, self._receptors, self.receptor = delay_steps, receptors, receptor
        self.arrays: dict[str, Any] = {"weights": weights}
        self.runtime: Any = None  # what the engine keeps for a plastic projection

    def __len__(self) -> int:
        return self.source.n * self.target.n if self.dense else len(self._sources)

    @property
    def sources(self) -> NDArray[np.int64]:
        """(synapses,) id of each synapse's presynaptic neuron."""
        if self.dense:
            return np.repeat(np.arange(self.source.n), self.target.n)
        return self._sources.astype(np.int64)

    @property
    def targets(self) -> NDArray[np.int64]:
        """(synapses,) id of each synapse's postsynaptic neuron."""
        if self.dense:
            return np.tile(np.arange(self.target.n), self.source.n)
        return self._targets.astype(np.int64)

    @property
    def delays(self) -> NDArray[np.float64]:
        """(synapses,) ms."""
        return np.broadcast_to(self._delay_steps, (len(self),)) * self.network.dt

    @property
    def weights(self) -> NDArray[np.float64]:
        """(synapses,) a copy; current also for plastic synapses."""
        if self.dense:
            return self.arrays["weights"][:, : self.target.n].astype(np.float64).ravel()
        if self.runtime is not None:
            return self.runtime.current_weights().astype(np.float64)
        return self.arrays["weights"].astype(np.float64)

    @weights.setter
    def weights(self, values: Any) -> None:
        from spikesim.connecting import check_plastic_weights, receptors_for

        values = self._checked(values)
        receptors = receptors_for(self.target, self.receptor, values)
        if self.rule is not None:
            check_plastic_weights(self, values)
        elif self.dense and np.ndim(receptors):
            raise SpikesimError(f"{self!r}: a weight matrix has one receptor, so weights of one sign; give a receptor.")
        if not np.array_equal(receptors, self._receptors):
            self._receptors = receptors  # the sign of the weights selects it
            self.network.changed()
        if self.dense:
            self.arrays["weights"][:, : self.target.n] = values.reshape(self.source.n, self.target.n)
            return
        if self.runtime is not None:
            self.runtime.set_weights(values)
        else:
            self.arrays["weights"] = values.astype(self.network.dtype)
            self.network.changed()

    def _checked(self, values: Any) -> NDArray[np.float64]:
        try:
            array = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError):
            raise SpikesimError(f"{self!r}: weights are numbers, not {values!r}.") from None
        if array.ndim == 0:
            array = np.full(len(self), float(array))
        if array.size != len(self):
            raise SpikesimError(f"{self!r}: {array.size} weights given for {len(self)} synapses.")
        if not np.isfinite(array).all():
            raise SpikesimError(f"{self!r}: weights must be finite numbers (NaN or infinity given).")
        return array.ravel()

    @property
    def plastic(self) -> bool:
        return self.rule is not None

    def __repr__(self) -> str:
        plastic = f", {type(self.rule).__name__}" if self.rule is not None else ""
        return f"<{len(self)} synapses {self.source.name!r} -> {self.target.name!r}{plastic}>"
