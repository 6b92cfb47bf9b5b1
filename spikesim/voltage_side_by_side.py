"""Many synapses of rules that read the postsynaptic neuron, walked side by side.

The walk and its order of effects are those of `spikesim.voltage_timeline`, and so are its results, but for rounding.
The neuron is simulated once for each train (`spikesim.cell_course`); rules that differ in numbers alone then go through
its course together, `LANES` of them in one call of compiled code: every variable is an array with a number for each.

Where no presynaptic trace is left and `drift` is 0 without one (`spikesim.silence`), nothing happens until the next
spike but that filters and postsynaptic traces go on, of which only what the spike can see is worked out.
"""

from __future__ import annotations

import functools
import math
from collections import namedtuple
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from spikesim.cell_course import Course, course_of, episode_at
from spikesim.jit import cache_for, hook
from spikesim.lanes import KINDS, fill, keep_in, left, low_pass, read, take_up, through
from spikesim.lowlevel import load_looked_up, looked_up, put
from spikesim.parallel import cores, pieces
from spikesim.plasticity import Rule
from spikesim.protocol import Condition, Protocol
from spikesim.signals import signal_specs
from spikesim.silence import silent
from spikesim.timeline import DIED_AWAY, STEP, train
from spikesim.voltage_timeline import begin_of, checked_cell, exponentials, on_grid, still, unchanged

LANES = 32  # their variables stay in the nearest cache
COURSES = 64  # held at a time
WINDOW = 1024  # steps of the neuron that are looked at together
OFTEN = 32  # steps from one look to the next whether traces are left

#: What the walk reads of rules. `params`, what a spike adds to each exponential of a trace (`height`) and what a step
#: leaves of it (`fade`), and the filters' `decay`, `threshold` and delay (`ahead`) have shape (how many, rules).
#: `after` is how many steps each rule is walked after the last spike. The other arrays are true of all rules: the
#: traces that exponentials belong to, which are presynaptic, what a spike leaves of them; and, of filters, whether the
#: input is squared, what it is, how many steps of it are not forgotten, the longest delay, whether delays are the same.
Lanes = namedtuple(
    "Lanes", "params height fade decay threshold ahead after trace is_pre kept squared variable enough most same silent"
)

#: What it writes: what hooks see (traces before signals), the exponentials, the window, weights
#: before the bounds, and sums of w - w.
Desk = namedtuple("Desk", "seen z window new lost")


@dataclass(frozen=True)
class _Walk:
    """One pair of trains (steps), the first spike of the two coming at step 0."""

    row: int
    protocol: Protocol
    pre: np.ndarray
    post: np.ndarray
    cell: Any
    pre_first: bool

    @property
    def last(self) -> int:
        """The step of the last spike."""
        return max(int(side[-1]) for side in (self.pre, self.post) if len(side))


def relative_changes(
    group: Sequence[Rule], rows: Sequence[tuple[Protocol, Condition]], starts: np.ndarray
) -> np.ndarray | None:
    """(rules, rows): the weight changes of rules of one kind, as fractions of the weights before, which are `starts`
    (rows, rules); NaN where a walk leaves no number. None where one has to walk one by one.

    Raises SpikesimError as `spikesim.timeline.trajectory` does.
    """
    if any(s.reset_by_other or s.jump for s in group[0].trace_specs()):
        return None
    walks = [walk for k, row in enumerate(rows) for walk in _walks(group[0], k, *row)]
    counts = np.array([len(condition.trains()) for _, condition in rows])
    if len(walks) * len(group) < 2:
        return None
    bounds = group[0].bounds if group[0].given & {"w_min", "w_max", "bounds"} else "none"
    rule: Any = type(group[0])
    walker, units = _walker(rule), np.array([rule.w_ref for rule in group])
    blocks = _blocks(group)
    longest = max(int(lanes.after.max()) for _, lanes in blocks)
    variables = tuple(dict.fromkeys(s.variable for s in group[0].signals.values()))
    sums = np.zeros((len(rows), len(group)))

    def course(walk: _Walk) -> Course:
        return course_of(walk.cell, walk.post, walk.last + longest, variables, STEP)

    def walked(job: tuple[_Walk, Course, np.ndarray, Lanes]) -> np.ndarray:
        walk, course, members, lanes = job
        w = starts[walk.row, members] / units[members]
        return walker(
            walk.pre, course, walk.last, walk.pre_first, KINDS[bounds], w, lanes, _desk(rule, lanes, course), STEP
        )

    with ThreadPoolExecutor(cores()) as pool:
        for a, b in pieces(0, len(walks), COURSES):
            some = walks[a:b]
            course(some[0])  # compiles, once
            jobs = [
                (walk, found, *block)
                for walk, found in zip(some, pool.map(course, some), strict=True)
                for block in blocks
            ]
            first = walked(jobs[0])
            for (walk, _, members, _), after in zip(jobs, [first, *pool.map(walked, jobs[1:])], strict=True):
                before = starts[walk.row, members]
                sums[walk.row, members] += (after * units[members] - before) / before
    return (sums / counts[:, None]).T


