"""Operations that bring spikes and currents to their targets: pulled by delay, a few slices a spike.

Synapses of one source population are sorted by (source, delay); `begins` says where the slice of each begins. A bucket
is the slices of one source that `width` delays in a row have. In step s and for each bucket with first delay d the
slices of the spikes emitted at s - d are added to the input of this step and the next width - 1, which all stay in
the cache, where a ring buffer of all future steps would not; and what is read from memory is read in long stretches.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import Any

import numpy as np
from numba import cfunc, int32, int64, uint16, uint32
from numba.extending import register_jitable

from spikesim.clock.neurons import real
from spikesim.jit import cache_for
from spikesim.lowlevel import OPERATION, at, context, prefetch

AHEAD_ROWS = 2  # how many delays before their use the spikes are asked for
AHEAD = 4096  # bytes of synapses, on the whole, that are asked for before their use
LANES = 16  # numbers in a row of the input are a multiple of this many
LINE = 64  # bytes that come from memory at a time
CELLS = 1 << 14  # buckets listed before they are delivered, unless one step may have more spikes

SparseContext = namedtuple(
    "SparseContext",
    "delays n_delays width begins n_begins slots weights n_synapses ahead inputs n_inputs input_rows row_bytes cells "
    "n_cells amplitudes scales ring spike_ids row_size starts counts n_threads",
)
DenseContext = namedtuple(
    "DenseContext",
    "delay weights n_columns n_sources lo hi inputs input_rows row_bytes "
    "ring spike_ids row_size starts counts n_threads",
)
GradedDeliveryContext = namedtuple(
    "GradedDeliveryContext",
    "sources delays late slots weights n_synapses inputs n_inputs input_rows row_bytes ring history n",
)


@functools.cache
def sparse_op(dtype: Any, weighted: bool, small: bool, many: bool, scaled: bool) -> Any:
    """Add the weights of every synapse that a spike reaches now, or in the steps of the bucket, to its target's input.

    weighted: each synapse has a weight of its own; small: places fit into 16 bits; many: synapses do not into 32;
    scaled: each spike has an amplitude.
    """
    kind, slot, place = real(dtype), uint16 if small else uint32, int64 if many else uint32
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def deliver(address, step):
            g = context(SparseContext, address)
            begins = at(g.begins, place, g.n_begins)
            # Unsigned places need no test for a negative index.
            slots, weights = at(g.slots, slot, g.n_synapses), at(g.weights, kind, g.n_synapses)
            cells, scales = at(g.cells, int64, g.n_cells), at(g.scales, kind, g.n_cells)
            k = 0
            while k < g.n_delays:
                found, k = _list(g, kind, cells, scales, begins, scaled, step, k)
                _deliver(g, kind, cells, scales, found, begins, slots, weights, weighted, scaled, step)

    return deliver


@register_jitable
def _list(g, kind, cells, scales, begins, scaled, step, k):
    """(found, k): list the buckets that spikes reach in this step, from the k-th delay on, as long as there is room for
    all the spikes of a step. First the spikes, then which of their buckets hold something, so that what is read comes
    from memory for many at a time."""
    delays, width, reached = at(g.delays, int64, g.n_delays), g.width, 0
    ids, counts = at(g.spike_ids, int32, g.ring * g.row_size), at(g.counts, int32, g.ring * g.n_threads)
    starts, amplitudes = at(g.starts, int64, g.n_threads), at(g.amplitudes, kind, g.ring * g.row_size)
    while k < g.n_delays:
        if delays[k] > step:
            k = g.n_delays
            break
        row, n = (step - delays[k]) % g.ring, 0
        later = (step - delays[min(k + AHEAD_ROWS, g.n_delays - 1)]) % g.ring
        for t in range(g.n_threads):
            n += counts[row * g.n_threads + t]
            prefetch(ids, later * g.row_size + starts[t])
        if reached + n > g.n_cells:
            break
        for t in range(g.n_threads):
            first = row * g.row_size + starts[t]
            for q in range(first, first + counts[row * g.n_threads + t]):
                cells[reached] = (ids[q] * g.n_delays + k) * width
                prefetch(begins, cells[reached])
                if scaled:
                    scales[reached] = amplitudes[q]
                reached += 1
        k += 1
    found = 0
    for q in range(reached):
        cells[found] = cells[q]
        if scaled:
            scales[found] = scales[q]
        found += begins[cells[q] + width] > begins[cells[q]]
    return found, k


@register_jitable
def _deliver(g, kind, cells, scales, found, begins, slots, weights, weighted, scaled, step):
    """Add what the listed buckets hold, while later ones are on their way from memory."""
    width, ahead, now = g.width, g.ahead, step % g.input_rows
    for q in range(found):
        if q + ahead < found:
            later = cells[q + ahead]
            begin, end = int64(begins[later]), int64(begins[later + width])
            for a in range(begin, end, LINE // slots.itemsize):
                prefetch(slots, a)
            if weighted:
                for a in range(begin, end, LINE // weights.itemsize):
                    prefetch(weights, a)
        for j in range(cells[q], cells[q] + width):
            row = now + j - cells[q]
            row -= g.input_rows if row >= g.input_rows else 0
            inputs = at(g.inputs + row * g.row_bytes, kind, g.n_inputs)
            places = slots[begins[j] : begins[j + 1]]
            if not weighted:
                amount = weights[0] * scales[q] if scaled else weights[0]
                for a in range(len(places)):
                    inputs[places[a]] += amount
                continue
            amounts = weights[begins[j] : begins[j + 1]]
            if scaled:
                for a in range(len(places)):
                    inputs[places[a]] += amounts[a] * scales[q]
            else:
                for a in range(len(places)):
                    inputs[places[a]] += amounts[a]


@register_jitable
def matrix_row(source, g, kind, size):
    """The weights, of `size` bytes each, that one source has onto this thread's targets."""
    return at(g.weights + (source * g.n_columns + g.lo) * size, kind, g.hi - g.lo)


