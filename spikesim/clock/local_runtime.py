"""What the clock-driven engine keeps for plastic synapses with a memory of their own, and what it does with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.clock import local as ops
from spikesim.clock.contexts import Context
from spikesim.clock.drive import once
from spikesim.clock.plasticity import NEVER
from spikesim.clock.synapses import PlasticRuntime

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine, Operations
    from spikesim.projection import Projection

NOTHING = np.zeros(0, dtype=np.int32)


class LocalRuntime(PlasticRuntime):
    """Tables and traces of a plastic projection with traces or variables at the synapse, events, or a lag."""

    def __init__(self, projection: Projection, engine: ClockEngine) -> None:
        super().__init__(projection, engine)
        rule, network, arrays = projection.rule, projection.network, projection.arrays
        assert rule is not None
        self.local_x, self.local_y = rule.local_sides()
        self.start, taus = np.array([*rule.synapse_start()]), np.array([*rule.synapse_taus()])
        self.rates_s, self.dt = network.dt / taus, np.array([network.dt])
        self.rates = {side: np.array([network.dt / s.taus[0] for s in found] or [0.0])
                      for side, found in self.sides.items()}  # fmt: skip
        self.hold = {side: np.array([float(not s.reset_by_other) for s in found] or [1.0])
                     for side, found in self.sides.items()}  # fmt: skip
        self.lag_steps = round(rule.pre_lag_time() / network.dt)
        self.lag += self.lag_steps
        self.waiting = int(max(self.tables[0].dendritic, default=0))
        for event in rule.events:
            arrays[f"due/{event}"] = np.zeros((2, self.waiting + 1), dtype=np.int64)
        for t, table in enumerate(self.tables):
            m = len(table.weights)
            rows = 5 if self.local_x or self.local_y else 1
            arrays[f"x_here/{t}"] = np.zeros((len(self.sides["pre"]) if self.local_x else 0, m), network.dtype)
            arrays[f"y_here/{t}"] = np.zeros((len(self.sides["post"]) if self.local_y else 0, m), network.dtype)
            arrays[f"variables/{t}"] = np.repeat(self.start[:, None], m, axis=1).astype(network.dtype)
            arrays[f"last/{t}"] = np.zeros((rows, m), dtype=np.int64)
            arrays[f"last/{t}"][ops.STEP] = network.step - 1
        projection.kept += ("variables", "last")

    def _op(self, name: str) -> Any:
        rule, dtype = self.projection.rule, self.projection.network.dtype
        assert rule is not None
        kind: Any = type(rule)
        ordered = rule.coincident != "exclude"
        return ops.local_op(kind, name, rule.bounds, self.local_x, self.local_y, ordered, dtype)

    def attach(self, engine: ClockEngine) -> None:
        """Build the operations for the rings and input slots that the engine has laid out."""
        rule = self.projection.rule
        assert rule is not None
        self.engine = engine
        for block in self.blocks.values():
            block.ring(engine.ring, self.projection.network.step)
        if rule.synapse:
            self._op("rest")  # compiles it now
        threads = range(len(self.tables))
        parts = [self._operations(t, self.projection.arrays, NEVER) for t in threads]
        self.early, self.delivery, self.late = ([part[k] for part in parts] for k in range(3))
        local = {"pre": self.local_x, "post": self.local_y}
        shared = [b for side, b in self.blocks.items() if b.specs and not local[side]]
        self.traces = [[op for b in shared for op in b.operations(engine, t)] for t in threads]

    def _operations(self, t: int, arrays: dict[str, Any], limit: int) -> tuple[Operations, Operations, Operations]:
        """What thread t does before, while and after it delivers spikes. With a `limit` for when spikes get to the
        synapse, that of a copy of `arrays`, nothing is delivered."""
        rule = self.projection.rule
        assert rule is not None
        dendritic, delivers = self.tables[t].dendritic, limit == NEVER and bool(self.projection.target.model.receptors)
        early: Operations = [self._event(t, arrays, limit, event) for event in rule.events]
        late: Operations = []
        if rule.on_post is not None or self.local_x or self.local_y:
            post = self._op("on_post").address
            if rule.coincident == "pre_first":
                late.append((post, self._post(t, arrays, limit, ops.ALL)))
            else:
                if (dendritic > 0).any():
                    early.append((post, self._post(t, arrays, limit, ops.OVER_DENDRITE)))
                if (dendritic == 0).any():
                    late.append((post, self._post(t, arrays, limit, ops.AT_ONCE)))
        pre = self._op("on_pre").address
        if not self.lag_steps:
            return early, [(pre, self._pre(t, arrays, limit, lag=0, acts=1, delivers=int(delivers)))], late
        delivery = [(pre, self._pre(t, arrays, limit, lag=self.lag_steps, acts=1, delivers=0))]
        if self.projection.target.model.receptors:  # also on a copy: it brings synapses to that time, and rounds there
            delivery.append((pre, self._pre(t, arrays, limit, lag=0, acts=0, delivers=int(delivers))))
        return early, delivery, late

    def _fields(self, t: int, arrays: dict[str, Any], limit: int, lag: int) -> dict[str, Any]:
        """What all operations on the synapses of thread t need; presynaptic spikes act `lag` steps late."""
        table = self.tables[t]
        return dict(
            self._shared(t, arrays, limit) | {"delays": table.delays + lag},
            x_here=arrays[f"x_here/{t}"], y_here=arrays[f"y_here/{t}"], s_here=arrays[f"variables/{t}"],
            last=arrays[f"last/{t}"], n_last=arrays[f"last/{t}"].size, rates_x=self.rates["pre"],
            rates_y=self.rates["post"], rates_s=self.rates_s, keep_x=self.blocks["pre"].keep,
            keep_y=self.blocks["post"].keep, hold_x=self.hold["pre"], hold_y=self.hold["post"], dt=self.dt,
            n_s=len(self.start), lo=0, index=NOTHING, n_index=0, inputs=0, n_inputs=0, input_rows=1, row_bytes=0,
            acts=1, delivers=0, late=ops.ALL, due=NOTHING, n_due=0,
        )  # fmt: skip

    def _pre(self, t: int, arrays: dict[str, Any], limit: int, lag: int, acts: int, delivers: int) -> Context:
        fields = self._fields(t, arrays, limit, lag) | self._pre_fields(t) | {"acts": acts, "delivers": delivers}
        return Context(ops.LocalContext, **fields, ends=self.tables[t].targets, first_thread=0,
                       last_thread=self.engine.n_threads)  # fmt: skip

    def _post(self, t: int, arrays: dict[str, Any], limit: int, late: int) -> Context:
        table, target = self.tables[t], self.projection.target
        fields = self._fields(t, arrays, limit, self.lag_steps) | self.engine.all_spikes(target)
        fields |= {"late": late, "lo": self.engine.ranges[target.index][t][0], "index": table.back_index}
        return Context(ops.LocalContext, **fields | {"n_index": len(table.back_index)}, rows=table.back_rows,
                       n_rows=len(table.back_rows), ends=table.sources, first_thread=t, last_thread=t + 1)  # fmt: skip

    def _all(self, t: int, arrays: dict[str, Any], limit: int, **fields: Any) -> Context:
        """Of something that all synapses of thread t meet."""
        table, spikes = self.tables[t], self.engine.all_spikes(self.projection.source)
        fields = self._fields(t, arrays, limit, self.lag_steps) | spikes | fields
        return Context(ops.LocalContext, **fields, rows=table.rows, n_rows=len(table.rows), ends=table.targets,
                       first_thread=0, last_thread=1)  # fmt: skip

    def _event(self, t: int, arrays: dict[str, Any], limit: int, event: str) -> tuple[int, Context]:
        due = self.projection.arrays[f"due/{event}"]
        return self._op(f"on_{event}").address, self._all(t, arrays, limit, due=due, n_due=due.shape[1])

    def _pass(self, t: int, arrays: dict[str, Any], behind: Any) -> None:
        """Bring the synapses of thread t to the present, the end of the last step, or to as many steps as they are
        `behind` it. Only variables need that: what a trace will be is known at the next spike."""
        if not len(self.start):
            return
        context = self._all(t, arrays, NEVER, dendritic=behind)
        once()(self._op("rest").address, np.array([context.address]), self.projection.network.step - 1)

    def trigger(self, event: str) -> None:
        """A named event comes; it gets to all synapses in the step that follows, before the spikes of that step."""
        rule = self.projection.rule
        assert rule is not None
        if event in rule.events:
            due, step = self.projection.arrays[f"due/{event}"], self.projection.network.step
            place = step % due.shape[1]
            due[1, place] = due[1, place] + 1 if due[0, place] == step else 1
            due[0, place] = step

    def current_weights(self) -> Any:
        """(synapses,) weights in order of creation, as of now: what has arrived but waits, and the time since, have
        their effect on a copy."""
        weights = np.empty(len(self.projection), dtype=self.projection.network.dtype)
        step = self.projection.network.step
        for t, table in enumerate(self.tables):
            names = (f"{name}/{t}" for name in ("weights", "x_here", "y_here", "variables", "last"))
            arrays = {name: self.projection.arrays[name].copy() for name in names}
            if step and hasattr(self, "engine"):
                groups = self._operations(t, arrays, limit=step - 1)
                for s in range(step, step + self.waiting):
                    for op, context in (pair for group in groups for pair in group):
                        once()(op, np.array([context.address]), s)
                self._pass(t, arrays, np.zeros_like(table.dendritic))
            weights[table.created] = arrays[f"weights/{t}"]
        return weights

    def set_weights(self, values: Any) -> None:
        """Set the weights, given in order of creation. Spikes that have reached a synapse by now do not change them."""
        if hasattr(self, "engine"):
            for t, table in enumerate(self.tables):
                self._pass(t, self.projection.arrays, table.dendritic)
        super().set_weights(values)

    def reset(self) -> None:
        """No spike has come yet: traces are 0, and variables that decay are as they were at first."""
        arrays, step = self.projection.arrays, self.projection.network.step
        decaying = self.rates_s > 0.0
        for t, table in enumerate(self.tables):
            self._pass(t, arrays, np.zeros_like(table.dendritic))
            for name in ("x_here", "y_here", "last"):
                arrays[f"{name}/{t}"][...] = 0
            arrays[f"variables/{t}"][decaying] = self.start[decaying, None]
            arrays[f"last/{t}"][ops.STEP] = step - 1
