"""Recorders: what `Network.record` returns, and how what was recorded leaves the engine's buffers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikesim.clock.contexts import Context
from spikesim.errors import SpikesimError
from spikesim.rng import Stream

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.population import View
    from spikesim.projection import Projection

SPARE = 1 << 16  # spikes that a buffer holds beyond the worst case of one block
SAMPLES = 1024  # samples that a buffer of states or rates holds
FAR = 1 << 62


class Recorder:
    """Base of all recorders."""

    def operations(self, engine: ClockEngine, thread: int) -> list[Any]:
        """What this recorder adds to each step of a thread."""
        return []

    def limit(self, step: int) -> int:
        """The furthest step to which the network may run from `step` before `drain` must be called."""
        return FAR

    def drain(self, step: int) -> None:
        """Take what the buffers hold; the network has come to `step`."""

    def rewind(self, step: int) -> None:
        """Forget what was recorded after `step`, to which the network goes back or jumps ahead."""

    def clear(self) -> None:
        """Forget what was recorded so far."""

    def held(self) -> dict[str, Any]:
        """What a checkpoint keeps of it: numbers and arrays that do not depend on threads."""
        return {}

    def take(self, held: dict[str, Any]) -> None:
        """Be as the recorder was that gave this by `held`."""


class SpikeRecorder(Recorder):
    """Spikes of a population or view. In memory: `times` (ms), `ids`, `steps`, ordered by step and then id.

    With `to` they are streamed to a file while the network runs, and memory stays bounded; read them there.
    """

    def __init__(self, view: View, to: str | None) -> None:
        self.view, self.to, self.writer = view, to, None  # type: ignore[var-annotated]
        self.population = view.population
        self.chosen = np.zeros(self.population.n_padded, dtype=np.uint8)
        self.chosen[view.ids] = 1
        self.count = 0
        self._steps: list[Any] = []
        self._ids: list[Any] = []
        self._buffers: list[tuple[Any, Any]] = []

    def operations(self, engine: ClockEngine, thread: int) -> list[Any]:
        from spikesim.clock import recording

        if thread == 0:
            self._buffers, self._filled = [], np.zeros(engine.n_threads, dtype=np.int64)
        lo, hi = engine.ranges[self.population.index][thread]
        # A run goes on for one more block after a buffer has said that it is full.
        room = (hi - lo) * self.population.model.max_spikes * 2 * engine.block
        steps, ids = np.empty(room + SPARE, dtype=np.int64), np.empty(room + SPARE, dtype=np.int32)
        self._buffers.append((steps, ids))
        context = Context(
            recording.SpikeRecordContext, chosen=self.chosen, n=self.population.n_padded, steps=steps, ids=ids,
            filled=self._filled, capacity=len(steps), room=room, full=engine.full,
            **engine.own_spikes(self.population, thread),
        )  # fmt: skip
        return [(recording.spike_record_op().address, context)]

    def drain(self, step: int) -> None:
        filled = [int(k) for k in self._filled]
        if not sum(filled):
            return
        steps = np.concatenate([s[:k] for (s, _), k in zip(self._buffers, filled, strict=True)])
        ids = np.concatenate([i[:k] for (_, i), k in zip(self._buffers, filled, strict=True)])
        self._filled[:] = 0
        order = np.argsort(steps, kind="stable")  # threads own ascending ranges, so ids come out sorted too
        steps, ids = steps[order] + 1, ids[order]  # a spike's time is the end of its step
        self.count += len(steps)
        if self.writer is not None:
            self.writer.append(self.population.name, steps, ids)
        else:
            self._steps.append(steps)
            self._ids.append(ids)

    def rewind(self, step: int) -> None:
        steps, ids = self.steps, self.ids
        self.count = int(np.searchsorted(steps, step, side="right"))
        self._steps, self._ids = [steps[: self.count]], [ids[: self.count]]

    def clear(self) -> None:
        self._steps, self._ids, self.count = [], [], 0

    def held(self) -> dict[str, Any]:
        in_memory = {"steps": self.steps, "ids": self.ids} if self.to is None else {}
        return {"count": self.count, **in_memory}

    def take(self, held: dict[str, Any]) -> None:
        self.count = held["count"]
        if self.to is None:
            self._steps, self._ids = [held["steps"]], [held["ids"]]

    def _in_memory(self, parts: list[Any], dtype: Any) -> Any:
        if self.to is not None:
            raise SpikesimError(f"these spikes were streamed to {self.to!r}; read them from there.")
        if len(parts) > 1:
            parts[:] = [np.concatenate(parts)]
        return parts[0].astype(dtype) if parts else np.empty(0, dtype=dtype)

    @property
    def steps(self) -> NDArray[np.int64]:
        """(spikes,) int64: the end of the step of each spike, in units of dt."""
        return self._in_memory(self._steps, np.int64)

    @property
    def times(self) -> NDArray[np.floating[Any]]:
        """(spikes,) float64 ms."""
        return self.steps * self.population.network.dt

    @property
    def ids(self) -> NDArray[np.int64]:
        """(spikes,) int64 ids in the population."""
        return self._in_memory(self._ids, np.int64)

    def __len__(self) -> int:
        return self.count


class _Sampled(Recorder):
    """Something that fills row k - base of a buffer for the k-th stretch of `every` steps."""

    def __init__(self, view: View, every: int, width: int, dtype: Any) -> None:
        self.view, self.population, self.every, self.dtype = view, view.population, every, dtype
        self.width = width
        self.base = 0
        self.buffer = np.zeros((SAMPLES, width), dtype=dtype)
        self.contexts: list[Any] = []
        self._marks: list[Any] = []  # which stretches were kept, in parts
        self._rows: list[Any] = []  # and their rows

    def first_from(self, step: int) -> int:
        """The first stretch that can be recorded whole from `step` on."""
        raise NotImplementedError

    def limit(self, step: int) -> int:
        return (self.base + SAMPLES) * self.every - 1

    def _take(self, done: int) -> None:
        """Keep the rows of stretches `base` to before `done`, and begin the buffer anew there."""
        if done > self.base:
            n = done - self.base
            self._marks.append(np.arange(self.base, done))
            self._rows.append(self.buffer[:n].copy())
            self.buffer[: SAMPLES - n] = self.buffer[n:].copy()
            self.buffer[SAMPLES - n :] = 0
            self._begin(done)

    def _begin(self, base: int) -> None:
        self.base = base
        for context in self.contexts:
            context.set(base=base)

    def rewind(self, step: int) -> None:
        first, marks = self.first_from(step), self._marked()
        kept = marks < first
        self._marks, self._rows = [marks[kept]], [self._all()[kept]]
        self.buffer[...] = 0
        self._begin(first)

    def _marked(self) -> Any:
        if len(self._marks) > 1:
            self._marks[:] = [np.concatenate(self._marks)]
        return self._marks[0] if self._marks else np.zeros(0, dtype=np.int64)

    def _all(self) -> Any:
        if len(self._rows) > 1:
            self._rows[:] = [np.concatenate(self._rows)]
        return self._rows[0] if self._rows else np.zeros((0, self.width), dtype=self.dtype)

    def clear(self) -> None:
        self._marks, self._rows = [], []

    def held(self) -> dict[str, Any]:
        return {"base": self.base, "marks": self._marked(), "rows": self._all(), "begun": self.buffer[0]}

    def take(self, held: dict[str, Any]) -> None:
        self._marks, self._rows, self.base = [held["marks"]], [held["rows"]], held["base"]
        self.buffer[0] = held["begun"]


class StateRecorder(_Sampled):
    """A state variable of some neurons, sampled at the end of a step: `times` (ms) and `values` (samples, neurons)."""

    def __init__(self, view: View, variable: str, every: int, step: int) -> None:
        super().__init__(view, every, len(view), view.population.network.dtype)
        self.variable = variable
        self.base = self.first_from(step)

    def first_from(self, step: int) -> int:
        return step // self.every + 1  # a sample is taken at the end of its stretch, and never at time 0

    def operations(self, engine: ClockEngine, thread: int) -> list[Any]:
        from spikesim.clock import recording

        if thread == 0:
            self.contexts = []
        lo, hi = engine.ranges[self.population.index][thread]
        places = np.flatnonzero((self.view.ids >= lo) & (self.view.ids < hi))
        context = Context(
            recording.StateRecordContext, every=self.every, places=places, ids=self.view.ids[places],
            n_ids=len(places), n_columns=self.width, state=self.population._row(self.variable),
            n=self.population.n_padded, values=self.buffer, samples=SAMPLES, base=self.base,
        )  # fmt: skip
        self.contexts.append(context)
        return [(recording.state_record_op(self.dtype).address, context)]

    def drain(self, step: int) -> None:
        self._take(step // self.every + 1)

    @property
    def values(self) -> NDArray[np.floating[Any]]:
        """(samples, neurons) in the order of the view's ids."""
        return self._all().astype(np.float64)

    @property
    def times(self) -> NDArray[np.floating[Any]]:
        """(samples,) ms."""
        return self._marked() * self.every * self.population.network.dt


