"""Walks chosen plastic synapses step by step, behind the engine, to see when their weights change.

The engine serves a synapse late, or visits it at presynaptic spikes only, so that the weights of most steps are
nowhere in memory. Here the chosen synapses get tables and a state of their own, taken over from those of the runtime.
When some steps are over, the runtime's operations are called on that state once more, one step of the synapse's own
time after the other, as long as the rings hold the spikes and traces that they read. What comes out is to the last bit
what `Projection.weights` would have given after each step. The engine's own state is only read.

The steps of one call of an operation differ by dendritic delay, so synapses are taken apart by it (`clock.parts`).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit, uint8

from spikesim.clock.events import EventRuntime
from spikesim.clock.neurons import real
from spikesim.clock.parts import parts
from spikesim.jit import cache_for
from spikesim.lowlevel import at, call, flush_denormals, restore_denormals

if TYPE_CHECKING:
    from spikesim.projection import Projection

FAR = 1 << 62
ROOM = 1 << 16  # changes that are collected at a time, beyond one of every synapse

Changes = tuple[Any, Any, Any]  # steps, places among the chosen synapses, weights


def follower(projection: Projection, chosen: Any, known: Any) -> Any:
    """What follows the synapses numbered `chosen` (ascending), whose weights were `known` when last looked at."""
    kind = MatrixFollower if projection.dense else Follower
    return kind(projection, chosen, known)


class MatrixFollower:
    """Of a weight matrix, which changes between two runs only, at named events or when it is set."""

    span = FAR

    def __init__(self, projection: Projection, chosen: Any, known: Any) -> None:
        assert isinstance(projection.runtime, EventRuntime)
        self.projection, self.known = projection, known
        self.cells = np.divmod(chosen, projection.target.n)

    def stale(self, step: int) -> bool:
        return True

    def take_over(self, step: int) -> None:
        """There is no state of its own."""

    def follow(self, first: int, last: int) -> list[Changes]:
        return []

    def look(self, step: int) -> list[Changes]:
        weights = self.projection.arrays["weights"][self.cells]
        found = np.flatnonzero((weights != self.known) & ~(np.isnan(weights) & np.isnan(self.known)))
        self.known[found] = weights[found]
        return [(np.full(len(found), step), found, weights[found])]


class Follower:
    """Of synapses in tables. It may come `span` steps behind the engine."""

    def __init__(self, projection: Projection, chosen: Any, known: Any) -> None:
        self.projection, self.known = projection, known
        runtime = projection.runtime
        reach = projection.delay.longest + getattr(runtime, "lag_steps", 0) + runtime.signals.longest
        self.span = runtime.engine.ring - 1 - reach
        self.parts = parts(runtime, chosen)
        self.order = np.concatenate([part.members for part in self.parts])
        lists = ([part.calls for part in self.parts], [part.reads for part in self.parts],
                 [part.copies for part in self.parts], [[part.weights] for part in self.parts])  # fmt: skip
        self.calls, self.reads, self.copies, self.places = (_table(sum(found, [])) for found in lists)
        room = ROOM + len(chosen)
        self.found = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, known.dtype)

    def stale(self, step: int) -> bool:
        """Whether weights were set, from outside or by a constraint, when the network had come to `step`."""
        return bool(self.projection.arrays["since"][0] >= step)

    def take_over(self, step: int) -> None:
        """Begin with the engine's state as it is now, at `step`, and serve what has arrived but waits."""
        for part in self.parts:
            part.take_over()
            self._walk(_table(part.calls), max(0, step - part.dendritic), step, looks=False)

    def follow(self, first: int, last: int) -> list[Changes]:
        """Walk from step `first` to `last`: the changes at `first` + 1 to `last`."""
        return self._walk(self.calls, first, last)

    def look(self, step: int) -> list[Changes]:
        """The changes since the last look; the walk has come to `step`."""
        return self._walk(self.calls[:0], step - 1, step)

    def _walk(self, calls: Any, now: int, last: int, looks: bool = True) -> list[Changes]:
        changes = []
        reads = self.reads if last > 0 else self.reads[:0]  # before the first step, nothing has happened
        while now < last:
            now, n = _walker(self.known.dtype)(
                calls, reads, self.copies, self.places, self.order, self.known, now, last, looks, *self.found
            )
            if n:
                steps, places, weights = (array[:n] for array in self.found)
                by_time = np.lexsort((places, steps))
                changes.append((steps[by_time], places[by_time], weights[by_time]))
        return changes


def _table(rows: list[tuple[int, int, int]]) -> Any:
    return np.array(rows, dtype=np.int64).reshape(len(rows), 3)


@functools.cache
def _walker(dtype: Any) -> Any:
    """Compiled function (calls, reads, copies, places, order, known, first, last, looks, steps, which, weights) ->
    (step reached, changes found).

    calls: (function, context, how much later than the synapse's time its step is); reads: (function, context, argument,
    or -1 for the step) to be called on a copy before weights are looked at; copies: (from, to, bytes) makes it; places:
    (address of some weights, how many, 0). It stops where there may be no room for the changes of one more step.
    """
    kind = real(dtype)
    with cache_for() as cache:

        @njit(nogil=True, cache=cache, error_model="numpy")
        def walk(calls, reads, copies, places, order, known, first, last, looks, steps, which, weights):
            before = flush_denormals()  # type: ignore[call-arg, var-annotated]
            now, n = first, 0
            while now < last and len(steps) - n >= len(order):
                for q in range(len(calls)):
                    call(calls[q, 0], calls[q, 1], now + calls[q, 2])
                now += 1
                if not looks:
                    continue
                for q in range(len(copies)):
                    at(copies[q, 1], uint8, copies[q, 2])[:] = at(copies[q, 0], uint8, copies[q, 2])
                for q in range(len(reads)):
                    call(reads[q, 0], reads[q, 1], now - 1 if reads[q, 2] < 0 else reads[q, 2])
                begin = 0
                for q in range(len(places)):
                    held = at(places[q, 0], kind, places[q, 1])
                    for a in range(len(held)):
                        c, w = order[begin + a], held[a]
                        if w != known[c] and (w == w or known[c] == known[c]):  # NaN that stays is none
                            steps[n], which[n], weights[n] = now, c, w
                            known[c] = w
                            n += 1
                    begin += len(held)
            restore_denormals(before)
            return now, n

        return walk
