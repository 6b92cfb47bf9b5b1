"""What the clock-driven engine keeps for plastic projections whose rule comes apart (`spikesim.factors`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.clock import lazy as ops
from spikesim.clock.contexts import Context
from spikesim.clock.drive import once
from spikesim.clock.visited import VisitedRuntime, rint
from spikesim.factors import factors

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.projection import Projection

EPOCHS = 8  # for which a neuron has a sum
#: time constants that an epoch lasts: sums lose e to that many in precision, and when EPOCHS - 1 epochs are over
#: nothing of a trace is left in the last digit of a weight
IN_EPOCH = {np.dtype(np.float32): 4.0, np.dtype(np.float64): 5.0}
STATE = ("weights", "seen", "sums", "visited", "factors")  # arrays of each thread
MANY_DELAYS = 256  # each has sums of its own


def comes_apart(projection: Projection) -> tuple[str, ...] | None:
    """The presynaptic traces to keep sums for, or None where the projection has to be served in another way."""
    rule, delay = projection.rule, projection.delay
    assert rule is not None
    found, specs = factors(rule), rule.trace_specs()
    if (
        found is None
        or rule.has_memory()
        or any(s.mean_over for s in specs)
        or any(s.jump for s in specs if s.name in found)
    ):
        return None
    if rint(delay.shortest, projection.dendritic_delay_fraction) == 0 or delay.longest - delay.shortest >= MANY_DELAYS:
        return None
    return found


class LazyRuntime(VisitedRuntime):
    """Tables, sums and traces of one plastic projection whose rule comes apart."""

    def __init__(self, projection: Projection, engine: ClockEngine, names: tuple[str, ...]) -> None:
        super().__init__(projection, engine)
        rule, dtype = projection.rule, projection.network.dtype
        assert rule is not None
        self._exponentials(self.sides["pre"], names)
        low, high = (-np.inf, np.inf) if rule.bounds == "none" else (rule.w_min, rule.w_max)
        self.n_params = len(rule.hook_params())
        self.params = np.array((*rule.hook_params(), rule.w_ref, low, high), dtype=dtype)
        for t, table in enumerate(self.tables):
            self._allocate(t, table)

    def _exponentials(self, pre: list[Any], names: tuple[str, ...]) -> None:
        """The exponentials that traces consist of: whose they are, their rates per step, what a spike leaves of them
        and adds, and how many steps their epochs last."""
        network, block = self.projection.network, self.blocks["pre"]
        found = [(k, part, tau) for k, s in enumerate(pre) if s.name in names for part, tau in enumerate(s.taus)]
        self.n_sums = len(found)
        self.units = np.eye(max(1, len(pre)), dtype=network.dtype)[:, [k for k, _, _ in found]].copy()
        self.rates = np.array([network.dt / tau for _, _, tau in found] or [0.0])
        self.keep = np.array([block.keep[k] for k, _, _ in found] or [0.0])
        self.bump = np.array([block.bump[part, k] * (-1.0) ** part for k, part, _ in found] or [0.0])
        steps = [max(1, round(IN_EPOCH[np.dtype(network.dtype)] * tau / network.dt)) for _, _, tau in found]
        self.lengths = np.array(steps or [1], dtype=np.int64)

    def _allocate(self, t: int, table: Any) -> None:
        projection, arrays, n_sums = self.projection, self.projection.arrays, self.n_sums
        dtype, n, n_local = projection.network.dtype, len(table.slots), self.shares[t].hi - self.shares[t].lo
        rows = len(table.delays) * projection.source.n
        arrays[f"seen/{t}"] = np.full((n_sums, n), 0.0, dtype)  # not `zeros`, whose memory comes when it is first used
        arrays[f"sums/{t}"] = np.zeros((len(table.delays), EPOCHS, n_sums, n_local), dtype)
        arrays[f"visited/{t}"] = np.zeros(rows, np.int64)
        arrays[f"factors/{t}"] = np.zeros((n_sums, rows), dtype)

    def _operations(self, t: int) -> list[Any]:
        """What each step does: collect postsynaptic spikes, visit synapses."""
        rule: Any = type(self.projection.rule)
        kind = self._kind(t)
        collect = [ops.collect_op(rule, self.n_sums, *kind)] if self.n_sums else []
        return [*collect, ops.visit_op(rule, self.n_sums, *kind)]

    def _context(self, t: int, arrays: dict[str, Any], limit: int, delivers: bool = True) -> Context:
        dtype, n_local = self.projection.network.dtype, self.shares[t].hi - self.shares[t].lo
        return Context(
            ops.LazyContext, **self._shared(t, arrays, limit, delivers), seen=arrays[f"seen/{t}"],
            sums=arrays[f"sums/{t}"], epochs=EPOCHS, lengths=self.lengths, visited=arrays[f"visited/{t}"],
            factors=arrays[f"factors/{t}"], params=self.params, units=self.units, rates=self.rates, keep=self.keep,
            bump=self.bump, psi=np.zeros(n_local, dtype), dt=np.array([self.projection.network.dt], dtype),
        )  # fmt: skip

    def _settled(self, t: int) -> Any:
        own, step = self.projection.arrays, self.projection.network.step
        if not step or not hasattr(self, "engine"):
            return own[f"weights/{t}"]
        arrays = {f"{name}/{t}": own[f"{name}/{t}"].copy() for name in STATE}
        context = self._context(t, arrays, limit=step - 1, delivers=False)
        address = np.array([context.address])
        for s in range(step, step + self.waiting):
            for op in self._operations(t):
                once()(op.address, address, s)
        once()(ops.settle_op(self.n_sums, *self._kind(t)).address, address, self.n_params)
        return arrays[f"weights/{t}"]

    def set_weights(self, values: Any) -> None:
        """Set the weights, given in order of creation. Spikes that have reached a synapse by now do not change them."""
        for t in range(len(self.tables) if hasattr(self, "engine") else 0):
            address = np.array([self.contexts[t].address])
            once()(ops.settle_op(self.n_sums, *self._kind(t)).address, address, self.n_params)
        super().set_weights(values)
