"""Operations on neurons: advance, test the threshold, replay, emit a current, react to a named event."""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import Any

import numpy as np
from numba import cfunc, from_dtype, int32, int64, uint32

from spikesim.clock import chances
from spikesim.clock.chances import candidates, take_notice
from spikesim.jit import cache_for, hook
from spikesim.lowlevel import OPERATION, at, context, load, load_looked_up, looked_up, put, store
from spikesim.rng import HALF_WORD, completed, fill_words, least_of, uniform, word_of

BLOCK, GROUP = 1024, 64  # neurons advanced together, and looked at together for spikes

#: One thread's share of a population: neurons lo to hi of n (padded). Rings have `ring` rows, one a step.
_UPDATE = (
    "lo hi n state constants n_constants inputs input_rows row_bytes stride used refractory "
    "ring spike_ids row_size start counts n_threads thread emitted "
)
UpdateContext = namedtuple("UpdateContext", _UPDATE + "words listed stream key0 key1")
ChanceContext = namedtuple("ChanceContext", _UPDATE + chances.FIELDS)  # of random models with `may_spike`
SourceContext = namedtuple(
    "SourceContext",
    "lo hi constants n_constants ring spike_ids row_size start counts n_threads thread emitted " + chances.FIELDS,
)
ReplayContext = namedtuple(
    "ReplayContext",
    "lo hi steps ids n_spikes ring spike_ids row_size start counts n_threads thread",
)
GradedContext = namedtuple("GradedContext", "lo hi n state constants n_constants words stream key0 key1 ring history")
NeuronEventContext = namedtuple("NeuronEventContext", "lo hi n state constants n_constants")


def real(dtype: Any) -> Any:
    """The numba type of a NumPy float type."""
    return from_dtype(np.dtype(dtype))


