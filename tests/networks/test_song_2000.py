"""Inputs compete by additive STDP: weights leave the middle; the 100 s of the example are in tests/papers."""

import numpy as np
import pytest

from spikesim import Network
from spikesim.models.networks.song_2000 import Song2000


def built(seed=1, **given):
    model = Song2000(**given)
    net = Network(dt=model.dt, seed=seed)
    model.build(net)
    return net


def test_parameters_are_those_of_the_example():
    assert Song2000().values() == {
        "dt": 0.1, "N": 1000, "rate": 15.0, "g_max": 0.01, "a_plus": 0.01, "a_minus": 0.0105, "tau_plus": 20.0,
        "tau_minus": 20.0, "tau_m": 10.0, "tau_ex": 5.0, "E_L": -74.0, "V_th": -54.0, "V_reset": -60.0, "E_ex": 0.0,
        "g_L": 10.0,
    }  # fmt: skip
    assert Song2000.duration == 100_000.0


def test_what_is_in_it():
    net = built()
    (synapses,) = net.projections
    assert len(synapses) == 1000
    weights = synapses.weights / 0.1  # nS: g_max 0.01 of a leak of 10 nS
    assert weights.mean() == pytest.approx(0.5, abs=5 * np.sqrt(1 / 12 / 1000))
    assert 0.0 < weights.min() < 0.02
    assert 0.98 < weights.max() < 1.0
    assert synapses.rule.w_max == synapses.rule.w_ref == pytest.approx(0.1)


def near_a_bound(weights):
    """The share of the weights that are within 20 % of the range of one of the bounds 0 and 1."""
    return ((weights < 0.2) | (weights > 0.8)).mean()


def test_weights_leave_the_middle_and_the_rate_falls():
    """Four times the amplitudes of the example. By chance the share would move by 0.016 (s.d. of 1000 weights)."""
    net = built(a_plus=0.04, a_minus=0.042)
    (synapses,) = net.projections
    spikes = net.record(net.populations[1], "spikes")
    at_first = near_a_bound(synapses.weights / 0.1)
    assert at_first == pytest.approx(0.4, abs=0.06)
    net.run(2000.0)
    early = spikes.count
    net.run(13_000.0)
    late = (spikes.times > 13_000.0).sum()
    assert near_a_bound(synapses.weights / 0.1) > at_first + 4 * 0.016
    assert late < 0.75 * early
    assert 0.0 <= synapses.weights.min() < synapses.weights.max() <= 0.1 * (1.0 + 1e-12)


def fired(rate, duration, since, **given):
    """Output rate (Hz), coefficient of variation of the intervals since a time (ms), and the share near a bound."""
    net = built(rate=rate, **given)
    spikes = net.record(net.populations[1], "spikes")
    net.run(duration)
    times = spikes.times[spikes.times > since]
    intervals = np.diff(times)
    share = near_a_bound(net.projections[0].weights / 0.1)
    return len(times) / (duration - since) * 1e3, intervals.std() / intervals.mean(), share


def test_output_hardly_depends_on_input_and_becomes_irregular():
    """15 and 40 Hz of input make 60 and 670 Hz before learning, the latter like clockwork; 17 and 26 Hz after 50 s."""
    (slow, _, _), (fast, regular, _) = (fired(rate, 3000.0, 500.0, a_plus=0.0, a_minus=0.0) for rate in (15.0, 40.0))
    assert fast > 5.0 * slow
    assert regular < 0.15
    (slow, cv_slow, _), (fast, cv_fast, _) = (fired(rate, 100_000.0, 50_000.0) for rate in (15.0, 40.0))
    assert 10.0 < slow < fast < 2.0 * slow
    assert min(cv_slow, cv_fast) > 0.6


@pytest.mark.slow
def test_with_the_amplitudes_of_the_paper():
    """Ten minutes of half the example's steps: 15 Hz (CV 0.9) and 20 Hz (CV 0.8); 85 and 96 % of weights at a bound.

    The counts of the last 200 s are 3000 and 4000, so the rates are good to 2 %.
    """
    (slow, cv_slow, low), (fast, cv_fast, high) = (
        fired(rate, 600_000.0, 400_000.0, a_plus=0.005, a_minus=0.00525) for rate in (15.0, 40.0)
    )
    assert 10.0 < slow < fast < 1.6 * slow
    assert min(cv_slow, cv_fast) > 0.7
    assert min(low, high) >= 0.8
