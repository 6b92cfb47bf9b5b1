"""The exact walk of one synapse through two spike trains.

Nothing is put on a grid: between spikes every trace decays by the exponential of the real-valued interval,
and at spikes the rule's own hooks are called as the plain functions they are. Protocols use it, and it judges
the faster engines. The order of effects at a synapse is that of `spikesim.plasticity`.

`drift` is integrated in closed form where it is a sum of products of traces (`spikesim.closed_form`). Other rules that
act all the time, such as those that read the postsynaptic potential, are walked step by step instead, with a neuron
beside the synapse (`spikesim.voltage_timeline`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.closed_form import coefficients, integral
from spikesim.errors import HookError, SpikesimError, unknown
from spikesim.hook_check import ask, check_rule_hooks
from spikesim.plasticity import BOUNDS, Rule

if TYPE_CHECKING:
    from spikesim.neuron import Neuron

#: A time (ms) and what reaches the synapse then: the sides of spikes, or one named event.
Happening = tuple[float, tuple[str, ...]]

#: Spikes that reach the synapse within this time (ms) of each other arrive together.
TOGETHER = 1e-9

#: How long (ms) after the last arrival `weight_change` looks at a rule that changes weights between spikes.
SETTLED = 1000.0
#: Step (ms) of walks that are made step by step, and time constants after which an exponential is below rounding.
STEP, DIED_AWAY = 0.1, 46.0


def weight_change(
    rule: Rule,
    pre_times: Iterable[float],
    post_times: Iterable[float],
    *,
    w0: float | None = None,
    after: float | None = None,
    **given: Any,
) -> float:
    """The weight after all spikes minus the weight before them, in units of the weights.

    The arguments are those of `trajectory`, but that `after` is `SETTLED` unless given for a rule that changes
    weights between spikes.
    """
    start = start_weight(rule) if w0 is None else w0
    if after is None:
        after = SETTLED if rule.between is not None else 0.0
    _, weights = trajectory(rule, pre_times, post_times, w0=start, after=after, **given)
    return float(weights[-1]) - start if weights.size else 0.0


def trajectory(
    rule: Rule,
    pre_times: Iterable[float],
    post_times: Iterable[float],
    *,
    w0: float | None = None,
    axonal_delay: float = 0.0,
    dendritic_delay: float = 0.0,
    bounded: bool | None = None,
    events: Mapping[str, Iterable[float]] | None = None,
    after: float = 0.0,
    dt: float = STEP,
    cell: Neuron | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Every time at which something reaches the synapse (ms), and the weight it leaves behind. For a rule with `drift`
    a last entry tells the weight when all that the spikes have set off has died away.

    pre_times, post_times
        when the two neurons fire (ms), in any order; all traces are 0 before the first spike, and the variables
        of the synapse at their start.
    w0
        the weight before, in units of the weights; the rule's `w_start`, times `w_ref`, unless given.
    axonal_delay, dendritic_delay
        how long (ms) pre- and postsynaptic spikes need to reach the synapse.
    bounded
        whether `w_min` and `w_max` hold. Published amplitudes were fitted without bounds, so the weight is
        free unless the user gave the rule a `w_min`, `w_max` or `bounds`; True or False decides it.
    events
        name -> times (ms) of the events that the rule has hooks for; needed for a rule that has some.
    after
        how long (ms) the walk goes on after the last arrival; if not 0, the last entry of both arrays is of then.
    dt
        ms per step, where the rule asks for steps.
    cell
        the postsynaptic neuron, for a rule that reads it; the rule's own `cell` unless given.

    Raises HookError, which names the hook and its line, where one does not return a number on the way.
    """
    check_rule_hooks(rule)
    start = start_weight(rule) if w0 is None else w0
    if bounded is None:
        bounded = bool(rule.given & {"w_min", "w_max", "bounds"})
    bounds = rule.bounds if bounded else "none"
    if bounds != "none" and not rule.w_min <= start <= rule.w_max:
        raise SpikesimError(
            f"{type(rule).__name__}: the walk cannot start at w0 = {start:g}, outside w_min = {rule.w_min:g} "
            f"and w_max = {rule.w_max:g}."
        )
    pre = train("presynaptic", pre_times, axonal_delay + rule.pre_lag_time())
    post = train("postsynaptic", post_times, dendritic_delay)
    w, pre_first = start / rule.w_ref, dendritic_delay == 0.0
    _walkable(rule, events)
    if rule.continuous() and coefficients(rule) is None and (pre or post):
        from spikesim.voltage_timeline import walk  # late, for it needs the compiler

        when, left = walk(rule, pre, post, w, bounds, pre_first=pre_first, dt=dt, cell=cell)
        return when, left * rule.w_ref
    synapse = _Synapse(rule, w, bounds, pre_hook_first=pre_first)
    now = 0.0
    times: list[float] = []
    weights: list[float] = []
    for time, what in _with_events(_arrivals(pre, post), events or {}, after):
        synapse.rest(time - now if times else 0.0)
        synapse.meet(what)
        times.append(time)
        weights.append(synapse.w * rule.w_ref)
        now = time
    if rule.drift is not None and times:
        silence = DIED_AWAY * max((tau for spec in synapse.specs for tau in spec.taus), default=0.0)
        synapse.rest(silence)
        times.append(now + silence)
        weights.append(synapse.w * rule.w_ref)
    return np.array(times), np.array(weights)


