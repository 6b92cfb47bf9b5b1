"""The walk of one synapse through two spike trains, step by step, with a postsynaptic neuron beside it.

For rules that act all the time and read the neuron's state: the neuron is the `cell` that the rule names. It fires when
the postsynaptic train says so (it is reset as though its threshold had been crossed), or by itself if it comes to that;
it gets no input. Spikes are put on the nearest step. What a step does, and in which order, is what the clock-driven
engine does at a synapse (`spikesim.plasticity`, `spikesim.signals`).

While no spike is due, the neuron does not move, and no presynaptic trace and no drift is left, nothing happens but that
filters and postsynaptic traces decay, which they do in one go: such stretches are skipped.
"""

from __future__ import annotations

import functools
import math
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from numba.extending import register_jitable

from spikesim.cell_course import TINY, at_rest, cell_step, kept, never
from spikesim.errors import HookError, SpikesimError, unknown
from spikesim.hook_check import ask
from spikesim.jit import cache_for, hook
from spikesim.lowlevel import load
from spikesim.plasticity import BOUNDS, Rule
from spikesim.signals import signal_specs
from spikesim.timeline import DIED_AWAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spikesim.neuron import Neuron

#: All that the compiled walk reads and writes. Trains and times are in steps; `ring` (steps, signals) holds the signals
#: on their way, `zx`, `zy` (traces, 2) the exponentials of the traces; `when` and `weights` are the result.
Scene = namedtuple(
    "Scene",
    "pre post last w dt pre_first bounds params constants state before nothing places ahead decays thresholds squared "
    "value ring pre_traces post_traces zx zy x y when weights",
)