@functools.cache
def dense_op(dtype: Any) -> Any:
    """Add whole rows of a weight matrix (source, target): no indices, contiguous sums."""
    kind, size = real(dtype), np.dtype(dtype).itemsize
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def deliver_rows(address, step):
            g = context(DenseContext, address)
            if g.delay > step:
                return
            n = g.hi - g.lo
            ids, counts = (
                at(g.spike_ids, int32, g.ring * g.row_size),
                at(g.counts, int32, g.ring * g.n_threads),
            )
            starts = at(g.starts, int64, g.n_threads)
            inputs = at(g.inputs + (step % g.input_rows) * g.row_bytes, kind, g.hi)[g.lo : g.hi]
            row = (step - g.delay) % g.ring
            for t in range(g.n_threads):
                q = row * g.row_size + starts[t]
                last = q + counts[row * g.n_threads + t]
                while q + 4 <= last:  # four at a time, in their order, which saves reading and writing the sums
                    a, b = matrix_row(ids[q], g, kind, size), matrix_row(ids[q + 1], g, kind, size)
                    c, d = matrix_row(ids[q + 2], g, kind, size), matrix_row(ids[q + 3], g, kind, size)
                    for j in range(n):
                        inputs[j] = inputs[j] + a[j] + b[j] + c[j] + d[j]
                    q += 4
                while q < last:
                    a = matrix_row(ids[q], g, kind, size)
                    for j in range(n):
                        inputs[j] += a[j]
                    q += 1

    return deliver_rows


@functools.cache
def graded_delivery_op(dtype: Any) -> Any:
    """Add weight times current of every graded source, or what else is sent, to its targets.

    A current that arrives in a step acts from the next one on, as in NEST: it is looked up `late` = 1 step before.
    """
    kind = real(dtype)
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def deliver_currents(address, step):
            g = context(GradedDeliveryContext, address)
            sources, delays = at(g.sources, int32, g.n_synapses), at(g.delays, int32, g.n_synapses)
            slots, weights = at(g.slots, int32, g.n_synapses), at(g.weights, kind, g.n_synapses)
            inputs = at(g.inputs + (step % g.input_rows) * g.row_bytes, kind, g.n_inputs)
            history = at(g.history, kind, g.ring * g.n)
            for a in range(g.n_synapses):
                emitted = step - delays[a] - g.late
                if emitted >= 0:
                    inputs[slots[a]] += weights[a] * history[(emitted % g.ring) * g.n + sources[a]]

    return deliver_currents
