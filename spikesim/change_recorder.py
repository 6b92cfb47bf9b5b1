"""The recorder of changes: when the weights of chosen synapses changed, and to what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikesim.errors import SpikesimError
from spikesim.record import Recorder

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.projection import Projection

MOST = 10_000  # synapses


class ChangeRecorder(Recorder):
    """Changes of the weights of some synapses. In memory: `times` (ms), `synapses` (their numbers in the projection),
    `weights` (what they changed to), `steps`, ordered by step and then synapse; `chosen` are the synapses that are
    looked at, `initial` their weights when recording began.

    A change is at t when `Projection.weights` read at t is not what it was a step earlier. Weights that are set between
    two runs change then, after what came by itself. With `to` changes are streamed to a file; read them there.
    """

    def __init__(self, projection: Projection, synapses: Any, to: str | None) -> None:
        self.projection, self.to = projection, to
        self.writer: Any = None
        label = f"Network.record: weights of {projection!r}"
        if projection.rule is None:
            raise SpikesimError(f"{label}: these synapses do not learn, so there is no change to record.")
        n = len(projection) if synapses is None else len(np.unique(synapses))
        if n > MOST:
            raise SpikesimError(f'{label}: every="change" follows {MOST} synapses at the most, not {n}; choose some by '
                                "synapses= or sample=, or give every= in ms.")  # fmt: skip
        self.chosen = np.arange(n) if synapses is None else np.unique(synapses)
        self.initial = projection.weights[self.chosen]
        self.known = self.initial.astype(projection.network.dtype)
        self.base = projection.network.step  # up to where changes are known
        self.count = 0
        self._follower: Any = None
        self._fresh = self._resting = False  # whether the follower has taken over; whether nothing is learned now
        self._parts: list[tuple[Any, Any, Any]] = []

    def operations(self, engine: ClockEngine, thread: int) -> list[Any]:
        self._follower, self._fresh = None, False  # it knows the arrays of the engine that was
        return []

    def limit(self, step: int) -> int:
        if self._follower is None:
            from spikesim.clock.follow import follower

            self._follower = follower(self.projection, self.chosen, self.known)
        self._meet(step)
        since = int(self.projection.arrays["since"][0])
        self._resting = since > step
        return since if self._resting else step + self._follower.span

    def drain(self, step: int) -> None:
        if step > self.base and not self._resting:
            last = step - 1 if self._follower.stale(step) else step  # a constraint may have acted at the very end
            self._keep(self._follower.follow(self.base, last))
        self.base = step
        self._meet(step)

    def _meet(self, step: int) -> None:
        """See what was done to the weights from outside, now that the network is at `step`."""
        if not self._fresh or self._follower.stale(step):
            self._follower.take_over(step)
            self._fresh = True
            self._keep(self._follower.look(step))
        self.base = step

    def _up_to_date(self) -> None:
        if self._follower is not None and self.base == self.projection.network.step:
            self._meet(self.base)

    def _keep(self, changes: list[tuple[Any, Any, Any]]) -> None:
        for steps, places, weights in changes:
            self.count += len(steps)
            if self.writer is not None:
                self.writer.append_changes(self, steps, self.chosen[places], weights)
            else:
                self._parts.append((steps, places, weights))

    def rewind(self, step: int) -> None:
        self.base, self._fresh = step, False
        if self.to is not None:  # nothing is there yet, or time could not go back
            return
        steps, places, weights = self._merged()
        self.count = kept = int(np.searchsorted(steps, step, side="right"))
        self._parts = [(steps[:kept], places[:kept], weights[:kept])]
        self.known[:] = self.initial
        self.known[places[:kept]] = weights[:kept]  # of several changes the last one stays

    def clear(self) -> None:
        self._parts, self.count, self.initial = [], 0, self.known.astype(np.float64)

    def held(self) -> dict[str, Any]:
        kept = {"initial": self.initial, "known": self.known, "base": self.base, "count": self.count}
        return kept if self.to is not None else {**kept, "changes": self._merged()}

    def take(self, held: dict[str, Any]) -> None:
        self.initial, self.base, self.count = held["initial"], held["base"], held["count"]
        self.known[:] = held["known"]  # in place: a follower may have it already
        self._parts = [held["changes"]] if "changes" in held else []

    def _in_memory(self) -> tuple[Any, Any, Any]:
        if self.to is not None:
            raise SpikesimError(f"these weights were streamed to {self.to!r}; read them from there.")
        self._up_to_date()
        return self._merged()

    def _merged(self) -> tuple[Any, Any, Any]:
        if len(self._parts) != 1:
            nothing = (np.zeros(0, np.int64), np.zeros(0, np.int64), self.known[:0])
            columns = zip(nothing, *self._parts, strict=True)
            self._parts = [tuple(np.concatenate(column) for column in columns)]  # type: ignore[list-item]
        return self._parts[0]

    @property
    def steps(self) -> NDArray[np.int64]:
        """(changes,) int64: the times in units of dt."""
        return self._in_memory()[0].copy()

    @property
    def times(self) -> NDArray[np.floating[Any]]:
        """(changes,) float64 ms."""
        return self._in_memory()[0] * self.projection.network.dt

    @property
    def synapses(self) -> NDArray[np.int64]:
        """(changes,) the number of the synapse that changed."""
        return self.chosen[self._in_memory()[1]]

    @property
    def weights(self) -> NDArray[np.floating[Any]]:
        """(changes,) float64: what its weight changed to."""
        return self._in_memory()[2].astype(np.float64)

    def of(self, synapse: int) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
        """(times, weights) of the changes of one synapse, given by its number. Raises SpikesimError unless it was
        chosen."""
        if synapse not in self.chosen:
            raise SpikesimError(
                f"the changes of synapse {synapse!r} were not recorded; see `chosen` for those that were."
            )
        found = self.synapses == synapse
        return self.times[found], self.weights[found]

    def __len__(self) -> int:
        if self.to is None:
            self._up_to_date()
        return self.count
