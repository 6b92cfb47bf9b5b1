"""What the clock-driven engine keeps for plastic projections: tables, traces, and how weights are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.clock import plasticity as ops
from spikesim.clock.contexts import Context
from spikesim.clock.continuous import SignalBlock, drift_context, drift_op
from spikesim.clock.drive import once
from spikesim.clock.rings import resized_ring
from spikesim.clock.tables import PlasticTable, plastic_table
from spikesim.clock.traces import JumpContext, TraceContext, jump_op, trace_op
from spikesim.plasticity import TraceSpec

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.projection import Projection


class TraceBlock:
    """All traces of one side of a plastic projection: (2, traces, neurons), and a ring of their readable values.

    The rows of the ring have room for `more` values, which others put there, up to `ahead` steps early.
    """

    def __init__(
        self, projection: Projection, side: str, specs: list[TraceSpec], more: int = 0, ahead: int = 0
    ) -> None:
        population = projection.source if side == "pre" else projection.target
        network, n, m = projection.network, population.n_padded, len(specs)
        self.population, self.specs, self.side, self.arrays = population, specs, side, projection.arrays
        self.width, self.ahead = m + more, ahead
        self.decay, self.bump = np.zeros((2, max(m, 1))), np.zeros((2, max(m, 1)))
        self.keep = np.array([spec.keep for spec in specs] or [1.0])
        for k, spec in enumerate(specs):
            self.decay[: len(spec.taus), k] = [np.exp(-network.dt / tau) for tau in spec.taus]
            height = 1.0 if len(spec.taus) == 1 else 1.0 / (spec.taus[0] - spec.taus[1])
            self.bump[: len(spec.taus), k] = height
        self.arrays.setdefault(f"{side}/z", np.zeros((2, m, n), dtype=network.dtype))
        self.jumps = [k for k, spec in enumerate(specs) if spec.jump is not None]
        self.amount = np.ones((m, n) if self.jumps else 0, dtype=network.dtype)
        assert projection.rule is not None
        self.rule: Any = type(projection.rule)
        self.params = np.array(projection.rule.hook_params(), dtype=network.dtype)

    def ring(self, rows: int, step: int) -> None:
        """Give the readable values `rows` rows."""
        name, n = f"{self.side}/history", self.population.n_padded
        rows = rows if self.width else 1
        old = self.arrays.get(name, np.zeros((rows, self.width, n), dtype=self.population.network.dtype))
        self.arrays[name] = old if len(old) == rows else resized_ring(old, rows, step + self.ahead)

    def operations(self, engine: ClockEngine, thread: int) -> list[tuple[int, Context]]:
        """The operations that keep these traces up to date for the neurons of one thread."""
        dtype, n, m = self.population.network.dtype, self.population.n_padded, len(self.specs)
        lo, hi = engine.ranges[self.population.index][thread]
        spikes = engine.own_spikes(self.population, thread)
        a = {name: self.arrays[f"{self.side}/{name}"] for name in ("z", "history")}
        found = [
            (jump_op(self.rule, self.specs[k].name, dtype).address,
             Context(JumpContext, n=n, n_traces=m, k=k, amount=self.amount, history=a["history"], width=self.width,
                     params=self.params, **spikes))
            for k in self.jumps
        ]  # fmt: skip
        paired = any(len(spec.taus) > 1 for spec in self.specs)
        op = trace_op(dtype, bool(self.jumps), paired)
        context = Context(
            TraceContext, lo=lo, hi=hi, n=n, n_traces=m, z=a["z"], decay=self.decay, bump=self.bump, keep=self.keep,
            amount=self.amount, history=a["history"], width=self.width, **spikes,
        )  # fmt: skip
        return [*found, (op.address, context)]


class PlasticRuntime:
    """Tables, traces and signals of one plastic projection whose synapses keep nothing but their weight."""

    def __init__(self, projection: Projection, engine: ClockEngine) -> None:
        self.projection, rule, network = projection, projection.rule, projection.network
        assert rule is not None
        specs = rule.trace_specs()
        self.sides = {side: [s for s in specs if s.side == side] for side in ("pre", "post")}
        self.signals = SignalBlock(projection, first=len(self.sides["post"]))
        more, ahead = len(self.signals.specs), self.signals.longest
        self.blocks = {"pre": TraceBlock(projection, "pre", self.sides["pre"]),
                       "post": TraceBlock(projection, "post", self.sides["post"], more, ahead)}  # fmt: skip
        numbers = (*rule.hook_params(), rule.w_ref)
        self.params = np.array(numbers, dtype=network.dtype)
        sources, targets = projection.ends()
        steps, weights = projection.delay.everything(len(sources), network.threads), projection.first_weights()
        self.tables: list[PlasticTable] = [
            plastic_table(projection.source.n, lo, hi, sources, targets, steps, weights,
                          projection.dendritic_delay_fraction)
            for lo, hi in engine.ranges[projection.target.index]
        ]  # fmt: skip
        for t, table in enumerate(self.tables):
            projection.arrays[f"weights/{t}"] = table.weights
        delays = self.tables[0].delays
        self.lag = int(max(delays, default=1) + 2 * max(self.tables[0].dendritic, default=0)) + ahead

    def attach(self, engine: ClockEngine) -> None:
        """Build the operations for the rings and input slots that the engine has laid out."""
        rule, dtype = self.projection.rule, self.projection.network.dtype
        assert rule is not None
        fresh = "post/history" not in self.projection.arrays
        for block in self.blocks.values():
            block.ring(engine.ring, self.projection.network.step)
        if fresh:
            self.signals.begin()
        kind: Any = (type(rule), rule.bounds, dtype)
        self.engine, self.pre = engine, ops.pre_op(*kind)
        self.post = ops.post_op(*kind) if rule.on_post is not None else None
        self.drift = drift_op(*kind) if rule.drift is not None else None
        early, late = bool((self.tables[0].dendritic > 0).any()), bool((self.tables[0].dendritic == 0).any())
        arrays = self.projection.arrays
        self.contexts = [self._contexts(t, arrays, ops.NEVER) for t in range(len(self.tables))]
        self.early = [
            ([(self.drift.address, c["drift"])] if self.drift is not None else [])
            + ([(self.post.address, c["early"])] if self.post is not None and early else [])
            for c in self.contexts
        ]
        self.delivery = [[(self.pre.address, c["pre"])] for c in self.contexts]
        self.late = [[(self.post.address, c["late"])] if self.post is not None and late else [] for c in self.contexts]
        self.traces = [
            [op for b in self.blocks.values() if b.specs for op in b.operations(engine, t)]
            + self.signals.operations(engine, t)
            for t in range(len(self.tables))
        ]

    def reset(self) -> None:
        """The signals begin anew with the neurons as they are now."""
        self.signals.begin()

    def _contexts(self, t: int, arrays: dict[str, Any], limit: int, delivers: int = 1) -> dict[str, Context]:
        table, target, shared = self.tables[t], self.projection.target, self._shared(t, arrays, limit)
        pre = Context(ops.PreContext, **shared, **self._pre_fields(t), targets=table.targets,
                      delivers=delivers and bool(target.model.receptors))  # fmt: skip
        posts = self.engine.own_spikes(target, t)
        del posts["ring"]
        back = [
            Context(ops.PostContext, **shared, late=late, rows=table.back_rows, n_rows=len(table.back_rows),
                    index=table.back_index, sources=table.sources, lo=self.engine.ranges[target.index][t][0], **posts)
            for late in (0, 1)
        ]  # fmt: skip
        drift = drift_context(shared, table, self.projection.network)
        return {"pre": pre, "early": back[0], "late": back[1], "drift": drift}

    def _shared(self, t: int, arrays: dict[str, Any], limit: int) -> dict[str, Any]:
        table, projection = self.tables[t], self.projection
        own, source, target = projection.arrays, projection.source, projection.target
        return dict(
            delays=table.delays, dendritic=table.dendritic, n_delays=len(table.delays), n_synapses=len(table.weights),
            weights=arrays[f"weights/{t}"], params=self.params, limit=limit, since=own["since"],
            x=own["pre/history"], n_source=source.n_padded, y=own["post/history"], n_target=target.n_padded,
            n_x=self.blocks["pre"].width, n_y=self.blocks["post"].width, ring=self.engine.ring,
        )  # fmt: skip

    def _pre_fields(self, t: int) -> dict[str, Any]:
        projection, engine, table = self.projection, self.engine, self.tables[t]
        spikes = engine.all_spikes(projection.source)
        del spikes["ring"]
        inputs = engine.inputs.fields(t, projection.target, projection.receptors[0])
        inputs["n_inputs"] = projection.target.n_padded
        return {"rows": table.rows, "n_rows": len(table.rows), **inputs, **spikes}

    def current_weights(self) -> Any:
        """(synapses,) weights in order of creation, as of now: what has arrived but waits is applied to a copy."""
        weights = np.empty(len(self.projection), dtype=self.projection.network.dtype)
        step, waiting = self.projection.network.step, int(max(self.tables[0].dendritic, default=0))
        for t, table in enumerate(self.tables):
            arrays = {f"weights/{t}": self.projection.arrays[f"weights/{t}"].copy()}
            if waiting and step and hasattr(self, "engine"):
                contexts = self._contexts(t, arrays, limit=step - 1, delivers=0)
                order = (self.drift, "drift"), (self.post, "early"), (self.pre, "pre"), (self.post, "late")
                for s in range(step, step + waiting):
                    for op, name in order:
                        if op is not None:
                            once()(op.address, np.array([contexts[name].address]), s)
            weights[table.created] = arrays[f"weights/{t}"]
        return weights

    def set_weights(self, values: Any) -> None:
        """Set the weights, given in order of creation. Spikes that have reached a synapse by now do not change them."""
        since = self.projection.arrays["since"]
        since[0] = max(since[0], self.projection.network.step)  # later, if it learns later or not at all
        for t, table in enumerate(self.tables):
            self.projection.arrays[f"weights/{t}"][...] = values[table.created]
