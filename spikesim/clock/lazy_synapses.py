"""What the clock-driven engine keeps for plastic projections whose rule comes apart (`spikesim.factors`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.clock import lazy as ops
from spikesim.clock.contexts import Context
from spikesim.clock.continuous import SignalBlock
from spikesim.clock.drive import once
from spikesim.clock.plasticity import NEVER
from spikesim.clock.static_tables import Share, places, sparse_table
from spikesim.clock.synapses import TraceBlock
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
    """The presynaptic traces to keep sums for, or None where the projection has to be served spike by spike."""
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


def rint(steps: Any, fraction: float) -> Any:
    """The steps of delays that are dendritic."""
    return np.rint(np.asarray(steps) * fraction).astype(np.int64)


class LazyRuntime:
    """Tables, sums and traces of one plastic projection whose rule comes apart."""

    def __init__(self, projection: Projection, engine: ClockEngine, names: tuple[str, ...]) -> None:
        self.projection, rule, network = projection, projection.rule, projection.network
        assert rule is not None
        specs = rule.trace_specs()
        pre, post = ([s for s in specs if s.side == side] for side in ("pre", "post"))
        self.signals = SignalBlock(projection, first=len(post))
        ahead = self.signals.longest
        self.blocks = {"pre": TraceBlock(projection, "pre", pre),
                       "post": TraceBlock(projection, "post", post, len(self.signals.specs), ahead)}  # fmt: skip
        self._exponentials(pre, names)
        low, high = (-np.inf, np.inf) if rule.bounds == "none" else (rule.w_min, rule.w_max)
        self.n_params = len(rule.hook_params())
        self.params = np.array((*rule.hook_params(), rule.w_ref, low, high), dtype=network.dtype)
        self.shares = [Share(projection, lo, hi, 0, 0) for lo, hi in engine.ranges[projection.target.index]]
        self.tables = engine.in_threads(self._table)
        self.dendritic = [rint(table.delays, projection.dendritic_delay_fraction) for table in self.tables]
        fraction = projection.dendritic_delay_fraction
        self.waiting = int(rint(projection.delay.longest, fraction))
        self.lag = projection.delay.longest + 2 * self.waiting + ahead
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

    def _table(self, thread: int) -> Any:
        p = self.projection
        share = self.shares[thread]
        return sparse_table([share], p.source.n, share.hi - share.lo, 1, p.network.dtype)

    def _allocate(self, t: int, table: Any) -> None:
        projection, arrays, n_sums = self.projection, self.projection.arrays, self.n_sums
        dtype, n, n_local = projection.network.dtype, len(table.slots), self.shares[t].hi - self.shares[t].lo
        rows = len(table.delays) * projection.source.n
        arrays[f"weights/{t}"] = table.weights if len(table.weights) == n else np.full(n, table.weights[0], dtype)
        arrays[f"seen/{t}"] = np.full((n_sums, n), 0.0, dtype)  # not `zeros`, whose memory comes when it is first used
        arrays[f"sums/{t}"] = np.zeros((len(table.delays), EPOCHS, n_sums, n_local), dtype)
        arrays[f"visited/{t}"] = np.zeros(rows, np.int64)
        arrays[f"factors/{t}"] = np.zeros((n_sums, rows), dtype)
        table.weights = arrays[f"weights/{t}"][:0]  # held there only

    def attach(self, engine: ClockEngine) -> None:
        """Build the operations for the rings and input slots that the engine has laid out."""
        self.engine, fresh = engine, "post/history" not in self.projection.arrays
        for block in self.blocks.values():
            block.ring(engine.ring, self.projection.network.step)
        if fresh:
            self.signals.begin()
        threads = range(len(self.tables))
        self.contexts = [self._context(t, self.projection.arrays, NEVER) for t in threads]
        self.early: list[Any] = [[] for _ in threads]
        self.late: list[Any] = [[] for _ in threads]
        self.delivery = [[(op.address, self.contexts[t]) for op in self._operations(t)] for t in threads]
        self.traces = [
            [op for b in self.blocks.values() if b.specs for op in b.operations(engine, t)]
            + self.signals.operations(engine, t)
            for t in threads
        ]

    def reset(self) -> None:
        """The signals begin anew with the neurons as they are now."""
        self.signals.begin()

    def _operations(self, t: int) -> list[Any]:
        """What each step does: collect postsynaptic spikes, visit synapses."""
        rule: Any = type(self.projection.rule)
        kind = self._kind(t)
        collect = [ops.collect_op(rule, self.n_sums, *kind)] if self.n_sums else []
        return [*collect, ops.visit_op(rule, self.n_sums, *kind)]

    def _kind(self, t: int) -> tuple[Any, bool, bool]:
        table = self.tables[t]
        return self.projection.network.dtype, table.slots.itemsize == 2, table.begins.itemsize == 8

    def _context(self, t: int, arrays: dict[str, Any], limit: int, delivers: bool = True) -> Context:
        projection, engine, table, share = self.projection, self.engine, self.tables[t], self.shares[t]
        source, target, own = projection.source, projection.target, projection.arrays
        pre, post = engine.all_spikes(source), engine.own_spikes(target, t)
        return Context(
            ops.LazyContext, delays=table.delays, dendritic=self.dendritic[t], n_delays=len(table.delays),
            begins=table.begins, n_begins=len(table.begins), slots=table.slots, weights=arrays[f"weights/{t}"],
            seen=arrays[f"seen/{t}"], n_synapses=len(table.slots), lo=share.lo, n_local=share.hi - share.lo,
            sums=arrays[f"sums/{t}"], epochs=EPOCHS, lengths=self.lengths, visited=arrays[f"visited/{t}"],
            factors=arrays[f"factors/{t}"], n_source=source.n, x_stride=source.n_padded, n_target=target.n_padded,
            x=own["pre/history"], n_x=self.blocks["pre"].width, y=own["post/history"],
            n_y=self.blocks["post"].width, params=self.params, units=self.units, rates=self.rates,
            keep=self.keep, bump=self.bump, psi=np.zeros(share.hi - share.lo, projection.network.dtype),
            dt=np.array([projection.network.dt], projection.network.dtype), limit=limit, since=own["since"],
            post_ids=post["spike_ids"], post_row_size=post["row_size"], post_start=post["start"],
            post_counts=post["counts"], thread=t, delivers=delivers and bool(target.model.receptors),
            **engine.inputs.fields(t, target, projection.receptors[0]), **pre,
        )  # fmt: skip

    def current_weights(self) -> Any:
        """(synapses,) weights in order of creation, as of now: what has arrived but waits is applied to a copy."""
        weights = np.empty(len(self.projection), dtype=self.projection.network.dtype)
        for t, table in enumerate(self.tables):
            held = self._settled(t)
            for first, where, mine in places(self.shares[t], table):
                weights[first : first + len(where)][mine] = held[where[mine]]
        return weights

    def _settled(self, t: int) -> Any:
        """The weights of one thread as of now, in the order of its table."""
        own, step = self.projection.arrays, self.projection.network.step
        if not step or not hasattr(self, "engine"):
            return own[f"weights/{t}"]
        arrays = {
            f"{name}/{t}": own[f"{name}/{t}"].copy() for name in ("weights", "seen", "sums", "visited", "factors")
        }
        context = self._context(t, arrays, limit=step - 1, delivers=False)
        address = np.array([context.address])
        for s in range(step, step + self.waiting):
            for op in self._operations(t):
                once()(op.address, address, s)
        once()(ops.settle_op(self.n_sums, *self._kind(t)).address, address, self.n_params)
        return arrays[f"weights/{t}"]

    def set_weights(self, values: Any) -> None:
        """Set the weights, given in order of creation. Spikes that have reached a synapse by now do not change them."""
        own, settle = self.projection.arrays, ops.settle_op
        own["since"][0] = max(own["since"][0], self.projection.network.step)  # later, if it learns later or not at all
        for t, table in enumerate(self.tables):
            if hasattr(self, "engine"):
                address = np.array([self.contexts[t].address])
                once()(settle(self.n_sums, *self._kind(t)).address, address, self.n_params)
            for first, where, mine in places(self.shares[t], table):
                own[f"weights/{t}"][where[mine]] = values[first : first + len(where)][mine]
