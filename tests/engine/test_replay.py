"""Postsynaptic spikes that are replayed at the next presynaptic one leave the weights that they leave one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikesim as ss
import spikesim.clock.engine
from spikesim.clock import replay, replay_synapses
from spikesim.clock.replay_synapses import ReplayRuntime
from spikesim.clock.synapses import PlasticRuntime
from spikesim.factors import factors, replayed, visits
from spikesim.memory import estimate
from spikesim.models.neurons.lif import LIF
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.models.plasticity.convallis import Convallis
from spikesim.models.plasticity.froemke_dan_stdp import FroemkeDanSTDP
from spikesim.models.plasticity.guetig_stdp import GuetigSTDP
from spikesim.models.plasticity.multiplicative_stdp import MultiplicativeSTDP
from spikesim.models.plasticity.oja import OjaRule
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.models.plasticity.zenke_2015 import Zenke2015
from spikesim.plasticity import Rule, Trace
from spikesim.reference import Simulator
from spikesim.registry import discover
from spikesim.signals import Signal

DT = 0.5
#: Of the weights, which are about 1: 6e-15 and 4e-7 were seen. There are up to some hundred changes of each.
CLOSE = {"double": 1e-13, "single": 5e-6}


class Constant(Rule):
    """What a postsynaptic spike changes has nothing to do with the presynaptic neuron."""

    loss: float = 0.003

    @staticmethod
    def on_post(w, pre, post, p):
        return w - p.loss


class OnlyPre(Rule):
    """Nothing happens at a postsynaptic spike."""

    tau: float = 20.0
    traces = {"y": Trace("post", tau="tau")}

    @staticmethod
    def on_pre(w, pre, post, p):
        return w + 0.02 * (post.y - w)


class Sensing(Rule):
    """Reads the potential that the neuron had before its spike."""

    tau: float = 20.0
    traces = {"x": Trace("pre", tau="tau")}
    signals = {"v": Signal("V_m")}

    @staticmethod
    def on_post(w, pre, post, p):
        return w + 1e-4 * pre.x * (post.v + 55.0) * (1.0 + w)


#: Rules that do not come apart, and one that does: it is replayed where it has no dendritic delay. The trains here come
#: from sources that have no state.
FOUND = {
    name: rule(w_max=2.0)
    for name, rule in discover("rule").items()
    if rule.local() and not (rule.signals or rule.post_state) and replayed(rule())
    if name == "TripletSTDP" or factors(rule()) is None
}
RULES = {
    **FOUND,
    "constant": Constant(w_max=2.0),
    "only pre": OnlyPre(w_max=2.0),
    "soft": PairSTDP(w_max=2.0, bounds="soft"),
    "free": OjaRule(bounds="none"),
    "nearest": MultiplicativeSTDP(w_max=2.0, pairing="nearest"),
    "bounded": OjaRule(w_min=0.45, w_max=0.55, eta=0.05),
}


def trains(n, rates, seed, duration):
    """Spikes of sources with rates (Hz), and long silences."""
    draws = np.random.default_rng(seed)
    ids = np.repeat(np.arange(n), 60)
    times = draws.integers(1, round(duration / DT), ids.size) * DT
    keep = draws.uniform(0.0, 120.0, ids.size) < np.resize(rates, n)[ids]
    return SpikeSource(times=times[keep], ids=ids[keep])


def network(rule, precision="double", threads=1, seed=1, fraction=1.0, duration=900.0):
    net = ss.Network(dt=DT, seed=seed, threads=threads, precision=precision)
    pre = net.add(trains(40, (2.0, 20.0, 120.0), seed, duration), 40, name="pre")
    post = net.add(trains(53, (30.0, 100.0, 5.0), seed + 1, duration), 53, name="post")
    low, high = (0.46, 0.54) if rule.w_min > 0.0 else (0.2, 1.0)
    net.connect(pre, post, ss.FixedIndegree(12), weight=ss.Uniform(low, high), delay=ss.Uniform(1.0, 8.0),
                plasticity=rule, dendritic_delay_fraction=fraction)  # fmt: skip
    return net


def replaying(monkeypatch, few=1024):
    """Also where the rule comes apart."""
    monkeypatch.setattr(spikesim.clock.engine, "comes_apart", lambda projection: None)
    monkeypatch.setattr(replay_synapses, "FEW", few)


def eagerly(monkeypatch):
    monkeypatch.setattr(spikesim.clock.engine, "comes_apart", lambda projection: None)
    monkeypatch.setattr(spikesim.clock.engine, "replayed", lambda rule: False)


def both(monkeypatch, run):
    """What `run` gives where spikes are replayed, and one by one."""
    with monkeypatch.context() as patch:
        replaying(patch)
        found = run(ReplayRuntime)
    with monkeypatch.context() as patch:
        eagerly(patch)
        return found, run(PlasticRuntime)


def test_which_rules_are_replayed():
    for rule in (MultiplicativeSTDP(), OjaRule(), GuetigSTDP(), FroemkeDanSTDP(), PairSTDP(bounds="soft")):
        assert factors(rule) is None or any(spec.jump for spec in rule.trace_specs())
        assert visits(rule) == "at presynaptic spikes, replaying the others"
    for rule in (Convallis(), Zenke2015(), PairSTDP(coincident="pre_first"), OjaRule(coincident="post_first")):
        assert not replayed(rule)


@pytest.mark.parametrize("fraction", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("name", RULES)
def test_replay_equals_eager(monkeypatch, name, fraction):
    """At once where there is no dendritic delay; and where the history is full again and again."""

    def run(runtime, few=1024):
        net = network(RULES[name], fraction=fraction)
        weights = [net.projections[0].weights]
        for _ in range(3):
            net.run(300.0)
            weights.append(net.projections[0].weights)
        assert type(net.projections[0].runtime) is runtime
        return np.array(weights)

    replayed, eager = both(monkeypatch, run)
    assert np.abs(eager[-1] - eager[0]).max() > 1e-3
    np.testing.assert_allclose(replayed, eager, rtol=0.0, atol=CLOSE["double"])
    replaying(monkeypatch, few=5)
    np.testing.assert_array_equal(run(ReplayRuntime), replayed)


@pytest.mark.parametrize("name", ["OjaRule", "GuetigSTDP", "FroemkeDanSTDP"])
def test_single_precision(monkeypatch, name):
    def run(runtime):
        net = network(RULES[name], "single", threads=2, fraction=0.6)
        net.run(900.0)
        return net.projections[0].weights

    np.testing.assert_allclose(*both(monkeypatch, run), rtol=0.0, atol=CLOSE["single"])


@given(
    seed=st.integers(0, 10**6), fraction=st.sampled_from([0.0, 0.4, 1.0]), threads=st.integers(1, 3),
    pieces=st.lists(st.integers(1, 400), max_size=5), few=st.integers(1, 1000), rule=st.sampled_from(list(RULES)),
)  # fmt: skip
@settings(max_examples=12, deadline=None)
def test_any_network_any_split(seed, fraction, threads, pieces, few, rule):
    """The same bits whatever the threads and the pieces, when the history is full, and whether somebody reads."""
    with pytest.MonkeyPatch.context() as patch:
        replaying(patch)
        whole = network(RULES[rule], seed=seed, fraction=fraction)
        whole.run(900.0)
        replaying(patch, few)
        other = network(RULES[rule], seed=seed, fraction=fraction, threads=threads)
        for piece in pieces:
            if other.time + piece * DT < 900.0:
                other.run(piece * DT)
                assert len(other.projections[0].weights) == 53 * 12
        other.run(900.0 - other.time)
    np.testing.assert_array_equal(other.projections[0].weights, whole.projections[0].weights)


@pytest.mark.parametrize("fraction", [0.0, 0.4, 1.0])
def test_weights_may_be_set_and_learning_switched(monkeypatch, fraction):
    """Between runs; what reached the synapse before then, or while it did not learn, has no effect after it."""

    def run(runtime):
        net = network(OjaRule(w_max=2.0, eta=0.05), threads=2, fraction=fraction)
        synapses, found = net.projections[0], []
        synapses.weights = 0.3
        net.run(123.0)
        synapses.weights = synapses.weights[::-1].copy()
        found.append(synapses.weights)
        net.run(100.5)
        synapses.learning = False
        found.append(synapses.weights)
        net.run(150.0)
        np.testing.assert_array_equal(synapses.weights, found[-1])
        synapses.learning = True
        net.run(70.0)
        found.append(synapses.weights)
        synapses.learn_from(net.time + 30.0)
        net.run(200.0)
        found.append(synapses.weights)
        return found

    replayed, eager = both(monkeypatch, run)
    assert np.abs(eager[-1] - eager[-2]).max() > 1e-2
    np.testing.assert_allclose(replayed, eager, rtol=0.0, atol=CLOSE["double"])


def test_reset_and_restore(monkeypatch):
    def run(runtime):
        net = network(OjaRule(w_max=2.0, eta=0.05), fraction=0.4)
        synapses = net.projections[0]
        net.run(150.0)
        state = net.store()
        net.run(100.0)
        first = synapses.weights
        net.restore(state)
        net.run(100.0)
        np.testing.assert_array_equal(synapses.weights, first)
        net.reset()
        np.testing.assert_array_equal(synapses.weights, first)
        net.run(300.0)
        return synapses.weights

    np.testing.assert_allclose(*both(monkeypatch, run), rtol=0.0, atol=CLOSE["double"])


@pytest.mark.parametrize("fraction", [0.0, 0.4])
def test_a_checkpoint_is_gone_on_with(tmp_path, fraction):
    """By any number of threads, to the bit; and it changes nothing of the run that it is taken from."""
    nets = [network(FOUND["OjaRule"].replace(eta=0.05), fraction=fraction) for _ in range(2)]
    for net in nets:
        net.run(300.5)
    nets[1].checkpoint(str(tmp_path / "run.h5"))
    for threads in (1, 3):
        resumed = ss.Network.resume(str(tmp_path / "run.h5"), threads=threads)
        assert isinstance(resumed.projections[0].runtime, ReplayRuntime)
        nets.append(resumed)
    for net in nets:
        net.run(300.0)
    for other in nets[1:]:
        np.testing.assert_array_equal(other.projections[0].weights, nets[0].projections[0].weights)


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_recurrent_network_with_poisson_input(monkeypatch, fraction):
    """Learning changes the spikes, and these the weights: still the same spikes. Synapses are added on the way."""

    def run(runtime):
        net = ss.Network(dt=DT, seed=9, threads=2, max_rate=None)
        source = net.add(PoissonSource(rate=600.0), 60)  # fires twice in a step now and then
        cells = net.add(LIF(), 70)
        rule = MultiplicativeSTDP(w_ref=40.0, w_max=80.0, lambda_=0.02)
        net.connect(source, cells, ss.FixedIndegree(20), weight=ss.Uniform(20.0, 60.0), delay=1.0, plasticity=rule,
                    dendritic_delay_fraction=fraction)  # fmt: skip
        spikes = net.record(cells, "spikes")
        net.run(300.0)
        net.connect(cells, cells, ss.FixedIndegree(10), weight=20.0, delay=ss.Uniform(1.0, 5.0),
                    plasticity=Constant(w_max=120.0, loss=0.02), dendritic_delay_fraction=fraction)  # fmt: skip
        net.run(300.0)
        assert len(spikes) > 500
        assert {type(p.runtime) for p in net.projections} == {runtime}
        return spikes.steps, spikes.ids, [p.weights for p in net.projections]

    replayed, eager = both(monkeypatch, run)
    np.testing.assert_array_equal(replayed[0], eager[0])
    np.testing.assert_array_equal(replayed[1], eager[1])
    for lazy, one_by_one in zip(replayed[2], eager[2], strict=True):
        np.testing.assert_allclose(lazy, one_by_one, rtol=1e-11)


def test_signals(monkeypatch):
    def run(runtime):
        net = ss.Network(dt=DT, seed=9, threads=2)
        source, cells = net.add(PoissonSource(rate=600.0), 60), net.add(LIF(), 70)
        kept = net.connect(source, cells, ss.FixedIndegree(20), weight=ss.Uniform(20.0, 60.0),
                           delay=ss.Uniform(1.0, 4.0), plasticity=Sensing(w_ref=40.0, w_max=120.0))  # fmt: skip
        net.run(400.0)
        assert type(kept.runtime) is runtime
        return kept.weights

    np.testing.assert_allclose(*both(monkeypatch, run), rtol=1e-11)


@pytest.mark.parametrize("fraction", [0.0, 0.4, 1.0])
def test_against_the_reference(fraction):
    net, rule = network(FOUND["OjaRule"].replace(eta=0.05), fraction=fraction, duration=200.0), "OjaRule"
    simulator = Simulator(network(FOUND[rule].replace(eta=0.05), fraction=fraction, duration=200.0))
    for _ in range(4):
        net.run(50.0)
        for _ in range(100):
            simulator.step()
        np.testing.assert_allclose(net.projections[0].weights, simulator.weights(0), rtol=0.0, atol=CLOSE["double"])
    assert np.abs(simulator.weights(0) - network(FOUND[rule]).projections[0].weights).max() > 1e-2


def test_times_begin_anew_when_they_get_long(monkeypatch):
    """Times in a history are short numbers."""
    found = []
    for early in (0, replay.FAR - 500):
        net = network(OjaRule(w_max=2.0, eta=0.05), fraction=0.4)
        net.prepare()
        state = net.projections[0].arrays["state/0"]
        state[replay.ORIGIN] = -early
        net.run(600.0)
        assert (state[replay.ORIGIN] > 0) == (early > 0)
        found.append(net.projections[0].weights)
    np.testing.assert_array_equal(*found)


def test_memory():
    """In single precision less than 16 bytes a synapse, of all that there is: told beforehand, and made."""
    net = ss.Network(dt=0.1, seed=1, precision="single")
    cells = net.add(LIF(), 2000)
    synapses = net.connect(cells, cells, ss.FixedIndegree(200), weight=ss.Uniform(0.1, 1.0), delay=1.5,
                           plasticity=OjaRule(w_max=2.0))  # fmt: skip
    told = estimate(net).synapse_bytes / len(synapses)
    net.prepare()
    table = synapses.runtime.tables[0]
    made = [array for name, array in synapses.arrays.items() if name not in ("entries/0", "values/0")]
    few = replay_synapses.FEW + len(synapses) // replay_synapses.SHARE
    history = sum(few * synapses.arrays[name][0].nbytes for name in ("entries/0", "values/0"))
    held = sum(array.nbytes for array in (*made, table.begins, table.slots)) + history
    assert told < 9.0
    assert held / len(synapses) < 16.0
