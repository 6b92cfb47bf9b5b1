"""Feedback weights of spiking neurons that learn between two trials, by a strategy of `spikesim.alignment`."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim.alignment import STRATEGIES, align
from spikesim.errors import SpikesimError, unknown

Array = np.ndarray


class LearnedFeedback:
    """How feedback weights B learn what the forward weights W are, from what a trial did to the neurons at their ends.

    B goes from m neurons above back to n below, W from below to above. Of a trial x (n,) is the activity below, and
    y (m,) what came of it above, W x but for something that does not change; the means are taken away, since a rate
    that neurons always have would pass for a weight, and both get the unit in which x has a variance of 1:

        x' = (x - <x>) / s,   y' = (y - <y>) / s,   s^2 = <|x - <x>|^2> / n

    < > is the mean over all trials, and later over the last `memory` or so. So eta and the coefficients of a strategy
    mean what they do for rate units, whatever the rates of the spiking neurons are, and B has the unit of W. Activities
    differ by what is shown and by the noise of spikes, which, unlike the first, goes in all directions.

    strategy, eta
        of `spikesim.alignment.STRATEGIES`, and how far it goes in a trial. Where the task is shared, W decays as B
        does, see `left_of`.

    Raises SpikesimError for another strategy, and where eta c_sparse n >= 2, as B would run away.
    """

    def __init__(self, strategy: str, eta: float, n: int, m: int, memory: int = 1000) -> None:
        if strategy not in STRATEGIES:
            raise unknown("LearnedFeedback", "strategy", strategy, STRATEGIES)
        self.coefficients, self.shared = STRATEGIES[strategy]
        sparse = self.coefficients.get("sparse", 0.0)
        if eta * sparse * n >= 2.0:
            raise SpikesimError(f"{strategy} with {n} neurons below needs a rate below {2.0 / (sparse * n):g}, "
                                f"not {eta:g}: feedback weights would run away.")  # fmt: skip
        self.strategy, self.eta, self.memory = strategy, eta, memory
        self.trials, self.power = 0, 0.0
        self.below, self.above = np.zeros(n), np.zeros(m)

    def learn(self, B: Array, W: Array, x: Array, y: Array, change: Array | None = None) -> Array:
        """B (n, m) after a trial with x (n,) and y (m,), where W is (m, n). Where the task is shared it takes `change`
        (n, m), what the trial did to W^T. Raises SpikesimError if B runs away."""
        x, y = self._centred(x, y)
        B = align(B, W, x, y, self.coefficients, self.eta)
        if self.shared:
            B = B + change
        if not np.isfinite(B).all():
            raise SpikesimError(f"{self.strategy}: feedback weights ran away; a rate of {self.eta:g} is too large.")
        return B

    def left_of(self, W: Array) -> Array:
        """What a trial leaves of the W that was before it: where the task is shared, W decays as B does."""
        return (1.0 - self.eta * self.coefficients["decay"]) * W if self.shared else W

    def _centred(self, x: Array, y: Array) -> tuple[Array, Array]:
        """x' and y', by the means as they were before; of the first trial, zeros."""
        self.trials += 1
        share = 1.0 / min(self.trials, self.memory)
        x, y = x - self.below, y - self.above
        self.below, self.above = self.below + share * x, self.above + share * y
        if self.trials == 1:
            return np.zeros_like(x), np.zeros_like(y)
        self.power += (x @ x / len(x) - self.power) / min(self.trials - 1, self.memory)
        unit = np.sqrt(self.power) or 1.0
        return x / unit, y / unit

    def state(self) -> dict[str, Any]:
        """What it has to know to go on."""
        return {name: getattr(self, name) for name in ("trials", "power", "below", "above")}

    def go_on(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        for name, value in state.items():
            setattr(self, name, value)