def walk(
    rule: Rule,
    pre: Sequence[float],
    post: Sequence[float],
    w: float,
    bounds: str,
    *,
    pre_first: bool,
    dt: float,
    cell: Neuron | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Times (ms) at which spikes reach the synapse, with the weights after them, in units of `w_ref`; a last entry
    tells when traces and filters have died away.

    pre, post
        sorted times (ms) of arrival at the synapse, not both empty.
    pre_first
        whether `on_pre` comes before `on_post` when both arrive together.
    cell
        the neuron beside the synapse; that of the rule unless given.
    """
    cell, signals = checked_cell(rule, rule.cell if cell is None else cell), signal_specs(rule)
    begin = begin_of(pre, post)
    steps = [on_grid(whose, train, begin, dt) for whose, train in (("presynaptic", pre), ("postsynaptic", post))]
    traces = {side: [s for s in rule.trace_specs() if s.side == side] for side in ("pre", "post")}
    if any(s.reset_by_other for side in traces.values() for s in side):
        raise SpikesimError(f"{type(rule).__name__}: pairing {rule.pairing!r} is not defined for rules with drift.")
    if any(s.jump for side in traces.values() for s in side):
        raise SpikesimError(f"{type(rule).__name__} cannot be walked step by step: its traces have jumps of their own.")
    taus = [tau for side in traces.values() for s in side for tau in s.taus] + [s.tau for s in signals]
    last = max(int(s[-1]) for s in steps if len(s)) + math.ceil(DIED_AWAY * max(taus, default=0.0) / dt)
    constants, state = (np.zeros(1), np.zeros(1)) if cell is None else at_rest(cell, dt)
    places = np.array([list(cell.state).index(s.variable) for s in signals] if cell else [], dtype=np.int64)
    ahead = np.array([round(s.delay / dt) for s in signals], dtype=np.int64)
    value = np.array([s.input(state[k]) for s, k in zip(signals, places, strict=True)])
    n_x, n_y, n_s, n = len(traces["pre"]), len(traces["post"]), len(signals), sum(map(len, steps)) + 1
    scene = Scene(
        pre=steps[0], post=steps[1], last=last, w=w, dt=dt, pre_first=pre_first, bounds=KINDS[bounds],
        params=np.array(rule.hook_params()), constants=constants, state=state, before=state.copy(),
        nothing=np.zeros(1 if cell is None else max(1, len(cell.receptors))), places=places, ahead=ahead,
        decays=np.array([math.exp(-dt / s.tau) if s.tau else 0.0 for s in signals]),
        thresholds=np.array([s.squared_above or 0.0 for s in signals]),
        squared=np.array([s.squared_above is not None for s in signals], dtype=np.int64),
        value=value, ring=np.tile(value, (int(ahead.max(initial=0)) + 2, 1)),
        pre_traces=exponentials(traces["pre"], dt), post_traces=exponentials(traces["post"], dt),
        zx=np.zeros((n_x, 2)), zy=np.zeros((n_y, 2)), x=np.zeros(n_x), y=np.zeros(n_y + n_s),
        when=np.zeros(n, dtype=np.int64), weights=np.zeros(n),
    )  # fmt: skip
    made = _walker(type(rule), None if cell is None else type(cell))(scene)
    if made < 0:
        _tell_why(rule, scene, ~made, begin)
    return begin + scene.when[:made] * dt, scene.weights[:made]


def _tell_why(rule: Rule, scene: Scene, n: int, begin: float) -> None:
    """Raise HookError for a walk that ended in a step which makes the weight NaN or infinite: hooks are called again
    with what they read in that step."""
    w, p = float(scene.weights[n]), rule.hook_params()
    pre, post = rule.Pre(*scene.x.tolist()), rule.Post(*scene.y.tolist())
    for name in ("drift", "on_pre", "on_post"):
        if getattr(rule, name) is not None:
            ask(rule, name, (w, pre, post, p))
    time = begin + scene.when[n] * scene.dt
    raise HookError(f"{type(rule).__name__}: the weight, {w:g}, becomes NaN or infinite at {time:g} ms.")


def checked_cell(rule: Rule, cell: Neuron | None) -> Neuron | None:
    """The neuron that a rule wants beside it, if any."""
    label = type(rule).__name__
    if not rule.signals:
        return None
    if cell is None:
        raise SpikesimError(
            f"{label} reads the postsynaptic neuron and names no `cell` for protocols; run it in a Network."
        )
    for signal in rule.signals.values():
        if signal.variable not in cell.state:
            raise unknown(f"{label}: its cell, {type(cell).__name__},", "state variable", signal.variable, cell.state)
    if cell.random or cell.advance is None:
        raise SpikesimError(f"{label}: its cell, {type(cell).__name__}, does not advance by itself alone.")
    return cell


def begin_of(pre: Sequence[float], post: Sequence[float]) -> float:
    """The time (ms) at which a walk begins: that of the first spike of two trains, not both empty."""
    return min([*pre[:1], *post[:1]])


def on_grid(whose: str, train: Sequence[float], begin: float, dt: float) -> np.ndarray:
    """The steps, counted from `begin` (ms), of spikes; one step can hold one spike."""
    steps = np.rint((np.asarray(train, dtype=np.float64) - begin) / dt).astype(np.int64)
    same = np.flatnonzero(np.diff(steps) == 0)
    if len(same):
        raise SpikesimError(
            f"two {whose} spikes, at {train[same[0]]:g} and {train[same[0] + 1]:g} ms, are in one step of {dt:g} ms."
        )
    return steps


def exponentials(specs: list[Any], dt: float) -> np.ndarray:
    """(traces, 5): decay in a step and height of the two exponentials of each, and what a spike leaves of them."""
    rows = np.zeros((len(specs), 5))
    for row, spec in zip(rows, specs, strict=True):
        height = 1.0 if len(spec.taus) == 1 else 1.0 / (spec.taus[0] - spec.taus[1])
        for k, tau in enumerate(spec.taus):
            row[2 * k : 2 * k + 2] = math.exp(-dt / tau), height
        row[4] = spec.keep
    return rows


def unchanged(w: Any, pre: Any, post: Any, p: Any) -> Any:
    return w


def still(w: Any, pre: Any, post: Any, p: Any) -> Any:
    return 0.0


HARD, SOFT, NONE = range(3)
KINDS = {"hard": HARD, "soft": SOFT, "none": NONE}
_hard, _soft = hook(BOUNDS["hard"]), hook(BOUNDS["soft"])


@register_jitable
def _bound(kind, w, w_new, w_min, w_max):
    """The weight that the bounds leave of a change from w to w_new."""
    if kind == HARD:
        return _hard(w, w_new, w_min, w_max)
    if kind == SOFT:
        return _soft(w, w_new, w_min, w_max)
    return w_new


@register_jitable
def _take_up(z, traces, spiked, steps):
    """Some steps of all traces of one side, of which the first brings a spike or not; tells whether any are left."""
    left = False
    for a in range(len(traces)):
        for e in range(2):
            if spiked:
                z[a, e] = z[a, e] * traces[a, 4] + traces[a, 2 * e + 1]
            z[a, e] *= traces[a, 2 * e] if steps == 1 else traces[a, 2 * e] ** steps
            if abs(z[a, e]) < TINY:
                z[a, e] = 0.0
            left |= z[a, e] != 0.0
    return left


@register_jitable
def _filter(value, state, places, squared, thresholds, decays, steps):
    """Some steps of all signals, the neuron being as it is."""
    for b in range(len(value)):
        v = state[places[b]]
        if squared[b] != 0:
            above = max(v - thresholds[b], 0.0)
            v = above * above
        decay = decays[b] if steps == 1 else decays[b] ** steps
        value[b] = v + (value[b] - v) * decay


@functools.cache
def _walker(rule: Any, cell: Any) -> Any:
    """The compiled walk: (scene) -> n, the number of entries made; ~n if it ended in a step that leaves no number, and
    entry n is that step and the weight before it."""
    on_pre, on_post = hook(rule.on_pre or unchanged), hook(rule.on_post or unchanged)
    drift = hook(rule.drift or still)
    Params, Pre, Post = rule.Params, rule.Pre, rule.Post
    alive = cell is not None
    State, Constants, Input = (cell.State, cell.Constants, cell.Input) if alive else (Params, Params, Params)
    advance = hook(cell.advance) if alive else unchanged
    spikes, reset = (hook(cell.spikes or never), hook(cell.reset or kept)) if alive else (never, kept)
    refracts = alive and cell.refracts()

    with cache_for(rule, *([cell] if alive else [])) as cache:

        @njit(cache=cache, error_model="numpy", nogil=True)
        def walk(g):
            # unpacked, for each look into a tuple of arrays costs as much as the rest of a step
            pre, post, last, w, dt, pre_first, bounds = g.pre, g.post, g.last, g.w, g.dt, g.pre_first, g.bounds
            state, before, nothing, ahead, value, ring = g.state, g.before, g.nothing, g.ahead, g.value, g.ring
            places, squared, thresholds, decays = g.places, g.squared, g.thresholds, g.decays
            pre_traces, post_traces, zx, zy, all_x, all_y = g.pre_traces, g.post_traces, g.zx, g.zy, g.x, g.y
            when, weights = g.when, g.weights
            p, c = load(Params, g.params, 0, 1), load(Constants, g.constants, 0, 1)
            n_x, n_y, n_s, rows = len(zx), len(zy), len(places), len(ring)
            held = pause = n = i = k = here = s = 0
            if refracts:
                pause = int(c.t_ref_steps)
            while s <= last:
                begun = w
                due = last + 1  # the next spike
                if i < len(pre):
                    due = min(due, pre[i])
                if k < len(post):
                    due = min(due, post[k])
                is_pre, is_post = i < len(pre) and pre[i] == s, k < len(post) and post[k] == s
                for a in range(n_x):
                    all_x[a] = zx[a, 0] - zx[a, 1]
                for b in range(n_y):
                    all_y[b] = zy[b, 0] - zy[b, 1]
                for b in range(n_s):
                    all_y[n_y + b] = ring[here, b]
                x, y = load(Pre, all_x, 0, 1), load(Post, all_y, 0, 1)
                slope = drift(w, x, y, p)
                w = _bound(bounds, w, w + dt * slope, p.w_min, p.w_max)
                if is_pre and pre_first:
                    w = _bound(bounds, w, on_pre(w, x, y, p), p.w_min, p.w_max)
                fired, moved = is_post, False
                if alive:
                    fired, held, moved = cell_step(
                        advance, spikes, reset, State, Input, state, before, nothing, c, pause, held, is_post
                    )
                if fired:
                    w = _bound(bounds, w, on_post(w, x, y, p), p.w_min, p.w_max)
                if is_pre and not pre_first:
                    w = _bound(bounds, w, on_pre(w, x, y, p), p.w_min, p.w_max)
                if not np.isfinite(w):  # the scene stays as hooks saw it
                    when[n], weights[n] = s, begun
                    return ~n
                moved |= _take_up(zx, pre_traces, is_pre, 1)
                _take_up(zy, post_traces, fired, 1)
                _filter(value, state, places, squared, thresholds, decays, 1)
                for b in range(n_s):
                    later = here + 1 + ahead[b]
                    ring[later - rows if later >= rows else later, b] = value[b]
                if is_pre or is_post:
                    when[n], weights[n] = s, w
                    n, i, k = n + 1, i + is_pre, k + is_post
                s += 1
                here = here + 1 if here + 1 < rows else 0
                quiet = due - s - rows  # steps after which there are still enough to fill the ring
                if quiet > 0 and slope == 0.0 and not moved:
                    _take_up(zy, post_traces, False, quiet)
                    _filter(value, state, places, squared, thresholds, decays, quiet)
                    s += quiet
            when[n], weights[n] = last, w
            return n + 1

    return walk
