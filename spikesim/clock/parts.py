"""Chosen plastic synapses in tables of their own, with a state that is taken over from a runtime (`clock.follow`).

A part holds those onto one thread's targets that have one dendritic delay. It is a copy of the runtime in which only
the tables are others, so that the runtime itself says which operations there are and what they need.
"""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import numpy as np

from spikesim.clock import lazy, replay
from spikesim.clock.contexts import Context
from spikesim.clock.drive import once
from spikesim.clock.lazy_synapses import LazyRuntime
from spikesim.clock.local_runtime import LocalRuntime
from spikesim.clock.plasticity import NEVER
from spikesim.clock.replay_synapses import HISTORY, ReplayRuntime
from spikesim.clock.static_tables import places
from spikesim.clock.synapses import PlasticRuntime
from spikesim.clock.tables import plastic_table
from spikesim.clock.visited import VisitedRuntime


class Part:
    """Synapses that keep nothing but their weight.

    members
        which of the chosen synapses they are, in the order of the table.
    calls, reads, copies, weights
        what the walk needs of them, see `follow._walker`.
    """

    columns: tuple[str, ...] = ("weights",)  # arrays of the runtime with a column for each synapse
    members: Any

    def __init__(self, runtime: Any, t: int, table: Any, columns: Any) -> None:
        self.t, self.theirs, self.at = t, runtime, columns
        self.own, self.since = runtime.projection.arrays, np.zeros(1, dtype=np.int64)
        self.mine = copy.copy(runtime)
        self.dendritic = int(table.dendritic[0])
        self._lay_out(table)
        self.arrays = {f"{name}/{t}": self.own[f"{name}/{t}"][..., columns].copy() for name in self.columns}
        self._more()
        looked_at = {name: array.copy() for name, array in self.arrays.items() if name.split("/")[0] in self.columns}
        calls, reads = self._calls(), self._reads({**self.arrays, **looked_at})
        self._contexts = [context for _, context, _ in (*calls, *reads)]
        for context in self._contexts:  # the runtime's may be set anew before the walk gets there
            context.set(since=self.since.ctypes.data)
        self.calls = [(op, context.address, later) for op, context, later in calls]
        self.reads = [(op, context.address, argument) for op, context, argument in reads]
        self._looked_at = looked_at if reads else {}
        self.copies = [(self.arrays[name].ctypes.data, array.ctypes.data, array.nbytes)
                       for name, array in self._looked_at.items()]  # fmt: skip
        held = (self._looked_at or self.arrays)[f"weights/{t}"]
        self.weights = (held.ctypes.data, len(held), 0)

    def _lay_out(self, table: Any) -> None:
        self.mine.tables = {self.t: table}

    def _more(self) -> None:
        """Make what else of the state is not one column for each synapse."""

    def _calls(self) -> list[tuple[int, Context, int]]:
        """What a step of the synapses' own time does, in order, and how much later the engine does it."""
        mine = self.mine
        contexts = mine._contexts(self.t, self.arrays, NEVER, delivers=0)
        order = (mine.drift, "drift"), (mine.post, "early"), (mine.pre, "pre"), (mine.post, "late")
        return [(op.address, contexts[name], self.dendritic) for op, name in order if op is not None]

    def _reads(self, arrays: dict[str, Any]) -> list[tuple[int, Context, int]]:
        """What makes the weights of a copy, `arrays`, those of now."""
        return []

    def take_over(self) -> None:
        """Take the state over as it is now."""
        self.since[0] = self.own["since"][0]
        for name in self.columns:
            self.arrays[f"{name}/{self.t}"][...] = self.own[f"{name}/{self.t}"][..., self.at]


class LocalPart(Part):
    """Synapses with a memory of their own."""

    columns = ("weights", "x_here", "y_here", "variables", "last")

    def _calls(self) -> list[tuple[int, Context, int]]:
        groups = self.mine._operations(self.t, self.arrays, NEVER - 1)  # with a limit, nothing is delivered
        return [(op, context, self.dendritic) for group in groups for op, context in group]

    def _reads(self, arrays: dict[str, Any]) -> list[tuple[int, Context, int]]:
        if self.mine.projection.rule.between is None:
            return []
        at_once = np.zeros_like(self.mine.tables[self.t].dendritic)
        return [(self.mine._op("rest").address, self.mine._all(self.t, arrays, NEVER, dendritic=at_once), -1)]


class LazyPart(Part):
    """Synapses that are visited at presynaptic spikes only. The sums are those of all targets of the thread."""

    columns: tuple[str, ...] = ("weights", "seen")

    def _lay_out(self, table: Any) -> None:
        real = self.theirs.tables[self.t]
        self.rows = np.searchsorted(real.delays, table.delays)
        slots = (table.targets - self.theirs.shares[self.t].lo).astype(real.slots.dtype)
        begins = table.rows.astype(real.begins.dtype)
        self.mine.tables = {self.t: SimpleNamespace(delays=table.delays, begins=begins, slots=slots)}
        self.mine.dendritic = {self.t: table.dendritic}

    def _more(self) -> None:
        self.arrays.update((name, found.copy()) for name, found in self._found())

    def _found(self) -> list[tuple[str, Any]]:
        """The sums of the neurons and what is known of the rows, of the delays of this part, as they are now."""
        t, own, n = self.t, self.own, self.mine.projection.source.n
        visited, factors = own[f"visited/{t}"].reshape(-1, n), own[f"factors/{t}"]
        factors = factors.reshape(len(factors), len(visited), n)[:, self.rows]
        return [(f"sums/{t}", own[f"sums/{t}"][self.rows]), (f"visited/{t}", visited[self.rows].ravel()),
                (f"factors/{t}", factors.reshape(len(factors), len(self.rows) * n))]  # fmt: skip

    def _calls(self) -> list[tuple[int, Context, int]]:
        context = self._context(self.arrays)
        return [(op.address, context, self.dendritic) for op in self.mine._operations(self.t)]

    def _reads(self, arrays: dict[str, Any]) -> list[tuple[int, Context, int]]:
        settle = lazy.settle_op(self.mine.n_sums, *self.mine._kind(self.t))
        return [(settle.address, self._context(arrays), self.mine.n_params)]

    def _context(self, arrays: dict[str, Any], **given: Any) -> Context:
        return self.mine._context(self.t, arrays, NEVER, delivers=False, **given)

    def take_over(self) -> None:
        super().take_over()
        for name, found in self._found():
            self.arrays[name][...] = found


