"""Operations that visit synapses at presynaptic spikes only, and there replay what the postsynaptic neuron has done.

Between two spikes of the presynaptic neuron its traces do nothing but decay. So `on_post` need not be applied when the
postsynaptic neuron fires: it is enough to know, at the next presynaptic spike, when that was and what `post` was like
just before. Then the hook is applied for one spike after the other, in order, with the bounds, and after them `on_pre`.
The rule may be any function of weight and traces. When a synapse is visited makes no difference to the last bit, for
nothing is computed then but what these spikes ask for; so a visit may come at any time between, too.

Each thread keeps a history of the spikes of its neurons: one entry for each, in the order of time, that holds its time,
the traces, and the entry of the same neuron before it. Synapses keep nothing but their weight, and a row, the synapses
of one source with one delay, when it was visited last and what the traces were after that spike. When the history is
full, every row is visited, and then it begins anew with the spikes that are still on their way.

Delays are those of `spikesim.clock.plasticity`: a postsynaptic spike is served twice the dendritic delay after it was
fired, before the presynaptic spikes of that step; without a dendritic delay, in the step in which it is fired, after
them.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import Any

from numba import cfunc, int32, int64, uint16, uint32
from numba.extending import register_jitable

from spikesim.clock.neurons import real
from spikesim.clock.rows import AHEAD, add_weights, ask_for, row_of
from spikesim.jit import cache_for, hook
from spikesim.lowlevel import OPERATION, at, context, load, load_looked_up, looked_up, own, product, put
from spikesim.plasticity import BOUNDS

ReplayContext = namedtuple(
    "ReplayContext",
    "delays dendritic reach n_delays furthest begins n_begins slots weights n_synapses lo n_local fired after before "
    "swept n_rows n_source x_stride n_x x n_target n_y y params lows highs bits n_high limit since entries values room "
    "few latest state settles events n_events ring spike_ids row_size starts counts n_threads post_ids post_row_size "
    "post_start post_counts thread inputs input_rows row_bytes delivers",
)
PIECE = 512  # synapses of a row that are served together
FAR = 1 << 30  # steps, from the beginning of a history, that times in it may reach

TIME, TIME_BEFORE, BEFORE, ENTRY = 0, 1, 2, 4  # what an entry holds, and numbers in it: when, and of the spike before
REACHED, SERVED = 1, 2  # `settles`
HEAD, ORIGIN, FULL = range(3)  # `state`: entries there are, the step from which times count, entries there may be


@register_jitable
def _list_events(g, slots, entries, latest, events, begin, end, start, until):
    """(n) List what happened to the synapses begin to before end since `start` and up to `until`, as pairs (synapse,
    entry), for each synapse the last spike first; -1 where there is no room for so many."""
    n = 0
    for a in range(begin, end):
        j = 2 * int64(looked_up(slots, a))
        time, entry = looked_up(latest, j), looked_up(latest, j + 1)
        while time > until:  # has not reached the synapse
            before = ENTRY * int64(entry)
            time, entry = looked_up(entries, before + TIME_BEFORE), looked_up(entries, before + BEFORE)
        put(events, 2 * n, a - begin)
        put(events, 2 * n + 1, entry)
        n += time > start
    done = 0
    while done < n:  # the list is its own queue: each event asks for the one before it
        if n == g.n_events - 1:
            return -1
        entry = ENTRY * int64(own(events, 2 * done + 1))
        put(events, 2 * n, own(events, 2 * done))
        put(events, 2 * n + 1, looked_up(entries, entry + BEFORE))
        n += looked_up(entries, entry + TIME_BEFORE) > start
        done += 1
    return n


@register_jitable
def _replay(on_post, bound, Pre, Post, g, kind, slot, place, p, w_ref, k, i, until):
    """Let the synapses of one row meet the postsynaptic spikes up to step `until` that they have not met yet."""
    begins, row = at(g.begins, place, g.n_begins), k * g.n_source + i
    begin, end = row_of(begins, i, g.n_delays, k)
    if begin == end:
        return
    state, since = at(g.state, int64, 3), at(g.since, int64, 1)[0]
    d, dend, reach = at(g.delays, int64, g.n_delays)[k], at(g.dendritic, int64, g.n_delays)[k], _reach(g, k)
    fired, start = at(g.fired, int64, g.n_rows)[row], at(g.swept, int64, g.n_delays)[k]
    if fired > 0:
        start = max(start, fired - 1 + d)
    start = max(start - reach, since - dend - 1)  # weights were set at `since`; what had arrived does not count
    shift = 1 - state[ORIGIN]
    start, until = max(start + shift, 0), until + shift
    if start >= until:
        return
    weights, slots = at(g.weights, kind, g.n_synapses), at(g.slots, slot, g.n_synapses)
    entries, latest = at(g.entries, int32, ENTRY * g.room), at(g.latest, int32, 2 * g.n_local)
    values, events = at(g.values, kind, g.n_y * g.room), at(g.events, int32, 2 * g.n_events)
    n_low = 1 << g.bits
    lows, highs, oldest = at(g.lows, kind, g.n_x * n_low), at(g.highs, kind, g.n_x * g.n_high), n_low * g.n_high - 1
    after = load(Pre, at(g.after, kind, g.n_x * g.n_rows), row, g.n_rows)
    at_spike = load(Pre, at(g.before, kind, g.n_x * g.n_rows), row, g.n_rows)
    since_spike = 2 * dend - d - shift - fired if fired > 0 else 0  # a time and this is the age of `after`
    low, high = p.w_min * w_ref, p.w_max * w_ref
    size = PIECE
    while begin < end:
        last = min(begin + size, end)
        n = _list_events(g, slots, entries, latest, events, begin, last, start, until)
        if n < 0:
            size = max(size // 2, 1)
            continue
        for q in range(n - 1, -1, -1):
            a, entry = begin + int64(looked_up(events, 2 * q)), int64(looked_up(events, 2 * q + 1))
            age = looked_up(entries, ENTRY * entry + TIME) + since_spike
            if age < 0:  # both were fired in one step, and there is no dendritic delay
                pre = at_spike
            else:
                age = min(age, oldest)
                low_part = load_looked_up(Pre, lows, age & (n_low - 1), n_low)
                pre = product(after, product(low_part, load_looked_up(Pre, highs, age >> g.bits, g.n_high)))
            w, post = own(weights, a), load_looked_up(Post, values, entry * g.n_y, 1)
            put(weights, a, kind(bound(w, on_post(w / w_ref, pre, post, p) * w_ref, low, high)))
        begin = last


@register_jitable
def _reach(g, k):
    """Steps from a postsynaptic spike to those presynaptic spikes that are the first to be served after it."""
    return at(g.reach, int64, g.n_delays)[k]


@functools.cache
def visit_op(rule: Any, bounds: str, dtype: Any, small: bool, many: bool) -> Any:
    """Deliver the spikes that arrive now: replay postsynaptic spikes, apply `on_pre`, add the weight to the input of
    the target.

    small: places fit into 16 bits; many: synapses do not into 32.
    """
    on_pre, on_post, bound = rule.on_pre, rule.on_post, BOUNDS[bounds]
    Params, Pre, Post = rule.Params, rule.Pre, rule.Post
    n_params, changes, replays = len(Params._fields), on_pre is not None, on_post is not None
    kind, slot, place = real(dtype), uint16 if small else uint32, int64 if many else uint32
    for function in (on_pre, on_post, bound):
        if function is not None:
            hook(function)
    with cache_for(rule) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def visit(address, step):
            g = context(ReplayContext, address)
            delays, dendritic = at(g.delays, int64, g.n_delays), at(g.dendritic, int64, g.n_delays)
            begins, slots = at(g.begins, place, g.n_begins), at(g.slots, slot, g.n_synapses)
            weights, numbers = at(g.weights, kind, g.n_synapses), at(g.params, kind, n_params + 1)
            p, w_ref = load(Params, numbers, 0, 1), numbers[n_params]
            low, high = p.w_min * w_ref, p.w_max * w_ref
            x, y = at(g.x, kind, g.ring * g.n_x * g.x_stride), at(g.y, kind, g.ring * g.n_y * g.n_target)
            fired = at(g.fired, int64, g.n_rows)
            after, before = at(g.after, kind, g.n_x * g.n_rows), at(g.before, kind, g.n_x * g.n_rows)
            ids, counts = at(g.spike_ids, int32, g.ring * g.row_size), at(g.counts, int32, g.ring * g.n_threads)
            starts, since = at(g.starts, int64, g.n_threads), at(g.since, int64, 1)[0]
            inputs = at(g.inputs + (step % g.input_rows) * g.row_bytes, kind, g.lo + g.n_local)[g.lo :]
            for k in range(g.n_delays):
                t, now = step - delays[k], step - dendritic[k]
                if t < 0 or now > g.limit:
                    continue
                x_row, x_next = (t % g.ring) * g.n_x * g.x_stride, ((t + 1) % g.ring) * g.n_x * g.x_stride
                y_row = ((now - dendritic[k]) % g.ring) * g.n_y * g.n_target + g.lo
                for thread in range(g.n_threads):
                    first = (t % g.ring) * g.row_size + starts[thread]
                    last = first + counts[(t % g.ring) * g.n_threads + thread]
                    for q in range(first, last):
                        i = ids[q]
                        begin, end = row_of(begins, i, g.n_delays, k)
                        if q + AHEAD < last:
                            ask_for(slots, weights, *row_of(begins, ids[q + AHEAD], g.n_delays, k))
                        if begin == end:
                            continue
                        if replays:
                            until = step - _reach(g, k)
                            _replay(on_post, bound, Pre, Post, g, kind, slot, place, p, w_ref, k, i, until)
                        row = k * g.n_source + i
                        fired[row] = t + 1
                        for c in range(g.n_x):
                            after[c * g.n_rows + row] = x[x_next + c * g.x_stride + i]
                            before[c * g.n_rows + row] = x[x_row + c * g.x_stride + i]
                        if changes and now >= since:
                            pre = load(Pre, x, x_row + i, g.x_stride)
                            for a in range(begin, end):
                                post = load_looked_up(Post, y, y_row + int64(looked_up(slots, a)), g.n_target)
                                w = own(weights, a)
                                new = on_pre(w / w_ref, pre, post, p) * w_ref
                                put(weights, a, kind(bound(w, new, low, high)))
                        if g.delivers != 0:
                            add_weights(inputs, slots, weights, begin, end)

    return visit


@functools.cache
def remember_op(rule: Any, bounds: str, dtype: Any, small: bool, many: bool) -> Any:
    """Enter the spikes of this step into the history; where it is full, first visit every synapse.

    With `settles` in the context, only let every synapse meet what has reached it by the end of this step (REACHED), or
    what was served by then (SERVED).
    """
    on_post, bound = hook(rule.on_post), hook(BOUNDS[bounds])
    Params, Pre, Post = rule.Params, rule.Pre, rule.Post
    n_params = len(Params._fields)
    kind, slot, place = real(dtype), uint16 if small else uint32, int64 if many else uint32
    with cache_for(rule) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def remember(address, step):
            g = context(ReplayContext, address)
            state, row = at(g.state, int64, 3), step % g.ring
            first = row * g.post_row_size + g.post_start
            last = first + at(g.post_counts, int32, g.ring * g.n_threads)[row * g.n_threads + g.thread]
            full = state[HEAD] + last - first > max(g.few, state[FULL]) or step - state[ORIGIN] >= FAR
            if full or g.settles != 0:
                numbers, swept = at(g.params, kind, n_params + 1), at(g.swept, int64, g.n_delays)
                p, w_ref, dendritic = load(Params, numbers, 0, 1), numbers[n_params], at(g.dendritic, int64, g.n_delays)
                for k in range(g.n_delays):
                    until = step - (dendritic[k] if g.settles == REACHED else _reach(g, k))
                    for i in range(g.n_source):
                        _replay(on_post, bound, Pre, Post, g, kind, slot, place, p, w_ref, k, i, until)
                    swept[k] = max(swept[k], until + _reach(g, k))
            if g.settles == 0:
                if full:
                    _begin_anew(g, kind, step)
                _enter(g, kind, step, first, last)

    return remember


@register_jitable
def _enter(g, kind, step, first, last):
    """Enter the spikes at places first to before last into the history."""
    state, latest = at(g.state, int64, 3), at(g.latest, int32, 2 * g.n_local)
    entries, values = at(g.entries, int32, ENTRY * g.room), at(g.values, kind, g.n_y * g.room)
    ids, y = at(g.post_ids, int32, g.ring * g.post_row_size), at(g.y, kind, g.ring * g.n_y * g.n_target)
    head, time, y_row = state[HEAD], step + 1 - state[ORIGIN], (step % g.ring) * g.n_y * g.n_target
    for q in range(first, last):
        j = ids[q] - g.lo
        entries[ENTRY * head + TIME] = time
        entries[ENTRY * head + TIME_BEFORE] = latest[2 * j]
        entries[ENTRY * head + BEFORE] = latest[2 * j + 1]
        latest[2 * j], latest[2 * j + 1] = time, head
        for c in range(g.n_y):
            values[head * g.n_y + c] = y[y_row + c * g.n_target + ids[q]]
        head += 1
    state[HEAD] = head


@register_jitable
def _begin_anew(g, kind, step):
    """Keep of the history what has not reached all synapses by `step`; times then count from where that begins."""
    state, latest = at(g.state, int64, 3), at(g.latest, int32, 2 * g.n_local)
    entries, values = at(g.entries, int32, ENTRY * g.room), at(g.values, kind, g.n_y * g.room)
    origin = max(step - g.furthest, state[ORIGIN])
    earlier, gone = origin - state[ORIGIN], 0
    while gone < state[HEAD] and entries[ENTRY * gone + TIME] + state[ORIGIN] - 1 <= step - g.furthest:
        gone += 1
    for q in range(gone, state[HEAD]):
        there = ENTRY * (q - gone)
        entries[there + TIME] = entries[ENTRY * q + TIME] - earlier
        entries[there + TIME_BEFORE] = max(entries[ENTRY * q + TIME_BEFORE] - earlier, 0)
        entries[there + BEFORE] = entries[ENTRY * q + BEFORE] - gone
    for q in range(gone * g.n_y, state[HEAD] * g.n_y):
        values[q - gone * g.n_y] = values[q]
    for j in range(g.n_local):
        latest[2 * j] = max(latest[2 * j] - earlier, 0)
        latest[2 * j + 1] -= gone
    state[HEAD], state[ORIGIN] = state[HEAD] - gone, origin
    state[FULL] = 2 * state[HEAD]
