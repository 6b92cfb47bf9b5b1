"""No crossing of the threshold is missed, and one that is not there is not found."""

import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

import spikesim as ss
from spikesim.models.neurons import LIF, LIFAlpha, LIFDelta, SpikeSource

E_L, V_TH, C_M = -70.0, -55.0, 250.0


def response(h, tau_m, tau, alpha):
    """mV that an input of 1 pA has made after h ms, 0 before; by quadrature-free textbook formulas."""
    h = np.maximum(h, 0.0)
    a, b = 1.0 / tau, 1.0 / tau_m
    if not alpha:
        if abs(a / b - 1.0) < 1e-12:
            return h * np.exp(-a * h) / C_M
        return (np.exp(-b * h) - np.exp(-a * h)) / (a - b) / C_M
    if abs(a / b - 1.0) < 1e-12:
        return np.e * a * 0.5 * h * h * np.exp(-a * h) / C_M
    c = a - b
    return np.e * a * ((np.exp(-b * h) - np.exp(-a * h)) / c**2 - h * np.exp(-a * h) / c) / C_M


def first_passages(seed, alpha, tau_m, tau_ex, tau_in, drive):
    """100 neurons with 12 random inputs each, against the sum of their responses on a grid of 8 us."""
    rng = np.random.default_rng(seed)
    n, inputs, until = 100, 12, 24.0
    times = np.round(rng.uniform(0.1, 16.0, (n, inputs)), 6)
    scale = 15.0 * C_M / min(tau_ex, tau_m) / 3.0
    weights = rng.normal(0.35, 1.0, (n, inputs)) * scale * rng.uniform(0.2, 1.2, (n, 1))
    current = drive * (V_TH - E_L) * C_M / tau_m

    net = ss.Network(engine="event", seed=1)
    source = net.add(SpikeSource(times.ravel(), np.arange(times.size)), times.size)
    model = (LIFAlpha if alpha else LIF)(E_L=E_L, V_th=V_TH, C_m=C_M, tau_m=tau_m, tau_syn_ex=tau_ex,
                                         tau_syn_in=tau_in, I_e=current, t_ref=100.0)  # fmt: skip
    neurons = net.add(model, n)
    ids = np.arange(times.size)
    net.connect(source, neurons, ss.Pairs(ids, ids // inputs), weight=weights.ravel(), delay=0.5)
    spikes = net.record(neurons, "spikes")
    net.run(until)
    found = np.full(n, np.inf)
    found[spikes.ids] = spikes.times

    def potential(t, who):
        """(len(who),) or (len(who), times)"""
        h = t[..., None] - (times[who] + 0.5).reshape(len(who), *[1] * (t.ndim - 1), inputs)
        w = weights[who].reshape(len(who), *[1] * (t.ndim - 1), inputs)
        v = np.where(w < 0.0, response(h, tau_m, tau_in, alpha), response(h, tau_m, tau_ex, alpha)) * w
        return E_L + drive * (V_TH - E_L) * -np.expm1(-t / tau_m) + v.sum(axis=-1)

    grid = np.arange(0.008, until, 0.008)[None, :]
    for first in range(0, n, 50):
        who = np.arange(first, first + 50)
        above = potential(np.broadcast_to(grid, (50, grid.size)), who) > V_TH + 1e-9
        sampled = np.where(above.any(axis=1), grid[0, above.argmax(axis=1)], np.inf)
        assert (found[who] <= sampled + 1e-9).all()  # none is missed
    fired = np.flatnonzero(np.isfinite(found))
    there = potential(found[fired], fired)
    np.testing.assert_allclose(there, V_TH, rtol=0.0, atol=1e-9)  # and each is one
    return len(fired)


def test_first_passages_of_random_trains():
    """In 30 cases; some have few spikes, so that there are enough to tell is asked of all together."""
    fired = []

    @settings(max_examples=29, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
    @given(
        seed=st.integers(0, 2**32 - 1),
        alpha=st.booleans(),
        tau_m=st.sampled_from([5.0, 10.0, 20.0]),
        tau_ex=st.sampled_from([0.5, 2.0, 5.0, 10.0]),
        tau_in=st.sampled_from([0.5, 3.0, 10.0, 20.0]),
        drive=st.sampled_from([0.0, 0.7, 0.99, 1.0]),
    )
    @example(seed=0, alpha=True, tau_m=10.0, tau_ex=0.5, tau_in=0.5, drive=0.0)
    def case(**given):
        fired.append(first_passages(**given))

    case()
    assert len(fired) >= 30
    assert sum(fired) > 300


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("inhibited", [False, True])
@pytest.mark.parametrize("above", [1e-9, 1e-11, -1e-11, -1e-9])
def test_a_potential_that_grazes_the_threshold(alpha, inhibited, above):
    """The threshold is put 1e-9 mV below, or above, the highest value that V_m comes to."""
    tau_ex, tau_in = 2.0, 6.0
    sizes = [(0.0, 1500.0, tau_ex)] + ([(0.5, -400.0, tau_in)] if inhibited else [])

    def lifted(t):
        return sum(w * response(t - s, 10.0, tau, alpha) for s, w, tau in sizes)

    top = minimize_scalar(lambda t: -lifted(t), bounds=(0.1, 12.0), method="bounded", options={"xatol": 1e-12})
    net = ss.Network(engine="event", seed=1)
    source = net.add(SpikeSource([1.0, 1.5], [0, 1]), 2)
    neuron = net.add((LIFAlpha if alpha else LIF)(E_L=0.0, V_reset=-1.0, V_th=-top.fun - above, tau_syn_ex=tau_ex,
                                                  tau_syn_in=tau_in), 1)  # fmt: skip
    net.connect(source[: len(sizes)], neuron, ss.AllToAll(), weight=[w for _, w, _ in sizes], delay=0.25)
    spikes = net.record(neuron, "spikes")
    net.run(50.0)
    assert len(spikes) == (above > 0)
    if above > 0:
        before = top.x - (spikes.times[0] - 1.25)
        assert 0 < before < 1e-3  # V_m is flat there: sqrt(2 above / V'') before its maximum


def test_a_spike_between_two_inputs_of_which_the_second_would_have_prevented_it():
    net = ss.Network(engine="event", seed=1)
    source = net.add(SpikeSource([1.0, 2.0], [0, 1]), 2)
    neuron = net.add(LIF(), 1)
    net.connect(source, neuron, ss.AllToAll(), weight=[6000.0, -20000.0], delay=1.0)
    spikes = net.record(neuron, "spikes")
    net.run(20.0)
    assert len(spikes) == 1
    assert 2.0 < spikes.times[0] < 3.0


def test_inputs_of_one_moment_are_added_before_the_threshold_is_tested():
    net = ss.Network(engine="event", seed=1)
    source = net.add(SpikeSource([0.1, 0.2, 0.4], [0, 1, 2]), 3)
    neurons = net.add(LIFDelta(t_ref=0.5), 2)
    # 0.1 + 0.2 and 0.2 + 0.1 are 0.3 ms; so up and down cancel. 0.4 + 0.3 is 0.7, and half of it is not enough.
    net.connect(source, neurons, ss.Pairs([0, 1, 2, 2], [0, 0, 0, 1]), weight=[20.0, -20.0, 16.0, 14.9],
                delay=[0.2, 0.1, 0.3, 0.3])  # fmt: skip
    spikes = net.record(neurons, "spikes")
    net.run(5.0)
    assert spikes.times.tolist() == [0.7]
    assert spikes.ids.tolist() == [0]


def test_what_arrives_at_the_end_of_the_refractory_period_counts():
    for late, expected in ((0.0, 2), (-1e-9, 1)):
        net = ss.Network(engine="event", seed=1)
        source = net.add(SpikeSource([1.0, 3.0 + late], [0, 0]), 1)
        neuron = net.add(LIFDelta(t_ref=2.0), 1)
        net.connect(source, neuron, ss.AllToAll(), weight=20.0, delay=0.3)
        spikes = net.record(neuron, "spikes")
        net.run(10.0)
        assert len(spikes) == expected
