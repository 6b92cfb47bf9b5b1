"""Many synapses walked side by side: each of several rules through each of several pairs of spike trains.

The walk and its order of effects are those of `spikesim.timeline`, and so are its results, but for rounding. Here all
synapses take their first arrival at once, then their second, and so on, and what a hook sees are arrays of shape
(trains, rules) in place of numbers. Hooks are arithmetic, which does not mind; `max`, `min` and `math` in them stand
for what NumPy calls so. Rules that read the postsynaptic neuron are walked by compiled code instead, see
`spikesim.voltage_side_by_side`. A rule of which neither knows enough (its hooks branch, it remembers more than traces,
it acts between spikes) is walked one synapse after the other by `Protocol.induce`.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from types import FunctionType
from typing import Any

import numpy as np

from spikesim.closed_form import coefficients
from spikesim.errors import HookError
from spikesim.hook_check import check_rule_hooks
from spikesim.parallel import cores, pieces
from spikesim.plasticity import Rule, TraceSpec
from spikesim.protocol import Condition, Protocol
from spikesim.timeline import TOGETHER, trajectory

#: What a rule may set without this walk having to know what it means, or what it knows.
KNOWN = frozenset(
    "traces on_pre on_post pairings reference w_start presets fitted_here unfitted aliases limits choices parameters "
    "numeric Params Pre Post w_min w_max w_ref bounds pairing hook_params trace_specs side".split()
)
#: The same of the walk of rules that read the postsynaptic neuron.
KNOWN_IN_STEPS = KNOWN | {"drift", "signals", "cell"}
KNOWN_OF_TRACES = frozenset("name side taus keep reset_by_other".split())
#: Synapses walked at a time: their numbers stay in the cache.
TOGETHER_WALKED = 1 << 16


def relative_changes(
    rules: Sequence[Rule], rows: Sequence[tuple[Protocol, Condition]], *, lost: bool = False
) -> np.ndarray:
    """(rules, rows): the weight change under each condition, as a fraction of the weight before.

    rows
        conditions, each with the protocol it belongs to. Where a condition has several pairs of trains the change is
        the mean over them.
    lost
        whether a change may be NaN, as for a candidate of a fit that is far off, in place of an error.

    Raises SpikesimError for what `spikesim.timeline` refuses.
    """
    found = np.empty((len(rules), len(rows)))
    alike: dict[Any, list[int]] = {}
    for i, rule in enumerate(rules):
        alike.setdefault(_kind(rule), []).append(i)
    for members in alike.values():
        group = [rules[i] for i in members]
        changes = _side_by_side(group, rows)
        if changes is None:
            changes, again = np.empty((len(group), len(rows))), True
        else:
            again = not lost and ~np.isfinite(changes)  # where it gives no number, a walk one by one tells why
        left = np.argwhere(np.broadcast_to(again, changes.shape))
        walks = [(group[i], *rows[k]) for i, k in left]
        changes[tuple(left.T)] = _one_by_one(walks, lost)
        found[members] = changes
    return found


def _one_by_one(walks: Sequence[tuple[Rule, Protocol, Condition]], lost: bool) -> list[float]:
    """The change at one synapse after the other; where they are walked step by step, by compiled code that lets go of
    Python's lock, as many of them at a time as there are cores."""

    def walked(one: tuple[Rule, Protocol, Condition]) -> float:
        rule, protocol, condition = one
        check_rule_hooks(rule)
        try:
            return protocol.induce(rule, condition)
        except HookError:
            if lost:
                return math.nan
            raise

    in_steps = bool(walks) and walks[0][0].continuous() and coefficients(walks[0][0]) is None
    if len(walks) < 3 or not in_steps or cores() == 1:
        return [walked(one) for one in walks]
    first = walked(walks[0])  # compiles, once
    with ThreadPoolExecutor(cores()) as pool:
        return [first, *pool.map(walked, walks[1:])]


def _kind(rule: Rule) -> Any:
    """Rules of one kind differ in numbers alone."""
    texts = tuple(v for v in rule.values().values() if isinstance(v, (str, bool)))
    return type(rule), texts, bool(rule.given & {"w_min", "w_max", "bounds"}), _key(rule.cell)


def _key(cell: Any) -> Any:
    """What tells neurons apart, of one of those that rules name."""
    if cell is None:
        return None
    from spikesim.cell_course import cell_key

    return cell_key(cell)


def together(rule: Rule) -> bool:
    """Whether rules of this kind are walked side by side, here or in steps."""
    return known(rule) or known_in_steps(rule)


def known_in_steps(rule: Rule) -> bool:
    """Whether `spikesim.voltage_side_by_side` walks the rule: it reads the postsynaptic neuron, and declares nothing
    that is not known there."""
    return bool(rule.signals) and known(rule, KNOWN_IN_STEPS)