def _walks(rule: Rule, row: int, protocol: Protocol, condition: Condition) -> list[_Walk]:
    """The pairs of trains of a condition in which there is a spike."""
    cell = checked_cell(rule, protocol.cell(rule, condition))
    found = []
    for pre_times, post_times in condition.trains():
        pre = train("presynaptic", pre_times, condition.axonal_delay)
        post = train("postsynaptic", post_times, condition.dendritic_delay)
        if pre or post:
            begin = begin_of(pre, post)
            steps = (on_grid(*side, begin, STEP) for side in (("presynaptic", pre), ("postsynaptic", post)))
            found.append(_Walk(row, protocol, *steps, cell, condition.dendritic_delay == 0.0))
    return found


def _blocks(group: Sequence[Rule]) -> list[tuple[np.ndarray, Lanes]]:
    """Rules in blocks, as (which ones, what they are). Those with traces that last as long are in a block, for it
    goes step by step while a presynaptic trace is left; in a block that whose walk ends last comes first."""
    specs = [each.trace_specs() for each in group]
    signals = [signal_specs(each) for each in group]
    specs = [[s for side in ("pre", "post") for s in each if s.side == side] for each in specs]
    lasting = [max((tau for s in each if s.side == "pre" for tau in s.taus), default=0.0) for each in specs]
    longest = [
        max([tau for s in a for tau in s.taus] + [s.tau for s in b]) for a, b in zip(specs, signals, strict=True)
    ]
    after = np.array([math.ceil(DIED_AWAY * tau / STEP) for tau in longest])
    params = np.array([each.hook_params() for each in group]).T.reshape(-1, len(group))
    p = group[0].Params(*params)
    table = np.array([exponentials(each, STEP) for each in specs]).reshape(len(group), len(specs[0]), 5)
    pairs = [(k, e) for k, spec in enumerate(specs[0]) for e in range(len(spec.taus))]
    trace, which = np.array(pairs, dtype=np.int64).reshape(-1, 2).T.copy()
    height = (table[:, trace, 2 * which + 1] * np.where(which == 1, -1.0, 1.0)).T  # the second is subtracted
    fade = table[:, trace, 2 * which].T
    is_pre = np.array([specs[0][k].side == "pre" for k in trace], dtype=np.bool_)
    decay = np.array([[math.exp(-STEP / s.tau) if s.tau else 0.0 for s in each] for each in signals]).T
    enough = np.array([[math.ceil(DIED_AWAY * s.tau / STEP) + 1 for s in each] for each in signals]).T
    threshold = np.array([[s.squared_above or 0.0 for s in each] for each in signals]).T
    ahead = np.array([[round(s.delay / STEP) for s in each] for each in signals], dtype=np.int64).T
    squared = np.array([s.squared_above is not None for s in signals[0]])
    names = list(dict.fromkeys(s.variable for s in signals[0]))
    variable = np.array([names.index(s.variable) for s in signals[0]])
    with np.errstate(all="ignore"):
        quiet = silent(type(group[0]), p)
    order = np.argsort(lasting, kind="stable")
    found = []
    for a, b in pieces(0, len(group), LANES):
        lanes = order[a:b][np.argsort(-after[order[a:b]], kind="stable")]
        own = [np.ascontiguousarray(v[:, lanes]) for v in (params, height, fade, decay, threshold, ahead)]
        sees, most = enough[:, lanes].max(axis=1), ahead[:, lanes].max(axis=1)
        same = ahead[:, lanes].min(axis=1) == most
        shared = trace, is_pre, table[0, trace, 4], squared, variable, sees, most, same, quiet
        found.append((lanes, Lanes(*own, after[lanes], *shared)))
    return found


def _desk(rule: Any, lanes: Lanes, course: Course) -> Desk:
    """A block before the first spike."""
    start = course.start[lanes.variable][:, None]
    above = np.maximum(start - lanes.threshold, 0.0)
    signals = np.where(lanes.squared[:, None], above * above, start)
    traces = np.zeros((len(rule.Pre._fields) + len(rule.Post._fields) - len(signals), signals.shape[1]))
    window = np.empty((len(course.start), WINDOW + int(lanes.most.max())))
    return Desk(np.vstack([traces, signals]), np.zeros_like(lanes.fade), window, *np.zeros((2, signals.shape[1])))


