"""Lays a network out for the clock-driven engine and runs it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from spikesim.clock import chances, delivery, drives, neurons, sent, short_term
from spikesim.clock.constraints import ConstraintRuntime
from spikesim.clock.contexts import Context
from spikesim.clock.drive import INTERRUPT, SYNC_LENGTH, drive, once
from spikesim.clock.events import EventRuntime
from spikesim.clock.inputs import Inputs
from spikesim.clock.lazy_synapses import LazyRuntime, comes_apart
from spikesim.clock.local_runtime import LocalRuntime
from spikesim.clock.patience import Patience
from spikesim.clock.replay_synapses import ReplayRuntime
from spikesim.clock.rings import ranges, resized_ring, widened_ring
from spikesim.clock.static_tables import Share, SparseTable, same_weight, sparse_table
from spikesim.clock.synapses import PlasticRuntime
from spikesim.clock.visited import VisitedRuntime
from spikesim.factors import replayed
from spikesim.jit import spent
from spikesim.lowlevel import SPINS
from spikesim.rng import key, stream_id

if TYPE_CHECKING:
    from spikesim.drive import Drive
    from spikesim.network import Network
    from spikesim.population import Population
    from spikesim.projection import Projection

LONGEST_BLOCK = 64  # steps between two barriers, however long the shortest delay is
WIDEST, NARROWEST = 16, 4  # delays that a spike serves at once, in small networks and in large ones
CACHE = 1 << 20  # bytes of input that may be in use
NOTHING = np.zeros(1)

Operations = list[tuple[int, Context]]


class ClockEngine:
    """Operations and contexts of every thread, for the populations, projections and recorders of a network.

    It owns no state: that lies in named arrays of the populations and projections, so that an engine can be
    thrown away and built anew when something is added to the network.
    """

    def __init__(self, network: Network) -> None:
        began, compiled = time.perf_counter(), spent["compile"]
        self.network, self.n_threads = network, network.threads
        self._pool = ThreadPoolExecutor(self.n_threads) if self.n_threads > 1 else None
        self.ranges = {p.index: ranges(p.n, self.n_threads) for p in network.populations}
        self.starts = {p.index: np.array([lo * p.model.max_spikes for lo, _ in self.ranges[p.index]], dtype=np.int64)
                       for p in network.populations}  # fmt: skip
        self._prepare_runtimes()
        self.inputs = Inputs(network.populations, self.ranges, self.n_threads, self._input_rows(), network.dtype)
        self._lay_out_rings()
        self._compile()
        self.refill()
        compiling = spent["compile"] - compiled
        network.seconds["compile"] += compiling
        network.seconds["build"] += time.perf_counter() - began - compiling

    # Layout -----------------------------------------------------------------------------------------------

    def _prepare_runtimes(self) -> None:
        for projection in self.network.projections:
            if projection.plastic and projection.runtime is None:
                projection.runtime = self._runtime(projection)
            if projection.short_term is not None:
                short_term.prepare(projection, projection.short_term)
        self.constraints = [
            ConstraintRuntime(p, place) for p in self.network.projections for place in range(len(p.constraints))
        ]

    def _runtime(self, projection: Projection) -> Any:
        if projection.dense:
            return EventRuntime(projection, self)
        assert projection.rule is not None
        if projection.rule.has_memory():
            return LocalRuntime(projection, self)
        sums = comes_apart(projection)
        if sums is not None:
            return LazyRuntime(projection, self, sums)
        return (ReplayRuntime if replayed(projection.rule) else PlasticRuntime)(projection, self)

    def _lay_out_rings(self) -> None:
        """Rings of spikes and currents, long enough for the longest look back; what is in flight is kept."""
        network = self.network
        delays = [p.delay.shortest for p in network.projections if len(p)]
        longest = [p.delay.longest for p in network.projections if len(p)]
        lags = [p.runtime.lag for p in network.projections if p.runtime is not None]
        self.block = min([LONGEST_BLOCK, *delays])
        self.ring = max([1, *longest, *lags]) + self.block + 1 + self.inputs.rows
        for p in network.populations:
            kind = (self.ring, p.n_padded) if p.model.graded else (self.ring, p.n_padded * p.model.max_spikes)
            wanted: dict[str, Any] = {"history": (kind, network.dtype)} if p.model.graded else {
                "spike_ids": (kind, np.int32), "spike_counts": ((self.ring, self.n_threads), np.int32)}  # fmt: skip
            for name, (shape, dtype) in wanted.items():
                if name not in p.arrays:
                    p.arrays[name] = np.zeros(shape, dtype=dtype)
                if len(p.arrays[name]) != self.ring:
                    p.arrays[name] = resized_ring(p.arrays[name], self.ring, network.step)
                if p.arrays[name].shape != shape:
                    p.arrays[name] = widened_ring(p.arrays[name], shape[1], p.n_padded, self.ranges[p.index])
        sent.lay_out(self)
        for projection in network.projections:
            if projection.short_term is not None:
                short_term.lay_out(projection, self)

    def _static(self) -> list[Projection]:
        """Projections whose synapses do not change, but for weight matrices and currents."""
        return [p for p in self.network.projections if len(p) and not p.plastic and not p.dense and not p.sends_values]

    def _input_rows(self) -> int:
        """Steps that input is kept for, which is how many delays a bucket has at the most: more where the inputs of the
        network are small, for then they all stay in the cache. Must not depend on the number of threads."""
        network = self.network
        row = sum(p.n * len(p.model.receptors) for p in network.populations) * np.dtype(network.dtype).itemsize
        wanted = min(WIDEST, max(NARROWEST, CACHE // max(row, 1)))
        return max([1, *(min(wanted, p.delay.longest - p.delay.shortest + 1) for p in self._static())])

    def all_spikes(self, population: Population) -> dict[str, Any]:
        """Context fields by which an operation reads the spikes of every thread."""
        return {
            "ring": self.ring, "spike_ids": population.arrays["spike_ids"],
            "row_size": population.arrays["spike_ids"].shape[1], "starts": self.starts[population.index],
            "counts": population.arrays["spike_counts"], "n_threads": self.n_threads,
        }  # fmt: skip

    def own_spikes(self, population: Population, thread: int) -> dict[str, Any]:
        """Context fields by which an operation reads or writes the spikes of its own thread."""
        fields = self.all_spikes(population)
        del fields["starts"]
        return {**fields, "start": int(self.starts[population.index][thread]), "thread": thread}

    # Operations -------------------------------------------------------------------------------------------

    def _compile(self) -> None:
        network = self.network
        for projection in network.projections:
            if projection.runtime is not None:
                projection.runtime.attach(self)
        self.full = np.zeros(self.n_threads, dtype=np.int64)
        self._operations = []
        tables = self._sparse = self._sparse_operations()
        for t in range(self.n_threads):
            plastic = [p.runtime for p in network.projections if isinstance(p.runtime, PlasticRuntime | VisitedRuntime)]
            events = [p.runtime for p in network.projections if isinstance(p.runtime, EventRuntime)]
            steps: Operations = [self._drive_operation(drive_, t) for drive_ in network.drives]
            for runtime in plastic:
                steps += runtime.early[t]
            steps += tables[t]
            for projection in network.projections:
                if projection.dense and projection.sends != "spikes":
                    steps.append(sent.sent_operation(projection, self, t))
                elif projection.dense:
                    steps.append(self._dense_operation(projection, t))
                elif projection.sends_values:
                    steps += self._graded_operation(projection, t)
            for runtime in plastic:
                steps += runtime.delivery[t]
            for p in network.populations:
                steps += self._update_operation(p, t) + sent.keep_operations(p, self, t)
            for runtime in plastic:
                steps += runtime.late[t]
            traced: Any
            for traced in [*plastic, *events]:
                steps += traced.traces[t]
            for constraint in self.constraints:
                steps += constraint.operations(self, t)
            for projection in network.projections:
                if projection.short_term is not None:
                    steps.append(short_term.operation(projection, projection.short_term, self, t))
            for recorder in network.recorders:
                steps += recorder.operations(self, t)
            self._operations.append(steps)
        self.functions = [np.array([f for f, _ in ops], dtype=np.int64) for ops in self._operations]
        self.addresses = [np.array([c.address for _, c in ops], dtype=np.int64) for ops in self._operations]
        self.sync = np.zeros(SYNC_LENGTH, dtype=np.int64)
        self._patience = Patience(crowded=self.n_threads > (psutil.cpu_count() or 1))
        self._drive = drive()
        once()
        self._events: dict[str, Operations] = {}

    def _sparse_operations(self) -> list[Operations]:
        """Static synapses, merged into one table per source population and thread; those of one weight into another
        for each weight, which it need not keep."""
        found: list[Operations] = [[] for _ in range(self.n_threads)]
        groups: dict[Any, list[Projection]] = {}
        for p in sorted(self._static(), key=lambda p: p.source.index):
            own = p.index if p.short_term is not None else None  # amplitudes of its own
            groups.setdefault((p.source.index, own, same_weight([p])), []).append(p)
        for group in groups.values():
            tables = self.in_threads(functools.partial(self._sparse_table, group))
            for t, table in enumerate(tables):
                found[t].append(self._sparse_operation(group[0], table, t))
        return found

    def in_threads(self, work: Callable[[int], Any]) -> list[Any]:
        """`work(thread)` for every thread, side by side."""
        return list((self._pool.map if self._pool is not None else map)(work, range(self.n_threads)))

    def _sparse_table(self, group: list[Projection], thread: int) -> SparseTable:
        shares = []
        for p in group:
            lo, hi = self.ranges[p.target.index][thread]
            positive, negative = (self.inputs.place(thread, p.target, receptor) for receptor in p.receptors)
            shares.append(Share(p, lo, hi, positive, negative))
        n_slots = self.inputs.widths[thread]
        return sparse_table(shares, group[0].source.n, n_slots, self.inputs.rows, self.network.dtype)

    def _sparse_operation(self, projection: Projection, table: SparseTable, thread: int) -> tuple[int, Context]:
        n, slots, weights, source = len(table.slots), table.slots, table.weights, projection.source
        scaled = projection.short_term is not None
        shape = len(weights) > 1, slots.itemsize == 2, table.begins.itemsize == 8, scaled
        op = delivery.sparse_op(self.network.dtype, *shape)
        n_cells = max(delivery.CELLS, source.n * source.model.max_spikes)
        bucket = n * (slots.itemsize + weights.itemsize) / max(1, source.n * len(table.delays))  # bytes, on the whole
        return op.address, Context(
            delivery.SparseContext, delays=table.delays, n_delays=len(table.delays), width=table.width,
            begins=table.begins, n_begins=len(table.begins), slots=slots, weights=weights, n_synapses=n,
            ahead=max(2, min(12, int(delivery.AHEAD / max(bucket, 1.0)))), inputs=self.inputs.first(thread),
            n_inputs=self.inputs.widths[thread], cells=np.zeros(n_cells, dtype=np.int64), n_cells=n_cells,
            amplitudes=projection.arrays["short_term/amplitudes"] if scaled else NOTHING,
            scales=np.zeros(n_cells if scaled else 1, dtype=self.network.dtype),
            **self.inputs.ring(thread), **self.all_spikes(source),
        )  # fmt: skip

    def reset(self) -> None:
        """Neurons are as they were at first and no spike is on its way: so are the synapses and inputs."""
        for p in self.network.projections:
            if p.short_term is not None:
                short_term.reset(p, p.short_term)
            if isinstance(p.runtime, PlasticRuntime | VisitedRuntime):
                p.runtime.reset()
        self.refill()

    def refill(self) -> None:
        """Bring to the inputs of coming steps what steps that are over have brought there: the state says which spikes
        are on their way, and no more."""
        self.inputs.array[...] = 0.0
        for step in range(max(0, self.network.step - self.inputs.rows + 1), self.network.step):
            for sparse in self._sparse:
                for address, context in sparse:
                    once()(address, np.array([context.address]), step)
            self.inputs.clear(step)

    def _dense_operation(self, projection: Projection, thread: int) -> tuple[int, Context]:
        lo, hi = self.ranges[projection.target.index][thread]
        whole = hi + -hi % delivery.LANES  # the input has room for whole vectors, and what is there of weights is 0
        return delivery.dense_op(self.network.dtype).address, Context(
            delivery.DenseContext, delay=projection.delay.shortest, weights=projection.arrays["weights"],
            n_columns=projection.target.n_padded, n_sources=projection.source.n, lo=lo, hi=whole,
            **self.inputs.fields(thread, projection.target, projection.receptors[0]),
            **self.all_spikes(projection.source),
        )  # fmt: skip

    def _graded_operation(self, projection: Projection, thread: int) -> Operations:
        if not len(projection):
            return []
        lo, hi = self.ranges[projection.target.index][thread]
        sources, targets = projection.ends()
        mine = np.flatnonzero((targets >= lo) & (targets < hi))
        delays = projection.delay.everything(len(sources), 1)[mine]
        place, graded = (
            self.inputs.place(thread, projection.target, projection.receptors[0]),
            projection.source.model.graded,
        )
        context = Context(
            delivery.GradedDeliveryContext, sources=sources[mine], delays=delays, late=int(graded),
            slots=targets[mine] - lo + place, weights=projection.first_weights()[mine], n_synapses=len(mine),
            inputs=self.inputs.first(thread), n_inputs=self.inputs.widths[thread], ring=self.ring,
            **self.inputs.ring(thread),
            history=projection.source.arrays["history" if graded else f"sent/{projection.sends}"],
            n=projection.source.n_padded,
        )  # fmt: skip
        return [(delivery.graded_delivery_op(self.network.dtype).address, context)]

    def _drive_operation(self, drive_: Drive, thread: int) -> tuple[int, Context]:
        p, network = drive_.population, self.network
        lo, hi = self.ranges[p.index][thread]
        key0, key1 = key(network.seed)
        thresholds, base, last, rest, row = drive_.table
        context = Context(
            drives.DriveContext, lo=lo, hi=hi, n=p.n_padded, delay=drive_.delay_steps, key0=key0, key1=key1,
            words=np.zeros(drives.BLOCK // 2, dtype=np.uint32), counts=np.zeros(drives.BLOCK, dtype=np.int16),
            stream=stream_id("DRIVE", drive_.index), rest_stream=stream_id("DRIVE_REST", drive_.index),
            thresholds=thresholds, n_rates=len(base), width=thresholds.shape[1], base=base, last=last,
            rest=rest, most=rest.shape[1], row=np.resize(row, p.n_padded),
            weights=drive_.weight, n_weights=len(drive_.weight), **self.inputs.fields(thread, p, drive_.receptor),
        )  # fmt: skip
        return drives.drive_op(network.dtype, len(base) == 1).address, context

    @staticmethod
    def _kind(population: Population) -> Any:
        return type(population.model)

    def _random(self, population: Population) -> dict[str, Any]:
        key0, key1 = key(self.network.seed)
        purpose = "NOISE" if population.model.graded else "SPIKE"
        return {"words": np.zeros(population.n_padded, dtype=np.uint32), "stream": stream_id(purpose, population.index),
                "key0": key0, "key1": key1}  # fmt: skip

    def _state(self, population: Population) -> dict[str, Any]:
        return {"n": population.n_padded, "state": population.arrays["state"], "constants": population.constants,
                "n_constants": population.constants.shape[1]}  # fmt: skip

    def _used(self, population: Population) -> int:
        """A bit for each receptor of the population that something ends on."""
        ends = [r for p in self.network.projections if p.target is population for r in p.receptors]
        ends += [drive_.receptor for drive_ in self.network.drives if drive_.population is population]
        return sum(1 << receptor for receptor in set(ends))

    def _update_operation(self, population: Population, thread: int) -> Operations:
        model, kind, dtype = population.model, self._kind(population), self.network.dtype
        uniform = population.constants.shape[1] == 1
        lo, hi = self.ranges[population.index][thread]
        if model.graded:
            context = Context(neurons.GradedContext, lo=lo, hi=hi, ring=self.ring, history=population.arrays["history"],
                              **self._state(population), **self._random(population))  # fmt: skip
            return [(neurons.graded_op(kind, dtype, uniform).address, context)]
        if model.replays:
            assert population.schedule is not None
            steps, ids = population.schedule
            context = Context(neurons.ReplayContext, lo=lo, hi=hi, steps=steps, ids=ids, n_spikes=len(steps),
                              **self.own_spikes(population, thread))  # fmt: skip
            return [(neurons.replay_op().address, context)]
        if model.random and model.may_spike is not None and model.advance is None and not model.state:
            return [self._source_operation(population, thread)]
        inputs = self.inputs.fields(thread, population) if model.receptors else self.inputs.none()
        fields = dict(
            lo=lo, hi=hi, stride=self.inputs.strides[thread], used=self._used(population), **inputs,
            refractory=population.arrays["refractory"], emitted=population.emitted,
            **self._state(population), **self.own_spikes(population, thread),
        )  # fmt: skip
        if model.random and model.may_spike is not None:
            context = Context(neurons.ChanceContext, **fields, **self._chances(population, thread))
        else:
            context = Context(neurons.UpdateContext, **fields, listed=np.zeros(neurons.BLOCK, np.int32),
                              **self._random(population))  # fmt: skip
        return [(neurons.update_op(kind, dtype, uniform).address, context)]

    def _chances(self, population: Population, thread: int) -> dict[str, Any]:
        lo, hi = self.ranges[population.index][thread]
        population.stale[thread] = 1
        return chances.fields("SPIKE", population.index, self.network.seed, hi - lo, population.stale)

    def _source_operation(self, population: Population, thread: int) -> tuple[int, Context]:
        lo, hi = self.ranges[population.index][thread]
        context = Context(
            neurons.SourceContext, lo=lo, hi=hi, constants=population.constants, emitted=population.emitted,
            n_constants=population.constants.shape[1], **self._chances(population, thread),
            **self.own_spikes(population, thread),
        )  # fmt: skip
        uniform = population.constants.shape[1] == 1
        return neurons.source_op(self._kind(population), self.network.dtype, uniform).address, context

    # Running ----------------------------------------------------------------------------------------------

    def run(self, first: int, last: int) -> int:
        """Run the steps first to before last; returns the step reached, which is smaller if a recorder's buffer
        is full or `interrupt` was called. All threads stop at the same step."""
        self.sync[:] = 0
        self.sync[SPINS] = self._patience.look()
        self.full[:] = 0
        if self._pool is None:
            return self._thread(0, first, last)
        threads = [self._pool.submit(self._thread, t, first, last) for t in range(self.n_threads)]
        return [thread.result() for thread in threads][0]

    def interrupt(self) -> None:
        """Ask a run in progress to stop after the current block."""
        self.sync[INTERRUPT] = 1

    def _thread(self, t: int, first: int, last: int) -> int:
        return self._drive(
            self.functions[t],
            self.addresses[t],
            len(self.network.drives),
            first,
            last,
            self.block,
            t,
            self.n_threads,
            self.sync,
            self.full,
        )

    def trigger(self, event: str) -> None:
        """Let neurons, then traces and rules, react to a named event."""
        for address, context in self.event_operations(event):
            once()(address, np.array([context.address]), self.network.step)
        for projection in self.network.projections:
            if isinstance(projection.runtime, LocalRuntime):
                projection.runtime.trigger(event)

    def event_operations(self, event: str) -> Operations:
        """What a named event does at once."""
        if event not in self._events:
            self._events[event] = [self._neuron_event(p, event) for p in self.network.populations
                                   if event in p.model.events]  # fmt: skip
        found = list(self._events[event])
        for projection in self.network.projections:
            if isinstance(projection.runtime, EventRuntime):
                found += projection.runtime.event_operations(event)
        return found

    def _neuron_event(self, population: Population, event: str) -> tuple[int, Context]:
        uniform = population.constants.shape[1] == 1
        op = neurons.neuron_event_op(self._kind(population), event, self.network.dtype, uniform)
        return op.address, Context(neurons.NeuronEventContext, lo=0, hi=population.n, **self._state(population))

    def close(self) -> None:
        """Let the worker threads go."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
