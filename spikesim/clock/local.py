"""Operations on plastic synapses with a memory of their own: traces that are kept at the synapse, and variables.

They do what those of `spikesim.clock.plasticity` do, at the same times. Before anything happens to a synapse, it is
brought to that time: weight and variables by the rule's `between` or by decay, traces by taking up what the last
spikes owe them and by decay. A spike's effect on traces is owed until time has passed, so that simultaneous spikes do
not see each other; where one side comes first (`coincident`), it is taken up when the other side's spike is served.
"""

from __future__ import annotations

import functools
import math
from collections import namedtuple
from typing import Any

from numba import cfunc, float64, int32, int64
from numba.extending import register_jitable

from spikesim.clock.neurons import real
from spikesim.clock.plasticity import SHARED
from spikesim.jit import cache_for, hook
from spikesim.lowlevel import OPERATION, at, context, load, store
from spikesim.plasticity import BOUNDS

#: `rows` begins each slice of synapses of a neuron (numbered from `lo`) and delay; `ends` is where they lead to, or
#: come from if `index` finds them. `due` (2, n_due): steps of the last events, and how many there were in each.
LocalContext = namedtuple(
    "LocalContext",
    SHARED + "x_here y_here s_here last n_last rates_x rates_y rates_s keep_x keep_y hold_x hold_y n_s dt "
    "rows n_rows lo index n_index ends inputs n_inputs input_rows row_bytes acts delivers late due n_due "
    "spike_ids row_size starts counts n_threads first_thread last_thread",
)

# Rows of the bookkeeping `last` (rows, synapses): step of the last event, increments and resets it still owes to
# traces at the synapse. Without such traces there is only the first.
STEP, BUMP_X, RESET_X, BUMP_Y, RESET_Y = range(5)
OVER_DENDRITE, AT_ONCE, ALL = range(3)  # `late`: serve post spikes with a dendritic delay, without one, or all

#: What synapses keep and how it changes with time: arrays with a column for each of `m` synapses, rates for each row.
Memory = namedtuple("Memory", "weights x y s last rates_x rates_y rates_s keep_x keep_y hold_x hold_y m since dt")


@register_jitable
def _memory(g, kind, n_x, n_y):
    m = g.n_synapses
    return Memory(
        at(g.weights, kind, m),
        at(g.x_here, kind, n_x * m),
        at(g.y_here, kind, n_y * m),
        at(g.s_here, kind, g.n_s * m),
        at(g.last, int64, g.n_last),
        at(g.rates_x, float64, n_x),
        at(g.rates_y, float64, n_y),
        at(g.rates_s, float64, g.n_s),
        at(g.keep_x, float64, n_x),
        at(g.keep_y, float64, n_y),
        at(g.hold_x, float64, n_x),
        at(g.hold_y, float64, n_y),
        m,
        at(g.since, int64, 1)[0],  # weights were set then; what had arrived before no longer counts
        at(g.dt, float64, 1)[0],
    )


@register_jitable
def _settle(z, a, m, rates, keep, hold, last, bump, reset, passed):
    """Let the traces of one side at synapse `a` take up what the last events owe, then decay. Own spikes leave `keep`
    of the old value, the other side's `hold`."""
    for k in range(len(rates)):
        value = z[k * m + a]
        if last[reset * m + a] != 0:
            value *= hold[k]
        for _ in range(last[bump * m + a]):
            value = value * keep[k] + 1.0
        z[k * m + a] = value * math.exp(-passed * rates[k])


@register_jitable
def _settle_both(h, a, passed):
    _settle(h.x, a, h.m, h.rates_x, h.keep_x, h.hold_x, h.last, BUMP_X, RESET_X, passed)
    _settle(h.y, a, h.m, h.rates_y, h.keep_y, h.hold_y, h.last, BUMP_Y, RESET_Y, passed)
    for row in (BUMP_X, RESET_X, BUMP_Y, RESET_Y):
        h.last[row * h.m + a] = 0


@register_jitable
def _decay(h, a, passed):
    """Let the variables of synapse `a` decay."""
    for k in range(len(h.rates_s)):
        h.s[k * h.m + a] *= math.exp(-passed * h.rates_s[k])


@register_jitable
def _bounded(bound, w, after, p, w_ref):
    return bound(w, after * w_ref, p.w_min * w_ref, p.w_max * w_ref)


@register_jitable
def _rest(between, bound, Synapse, h, a, passed, p, w_ref):
    """Let the rule's `between` have its effect; on the weight only since it was last set from outside, at the end of
    the step before `since`."""
    before = min(max(h.since - 1 - h.last[STEP * h.m + a], 0), passed)
    if before > 0:
        after = between(h.weights[a] / w_ref, load(Synapse, h.s, a, h.m), before * h.dt, p)
        store(h.s, a, h.m, after[1:])
    if passed > before:
        w = h.weights[a]
        after = between(w / w_ref, load(Synapse, h.s, a, h.m), (passed - before) * h.dt, p)
        store(h.s, a, h.m, after[1:])
        h.weights[a] = _bounded(bound, w, after[0], p, w_ref)


@register_jitable
def _change(react, bound, Synapse, h, a, counts, pre, post, p, w_ref):
    """Let a hook change the variables and, if it `counts`, the weight."""
    w = h.weights[a]
    after = react(w / w_ref, pre, post, p, load(Synapse, h.s, a, h.m))
    store(h.s, a, h.m, after[1:])
    if counts:
        h.weights[a] = _bounded(bound, w, after[0], p, w_ref)


