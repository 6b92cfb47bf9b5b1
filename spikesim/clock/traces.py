"""Operations on traces: decay, read, increment, once per neuron and step.

`z` holds two exponentials per trace and the trace is their difference (the second is 0 for a plain trace). After
the spikes of step s were taken up and decayed, the values are what a hook at step s + 1 may read; they are kept in
a ring of rows, so that a synapse can read them as they were when they left the neuron.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import Any

from numba import cfunc, float64, int32
from numba.extending import register_jitable

from spikesim.clock.neurons import real
from spikesim.jit import cache_for, hook
from spikesim.lowlevel import OPERATION, at, context, load

TraceContext = namedtuple(
    "TraceContext",
    "lo hi n n_traces z decay bump keep amount history width ring spike_ids row_size start counts n_threads thread",
)
JumpContext = namedtuple(
    "JumpContext", "n n_traces k amount history width params ring spike_ids row_size start counts n_threads thread"
)


@register_jitable
def _part(array, k, n, g):
    """This thread's part of row k of an array with rows of n. Indices from 0 are what lets loops vectorise."""
    return array[k * n + g.lo : k * n + g.hi]


@functools.cache
def trace_op(dtype: Any, jumping: bool, paired: bool) -> Any:
    """Decay, read and increment the traces of one thread's neurons.

    Rows of readable values go to the ring `history` (ring, width, n), the first n_traces of each `width`.
    `jumping`: a spike adds what `amount` (n_traces, n) says, in place of 1.
    `paired`: some trace has a second exponential, which is 0 otherwise.
    `z`, `decay`, `bump` are (2, n_traces, ...): the two exponentials.
    """
    kind = real(dtype)
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def traces(address, step):
            g = context(TraceContext, address)
            n, m = g.n, g.n_traces
            z = at(g.z, kind, 2 * m * n)
            decay, bump, keep = (
                at(g.decay, float64, 2 * m),
                at(g.bump, float64, 2 * m),
                at(g.keep, float64, m),
            )
            row = step % g.ring
            spikes = at(g.spike_ids, int32, g.ring * g.row_size)
            amount = at(g.amount, kind, m * n)
            first = row * g.row_size + g.start
            count = at(g.counts, int32, g.ring * g.n_threads)[row * g.n_threads + g.thread]
            for k in range(m):
                rise, fall, left = kind(bump[k]), kind(bump[m + k]), kind(keep[k])
                for q in range(first, first + count):
                    i = k * n + spikes[q]
                    size = amount[i] if jumping else kind(1.0)
                    z[i] = z[i] * left + rise * size
                    if paired:
                        z[m * n + i] = z[m * n + i] * left + fall * size
            for k in range(2 * m if paired else m):
                factor, values = kind(decay[k]), _part(z, k, n, g)
                for i in range(len(values)):
                    values[i] *= factor
            history = at(g.history, kind, g.ring * g.width * n)
            later = ((step + 1) % g.ring) * g.width
            for k in range(m):
                slow, fast, seen = _part(z, k, n, g), _part(z, m + k, n, g), _part(history, later + k, n, g)
                for i in range(len(seen)):
                    seen[i] = slow[i] - fast[i] if paired else slow[i]

    return traces


@functools.cache
def jump_op(rule: Any, name: str, dtype: Any) -> Any:
    """Find out what a spike of this step adds to the trace `name`, the k-th of its side: the rule's `jump_<name>` of
    all traces of the neuron, as they were just before."""
    jump, Own, Params = hook(getattr(rule, f"jump_{name}")), getattr(rule, rule.traces[name].side.title()), rule.Params
    n_params, kind = len(Params._fields), real(dtype)
    with cache_for(rule) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def jumps(address, step):
            g = context(JumpContext, address)
            n, m = g.n, g.n_traces
            p = load(Params, at(g.params, kind, n_params), 0, 1)
            amount, history = at(g.amount, kind, m * n), at(g.history, kind, g.ring * g.width * n)
            row = step % g.ring
            spikes = at(g.spike_ids, int32, g.ring * g.row_size)
            first = row * g.row_size + g.start
            count = at(g.counts, int32, g.ring * g.n_threads)[row * g.n_threads + g.thread]
            for q in range(first, first + count):
                i = spikes[q]
                amount[g.k * n + i] = jump(load(Own, history, row * g.width * n + i, n), p)

    return jumps
