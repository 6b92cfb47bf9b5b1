"""Recorders of an event-driven network: spikes at real-valued times, and states of neurons that nobody has touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikesim.errors import SpikesimError
from spikesim.event.describe import Leaky
from spikesim.event.moments import milliseconds
from spikesim.record import RateRecorder, Recorder, SpikeRecorder, StateRecorder, WeightRecorder

if TYPE_CHECKING:
    from spikesim.event.network import EventNetwork


class EventSpikeRecorder(SpikeRecorder):
    """Spikes of a population or view in the order of time: `times` (ms), `ids`; `steps` (whole ps) and `rests` (what
    is above them, below 1 ps) together have all digits of them."""

    def __init__(self, network: EventNetwork, view: Any, to: str | None) -> None:
        super().__init__(view, to)
        self.network = network
        self._rests: list[Any] = []

    def drain(self, step: int) -> None:
        engine, index = self.network._engine, self.population.index
        low, high = engine.first[index], engine.first[index + 1]
        for steps, rests, units in engine.fired:
            own = (units >= low) & (units < high)
            own[own] = self.chosen[units[own] - low] != 0
            if not own.any():
                continue
            steps, rests, ids = steps[own], rests[own], (units[own] - low).astype(np.int32)
            self.count += len(ids)
            if self.writer is not None:
                self.writer.append(self.population.name, steps, ids, rests)
            else:
                for held, new in ((self._steps, steps), (self._rests, rests), (self._ids, ids)):
                    held.append(new)

    def rewind(self, step: int) -> None:
        steps, rests, ids = self.steps, self.rests, self.ids
        kept = (steps < step) | ((steps == step) & (rests == 0.0))
        self.count = int(kept.sum())
        self._steps, self._rests, self._ids = [steps[kept]], [rests[kept]], [ids[kept]]

    def clear(self) -> None:
        super().clear()
        self._rests = []

    @property
    def rests(self) -> NDArray[np.float64]:
        """(spikes,) float64: what is above the whole picoseconds."""
        return self._in_memory(self._rests, np.float64)

    @property
    def times(self) -> NDArray[np.float64]:
        """(spikes,) float64 ms."""
        return milliseconds(self.steps, self.rests)


class EventStateRecorder(StateRecorder):
    """A state variable of some neurons, looked at every so often: `times` (ms) and `values` (samples, neurons)."""

    def limit(self, step: int) -> int:
        return self.base * self.every

    def drain(self, step: int) -> None:
        if step == self.limit(step):
            network: Any = self.population.network
            event: Any = self.population.model.event
            place = network._engine._columns(event)[self.variable]
            self.buffer[0] = network._engine.state_now(self.population, self.view.ids)[place]
            self._take(self.base + 1)

    @property
    def times(self) -> NDArray[np.float64]:
        """(samples,) ms."""
        return milliseconds(self._marked() * self.every)


class EventRateRecorder(RateRecorder):
    """Mean firing rate of some neurons in bins; a spike at the very end of a bin is in it."""

    def limit(self, step: int) -> int:
        return (self.base + 1) * self.every

    def drain(self, step: int) -> None:
        network: Any = self.population.network
        index = self.population.index
        low, high = network._engine.first[index], network._engine.first[index + 1]
        for _, _, units in network._engine.fired:
            own = units[(units >= low) & (units < high)] - low
            self.buffer[0, 0] += int((self.chosen[own] != 0).sum())
        if step == self.limit(step):
            self._take(self.base + 1)

    @property
    def times(self) -> NDArray[np.float64]:
        """(bins,) ms: the end of each bin."""
        return milliseconds((self._marked() + 1) * self.every)


def event_recorder(network: EventNetwork, made: Recorder) -> Recorder:
    """The recorder that does here what `made` would do in a network with a clock."""
    if isinstance(made, SpikeRecorder):
        return EventSpikeRecorder(network, made.view, made.to)
    if isinstance(made, WeightRecorder):
        return made
    if isinstance(made, StateRecorder) and isinstance(made.population.model.event, Leaky):
        return EventStateRecorder(made.view, made.variable, made.every, network.step)
    if isinstance(made, RateRecorder):
        return EventRateRecorder(made.view, made.every, network.step)
    raise SpikesimError(
        "Network.record: engine 'event' records spikes, rates, states of neurons, and weights every so often; "
        "for changes of weights use engine='clock'."
    )
