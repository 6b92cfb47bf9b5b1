"""Operations on neurons: advance, test the threshold, replay, emit a current, react to a named event."""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import Any

import numpy as np
from numba import cfunc, from_dtype, int32, int64, uint32

from spikesim.jit import cache_for, hook
from spikesim.lowlevel import OPERATION, at, context, load, load_looked_up, looked_up, put, store
from spikesim.rng import fill_words, fill_words_of, uniform

BLOCK, GROUP = 1024, 64  # neurons advanced together, and looked at together for spikes

#: One thread's share of a population: neurons lo to hi of n (padded). Rings have `ring` rows, one a step.
UpdateContext = namedtuple(
    "UpdateContext",
    "lo hi n state constants n_constants inputs input_rows row_bytes stride used refractory words stream key0 key1 "
    "listed counted ring spike_ids row_size start counts n_threads thread emitted",
)
SourceContext = namedtuple(
    "SourceContext",
    "lo hi n constants n_constants stale live n_live words stream key0 key1 listed chosen "
    "ring spike_ids row_size start counts n_threads thread emitted",
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
    place = 0 if uniform_constants else 1
    kind = real(dtype)
    for function in (advance, spikes, reset, may_spike):
        if function is not None:
            hook(function)
    with cache_for(model) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def update(address, step):
            g = context(UpdateContext, address)
            n = g.n
            state = at(g.state, kind, n_state * n)
            constants = at(g.constants, kind, n_constant * g.n_constants)
            inputs = at(g.inputs + (step % g.input_rows) * g.row_bytes, kind, n_input * g.stride + n)
            lo, count = g.lo, g.hi - g.lo
            refractory = at(g.refractory, int32, n)[lo : g.hi]
            words, listed = at(g.words, uint32, n)[lo:n], at(g.listed, int32, BLOCK + 1)
            counted = at(g.counted, int32, BLOCK)
            c = load(Constants, constants, lo * place, g.n_constants)
            if random and spiking:
                fill_words(words, lo, count + -count % 4, step, g.stream, g.key0, g.key1)  # whole groups of four
            place_in_ring = step % g.ring
            ids = at(g.spike_ids, int32, g.ring * g.row_size)
            emitted = first = place_in_ring * g.row_size + g.start
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
                if not spiking:
                    continue
                found = 0  # neurons to look at
                if choosing:
                    for i in range(size):  # vectorised, as what follows is not
                        if place:
                            c = load_looked_up(Constants, constants, lo + begin + i, g.n_constants)
                        put(counted, i, int32(may_spike(c, uniform(looked_up(words, begin + i)))))
                    for i in range(size):
                        listed[found] = begin + i
                        found += counted[i]
                else:
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
                if choosing:  # in a loop of its own, for several at once
                    for q in range(found):
                        i = looked_up(listed, q)
                        if place:
                            c = load_looked_up(Constants, constants, lo + i, g.n_constants)
                        s = load_looked_up(State, state, lo + i, n)
                        put(counted, q, int32(spikes(s, c, uniform(looked_up(words, i)))))
                for q in range(found):
                    i = listed[q]
                    if place:
                        c = load(Constants, constants, lo + i, g.n_constants)
                    s = load(State, state, lo + i, n)
                    fired = int64(counted[q]) if choosing else int64(spikes(s, c, uniform(words[i]) if random else 0.5))
                    if not refracts and not resets:  # without a branch, for which way it goes is not to be guessed
                        ids[emitted] = lo + i
                        emitted += min(fired, 1)
                        for _ in range(1, fired):
                            ids[emitted] = lo + i
                            emitted += 1
                        continue
                    if fired > 0 and (not refracts or refractory[i] == 0):
                        for _ in range(fired):
                            ids[emitted] = lo + i
                            emitted += 1
                        if resets:
                            store(state, lo + i, n, reset(s, c))
                        if refracts:
                            refractory[i] = int32(c.t_ref_steps) + int32(1)  # the step of the spike counts, too
            if spiking:
                at(g.counts, int32, g.ring * g.n_threads)[place_in_ring * g.n_threads + g.thread] = emitted - first
                at(g.emitted, int64, 8 * g.n_threads)[8 * g.thread] += emitted - first

    return update


@functools.cache
def source_op(model: Any, dtype: Any, uniform_constants: bool) -> Any:
    """List the spikes of random sources that keep no state, drawing numbers only for those that are not silent.

    `live` (int32) names the groups of four, whose random words are made together, in which someone may spike; it is
    made anew when `stale` says that the constants have changed.
    """
    spikes, may_spike, State, Constants = hook(model.spikes), hook(model.may_spike), model.State, model.Constants
    n_constant, place, kind = len(Constants._fields), 0 if uniform_constants else 1, real(dtype)
    with cache_for(model) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def emit(address, step):
            g = context(SourceContext, address)
            constants, lo = at(g.constants, kind, n_constant * g.n_constants), g.lo
            live, n_live = at(g.live, int32, g.n // 4 + 1), at(g.n_live, int64, 1)
            words, listed, chosen = at(g.words, uint32, g.n), at(g.listed, int32, g.n + 1), at(g.chosen, int32, g.n)
            stale = at(g.stale, int64, g.n_threads)
            if stale[g.thread] != 0:
                stale[g.thread], n_live[0] = 0, 0
                for block in range(lo // 4, (g.hi + 3) // 4):
                    for i in range(4 * block, min(4 * block + 4, g.hi)):
                        c = load(Constants, constants, i * place, g.n_constants)
                        if may_spike(c, 1.0):
                            live[n_live[0]] = block
                            n_live[0] += 1
                            break
            blocks = live[: n_live[0]]
            fill_words_of(words, blocks, step, g.stream, g.key0, g.key1)
            row = step % g.ring
            ids, found = at(g.spike_ids, int32, g.ring * g.row_size), 0
            for q in range(len(blocks)):
                for k in range(4):
                    c = load_looked_up(Constants, constants, (4 * looked_up(blocks, q) + k) * place, g.n_constants)
                    put(chosen, 4 * q + k, int32(may_spike(c, uniform(looked_up(words, 4 * q + k)))))
            for j in range(4 * len(blocks)):
                listed[found] = j
                found += chosen[j]
            emitted = first = row * g.row_size + g.start
            for q in range(found):
                i = 4 * blocks[listed[q] >> 2] + (listed[q] & 3)
                if i >= g.hi:
                    continue
                c = load(Constants, constants, i * place, g.n_constants)
                for _ in range(int64(spikes(State(), c, uniform(words[listed[q]])))):
                    ids[emitted] = i
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
