"""Operations that look: they copy spikes, state and spike counts into buffers that the host empties."""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import Any

from numba import cfunc, int32, int64, uint8

from spikesim.clock.neurons import real
from spikesim.jit import cache_for
from spikesim.lowlevel import OPERATION, at, context

SpikeRecordContext = namedtuple(
    "SpikeRecordContext",
    "chosen n ring spike_ids row_size start counts n_threads thread steps ids filled capacity room full",
)
StateRecordContext = namedtuple("StateRecordContext", "every places ids n_ids n_columns state n values samples base")
RateRecordContext = namedtuple(
    "RateRecordContext",
    "every chosen n ring spike_ids row_size start counts n_threads thread totals samples base",
)


@functools.cache
def spike_record_op() -> Any:
    """Copy this thread's spikes of the step, if chosen, and say when the buffer has little room left."""
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def record_spikes(address, step):
            g = context(SpikeRecordContext, address)
            chosen = at(g.chosen, uint8, g.n)
            row = step % g.ring
            spikes = at(g.spike_ids, int32, g.ring * g.row_size)
            steps, ids = at(g.steps, int64, g.capacity), at(g.ids, int32, g.capacity)
            filled = at(g.filled, int64, g.n_threads)
            count = filled[g.thread]
            first = row * g.row_size + g.start
            for q in range(first, first + at(g.counts, int32, g.ring * g.n_threads)[row * g.n_threads + g.thread]):
                if chosen[spikes[q]] != 0:
                    steps[count] = step
                    ids[count] = spikes[q]
                    count += 1
            filled[g.thread] = count
            if g.capacity - count < g.room:
                at(g.full, int64, g.n_threads)[g.thread] = 1

    return record_spikes


@functools.cache
def state_record_op(dtype: Any) -> Any:
    """Every `every` steps copy one state variable of the chosen neurons, as it is at the end of the step."""
    kind = real(dtype)
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def record_state(address, step):
            g = context(StateRecordContext, address)
            if (step + 1) % g.every != 0:
                return
            places, ids = at(g.places, int64, g.n_ids), at(g.ids, int64, g.n_ids)
            state = at(g.state, kind, g.n)
            sample = (step + 1) // g.every - g.base
            values = at(g.values, kind, g.samples * g.n_columns)
            for k in range(g.n_ids):
                values[sample * g.n_columns + places[k]] = state[ids[k]]

    return record_state


@functools.cache
def rate_record_op() -> Any:
    """Count this thread's chosen spikes in bins of `every` steps."""
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def record_rate(address, step):
            g = context(RateRecordContext, address)
            if step < g.base * g.every:
                return  # a bin that began before recording did
            chosen = at(g.chosen, uint8, g.n)
            row = step % g.ring
            spikes = at(g.spike_ids, int32, g.ring * g.row_size)
            totals = at(g.totals, int64, g.samples * g.n_threads)
            place = (step // g.every - g.base) * g.n_threads + g.thread
            first = row * g.row_size + g.start
            for q in range(first, first + at(g.counts, int32, g.ring * g.n_threads)[row * g.n_threads + g.thread]):
                totals[place] += chosen[spikes[q]]

    return record_rate
