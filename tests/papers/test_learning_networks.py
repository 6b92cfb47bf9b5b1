"""The published networks that learn, in full: what the papers report must come out."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "learning_networks.py"
spec = importlib.util.spec_from_file_location("learning_networks", SCRIPT)
networks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(networks)


@pytest.mark.slow
def test_vogels_2011_as_its_authors_run_it():
    """Ten seconds with their learning rate bring the rate down, but not yet to rho_0 = 3 Hz.

    Hz in the last second: spikesim 9.24, 9.21, 9.18, 8.01 (seeds 1 to 4); the authors' program in Brian 2.9 8.48, 8.45,
    9.14. The tolerance is three s.d. of these seven, 0.5 Hz, about their mean. In the first second their neurons, which
    fire together, do so at 165 Hz: spikes are there one step earlier, which shortens an interval of 6.2 ms by one step.
    """
    found = networks.vogels_2011(seed=1, threads=2)
    assert found["rate_before_hz"] == pytest.approx(165.0, rel=0.03)
    assert found["rate_last_second_hz"] == pytest.approx(8.8, abs=1.5)
    assert found["cv_last_five_seconds"] > 0.7


@pytest.mark.slow
def test_vogels_2011_balances_itself():
    """Asynchronous and irregular near rho_0 = 3 Hz, which is reached within ten seconds if learning is faster."""
    found = networks.vogels_2011(seed=1, threads=2, eta=networks.FASTER)
    assert found["rate_last_second_hz"] == pytest.approx(3.0, abs=1.0)
    assert found["cv_last_five_seconds"] > 0.7


@pytest.mark.slow
def test_inhibition_mirrors_excitation():
    """After 150 s, as in the program, inhibition is tuned like excitation, and the neuron fires near 6.25 Hz."""
    found = networks.vogels_2011_cell(seed=1, threads=1)
    late = found["course"][5:]
    assert late[-1]["correlation_of_tuning"] > 0.9
    assert np.mean([row["rate_hz"] for row in late]) == pytest.approx(6.25, abs=1.5)


@pytest.mark.slow
def test_song_2000_weights_end_up_near_the_bounds():
    """The share of weights within 20 % of the range of a bound is 40 % at first, and 55 % and rising after 100 s."""
    found = networks.song_2000(seed=1, threads=1)
    shares = [row["share_near_a_bound"] for row in found["course"]]
    assert shares[-1] >= 0.55
    assert np.polyfit(range(5), shares[-5:], 1)[0] > 0.0


def test_cv_of_known_trains():
    rng = np.random.default_rng(1)
    regular = np.arange(0.0, 1000.0, 10.0)
    poisson = np.cumsum(rng.exponential(10.0, 20_000))
    ids = np.repeat([0, 1], [len(regular), len(poisson)])
    times = np.concatenate([regular, poisson])
    order = np.argsort(times)
    mean = networks.cv(times[order], ids[order], -1.0)
    assert mean == pytest.approx(0.5, abs=0.02)  # of 0 and 1; the error of the latter is 1/sqrt(2 n) = 0.005
