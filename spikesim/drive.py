"""Independent Poisson input to every neuron of a population, summed per step."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import pdtr, pdtrc  # scipy.stats takes half a second to import

from spikesim.errors import SpikesimError

if TYPE_CHECKING:
    from spikesim.population import Population

HIGHEST = 200.0  # expected spikes per step and neuron; beyond it a current is what is meant
GUIDE = 12  # bits of it that nearly always tell how many spikes there are
WORDS = 2.0**32  # values that the random number of a step can take


class Drive:
    """Made by `Network.drive`: as many independent Poisson sources as there are neurons, each heard by one of them.

    The number of spikes in a step is a function of one 32-bit random number per neuron and step, so probabilities
    are exact to 2**-32.
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
    def thresholds(self) -> tuple[Any, Any]:
        """(rates, most) int32 and (n,) int32: in a step there are as many spikes as the random word, read as a signed
        number, exceeds numbers in the row of its neuron: P(word > t_k) = P(count > k)."""
        means, row = np.unique(self.mean, return_inverse=True)
        highest = means.max()
        counts = np.arange(int(highest + 40.0 * highest**0.5) + 60)
        most = int(np.argmax(pdtrc(counts, highest) <= 1.0 / WORDS)) + 2
        below = np.rint(pdtr(np.arange(most), means[:, None]) * WORDS)
        table = np.clip(below - WORDS / 2 - 1, -WORDS / 2, WORDS / 2 - 1).astype(np.int32)
        return table, np.broadcast_to(row.astype(np.int32), (self.population.n,)).copy()

    @functools.cached_property
    def guide(self) -> Any:
        """(2**GUIDE,) int32: the number of spikes for all words that begin with these bits (those of the signed number,
        the sign turned over); -1 where they do not tell, because a threshold lies among them. For one rate."""
        table = self.thresholds[0][0].astype(np.int64)
        first = (np.arange(1 << GUIDE, dtype=np.int64) << (32 - GUIDE)) - (1 << 31)
        last = first + (1 << (32 - GUIDE)) - 1
        low, high = (np.searchsorted(table, word, side="left") for word in (first, last))
        return np.where(low == high, low, -1).astype(np.int32)
