"""Static synapses in the order in which spikes visit them, one table per source population and thread.

Sorted by source and delay. The delays of `width` steps in a row form a bucket, which a spike visits at once: its
synapses lie side by side, and what comes to memory for the first is there for the others. The table is made in place:
synapses are counted, then made once more and put where they belong. Nothing else holds them.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spikesim.jit import cache_for
from spikesim.lowlevel import prefetch
from spikesim.values import Same

if TYPE_CHECKING:
    from spikesim.projection import Projection

GROUP = 64  # synapses whose places are asked for from memory together
FEW = 1024  # delays that are all given a place before it is known which there are


@dataclass
class SparseTable:
    """Static synapses of one source population onto one thread's targets."""

    delays: NDArray[np.int64]  # (buckets,) steps, ascending: the first delay of each
    width: int  # delays in a bucket
    begins: NDArray[Any]  # (sources * buckets * width + 1,) where the slice of each (source, delay) begins
    slots: NDArray[Any]  # (synapses,) places in a row of the thread's input, 16 bits where they suffice
    weights: NDArray[Any]  # (synapses,); (1,) where all are alike


@dataclass
class Share:
    """The synapses of one projection onto the targets lo to before hi, which one thread owns."""

    projection: Projection
    lo: int
    hi: int
    positive: int  # place of the target lo in a row of the thread's input, for weights >= 0
    negative: int  # and for weights < 0

    def chunks(self, weights: bool) -> Iterator[tuple[Any, Any, Any, Any]]:
        """(sources, targets, steps, weights) of some synapses after the other; arrays of length 1 where all are
        alike."""
        p = self.projection
        alike = isinstance(p.weight, Same)
        for first, sources, targets in p.wiring.chunks(self.lo, self.hi):  # type: ignore[union-attr]
            last = first + len(sources)
            amounts = p.weight.part(first, first + 1 if alike else last) if weights else np.zeros(1)
            yield sources, targets, p.delay.part(first, last), amounts


