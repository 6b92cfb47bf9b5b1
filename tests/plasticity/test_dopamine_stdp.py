"""Dopamine STDP: closed forms, in the walk and in networks, and everything a network does with such synapses."""

import math

import numpy as np
import pytest

import spikesim as ss
from spikesim.errors import SpikesimError
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.models.plasticity.dopamine_stdp import DopamineSTDP
from spikesim.timeline import trajectory, weight_change

LONG = 60e3  # ms, many time constants


def test_one_pair_and_one_reward():
    """A+ = 1, dopamine 1 s after the pair: e^-1/2 e^-1 (1/tau_n) / (1/tau_c + 1/tau_n)."""
    change = weight_change(DopamineSTDP(), [0.0], [10.0], events={"reward": [1010.0]}, after=LONG)
    assert change == pytest.approx(0.185942, abs=1e-6)
    assert change == pytest.approx(math.exp(-1.5) / 200.0 / (1 / 1000.0 + 1 / 200.0), rel=1e-12)


def test_izhikevichs_units():
    """c0 = 0.1 e^-1/2 and d = 0.5 after 1 s: the area under d is 0.5 tau_d, in seconds."""
    rule = DopamineSTDP(a_plus=0.1, reward=0.5 * 0.2)
    change = weight_change(rule, [0.0], [10.0], events={"reward": [1010.0]}, after=LONG)
    assert change == pytest.approx(0.00185942, abs=1e-8)


def test_without_dopamine_nothing_is_learnt():
    draws = np.random.default_rng(1)
    pre, post = (draws.uniform(0.0, 5000.0, 100) for _ in range(2))
    assert weight_change(DopamineSTDP(), pre, post, events={}, after=LONG) == 0.0


def test_the_order_of_the_pair_decides_the_sign():
    for pre, post, sign in (([0.0], [10.0], 1), ([10.0], [0.0], -1.5)):
        change = weight_change(DopamineSTDP(), pre, post, events={"reward": [500.0]}, after=LONG)
        assert change / math.exp(-0.5) == pytest.approx(sign * math.exp(-0.49) * (1 / 200.0) / 0.006, rel=1e-12)


def test_constant_dopamine_is_its_level_above_b():
    """b alone: dw = -b c tau_c in all."""
    rule = DopamineSTDP(b=-0.002)
    change = weight_change(rule, [0.0], [10.0], events={}, after=LONG)
    assert change == pytest.approx(0.002 * 1000.0 * math.exp(-0.5), rel=1e-12)


def test_the_walk_needs_to_be_told_of_events():
    with pytest.raises(SpikesimError, match="reward"):
        weight_change(DopamineSTDP(), [0.0], [10.0])
    with pytest.raises(SpikesimError, match="did you mean 'reward'"):
        weight_change(DopamineSTDP(), [0.0], [10.0], events={"rewards": [1.0]})


def test_preset_of_the_authors_program():
    """A pair marks c = 0.1 e^-1/2, which d = 0.5 turns into 100 c d tau_c tau_d / (tau_c + tau_d), times in seconds."""
    rule = DopamineSTDP(preset="izhikevich_2007", b=0.0)
    change = weight_change(rule, [0.0], [10.0], events={"reward": [10.0]}, after=LONG)
    assert change == pytest.approx(100.0 * 0.1 * math.exp(-0.5) * 0.5 * (1.0 * 0.2 / 1.2), rel=1e-12)


# In a network ----------------------------------------------------------------------------------------------------

PRE, POST, REWARDS = [20.0, 45.0, 300.0, 520.0], [30.0, 40.0, 310.0, 500.0], [100.0, 100.0, 401.0]


def pair_network(fraction=0.5, **given):
    net = ss.Network(dt=0.5, seed=1)
    pre, post = (net.add(SpikeSource(times, [0] * 4), 1) for times in (PRE, POST))
    synapse = net.connect(pre, post, ss.OneToOne(), weight=1.0, delay=4.0, plasticity=DopamineSTDP(**given),
                          dendritic_delay_fraction=fraction)  # fmt: skip
    return net, synapse


def walked(until, fraction=0.5, w0=1.0, **given):
    delays = {"axonal_delay": 4.0 * (1 - fraction), "dendritic_delay": 4.0 * fraction}
    arrived = [[t for t in times if t + d <= until] for times, d in zip((PRE, POST), delays.values(), strict=True)]
    rewards = [t + 0.5 for t in REWARDS if t < until]  # an event counts from the end of the step that follows
    last = max([t + d for times, d in zip(arrived, delays.values(), strict=True) for t in times] + rewards)
    _, weights = trajectory(DopamineSTDP(**given), *arrived, w0=w0, events={"reward": rewards}, bounded=True,
                            after=until - last, **delays)  # fmt: skip
    return weights[-1]


def run(net, until):
    for reward in [t for t in REWARDS if net.time <= t < until]:
        if reward > net.time:
            net.run(reward - net.time)
        net.trigger("reward")
    net.run(until - net.time)


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_weights_read_at_any_time_are_current(fraction):
    net, synapse = pair_network(fraction, b=1e-3)
    for until in (60.0, 101.5, 250.0, 313.0, 401.5, 522.5, 700.0):
        run(net, until)
        assert synapse.weights[0] == pytest.approx(walked(until, fraction, b=1e-3), rel=1e-12)


def test_a_weight_that_is_set_goes_on_from_there():
    net, synapse = pair_network()
    run(net, 250.0)
    synapse.weights = 5.0
    assert synapse.weights[0] == 5.0
    run(net, 450.0)
    assert synapse.weights[0] - 5.0 == pytest.approx(walked(450.0, w0=10.0) - walked(250.0, w0=10.0), rel=1e-9)


def test_reset_forgets_eligibility_and_keeps_weights():
    net, synapse = pair_network()
    run(net, 250.0)
    before = synapse.weights[0]
    net.reset()
    assert synapse.weights[0] == before
    net.trigger("reward")
    net.run(40.0)
    assert synapse.weights[0] == before


def test_a_state_kept_comes_back():
    net, synapse = pair_network()
    run(net, 250.0)
    state = net.store()
    run(net, 600.0)
    after = synapse.weights[0]
    net.restore(state)
    assert synapse.weights[0] == pytest.approx(walked(250.0), rel=1e-12)
    run(net, 600.0)
    assert synapse.weights[0] == after


def test_threads_and_pieces_change_no_bit():
    results = []
    for threads, pieces in ((1, 1), (3, 1), (2, 4)):
        net = ss.Network(dt=0.5, seed=9, threads=threads)
        pre = net.add(PoissonSource(rate=40.0), 11)
        draws = np.random.default_rng(2)
        post = net.add(SpikeSource(draws.uniform(0.5, 300.0, 400).round(), draws.integers(0, 23, 400)), 23)
        rule = DopamineSTDP(a_plus=0.1, a_minus=0.15)
        synapses = net.connect(pre, post, ss.FixedProbability(0.5), weight=ss.Uniform(0.5, 1.5),
                               delay=ss.Uniform(0.5, 4.0), plasticity=rule)  # fmt: skip
        for reward in (60.0, 200.0):
            for _ in range(pieces):
                net.run({60.0: 60.0, 200.0: 140.0}[reward] / pieces)
            assert np.isfinite(synapses.weights).all()  # to look changes nothing
            net.trigger("reward")
        net.run(100.0)
        results.append(synapses.weights.tobytes())
    assert results[0] == results[1] == results[2]