def expected_change(
    rule: Rule,
    pre_times: Iterable[float],
    post_times: Iterable[float],
    *,
    axonal_delay: float = 0.0,
    dendritic_delay: float = 0.0,
) -> float:
    """What the rule's `expected` says of two spike trains (ms, in any order): a fraction of the weight before.

    Raises HookError where it fails or says no number, SpikesimError for trains that `trajectory` refuses.
    """
    pre = train("presynaptic", pre_times, axonal_delay)
    post = train("postsynaptic", post_times, dendritic_delay)
    try:
        change = float(rule.expected(pre, post))
    except SpikesimError:
        raise
    except Exception as error:
        raise HookError(f"{type(rule).__name__}: expected raises {type(error).__name__}: {error}.") from error
    if not math.isfinite(change):
        raise HookError(f"{type(rule).__name__}: expected must return a finite number, not {change}.")
    return change


def start_weight(rule: Rule) -> float:
    """The weight that a walk starts from unless told: the rule's `w_start` in units of the weights."""
    return rule.w_start * rule.w_ref


def train(whose: str, times: Iterable[float], delay: float) -> list[float]:
    """Arrival times at the synapse, sorted and checked."""
    if not 0.0 <= delay < math.inf:
        raise SpikesimError(f"the delay of {whose} spikes must be 0 ms or more, not {delay:g}.")
    train = sorted(float(t) + float(delay) for t in times)
    for time in train:
        if not math.isfinite(time):
            raise SpikesimError(f"a {whose} spike time is {time}; give finite times in ms.")
    for earlier, later in pairwise(train):
        if later - earlier <= TOGETHER:
            raise SpikesimError(f"two {whose} spikes reach the synapse together, at {later:g} ms.")
    return train


def _arrivals(pre: list[float], post: list[float]) -> Iterator[Happening]:
    """Each time at which spikes arrive, and the sides that they are of."""
    i = k = 0
    while i < len(pre) or k < len(post):
        t_pre = pre[i] if i < len(pre) else math.inf
        t_post = post[k] if k < len(post) else math.inf
        is_pre, is_post = t_pre <= t_post + TOGETHER, t_post <= t_pre + TOGETHER
        yield min(t_pre, t_post), ("pre",) * is_pre + ("post",) * is_post
        i, k = i + is_pre, k + is_post


def _with_events(arrivals: Iterable[Happening], events: Mapping[str, Iterable[float]], after: float) -> list[Happening]:
    """Spikes and named events in the order of time, an event before the spikes of its time; then a last look."""
    named: list[Happening] = [(float(time), (name,)) for name, times in events.items() for time in times]
    if not all(math.isfinite(time) for time, _ in named):
        raise SpikesimError("events: a time is not finite; give times in ms.")
    if not 0.0 <= after < math.inf:
        raise SpikesimError(f"after must be 0 ms or more, not {after:g}.")
    found = sorted([*named, *arrivals], key=lambda happening: happening[0])
    return [*found, (found[-1][0] + after, ())] if found and after else found