class RateRecorder(_Sampled):
    """Mean firing rate of some neurons in bins: `times` (ms, ends of the bins) and `rates` (Hz)."""

    def __init__(self, view: View, every: int, step: int) -> None:
        super().__init__(view, every, view.population.network.threads, np.int64)
        self.chosen = np.zeros(self.population.n_padded, dtype=np.uint8)
        self.chosen[view.ids] = 1
        self.base = self.first_from(step)

    def first_from(self, step: int) -> int:
        return -(-step // self.every)

    def operations(self, engine: ClockEngine, thread: int) -> list[Any]:
        from spikesim.clock import recording

        if thread == 0:
            self.contexts = []
        context = Context(
            recording.RateRecordContext, every=self.every, chosen=self.chosen, n=self.population.n_padded,
            totals=self.buffer, samples=SAMPLES, base=self.base, **engine.own_spikes(self.population, thread),
        )  # fmt: skip
        self.contexts.append(context)
        return [(recording.rate_record_op().address, context)]

    def drain(self, step: int) -> None:
        self._take(step // self.every)

    def held(self) -> dict[str, Any]:
        held = super().held()  # with a column for each thread, of which only the sum means something
        return {**held, "rows": held["rows"].sum(axis=1, keepdims=True), "begun": held["begun"].sum(keepdims=True)}

    def take(self, held: dict[str, Any]) -> None:
        room = ((0, 0), (0, self.width - 1))
        super().take({**held, "rows": np.pad(held["rows"], room), "begun": np.pad(held["begun"], room[1])})

    @property
    def rates(self) -> NDArray[np.floating[Any]]:
        """(bins,) Hz."""
        seconds = self.every * self.population.network.dt * 1e-3
        return self._all().sum(axis=1) / (max(1, len(self.view)) * seconds)

    @property
    def times(self) -> NDArray[np.floating[Any]]:
        """(bins,) ms: the end of each bin."""
        return (self._marked() + 1) * self.every * self.population.network.dt


class WeightRecorder(Recorder):
    """Snapshots of a projection's weights: `times` (ms) and `values` (snapshots, synapses) of the synapses numbered
    `synapses`.

    With `to` they are streamed to a file while the network runs; read them there.
    """

    def __init__(
        self, projection: Projection, every: int, step: int, synapses: Any = None, to: str | None = None
    ) -> None:
        self.projection, self.every, self._chosen, self.to = projection, every, synapses, to
        self.writer: Any = None
        self._next = (step // every + 1) * every
        self._steps: list[int] = []
        self._values: list[Any] = []

    @property
    def synapses(self) -> NDArray[np.int64]:
        """(synapses,) the numbers that the recorded synapses have in their projection."""
        return np.arange(len(self.projection)) if self._chosen is None else self._chosen

    def limit(self, step: int) -> int:
        return self._next

    def drain(self, step: int) -> None:
        if step == self._next:
            weights = self.projection.weights
            weights = weights if self._chosen is None else weights[self._chosen]
            if self.writer is not None:
                self.writer.append(self, step, weights)
            else:
                self._steps.append(step)
                self._values.append(weights)
            self._next = step + self.every

    def rewind(self, step: int) -> None:
        kept = int(np.searchsorted(self._steps, step, side="right"))
        self._steps, self._values = self._steps[:kept], self._values[:kept]
        self._next = (step // self.every + 1) * self.every

    def clear(self) -> None:
        self._steps, self._values = [], []

    def held(self) -> dict[str, Any]:
        in_memory = {} if self.to is not None else {"steps": np.array(self._steps, np.int64), "values": self.values}
        return {"next": self._next, **in_memory}

    def take(self, held: dict[str, Any]) -> None:
        self._next = held["next"]
        if self.to is None:
            self._steps, self._values = held["steps"].tolist(), list(held["values"])

    def _in_memory(self) -> None:
        if self.to is not None:
            raise SpikesimError(f"these weights were streamed to {self.to!r}; read them from there.")

    @property
    def values(self) -> NDArray[np.floating[Any]]:
        """(snapshots, synapses)"""
        self._in_memory()
        return np.array(self._values).reshape(len(self._values), len(self.synapses))

    @property
    def times(self) -> NDArray[np.floating[Any]]:
        """(snapshots,) ms."""
        self._in_memory()
        return np.array(self._steps, dtype=np.int64) * self.projection.network.dt


def chosen_synapses(projection: Projection, synapses: Any, sample: Any) -> NDArray[np.int64] | None:
    """The numbers of the synapses to record: those given, a random `sample` of so many, or None for all.

    Raises SpikesimError for numbers that no synapse has.
    """
    if synapses is None and sample is None:
        return None
    label = f"Network.record: weights of {projection!r}"
    n = len(projection)
    if sample is not None:
        if synapses is not None:
            raise SpikesimError(f"{label}: give synapses or sample, not both.")
        if not (isinstance(sample, (int, np.integer)) and 1 <= sample <= n):
            raise SpikesimError(f"{label}: sample is a whole number from 1 to {n}, not {sample!r}.")
        return np.sort(Stream(projection.network.seed, "SAMPLE", projection.index).permutation(n)[:sample])
    chosen = np.atleast_1d(np.asarray(synapses))
    if chosen.ndim != 1 or not np.issubdtype(chosen.dtype, np.integer) or not len(chosen):
        raise SpikesimError(f"{label}: synapses are whole numbers from 0 to {n - 1}, not {synapses!r}.")
    if chosen.min() < 0 or chosen.max() >= n:
        wrong = chosen.min() if chosen.min() < 0 else chosen.max()
        raise SpikesimError(f"{label}: there is no synapse {wrong}; their numbers are 0 to {n - 1}.")
    return chosen.astype(np.int64)
