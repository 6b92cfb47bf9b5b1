"""Operations that change weights: `on_pre` where a spike is delivered, `on_post` through a transposed index.

A synapse with delay d of which dend steps are dendritic is served dend steps late: the presynaptic spike of step
s - d when its potential arrives, at s, and the postsynaptic spike of step s - 2 dend; both reach the synapse at
s - dend. So a hook reads the presynaptic traces as they were at s - d and the postsynaptic ones at s - 2 dend, the
potential carries the weight that `on_pre` left, and no thread needs a spike before the others had time to tell.
Events that have reached the synapse but were not served yet are applied to a copy when weights are read.

Here synapses have no memory but their weight; those that have are served by `spikesim.clock.local`.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import Any

from numba import cfunc, int32, int64

from spikesim.clock.neurons import real
from spikesim.jit import cache_for, hook
from spikesim.lowlevel import OPERATION, at, context, load
from spikesim.plasticity import BOUNDS

#: What both directions share. `x`, `y` are rings of readable traces.
SHARED = "delays dendritic n_delays n_synapses weights params limit since x n_source y n_target n_x n_y ring "
#: What else a presynaptic and a postsynaptic spike need.
PRE = "rows n_rows targets inputs n_inputs input_rows row_bytes delivers spike_ids row_size starts counts n_threads"
POST = "late rows n_rows index sources lo spike_ids row_size start counts n_threads thread"
PreContext, PostContext = namedtuple("PreContext", SHARED + PRE), namedtuple("PostContext", SHARED + POST)

NEVER = 1 << 62  # a `limit` that lets every event be served


@functools.cache
def pre_op(rule: Any, bounds: str, dtype: Any) -> Any:
    """Deliver the spikes that arrive now through plastic synapses, applying the rule's `on_pre` on the way."""
    on_pre, bound = rule.on_pre, BOUNDS[bounds]
    Params, Pre, Post = rule.Params, rule.Pre, rule.Post
    n_params, changes = len(Params._fields), on_pre is not None
    kind = real(dtype)
    for function in (on_pre, bound):
        if function is not None:
            hook(function)
    with cache_for(rule) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def deliver_plastic(address, step):
            g = context(PreContext, address)
            m = g.n_synapses
            delays, dendritic = at(g.delays, int64, g.n_delays), at(g.dendritic, int64, g.n_delays)
            rows, targets, weights = (
                at(g.rows, int64, g.n_rows),
                at(g.targets, int32, m),
                at(g.weights, kind, m),
            )
            inputs = at(g.inputs + (step % g.input_rows) * g.row_bytes, kind, g.n_inputs)
            ids, counts = (
                at(g.spike_ids, int32, g.ring * g.row_size),
                at(g.counts, int32, g.ring * g.n_threads),
            )
            starts = at(g.starts, int64, g.n_threads)
            numbers = at(g.params, kind, n_params + 1)
            p, w_ref = load(Params, numbers, 0, 1), numbers[n_params]
            x, y = at(g.x, kind, g.ring * g.n_x * g.n_source), at(g.y, kind, g.ring * g.n_y * g.n_target)
            since = at(g.since, int64, 1)[0]  # weights were set then; what had arrived before no longer counts
            for k in range(g.n_delays):
                now = step - dendritic[k]
                if delays[k] > step or now > g.limit:
                    continue
                changing = changes and now >= since
                row = (step - delays[k]) % g.ring
                x_row = row * g.n_x * g.n_source
                y_row = ((now - dendritic[k]) % g.ring) * g.n_y * g.n_target
                for t in range(g.n_threads):
                    first = row * g.row_size + starts[t]
                    for q in range(first, first + counts[row * g.n_threads + t]):
                        i = ids[q]
                        slice_ = i * g.n_delays + k
                        for a in range(rows[slice_], rows[slice_ + 1]):
                            j = targets[a]
                            w = weights[a]
                            if changing:
                                pre = load(Pre, x, x_row + i, g.n_source)
                                post = load(Post, y, y_row + j, g.n_target)
                                w = kind(
                                    bound(
                                        w,
                                        on_pre(w / w_ref, pre, post, p) * w_ref,
                                        p.w_min * w_ref,
                                        p.w_max * w_ref,
                                    )
                                )
                                weights[a] = w
                            if g.delivers != 0:
                                inputs[j] += w

    return deliver_plastic


@functools.cache
def post_op(rule: Any, bounds: str, dtype: Any) -> Any:
    """Apply the rule's `on_post` to the synapses that a postsynaptic spike reaches now.

    `late` in the context chooses between synapses with a dendritic delay (0) and those without (1).
    """
    on_post, bound = rule.on_post, BOUNDS[bounds]
    Params, Pre, Post = rule.Params, rule.Pre, rule.Post
    n_params, changes = len(Params._fields), on_post is not None
    kind = real(dtype)
    for function in (on_post, bound):
        if function is not None:
            hook(function)
    with cache_for(rule) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def back_propagate(address, step):
            g = context(PostContext, address)
            m = g.n_synapses
            delays, dendritic = at(g.delays, int64, g.n_delays), at(g.dendritic, int64, g.n_delays)
            rows, index, sources = at(g.rows, int64, g.n_rows), at(g.index, int32, m), at(g.sources, int32, m)
            weights = at(g.weights, kind, m)
            ids, counts = (
                at(g.spike_ids, int32, g.ring * g.row_size),
                at(g.counts, int32, g.ring * g.n_threads),
            )
            numbers = at(g.params, kind, n_params + 1)
            p, w_ref = load(Params, numbers, 0, 1), numbers[n_params]
            x, y = at(g.x, kind, g.ring * g.n_x * g.n_source), at(g.y, kind, g.ring * g.n_y * g.n_target)
            since = at(g.since, int64, 1)[0]  # weights were set then; what had arrived before no longer counts
            for k in range(g.n_delays):
                now = step - dendritic[k]
                emitted = now - dendritic[k]
                if (dendritic[k] == 0) != (g.late != 0) or emitted < 0 or now > g.limit:
                    continue
                changing = changes and now >= since
                row = emitted % g.ring
                x_row = ((step - delays[k]) % g.ring) * g.n_x * g.n_source
                y_row = row * g.n_y * g.n_target
                first = row * g.row_size + g.start
                for q in range(first, first + counts[row * g.n_threads + g.thread]):
                    j = ids[q]
                    slice_ = (j - g.lo) * g.n_delays + k
                    for b in range(rows[slice_], rows[slice_ + 1]):
                        a = index[b]
                        w = weights[a]
                        if changing:
                            pre = load(Pre, x, x_row + sources[a], g.n_source)
                            post = load(Post, y, y_row + j, g.n_target)
                            weights[a] = kind(
                                bound(
                                    w,
                                    on_post(w / w_ref, pre, post, p) * w_ref,
                                    p.w_min * w_ref,
                                    p.w_max * w_ref,
                                )
                            )

    return back_propagate
