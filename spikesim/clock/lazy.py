"""Operations for rules that come apart (`spikesim.factors`): synapses are visited at presynaptic spikes only.

Let dw = x_i(t) psi_j at each spike of the postsynaptic neuron j, where the trace x_i of the presynaptic neuron i decays
with tau and nothing else happens between two of its spikes. Then between visits at t0 and t1

    w(t1) - w(t0) = x_i(t0) e^((t0 - T)/tau) [C_j(t1) - C_j(t0)],
    C_j(t) = sum over the spikes s <= t of j of e^(-(s - T)/tau) psi_j(s)

with any origin T: one number for each neuron j in place of the spikes. A synapse keeps the C_j of its last visit, its
row the factor in front. So that nothing overflows or is lost to rounding, T is the beginning of the epoch in which the
row was visited last, and each neuron has a C_j for each of the last few epochs, which all go on; what x_i has left in
still later ones is beyond the last digit. Rows without a spike for that long are settled before their epoch goes.

Delays are those of `spikesim.clock.plasticity`: a synapse with delay d of which dend steps are dendritic is served dend
steps late. Every number here is kept for each delay, and time t is that at which a presynaptic spike left its neuron.
"""

from __future__ import annotations

import functools
import math
from collections import namedtuple
from typing import Any

from numba import cfunc, float64, int32, int64, uint16, uint32
from numba.extending import register_jitable

from spikesim.clock.neurons import real
from spikesim.jit import cache_for, hook
from spikesim.lowlevel import OPERATION, at, context, load, load_looked_up, looked_up, own, prefetch, put

LazyContext = namedtuple(
    "LazyContext",
    "delays dendritic n_delays begins n_begins slots weights seen n_synapses lo n_local sums epochs epoch_steps "
    "visited factors n_source x_stride n_target x n_x y n_y params units rates keep bump limit since ring "
    "spike_ids row_size starts counts n_threads post_ids post_row_size post_start post_counts thread "
    "inputs input_rows row_bytes delivers",
)
LINE = 64  # bytes that come from memory at a time


@register_jitable
def _sums(g, sums, k, epoch, a, n_sums):
    """C_j of this thread's targets, for a delay, an epoch and a trace."""
    row = (k * g.epochs + epoch % g.epochs) * n_sums + a
    return sums[row * g.n_local : (row + 1) * g.n_local]


@register_jitable
def _collect(slots, weights, seen, begin, end, factor, old, new):
    """Give the synapses of a row what they have gained by one trace since their last visit."""
    for a in range(begin, end):
        j = looked_up(slots, a)
        put(weights, a, own(weights, a) + factor * (looked_up(old, j) - own(seen, a)))
        put(seen, a, looked_up(new, j))


@register_jitable
def _clip(weights, begin, end, least, most):
    for a in range(begin, end):
        weights[a] = min(max(weights[a], least), most)


@register_jitable
def _settle(g, kind, slot, place, n_sums, k, i, least, most):
    """Bring the weights of one row up to date, as of the postsynaptic spikes that were collected."""
    begins, m = at(g.begins, place, g.n_begins), g.n_synapses
    slots, weights, seen = at(g.slots, slot, m), at(g.weights, kind, m), at(g.seen, kind, n_sums * m)
    sums = at(g.sums, kind, g.n_delays * g.epochs * n_sums * g.n_local)
    stride, row = g.n_delays * g.n_source, k * g.n_source + i
    visited, factors = at(g.visited, int32, stride), at(g.factors, kind, n_sums * stride)
    begin, end = int64(begins[i * g.n_delays + k]), int64(begins[i * g.n_delays + k + 1])
    for a in range(n_sums):
        found = _sums(g, sums, k, visited[row], a, n_sums)
        _collect(slots, weights, seen[a * m : (a + 1) * m], begin, end, factors[a * stride + row], found, found)
    _clip(weights, begin, end, least, most)