class ReplayPart(LazyPart):
    """Synapses that are visited at presynaptic spikes, and meet then what the postsynaptic neurons did.

    It makes no difference when they are visited, so they are at the end of every step. Their history is their own, and
    begins with what is on its way.
    """

    columns = ("weights",)

    def _more(self) -> None:
        super()._more()
        history = {f"{name}/{self.t}": self.own[f"{name}/{self.t}"] for name in HISTORY}
        self._before = self._context(self.arrays | history, settles=replay.REACHED)
        self._before.set(since=self.since.ctypes.data)
        self.arrays.update(self.theirs.history(self.t, few=1))

    def _found(self) -> list[tuple[str, Any]]:
        t, own, n = self.t, self.own, self.mine.projection.source.n
        names = (f"fired/{t}", f"after/{t}", f"before/{t}")
        rows = [own[name].reshape(*own[name].shape[:-1], -1, n)[..., self.rows, :] for name in names]
        found = [array.reshape(*array.shape[:-2], len(self.rows) * n) for array in rows]
        return [(f"swept/{t}", own[f"swept/{t}"][self.rows]), *zip(names, found, strict=True)]

    def _calls(self) -> list[tuple[int, Context, int]]:
        calls, self._rest = super()._calls(), []
        if self.mine.replays:
            remember = self.mine._op(replay.remember_op, self.t).address
            self._rest = [(remember, self._context(self.arrays, settles=settles), 0) for settles in (0, replay.REACHED)]
        return [*calls, *self._rest]

    def _reads(self, arrays: dict[str, Any]) -> list[tuple[int, Context, int]]:
        return []

    def take_over(self) -> None:
        super().take_over()
        if not self._rest:
            return
        remember, context, _ = self._rest[0]
        step = self.mine.projection.network.step
        once()(remember, np.array([self._before.address]), step - 1 - self.dendritic)
        for name in ("latest", "state"):
            self.arrays[f"{name}/{self.t}"][...] = 0
        for s in range(max(0, step - 2 * self.dendritic), step - self.dendritic):
            once()(remember, np.array([context.address]), s)


KINDS: tuple[tuple[type, type[Part]], ...] = (
    (LazyRuntime, LazyPart), (ReplayRuntime, ReplayPart), (LocalRuntime, LocalPart), (PlasticRuntime, Part),
)  # fmt: skip


def parts(runtime: Any, chosen: Any) -> list[Part]:
    """The synapses numbered `chosen`, ascending, of a runtime that is attached to its engine."""
    projection, fraction = runtime.projection, runtime.projection.dendritic_delay_fraction
    sources, targets = (ends[chosen] for ends in projection.ends())
    steps = projection.delay.everything(len(projection), projection.network.threads)[chosen]
    dendritic = np.rint(steps * fraction).astype(np.int64)
    visited = isinstance(runtime, VisitedRuntime)
    kind = next(kind for runtimes, kind in KINDS if isinstance(runtime, runtimes))
    found = []
    for t, (lo, hi) in enumerate(runtime.engine.ranges[projection.target.index]):
        columns = (_visited_columns if visited else _columns)(runtime, t, chosen)
        for delay in np.unique(dendritic):
            which = np.flatnonzero((dendritic == delay) & (targets >= lo) & (targets < hi))
            if len(which):
                table = plastic_table(projection.source.n, lo, hi, sources[which], targets[which], steps[which],
                                      np.zeros(len(which), projection.network.dtype), fraction)  # fmt: skip
                which = which[table.created]
                part = kind(runtime, t, table, columns[which])
                part.members = which
                found.append(part)
    return found


def _columns(runtime: Any, t: int, chosen: Any) -> Any:
    """The place in the table of thread t of each chosen synapse that is there."""
    columns, created = np.full(len(chosen), -1), runtime.tables[t].created
    there = np.flatnonzero(np.isin(created, chosen))
    columns[np.searchsorted(chosen, created[there])] = there
    return columns


def _visited_columns(runtime: Any, t: int, chosen: Any) -> Any:
    """The same for tables that do not say how their synapses are numbered."""
    columns = np.full(len(chosen), -1)
    for first, where, mine in places(runtime.shares[t], runtime.tables[t]):
        begin, end = np.searchsorted(chosen, [first, first + len(where)])
        numbers = chosen[begin:end] - first
        columns[begin:end] = np.where(mine[numbers], where[numbers], columns[begin:end])
    return columns
