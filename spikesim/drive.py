"""Independent Poisson input to every neuron of a population, summed per step."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from spikesim.errors import SpikesimError

if TYPE_CHECKING:
    from spikesim.population import Population

HIGHEST = 200.0  # expected spikes per step and neuron; beyond it a current is what is meant
HALVES = 1 << 16  # values that half a random word can take
WORDS = 1 << 32  # and a whole one
UNROLLED = 4  # thresholds that the kernel compares with at a time
NEVER = 2.0**-50  # counts less likely than that do not come


class CountTable(NamedTuple):
    """How random numbers become counts, for each different rate.

    Of the 2**16 values of half a word, as a signed number h, floor(p 2**16) belong to a count of probability p, for
    smaller counts first: the count is `base` and one for each threshold that h exceeds. The few values that are left
    over are those above `last`. They leave the rest of each probability to a whole word w, drawn anew: the count is
    the number of thresholds in `rest` that w, as a signed number, exceeds. So probabilities are exact to 2**-32 times
    the share of what is left over, at half the random bits.
    """

    thresholds: Any  # (rates, a multiple of UNROLLED) int16
    base: Any  # (rates,) int32
    last: Any  # (rates,) int32
    rest: Any  # (rates, counts) int32
    row: Any  # (n,) int32: the rate of each neuron


class Drive:
    """Made by `Network.drive`: as many independent Poisson sources as there are neurons, each heard by one of them.

    The number of spikes in a step is a function of half a random word per neuron and step, and rarely of another word.
    """

    def __init__(
        self, population: Population, index: int, rate: Any, weight: Any, receptor: int, delay_steps: int
    ) -> None:
        self.population, self.index, self.receptor, self.delay_steps = population, index, receptor, delay_steps
        self.rate, self.weight = rate, weight  # Hz and the receptor's unit, arrays of length 1 or n
        self.mean = rate * 1e-3 * population.network.dt
        if (self.mean > HIGHEST).any():
            raise SpikesimError(
                f"drive of {population.name!r}: {rate.max():g} Hz give {self.mean.max():g} spikes in one step; "
                f"at most {HIGHEST:g} are allowed. Give the mean as a current, or use a smaller dt."
            )

    @functools.cached_property
    def table(self) -> CountTable:
        """Made when it is first asked for."""
        means, row = np.unique(self.mean, return_inverse=True)
        return count_table(means, np.broadcast_to(row.astype(np.int32), (self.population.n,)).copy())


def count_table(means: Any, row: Any) -> CountTable:
    """The table for Poisson numbers of these means (0 to HIGHEST)."""
    from scipy.special import gammaln, pdtrc, xlogy  # late, for it takes a quarter of a second to import

    highest, means = means.max(), means[:, None]
    counts = np.arange(int(highest + 40.0 * highest**0.5) + 80)
    counts = counts[: int(np.argmax(pdtrc(counts, highest) <= NEVER)) + 1]
    expected = np.exp(xlogy(counts, means) - means - gammaln(counts + 1.0)) * HALVES  # values for each count
    cells = np.floor(expected).astype(np.int64)
    ends = np.cumsum(cells, axis=1)
    left = HALVES - ends[:, -1:]
    base = np.argmax(cells > 0, axis=1)
    last = HALVES // 2 - 1 - left

    width = -(-int((cells > 0).sum(axis=1).max()) // UNROLLED) * UNROLLED
    columns = np.minimum(base[:, None] + np.arange(width), len(counts) - 1)
    bounds = np.take_along_axis(ends, columns, axis=1) - HALVES // 2 - 1
    thresholds = np.where(bounds < last, bounds, HALVES // 2 - 1)  # nothing exceeds the greatest value

    below = np.cumsum(expected - cells, axis=1) / np.maximum(left, 1)
    below[:, -1] = 1.0  # what never comes counts as the last one
    rest = np.clip(np.rint(below * WORDS) - WORDS // 2 - 1, -(WORDS // 2), WORDS // 2 - 1)
    return CountTable(
        thresholds.astype(np.int16), base.astype(np.int32), last[:, 0].astype(np.int32), rest.astype(np.int32), row
    )
