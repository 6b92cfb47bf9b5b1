"""Independent Poisson trains: what a rule makes of rates alone (Pfister & Gerstner 2006)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.models.plasticity.triplet_stdp import TripletSTDP
from spikesim.plasticity import Rule
from spikesim.protocol import Condition, Protocol, ProtocolResult

CLOSEST = 1e-6  # ms; two spikes of a neuron are never closer


class PoissonRates(Protocol):
    """The weight change in `duration` s of independent Poisson firing, against the postsynaptic rate.

    It is the mean over `repeats` pairs of trains, drawn from `seed`. Post rates are the multiples of post_step up to
    post_max. The pre rate is pre_rate, or, with pre_max above 0, each multiple of pre_step up to pre_max: a rate map.
    With a `dead_time` no two spikes of a neuron are closer than that, at the same rate; rules that come with a neuron
    are walked in steps, of which each may hold one spike.

    For `PairSTDP` and `TripletSTDP` without bounds, all-to-all or nearest, the result has the expected change without
    dead time, too:

        d<w>/dt = nu_y f(nu_x, tau_plus)  [a2_plus  + a3_plus  f(nu_y, tau_y)]
                - nu_x f(nu_y, tau_minus) [a2_minus + a3_minus f(nu_x, tau_x)]

    with rates nu_x (pre) and nu_y (post); f, the mean of a trace, is nu tau all-to-all and nu tau / (1 + nu tau) with
    nearest spikes. With all-to-all triplets and neither a2_plus nor a3_minus this is the rule of Bienenstock, Cooper &
    Munro (1982), d<w>/dt ~ nu_x nu_y (nu_y - theta); `threshold_hz` is theta, at pre_rate.
    """

    pre_rate: float = 10.0  # Hz
    pre_max: float = 0.0  # Hz; 0 for pre_rate alone
    pre_step: float = 10.0  # Hz
    post_max: float = 50.0  # Hz
    post_step: float = 5.0  # Hz
    dead_time: float = 0.0  # ms
    duration: float = 20.0  # s
    repeats: int = 10
    seed: int = 1

    title = "Poisson firing: the weight change against the rates"
    reference = "doi:10.1523/JNEUROSCI.1425-06.2006"
    axis = "post_rate"
    second_axis = "pre_rate"
    shows = "rates"
    on_card = {"pre_max": 40.0, "repeats": 5, "dead_time": 0.2}
    limits = {
        **Protocol.limits,
        "pre_rate": ("> 0",),
        "pre_max": (">= 0",),
        "pre_step": ("> 0",),
        "post_max": ("> 0",),
        "post_step": ("> 0",),
        "dead_time": (">= 0",),
        "duration": ("> 0",),
        "repeats": (">= 1",),
        "seed": (">= 0",),
    }

    def conditions(self) -> Iterator[Condition]:
        pre_rates = _multiples(self.pre_step, self.pre_max) if self.pre_max > 0.0 else [self.pre_rate]
        for i, pre_rate in enumerate(pre_rates):
            for k, post_rate in enumerate(_multiples(self.post_step, self.post_max)):
                rng = np.random.default_rng([self.seed, i, k])
                first, *others = (self._trains(pre_rate, post_rate, rng) for _ in range(self.repeats))
                label, variables = f"{pre_rate:g}, {post_rate:g} Hz", {"pre_rate": pre_rate, "post_rate": post_rate}
                yield Condition(label, variables, *first, series=f"pre {pre_rate:g} Hz", trials=others)

    def finish(self, result: ProtocolResult) -> None:
        """Add the closed form where it holds."""
        rule = result.rule
        if has_closed_form(rule):
            start = self.start(rule)
            for point in result.points:
                rates = point.condition.variables
                drift = expected_drift(rule, rates["pre_rate"], rates["post_rate"])
                point.closed_form = drift * rule.w_ref * self.duration / start
            if isinstance(rule, TripletSTDP) and rule.pairing == "all_to_all" and rule.a3_plus > 0.0:
                result.scalars["threshold_hz"] = threshold(rule, self.pre_rate)

    def _trains(self, pre_rate: float, post_rate: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Pre and post spike times (ms)."""
        return self._train(pre_rate, rng), self._train(post_rate, rng)

    def _train(self, rate: float, rng: np.random.Generator) -> np.ndarray:
        mean = 1000.0 / rate - self.dead_time
        if mean <= 0.0:
            raise SpikesimError(f"PoissonRates: a dead_time of {self.dead_time:g} ms leaves no time at {rate:g} Hz.")
        expected = rate * self.duration
        intervals = self.dead_time + rng.exponential(mean, int(expected + 10.0 * expected**0.5 + 20.0))
        times = np.cumsum(np.maximum(intervals, CLOSEST))
        return times[times < 1000.0 * self.duration]


def _multiples(step: float, up_to: float) -> list[float]:
    return [step * k for k in range(1, int(up_to / step + 1e-9) + 1)]


def has_closed_form(rule: Rule) -> bool:
    """Whether `expected_drift` is true of the rule."""
    free = not rule.given & {"w_min", "w_max", "bounds"}
    return type(rule) in (PairSTDP, TripletSTDP) and rule.pairing in ("all_to_all", "nearest") and free


def expected_drift(rule: Rule, pre_rate: float, post_rate: float) -> float:
    """d<w>/dt (1/s), in units of w_ref, at independent Poisson rates (Hz)."""

    def f(rate: float, tau: float) -> float:
        mean = rate * tau / 1000.0
        return mean if rule.pairing == "all_to_all" else mean / (1.0 + mean)

    p = rule.hook_params()
    x, y = pre_rate, post_rate
    if isinstance(rule, PairSTDP):
        return y * f(x, p.tau_plus) * p.a_plus - x * f(y, p.tau_minus) * p.a_minus
    potentiation = p.a2_plus + p.a3_plus * f(y, p.tau_y)
    depression = p.a2_minus + p.a3_minus * f(x, p.tau_x)
    return y * f(x, p.tau_plus) * potentiation - x * f(y, p.tau_minus) * depression


def threshold(rule: TripletSTDP, pre_rate: float) -> float:
    """The postsynaptic rate (Hz) at which the drift of all-to-all triplets changes its sign."""
    per_second = rule.tau_plus * rule.tau_y / 1000.0
    depression = rule.tau_minus * (rule.a2_minus + rule.a3_minus * rule.tau_x * pre_rate / 1000.0)
    return (depression - rule.a2_plus * rule.tau_plus) / (rule.a3_plus * per_second)
