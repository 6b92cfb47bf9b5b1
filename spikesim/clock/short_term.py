"""The operation that settles, when a neuron fires, how much of their weights its synapses release."""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import cfunc, int32, int64

from spikesim.clock.contexts import Context
from spikesim.clock.neurons import real
from spikesim.clock.rings import resized_ring, widened_ring
from spikesim.jit import cache_for, hook
from spikesim.lowlevel import OPERATION, at, context, load, store

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.projection import Projection
    from spikesim.short_term import ShortTermRule

NEVER = -1  # in `last`: a neuron that has not fired yet

ReleaseContext = namedtuple(
    "ReleaseContext",
    "state n last params dt amplitudes ring spike_ids row_size start counts n_threads thread",
)


def prepare(projection: Projection, rule: ShortTermRule) -> None:
    """Give the projection the arrays that the rule needs, unless it has them."""
    arrays, network, source = projection.arrays, projection.network, projection.source
    if "short_term/last" not in arrays:
        arrays["short_term/state"] = np.empty((len(rule.state), source.n_padded), dtype=network.dtype)
        arrays["short_term/last"] = np.empty(source.n_padded, dtype=np.int64)
        reset(projection, rule)


def lay_out(projection: Projection, engine: ClockEngine) -> None:
    """A ring of amplitudes, in the places where the ring of spikes has the spikes."""
    arrays, source, name = projection.arrays, projection.source, "short_term/amplitudes"
    shape = source.arrays["spike_ids"].shape
    if name not in arrays:
        arrays[name] = np.ones(shape, dtype=projection.network.dtype)
    if len(arrays[name]) != shape[0]:
        arrays[name] = resized_ring(arrays[name], shape[0], projection.network.step)
    if arrays[name].shape != shape:
        arrays[name] = widened_ring(arrays[name], shape[1], source.n_padded, engine.ranges[source.index])


def reset(projection: Projection, rule: ShortTermRule) -> None:
    """No spike yet."""
    projection.arrays["short_term/state"][:] = np.array(rule.initial())[:, None]
    projection.arrays["short_term/last"][:] = NEVER


def operation(projection: Projection, rule: ShortTermRule, engine: ClockEngine, thread: int) -> tuple[int, Context]:
    """What each step of a thread has to do for the spikes of its own neurons."""
    arrays, dtype = projection.arrays, projection.network.dtype
    kind: Any = type(rule)
    return release_op(kind, dtype).address, Context(
        ReleaseContext, state=arrays["short_term/state"], n=projection.source.n_padded,
        last=arrays["short_term/last"], params=np.array(rule.hook_params(), dtype=dtype),
        dt=np.array([projection.network.dt], dtype=dtype), amplitudes=arrays["short_term/amplitudes"],
        **engine.own_spikes(projection.source, thread),
    )  # fmt: skip


@functools.cache
def release_op(rule: Any, dtype: Any) -> Any:
    """Let each spike of this thread and step release, and keep its amplitude beside it."""
    release, first_release, State, Params = hook(rule.release), hook(rule.first), rule.State, rule.Params
    n_state, n_params = len(State._fields), len(Params._fields)
    kind = real(dtype)
    with cache_for(rule) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def operate(address, step):
            g = context(ReleaseContext, address)
            row = step % g.ring
            ids, size = at(g.spike_ids, int32, g.ring * g.row_size), g.ring * g.row_size
            amplitudes, last = at(g.amplitudes, kind, size), at(g.last, int64, g.n)
            state, p = at(g.state, kind, n_state * g.n), load(Params, at(g.params, kind, n_params), 0, 1)
            dt = at(g.dt, kind, 1)[0]
            first = row * g.row_size + g.start
            for q in range(first, first + at(g.counts, int32, g.ring * g.n_threads)[row * g.n_threads + g.thread]):
                i = ids[q]
                s = load(State, state, i, g.n)
                if last[i] == NEVER:
                    after, amplitude = first_release(s, p)
                else:
                    after, amplitude = release(s, (step - last[i]) * dt, p)
                store(state, i, g.n, after)
                amplitudes[q], last[i] = amplitude, step

    return operate
