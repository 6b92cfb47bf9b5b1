"""Any regular pairing: every timing is a parameter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from spikesim.plasticity import Rule
from spikesim.protocol import Condition, Protocol, ProtocolResult
from spikesim.timeline import trajectory


class Pairing(Protocol):
    """`pairs` repetitions of n_pre and n_post spikes; the result is one number, `weight_change`.

    In each repetition the first post spike comes delta_t after the first pre spike, and further ones of
    either side follow at pre_interval and post_interval. So the defaults are pairs; n_post=2, delta_t=-5,
    post_interval=10 are post-pre-post triplets (-5, 5); n_pre=2, delta_t=5, pre_interval=10 are pre-post-pre
    triplets (5, -5). Repetitions follow one another at `frequency` or, with pairs_per_burst above 0, so many
    of them at that frequency make a burst and bursts start every burst_interval.

    Delays shift the spikes on their way to the synapse, which sees the difference
    delta_t + dendritic_delay - axonal_delay.
    """

    pairs: int = 60
    frequency: float = 1.0  # Hz
    delta_t: float = 10.0  # ms
    n_pre: int = 1
    n_post: int = 1
    pre_interval: float = 10.0  # ms
    post_interval: float = 10.0  # ms
    pairs_per_burst: int = 0  # 0 for one continuous train
    burst_interval: float = 10_000.0  # ms
    axonal_delay: float = 0.0  # ms
    dendritic_delay: float = 0.0  # ms

    title = "Pairing"
    reference = "doi:10.1126/science.275.5297.213"
    limits = {
        **Protocol.limits,
        "pairs": (">= 0",),
        "frequency": ("> 0",),
        "n_pre": (">= 0",),
        "n_post": (">= 0",),
        "pre_interval": ("> 0",),
        "post_interval": ("> 0",),
        "pairs_per_burst": (">= 0",),
        "burst_interval": ("> 0",),
        "axonal_delay": (">= 0",),
        "dendritic_delay": (">= 0",),
    }

    def conditions(self) -> Iterator[Condition]:
        starts = self._starts()
        pre = np.add.outer(starts, np.arange(self.n_pre) * self.pre_interval).ravel()
        post = np.add.outer(starts, self.delta_t + np.arange(self.n_post) * self.post_interval).ravel()
        variables = {"delta_t": self.delta_t, "frequency": self.frequency}
        label = f"{self.pairs} x ({self.n_pre} pre, {self.n_post} post)"
        yield Condition(label, variables, pre, post, **self._delays())

    def _starts(self) -> np.ndarray:
        """When the repetitions begin (ms)."""
        k, period = np.arange(self.pairs), 1000.0 / self.frequency
        if self.pairs_per_burst == 0:
            return k * period
        burst, within = np.divmod(k, self.pairs_per_burst)
        return burst * self.burst_interval + within * period

    def run(self, rule: Rule) -> ProtocolResult:
        """The weight change, and the weight's course for the plot where it is walked."""
        result = super().run(rule)
        (point,) = result.points
        trains = point.condition.pre, point.condition.post
        result.scalars["weight_change"] = point.predicted
        if not self.by_theory(rule):
            result.course = trajectory(rule, *trains, w0=self.start(rule), **self._delays())
        return result

    def _delays(self) -> dict[str, Any]:
        return {"axonal_delay": self.axonal_delay, "dendritic_delay": self.dendritic_delay}