@functools.cache
def update_op(model: Any, dtype: Any, uniform_constants: bool) -> Any:
    """Advance the neurons of `model` by one step and list those that spike.

    `uniform_constants`: all neurons share one column of constants, which then stay in registers.
    """
    advance, spikes, reset, may_spike = model.advance, model.spikes, model.reset, model.may_spike
    State, Constants, Input = model.State, model.Constants, model.Input
    advances, spiking, resets = advance is not None, spikes is not None, reset is not None
    refracts, random, choosing = model.refracts(), model.random, model.random and may_spike is not None
    n_state, n_input, n_constant = len(model.state), len(model.receptors), len(Constants._fields)
    max_spikes = model.max_spikes
    place = 0 if uniform_constants else 1
    kind = real(dtype)
    record = ChanceContext if choosing else UpdateContext
    for function in (advance, spikes, reset, may_spike):
        if function is not None:
            hook(function)
    with cache_for(model) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def update(address, step):
            g = context(record, address)
            n = g.n
            state = at(g.state, kind, n_state * n)
            constants = at(g.constants, kind, n_constant * g.n_constants)
            inputs = at(g.inputs + (step % g.input_rows) * g.row_bytes, kind, n_input * g.stride + n)
            lo, count = g.lo, g.hi - g.lo
            refractory = at(g.refractory, int32, n)[lo : g.hi]
            c = load(Constants, constants, lo * place, g.n_constants)
            place_in_ring = step % g.ring
            ids = at(g.spike_ids, int32, g.ring * g.row_size)
            emitted = first = place_in_ring * g.row_size + g.start
            if not choosing:
                words, listed = at(g.words, uint32, n)[lo:n], at(g.listed, int32, BLOCK)
                if random and spiking:
                    fill_words(words, lo, count + -count % 4, step, g.stream, g.key0, g.key1)  # whole groups of four
            for begin in range(0, count, BLOCK):  # blocks that stay in the nearest cache from one loop to the next
                size = min(BLOCK, count - begin)
                if advances:
                    counters = refractory[begin : begin + size]
                    for i in range(size):  # from 0, so that no index can be negative, or the loop would not vectorise
                        if place:
                            c = load(Constants, constants, lo + begin + i, g.n_constants)
                        s = load(State, state, lo + begin + i, n)
                        x = load(Input, inputs, lo + begin + i, g.stride)
                        free = True
                        if refracts:
                            free = counters[i] <= 1
                            counters[i] = max(counters[i] - int32(1), int32(0))
                        store(state, lo + begin + i, n, advance(s, x, c, free))
                    for r in range(n_input):
                        if not g.used >> r & 1:
                            continue  # nothing ever arrives there
                        row = inputs[r * g.stride + lo + begin : r * g.stride + lo + begin + size]
                        for i in range(size):
                            row[i] = 0.0
                if not spiking or choosing:
                    continue
                found = 0  # neurons to look at
                for start in range(begin, begin + size, GROUP):
                    end, hits = min(start + GROUP, begin + size), random
                    if not random:  # one look tells that nobody in most groups has reached the threshold
                        for i in range(end - start):
                            if place:
                                c = load(Constants, constants, lo + start + i, g.n_constants)
                            hits |= spikes(load(State, state, lo + start + i, n), c, 0.5) > 0
                    if hits:
                        for i in range(start, end):
                            listed[found + i - start] = i
                        found += end - start
                for q in range(found):
                    i = listed[q]
                    if place:
                        c = load(Constants, constants, lo + i, g.n_constants)
                    s = load(State, state, lo + i, n)
                    fired = int64(spikes(s, c, uniform(words[i]) if random else 0.5))
                    if fired > 0 and (not refracts or refractory[i] == 0):
                        for _ in range(fired):
                            ids[emitted] = lo + i
                            emitted += 1
                        if resets:
                            store(state, lo + i, n, reset(s, c))
                        if refracts:
                            refractory[i] = int32(c.t_ref_steps) + int32(1)  # the step of the spike counts, too
            if choosing:
                take_notice(g, may_spike, Constants, constants, place, kind)
                halves, found = candidates(g, step)
                live, listed, counted = at(g.live, int32, n), at(g.listed, int32, n), at(g.counted, int32, n)
                for q in range(found + -found % 8):  # vectorised, as what follows is not; what is listed goes on
                    i, half = looked_up(live, looked_up(listed, q)), int32(looked_up(halves, looked_up(listed, q)))
                    if place:
                        c = load_looked_up(Constants, constants, i, g.n_constants)
                    s = load_looked_up(State, state, i, n)
                    low = kind(least_of(half))
                    least, most = spikes(s, c, low), spikes(s, c, low + kind(HALF_WORD))
                    put(counted, q, int32(least) if int32(least) == int32(most) else int32(-1))
                for q in range(found):
                    i, fired = int64(looked_up(live, looked_up(listed, q))), int64(looked_up(counted, q))
                    if fired < 0:
                        if place:
                            c = load(Constants, constants, i, g.n_constants)
                        word = word_of(i, step, g.rest_stream, g.key0, g.key1)
                        fired = int64(spikes(load(State, state, i, n), c, completed(halves[listed[q]], word)))
                    if refracts and refractory[i - lo] != 0:
                        continue
                    # Without a branch, for which way it goes is not to be guessed.
                    for k in range(min(max_spikes, 2)):
                        put(ids, emitted + k, int32(i))
                    for k in range(2, fired):
                        put(ids, emitted + k, int32(i))
                    emitted += fired
                    if (resets or refracts) and fired > 0:
                        if place:
                            c = load(Constants, constants, i, g.n_constants)
                        if resets:
                            store(state, i, n, reset(load(State, state, i, n), c))
                        if refracts:
                            refractory[i - lo] = int32(c.t_ref_steps) + int32(1)
            if spiking:
                at(g.counts, int32, g.ring * g.n_threads)[place_in_ring * g.n_threads + g.thread] = emitted - first
                at(g.emitted, int64, 8 * g.n_threads)[8 * g.thread] += emitted - first

    return update


