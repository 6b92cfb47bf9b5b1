"""What the neuron beside a synapse does under a postsynaptic spike train, simulated once for all rules.

In protocols the neuron gets no input: it fires when the train says so, or by itself, and no synapse, weight or
parameter of a rule moves it. So its course is a function of the train and of its own parameters, and is kept for the
next rule that asks (`course_of`).

A course is made of episodes. One begins with a spike and ends when the neuron does not move any more; then it is at
rest until the next one. Spikes far apart set off the same episode again and again, which is simulated and kept once.
"""

from __future__ import annotations

import functools
import math
import threading
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from numba.extending import register_jitable

from spikesim.errors import SpikesimError
from spikesim.jit import cache_for, hook
from spikesim.lowlevel import load, store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spikesim.neuron import Neuron

#: What a state variable may move in a step and yet be at rest.
TINY = 1e-16
#: Steps simulated in one call, and bytes of courses that are kept.
PIECE, KEPT = 1 << 16, 1 << 28

#: Episode e lasts from step begin[e] for length[e] steps; values[:, offset[e] :] is the neuron after each of them, and
#: after the last until the next one begins. `start` is the neuron before step 0, `fired` the steps in which it fires.
Course = namedtuple("Course", "begin length offset values start fired")


@dataclass(frozen=True)
class _Episode:
    begin: int
    forced: np.ndarray  # its spikes of the train, steps from its begin on
    values: np.ndarray  # (variables, steps)
    fired: np.ndarray  # steps from its begin on
    state: np.ndarray  # of the neuron at its end
    at_rest: bool  # whether it came to its end
    offset: int  # of its values among those of the course


def course_of(cell: Neuron, post: np.ndarray, last: int, variables: Sequence[str], dt: float) -> Course:
    """The course of some state variables under a train (steps >= 0, sorted), at least up to step `last`."""
    key = cell_key(cell), post.tobytes(), tuple(variables), dt
    known = _courses.find(key)
    if known is not None and known[1] >= last:
        return known[0]
    course, until = _simulated(cell, post, last, variables, dt)
    _courses.keep(key, (course, until), course.values.nbytes + course.fired.nbytes)
    return course


def cell_key(cell: Any) -> Any:
    """Neurons with the same key do the same; None for none."""
    if cell is None:
        return None
    values = tuple((k, v if isinstance(v, str) else float(v)) for k, v in cell.values().items())
    return type(cell), values, tuple((k, float(v)) for k, v in cell.initial.items())