def known(rule: Rule, names: frozenset[str] = KNOWN) -> bool:
    """Whether all that the rule declares is known here."""
    strange = (name for name in vars(Rule) if name not in names and not name.startswith("_"))
    return all(inspect.getattr_static(rule, name) == vars(Rule)[name] for name in strange) and not any(
        getattr(spec, field.name)
        for spec in rule.trace_specs()
        for field in fields(spec)
        if field.name not in KNOWN_OF_TRACES
    )


def _side_by_side(group: Sequence[Rule], rows: Sequence[tuple[Protocol, Condition]]) -> np.ndarray | None:
    """`relative_changes` of rules of one kind; None where it takes a walk one by one."""
    in_steps = known_in_steps(group[0])
    if not (in_steps or known(group[0])) or any(_has_its_own_way(protocol, in_steps) for protocol, _ in rows):
        return None
    starting = {protocol: _starts(protocol, group) for protocol in dict.fromkeys(protocol for protocol, _ in rows)}
    starts = np.array([starting[protocol] for protocol, _ in rows]).reshape(len(rows), len(group))
    if in_steps:
        from spikesim import voltage_side_by_side  # late, for it needs the compiler

        return voltage_side_by_side.relative_changes(group, rows, starts)
    trains: list[tuple[int, Train]] = []
    for row, (_, condition) in enumerate(rows):
        for pre, post in condition.trains():
            train = arrivals(pre, post, condition)
            if train is None:
                return None
            trains.append((row, train))
    if len(trains) * len(group) == 1:
        return None
    sums, counts = np.zeros((len(rows), len(group))), np.zeros((len(rows), 1))
    units = np.array([rule.w_ref for rule in group])
    for first in (True, False):
        own = sorted((t for t in trains if t[1][3] == first), key=lambda t: -len(t[1][0]))
        size = max(1, TOGETHER_WALKED // len(group))
        for a, b in pieces(0, len(own), size):
            places = [row for row, _ in own[a:b]]
            before = starts[places]
            try:
                with np.errstate(all="ignore"):
                    after = _walk(group, [train for _, train in own[a:b]], before / units, pre_hook_first=first)
            except (TypeError, ValueError, AttributeError, ArithmeticError, LookupError):  # more than arithmetic
                return None
            np.add.at(sums, places, (after * units - before) / before)
            np.add.at(counts, places, 1.0)
    return (sums / counts).T


def _has_its_own_way(protocol: Protocol, in_steps: bool) -> bool:
    """Whether one has to ask the protocol what becomes of a synapse, or refuses a rule that reads no neuron."""
    kind = type(protocol)
    return kind.induce is not Protocol.induce or (kind.cell is not Protocol.cell and not in_steps)


def _starts(protocol: Protocol, group: Sequence[Rule]) -> list[float]:
    """The weights before. The walk one by one refuses those outside the bounds."""
    starts = [protocol.start(rule) for rule in group]
    for rule, start in zip(group, starts, strict=True):
        trajectory(rule, (), (), w0=start)
    return starts


# Arrivals ----------------------------------------------------------------------------------------------------------

#: Interval (ms) before each arrival, whether it is pre, whether it is post; and whether `on_pre` comes first then.
Train = tuple[np.ndarray, np.ndarray, np.ndarray, bool]


def arrivals(pre: Iterable[float], post: Iterable[float], condition: Condition) -> Train | None:
    """What reaches the synapse; None where the two trains are not as they must be."""
    early = np.sort(np.fromiter(pre, float)) + condition.axonal_delay
    late = np.sort(np.fromiter(post, float)) + condition.dendritic_delay
    for train in (early, late):
        if not np.isfinite(train).all() or (np.diff(train) <= TOGETHER).any():
            return None
    if not (0.0 <= condition.axonal_delay < math.inf and 0.0 <= condition.dendritic_delay < math.inf):
        return None
    times = np.concatenate((early, late))
    order = np.argsort(times, kind="stable")
    times, is_post = times[order], order >= len(early)
    is_pre = ~is_post
    joins = np.zeros(len(times), bool)  # it arrives together with the one before
    for i in np.flatnonzero(np.diff(times) <= TOGETHER) + 1:
        joins[i] = is_post[i] != is_post[i - 1] and not joins[i - 1]
    joined = np.flatnonzero(joins) - 1
    is_pre[joined] = is_post[joined] = True
    times = times[~joins]
    return np.diff(times, prepend=times[:1]), is_pre[~joins], is_post[~joins], condition.dendritic_delay == 0.0


# The walk ----------------------------------------------------------------------------------------------------------


def _walk(group: Sequence[Rule], trains: Sequence[Train], w: np.ndarray, pre_hook_first: bool) -> np.ndarray:
    """(trains, rules): the weights at the end, in units of w_ref. Trains come longest first; w is how they begin."""
    rule, w = group[0], w.copy()
    p = rule.Params(*map(_shared, zip(*(each.hook_params() for each in group), strict=True)))
    bounded = bool(rule.given & {"w_min", "w_max", "bounds"})
    keep_in = BOUNDS[rule.bounds if bounded else "none"]
    traces = [_Trace(specs, len(trains)) for specs in zip(*(each.trace_specs() for each in group), strict=True)]
    hooks = [(1, _for_arrays(rule.on_post)), (0, _for_arrays(rule.on_pre))]
    if pre_hook_first:
        hooks.reverse()
    lengths = np.array([len(interval) for interval, *_ in trains])
    interval, *spikes = _padded(trains)
    waiting = np.arange(lengths[0])[:, None] < lengths  # synapses that have such an arrival
    some = [np.any(kind, axis=1).tolist() for kind in spikes]
    every = [np.all(kind | ~waiting, axis=1).tolist() for kind in spikes]
    for k, n in enumerate(waiting.sum(axis=1).tolist()):
        is_pre, is_post = arrived = [kind[k, :n, None] for kind in spikes]
        for trace in traces:
            trace.decay(interval[k, :n, None])
        pre = rule.Pre(*(trace.read(n) for trace in traces if trace.side == "pre"))  # type: ignore[attr-defined]
        post = rule.Post(*(trace.read(n) for trace in traces if trace.side == "post"))  # type: ignore[attr-defined]
        for which, hook in hooks:
            if hook is not None and some[which][k]:
                now = w[:n]
                kept = keep_in(now, hook(now, pre, post, p), p.w_min, p.w_max)
                w[:n] = kept if every[which][k] else np.where(arrived[which], kept, now)
        for trace in traces:
            trace.meet(is_pre, is_post)
    return w


def _padded(trains: Sequence[Train]) -> list[np.ndarray]:
    """(arrivals, trains) arrays of the intervals, of pre and of post."""
    shape = len(trains[0][0]), len(trains)
    table: list[np.ndarray] = [np.zeros(shape), np.zeros(shape, bool), np.zeros(shape, bool)]
    for i, (interval, is_pre, is_post, _) in enumerate(trains):
        for column, values in zip(table, (interval, is_pre, is_post), strict=True):
            column[: len(values), i] = values
    return table


class _Trace:
    """One trace at all synapses: an array (trains, rules), or (trains, 1) where the rules have one time constant."""

    def __init__(self, specs: Sequence[TraceSpec], n_trains: int) -> None:
        spec = specs[0]
        self.side, self.keep, self.reset_by_other = spec.side, spec.keep, spec.reset_by_other
        self.taus = [_shared(column) for column in zip(*(each.taus for each in specs), strict=True)]
        self.z = [np.zeros((n_trains, np.size(tau))) for tau in self.taus]

    def decay(self, interval: np.ndarray) -> None:
        for z, tau in zip(self.z, self.taus, strict=True):
            z[: len(interval)] *= np.exp(-interval / tau)

    def read(self, n: int) -> np.ndarray:
        if len(self.z) == 1:
            return self.z[0][:n]
        return (self.z[0][:n] - self.z[1][:n]) / (self.taus[0] - self.taus[1])

    def meet(self, is_pre: np.ndarray, is_post: np.ndarray) -> None:
        own, other = (is_pre, is_post) if self.side == "pre" else (is_post, is_pre)
        for z in (z[: len(own)] for z in self.z):
            if self.keep != 1.0 or self.reset_by_other:
                z *= np.where(own, self.keep, 1.0) * (np.where(other, 0.0, 1.0) if self.reset_by_other else 1.0)
            z += own


def _shared(column: Sequence[float]) -> Any:
    """The number that all rules have in common, or the array of their numbers."""
    first = column[0]
    return first if all(value == first for value in column) else np.array(column)


def _max(*numbers: Any) -> Any:
    return functools.reduce(np.maximum, numbers)


def _min(*numbers: Any) -> Any:
    return functools.reduce(np.minimum, numbers)


def _for_arrays(hook: Any) -> Any:
    """The same code with NumPy's meaning of `max`, `min` and what is from `math`."""
    if not isinstance(hook, FunctionType):
        return hook
    names: dict[str, Any] = {"max": _max, "min": _min, **hook.__globals__}
    for name, value in hook.__globals__.items():
        if value is math:
            names[name] = np
        elif getattr(value, "__module__", None) == "math":
            names[name] = getattr(np, value.__name__, value)
    return FunctionType(hook.__code__, names, hook.__name__, hook.__defaults__, hook.__closure__)


def _hard(w: Any, w_new: Any, w_min: Any, w_max: Any) -> Any:
    return np.minimum(np.maximum(w_new, w_min), w_max)


def _soft(w: Any, w_new: Any, w_min: Any, w_max: Any) -> Any:
    room = np.where(w_new > w, w_max - w, w - w_min)
    return _hard(w, w + (w_new - w) * room / (w_max - w_min), w_min, w_max)


def _none(w: Any, w_new: Any, w_min: Any, w_max: Any) -> Any:
    return w_new


#: `spikesim.plasticity.BOUNDS` for arrays.
BOUNDS: dict[str, Callable[[Any, Any, Any, Any], Any]] = {"hard": _hard, "soft": _soft, "none": _none}
