"""How connection rules choose: k out of n, some cells of a matrix, each with a probability."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.parallel import pieces

if TYPE_CHECKING:
    from spikesim.rng import Stream

Ids = np.ndarray
CHUNK = 1 << 20  # random numbers held at a time


def ends_of(cells: np.ndarray, sources: Ids, targets: Ids) -> tuple[Ids, Ids]:
    """The pairs at these cells of the (source, target) matrix, counted row by row."""
    rows, columns = np.divmod(cells, targets.size)
    return sources[rows], targets[columns]


def selves_among(candidates: Ids, neurons: Ids, forbid: bool) -> np.ndarray:
    """Where each neuron itself is among the candidates; len(candidates) if nowhere, and unless `forbid`."""
    n = candidates.size
    if not forbid:
        return np.full(neurons.size, n)
    order = np.argsort(candidates, kind="stable")
    at = order[np.minimum(np.searchsorted(candidates, neurons, sorter=order), n - 1)]
    return np.where(candidates[at] == neurons, at, n)


def distinct_cells(n: int, available: int, selves: np.ndarray, n_sources: int, stream: Stream) -> np.ndarray:
    """`n` different cells of the (source, target) matrix in rising order, no neuron with itself."""
    n_cells = n_sources * selves.size
    if 2 * n > available:  # few are left out: choose those
        free = np.ones((n_sources, selves.size), dtype=bool)
        own = np.flatnonzero(selves < n_sources)
        free[selves[own], own] = False
        free.ravel()[distinct_cells(available - n, available, selves, n_sources, stream)] = False
        return np.flatnonzero(free)
    chosen = np.empty(0, np.int64)
    while chosen.size < n:  # never draws more than are missing, so that every set is equally likely
        drawn = stream.integers(n_cells, n - chosen.size)
        rows, columns = np.divmod(drawn, selves.size)
        drawn = np.sort(drawn[rows != selves[columns]])
        # Merges two sorted arrays. (np.unique hashes, and is a hundred times slower.)
        chosen = np.sort(np.concatenate((chosen, drawn)), kind="stable")
        chosen = np.concatenate((chosen[:1], chosen[1:][chosen[1:] != chosen[:-1]]))
    return chosen


def choose(n: int, k: int, forbidden: np.ndarray, distinct: bool, stream: Stream) -> np.ndarray:
    """For every entry of `forbidden`, k of the numbers below n but for that one: int32, row after row."""
    out = np.empty(forbidden.size * k, np.int32)
    if not distinct and not (forbidden < n).any():
        return stream.integers(n, out.size, np.int32)
    marks = np.full(n, -1)
    rows = max(1, CHUNK // max(k, 1))
    for first, last in pieces(0, forbidden.size, rows):
        part = out[first * k : last * k]
        compiled().choose(stream.uniform(part.size), n, k, forbidden[first:last], first, distinct, marks, part)
    return out


@functools.cache
def compiled() -> Any:
    """The functions that are compiled: `choose`, `bernoulli`."""
    from numba import njit

    from spikesim.jit import cache_for
    from spikesim.rng import uniform_at

    with cache_for() as cache:

        @njit(cache=cache, error_model="numpy", nogil=True)
        def choose(u, n, k, forbidden, first, distinct, marks, out):
            """marks[i] is the last row that chose i. Without repetition this is Floyd's algorithm (Bentley &
            Floyd 1987, doi:10.1145/30401.315746): k draws, none in vain, every set of k equally likely."""
            for row in range(forbidden.shape[0]):
                own = forbidden[row]
                m = n - 1 if own < n else n
                for i in range(k):
                    last = m - k + i if distinct else m - 1
                    pick = np.int64(u[row * k + i] * (last + 1))
                    if distinct:
                        if marks[pick] == first + row:
                            pick = last
                        marks[pick] = first + row
                    out[row * k + i] = pick + (pick >= own)

        @njit(cache=cache, error_model="numpy", nogil=True)
        def bernoulli(out, counting, n, log_q, forbidden, position, stream, k0, k1):
            """The numbers below n that each row chooses, or how many they are. A row has n + 1 positions of its own."""
            found = 0
            for row in range(forbidden.shape[0]):
                draw, pick, before = position + row * (n + 1), -1.0, found
                while True:
                    # float64: exact below 2**53, and an infinite gap (p below 1e-306) cannot overflow
                    pick += np.floor(np.log(uniform_at(draw, stream, k0, k1)) / log_q) + 1.0
                    draw += 1
                    if not pick < n or (found == len(out) and not counting):
                        break
                    if np.int64(pick) != forbidden[row]:
                        if not counting:
                            out[found] = np.int64(pick)
                        found += 1
                if counting:
                    out[row] = found - before

    return SimpleNamespace(choose=choose, bernoulli=bernoulli)