@functools.cache
def collect_op(rule: Any, n_sums: int, dtype: Any, small: bool, many: bool) -> Any:
    """Let the postsynaptic spikes that reach the synapses now count, after making room for a new epoch."""
    on_post = hook(rule.on_post)
    Params, Pre, Post = rule.Params, rule.Pre, rule.Post
    n_params, n_pre = len(Params._fields), len(Pre._fields)
    kind, slot, place = real(dtype), uint16 if small else uint32, int64 if many else uint32
    with cache_for(rule) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def collect(address, step):
            g = context(LazyContext, address)
            delays, dendritic = at(g.delays, int64, g.n_delays), at(g.dendritic, int64, g.n_delays)
            numbers = at(g.params, kind, n_params + 3)
            p, w_ref = load(Params, numbers, 0, 1), numbers[n_params]
            y, units = at(g.y, kind, g.ring * g.n_y * g.n_target), at(g.units, kind, n_pre * n_sums)
            sums, rates = at(g.sums, kind, g.n_delays * g.epochs * n_sums * g.n_local), at(g.rates, float64, n_sums)
            ids, counts = (
                at(g.post_ids, int32, g.ring * g.post_row_size),
                at(g.post_counts, int32, g.ring * g.n_threads),
            )
            stride = g.n_delays * g.n_source
            visited, factors = at(g.visited, int32, stride), at(g.factors, kind, n_sums * stride)
            since = at(g.since, int64, 1)[0]
            for k in range(g.n_delays):
                t, now = step - delays[k], step - dendritic[k]
                if t < 0 or now > g.limit:
                    continue
                epoch = t // g.epoch_steps + 1
                if t % g.epoch_steps == 0:
                    for i in range(g.n_source):
                        row = k * g.n_source + i
                        if visited[row] > 0 and visited[row] == epoch - g.epochs:
                            _settle(g, kind, slot, place, n_sums, k, i, numbers[-2], numbers[-1])
                            visited[row] = 0
                            for a in range(n_sums):
                                factors[a * stride + row] = 0.0
                    for a in range(n_sums):
                        _sums(g, sums, k, epoch, a, n_sums)[:] = 0.0
                emitted = now - dendritic[k]
                if now < since or emitted < 0:
                    continue
                ring_row = emitted % g.ring
                first = ring_row * g.post_row_size + g.post_start
                for q in range(first, first + counts[ring_row * g.n_threads + g.thread]):
                    post = load(Post, y, ring_row * g.n_y * g.n_target + ids[q], g.n_target)
                    for a in range(n_sums):
                        psi = on_post(kind(0.0), load(Pre, units, a, n_sums), post, p) * w_ref
                        for age in range(min(g.epochs, epoch)):
                            elapsed = t % g.epoch_steps + age * g.epoch_steps
                            share = math.exp(-elapsed * rates[a]) * psi
                            _sums(g, sums, k, epoch - age, a, n_sums)[ids[q] - g.lo] += kind(share)

    return collect


