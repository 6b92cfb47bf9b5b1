"""Plastic projections that are weight matrices: their synapses change at named events, all at once."""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import cfunc, int8

from spikesim.clock.contexts import Context
from spikesim.clock.means import MeanBlock
from spikesim.clock.neurons import real
from spikesim.factors import idle_without_pre
from spikesim.jit import cache_for, hook
from spikesim.lowlevel import OPERATION, at, context, load, load_looked_up, own, put
from spikesim.plasticity import BOUNDS

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.projection import Projection

EventContext = namedtuple("EventContext", "n_sources n_columns lo hi weights params x n_source y n_target")
CopyContext = namedtuple("CopyContext", "origin target n_bytes")


@functools.cache
def copy_op() -> Any:
    """Copy some bytes."""
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def copy(address, step):
            g = context(CopyContext, address)
            origin, target = at(g.origin, int8, g.n_bytes), at(g.target, int8, g.n_bytes)
            for k in range(g.n_bytes):
                target[k] = origin[k]

    return copy


@functools.cache
def matrix_event_op(rule: Any, event: str, bounds: str, scaled: bool, skipping: bool, dtype: Any) -> Any:
    """Apply the rule's hook for a named event to every synapse of a weight matrix (source, target).

    scaled: weights are in units of w_ref, which is not 1; skipping: sources whose traces are all 0 are passed over.
    """
    react, bound = hook(getattr(rule, f"on_{event}")), hook(BOUNDS[bounds])
    Params, Pre, Post = rule.Params, rule.Pre, rule.Post
    n_params, n_pre, n_post = len(Params._fields), len(Pre._fields), len(Post._fields)
    kind = real(dtype)
    with cache_for(rule) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def on_event(address, step):
            g = context(EventContext, address)
            weights = at(g.weights, kind, g.n_sources * g.n_columns)
            numbers = at(g.params, kind, n_params + 1)
            p, w_ref = load(Params, numbers, 0, 1), numbers[n_params]  # type: ignore[var-annotated]
            x = at(g.x, kind, n_pre * g.n_source)
            y = at(g.y, kind, n_post * g.n_target)
            low, high = p.w_min * w_ref, p.w_max * w_ref
            for i in range(g.n_sources):
                silent = skipping
                for k in range(n_pre):
                    silent = silent and x[k * g.n_source + i] == 0.0
                if silent:
                    continue
                pre = load(Pre, x, i, g.n_source)
                row = weights[i * g.n_columns + g.lo : i * g.n_columns + g.hi]
                for j in range(len(row)):
                    post, w = load_looked_up(Post, y, g.lo + j, g.n_target), own(row, j)
                    new = react(w / w_ref, pre, post, p) * w_ref if scaled else react(w, pre, post, p)
                    put(row, j, kind(bound(w, new, low, high)))

    return on_event


class EventRuntime:
    """Averaged traces and event hooks of a plastic projection that is a weight matrix."""

    def __init__(self, projection: Projection, engine: ClockEngine) -> None:
        self.projection, rule = projection, projection.rule
        assert rule is not None
        specs = rule.trace_specs()
        self.blocks = {side: MeanBlock(projection, side, [s for s in specs if s.side == side])
                       for side in ("pre", "post")}  # fmt: skip
        self.lag = max(block.lag for block in self.blocks.values())
        fields = len(rule.Post._fields)  # type: ignore[attr-defined]
        self.post = np.zeros((max(fields, 1), projection.target.n_padded), dtype=projection.network.dtype)
        self.params = np.array((*rule.hook_params(), rule.w_ref), dtype=projection.network.dtype)

    def attach(self, engine: ClockEngine) -> None:
        """Build the operations: traces in every step, and the event hooks, called by `trigger`."""
        self.engine, projection, rule = engine, self.projection, self.projection.rule
        assert rule is not None
        self.traces = [
            [op for block in self.blocks.values() for op in block.operations(engine, t)]
            for t in range(engine.n_threads)
        ]
        context = Context(
            EventContext, n_sources=projection.source.n, n_columns=projection.target.n_padded,
            lo=0, hi=projection.target.n, weights=projection.arrays["weights"], params=self.params,
            x=projection.arrays["pre/mean"], n_source=projection.source.n_padded, y=self.post,
            n_target=projection.target.n_padded,
        )  # fmt: skip
        rule_type: Any = type(rule)
        scaled = rule.w_ref != 1.0
        self.hooks = {
            event: (matrix_event_op(rule_type, event, rule.bounds, scaled, idle_without_pre(rule, event),
                                    projection.network.dtype).address, context)
            for event in rule.events
        }  # fmt: skip
        self.windows = {event: [op for block in self.blocks.values() for op in block.event_operations(engine, event)]
                        for event in rule.named_events()}  # fmt: skip
        self.copies = self._copies()

    def _copies(self) -> list[tuple[int, Context]]:
        """What brings the postsynaptic side together, where hooks read it: means of traces, then the neurons' state."""
        rule, target = self.projection.rule, self.projection.target
        assert rule is not None
        means = len(self.blocks["post"].specs)
        rows = [*self.blocks["post"].mean[:means], *(target._row(name) for name in rule.post_state)]
        return [(copy_op().address, Context(CopyContext, origin=row, target=self.post[k], n_bytes=row.nbytes))
                for k, row in enumerate(rows)]  # fmt: skip

    def event_operations(self, event: str) -> list[tuple[int, Context]]:
        """What a named event does: to the traces, and then, by the rule, to the weights."""
        if event in self.hooks and self.projection.learning:
            return [*self.windows.get(event, []), *self.copies, self.hooks[event]]
        return self.windows.get(event, [])
