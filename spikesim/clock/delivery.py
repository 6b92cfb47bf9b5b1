"""Operations that bring spikes and currents to their targets: pulled by delay, one slice a spike.

Synapses of one source population are sorted by (source, delay); `rows` says where the slice of each
(source, delay) begins. In step s and for each delay d the slices of the spikes emitted at s - d are added to this
step's input, which stays in the cache, where a ring buffer of all future steps would not.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import Any

from numba import cfunc, int32, int64, uint32
from numba.extending import register_jitable

from spikesim.clock.neurons import real
from spikesim.jit import cache_for
from spikesim.lowlevel import OPERATION, at, context, prefetch

AHEAD_ROWS, AHEAD_SLICES = 8, 12  # how far ahead of its use memory is asked for
SLICES = 1 << 14  # slices listed before they are delivered

SparseContext = namedtuple(
    "SparseContext",
    "delays n_delays rows n_rows slots weights n_synapses inputs n_inputs begins ends n_slices "
    "ring spike_ids row_size starts counts n_threads",
)
DenseContext = namedtuple(
    "DenseContext",
    "delay weights n_columns n_sources lo hi inputs n_inputs ring spike_ids row_size starts counts n_threads",
)
GradedDeliveryContext = namedtuple(
    "GradedDeliveryContext",
    "sources delays slots weights n_synapses inputs n_inputs ring history n",
)


@functools.cache
def sparse_op(dtype: Any) -> Any:
    """Add the weights of every synapse that a spike reaches now to the input of its target."""
    kind = real(dtype)
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def deliver(address, step):
            g = context(SparseContext, address)
            delays, rows = at(g.delays, int64, g.n_delays), at(g.rows, int64, g.n_rows)
            # Unsigned places need no test for a negative index.
            slots, weights = at(g.slots, uint32, g.n_synapses), at(g.weights, kind, g.n_synapses)
            inputs = at(g.inputs, kind, g.n_inputs)
            ids, counts = (
                at(g.spike_ids, int32, g.ring * g.row_size),
                at(g.counts, int32, g.ring * g.n_threads),
            )
            starts = at(g.starts, int64, g.n_threads)
            begins, ends = at(g.begins, int64, g.n_slices), at(g.ends, int64, g.n_slices)
            found = 0
            for k in range(g.n_delays):
                if delays[k] > step:
                    break
                row = (step - delays[k]) % g.ring
                for t in range(g.n_threads):
                    first = row * g.row_size + starts[t]
                    last = first + counts[row * g.n_threads + t]
                    for q in range(first, last):
                        if q + AHEAD_ROWS < last:
                            prefetch(rows, ids[q + AHEAD_ROWS] * g.n_delays + k)
                        slice_ = ids[q] * g.n_delays + k
                        if found == g.n_slices:  # the list is full: deliver what it holds, in the same order
                            _deliver(begins, ends, found, slots, weights, inputs)
                            found = 0
                        begins[found], ends[found] = rows[slice_], rows[slice_ + 1]
                        found += ends[found] > begins[found]
            _deliver(begins, ends, found, slots, weights, inputs)

    return deliver


@register_jitable
def _deliver(begins, ends, found, slots, weights, inputs):
    """Add the weights of `found` slices, while the beginnings of later ones are on their way from memory."""
    for q in range(found):
        if q + AHEAD_SLICES < found:
            prefetch(slots, begins[q + AHEAD_SLICES])
            prefetch(weights, begins[q + AHEAD_SLICES])
        places, amounts = slots[begins[q] : ends[q]], weights[begins[q] : ends[q]]
        for a in range(len(places)):
            inputs[places[a]] += amounts[a]


@functools.cache
def dense_op(dtype: Any) -> Any:
    """Add whole rows of a weight matrix (source, target): no indices, contiguous sums."""
    kind = real(dtype)
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
            weights = at(g.weights, kind, g.n_sources * g.n_columns)
            inputs = at(g.inputs, kind, g.n_inputs)[g.lo : g.hi]
            row = (step - g.delay) % g.ring
            for t in range(g.n_threads):
                first = row * g.row_size + starts[t]
                for q in range(first, first + counts[row * g.n_threads + t]):
                    begin = ids[q] * g.n_columns + g.lo
                    weight_row = weights[begin : begin + n]
                    for j in range(n):
                        inputs[j] += weight_row[j]

    return deliver_rows


@functools.cache
def graded_delivery_op(dtype: Any) -> Any:
    """Add weight times current, as it was one delay ago, of every graded source to its targets."""
    kind = real(dtype)
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def deliver_currents(address, step):
            g = context(GradedDeliveryContext, address)
            sources, delays = at(g.sources, int32, g.n_synapses), at(g.delays, int32, g.n_synapses)
            slots, weights = at(g.slots, int32, g.n_synapses), at(g.weights, kind, g.n_synapses)
            inputs, history = at(g.inputs, kind, g.n_inputs), at(g.history, kind, g.ring * g.n)
            for a in range(g.n_synapses):
                emitted = step - delays[a]
                if emitted >= 0:
                    inputs[slots[a]] += weights[a] * history[(emitted % g.ring) * g.n + sources[a]]

    return deliver_currents