class _Synapse:
    """Weight, variables and traces of one synapse; the weight is in the hooks' unit, w_ref."""

    def __init__(self, rule: Rule, w: float, bounds: str, pre_hook_first: bool) -> None:
        self.specs = rule.trace_specs()
        self.rule, self.w, self.s = rule, w, rule.synapse_start()
        self.products = coefficients(rule)
        self.params: Any = rule.hook_params()
        self.keep_in = BOUNDS[bounds]
        self.order = ("pre", "post") if pre_hook_first else ("post", "pre")
        self.values = {spec.name: [0.0] * len(spec.taus) for spec in self.specs}

    def rest(self, interval: float) -> None:
        """Let `interval` ms pass: the weight drifts, traces and variables decay."""
        if self.products is not None:
            w = self.w + integral(self.products, self._exponentials("pre"), self._exponentials("post"), interval)
            self.w = self.keep_in(self.w, w, self.params.w_min, self.params.w_max)
        for spec in self.specs:
            self.values[spec.name] = [
                z * math.exp(-interval / tau) for z, tau in zip(self.values[spec.name], spec.taus, strict=True)
            ]
        if self.rule.between is not None:
            self._take(ask(self.rule, "between", (self.w, self.s, interval, self.params)))
        elif self.rule.synapse:
            self.s = self.rule.rested(self.w, self.s, interval, self.params)[1]

    def meet(self, what: tuple[str, ...]) -> None:
        """The spikes of one time, of the sides in `what`, or the named event in it."""
        first = {"pre_first": "pre", "post_first": "post"}.get(self.rule.coincident)
        if first is not None and len(what) == 2:
            self._effect((first,))
            what = tuple(side for side in what if side != first)
        self._effect(what)

    def _effect(self, what: tuple[str, ...]) -> None:
        """All hooks read the traces as they are now, only then do traces change."""
        seen = {"pre": self.rule.Pre(*self._read("pre")), "post": self.rule.Post(*self._read("post"))}
        for name in self.order if len(what) == 2 else what:
            if getattr(self.rule, f"on_{name}") is not None:
                variables = (self.s,) if self.rule.synapse else ()
                self._take(ask(self.rule, f"on_{name}", (self.w, seen["pre"], seen["post"], self.params, *variables)))
        for spec in self.specs:
            z = self.values[spec.name]
            if spec.reset_by_other and ("post" if spec.side == "pre" else "pre") in what:
                z = [0.0] * len(z)
            if spec.side in what:
                own = seen[spec.side], self.params
                jump = 1.0 if spec.jump is None else ask(self.rule, f"jump_{spec.name}", own)
                z = [value * spec.keep + jump for value in z]
            self.values[spec.name] = z

    def _take(self, returned: Any) -> None:
        """The weight, and the variables if there are any, as a hook returned them."""
        proposed = returned
        if self.rule.synapse:
            proposed, *variables = returned
            self.s = self.rule.Synapse(*variables)
        self.w = self.keep_in(self.w, proposed, self.params.w_min, self.params.w_max)

    def _exponentials(self, side: str) -> list[list[tuple[float, float]]]:
        """For each trace of a side its exponentials: (value, rate)."""
        found = []
        for spec in self.specs:
            if spec.side == side:
                z = self.values[spec.name]
                parts = z if len(z) == 1 else [v / (spec.taus[0] - spec.taus[1]) for v in (z[0], -z[1])]
                found.append([(v, 1.0 / tau) for v, tau in zip(parts, spec.taus, strict=True)])
        return found

    def _read(self, side: str) -> Iterator[float]:
        for spec in self.specs:
            if spec.side == side:
                z = self.values[spec.name]
                yield z[0] if len(z) == 1 else (z[0] - z[1]) / (spec.taus[0] - spec.taus[1])


def _walkable(rule: Rule, events: Any) -> None:
    """Refuse a rule that needs more than spikes, a neuron, and the events given."""
    specs = rule.trace_specs()
    for name in events or {}:
        if name not in rule.events:
            raise unknown(type(rule).__name__, "event", name, rule.events)
    needs = [
        what
        for what, present in (
            (f"events ({', '.join(rule.events)})", rule.events and events is None),
            (f"the postsynaptic neuron's {', '.join(rule.post_state)}", rule.post_state),
            ("means between events", any(spec.mean_over for spec in specs)),
        )
        if present
    ]
    if needs:
        raise SpikesimError(
            f"{type(rule).__name__} cannot be walked through two spike trains alone: "
            f"it needs {' and '.join(needs)}. Run it in a Network."
        )
