"""Competition of two groups of inputs in full: 100 s, a thousand inputs, three seeds."""

import numpy as np
import pytest

from spikesim.experiment import RunOptions
from spikesim.models.networks.song_2000_pathways import Song2000Pathways


def mean_weights(**given):
    """(3 seeds, 2 halves) as fractions of w_max."""
    results = [Song2000Pathways(**given).simulate(RunOptions(seed=seed, threads=2)) for seed in (1, 2, 3)]
    return np.array([list(result["mean_weights"].values()) for result in results])


@pytest.mark.slow
def test_the_correlated_half_wins_by_additive_stdp():
    """First and second half: 0.80 and 0.19, 0.81 and 0.18, 0.83 and 0.18 (seeds 1 to 3). The tolerances are ten
    standard deviations of the three."""
    first, second = mean_weights().T
    np.testing.assert_allclose(first, 0.81, atol=0.13)
    np.testing.assert_allclose(second, 0.184, atol=0.03)


@pytest.mark.slow
def test_multiplicative_stdp_hardly_tells_them_apart():
    """First and second half: 0.511 and 0.489, 0.510 and 0.489, 0.510 and 0.490; the contrast is 0.02, thirty times less
    than with additive STDP (0.62, 0.63, 0.64)."""
    first, second = mean_weights(rule="MultiplicativeSTDP").T
    assert (first > second).all()
    assert (first - second).max() < 0.06
    np.testing.assert_allclose((first + second) / 2.0, 0.5, atol=0.05)


@pytest.mark.slow
def test_the_half_that_leads_wins():
    """The same inputs come 10 ms later in the second half: 0.85 and 0.06, 0.84 and 0.07, 0.87 and 0.06."""
    first, second = mean_weights(second="late").T
    assert (first - second).min() > 0.6