@functools.cache
def visit_op(rule: Any, which: tuple[int, ...], dtype: Any, small: bool, many: bool) -> Any:
    """Deliver the spikes that arrive now: collect what each synapse has gained, apply `on_pre`, add the weight to the
    input of its target. `which`: the presynaptic traces that `on_post` is linear in."""
    on_pre, n_sums = rule.on_pre, len(which)
    Params, Pre, Post = rule.Params, rule.Pre, rule.Post
    n_params, changes = len(Params._fields), on_pre is not None
    if changes:
        hook(on_pre)
    kind, slot, place = real(dtype), uint16 if small else uint32, int64 if many else uint32
    with cache_for(rule) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def visit(address, step):
            g = context(LazyContext, address)
            m, stride = g.n_synapses, g.n_delays * g.n_source
            delays, dendritic = at(g.delays, int64, g.n_delays), at(g.dendritic, int64, g.n_delays)
            begins = at(g.begins, place, g.n_begins)
            slots, weights, seen = at(g.slots, slot, m), at(g.weights, kind, m), at(g.seen, kind, n_sums * m)
            numbers = at(g.params, kind, n_params + 3)
            p, w_ref, least, most = load(Params, numbers, 0, 1), numbers[n_params], numbers[-2], numbers[-1]
            x, y = at(g.x, kind, g.ring * g.n_x * g.x_stride), at(g.y, kind, g.ring * g.n_y * g.n_target)
            keep, bump = at(g.keep, float64, g.n_x), at(g.bump, float64, g.n_x)
            sums, rates = at(g.sums, kind, g.n_delays * g.epochs * n_sums * g.n_local), at(g.rates, float64, n_sums)
            visited, factors = at(g.visited, int32, stride), at(g.factors, kind, n_sums * stride)
            ids, counts = at(g.spike_ids, int32, g.ring * g.row_size), at(g.counts, int32, g.ring * g.n_threads)
            starts, since = at(g.starts, int64, g.n_threads), at(g.since, int64, 1)[0]
            inputs = at(g.inputs + (step % g.input_rows) * g.row_bytes, kind, g.lo + g.n_local)[g.lo :]
            for k in range(g.n_delays):
                t, now = step - delays[k], step - dendritic[k]
                if t < 0 or now > g.limit:
                    continue
                epoch, elapsed = t // g.epoch_steps + 1, t % g.epoch_steps
                x_row = (t % g.ring) * g.n_x * g.x_stride
                y_row = ((now - dendritic[k]) % g.ring) * g.n_y * g.n_target + g.lo
                for thread in range(g.n_threads):
                    first = (t % g.ring) * g.row_size + starts[thread]
                    last = first + counts[(t % g.ring) * g.n_threads + thread]
                    for q in range(first, last):
                        i = ids[q]
                        begin, end = int64(begins[i * g.n_delays + k]), int64(begins[i * g.n_delays + k + 1])
                        if q + 2 < last:
                            later = ids[q + 2] * g.n_delays + k
                            for a in range(int64(begins[later]), int64(begins[later + 1]), LINE // weights.itemsize):
                                prefetch(slots, a)
                                prefetch(weights, a)
                                for b in range(n_sums):
                                    prefetch(seen, b * m + a)
                        row = k * g.n_source + i
                        for a in range(n_sums):
                            new = _sums(g, sums, k, epoch, a, n_sums)
                            old = new if visited[row] == 0 else _sums(g, sums, k, visited[row], a, n_sums)
                            known = seen[a * m : (a + 1) * m]
                            _collect(slots, weights, known, begin, end, factors[a * stride + row], old, new)
                            trace, spike = x[x_row + which[a] * g.x_stride + i], q
                            while spike >= first and ids[spike] == i:  # a source may fire more than once in a step
                                trace = trace * keep[which[a]] + bump[which[a]]
                                spike -= 1
                            factors[a * stride + row] = kind(trace * math.exp(elapsed * rates[a]))
                        visited[row] = epoch
                        if n_sums > 0:
                            _clip(weights, begin, end, least, most)
                        if changes and now >= since:
                            pre = load(Pre, x, x_row + i, g.x_stride)
                            for a in range(begin, end):
                                post = load_looked_up(Post, y, y_row + int64(looked_up(slots, a)), g.n_target)
                                w = on_pre(own(weights, a) / w_ref, pre, post, p) * w_ref
                                put(weights, a, kind(min(max(w, least), most)))
                        if g.delivers != 0:
                            for a in range(begin, end):
                                inputs[slots[a]] += weights[a]

    return visit


@functools.cache
def settle_op(n_sums: int, dtype: Any, small: bool, many: bool) -> Any:
    """Bring all weights up to date, as of the postsynaptic spikes that were collected."""
    kind, slot, place = real(dtype), uint16 if small else uint32, int64 if many else uint32
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def settle(address, n_params):
            g = context(LazyContext, address)
            limits = at(g.params, kind, n_params + 3)
            visited = at(g.visited, int32, g.n_delays * g.n_source)
            for k in range(g.n_delays):
                for i in range(g.n_source):
                    if visited[k * g.n_source + i] > 0:
                        _settle(g, kind, slot, place, n_sums, k, i, limits[-2], limits[-1])

    return settle