@functools.cache
def _walker(rule: Any) -> Any:
    """The compiled walk of a block through one train: (steps of pre spikes, course, step of the last spike, whether
    on_pre comes first, kind of bounds, weights, lanes, desk, ms per step) -> weights after it; NaN where one is no
    number on the way."""
    on_pre, on_post = hook(rule.on_pre or unchanged), hook(rule.on_post or unchanged)
    drift = hook(rule.drift or still)
    Params, Pre, Post = rule.Params, rule.Pre, rule.Post
    n_x, n_y = len(Pre._fields), len(Post._fields) - len(rule.signals)
    w_min, w_max = rule.numeric.index("w_min"), rule.numeric.index("w_max")
    drifts, meets_pre, meets_post = (h is not None for h in (rule.drift, rule.on_pre, rule.on_post))

    with cache_for(rule) as cache:

        @njit(cache=cache, error_model="numpy", nogil=True)
        def walk(pre, course, last_spike, pre_first, bounds, w, g, desk, dt):
            height, fade, trace, is_pre, kept = g.height, g.fade, g.trace, g.is_pre, g.kept
            decay, threshold, ahead, squared, variable = g.decay, g.threshold, g.ahead, g.squared, g.variable
            params, after, enough, most, same, quiet = g.params, g.after, g.enough, g.most, g.same, g.silent
            seen, z, window, new, lost = desk.seen, desk.z, desk.window, desk.new, desk.lost
            fired, signals, history = course.fired, seen[n_x + n_y :], window.shape[1] - WINDOW
            n, lanes, n_s, own_y = len(w), len(w), len(squared), n_x * len(w)
            first = -window.shape[1]  # the step that the window begins with
            s = i_pre = i_post = 0
            live = not quiet
            while True:
                while n > 0 and last_spike + after[n - 1] < s:
                    n -= 1
                if n == 0:
                    break
                due = last_spike + after[0] + 1
                if i_pre < len(pre):
                    due = min(due, pre[i_pre])
                if i_post < len(fired):
                    due = min(due, fired[i_post])
                pre_now = i_pre < len(pre) and pre[i_pre] == s
                post_now = i_post < len(fired) and fired[i_post] == s
                if not (live or pre_now or post_now):
                    if due > last_spike + after[0]:
                        break  # nothing happens any more
                    for b in range(n_s):
                        a = max(s, due - enough[b])  # what was before is forgotten
                        through(signals[b], a, due, window, course, variable[b], decay[b], threshold[b], ahead[b],
                                 most[b], same[b], squared[b], n)  # fmt: skip
                    for e in range(len(z)):
                        for i in range(n):
                            z[e, i] *= fade[e, i] ** (due - s)
                    left(z, is_pre, n)
                    s, first = due, -window.shape[1]
                    continue
                if s >= first + window.shape[1]:
                    first = s - history
                    fill(window, window.shape[1], first, course)
                read(seen, z, trace, n)
                for turn in range(4):  # drift, on_pre, on_post, and on_pre where it comes after on_post
                    if turn == 0 and drifts and (live or not quiet):
                        for i in range(n):
                            x, y = load_looked_up(Pre, seen, i, lanes), load_looked_up(Post, seen, i + own_y, lanes)
                            now = looked_up(w, i)
                            put(new, i, now + dt * drift(now, x, y, load_looked_up(Params, params, i, lanes)))
                    elif turn == 2 and meets_post and post_now:
                        for i in range(n):
                            x, y = load_looked_up(Pre, seen, i, lanes), load_looked_up(Post, seen, i + own_y, lanes)
                            put(new, i, on_post(looked_up(w, i), x, y, load_looked_up(Params, params, i, lanes)))
                    elif turn % 2 == 1 and meets_pre and pre_now and pre_first == (turn == 1):
                        for i in range(n):
                            x, y = load_looked_up(Pre, seen, i, lanes), load_looked_up(Post, seen, i + own_y, lanes)
                            put(new, i, on_pre(looked_up(w, i), x, y, load_looked_up(Params, params, i, lanes)))
                    else:
                        continue
                    keep_in(w, new, lost, bounds, params, w_min, w_max, n)
                take_up(z, kept, height, fade, is_pre, pre_now, post_now, n)
                for b in range(n_s):
                    low_pass(signals[b], window[variable[b]], decay[b], threshold[b], ahead[b], same[b], squared[b],
                            s - first, n)  # fmt: skip
                i_pre, i_post, s = i_pre + pre_now, i_post + post_now, s + 1
                live = live or pre_now or not quiet
                if live and s % OFTEN == 0:
                    live = left(z, is_pre, n)
                    if not (live or quiet):
                        e = episode_at(course.begin, s - 1)
                        live = s <= course.begin[e] + course.length[e]
                        read(seen, z, trace, n)
                        for i in range(n):
                            x, y = load_looked_up(Pre, seen, i, lanes), load_looked_up(Post, seen, i + own_y, lanes)
                            live |= drift(w[i], x, y, load_looked_up(Params, params, i, lanes)) != 0.0
            return w + lost

    return walk