def at_rest(cell: Neuron, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """(constants, initial state) of one neuron."""
    values = {k: v if isinstance(v, str) else np.array([float(v)]) for k, v in cell.values().items()}
    found = cell.constants_for(cell.at_step(values, 0, dt), dt)
    constants = [float(found[name][0]) for name in cell.Constants._fields]
    starts = [cell.initial.get(name, start) for name, start in cell.state.items()]
    return np.array(constants), np.array([float(getattr(cell, s) if isinstance(s, str) else s) for s in starts])


def _simulated(cell: Neuron, post: np.ndarray, last: int, variables: Sequence[str], dt: float) -> tuple[Course, float]:
    """The course, and the step up to which it is true: infinite if the neuron is at rest in the end."""
    if cell.random or cell.advance is None:
        raise SpikesimError(f"{type(cell).__name__} does not advance by itself alone.")
    run = _runner(type(cell))
    constants, state = at_rest(cell, dt)
    places = np.array([list(cell.state).index(name) for name in variables], dtype=np.int64)
    start, episodes, size = state[places], [], 0
    seen: dict[bytes, list[_Episode]] = {}
    begin = used = 0
    while True:
        alike = seen.setdefault(state.tobytes(), [])
        episode = next((e for e in alike if _again(e, post[used:] - begin)), None)
        if episode is None:
            episode = _run(run, cell, constants, state, places, post[used:] - begin, begin, last, size)
            alike.append(episode)
            size += episode.values.shape[1]
        episodes.append((begin, episode))
        state, used = episode.state, used + len(episode.forced)
        if used == len(post) or not episode.at_rest or post[used] > last:
            break
        begin = int(post[used])
    until = math.inf if episode.at_rest and used == len(post) else last
    own = [e for begin, e in episodes if begin == e.begin]
    columns = zip(*((begin, e.values.shape[1], e.offset) for begin, e in episodes), strict=True)
    fired = np.concatenate([begin + e.fired for begin, e in episodes])
    values = np.concatenate([e.values for e in own], axis=1)
    return Course(*(np.array(column, dtype=np.int64) for column in columns), values, start, fired), until


def _again(episode: _Episode, spikes: np.ndarray) -> bool:
    """Whether an episode that begins in the same state happens again under these spikes (steps from now on)."""
    n = len(episode.forced)
    same = episode.at_rest and len(spikes) >= n and np.array_equal(spikes[:n], episode.forced)
    return bool(same and (len(spikes) == n or spikes[n] >= episode.values.shape[1]))


def _run(
    run: Any, cell: Neuron, constants: np.ndarray, state: np.ndarray, places: np.ndarray, spikes: np.ndarray,
    begin: int, last: int, offset: int,
) -> _Episode:  # fmt: skip
    """Simulate one episode from `begin` on; it ends at rest, or at step `last`."""
    state, held, nothing = state.copy(), np.zeros(1, dtype=np.int64), np.zeros(max(1, len(cell.receptors)))
    values, fired = [], []
    s = used = 0
    resting = False
    while not resting and begin + s <= last:
        n = min(PIECE, last - begin - s + 1)
        piece, spiked = np.empty((len(places), n)), np.empty(n, dtype=np.int64)
        n, used, n_fired, resting = run(state, held, nothing, constants, spikes, used, s, places, piece, spiked)
        values.append(piece[:, :n].copy() if n < piece.shape[1] else piece)
        fired.append(spiked[:n_fired].copy())
        s += n
    return _Episode(
        begin, spikes[:used].copy(), np.concatenate(values, axis=1), np.concatenate(fired), state, resting, offset
    )


class _Courses:
    """The courses that were asked for last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._size, self._lock = 0, threading.Lock()

    def find(self, key: Any) -> Any:
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def keep(self, key: Any, value: Any, size: int) -> None:
        with self._lock:
            self._size += size - self._kept.pop(key, (None, 0))[1]
            self._kept[key] = value, size
            while self._size > KEPT and len(self._kept) > 1:
                self._size -= self._kept.popitem(last=False)[1][1]


_courses = _Courses()


@register_jitable
def episode_at(begin, s):
    """The last episode that has begun at step s; -1 for none."""
    low, high = -1, len(begin) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if begin[middle] <= s:
            low = middle
        else:
            high = middle - 1
    return low


@register_jitable
def look(window, n, first, course):
    """Fill `window` (variables, n steps or more) with the neuron after step `first` and the n - 1 following ones."""
    begin, length, offset, values, start = course.begin, course.length, course.offset, course.values, course.start
    e, j = episode_at(begin, first), 0
    while j < n:
        until = n  # of what is as it was at first, or of this episode
        if e + 1 < len(begin):
            until = min(n, begin[e + 1] - first)
        for a in range(len(start)):
            for k in range(j, until):
                window[a, k] = start[a] if e < 0 else values[a, offset[e] + min(first + k - begin[e], length[e] - 1)]
        j, e = until, e + 1


def never(s: Any, c: Any, u: Any) -> Any:
    return 0.0


def kept(s: Any, c: Any) -> Any:
    return s


@register_jitable
def cell_step(advance, spikes, reset, State, Input, state, before, nothing, c, pause, left, fired):
    """One step of a neuron that gets no input: (whether it fires, steps left of its refractory period, whether it
    moved). It fires by itself, or because it is told to (`fired`), and is then refractory for `pause` steps."""
    for a in range(len(state)):
        before[a] = state[a]
    store(state, 0, 1, advance(load(State, state, 0, 1), load(Input, nothing, 0, 1), c, left == 0))
    if left == 0:
        fired = fired or spikes(load(State, state, 0, 1), c, 0.5) > 0
    left = max(0, left - 1)
    if fired:
        store(state, 0, 1, reset(load(State, state, 0, 1), c))
        left = pause
    moved = left > 0
    for a in range(len(state)):
        moved |= abs(state[a] - before[a]) > TINY
    return fired, left, moved


@functools.cache
def _runner(cell: Any) -> Any:
    """The compiled neuron: (state, steps left of its refractory period, no input, constants, spikes of the train, how
    many of them are over, the step, places of the variables that are kept, their values, steps with spikes) -> (steps
    made, spikes over, steps with spikes, whether it is at rest). The arrays of values say how many steps to make."""
    State, Constants, Input = cell.State, cell.Constants, cell.Input
    advance = hook(cell.advance)
    spikes, reset, refracts = hook(cell.spikes or never), hook(cell.reset or kept), cell.refracts()

    with cache_for(cell) as cache:

        @njit(cache=cache, error_model="numpy", nogil=True)
        def run(state, held, nothing, constants, train, used, s, places, values, spiked):
            c, before = load(Constants, constants, 0, 1), state.copy()
            left, n_fired, pause = held[0], 0, 0
            if refracts:
                pause = int(c.t_ref_steps)
            for n in range(values.shape[1]):
                forced = used < len(train) and train[used] == s + n
                fired, left, moved = cell_step(
                    advance, spikes, reset, State, Input, state, before, nothing, c, pause, left, forced
                )
                if fired:
                    spiked[n_fired] = s + n
                    n_fired += 1
                used += forced
                for a in range(len(places)):
                    values[a, n] = state[places[a]]
                if not moved:
                    held[0] = left
                    return n + 1, used, n_fired, True
            held[0] = left
            return values.shape[1], used, n_fired, False

    return run
