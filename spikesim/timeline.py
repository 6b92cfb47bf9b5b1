"""The exact walk of one synapse through two spike trains.

Nothing is put on a grid: between spikes every trace decays by the exponential of the real-valued interval,
and at spikes the rule's own hooks are called as the plain functions they are. Protocols use it, and it judges
the faster engines. The order of effects at a synapse is that of `spikesim.plasticity`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.plasticity import BOUNDS, Rule

#: Spikes that reach the synapse within this time (ms) of each other arrive together.
TOGETHER = 1e-9


def weight_change(
    rule: Rule,
    pre_times: Iterable[float],
    post_times: Iterable[float],
    *,
    w0: float | None = None,
    axonal_delay: float = 0.0,
    dendritic_delay: float = 0.0,
    bounded: bool | None = None,
) -> float:
    """The weight after all spikes minus the weight before them, in units of the weights.

    The arguments are those of `trajectory`.
    """
    start = start_weight(rule) if w0 is None else w0
    _, weights = trajectory(
        rule,
        pre_times,
        post_times,
        w0=start,
        axonal_delay=axonal_delay,
        dendritic_delay=dendritic_delay,
        bounded=bounded,
    )
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
) -> tuple[np.ndarray, np.ndarray]:
    """Every time at which spikes reach the synapse (ms), and the weight it leaves behind.

    pre_times, post_times
        when the two neurons fire (ms), in any order; all traces are 0 before the first spike.
    w0
        the weight before, in units of the weights; the rule's `w_start`, times `w_ref`, unless given.
    axonal_delay, dendritic_delay
        how long (ms) pre- and postsynaptic spikes need to reach the synapse.
    bounded
        whether `w_min` and `w_max` hold. Published amplitudes were fitted without bounds, so the weight is
        free unless the user gave the rule a `w_min`, `w_max` or `bounds`; True or False decides it.
    """
    start = start_weight(rule) if w0 is None else w0
    if bounded is None:
        bounded = bool(rule.given & {"w_min", "w_max", "bounds"})
    bounds = rule.bounds if bounded else "none"
    if bounds != "none" and not rule.w_min <= start <= rule.w_max:
        raise SpikesimError(
            f"{type(rule).__name__}: the walk cannot start at w0 = {start:g}, outside w_min = {rule.w_min:g} "
            f"and w_max = {rule.w_max:g}."
        )
    arrivals = _arrivals(
        _train("presynaptic", pre_times, axonal_delay), _train("postsynaptic", post_times, dendritic_delay)
    )
    synapse = _Synapse(rule, start / rule.w_ref, bounds, pre_first=dendritic_delay == 0.0)
    now = 0.0
    times: list[float] = []
    weights: list[float] = []
    for time, is_pre, is_post in arrivals:
        synapse.decay(time - now if times else 0.0)
        synapse.meet(is_pre, is_post)
        times.append(time)
        weights.append(synapse.w * rule.w_ref)
        now = time
    return np.array(times), np.array(weights)


def start_weight(rule: Rule) -> float:
    """The weight that a walk starts from unless told: the rule's `w_start` in units of the weights."""
    return rule.w_start * rule.w_ref


def _train(whose: str, times: Iterable[float], delay: float) -> list[float]:
    """Arrival times at the synapse, sorted and checked."""
    if not 0.0 <= delay < math.inf:
        raise SpikesimError(f"the delay of {whose} spikes must be 0 ms or more, not {delay:g}.")
    train = sorted(float(t) + delay for t in times)
    for time in train:
        if not math.isfinite(time):
            raise SpikesimError(f"a {whose} spike time is {time}; give finite times in ms.")
    for earlier, later in pairwise(train):
        if later - earlier <= TOGETHER:
            raise SpikesimError(f"two {whose} spikes reach the synapse together, at {later:g} ms.")
    return train


def _arrivals(pre: list[float], post: list[float]) -> Iterator[tuple[float, bool, bool]]:
    """Each time at which spikes arrive, with whether there is a pre and whether there is a post spike."""
    i = k = 0
    while i < len(pre) or k < len(post):
        t_pre = pre[i] if i < len(pre) else math.inf
        t_post = post[k] if k < len(post) else math.inf
        is_pre, is_post = t_pre <= t_post + TOGETHER, t_post <= t_pre + TOGETHER
        yield min(t_pre, t_post), is_pre, is_post
        i, k = i + is_pre, k + is_post


class _Synapse:
    """Weight and traces of one synapse; the weight is in the hooks' unit, w_ref."""

    def __init__(self, rule: Rule, w: float, bounds: str, pre_first: bool) -> None:
        self.specs = _walkable(rule)
        self.rule, self.w = rule, w
        self.params: Any = rule.hook_params()
        self.pre_record, self.post_record = rule.Pre, rule.Post  # type: ignore[attr-defined]
        self.keep_in = BOUNDS[bounds]
        self.pre_first = pre_first
        self.values = {spec.name: [0.0] * len(spec.taus) for spec in self.specs}

    def decay(self, interval: float) -> None:
        """Let every trace decay for `interval` ms."""
        for spec in self.specs:
            self.values[spec.name] = [
                z * math.exp(-interval / tau) for z, tau in zip(self.values[spec.name], spec.taus, strict=True)
            ]

    def meet(self, is_pre: bool, is_post: bool) -> None:
        """The spikes of one time: both hooks read the traces as they are now, only then do traces change."""
        pre, post = self.pre_record(*self._read("pre")), self.post_record(*self._read("post"))
        hooks = [(is_post, self.rule.on_post), (is_pre, self.rule.on_pre)]
        for called, hook in reversed(hooks) if self.pre_first else hooks:
            if called and hook is not None:
                proposed = hook(self.w, pre, post, self.params)
                self.w = self.keep_in(self.w, proposed, self.params.w_min, self.params.w_max)
        for spec in self.specs:
            own, other = (is_pre, is_post) if spec.side == "pre" else (is_post, is_pre)
            keep = (0.0 if other and spec.reset_by_other else 1.0) * (spec.keep if own else 1.0)
            self.values[spec.name] = [z * keep + own for z in self.values[spec.name]]

    def _read(self, side: str) -> Iterator[float]:
        for spec in self.specs:
            if spec.side == side:
                z = self.values[spec.name]
                yield z[0] if len(z) == 1 else (z[0] - z[1]) / (spec.taus[0] - spec.taus[1])


def _walkable(rule: Rule) -> Any:
    """The traces of a rule that needs nothing but spikes; others are refused."""
    specs = rule.trace_specs()
    needs = [
        what
        for what, present in (
            (f"events ({', '.join(rule.events)})", rule.events),
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
    return specs
