"""Plays scripts in one compiled call: a program of runs and operations, on one thread.

A row of a program is (steps, function, context): steps to run, or an operation to call between two steps; (0, 0, 0) is
the end of a script, where Ctrl-C is heard. Parameters that scripts set are made into constants beforehand, for all
scripts at once.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from spikesim.change_recorder import ChangeRecorder
from spikesim.clock.contexts import Context
from spikesim.clock.drive import INTERRUPT
from spikesim.clock.events import CopyContext, EventRuntime, copy_op
from spikesim.jit import cache_for
from spikesim.lowlevel import call, flush_denormals, restore_denormals
from spikesim.record import WeightRecorder
from spikesim.script import Run, Script, Set, Trigger

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.network import Network
    from spikesim.population import Population


@functools.cache
def player() -> Any:
    """Compiled function (functions, contexts, program, row, done, step, limit, block, sync, full) -> (row, done, step).

    Plays from `row`, of which `done` steps are over, up to step `limit`, or until a recorder's buffer is full (looked at
    after every `block` of steps), or the host asks for an end, up to the end of a script.
    """
    with cache_for() as cache:

        @njit(nogil=True, cache=cache, error_model="numpy")
        def play(functions, contexts, program, row, done, step, limit, block, sync, full):
            before = flush_denormals()
            while row < len(program):
                steps = program[row, 0]
                while done < steps:
                    if step >= limit or full[0] != 0:
                        restore_denormals(before)
                        return row, done, step
                    end = min(step + steps - done, limit, step + block)
                    done += end - step
                    while step < end:
                        for k in range(len(functions)):
                            call(functions[k], contexts[k], step)
                        step += 1
                if program[row, 1] != 0:
                    call(program[row, 1], program[row, 2], step)
                row, done = row + 1, 0
                if steps == 0 and program[row - 1, 1] == 0 and sync[INTERRUPT] != 0:
                    break
            restore_denormals(before)
            return row, done, step

        nothing = np.zeros(0, dtype=np.int64)
        play(nothing, nothing, np.zeros((0, 3), dtype=np.int64), 0, 0, 0, 0, 1, nothing, nothing)  # compiles it now
        return play


def playable(net: Network, engine: ClockEngine) -> bool:
    """Whether nothing has to be done between two actions of a script, in Python."""
    return not (
        engine.n_threads > 1
        or engine.constraints
        or any(isinstance(r, WeightRecorder | ChangeRecorder) for r in net.recorders)
        or any(p.plastic and not isinstance(p.runtime, EventRuntime) and p.rule.events for p in net.projections)
        or any(len(p.changes) or p.model.replays for p in net.populations)
    )


class Player:
    """Plays scripts on an engine, as far as it is asked to."""

    def __init__(self, engine: ClockEngine, scripts: list[Script], stopped: list[int]) -> None:
        self.engine, self.scripts, self.stopped = engine, scripts, stopped
        self.kept: list[Any] = []  # what the program points to
        tables = {key: self._table(*key) for key in self._keys()}
        used = dict.fromkeys(tables, 0)
        rows: list[tuple[int, int, int]] = []
        events: dict[str, list[tuple[int, int, int]]] = {}
        for script in scripts:
            for action in script.actions:
                if isinstance(action, Run):
                    rows.append((action.steps, 0, 0))
                elif isinstance(action, Trigger):
                    if action.event not in events:
                        events[action.event] = self._rows(engine.event_operations(action.event))
                    rows += events[action.event]
                else:
                    key = _key(action)
                    rows += tables[key][used[key]]
                    used[key] += 1
            rows.append((0, 0, 0))
        self.program = np.array(rows, dtype=np.int64).reshape(-1, 3)
        self.ends = np.flatnonzero((self.program[:, :2] == 0).all(axis=1))
        self.row = self.done = 0

    @property
    def finished(self) -> int:
        """Scripts that are over."""
        return int(np.searchsorted(self.ends, self.row))

    @property
    def between(self) -> bool:
        """Whether one script is over and the next has not begun."""
        return self.done == 0 and (self.row == 0 or self.row - 1 in self.ends)

    def advance(self, step: int, limit: int) -> int:
        """Play up to step `limit` at the most; returns the step reached."""
        engine = self.engine
        engine.sync[:] = 0
        engine.sync[INTERRUPT] = len(self.stopped) > 0
        engine.full[:] = 0
        self.row, self.done, step = player()(
            engine.functions[0], engine.addresses[0], self.program, self.row, self.done, step, limit, engine.block,
            engine.sync, engine.full,
        )  # fmt: skip
        return int(step)

    def settle(self) -> None:
        """Let populations know the parameters that were set last."""
        for script in self.scripts[: self.finished]:
            for action in script.actions:
                if isinstance(action, Set):
                    action.population.values.update(_parameters(action))

    def _keys(self) -> list[tuple[Population, tuple[str, ...]]]:
        actions = [a for script in self.scripts for a in script.actions if isinstance(a, Set)]
        return list(dict.fromkeys(map(_key, actions)))

    def _rows(self, operations: list[tuple[int, Context]]) -> list[tuple[int, int, int]]:
        self.kept += operations
        return [(0, address, context.address) for address, context in operations]

    def _copies(self, origins: Any, target: Any, n_bytes: int) -> list[tuple[int, int, int]]:
        """A row for each of `origins`, addresses, that copies from there to the array `target`."""
        contexts = np.zeros((len(origins), len(Context(CopyContext, origin=0, target=0, n_bytes=0).words)), np.int64)
        contexts[:, :3] = np.array(
            [origins, np.full_like(origins, target.ctypes.data), np.full_like(origins, n_bytes)]
        ).T
        self.kept += [contexts, target]
        address = copy_op().address
        return [
            (0, address, int(context))
            for context in contexts.ctypes.data + np.arange(len(origins)) * contexts.strides[0]
        ]

    def _table(self, population: Population, names: tuple[str, ...]) -> list[list[tuple[int, int, int]]]:
        """For each action that sets these names, the rows that do it."""
        actions = [a for script in self.scripts for a in script.actions
                   if isinstance(a, Set) and _key(a) == (population, names)]  # fmt: skip
        n, dtype = population.n, population.network.dtype
        rows: list[list[tuple[int, int, int]]] = [[] for _ in actions]
        for name in names:
            if name in population.model.state:
                place = population._row(name)[:n]
                held = np.array([np.broadcast_to(a.values[name], n) for a in actions], dtype=dtype)
                self._add(rows, held, place)
        if any(name not in population.model.state for name in names):
            held = population.constants_of([_parameters(a) for a in actions])
            self._add(rows, held, population.constants)
            self._add(rows, np.broadcast_to(np.ones_like(population.stale), (len(actions), len(population.stale))).copy(),
                      population.stale)  # fmt: skip
        return rows

    def _add(self, rows: list[list[tuple[int, int, int]]], held: Any, place: Any) -> None:
        self.kept.append(held)
        origins = held.ctypes.data + np.arange(len(held)) * held.strides[0]
        for row, copy in zip(rows, self._copies(origins, place, held[0].nbytes), strict=True):
            row.append(copy)


def _key(action: Set) -> tuple[Population, tuple[str, ...]]:
    return action.population, tuple(action.values)


def _parameters(action: Set) -> dict[str, Any]:
    return {name: value for name, value in action.values.items() if name not in action.population.model.state}
