"""What a spike does to a plastic synapse that it reaches: the rule's own hooks, compiled.

The order of effects is that of `spikesim.plasticity`, and a synapse keeps its own traces, so that every spike counts
from the very moment at which it gets there. What a spike adds to traces is owed until time has passed, so that spikes
of one moment do not see each other; where one side comes first (`coincident`), it is paid when the other side's spike
comes.

A synapse is visited later than spikes reach it, by its dendritic delay: presynaptic spikes at t_pre + delay, when their
potential begins, postsynaptic ones at t_post + 2 (dendritic delay). All intervals are as they are at the synapse.
"""

from __future__ import annotations

import functools
import math
from collections import namedtuple
from typing import Any

from numba import cfunc, float64, int8, int64

from spikesim.event.moments import before, inner, interval
from spikesim.jit import cache_for, hook
from spikesim.lowlevel import OPERATION, at, call, context, load, store
from spikesim.plasticity import BOUNDS

#: Addresses of arrays with a column for each of m synapses: weights; x, y (rows of traces, m); s (variables, m); the
#: moment that all this is of; owed (2, m), spikes of either side that traces have yet to take up; dendritic delays.
#: Then what the traces of each side have in common, for each row: rate (1/ms), what own spikes and the other side's
#: leave of it (keep, hold); for each trace, its first row and what to divide the difference of two by (0: it has one);
#: room for traces as hooks read them, for what a spike adds to each, and operations that find that out (0: 1 is added).
VisitContext = namedtuple(
    "VisitContext",
    "m weights x y s last last_rest owed dendritic rate_s params since moment moment_rest weight "
    "n_x rate_x keep_x hold_x row_x area_x seen_x amount_x jump_x "
    "n_y rate_y keep_y hold_y row_y area_y seen_y amount_y jump_y",
)
JumpContext = namedtuple("JumpContext", "params seen amount place")


@inner
def _read(z, m, a, row, area, seen, n):
    """The n traces of one side at synapse a, as hooks see them."""
    for k in range(n):
        r = row[k]
        value = z[r * m + a]
        seen[k] = value if area[k] == 0.0 else (value - z[(r + 1) * m + a]) / area[k]


@inner
def _settle(z, m, a, own, other, n, rows, row, area, seen, amount, jump, keep, hold, rate, passed):
    """Let the traces of one side take up `own` spikes and `other` ones of the other side, then decay `passed` ms."""
    if own > 0:
        _read(z, m, a, row, area, seen, n)
        for k in range(n):
            amount[k] = 1.0
            if jump[2 * k] != 0:
                call(jump[2 * k], jump[2 * k + 1], 0)
    for k in range(n):
        last = row[k + 1] if k + 1 < n else rows
        for r in range(row[k], last):
            value = z[r * m + a]
            if other > 0:
                value *= hold[r]
            for _ in range(own):
                value = value * keep[r] + amount[k]
            z[r * m + a] = value * math.exp(-passed * rate[r]) if passed > 0.0 else value


