"""Changes of the weights of chosen synapses: those that snapshots after every step show, to the bit."""

import h5py
import numpy as np
import pytest

import spikesim as ss
from spikesim.models.constraints import Normalisation
from spikesim.models.neurons.lif_delta import LIFDelta
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.neurons.segregated_dendrite import SegregatedDendrite
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.reference import Simulator
from spikesim.registry import discover

DT = 0.5
RULES = discover("rule")
#: Visited at presynaptic spikes only; served at each spike; with drift; with signals; with variables at the synapse
#: that change between spikes and act late; with an event.
KINDS = ("PairSTDP", "MultiplicativeSTDP", "OjaRule", "ClopathSTDP", "GraupnerBrunel", "DopamineSTDP")
CHOSEN = np.array([1, 5, 17, 200, 333, 400])


def network(rule="PairSTDP", threads=1, fraction=0.4, precision="double", **given):
    net = ss.Network(dt=DT, seed=7, threads=threads, precision=precision)
    source = net.add(PoissonSource(rate=ss.Uniform(20.0, 120.0)), 29, name="source")
    cells = net.add(LIFDelta(V_m=ss.Uniform(-70.0, -60.0)), 53, name="cells")
    synapses = net.connect(source, cells, ss.FixedProbability(0.4), weight=ss.Uniform(1.0, 4.0),
                           delay=ss.Uniform(1.0, 6.0), plasticity=RULES[rule](w_min=0.0, w_max=6.0, w_ref=3.0),
                           dendritic_delay_fraction=fraction, **given)  # fmt: skip
    net.connect(cells, cells, ss.FixedIndegree(3), weight=1.0, delay=1.5)
    return net, synapses


def walk(net, events, stops=()):
    """100 ms in pieces; the events come at 50 ms."""
    for time in sorted({50.0, 100.0, *stops}):
        net.run(time - net.time)
        if time == 50.0:
            for event in events:
                net.trigger(event)


def snapshots(net, synapses, act):
    """(steps, synapses, weights) of the changes that snapshots after every step show."""
    recorder, first = net.record(synapses, "weights", every=net.dt), synapses.weights
    act(net, synapses)
    values = np.vstack([first, recorder.values])
    steps, which = np.nonzero(values[1:] != values[:-1])
    return steps + 1, which, values[1:][steps, which]


def same(recorder, expected):
    steps, which, weights = expected
    mine = np.isin(which, recorder.chosen)
    np.testing.assert_array_equal(recorder.steps, steps[mine])
    np.testing.assert_array_equal(recorder.synapses, which[mine])
    np.testing.assert_array_equal(recorder.weights, weights[mine])
    assert len(recorder) == mine.sum() > 10


