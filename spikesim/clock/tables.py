"""Plastic synapses in the order in which spikes visit them: by (source, delay), one table per thread."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spikesim.jit import cache_for

Ints = NDArray[np.int64]


@functools.cache
def _counting_sort() -> Any:
    """Compiled function (keys, starts, order): stable sort by counting. `starts` comes in as the counts' sums."""
    with cache_for() as cache:

        @njit(cache=cache, nogil=True)
        def sort(keys, places, order):
            for k in range(len(keys)):
                order[places[keys[k]]] = k
                places[keys[k]] += 1

        return sort


def ordered(keys: Any, n_keys: int) -> tuple[Ints, Ints]:
    """(starts, order): where each key's run begins in the stable order by key, and that order. Keys are small."""
    starts = np.zeros(n_keys + 1, dtype=np.int64)
    np.cumsum(np.bincount(keys, minlength=n_keys), out=starts[1:])
    order = np.empty(len(keys), dtype=np.int64)
    _counting_sort()(keys, starts[:-1].copy(), order)
    return starts, order


def _distinct(delays: Any) -> tuple[Ints, Ints]:
    """The different delays (steps), ascending, and which of them each synapse has. Delays are small: no sort."""
    present = np.bincount(delays) > 0
    return np.flatnonzero(present), (np.cumsum(present) - 1)[delays]


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
    forward = sources.astype(np.int64) * len(distinct) + which
    by_target = ordered(targets.astype(np.int64) - lo, max(hi - lo, 1))[1]
    rows, by_slice = ordered(forward[by_target], n_sources * len(distinct))
    order = by_target[by_slice]
    back = (targets[order] - lo).astype(np.int64) * len(distinct) + which[order]
    back_rows, back_index = ordered(back, (hi - lo) * len(distinct))
    return PlasticTable(
        delays=distinct,
        dendritic=np.rint(distinct * fraction).astype(np.int64),
        rows=rows,
        sources=sources[order].astype(np.int32),
        targets=targets[order].astype(np.int32),
        weights=weights[mine][order],
        created=mine[order],
        back_rows=back_rows,
        back_index=back_index.astype(np.int32),
    )
