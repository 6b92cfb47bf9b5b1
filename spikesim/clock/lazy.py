"""Operations for rules that come apart (`spikesim.factors`): synapses are visited at presynaptic spikes only.

Let dw = x_i(t) psi_j at each spike of the postsynaptic neuron j, or in each step, where x_i, a trace of the presynaptic
neuron i, decays with tau and nothing else happens between two of its spikes. Then between visits at t0 and t1

    w(t1) - w(t0) = x_i(t0) e^((t0 - T)/tau) [C_j(t1) - C_j(t0)],
    C_j(t) = sum over s <= t of e^(-(s - T)/tau) psi_j(s)

with any origin T: one number for each neuron j in place of all that it did. A synapse keeps the C_j of its last visit,
its row the factor in front. So that nothing overflows or is lost to rounding, T is the beginning of the epoch in which
the row was visited last, and each neuron has a C_j for each of the last few epochs, which all go on; what x_i has left
in still later ones is beyond the last digit. Rows without a spike for that long are settled before their epoch goes. A
trace with two time constants is two exponentials, each with sums of its own.

Bounds hold at each visit. Where postsynaptic spikes only ever let the weight grow, or only shrink, that comes to the
same as bounds at each of them; for `drift` it does not.

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
from spikesim.clock.rows import AHEAD, LINE, add_weights, ask_for, row_of
from spikesim.jit import cache_for, hook
from spikesim.lowlevel import OPERATION, at, context, load, load_looked_up, looked_up, own, prefetch, put

LazyContext = namedtuple(
    "LazyContext",
    "delays dendritic n_delays begins n_begins slots weights seen n_synapses lo n_local sums epochs lengths "
    "visited factors n_source x_stride n_target x n_x y n_y params units rates keep bump psi dt limit since ring "
    "spike_ids row_size starts counts n_threads post_ids post_row_size post_start post_counts thread "
    "inputs input_rows row_bytes delivers",
)


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
def _settle(g, kind, slot, place, n_sums, k, i, a):
    """Bring the weights of one row up to date with what was collected, by one trace."""
    begins, m = at(g.begins, place, g.n_begins), g.n_synapses
    slots, weights, seen = at(g.slots, slot, m), at(g.weights, kind, m), at(g.seen, kind, n_sums * m)
    sums, lengths = at(g.sums, kind, g.n_delays * g.epochs * n_sums * g.n_local), at(g.lengths, int64, n_sums)
    stride, row = g.n_delays * g.n_source, k * g.n_source + i
    visited, factors = at(g.visited, int64, stride), at(g.factors, kind, n_sums * stride)
    begin, end = row_of(begins, i, g.n_delays, k)
    found = _sums(g, sums, k, (visited[row] - 1) // lengths[a], a, n_sums)
    _collect(slots, weights, seen[a * m : (a + 1) * m], begin, end, factors[a * stride + row], found, found)


@register_jitable
def _clip_row(g, kind, place, k, i, least, most):
    begins, weights = at(g.begins, place, g.n_begins), at(g.weights, kind, g.n_synapses)
    _clip(weights, *row_of(begins, i, g.n_delays, k), least, most)


@register_jitable
def _begin_epoch(g, kind, slot, place, n_sums, k, a, epoch, least, most):
    """Make room for the sums of a new epoch: rows that were visited last in the one that goes are settled."""
    stride = g.n_delays * g.n_source
    visited, factors = at(g.visited, int64, stride), at(g.factors, kind, n_sums * stride)
    length = at(g.lengths, int64, n_sums)[a]
    for i in range(g.n_source):
        row = k * g.n_source + i
        if visited[row] > 0 and (visited[row] - 1) // length == epoch - g.epochs:
            _settle(g, kind, slot, place, n_sums, k, i, a)
            _clip_row(g, kind, place, k, i, least, most)
            factors[a * stride + row] = 0.0
    _sums(g, at(g.sums, kind, g.n_delays * g.epochs * n_sums * g.n_local), k, epoch, a, n_sums)[:] = 0.0


@functools.cache
def collect_op(rule: Any, n_sums: int, dtype: Any, small: bool, many: bool) -> Any:
    """Let count what the postsynaptic neurons do that reaches the synapses now: `drift` and spikes."""
    on_post, drift = rule.on_post, rule.drift
    for function in (on_post, drift):
        if function is not None:
            hook(function)
    Params, Pre, Post = rule.Params, rule.Pre, rule.Post
    n_params, n_pre, spiking, drifting = len(Params._fields), len(Pre._fields), on_post is not None, drift is not None
    kind, slot, place = real(dtype), uint16 if small else uint32, int64 if many else uint32
    with cache_for(rule) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def collect(address, step):
            g = context(LazyContext, address)
            delays, dendritic = at(g.delays, int64, g.n_delays), at(g.dendritic, int64, g.n_delays)
            numbers = at(g.params, kind, n_params + 3)
            p, w_ref, h = load(Params, numbers, 0, 1), numbers[n_params], at(g.dt, kind, 1)[0]
            y, units = at(g.y, kind, g.ring * g.n_y * g.n_target), at(g.units, kind, n_pre * n_sums)
            sums, rates = at(g.sums, kind, g.n_delays * g.epochs * n_sums * g.n_local), at(g.rates, float64, n_sums)
            ids = at(g.post_ids, int32, g.ring * g.post_row_size)
            counts, lengths = at(g.post_counts, int32, g.ring * g.n_threads), at(g.lengths, int64, n_sums)
            psi, since = at(g.psi, kind, g.n_local), at(g.since, int64, 1)[0]
            for k in range(g.n_delays):
                t, now = step - delays[k], step - dendritic[k]
                if t < 0 or now > g.limit:
                    continue
                for a in range(n_sums):
                    if t % lengths[a] == 0:
                        _begin_epoch(g, kind, slot, place, n_sums, k, a, t // lengths[a], numbers[-2], numbers[-1])
                if now < since:
                    continue
                emitted = now - dendritic[k]
                y_row = (emitted % g.ring) * g.n_y * g.n_target
                for a in range(n_sums):
                    unit, epoch, elapsed = load(Pre, units, a, n_sums), t // lengths[a], t % lengths[a]
                    n_open = min(g.epochs, epoch + 1)
                    if drifting:
                        for j in range(g.n_local):
                            post = load_looked_up(Post, y, y_row + g.lo + j, g.n_target)
                            put(psi, j, kind(drift(kind(0.0), unit, post, p) * h * w_ref))
                        for age in range(n_open):
                            share = kind(math.exp(-(elapsed + age * lengths[a]) * rates[a]))
                            total = _sums(g, sums, k, epoch - age, a, n_sums)
                            for j in range(g.n_local):
                                total[j] += share * psi[j]
                    if spiking and emitted >= 0:
                        first = (emitted % g.ring) * g.post_row_size + g.post_start
                        for q in range(first, first + counts[(emitted % g.ring) * g.n_threads + g.thread]):
                            post = load(Post, y, y_row + ids[q], g.n_target)
                            amount = on_post(kind(0.0), unit, post, p) * w_ref
                            for age in range(n_open):
                                share = math.exp(-(elapsed + age * lengths[a]) * rates[a])
                                _sums(g, sums, k, epoch - age, a, n_sums)[ids[q] - g.lo] += kind(share * amount)

    return collect


@functools.cache
def visit_op(rule: Any, n_sums: int, dtype: Any, small: bool, many: bool) -> Any:
    """Deliver the spikes that arrive now: collect what each synapse has gained, apply `on_pre`, add the weight to the
    input of its target."""
    on_pre = rule.on_pre
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
            ids, counts = at(g.spike_ids, int32, g.ring * g.row_size), at(g.counts, int32, g.ring * g.n_threads)
            starts, since = at(g.starts, int64, g.n_threads), at(g.since, int64, 1)[0]
            inputs = at(g.inputs + (step % g.input_rows) * g.row_bytes, kind, g.lo + g.n_local)[g.lo :]
            for k in range(g.n_delays):
                t, now = step - delays[k], step - dendritic[k]
                if t < 0 or now > g.limit:
                    continue
                x_row = (t % g.ring) * g.n_x * g.x_stride
                y_row = ((now - dendritic[k]) % g.ring) * g.n_y * g.n_target + g.lo
                for thread in range(g.n_threads):
                    first = (t % g.ring) * g.row_size + starts[thread]
                    last = first + counts[(t % g.ring) * g.n_threads + thread]
                    for q in range(first, last):
                        i = ids[q]
                        begin, end = row_of(begins, i, g.n_delays, k)
                        if q + AHEAD < last:
                            first_later, last_later = row_of(begins, ids[q + AHEAD], g.n_delays, k)
                            ask_for(slots, weights, first_later, last_later)
                            for a in range(first_later, last_later, LINE // weights.itemsize):
                                for b in range(n_sums):
                                    prefetch(seen, b * m + a)
                        for a in range(n_sums):
                            factor, old, new = _open(g, kind, n_sums, k, i, a, t)
                            known = seen[a * m : (a + 1) * m]
                            if a < n_sums - 1 or not changes or now < since:
                                _collect(slots, weights, known, begin, end, factor, old, new)
                        at(g.visited, int64, stride)[k * g.n_source + i] = t + 1
                        if changes and now >= since:
                            pre = load(Pre, x, x_row + i, g.x_stride)
                            for a in range(begin, end):
                                j, w = int64(looked_up(slots, a)), own(weights, a)
                                if n_sums > 0:  # the last trace is collected here, in the same go
                                    w += factor * (looked_up(old, j) - own(known, a))
                                    put(known, a, looked_up(new, j))
                                    w = min(max(w, least), most)
                                post = load_looked_up(Post, y, y_row + j, g.n_target)
                                w = on_pre(w / w_ref, pre, post, p) * w_ref
                                put(weights, a, kind(min(max(w, least), most)))
                        elif n_sums > 0:
                            _clip(weights, begin, end, least, most)
                        if g.delivers != 0:
                            add_weights(inputs, slots, weights, begin, end)

    return visit


@register_jitable
def _open(g, kind, n_sums, k, i, a, t):
    """(factor, C_j that the synapses of a row know as of their last visit, C_j now) of one trace, which is then to
    know of this spike, too."""
    sums, lengths = at(g.sums, kind, g.n_delays * g.epochs * n_sums * g.n_local), at(g.lengths, int64, n_sums)
    rate, keep, bump = at(g.rates, float64, n_sums)[a], at(g.keep, float64, n_sums)[a], at(g.bump, float64, n_sums)[a]
    row, length = k * g.n_source + i, lengths[a]
    factors, place = at(g.factors, kind, n_sums * g.n_delays * g.n_source), a * g.n_delays * g.n_source + row
    factor = factors[place]
    last, epoch = at(g.visited, int64, g.n_delays * g.n_source)[row] - 1, t // length
    new = _sums(g, sums, k, epoch, a, n_sums)
    there = last >= 0 and last // length > epoch - g.epochs
    old = _sums(g, sums, k, last // length, a, n_sums) if there else new
    trace = factor * math.exp(-(t - last // length * length) * rate) if there else 0.0
    factors[place] = kind((trace * keep + bump) * math.exp((t % length) * rate))
    return factor, old, new


@functools.cache
def settle_op(n_sums: int, dtype: Any, small: bool, many: bool) -> Any:
    """Bring all weights up to date with what was collected."""
    kind, slot, place = real(dtype), uint16 if small else uint32, int64 if many else uint32
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def settle(address, n_params):
            g = context(LazyContext, address)
            limits = at(g.params, kind, n_params + 3)
            visited = at(g.visited, int64, g.n_delays * g.n_source)
            for k in range(g.n_delays):
                for i in range(g.n_source):
                    if visited[k * g.n_source + i] > 0:
                        for a in range(n_sums):
                            _settle(g, kind, slot, place, n_sums, k, i, a)
                        _clip_row(g, kind, place, k, i, limits[-2], limits[-1])

    return settle
