"""Plays scripts in one compiled call: a program of runs and operations, on one thread.

A row of a program is (steps, function, context): steps to run, or an operation to call between two steps; (0, 0, 0) is
the end of a script, where Ctrl-C is heard. Parameters that scripts set are made into constants beforehand, for all
scripts at once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from spikesim.change_recorder import ChangeRecorder
from spikesim.clock.contexts import LENGTH, Context
from spikesim.clock.drive import INTERRUPT
from spikesim.clock.events import CopyContext, EventRuntime, copy_op
from spikesim.jit import cache_for
from spikesim.lowlevel import call, flush_denormals, restore_denormals
from spikesim.record import WeightRecorder
from spikesim.script import Action, Reset, Run, Script, Set, Trigger

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.network import Network
    from spikesim.population import Population


@functools.cache
def player() -> Any:
    """Compiled function (functions, contexts, program, row, done, step, limit, block, sync, full) -> (row, done, step).

    Plays from `row`, of which `done` steps are over, up to step `limit`, or until a recorder's buffer is full (looked
    at after every `block` of steps), or the host asks for an end, up to the end of a script.
    """
    with cache_for() as cache:

        @njit(nogil=True, cache=cache, error_model="numpy")
        def play(functions, contexts, program, row, done, step, limit, block, sync, full):
            before = flush_denormals()  # type: ignore[call-arg, var-annotated]
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


def playable(net: Network, engine: ClockEngine, actions: Iterable[Action]) -> bool:
    """Whether nothing has to be done between two actions of scripts in Python."""
    learning = [p for p in net.projections if p.plastic and not isinstance(p.runtime, EventRuntime)]
    resets = any(isinstance(action, Reset) for action in actions)
    return not (
        engine.n_threads > 1
        or engine.constraints
        or _depend_on_each_other(actions)
        or any(isinstance(r, WeightRecorder | ChangeRecorder) for r in net.recorders)
        or any(resets or (p.rule is not None and p.rule.events) for p in learning)
        or resets
        and any(p.short_term is not None for p in net.projections)
        or any(len(p.changes) or p.model.replays for p in net.populations)
    )


def _depend_on_each_other(actions: Iterable[Action]) -> bool:
    """Whether actions set different parameters of one population, so that the constants that one gives are not known
    until the others are over."""
    found: dict[Population, frozenset[str]] = {}
    for action in actions:
        if isinstance(action, Set) and (names := frozenset(action.values).difference(action.population.model.state)):
            if found.setdefault(action.population, names) != names:
                return True
    return False


class Player:
    """Plays scripts on an engine, as far as it is asked to."""

    def __init__(
        self, engine: ClockEngine, scripts: list[Script], actions: Iterable[Action], stopped: list[int]
    ) -> None:
        self.engine, self.scripts, self.stopped = engine, scripts, stopped
        self.kept: list[Any] = []  # what the program points to
        self.kinds: dict[tuple[Population, tuple[str, ...]], list[Set]] = {}  # what is set, and the actions that do so
        rows: dict[Action, bytes] = {}
        operations: dict[str, bytes] = {}
        for action in actions:
            if isinstance(action, Run):
                rows[action] = _bytes(action.steps, 0, 0)
            elif isinstance(action, Set):
                self.kinds.setdefault((action.population, tuple(action.values)), []).append(action)
            else:
                event = action.event if isinstance(action, Trigger) else ""
                if event not in operations:
                    operations[event] = self._rows(engine.event_operations(event) if event else
                                                   _reset_operations(engine))  # fmt: skip
                rows[action] = operations[event]
        rows.update(self._sets())
        end = _bytes(0, 0, 0)
        pieces: list[bytes] = []
        for script in scripts:
            pieces += map(rows.__getitem__, script.actions)
            pieces.append(end)
        self.program = np.frombuffer(bytearray().join(pieces), np.int64).reshape(-1, 3)
        self.steps = int(self.program[:, 0].sum())
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
        left, latest = set(self.kinds), []
        for script in reversed(self.scripts[: self.finished]):
            for action in reversed(script.actions):
                if isinstance(action, Set) and (kind := (action.population, tuple(action.values))) in left:
                    left.discard(kind)
                    latest.append(action)
            if not left:
                break
        for action in reversed(latest):
            action.population.values.update(_parameters(action))

    def _rows(self, operations: list[tuple[int, Context]]) -> bytes:
        self.kept += operations
        return b"".join(_bytes(0, address, context.address) for address, context in operations)

    def _sets(self) -> dict[Action, bytes]:
        """For each action that sets something, the rows that do it: copies of what is made here for all of a kind."""
        rows: dict[Action, bytes] = {}
        for (population, names), actions in self.kinds.items():
            n, dtype, state = population.n, population.network.dtype, population.model.state
            copies = []
            for name in filter(state.__contains__, names):
                held = np.empty((len(actions), n), dtype)
                for row, action in zip(held, actions, strict=True):
                    row[:] = action.values[name]
                copies.append(self._copies(held, population._row(name)[:n]))
            if any(name not in state for name in names):
                copies.append(
                    self._copies(population.constants_of(list(map(_parameters, actions))), population.constants)
                )
                stale = np.ones((1, len(population.stale)), population.stale.dtype)
                copies.append(self._copies(stale, population.stale) * len(actions))
            rows.update(zip(actions, map(b"".join, zip(*copies, strict=True)), strict=True))
        return rows

    def _copies(self, held: Any, target: Any) -> list[bytes]:
        """For each of `held` a row of the program that copies it to the array `target`."""
        contexts = np.zeros((len(held), LENGTH), np.int64)
        contexts[:, 0] = held.ctypes.data + np.arange(len(held)) * held.strides[0]
        contexts[:, 1], contexts[:, 2] = target.ctypes.data, held[0].nbytes
        self.kept += [contexts, target, held]
        rows = np.zeros((len(held), 3), np.int64)
        rows[:, 1] = copy_op().address
        rows[:, 2] = contexts.ctypes.data + np.arange(len(held)) * contexts.strides[0]
        return [row.tobytes() for row in rows]


def _reset_operations(engine: ClockEngine) -> list[tuple[int, Context]]:
    """What `Network.reset` does, where no synapse keeps anything but its weight."""
    net, pairs = engine.network, [(np.zeros_like(engine.inputs.array), engine.inputs.array)]
    for p in net.populations:
        pairs += [(p.first_state[row], p.arrays["state"][row]) for row, name in enumerate(p.model.state)
                  if name not in p.model.learned]  # fmt: skip
        pairs += [(np.zeros_like(array), array) for name, array in p.arrays.items() if name != "state"]
    for projection in net.projections:
        pairs += [(np.zeros_like(array), array) for name, array in projection.arrays.items()
                  if not name.startswith(projection.kept)]  # fmt: skip
    return [(copy_op().address, Context(CopyContext, origin=origin, target=target, n_bytes=target.nbytes))
            for origin, target in pairs if target.nbytes]  # fmt: skip


def _bytes(*row: int) -> bytes:
    return np.array(row, np.int64).tobytes()


def _parameters(action: Set) -> dict[str, Any]:
    return {name: value for name, value in action.values.items() if name not in action.population.model.state}