@register_jitable
def _change_weight(react, bound, h, a, counts, pre, post, p, w_ref):
    """The same for a rule without variables."""
    if counts:
        w = h.weights[a]
        h.weights[a] = _bounded(bound, w, react(w / w_ref, pre, post, p), p, w_ref)


@functools.cache
def local_op(rule: Any, name: str, bounds: str, local_x: bool, local_y: bool, ordered: bool, dtype: Any) -> Any:
    """Apply the hook `name` to the synapses that something reaches now: "on_pre" on the way of delivering spikes,
    "on_post" where a postsynaptic spike gets to, or the hook of an event to all. "rest" only brings all to now.

    `local_x`, `local_y`: pre- or postsynaptic traces are kept at the synapse. `ordered`: spikes of one side come first.
    """
    react, between, bound = getattr(rule, name, None), rule.between, BOUNDS[bounds]
    Params, Pre, Post, Synapse = rule.Params, rule.Pre, rule.Post, rule.Synapse
    n_params, stateful, local = len(Params._fields), bool(rule.synapse), local_x or local_y
    reacting, resting = react is not None, between is not None
    by_pre, by_post, rests = name == "on_pre", name == "on_post", name == "rest"
    by_spikes, resets = by_pre or by_post, local_y if by_pre else local_x
    own, reset, other = (BUMP_X, RESET_Y, BUMP_Y) if by_pre else (BUMP_Y, RESET_X, BUMP_X)
    kind = real(dtype)
    for function in (react, between, bound):
        if function is not None:
            hook(function)
    with cache_for(rule) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def serve(address, step):
            g = context(LocalContext, address)
            h = _memory(g, kind, g.n_x if local_x else 0, g.n_y if local_y else 0)
            m, last = g.n_synapses, h.last
            delays, dendritic = at(g.delays, int64, g.n_delays), at(g.dendritic, int64, g.n_delays)
            rows, index, ends = at(g.rows, int64, g.n_rows), at(g.index, int32, g.n_index), at(g.ends, int32, m)
            inputs = at(g.inputs + (step % g.input_rows) * g.row_bytes, kind, g.n_inputs)
            ids, counts = at(g.spike_ids, int32, g.ring * g.row_size), at(g.counts, int32, g.ring * g.n_threads)
            starts, due = at(g.starts, int64, g.n_threads), at(g.due, int64, 2 * g.n_due)
            numbers = at(g.params, kind, n_params + 1)
            p, w_ref = load(Params, numbers, 0, 1), numbers[n_params]
            x, y = at(g.x, kind, g.ring * g.n_x * g.n_source), at(g.y, kind, g.ring * g.n_y * g.n_target)
            for k in range(g.n_delays):
                now = step - dendritic[k]
                fired_pre, fired_post = step - delays[k], now - dendritic[k]
                if now < 0 or now > g.limit:
                    continue
                if by_pre and fired_pre < 0:
                    continue
                if by_post and (fired_post < 0 or g.late != ALL and (dendritic[k] == 0) != (g.late == AT_ONCE)):
                    continue
                times = 1
                if not by_spikes and not rests:
                    times = due[g.n_due + now % g.n_due] if due[now % g.n_due] == now else 0
                row = (fired_pre if by_pre else fired_post) % g.ring
                x_row = (fired_pre % g.ring) * g.n_x * g.n_source
                y_row = (fired_post % g.ring) * g.n_y * g.n_target
                for t in range(g.first_thread, g.last_thread):
                    first, stop = 0, times * ((g.n_rows - 1) // g.n_delays)
                    if by_spikes:
                        first = row * g.row_size + starts[t]
                        stop = first + counts[row * g.n_threads + t]
                    for q in range(first, stop):
                        n = ids[q] if by_spikes else q // times
                        slice_ = (n - g.lo) * g.n_delays + k
                        for b in range(rows[slice_], rows[slice_ + 1]):
                            a = index[b] if by_post else b
                            passed = now - last[a]
                            if passed > 0:
                                if local:
                                    _settle_both(h, a, passed)
                                if resting:
                                    _rest(between, bound, Synapse, h, a, passed, p, w_ref)
                                elif stateful:
                                    _decay(h, a, passed)
                                last[a] = now
                            elif ordered and by_spikes and last[other * m + a] != 0:
                                _settle_both(h, a, 0)
                            if reacting and g.acts != 0:
                                if local_x:
                                    pre = load(Pre, h.x, a, m)
                                else:
                                    pre = load(Pre, x, x_row + (ends[a] if by_post else n), g.n_source)
                                if local_y:
                                    post = load(Post, h.y, a, m)
                                else:
                                    post = load(Post, y, y_row + (n if by_post else ends[a]), g.n_target)
                                if stateful:
                                    _change(react, bound, Synapse, h, a, now >= h.since, pre, post, p, w_ref)
                                else:
                                    _change_weight(react, bound, h, a, now >= h.since, pre, post, p, w_ref)
                            if local and by_spikes and g.acts != 0:
                                last[own * m + a] += 1
                                if resets:
                                    last[reset * m + a] = 1
                            if by_pre and g.delivers != 0:
                                inputs[ends[a]] += h.weights[a]

    return serve