@functools.cache
def source_op(model: Any, dtype: Any, uniform_constants: bool) -> Any:
    """List the spikes of random sources that keep no state, drawing numbers only for those that are not silent."""
    spikes, may_spike, State, Constants = hook(model.spikes), hook(model.may_spike), model.State, model.Constants
    n_constant, place, kind = len(Constants._fields), 0 if uniform_constants else 1, real(dtype)
    with cache_for(model) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def emit(address, step):
            g = context(SourceContext, address)
            constants = at(g.constants, kind, n_constant * g.n_constants)
            take_notice(g, may_spike, Constants, constants, place, kind)
            halves, found = candidates(g, step)
            live, listed = at(g.live, int32, g.width), at(g.listed, int32, g.width)
            row, ids = step % g.ring, at(g.spike_ids, int32, g.ring * g.row_size)
            emitted = first = row * g.row_size + g.start
            for q in range(found):
                i, half = int64(looked_up(live, looked_up(listed, q))), int32(looked_up(halves, looked_up(listed, q)))
                c = load(Constants, constants, i * place, g.n_constants)
                low = kind(least_of(half))
                least, most = spikes(State(), c, low), spikes(State(), c, low + kind(HALF_WORD))
                if least != most:
                    word = word_of(i, step, g.rest_stream, g.key0, g.key1)
                    least = spikes(State(), c, completed(half, word))
                for _ in range(least):
                    put(ids, emitted, int32(i))
                    emitted += 1
            at(g.counts, int32, g.ring * g.n_threads)[row * g.n_threads + g.thread] = emitted - first
            at(g.emitted, int64, 8 * g.n_threads)[8 * g.thread] += emitted - first

    return emit


@functools.cache
def replay_op() -> Any:
    """List the spikes that a prescribed train, sorted by step and id, has in this step and range."""
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def replay(address, step):
            g = context(ReplayContext, address)
            steps, trains = at(g.steps, int64, g.n_spikes), at(g.ids, int32, g.n_spikes)
            row = step % g.ring
            ids = at(g.spike_ids, int32, g.ring * g.row_size)
            first = row * g.row_size + g.start
            low, high = 0, g.n_spikes
            while low < high:
                middle = (low + high) // 2
                if steps[middle] < step:
                    low = middle + 1
                else:
                    high = middle
            count = 0
            while low < g.n_spikes and steps[low] == step:
                if g.lo <= trains[low] < g.hi:
                    ids[first + count] = trains[low]
                    count += 1
                low += 1
            at(g.counts, int32, g.ring * g.n_threads)[row * g.n_threads + g.thread] = count

    return replay


@functools.cache
def graded_op(model: Any, dtype: Any, uniform_constants: bool) -> Any:
    """Let each source of `model` choose its current for this step and keep it in the history."""
    current, State, Constants, random = hook(model.current), model.State, model.Constants, model.random
    n_state, n_constant = len(model.state), len(model.Constants._fields)
    place = 0 if uniform_constants else 1
    kind = real(dtype)
    with cache_for(model) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def emit(address, step):
            g = context(GradedContext, address)
            n = g.n
            state = at(g.state, kind, n_state * n)
            constants = at(g.constants, kind, n_constant * g.n_constants)
            words = at(g.words, uint32, n)
            history = at(g.history, kind, g.ring * n)
            row = (step % g.ring) * n
            if random:
                fill_words(words[g.lo : g.hi], g.lo, g.hi - g.lo, step, g.stream, g.key0, g.key1)
            for i in range(g.lo, g.hi):
                c = load(Constants, constants, i * place, g.n_constants)
                s = load(State, state, i, n)
                u = uniform(words[i]) if random else 0.5
                state[i] = current(s, c, u, step)
                history[row + i] = state[i]

    return emit


@functools.cache
def neuron_event_op(model: Any, event: str, dtype: Any, uniform_constants: bool) -> Any:
    """Apply the model's hook for a named event to every neuron of the range."""
    react, State, Constants = hook(getattr(model, f"on_{event}")), model.State, model.Constants
    n_state, n_constant = len(model.state), len(model.Constants._fields)
    place = 0 if uniform_constants else 1
    kind = real(dtype)
    with cache_for(model) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def on_event(address, step):
            g = context(NeuronEventContext, address)
            state = at(g.state, kind, n_state * g.n)
            constants = at(g.constants, kind, n_constant * g.n_constants)
            for i in range(g.lo, g.hi):
                c = load(Constants, constants, i * place, g.n_constants)
                store(state, i, g.n, react(load(State, state, i, g.n), c))

    return on_event
