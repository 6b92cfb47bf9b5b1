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
