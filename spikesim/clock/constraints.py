"""What the clock-driven engine keeps for a constraint: the traces it reads, and when it is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spikesim.clock.contexts import Context
from spikesim.clock.synapses import TraceBlock
from spikesim.constraints import Synapses
from spikesim.plasticity import TraceSpec

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.projection import Projection


class ConstraintRuntime:
    """The constraint number `place` of a projection. Its traces are arrays of the projection."""

    def __init__(self, projection: Projection, place: int) -> None:
        self.projection, self.constraint = projection, projection.constraints[place]
        self.every = round(self.constraint.every / projection.network.dt)
        self.targets = projection.ends()[1]
        specs = [
            TraceSpec(name, "post", (getattr(self.constraint, tau),), keep=1.0, reset_by_other=False, mean_over=None)
            for name, tau in self.constraint.traces.items()
        ]
        self.block = TraceBlock(projection, f"constraint {place}", specs)

    def operations(self, engine: ClockEngine, thread: int) -> list[tuple[int, Context]]:
        """What keeps the traces up to date for the targets of one thread."""
        self.block.ring(engine.ring, self.projection.network.step)
        return self.block.operations(engine, thread) if self.block.specs else []

    def limit(self, step: int) -> int:
        """The step up to which the network may run from `step` before `look` must be called."""
        return (step // self.every + 1) * self.every

    def look(self, step: int) -> None:
        """Apply the constraint if the network has come to a step at which it is due."""
        projection, rule = self.projection, self.projection.rule
        if step % self.every or not projection.learning:
            return
        assert rule is not None
        low, high = (-np.inf, np.inf) if rule.bounds == "none" else (rule.w_min, rule.w_max)
        n = projection.target.n
        z = projection.arrays[f"{self.block.side}/z"][0, :, :n].astype(np.float64)
        traces = dict(zip(self.constraint.traces, z, strict=True))
        synapses = Synapses(self.targets, n, low, high, self.constraint.every, traces)
        projection.put_weights(np.clip(self.constraint.apply(projection.weights, synapses), low, high))
