"""The weights onto each neuron keep their sum (von der Malsburg 1973; Miller & MacKay 1994)."""

import numpy as np

from spikesim.constraints import Constraint
from spikesim.errors import SpikesimError


class Normalisation(Constraint):
    """The sum of the weights onto each target is brought to `total` (unit of the weights), once in `every` ms.

    `multiplicative`: w -> w total / sum(w), which keeps their ratios (von der Malsburg 1973).
    `subtractive`: w -> w + (total - sum(w)) / n, the same for all n of them, which sharpens competition
    (Miller & MacKay 1994, doi:10.1162/neco.1994.6.1.100).

    A weight that meets a bound of the rule stays there, and the others make up for it, so that the sum is exact where
    the bounds allow it at all, and as near as they allow where they do not. No weight changes its sign. Weights that
    are all 0 stay so under `multiplicative`.
    """

    total: float = 1.0  # unit of the weights
    mode: str = "multiplicative"  # or subtractive

    choices = {"mode": ("multiplicative", "subtractive")}
    reference = "doi:10.1007/BF00288907"

    def check(self, rule):
        if not np.isfinite(self.total) or self.total == 0.0:
            raise SpikesimError(f"Normalisation: total must be a number that is finite and not 0, not {self.total:g}.")
        bounded = rule.bounds != "none"
        if bounded and (rule.w_max <= 0.0 if self.total > 0.0 else rule.w_min >= 0.0):
            raise SpikesimError(
                f"Normalisation: weights from w_min = {rule.w_min:g} to w_max = {rule.w_max:g} cannot have the sum "
                f"total = {self.total:g}."
            )

    def apply(self, w, synapses):
        low = max(synapses.low, 0.0) if self.total > 0.0 else synapses.low
        high = synapses.high if self.total > 0.0 else min(synapses.high, 0.0)
        free = np.ones(len(w), dtype=bool)
        while True:
            missing = self.total - synapses.total(w)
            if self.mode == "multiplicative":
                part = synapses.total(np.where(free, w, 0.0))
                moved = w + w * np.divide(missing, part, out=np.zeros(len(w)), where=part != 0.0)
            else:
                moved = w + missing / np.maximum(synapses.total(free.astype(float)), 1.0)
            moved = np.where(free, moved, w)
            w = np.clip(moved, low, high)
            stuck = free & (w != moved)
            if not stuck.any():
                return w
            free &= ~stuck
