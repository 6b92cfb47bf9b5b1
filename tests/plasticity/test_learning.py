"""Plasticity switched on and off: weights stay, traces go on, and spikes that came in the meantime never count."""

import numpy as np
import pytest

import spikesim as ss
from spikesim.models.neurons import LIF, SpikeSource
from spikesim.models.plasticity import PairSTDP
from spikesim.plasticity import Rule, Trace
from spikesim.reference import Simulator

DT = 0.5


def prescribed(fraction=1.0, threads=1, pairing="all_to_all"):
    """Prescribed trains on both sides, with all sorts of delays."""
    net = ss.Network(dt=DT, seed=3, threads=threads)
    draws = np.random.default_rng(6)
    pre, post = (
        net.add(SpikeSource(DT * draws.integers(1, 240, 40 * n), np.repeat(np.arange(n), 40)), n, name=name)
        for name, n in (("pre", 6), ("post", 35))
    )
    rule = PairSTDP(a_plus=0.03, a_minus=0.02, pairing=pairing)
    synapses = net.connect(pre, post, ss.FixedProbability(0.4), weight=0.5, delay=ss.Uniform(0.5, 8.0),
                           plasticity=rule, dendritic_delay_fraction=fraction)  # fmt: skip
    return net, synapses


class _Switched(Simulator):
    """The reference, whose synapses learn from steps in `on` only."""

    def __init__(self, network, on):
        super().__init__(network)
        for synapse in self.synapses[0]:
            change = synapse.change
            synapse.change = lambda hook, now, change=change: change(hook, now) if on(now) else None


@pytest.mark.parametrize("pairing", ["all_to_all", "nearest_reduced"])
@pytest.mark.parametrize("fraction", [0.0, 0.4, 1.0])
def test_as_the_reference_has_it(fraction, pairing):
    """Off for a while shorter than the delays and for a longer one; weights are compared at every step."""
    off = [range(40, 44), range(90, 160)]
    net, synapses = prescribed(fraction, pairing=pairing)
    reference = _Switched(net, lambda now: not any(now in each for each in off))
    for step in range(240):
        synapses.learning = not any(step in each for each in off)
        net.run(DT)
        reference.step()
        # Traces decay step by step here and in one go there; weights are up to 1.
        np.testing.assert_allclose(synapses.weights, reference.weights(0), rtol=1e-12, atol=1e-14)
    assert len(np.unique(synapses.weights)) > 50


@pytest.mark.parametrize("threads", [1, 3])
def test_learning_that_begins_later(threads):
    """The same bits as with a switch at that time, in one run."""
    net, synapses = prescribed(threads=threads)
    synapses.learn_from(60.0)
    assert not synapses.learning
    net.run(60.0)
    assert synapses.learning
    np.testing.assert_array_equal(synapses.weights, np.full(len(synapses), 0.5))
    net.run(60.0)
    switched_net, switched = prescribed()
    switched.learning = False
    switched_net.run(60.0)
    switched.learning = True
    switched_net.run(60.0)
    np.testing.assert_array_equal(synapses.weights, switched.weights)
    assert len(np.unique(synapses.weights)) > 50
    whole_net, whole = prescribed(threads=threads)
    whole.learn_from(60.0)
    whole_net.run(120.0)
    np.testing.assert_array_equal(whole.weights, synapses.weights)


def test_weights_set_while_off_stay():
    net, synapses = prescribed()
    net.run(20.0)
    synapses.learning = False
    synapses.weights = 0.25
    net.run(40.0)
    np.testing.assert_array_equal(synapses.weights, np.full(len(synapses), 0.25))
    assert not synapses.learning


def test_store_and_restore_take_the_switch_along():
    net, synapses = prescribed()
    net.run(20.0)
    on = net.store()
    synapses.learning = False
    net.run(20.0)
    off, weights = net.store(), synapses.weights
    net.restore(on)
    assert synapses.learning
    net.run(20.0)
    assert (synapses.weights != weights).any()
    net.restore(off)
    assert not synapses.learning
    net.run(20.0)
    np.testing.assert_array_equal(synapses.weights, weights)


def test_potentials_go_on_with_the_weights_as_they_are():
    net = ss.Network(dt=DT, seed=1)
    source = net.add(SpikeSource([1.0], [0]), 1, name="source")
    cell = net.add(LIF(), 1, name="cell")
    synapses = net.connect(source, cell, ss.OneToOne(), weight=1.0, delay=1.0, plasticity=PairSTDP())
    synapses.learning = False
    net.run(2.0)
    assert cell.get("I_syn_ex")[0] == 1.0


class AtReward(Rule):
    """w + x at the event `reward`."""

    tau: float = 20.0  # ms
    w_max: float = 10.0

    traces = {"x": Trace("pre", tau="tau", mean_over=("begin", "end"))}
    events = ("reward",)

    @staticmethod
    def on_reward(w, pre, post, p):
        return w + pre.x


def test_events_do_not_count_while_off():
    net = ss.Network(dt=DT, seed=1)
    source, post = net.add(SpikeSource([1.0], [0]), 1, name="source"), net.add(LIF(), 2, name="post")
    synapses = net.connect(source, post, ss.AllToAll(), weight=1.0, delay=1.0, plasticity=AtReward())
    net.trigger("begin")
    net.run(10.0)
    net.trigger("end")
    synapses.learning = False
    net.trigger("reward")
    np.testing.assert_array_equal(synapses.weights, [1.0, 1.0])
    synapses.learning = True
    net.trigger("reward")
    assert (synapses.weights > 1.0).all()


def test_bad_input():
    net, synapses = prescribed()
    net.run(10.0)
    for wrong in (None, "off", 2):
        with pytest.raises(ss.SpikesimError, match="learning is True or False"):
            synapses.learning = wrong
    for wrong in (5.0, float("nan"), "later"):
        with pytest.raises(ss.SpikesimError, match=r"10 ms \(now\) or later"):
            synapses.learn_from(wrong)
    static = net.connect(net.populations[0], net.add(LIF(), 35), ss.FixedIndegree(1), weight=1.0)
    assert not static.learning
    for on in (True, False):
        with pytest.raises(ss.SpikesimError, match="do not learn"):
            static.learning = on
