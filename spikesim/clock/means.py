"""Traces of which nothing but the mean between two named events is ever read.

Such a trace consists of exponentials z that a spike raises by a, which is decayed once by the end of its step:

    z(s + 1) = d z(s) + g(s),  so  z(s0) + ... + z(s1 - 1) = (z(s0) + g(s0) + ... + g(s1 - 1) - z(s1)) / (1 - d)

All that has to be done for a spike is to add it up twice: as g, and for z as a number that is to decay from some step
on that is common to all neurons, so that who does not spike is not touched. That is in double precision always.

A trace with a memory forgets a spike when that time has passed: then what is left of it, in z as in the sum of g, is
taken away by an operation that looks at the spikes of so many steps ago.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import cfunc, float64, int32, int64
from numba.extending import register_jitable

from spikesim.clock.contexts import Context
from spikesim.clock.neurons import real
from spikesim.errors import SpikesimError
from spikesim.jit import cache_for
from spikesim.lowlevel import OPERATION, at, context, looked_up, own, put
from spikesim.plasticity import TraceSpec

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.projection import Projection

#: What a trace has decayed to when it is as good as none: less than any sum that it may be part of would notice.
FORGOTTEN = {np.dtype(np.float64): 1e-18, np.dtype(np.float32): 1e-10}
GROWTH = 1e12  # by which what a spike adds may grow before all is brought up to date

#: sums: (n, 2 parts), for each neuron its exponentials ("parts") as they were at step `since`, then the sums of g.
#: grow, left: (parts, n_powers), what a spike adds, and what is left, so many steps after `since`. gain: what a spike
#: adds to the sum of g. traces: which trace a part belongs to. opened: whether the mean is being taken, since when.
MeanContext = namedtuple(
    "MeanContext",
    "n n_parts n_traces sums mean since gain keep share least grow left n_powers traces opened lag lo hi "
    "ring spike_ids row_size start counts n_threads thread",
)


@register_jitable
def _bring_up_to_date(g, step, parts):
    """Let the exponentials of these neurons be those at `step`."""
    since = at(g.since, int64, g.n)
    if g.lo == g.hi or since[g.lo] == step:
        return
    sums, left, least = (
        at(g.sums, float64, g.n * 2 * parts),
        at(g.left, float64, parts * g.n_powers),
        at(g.least, float64, parts),
    )
    passed = min(step - since[g.lo], g.n_powers - 1)
    for i in range(g.lo, g.hi):
        for part in range(parts):
            value = own(sums, i * 2 * parts + part) * looked_up(left, part * g.n_powers + passed)
            put(sums, i * 2 * parts + part, value if value > looked_up(least, part) else 0.0)
        put(since, i, step)


@functools.cache
def spike_op(n_parts: int, nearest: bool) -> Any:
    """Take up the spikes of a step. nearest: a spike leaves only a part of the trace, for some traces."""
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def take_up(address, step):
            g = context(MeanContext, address)
            if g.lag > step:
                return
            row = (step - g.lag) % g.ring
            spikes = at(g.spike_ids, int32, g.ring * g.row_size)
            first = row * g.row_size + g.start
            last = first + at(g.counts, int32, g.ring * g.n_threads)[row * g.n_threads + g.thread]
            since = at(g.since, int64, g.n)[min(g.lo, g.n - 1)]
            if step - since >= g.n_powers - 1:
                _bring_up_to_date(g, step, n_parts)
                since = step
            sums, gain, keep = (
                at(g.sums, float64, g.n * 2 * n_parts),
                at(g.gain, float64, n_parts),
                at(g.keep, float64, n_parts),
            )
            grow, left = at(g.grow, float64, n_parts * g.n_powers), at(g.left, float64, n_parts * g.n_powers)
            for q in range(first, last):
                here = int64(looked_up(spikes, q)) * 2 * n_parts
                for part in range(n_parts):
                    now, total = here + part, here + n_parts + part
                    place = part * g.n_powers + step - since
                    if nearest:
                        lost = own(sums, now) * (1.0 - looked_up(keep, part))
                        put(sums, now, own(sums, now) - lost)
                        share = looked_up(gain, part) / looked_up(grow, part * g.n_powers)
                        put(sums, total, own(sums, total) - lost * looked_up(left, place) * share)
                    put(sums, now, own(sums, now) + looked_up(grow, place))
                    put(sums, total, own(sums, total) + looked_up(gain, part))

    return take_up


@functools.cache
def window_op(n_parts: int, dtype: Any, closes: bool) -> Any:
    """Begin to take the mean at a step; or end it, so that the mean is that of the steps before this one."""
    kind = real(dtype)
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def turn(address, step):
            g = context(MeanContext, address)
            opened = at(g.opened, int64, 2)
            if closes and opened[0] == 0:
                return
            _bring_up_to_date(g, step, n_parts)
            sums, mean = at(g.sums, float64, g.n * 2 * n_parts), at(g.mean, kind, g.n_traces * g.n)
            share, traces, steps = at(g.share, float64, n_parts), at(g.traces, int64, n_parts), max(1, step - opened[1])
            for i in range(g.lo, g.hi):
                here = i * 2 * n_parts
                for part in range(n_parts):
                    if closes:
                        gained = looked_up(sums, here + n_parts + part) - looked_up(sums, here + part)
                        place = looked_up(traces, part) * g.n + i
                        first = part == 0 or looked_up(traces, part) != looked_up(traces, part - 1)
                        before = kind(0.0) if first else own(mean, place)
                        put(mean, place, before + kind(looked_up(share, part) * gained / steps))
                    else:
                        put(sums, here + n_parts + part, own(sums, here + part))
            opened[0], opened[1] = int64(not closes), step

    return turn


class MeanBlock:
    """The averaged traces of one side of a projection."""

    def __init__(self, projection: Projection, side: str, specs: list[TraceSpec]) -> None:
        self.population = projection.source if side == "pre" else projection.target
        network, n, self.specs = projection.network, self.population.n_padded, specs
        assert all(spec.mean_over for spec in specs)
        self.windows = {spec.mean_over for spec in specs if spec.mean_over}
        taus = np.array([tau for s in specs for tau in s.taus])
        self.n_parts = len(taus)
        raised = np.array([1.0 if len(s.taus) == 1 else 1.0 / (s.taus[0] - s.taus[1]) for s in specs for _ in s.taus])
        sign = np.array([(-1.0) ** part for s in specs for part in range(len(s.taus))])
        decay = np.exp(-network.dt / taus)
        rows = 2 + int(np.log(GROWTH) * min(taus, default=network.dt) / network.dt)
        powers = decay[:, None] ** np.arange(rows)
        arrays, dtype = projection.arrays, network.dtype
        for name, shape, kind in (("sums", (n, 2 * self.n_parts), np.float64), ("mean", (max(1, len(specs)), n), dtype),
                                  ("since", (n,), np.int64), ("opened", (2,), np.int64)):  # fmt: skip
            arrays.setdefault(f"{side}/{name}", np.zeros(shape, dtype=kind))
        self.mean = arrays[f"{side}/mean"]
        self.nearest = any(spec.keep != 1.0 for spec in specs)
        memory = np.array([0 if s.memory is None else round(s.memory / network.dt) for s in specs for _ in s.taus])
        self.lag = int(max(memory, default=0))
        if self.lag and (self.nearest or len(set(memory) - {0}) > 1):
            raise SpikesimError(f"{projection!r}: traces of one side have one memory, and all spikes count.")
        self.forgotten = np.where(memory > 0, decay**self.lag, 0.0)  # what is left of a spike then
        self.fields = dict(
            n=n, n_parts=self.n_parts, n_traces=len(specs), gain=raised * decay,
            keep=np.array([s.keep for s in specs for _ in s.taus]), share=sign / (1.0 - decay),
            least=FORGOTTEN[np.dtype(dtype)] * raised, grow=raised[:, None] / powers, left=powers, n_powers=rows,
            traces=np.array([k for k, s in enumerate(specs) for _ in s.taus], dtype=np.int64),
            **{name: arrays[f"{side}/{name}"] for name in ("sums", "mean", "since", "opened")},
        )  # fmt: skip

    def operations(self, engine: ClockEngine, thread: int) -> list[tuple[int, Context]]:
        """What each step does for the neurons of one thread."""
        if not self.specs:
            return []
        lo, hi = engine.ranges[self.population.index][thread]
        spikes, op = engine.own_spikes(self.population, thread), spike_op(self.n_parts, self.nearest).address
        found = [(op, Context(MeanContext, lo=lo, hi=hi, lag=0, **self.fields, **spikes))]
        if self.lag:
            less = {"gain": -self.forgotten * self.fields["gain"],
                    "grow": -self.forgotten[:, None] * self.fields["grow"]}  # fmt: skip
            found.append((op, Context(MeanContext, lo=lo, hi=hi, lag=self.lag, **{**self.fields, **less}, **spikes)))
        return found

    def event_operations(self, engine: ClockEngine, event: str) -> list[tuple[int, Context]]:
        """What a named event does: it may begin or end the averaging."""
        if not any(event in window for window in self.windows):
            return []
        spikes = engine.own_spikes(self.population, 0)
        context = Context(MeanContext, lo=0, hi=self.population.n, lag=0, **self.fields, **spikes)
        closes = any(event == last for _, last in self.windows)
        return [(window_op(self.n_parts, self.population.network.dtype, closes).address, context)]
