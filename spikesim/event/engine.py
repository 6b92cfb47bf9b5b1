"""Lays a network out for the event-driven loop, and keeps what users see and what the loop has in step."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.event.crossing import I_0, I_1, NODES, REST, RISE_0, RISE_1, WIDTH, V, parameter_rows
from spikesim.event.describe import Alpha, Constant, Leaky, Poisson, Replay
from spikesim.event.heap import Flight, new_flight, new_next, widened
from spikesim.event.kernel import (
    CONSTANT,
    DONE,
    FLIGHT_FULL,
    HAZARD,
    HZ,
    LEAKY,
    POISSON,
    REPLAY,
    Log,
    Room,
    Units,
    kernel,
    looker,
    planner,
    starter,
)
from spikesim.event.moments import milliseconds, moments, picoseconds
from spikesim.event.plasticity import EventRuntime
from spikesim.event.rows import laid_out, static_stretch
from spikesim.jit import spent
from spikesim.rng import key, stream_id

if TYPE_CHECKING:
    from spikesim.event.network import EventNetwork
    from spikesim.population import Population

KINDS = {Leaky: LEAKY, Poisson: POISSON, Replay: REPLAY, Constant: CONSTANT}
NOTHING = [np.zeros(0, dtype) for dtype in (np.int64, np.int64, np.int64, np.float64, np.float64)]
LOGGED = 1 << 16  # spikes that the loop hands over at a time
#: What a population keeps from event to event, beside the arrays that users see: name -> (columns, type).
KEPT = {"state": (8, np.float64), "base": (0, np.int64), "free": (0, np.int64), "free_rest": (0, np.float64),
        "count": (0, np.int64)}  # fmt: skip


class EventEngine:
    """It owns no state but the spikes in flight (`in_flight`), so that it can be thrown away and built anew."""

    constraints = ()

    def __init__(self, network: EventNetwork, former: EventEngine | None = None) -> None:
        began, compiled = time.perf_counter(), spent["compile"]
        self.network, self.populations = network, list(network.populations)
        if former is not None:
            former.sync()  # what was set before the network was changed
        sizes = [p.n for p in self.populations]
        self.first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        n = int(self.first[-1])
        fresh = self._adopt_state(n)
        self._trains = self._lay_out_trains(n)
        self.room = Room(
            nodes=np.zeros((NODES, 6)), touched=np.zeros(n, np.int32), marked=np.zeros(n, np.uint8),
            moment=np.zeros(1, np.int64), moment_rest=np.zeros(1), weight=np.zeros(1),
            key=np.array(key(network.seed), np.int64), events=np.zeros(2, np.int64),
        )  # fmt: skip
        self.log = Log(np.zeros(LOGGED, np.int64), np.zeros(LOGGED), np.zeros(LOGGED, np.int32), np.zeros(1, np.int64))
        self.fired: list[tuple[Any, Any, Any]] = []  # (step, rest, unit) of spikes that recorders have yet to see
        self._tables: dict[int, Any] = {}
        self._seen: dict[int, Any] = {} if former is None else former._seen
        self._lay_out_units(n)
        self.rows = laid_out(self._stretches(), n)
        self._run, self._plan_units, self._look = kernel(), planner(), looker()
        self.upcoming = new_next(n)
        self.flight: Flight = new_flight(1)
        self._compile()
        for p in fresh:
            self._start(p)
        self._plan_units(self.units, self.upcoming, np.arange(n), self.room.nodes)
        self.put_in_flight(NOTHING if former is None else former.in_flight())
        self.room.events[0] = 0 if former is None else former.events
        self.sync()
        compiling = spent["compile"] - compiled
        network.seconds["compile"] += compiling
        network.seconds["build"] += time.perf_counter() - began - compiling

    # Layout -----------------------------------------------------------------------------------------------------

    def _adopt_state(self, n: int) -> list[Population]:
        """One array for all units of what is kept of each; populations have their parts of it. Gives those that are
        new."""
        network, fresh = self.network, []
        whole = {name: np.zeros((n, columns) if columns else n, dtype) for name, (columns, dtype) in KEPT.items()}
        whole["base"][:] = network.step
        for p in self.populations:
            here = slice(int(self.first[p.index]), int(self.first[p.index + 1]))
            if "event/base" not in p.arrays:
                fresh.append(p)
            for name, array in whole.items():
                part = array[here]
                if p not in fresh:
                    part[...] = p.arrays[f"event/{name}"]
                p.arrays[f"event/{name}"] = part
        self.whole = whole
        return fresh

    def _compile(self) -> None:
        """Compile what a run needs, or load it: nothing is due before time 0."""
        began, nothing = time.perf_counter(), np.zeros(0, np.int64)
        self._run(self.units, self.upcoming, self.rows, self.flight, self.log, self.room, -1)
        self._plan_units(self.units, self.upcoming, nothing, self.room.nodes)
        self._look(self.units, nothing, 0, np.empty((0, 8)))
        spent["compile"] += time.perf_counter() - began

    def _lay_out_trains(self, n: int) -> tuple[Any, Any, Any]:
        """(moments, their remainders, where each unit's train ends) of replayed spikes; counts tell where it is."""
        steps, rests, ends, total = [np.zeros(0, np.int64)], [np.zeros(0)], np.zeros(n, np.int64), 0
        for p in self.populations:
            if not isinstance(p.model.event, Replay):
                continue
            model: Any = p.model
            step, rest = moments(model.times)
            order = np.lexsort((rest, step, model.ids))
            step, rest, ids = step[order], rest[order], model.ids[order]
            begins = total + np.searchsorted(ids, np.arange(p.n + 1))
            first = int(self.first[p.index])
            ends[first : first + p.n] = begins[1:]
            over = (step < self.network.step) | ((step == self.network.step) & (rest == 0.0))
            done = np.bincount(ids[over], minlength=p.n) if self.network.step else np.zeros(p.n, np.int64)
            p.arrays["event/count"][:] = begins[:-1] + done
            steps.append(step)
            rests.append(rest)
            total += len(step)
        return np.concatenate(steps), np.concatenate(rests), ends

    def _lay_out_units(self, n: int) -> None:
        """Parameters, kinds and streams of all units."""
        kind, stream, local = np.zeros(n, np.int8), np.zeros(n, np.int64), np.zeros(n, np.int64)
        row_of, rows, total = np.zeros(n, np.int32), [np.zeros((1, WIDTH))], 1
        for p in self.populations:
            here = slice(int(self.first[p.index]), int(self.first[p.index + 1]))
            kind[here] = KINDS[type(p.model.event)]
            stream[here], local[here] = stream_id("INTERVAL", p.index), np.arange(p.n)
            if isinstance(p.model.event, Leaky):
                found = self._parameters(p)
                row_of[here] = total + np.arange(len(found))
                rows.append(found)
                total += len(found)
        state = self.whole
        self.units = Units(state["state"], state["base"], state["free"], state["free_rest"], kind, row_of,
                           np.concatenate(rows), state["count"], stream, local, *self._trains)  # fmt: skip

    def _parameters(self, p: Population) -> Any:
        """Its rows of the table; made anew when something was set, which gives a population other `values`."""
        held = self._tables.get(p.index)
        if held is None or held[0] is not p.values:
            event: Any = p.model.event
            held = p.values, parameter_rows(event, p.values, picoseconds(p.values["t_ref"]))
            self._tables[p.index] = held
        return held[1]

    def _stretches(self) -> list[Any]:
        first, found = self.first, list[Any]()
        for p in self.network.projections:
            if p.plastic:
                p.runtime = p.runtime or EventRuntime(p)
                p.runtime.attach(self)
                found += p.runtime.stretches(first) if len(p) else []
            elif len(p):
                found.append(static_stretch(p, int(first[p.source.index]), int(first[p.target.index])))
        return found

    def _start(self, p: Population) -> None:
        """A population begins its life."""
        self._seen[p.index] = p.arrays["state"].copy()
        ids = np.arange(self.first[p.index], self.first[p.index + 1])
        if isinstance(p.model.event, Leaky):
            self._take_shown(p, slice(None))
        elif isinstance(p.model.event, Poisson):
            starter()(self.units, ids, self.room.key)

    # What users see -----------------------------------------------------------------------------------------------

    @staticmethod
    def _columns(event: Leaky) -> dict[str, int]:
        """State variable -> its place in the state of a unit."""
        found = {"V_m": V}
        for current, (rise, level) in zip(event.currents, ((RISE_0, I_0), (RISE_1, I_1)), strict=False):
            found[current.I] = level
            if isinstance(current, Alpha):
                found[current.dI] = rise
        return found

    def _take_shown(self, p: Population, which: Any) -> None:
        """Neurons go on from the state that users see, now."""
        event: Any = p.model.event
        for name, place in self._columns(event).items():
            p.arrays["event/state"][which, place] = p._row(name)[: p.n][which]
        p.arrays["event/base"][which], p.arrays["event/state"][which, REST] = self.network.step, 0.0

    def state_now(self, p: Population, ids: Any) -> Any:
        """(8, ids) what the leaky integrators of a population are now; changes nothing."""
        out = np.empty((len(ids), 8))
        self._look(self.units, ids + self.first[p.index], self.network.step, out)
        return out.T

    def show(self) -> None:
        """Let users see the state as it is now."""
        for p in self.populations:
            if isinstance(p.model.event, Leaky):
                now = self.state_now(p, np.arange(p.n))
                for name, place in self._columns(p.model.event).items():
                    p._row(name)[: p.n] = now[place]
                self._seen[p.index] = p.arrays["state"].copy()

    def sync(self) -> None:
        """Take notice of what users have set since they saw it."""
        for p in self.populations:
            event = p.model.event
            if isinstance(event, Leaky):
                self._sync_neurons(p)
            elif isinstance(event, Poisson):
                self._sync_rates(p)
            elif isinstance(event, Constant):
                self._sync_currents(p)

    def _sync_neurons(self, p: Population) -> None:
        first, seen, table = int(self.first[p.index]), self._seen[p.index], self._parameters(p)
        row_of = self.units.row_of[first : first + p.n]
        if len(table) == 1:
            table = np.broadcast_to(table, (p.n, WIDTH))
        changed = (table != self.units.table[row_of]).any(axis=1) | (p.arrays["state"] != seen).any(axis=0)[: p.n]
        which = np.flatnonzero(changed)
        if not len(which):
            return
        self._take_shown(p, which)
        self._seen[p.index] = p.arrays["state"].copy()
        if (table[which] != self.units.table[row_of[which]]).any():
            self._lay_out_units(len(self.units.kind))
        self._plan_units(self.units, self.upcoming, first + which, self.room.nodes)

    def _sync_rates(self, p: Population) -> None:
        """A change of rate leaves the rest of an interval as it is, in units of its mean."""
        network, state, base = self.network, p.arrays["event/state"], p.arrays["event/base"]
        rate = p.model.at_step(p.values, network.step, network.dt)["rate"] * 1e-3
        which = np.flatnonzero(state[:, HZ] != rate)
        if len(which):
            passed = milliseconds(network.step - base[which], -state[which, REST])
            state[which, HAZARD] = np.maximum(state[which, HAZARD] - state[which, HZ] * passed, 0.0)
            state[which, HZ] = np.broadcast_to(rate, (p.n,))[which]
            base[which], state[which, REST] = network.step, 0.0
            self._plan_units(self.units, self.upcoming, which + self.first[p.index], self.room.nodes)

    def _sync_currents(self, p: Population) -> None:
        """What changes in a constant current is on its way as a spike would be."""
        now, was = np.broadcast_to(p.values["I"], (p.n,)), p.arrays["event/state"][:, V]
        which = np.flatnonzero(now != was)
        if len(which):
            step, n = np.full(len(which), self.network.step), len(which)
            units = which + self.first[p.index]
            self._launch(units, step, np.zeros(n), now[which] - was[which])
            p.arrays["event/state"][which, V] = now[which]

    # Spikes in flight ----------------------------------------------------------------------------------------------

    def in_flight(self) -> list[Any]:
        """(population, id, step, rest, amount) arrays of what was sent and has not arrived everywhere."""
        f, k = self.flight, int(self.flight.size[0])
        unit_of = np.empty(len(self.rows.rows), np.int64)
        unit_of[self.rows.rows] = np.repeat(np.arange(len(self.rows.rows_of) - 1), np.diff(self.rows.rows_of))
        spikes: dict[Any, Counter[int]] = {}  # those of one train and moment come as often as on any of their rows
        for row, *spike in zip(
            *(column[:k].tolist() for column in (f.row, f.born, f.born_rest, f.amount)), strict=True
        ):
            spikes.setdefault((int(unit_of[row]), *spike), Counter())[row] += 1
        each = [spike for spike in sorted(spikes) for _ in range(max(spikes[spike].values()))]
        unit, born, rest, amount = (np.array(column) for column in zip(*each, strict=True)) if each else NOTHING[1:]
        population = np.searchsorted(self.first, unit, side="right") - 1
        return [population, unit - self.first[population], born, rest, amount]

    def put_in_flight(self, found: list[Any]) -> None:
        """What `in_flight` gave, of this network or of it before it was changed, is on its way."""
        self.flight = new_flight(max(1024, 4 * len(self.rows.rank)))
        population, ids, born, rest, amount = found
        if len(ids):
            self._launch(self.first[population] + ids, born, rest, amount)

    def _launch(self, units: Any, born: Any, rest: Any, amount: Any) -> None:
        """Put on their way what arrives later than now."""
        self.flight = launched(self.flight, self.rows, units, born, rest, amount, self.network.step)

    # Running ------------------------------------------------------------------------------------------------------

    def run(self, step: int, limit: int) -> int:
        """Go on from `step` to the end of `limit`."""
        if any(step in p.changes for p in self.populations if len(p.changes)):
            self.sync()  # rates that change by themselves
        self.fired = []
        while True:
            status = self._run(self.units, self.upcoming, self.rows, self.flight, self.log, self.room, limit)
            self._hand_over()
            if status == DONE:
                return limit
            if status == FLIGHT_FULL:
                self.flight = widened(self.flight, 2 * len(self.flight.step) + len(self.rows.rank))

    def _hand_over(self) -> None:
        k, log = int(self.log.size[0]), self.log
        if k:
            self.fired.append((log.step[:k].copy(), log.rest[:k].copy(), log.unit[:k].copy()))
            counts = np.bincount(np.searchsorted(self.first, log.unit[:k], side="right") - 1)
            for p, count in zip(self.populations, counts, strict=False):
                p.emitted[0] += count
            log.size[0] = 0

    @property
    def events(self) -> int:
        """Spikes and arrivals so far."""
        return int(self.room.events[0])

    def reset(self) -> None:
        """Neurons are as they were at first, nothing is in flight."""
        for p in self.populations:
            if isinstance(p.model.event, Leaky):
                p.arrays["event/free"][:], p.arrays["event/free_rest"][:] = 0, 0.0
                self._take_shown(p, slice(None))
        self.put_in_flight(NOTHING)
        self._plan_units(self.units, self.upcoming, np.arange(self.first[-1]), self.room.nodes)
        self.show()

    def refill(self) -> None:
        """Nothing: no input waits for its time."""

    def restored(self, in_flight: list[Any]) -> None:
        """The arrays are those of another time."""
        self.put_in_flight(in_flight)
        self._plan_units(self.units, self.upcoming, np.arange(self.first[-1]), self.room.nodes)
        for p in self.populations:
            self._seen[p.index] = p.arrays["state"].copy()

    def interrupt(self) -> None:
        """Nothing: the loop comes back several times a second."""

    def close(self) -> None:
        """Nothing: there are no threads."""


def launched(flight: Flight, rows: Any, units: Any, born: Any, rest: Any, amount: Any, now: int) -> Flight:
    """The flight with more in it: what these units sent at these moments and has not arrived by now."""
    from spikesim.event.heap import send
    from spikesim.event.moments import after, before

    order = np.lexsort((units, rest, born))
    for u, s, r, a in zip(*(np.asarray(x)[order].tolist() for x in (units, born, rest, amount)), strict=True):
        for row in rows.rows[rows.rows_of[u] : rows.rows_of[u + 1]]:
            for k in range(rows.begin[row], rows.begin[row + 1]):
                t, left = after(s, r, float(rows.delay[k]))
                if before(now, 0.0, t, left):
                    if flight.size[0] == len(flight.step):
                        flight = widened(flight, 2 * len(flight.step))
                    send(flight, rows.rank, t, left, row, k, s, r, a)
                    break
    return flight
