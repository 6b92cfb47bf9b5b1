"""The tuning of inhibition; the run in full is in tests/papers."""

import numpy as np
import pytest

from spikesim import Network
from spikesim.experiment import RunOptions
from spikesim.models.networks.vogels_2011_cell import Vogels2011Cell
from spikesim.rng import Stream


def built(seed=1, **given):
    model = Vogels2011Cell(**given)
    net = Network(dt=model.dt, seed=seed)
    model.build(net)
    return model, net


def test_signals_are_filtered_noise_above_the_background():
    """Half of the time a channel has its background rate; above it the distribution is that of the positive half of a
    Gaussian, whose size follows from the filter: variance 1/12 (1 - e)/(1 + e), e = exp(-grain/tau)."""
    model = Vogels2011Cell(length=50_000.0, t_input=0.0)
    rates = model.rates(Stream(3, "TASK"))
    assert rates.shape == (8, 500_000)
    assert rates.min() == 5.0
    kept = np.exp(-0.1 / 50.0)
    sd = 500.0 / 0.03 * np.sqrt((1.0 - kept) / (1.0 + kept) / 12.0)
    # 8 signals of 50 s with a correlation time of 50 ms are 4000 independent pairs of values: a few per cent
    assert (rates > 5.0).mean() == pytest.approx(0.5, abs=0.03)
    assert np.sqrt(2.0 * ((rates - 5.0) ** 2).mean()) == pytest.approx(sd, rel=0.05)
    assert np.abs(np.corrcoef(rates) - np.eye(8)).max() < 0.15


def test_inputs_are_poisson_with_the_rate_of_their_channel():
    model = Vogels2011Cell(length=20_000.0)
    stream = Stream(4, "TASK")
    rates = model.rates(stream)
    times, ids = model.trains(rates, 25, stream)
    expected = rates.mean(axis=1) * 20.0  # spikes of an input
    counts = np.bincount(ids, minlength=200).reshape(8, 25)
    z = (counts - expected[:, None]) / np.sqrt(expected[:, None])
    assert np.abs(z).max() < 5.0
    assert (z**2).sum() == pytest.approx(200.0, abs=5 * np.sqrt(400.0))
    for channel in range(8):  # in every second, too
        found = np.histogram(times[ids // 25 == channel], np.arange(0.0, 20_001.0, 1000.0))[0]
        mean = 25 * rates[channel].reshape(20, -1).mean(axis=1)
        assert np.abs((found - mean) / np.sqrt(mean)).max() < 5.0


def test_what_is_in_it():
    model, net = built(length=500.0)
    fixed, plastic = net.projections
    tuned = fixed.weights.reshape(8, 100) / 0.14
    assert ((tuned >= 0.3) & (tuned <= 1.5)).all()
    np.testing.assert_allclose(tuned.mean(axis=1), 0.35 + 1.1 / (1 + (np.arange(8) - 4.0) ** 4), atol=0.015)
    np.testing.assert_allclose(plastic.weights, 0.1 * 0.35, rtol=1e-12)
    assert model.rho_0 == 0.25 / (2 * 20e-3)  # the program's alpha


def test_inhibition_takes_up_the_tuning():
    """With learning ten times as fast as the authors' the tuning is there after 15 s."""
    model, net = built(length=15_000.0, eta=1e-2)
    fixed, plastic = net.projections
    spikes = net.record(net.populations[-1], "spikes")
    net.run(5000.0)
    early = spikes.count / 5.0
    net.run(5000.0)
    before = spikes.count
    net.run(5000.0)
    excitation, inhibition = (p.weights.reshape(8, -1).mean(axis=1) for p in (fixed, plastic))
    assert np.corrcoef(excitation, inhibition)[0, 1] > 0.9
    assert int(inhibition.argmax()) == 4
    assert (spikes.count - before) / 5.0 < early


def test_it_runs_from_the_command_line():
    result = Vogels2011Cell(**Vogels2011Cell.small).simulate(RunOptions(time=200.0, seed=2))
    assert result["rates_hz"]["neuron"] > 30.0  # before inhibition has learned
