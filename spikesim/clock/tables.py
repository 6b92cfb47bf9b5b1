"""Synapses in the order in which spikes visit them: sorted by (source, delay, target), one table per thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def ranges(n: int, n_threads: int) -> list[tuple[int, int]]:
    """The neurons each thread owns: whole groups of sixteen, so that vectors never straddle two threads."""
    groups = -(-n // 16)
    cuts = [16 * (groups * t // n_threads) for t in range(n_threads + 1)]
    return [(min(a, n), min(b, n)) for a, b in zip(cuts, cuts[1:], strict=False)]


def _row_starts(keys: Any, n_rows: int) -> Ints:
    starts = np.zeros(n_rows + 1, dtype=np.int64)
    np.cumsum(np.bincount(keys, minlength=n_rows), out=starts[1:])
    return starts


def _distinct(delays: Any) -> tuple[Ints, Ints]:
    """The different delays (steps), ascending, and which of them each synapse has. Delays are small: no sort."""
    present = np.bincount(delays) > 0
    return np.flatnonzero(present), (np.cumsum(present) - 1)[delays]


@dataclass
class SparseTable:
    """Static synapses of one source population onto one thread's targets."""

    delays: Ints  # (delays,) steps, ascending
    rows: Ints  # (sources * delays + 1,) where the slice of each (source, delay) begins
    slots: NDArray[np.int32]  # (synapses,) places in the network's input array
    weights: Any  # (synapses,)


def sparse_table(n_sources: int, sources: Any, delays: Any, slots: Any, weights: Any) -> SparseTable:
    """Sort synapses (in a thread-independent order of creation) into a table. Ties keep their order."""
    distinct, which = _distinct(delays)
    slices = sources.astype(np.int64) * len(distinct) + which
    width = int(slots.max()) + 1 if len(slots) else 1
    order = np.argsort(slices * width + slots, kind="stable")
    rows = _row_starts(slices, n_sources * len(distinct))
    return SparseTable(distinct, rows, slots[order].astype(np.int32), weights[order])


@dataclass
class PlasticTable:
    """Plastic synapses of one projection onto one thread's targets, with the transposed index for post spikes."""

    delays: Ints  # (delays,) steps, ascending, the same for all threads
    dendritic: Ints  # (delays,) steps of each that are dendritic
    rows: Ints  # (sources * delays + 1,)
    sources: NDArray[np.int32]  # (synapses,)
    targets: NDArray[np.int32]  # (synapses,)
    weights: Any  # (synapses,)
    created: Ints  # (synapses,) place of each synapse in the order of creation
    back_rows: Ints  # (targets of this thread * delays + 1,)
    back_index: NDArray[np.int32]  # (synapses,) synapses sorted by (target, delay, source)


def plastic_table(
    n_sources: int, lo: int, hi: int, sources: Any, targets: Any, delays: Any, weights: Any, fraction: float
) -> PlasticTable:
    """The synapses onto the targets lo to hi, of a projection given in order of creation."""
    distinct, which = _distinct(delays)
    mine = np.flatnonzero((targets >= lo) & (targets < hi))
    sources, targets, which = sources[mine], targets[mine], which[mine]
    n_targets = max(hi - lo, 1)
    forward = sources.astype(np.int64) * len(distinct) + which
    order = np.argsort(forward * n_targets + (targets - lo), kind="stable")
    back = (targets[order] - lo).astype(np.int64) * len(distinct) + which[order]
    return PlasticTable(
        delays=distinct,
        dendritic=np.rint(distinct * fraction).astype(np.int64),
        rows=_row_starts(forward, n_sources * len(distinct)),
        sources=sources[order].astype(np.int32),
        targets=targets[order].astype(np.int32),
        weights=weights[mine][order],
        created=mine[order],
        back_rows=_row_starts(back, (hi - lo) * len(distinct)),
        back_index=np.argsort(back, kind="stable").astype(np.int32),
    )


def resized_ring(old: Any, rows: int, step: int) -> Any:
    """A ring of `rows` rows that holds, for every step both can hold, what `old` held. Row of step s: s % rows."""
    new = np.zeros((rows, *old.shape[1:]), dtype=old.dtype)
    for s in range(max(0, step + 1 - min(rows, len(old))), step + 1):
        new[s % rows] = old[s % len(old)]
    return new
