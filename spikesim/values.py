"""A number for every synapse of a projection: one for all, one given for each, or drawn when it is wanted.

A drawn number is a function of the synapse's number, so that it need not be kept: `part(a, b)` makes those of the
synapses a to b, as often as they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from spikesim.distributions import is_number, numbers
from spikesim.errors import SpikesimError
from spikesim.parallel import PIECE, pieces, shared_out
from spikesim.rng import Stream

Array = np.ndarray
FIRST, LAST = 2.0**-53, 1.0 - 2.0**-53  # the least and the greatest number that a stream has


class Values(Protocol):
    """What all three offer."""

    @property
    def limits(self) -> tuple[float, float]:
        """No value lies outside, but the extremes need not occur."""

    def part(self, a: int, b: int) -> Array:
        """float64 values of the synapses a to before b."""


class Same:
    """One value for all."""

    def __init__(self, value: float) -> None:
        self.value = float(value)
        self.limits = (self.value, self.value)

    def part(self, a: int, b: int) -> Array:
        return np.full(b - a, self.value)


class Given:
    """An array with a value for each."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.limits = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)

    def part(self, a: int, b: int) -> Array:
        return self.array[a:b].astype(np.float64)


class Drawn:
    """Drawn from a distribution that has `ppf`, one position of the stream for each."""

    def __init__(self, distribution: Any, stream: Stream) -> None:
        self.distribution, self.stream = distribution, stream
        low, high = np.asarray(distribution.ppf(np.array([FIRST, LAST])), dtype=np.float64)
        self.limits = (float(low), float(high))

    def part(self, a: int, b: int) -> Array:
        return np.asarray(self.distribution.ppf(self.stream.at(a).uniform(b - a)), dtype=np.float64)


def values(given: Any, stream: Stream, count: Callable[[], int], what: str) -> Values:
    """`given`, a number, an array or a distribution, as values. Raises SpikesimError, naming `what`, for anything else,
    for an array whose length is not `count()`, and for values that are not finite."""
    if hasattr(given, "ppf"):
        found: Values = Drawn(given, stream)
        if not np.isfinite(found.limits).all():
            raise SpikesimError(f"{what}: {given!r} has values that are NaN or infinite.")
        return found
    if is_number(given):
        return Same(float(numbers(given, 1, what)[0]))
    return Given(numbers(np.ravel(given) if np.ndim(given) == 2 else given, count(), what))


def extent(found: Values, n: int, threads: int) -> tuple[float, float]:
    """The least and the greatest of the first n values; (0, 0) where there are none."""
    if not isinstance(found, Drawn) or n == 0:
        return found.limits

    def look(begin: int, end: int) -> tuple[float, float]:
        parts = [found.part(a, b) for a, b in pieces(begin, end, PIECE)]
        return min(float(part.min()) for part in parts), max(float(part.max()) for part in parts)

    lows, highs = zip(*shared_out(look, n, threads), strict=True)
    return min(lows), max(highs)
