"""What the clock-driven engine keeps for plastic projections whose synapses are visited at presynaptic spikes only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.clock.contexts import Context
from spikesim.clock.continuous import SignalBlock
from spikesim.clock.plasticity import NEVER
from spikesim.clock.static_tables import Share, SparseTable, places, sparse_table
from spikesim.clock.synapses import TraceBlock

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.projection import Projection


def rint(steps: Any, fraction: float) -> Any:
    """The steps of delays that are dendritic."""
    return np.rint(np.asarray(steps) * fraction).astype(np.int64)


class VisitedRuntime(ABC):
    """Tables of synapses, made in place by the thread that owns them, and traces of one plastic projection.

    A table keeps the place of each synapse's target; weights are an array of the projection, `weights/THREAD`.
    """

    def __init__(self, projection: Projection, engine: ClockEngine) -> None:
        self.projection, rule, fraction = projection, projection.rule, projection.dendritic_delay_fraction
        assert rule is not None
        specs = rule.trace_specs()
        self.sides = {side: [s for s in specs if s.side == side] for side in ("pre", "post")}
        self.signals = SignalBlock(projection, first=len(self.sides["post"]))
        more, ahead = len(self.signals.specs), self.signals.longest
        self.blocks = {"pre": TraceBlock(projection, "pre", self.sides["pre"]),
                       "post": TraceBlock(projection, "post", self.sides["post"], more, ahead)}  # fmt: skip
        self.shares = [Share(projection, lo, hi, 0, 0) for lo, hi in engine.ranges[projection.target.index]]
        self.tables: Any = engine.in_threads(self._table)
        self.dendritic: Any = [rint(table.delays, fraction) for table in self.tables]
        self.waiting = int(rint(projection.delay.longest, fraction))
        self.lag = projection.delay.longest + 2 * self.waiting + ahead
        for t, table in enumerate(self.tables):
            n, alike = len(table.slots), len(table.weights) != len(table.slots)
            weights = np.full(n, table.weights[0], projection.network.dtype) if alike else table.weights
            projection.arrays[f"weights/{t}"] = weights
            table.weights = weights[:0]  # held there only

    def _table(self, thread: int) -> SparseTable:
        p, share = self.projection, self.shares[thread]
        return sparse_table([share], p.source.n, share.hi - share.lo, 1, p.network.dtype)

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
        self.delivery = [[(op.address, self.contexts[t]) for op in self._operations(t)] for t in threads]
        self.late: list[Any] = [[] for _ in threads]
        self.traces = [
            [op for b in self.blocks.values() if b.specs for op in b.operations(engine, t)]
            + self.signals.operations(engine, t)
            for t in threads
        ]

    def reset(self) -> None:
        """The signals begin anew with the neurons as they are now."""
        self.signals.begin()

    @abstractmethod
    def _operations(self, t: int) -> list[Any]:
        """What each step does when spikes are delivered."""

    @abstractmethod
    def _context(self, t: int, arrays: dict[str, Any], limit: int, delivers: bool = True) -> Context:
        """What the operations of thread t need, with the state in `arrays`."""

    @abstractmethod
    def _settled(self, t: int) -> Any:
        """The weights of one thread as of now, in the order of its table."""

    def _shared(self, t: int, arrays: dict[str, Any], limit: int, delivers: bool) -> dict[str, Any]:
        """Context fields: synapses, traces, spikes, and where input is added."""
        projection, engine, table, share = self.projection, self.engine, self.tables[t], self.shares[t]
        source, target, own = projection.source, projection.target, projection.arrays
        pre, post = engine.all_spikes(source), engine.own_spikes(target, t)
        return dict(
            delays=table.delays, dendritic=self.dendritic[t], n_delays=len(table.delays), begins=table.begins,
            n_begins=len(table.begins), slots=table.slots, weights=arrays[f"weights/{t}"], n_synapses=len(table.slots),
            lo=share.lo, n_local=share.hi - share.lo, n_source=source.n, x_stride=source.n_padded,
            n_target=target.n_padded, x=own["pre/history"], n_x=self.blocks["pre"].width, y=own["post/history"],
            n_y=self.blocks["post"].width, limit=limit, since=own["since"], post_ids=post["spike_ids"],
            post_row_size=post["row_size"], post_start=post["start"], post_counts=post["counts"], thread=t,
            delivers=delivers and bool(target.model.receptors),
            **engine.inputs.fields(t, target, projection.receptors[0]), **pre,
        )  # fmt: skip

    def _kind(self, t: int) -> tuple[Any, bool, bool]:
        table = self.tables[t]
        return self.projection.network.dtype, table.slots.itemsize == 2, table.begins.itemsize == 8

    def current_weights(self) -> Any:
        """(synapses,) weights in order of creation, as of now: what has arrived but waits is applied to a copy."""
        weights = np.empty(len(self.projection), dtype=self.projection.network.dtype)
        for t, table in enumerate(self.tables):
            held = self._settled(t)
            for first, where, mine in places(self.shares[t], table):
                weights[first : first + len(where)][mine] = held[where[mine]]
        return weights

    def set_weights(self, values: Any) -> None:
        """Set the weights, given in order of creation. Spikes that have reached a synapse by now do not change them."""
        own = self.projection.arrays
        own["since"][0] = max(own["since"][0], self.projection.network.step)  # later, if it learns later or not at all
        for t, table in enumerate(self.tables):
            for first, where, mine in places(self.shares[t], table):
                own[f"weights/{t}"][where[mine]] = values[first : first + len(where)][mine]
