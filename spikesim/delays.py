"""Delays of synapses, in whole steps of the clock."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.parallel import filled
from spikesim.rng import FINEST
from spikesim.values import Drawn, Same, Values, extent, values

Array = np.ndarray
LONGEST = 10**6  # steps: every spike is kept for as long as the longest delay
GUIDE = 10  # bits of a random number that choose where to look for its delay
SPAN = 4096  # different delays up to which a table of them is worth while


class Delays:
    """The delay of every synapse, on the nearest step.

    shortest, longest
        steps; none lies outside.
    """

    def __init__(self, ms: Values, dt: float) -> None:
        self.ms, self.dt = ms, dt
        self.shortest, self.longest = (int(step) for step in self._steps(np.array(ms.limits)))
        self.alike = isinstance(ms, Same) or self.shortest == self.longest

    def _steps(self, ms: Array) -> Array:
        return np.maximum(np.rint(ms / self.dt), 1.0).astype(np.int64)

    def part(self, a: int, b: int) -> Array:
        """(b - a,) int32 steps of the synapses a to before b, or (1,) where all are alike."""
        if self.alike:
            return np.full(1, self.shortest, np.int32)
        if isinstance(self.ms, Drawn) and self._table is not None:
            out = np.empty(b - a, np.int32)
            _lookup()(self.ms.stream.at(a).bits(b - a), *self._table, self.shortest, out)
            return out
        return self._steps(self.ms.part(a, b)).astype(np.int32)

    def everything(self, n: int, threads: int) -> Array:
        """(n,) int32 steps of all synapses."""
        return filled(self.part, n, np.int32, threads)

    def in_ms(self, n: int, threads: int) -> Array:
        """(n,) float64 ms of all synapses."""
        return self.everything(n, threads) * self.dt

    @functools.cached_property
    def _table(self) -> tuple[Array, Array] | None:
        """(thresholds, guide): a delay is `shortest` and a step for each threshold that the random number, a whole
        number of FINEST bits, reaches; its highest bits tell by the guide how many to pass over. Exact, for `ppf`
        rises, and faster than to work it out for every synapse. None where there would be too many."""
        assert isinstance(self.ms, Drawn)
        span = self.longest - self.shortest
        if span > SPAN:
            return None
        wanted = np.arange(self.shortest + 1, self.longest + 1)
        low, high = np.zeros(span, np.int64), np.full(span, (1 << FINEST) - 1)
        while (low < high).any():  # the least number whose delay is long enough
            middle = (low + high) >> 1
            long = self._steps(np.asarray(self.ms.distribution.ppf((middle + 0.5) * 2.0**-FINEST))) >= wanted
            low, high = np.where(long | (low == high), low, middle + 1), np.where(long, middle, high)
        edges = np.arange(1 << GUIDE, dtype=np.int64) << (FINEST - GUIDE)
        return np.append(low, 1 << (FINEST + 1)), np.searchsorted(low, edges, side="right").astype(np.int32)


@functools.cache
def _lookup() -> Any:
    from numba import njit

    from spikesim.jit import cache_for

    shift = FINEST - GUIDE
    with cache_for() as cache:

        @njit(cache=cache, error_model="numpy", nogil=True)
        def lookup(numbers, thresholds, guide, shortest, out):
            for i in range(len(numbers)):
                place = guide[numbers[i] >> shift]
                while numbers[i] >= thresholds[place]:
                    place += 1
                out[i] = shortest + place

    return lookup


def delays(given: Any, stream: Any, dt: float, n: Any, threads: int, label: str) -> Delays:
    """`given` (ms), a number, an array or a distribution, as delays of at least one step; `n` counts the synapses. What
    is drawn may be as short as half a step, which is rounded up.

    Raises SpikesimError, naming `label`, for delays that are too short or too long.
    """
    ms = values(given, stream, n, f"{label}: delay")
    least = dt * (0.5 if isinstance(ms, Drawn) else 1.0) * (1.0 - 1e-9)
    shortest, longest = ms.limits
    if (shortest < least or longest > LONGEST * dt) and isinstance(ms, Drawn):
        shortest, longest = extent(ms, n(), threads)  # what may be drawn need not be
        ms.limits = (shortest, longest)
    if shortest < least:
        raise SpikesimError(
            f"{label}: a delay of {shortest:g} ms is shorter than one step of dt = {dt:g} ms; "
            "give dt or more (dt / 2 where delays are drawn; TruncatedNormal has a lower limit)."
        )
    if longest > LONGEST * dt:
        raise SpikesimError(f"{label}: a delay of {longest:g} ms is longer than {LONGEST} steps.")
    return Delays(ms, dt)