def sparse_table(shares: list[Share], n_sources: int, n_slots: int, widest: int, dtype: Any) -> SparseTable:
    """The table of the synapses in `shares`, all of one source population and in this order.

    n_slots: places in a row of the thread's input; widest: delays in a bucket, at the most.
    """
    projections = [share.projection for share in shares]
    shortest, longest = min(p.delay.shortest for p in projections), max(p.delay.longest for p in projections)
    width = min(widest, longest - shortest + 1)
    column = _columns(shares, shortest, longest, width)
    n_columns = width * (int(column.max()) // width + 1)
    many = sum(len(p) for p in projections) >= 1 << 32
    begins = np.zeros(n_sources * n_columns + 2, dtype=np.int64 if many else np.uint32)
    for share in shares:
        for sources, targets, steps, _ in share.chunks(weights=False):
            _compiled().count(begins, n_columns, column, shortest, sources, targets, steps, share.lo, share.hi)
    begins, column, n_columns = _without_empty_buckets(begins, column, n_columns, width)
    np.cumsum(begins, out=begins)  # begins[c + 1] is where cell c begins, and will be where it ends
    n, alike = int(begins[-1]), same_weight(projections)
    slots = np.empty(n, dtype=np.uint16 if n_slots <= 1 << 16 else np.uint32)
    weights = np.empty(n if alike is None else 1, dtype=dtype)
    for share in shares:
        conductance = share.projection.target.model.conductance
        for sources, targets, steps, amounts in share.chunks(weights=True):
            _compiled().fill(
                begins, n_columns, column, shortest, sources, targets, steps, share.lo, share.hi, amounts,
                share.positive, share.negative, conductance, slots, weights, alike is None,
            )  # fmt: skip
    if alike is not None:
        weights[0] = alike
    firsts = shortest + np.flatnonzero((column >= 0) & (column % width == 0))
    return SparseTable(firsts.astype(np.int64), width, begins[:-1], slots, weights)


def places(share: Share, table: SparseTable) -> Iterator[tuple[int, Any, Any]]:
    """(number of the first, places, which) of some synapses after the other, in order of creation: the place in a table
    of this share alone, made with buckets of one delay, of each of those that are there."""
    p = share.projection
    column = np.full(p.delay.longest - p.delay.shortest + 1, -1)
    column[table.delays - p.delay.shortest] = np.arange(len(table.delays))
    cursors = table.begins.copy()
    for first, sources, targets in p.wiring.chunks(share.lo, share.hi):  # type: ignore[union-attr]
        steps, found = p.delay.part(first, first + len(sources)), np.empty(len(sources), np.int64)
        _compiled().find(
            cursors, len(table.delays), column, p.delay.shortest, sources, targets, steps, share.lo, share.hi, found
        )
        yield first, found, found >= 0


def same_weight(projections: list[Projection]) -> float | None:
    """The weight of all synapses of these projections, as it is added; None unless they are alike."""
    found = {
        (abs(p.weight.value) if p.target.model.conductance else p.weight.value) if isinstance(p.weight, Same) else None
        for p in projections
    }
    return found.pop() if len(found) == 1 else None


def _columns(shares: list[Share], shortest: int, longest: int, width: int) -> NDArray[np.int64]:
    """The column (bucket * width + place in it) of each delay from the shortest on; -1 where there is no such delay.
    Buckets begin at the shortest delay of all threads, so that sums are formed in one order whoever forms them."""
    n_buckets = -(-(longest - shortest + 1) // width)
    column = np.arange(n_buckets * width)
    if len(column) <= FEW:
        return column
    used = np.zeros(n_buckets, dtype=bool)
    used[0] = True  # something has to be there
    for share in shares:
        for _, _, steps, _ in share.chunks(weights=False):
            used[(steps - shortest) // width] = True
    return _without(~used, column, width)


def _without(empty: NDArray[np.bool_], column: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """The columns when some buckets are left out."""
    bucket, place = np.divmod(column, width)
    moved = (np.cumsum(~empty) - 1)[bucket] * width + place
    return np.where((column < 0) | empty[bucket], -1, moved)


def _without_empty_buckets(begins: Any, column: Any, n_columns: int, width: int) -> tuple[Any, Any, int]:
    counts = begins[2:].reshape(-1, n_columns // width, width)
    used = counts.any(axis=(0, 2))
    if used.all() or not used.any():
        return begins, column, n_columns
    fewer = np.zeros(len(counts) * used.sum() * width + 2, dtype=begins.dtype)
    fewer[2:] = counts[:, used].ravel()
    return fewer, _without(~used, column, width), int(used.sum()) * width


@functools.cache
def _compiled() -> Any:
    with cache_for() as cache:

        @njit(cache=cache, nogil=True, error_model="numpy")
        def count(begins, n_columns, column, shortest, sources, targets, steps, lo, hi):
            many = len(steps) > 1
            for k in range(len(sources)):
                if lo <= targets[k] < hi:
                    begins[sources[k] * n_columns + column[steps[k * many] - shortest] + 2] += 1

        @njit(cache=cache, nogil=True, error_model="numpy")
        def fill(begins, n_columns, column, shortest, sources, targets, steps, lo, hi, amounts,
                 positive, negative, absolute, slots, weights, kept):  # fmt: skip
            many, varied = len(steps) > 1, len(amounts) > 1
            cells, found, which = np.empty(GROUP, np.int64), np.empty(GROUP, np.int64), np.empty(GROUP, np.int64)
            for first in range(0, len(sources), GROUP):
                n = 0
                for k in range(first, min(first + GROUP, len(sources))):
                    if lo <= targets[k] < hi:
                        cells[n] = sources[k] * n_columns + column[steps[k * many] - shortest] + 1
                        prefetch(begins, cells[n])  # type: ignore[call-arg]
                        which[n] = k
                        n += 1
                for i in range(n):
                    found[i] = begins[cells[i]]
                    begins[cells[i]] += 1
                    prefetch(slots, found[i])  # type: ignore[call-arg]
                    if kept:
                        prefetch(weights, found[i])  # type: ignore[call-arg]
                for i in range(n):
                    k, place = which[i], found[i]
                    amount = amounts[k * varied]
                    slots[place] = targets[k] - lo + (negative if amount < 0 else positive)
                    if kept:
                        weights[place] = abs(amount) if absolute else amount

        @njit(cache=cache, nogil=True, error_model="numpy")
        def find(cursors, n_columns, column, shortest, sources, targets, steps, lo, hi, found):
            many = len(steps) > 1
            for k in range(len(sources)):
                found[k] = -1
                if lo <= targets[k] < hi:
                    cell = sources[k] * n_columns + column[steps[k * many] - shortest]
                    found[k] = cursors[cell]
                    cursors[cell] += 1

    return SimpleNamespace(count=count, fill=fill, find=find)