@pytest.mark.parametrize("fraction", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("rule", KINDS)
def test_the_changes_are_those_of_snapshots(rule, fraction):
    """The pieces end within, before and after the delays."""
    events = RULES[rule].events
    expected = snapshots(*network(rule, fraction=fraction), lambda net, _: walk(net, events))
    for threads, stops in ((1, ()), (2, (0.5, 1.0, 6.5, 99.5))):
        net, synapses = network(rule, threads, fraction)
        some = net.record(synapses, "weights", synapses=CHOSEN, every="change")
        every = net.record(synapses, "weights", every="change")
        walk(net, events, stops)
        same(some, expected)
        same(every, expected)


def test_single_precision():
    expected = snapshots(*network("GraupnerBrunel", precision="single"), lambda net, _: walk(net, ()))
    net, synapses = network("GraupnerBrunel", 2, precision="single")
    recorder = net.record(synapses, "weights", synapses=CHOSEN)
    walk(net, (), (20.5,))
    same(recorder, expected)


def test_against_the_reference():
    net, synapses = network()
    recorder = net.record(synapses, "weights", synapses=CHOSEN)
    net.run(60.0)
    held = recorder.initial.copy()
    simulator = Simulator(network()[0])
    for step in range(1, 121):
        simulator.step()
        now = recorder.steps == step
        held[np.searchsorted(CHOSEN, recorder.synapses[now])] = recorder.weights[now]
        np.testing.assert_allclose(held, np.asarray(simulator.weights(0))[CHOSEN], rtol=1e-12)
    assert len(recorder) > 20


def test_one_synapse():
    """One pair of spikes: the weight changes when the second one gets to the synapse."""
    net = ss.Network(dt=0.1, seed=1)
    pre, post = (net.add(SpikeSource([time], [0]), 1, name=name) for name, time in (("pre", 10.0), ("post", 15.0)))
    synapses = net.connect(pre, post, ss.OneToOne(), weight=0.5, delay=2.0,
                           plasticity=PairSTDP(a_plus=0.1, tau_plus=20.0))  # fmt: skip
    recorder = net.record(synapses, "weights", synapses=[0])
    net.run(30.0)
    times, weights = recorder.of(0)
    np.testing.assert_allclose(times, [17.0])
    np.testing.assert_allclose(weights, 0.5 + 0.1 * np.exp(-7.0 / 20.0))
    assert recorder.initial == [0.5]
    with pytest.raises(ss.SpikesimError, match="synapse 1 were not recorded"):
        recorder.of(1)


@pytest.mark.parametrize("rule", ["PairSTDP", "GraupnerBrunel"])
def test_constraints_and_switches(rule):
    """What is done to weights from outside at a time that snapshots see, too; and nothing is learned for a while."""

    def act(net, synapses):
        net.run(31.0)
        synapses.learning = False
        net.run(9.5)
        synapses.learn_from(55.0)
        net.run(40.0)
        net.reset()
        net.run(20.0)

    constraints = [Normalisation(total=20.0, every=12.5)]
    expected = snapshots(*network(rule, constraints=constraints), act)
    assert not ((expected[0] > 62) & (expected[0] <= 110)).any()
    net, synapses = network(rule, 2, constraints=constraints)
    recorder = net.record(synapses, "weights", every="change")
    act(net, synapses)
    same(recorder, expected)


@pytest.mark.parametrize("rule", ["MultiplicativeSTDP", "DopamineSTDP"])
def test_weights_that_are_set(rule):
    net, synapses = network(rule)
    recorder = net.record(synapses, "weights", synapses=CHOSEN)
    synapses.weights = 2.0
    net.run(30.0)
    synapses.weights = 1.25
    assert np.all(recorder.weights[-6:] == 1.25)  # seen at once
    net.run(30.0)
    for time, weight in ((0.0, 2.0), (30.0, 1.25)):
        now = recorder.times == time
        np.testing.assert_array_equal(recorder.synapses[now][-6:], CHOSEN)
        np.testing.assert_array_equal(recorder.weights[now][-6:], weight)
    for synapse in CHOSEN:
        assert recorder.of(synapse)[1][-1] == synapses.weights[synapse]


def test_restore_and_clear():
    net, synapses = network()
    recorder = net.record(synapses, "weights", every="change")
    net.run(20.0)
    state = net.store()
    net.run(30.0)
    first = recorder.steps, recorder.synapses, recorder.weights
    net.restore(state)
    assert 0 < len(recorder) == (first[0] <= 40).sum()
    net.run(30.0)
    same(recorder, first)
    net.restore(state)
    recorder.clear()
    np.testing.assert_array_equal(recorder.initial, synapses.weights)
    net.record(synapses.target, "spikes")  # builds the engine anew
    net.run(30.0)
    later = first[0] > 40
    same(recorder, [column[later] for column in first])


def test_a_weight_matrix_changes_at_events():
    net = ss.Network(dt=DT, seed=7)
    source = net.add(PoissonSource(rate=ss.Uniform(20.0, 120.0)), 29, name="source")
    cells = net.add(SegregatedDendrite(bias=ss.Uniform(-1.0, 1.0), eta_bias=0.1), 53, name="cells")
    name = next(name for name, rule in RULES.items() if rule.post_state)
    synapses = net.connect(source, cells, ss.AllToAll(), weight=ss.Uniform(-0.5, 1.0), delay=1.0, receptor="basal",
                           plasticity=RULES[name]())  # fmt: skip
    net.connect(source, cells, ss.AllToAll(), weight=ss.Uniform(-0.5, 1.0), delay=1.0, receptor="apical")
    recorder = net.record(synapses, "weights", synapses=[3, 700])
    for event in ("settled", "forward_plateau", "settled", *RULES[name].events):
        net.run(40.0)
        before = synapses.weights
        net.trigger(event)
    changed = [k for k in (3, 700) if synapses.weights[k] != before[k]]
    assert changed
    np.testing.assert_array_equal(recorder.synapses[recorder.times == net.time], changed)
    np.testing.assert_array_equal(recorder.weights[recorder.times == net.time], synapses.weights[changed])


def test_a_file_holds_what_memory_holds(tmp_path):
    net, synapses = network("DopamineSTDP")
    kept = net.record(synapses, "weights", synapses=CHOSEN)
    streamed = net.record(synapses, "weights", synapses=CHOSEN, every="change", to=tmp_path / "w.h5")
    net.record(synapses, "weights", every=10.0, to=tmp_path / "w.h5")
    with net:
        walk(net, ("reward",))
        with pytest.raises(ss.SpikesimError, match="streamed"):
            streamed.weights  # noqa: B018
    assert len(streamed) == len(kept) > 10
    with h5py.File(tmp_path / "w.h5") as file:
        some = file["weights/0"]
        assert (some.attrs["kind"], file["weights/1"].attrs["kind"]) == ("changes", "snapshots")
        for name, values in (("steps", kept.steps), ("times", kept.times), ("changed", kept.synapses),
                             ("weights", kept.weights), ("synapses", CHOSEN), ("initial", kept.initial),
                             ("targets", synapses.targets[CHOSEN])):  # fmt: skip
            np.testing.assert_array_equal(some[name], values)
        assert len(file["weights/1/values"]) == 10


def test_bad_input():
    net, synapses = network()
    big = net.connect(synapses.source, synapses.target, ss.FixedIndegree(200), weight=1.0, plasticity=PairSTDP())
    still = net.connect(synapses.source, synapses.target, ss.AllToAll(), weight=1.0)
    for projection, given, words in (
        (big, {"every": "change"}, "10000 synapses at the most, not 10600"),
        (big, {"every": "changes"}, "'changes'"),
        (still, {"every": "change", "synapses": [0]}, "do not learn"),
        (big, {}, 'every="change"'),
    ):
        with pytest.raises(ss.SpikesimError, match=words):
            net.record(projection, "weights", **given)
    assert net.recorders == []
    assert len(net.record(big, "weights", sample=10).chosen) == 10