@functools.cache
def visit_op(rule: Any, name: str, bounds: str, ordered: bool) -> Any:
    """Operation on one synapse: apply the hook `name` ("on_pre", "on_post") to it, and tell its weight. With "" it is
    only brought to the moment. `ordered`: spikes of one side come first."""
    react, between, bound = getattr(rule, name, None) if name else None, rule.between, BOUNDS[bounds]
    Params, Pre, Post, Synapse = rule.Params, rule.Pre, rule.Post, rule.Synapse
    n_params, n_s, n_x, n_y = len(Params._fields), len(rule.synapse), len(rule.side("pre")), len(rule.side("post"))
    reacting, resting, by_pre, by_spike = react is not None, between is not None, name == "on_pre", bool(name)
    for function in (react, between, bound):
        if function is not None:
            hook(function)
    with cache_for(rule) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def visit(address, a):
            g = context(VisitContext, address)
            m = g.m
            weights, s, owed = at(g.weights, float64, m), at(g.s, float64, n_s * m), at(g.owed, int8, 2 * m)
            x, y = at(g.x, float64, g.n_x * m), at(g.y, float64, g.n_y * m)
            last, last_rest = at(g.last, int64, m), at(g.last_rest, float64, m)
            numbers = at(g.params, float64, n_params + 1)
            p, w_ref = load(Params, numbers, 0, 1), numbers[n_params]
            seen_x, seen_y = at(g.seen_x, float64, n_x + 1), at(g.seen_y, float64, n_y + 1)
            row_x, row_y = at(g.row_x, int64, n_x + 1), at(g.row_y, int64, n_y + 1)
            area_x, area_y = at(g.area_x, float64, n_x + 1), at(g.area_y, float64, n_y + 1)
            step, rest = at(g.moment, int64, 1)[0], at(g.moment_rest, float64, 1)[0]
            late = at(g.dendritic, float64, m)[a]
            since = at(g.since, int64, 1)[0]  # weights were set then; what had reached the synapse no longer counts
            w_min, w_max = p.w_min * w_ref, p.w_max * w_ref
            passing = before(last[a], last_rest[a], step, rest)
            others = owed[m + a] if by_pre else owed[a]
            if passing or (ordered and by_spike and others > 0):
                passed = interval(last[a], last_rest[a], step, rest)
                amount_x, amount_y = at(g.amount_x, float64, n_x + 1), at(g.amount_y, float64, n_y + 1)
                jump_x, jump_y = at(g.jump_x, int64, 2 * n_x + 1), at(g.jump_y, int64, 2 * n_y + 1)
                keep_x, keep_y = at(g.keep_x, float64, g.n_x), at(g.keep_y, float64, g.n_y)
                hold_x, hold_y = at(g.hold_x, float64, g.n_x), at(g.hold_y, float64, g.n_y)
                rate_x, rate_y = at(g.rate_x, float64, g.n_x), at(g.rate_y, float64, g.n_y)
                pres, posts = owed[a], owed[m + a]
                _settle(x, m, a, pres, posts, n_x, g.n_x, row_x, area_x, seen_x, amount_x, jump_x,
                        keep_x, hold_x, rate_x, passed)  # fmt: skip
                _settle(y, m, a, posts, pres, n_y, g.n_y, row_y, area_y, seen_y, amount_y, jump_y,
                        keep_y, hold_y, rate_y, passed)  # fmt: skip
                owed[a] = owed[m + a] = 0
            if passing:
                if resting:
                    frozen = min(max((float(since - last[a]) + late - last_rest[a]) * 1e-9, 0.0), passed)
                    if frozen > 0.0:
                        after = between(weights[a] / w_ref, load(Synapse, s, a, m), frozen, p)
                        store(s, a, m, after[1:])
                    if passed > frozen:
                        after = between(weights[a] / w_ref, load(Synapse, s, a, m), passed - frozen, p)
                        store(s, a, m, after[1:])
                        weights[a] = bound(weights[a], after[0] * w_ref, w_min, w_max)
                elif n_s > 0:
                    rate_s = at(g.rate_s, float64, n_s)
                    for k in range(n_s):
                        s[k * m + a] *= math.exp(-passed * rate_s[k])
                last[a], last_rest[a] = step, rest
            if reacting:
                counts = float(step - since) + rest - late > 0.0
                _read(x, m, a, row_x, area_x, seen_x, n_x)
                _read(y, m, a, row_y, area_y, seen_y, n_y)
                pre, post = load(Pre, seen_x, 0, 1), load(Post, seen_y, 0, 1)
                if n_s > 0:
                    changed = react(weights[a] / w_ref, pre, post, p, load(Synapse, s, a, m))
                    store(s, a, m, changed[1:])
                    if counts:
                        weights[a] = bound(weights[a], changed[0] * w_ref, w_min, w_max)
                elif counts:
                    weights[a] = bound(weights[a], react(weights[a] / w_ref, pre, post, p) * w_ref, w_min, w_max)
            if by_spike:
                side = 0 if by_pre else m
                owed[side + a] += 1
            at(g.weight, float64, 1)[0] = weights[a]

    return visit


@functools.cache
def jump_op(rule: Any, name: str) -> Any:
    """What a spike adds to the trace `name`: the rule's `jump_<name>` of all traces of its side, just before it."""
    jump, Own, Params = hook(getattr(rule, f"jump_{name}")), getattr(rule, rule.traces[name].side.title()), rule.Params
    n_params, n_own = len(Params._fields), len(Own._fields)
    with cache_for(rule) as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def jumps(address, _):
            g = context(JumpContext, address)
            own, p = load(Own, at(g.seen, float64, n_own), 0, 1), load(Params, at(g.params, float64, n_params), 0, 1)
            at(g.amount, float64, n_own)[g.place] = jump(own, p)

    return jumps
