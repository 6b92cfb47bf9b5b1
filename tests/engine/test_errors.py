"""Bad input is refused in one line that names the thing, before anything compiles, and changes nothing."""

import numpy as np
import pytest
from scipy import sparse

import spikesim as ss
from spikesim.models.neurons.current_sources import DCSource
from spikesim.models.neurons.lif import LIF
from spikesim.models.neurons.lif_cond import LIFCond
from spikesim.models.neurons.lif_delta import LIFDelta
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.neurons.poisson_lif import PoissonLIF
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.models.plasticity.guetig_stdp import GuetigSTDP
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.models.plasticity.triplet_stdp import TripletSTDP

NAN, INF = float("nan"), float("inf")


@pytest.fixture
def net():
    net = ss.Network(dt=0.5, seed=1)
    net.add(LIF(), 5, name="exc")
    net.add(SpikeSource([1.0, 2.0], [0, 1]), 3, name="input")
    net.add(PoissonSource(rate=10.0), 4, name="noise")
    net.add(DCSource(I=1.0), 1, name="steady")
    net.add(LIFCond(), 2, name="cond")
    return net


def population(net, name):
    return next(p for p in net.populations if p.name == name)


def connect(net, source="input", target="exc", rule=None, **given):
    rule = ss.AllToAll() if rule is None else rule
    return net.connect(population(net, source), population(net, target), rule, **given)


def refused(act, *words):
    """`act()` raises a SpikesimError of one line that holds all `words`."""
    with pytest.raises(ss.SpikesimError) as caught:
        act()
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


def untouched(net, populations=5, projections=0, recorders=0):
    """Nothing was added, nothing compiled."""
    assert (len(net.populations), len(net.projections), len(net.recorders)) == (populations, projections, recorders)
    assert net._engine is None
    assert net.seconds["compile"] == 0.0
    assert net.step == 0


# Networks, models and rules ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dt": 0.0}, ["dt"]),
        ({"dt": -0.1}, ["dt", "-0.1"]),
        ({"dt": NAN}, ["dt", "nan"]),
        ({"dt": "fast"}, ["dt", "fast"]),
        ({"seed": -1}, ["seed", "-1"]),
        ({"seed": 2**63}, ["seed"]),
        ({"seed": 1.5}, ["seed", "1.5"]),
        ({"threads": 0}, ["threads", "0"]),
        ({"threads": 1.5}, ["threads", "1.5"]),
        ({"precision": "doubel"}, ["precision", "'doubel'", "did you mean 'double'"]),
    ],
)
def test_network(given, words):
    refused(lambda: ss.Network(**{"seed": 1, **given}), "Network", *words)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LIF(tau_mem=10.0), ["LIF", "'tau_mem'", "did you mean 'tau_m'", "V_th"]),
        (lambda: LIF(tau_m=0.0), ["LIF", "tau_m", "> 0"]),
        (lambda: LIF(tau_m=NAN), ["LIF", "tau_m", "NaN"]),
        (lambda: LIF(C_m=[250.0, -1.0]), ["LIF", "C_m", "-1"]),
        (lambda: LIF(I_e=[1.0, NAN]), ["LIF", "I_e", "NaN"]),
        (lambda: LIF(E_L="low"), ["LIF", "E_L", "'low'"]),
        (lambda: LIF(t_ref=-1.0), ["LIF", "t_ref", ">= 0"]),
        (lambda: LIF(V_th=-50.0, v_thresh=-50.0), ["LIF", "V_th", "twice"]),
        (lambda: PoissonLIF(escape="linear"), ["PoissonLIF", "escape", "'linear'", "exponential"]),
        (lambda: PoissonSource(rate=-1.0), ["PoissonSource", "rate", "-1"]),
        (lambda: PoissonSource(rate=[1.0, 2.0], times=[0.0]), ["PoissonSource", "2", "1"]),
        (lambda: PoissonSource(rate=[1.0, 2.0], times=[5.0, 5.0]), ["PoissonSource", "times"]),
        (lambda: SpikeSource([1.0, 2.0], [0]), ["SpikeSource", "2 times", "1 ids"]),
        (lambda: SpikeSource([1.0], [0.5]), ["SpikeSource", "ids"]),
        (lambda: SpikeSource([NAN], [0]), ["SpikeSource", "times"]),
        (lambda: PairSTDP(tau_pls=1.0), ["PairSTDP", "'tau_pls'", "did you mean 'tau_plus'"]),
        (lambda: PairSTDP(w_min=2.0), ["PairSTDP", "w_min", "w_max"]),
        (lambda: PairSTDP(bounds="soft", w_max=INF), ["PairSTDP", "soft", "finite"]),
        (lambda: PairSTDP(bounds="sotf"), ["PairSTDP", "'sotf'", "did you mean 'soft'"]),
        (lambda: TripletSTDP(pairing="nearest_reduced"), ["TripletSTDP", "nearest_reduced", "all_to_all"]),
        (lambda: PairSTDP(preset="song"), ["PairSTDP", "'song'", "did you mean 'song_2000'"]),
        (lambda: GuetigSTDP(mu=2.0), ["GuetigSTDP", "mu", "<= 1"]),
        (lambda: ss.FixedProbability(1.5), ["FixedProbability", "1.5"]),
        (lambda: ss.Normal(1.0, -1.0), ["Normal", "std"]),
        (lambda: ss.Uniform(2.0, 1.0), ["Uniform", "low", "high"]),
    ],
)
def test_models_and_rules(make, words):
    refused(make, *words)


@pytest.mark.parametrize(
    ("model", "n", "name", "words"),
    [
        (LIF(), 3, "exc", ["'exc'"]),
        (LIF, 3, "new", ["LIF()"]),
        ("LIF", 3, "new", ["'LIF'"]),
        (LIF(), 0, "new", ["0"]),
        (LIF(), 2.0, "new", ["2.0"]),
        (LIF(V_reset=-50.0), 3, "new", ["LIF", "V_reset", "V_th"]),
        (LIF(I_e=[1.0, 2.0]), 3, "new", ["'new'", "I_e", "2", "3"]),
        (LIF(V_m=[1.0, 2.0]), 3, "new", ["'new'", "V_m", "2", "3"]),
        (LIF(tau_m=ss.Normal(0.0, 1.0)), 30, "new", ["LIF", "tau_m", "> 0"]),
        (SpikeSource([1.0], [7]), 3, "new", ["SpikeSource", "ids", "2"]),
        (SpikeSource([0.0], [0]), 3, "new", ["SpikeSource", "0 ms", "dt"]),
        (PoissonSource(rate=1e7), 3, "new", ["PoissonSource", "rate", "1e+07"]),
    ],
)
def test_add(net, model, n, name, words):
    refused(lambda: net.add(model, n, name=name), *words)
    untouched(net)


# Connecting -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"delay": -1.0}, ["'input' -> 'exc'", "delay", "-1 ms", "dt = 0.5"]),
        ({"delay": 0.2}, ["'input' -> 'exc'", "delay", "0.2 ms", "dt = 0.5"]),
        ({"delay": ss.Normal(0.5, 0.5)}, ["'input' -> 'exc'", "delay", "dt = 0.5"]),
        ({"delay": NAN}, ["'input' -> 'exc'", "delay", "NaN"]),
        ({"delay": "long"}, ["'input' -> 'exc'", "delay", "'long'"]),
        ({"delay": [1.0, 2.0]}, ["'input' -> 'exc'", "delay", "length 2", "length 15"]),
        ({"weight": np.ones(14)}, ["'input' -> 'exc'", "weight", "length 14", "length 15"]),
        ({"weight": np.ones((3, 4))}, ["'input' -> 'exc'", "weight", "15"]),
        ({"weight": NAN}, ["'input' -> 'exc'", "weight", "NaN"]),
        ({"weight": [INF] * 15}, ["'input' -> 'exc'", "weight", "infinite"]),
        ({"weight": "big"}, ["'input' -> 'exc'", "weight", "'big'"]),
        ({"weight": None}, ["'input' -> 'exc'", "weight", "None"]),
        ({"receptor": "excitatry"}, ["LIF", "receptor", "'excitatry'", "did you mean 'excitatory'"]),
        ({"dendritic_delay_fraction": 1.5}, ["'input' -> 'exc'", "dendritic_delay_fraction", "1.5"]),
        ({"dendritic_delay_fraction": NAN}, ["'input' -> 'exc'", "dendritic_delay_fraction", "nan"]),
        ({"plasticity": PairSTDP}, ["'input' -> 'exc'", "plasticity", "PairSTDP()"]),
        ({"plasticity": "stdp"}, ["'input' -> 'exc'", "plasticity", "'stdp'"]),
        ({"plasticity": PairSTDP(), "weight": 2.0}, ["'input' -> 'exc'", "PairSTDP", "2", "w_max = 1"]),
        ({"plasticity": PairSTDP(w_min=-1.0), "weight": ss.Uniform(-1.0, 1.0)}, ["'input' -> 'exc'", "both signs"]),
        ({"rule": "all"}, ["'input' -> 'exc'", "'all'", "FixedProbability"]),
        ({"rule": ss.OneToOne()}, ["OneToOne", "3", "5"]),
        ({"rule": ss.FixedIndegree(4, multapses=False)}, ["FixedIndegree", "4", "3"]),
        ({"rule": ss.Pairs([0, 3], [0, 0])}, ["Pairs", "3"]),
        ({"rule": ss.Pairs([0, 1], [0, -1])}, ["Pairs", "-1"]),
        ({"rule": sparse.eye(4)}, ["4"]),
        ({"target": "input"}, ["'input' -> 'input'", "SpikeSource", "no receptors"]),
        ({"target": "noise", "plasticity": PairSTDP()}, ["'input' -> 'noise'", "PoissonSource", "no receptors"]),
        ({"target": "cond", "plasticity": PairSTDP(w_min=-1.0), "weight": -1.0}, ["'input' -> 'cond'", "inhibitory"]),
        ({"source": "steady", "plasticity": PairSTDP()}, ["'steady' -> 'exc'", "current"]),
    ],
)  # fmt: skip
def test_connect(net, given, words):
    refused(lambda: connect(net, **given), *words)
    untouched(net)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"delay": 1e10}, ["'input' -> 'exc'", "delay"]),
        ({"dendritic_delay_fraction": "most"}, ["'input' -> 'exc'", "dendritic_delay_fraction", "'most'"]),
        ({"receptor": 3}, ["LIF", "receptor", "3"]),
        ({"receptor": "current"}, ["'input' -> 'exc'", "receptor", "current"]),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_connect_types(net, given, words):
    refused(lambda: connect(net, **given), *words)
    untouched(net)


def test_views_of_other_networks(net):
    other = ss.Network(dt=0.5, seed=1).add(LIF(), 5, name="other")
    refused(lambda: net.connect(population(net, "input"), other, ss.AllToAll()), "other")
    refused(lambda: net.connect("input", population(net, "exc"), ss.AllToAll()), "'input'")
    untouched(net)


@pytest.mark.parametrize("which", [7, -6, 1.5, [0, 9], [True, False], "all"])
def test_views(net, which):
    refused(lambda: population(net, "exc")[which], "'exc'")


def test_weights(net):
    synapses = connect(net, weight=2.0)
    refused(lambda: setattr(synapses, "weights", [1.0, 2.0]), "'input' -> 'exc'", "2 weights", "15")
    refused(lambda: setattr(synapses, "weights", NAN), "'input' -> 'exc'", "finite")
    assert synapses.weights.tolist() == [2.0] * 15
    untouched(net, projections=1)


# Recording and running --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "variable", "given", "words"),
    [
        ("exc", "Vm", {}, ["'exc'", "'Vm'", "did you mean 'V_m'", "spikes"]),
        ("cond", "g_exc", {}, ["'cond'", "'g_exc'", "did you mean 'g_ex'"]),
        ("input", "V_m", {}, ["'input'", "'V_m'", "spikes"]),
        ("steady", "spikes", {}, ["'steady'", "no spikes"]),
        ("steady", "rate", {}, ["'steady'", "no spikes"]),
        ("exc", "weights", {}, ["'exc'", "'weights'"]),
        ("exc", "V_m", {"every": 0.7}, ["every", "0.5", "0.7"]),
        ("exc", "V_m", {"every": 0.0}, ["every", "0.5", "0.0"]),
        ("exc", "rate", {"every": -1.0}, ["every", "-1.0"]),
        ("exc", "rate", {"every": NAN}, ["every", "nan"]),
        ("exc", "V_m", {"to": "v.h5"}, ["V_m", "file"]),
    ],
)
def test_record(net, name, variable, given, words):
    refused(lambda: net.record(population(net, name), variable, **given), *words)
    untouched(net)


def test_record_of_projections(net):
    synapses = connect(net)
    refused(lambda: net.record(synapses, "wieghts"), "'wieghts'", "did you mean 'weights'")
    refused(lambda: net.record(synapses, "weights"), "every")
    refused(lambda: net.record("exc", "spikes"), "'exc'")
    untouched(net, projections=1)


def test_record_of_other_networks(net):
    other = ss.Network(dt=0.5, seed=1).add(LIF(), 5, name="other")
    refused(lambda: net.record(other, "V_m"), "other")


@pytest.mark.parametrize("duration", [0.7, 0.0, -1.0, NAN, "1", None, 0.2])
def test_run(net, duration):
    refused(lambda: net.run(duration), "duration", "dt = 0.5", repr(duration))
    untouched(net)


@pytest.mark.parametrize("act", ["run", "record"])
def test_endless(net, act):
    if act == "run":
        refused(lambda: net.run(INF), "duration")
    else:
        refused(lambda: net.record(population(net, "exc"), "V_m", every=INF), "every")


def test_trigger_and_files(net, tmp_path):
    refused(lambda: net.trigger("reward"), "'reward'")
    refused(lambda: net.save_spikes(tmp_path / "none.h5"), "save_spikes")
    untouched(net)
    assert list(tmp_path.iterdir()) == []


# Setting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"v_tresh": -50.0}, ["LIF", "'v_tresh'", "did you mean 'V_th'"]),
        ({"V_reset": -50.0}, ["LIF", "V_reset", "V_th"]),
        ({"tau_m": -1.0}, ["LIF", "tau_m", "> 0"]),
        ({"V_m": -60.0, "I_e": [1.0, 2.0, 3.0]}, ["'exc'", "I_e", "length 3"]),
        ({"I_e": 5.0, "V_m": NAN}, ["V_m", "NaN"]),
        ({"I_e": 5.0, "tau_m": ss.Uniform(-2.0, -1.0)}, ["LIF", "tau_m"]),
    ],
)
def test_a_failed_set_leaves_everything_as_it_was(net, values, words):
    exc = population(net, "exc")
    exc.set(V_m=-66.0, I_e=3.0)
    before = {name: exc.get(name).tolist() for name in (*LIF.parameters, *LIF.state)}
    constants = exc.constants.copy()
    for view in (exc, exc[[1, 3]]):
        refused(lambda view=view: view.set(**values), *words)
        assert {name: exc.get(name).tolist() for name in before} == before
        np.testing.assert_array_equal(exc.constants, constants)
    untouched(net)


def test_get(net):
    refused(lambda: population(net, "exc").get("tau"), "'exc'", "LIF", "'tau'", "tau_m")


def test_a_failed_set_keeps_recorded_trains(net):
    source = population(net, "input")
    for given in ({"times": [-1.0], "ids": [0]}, {"times": [1.0], "ids": [9]}, {"times": [1.0]}, {"tims": [1.0]}):
        refused(lambda given=given: source.set(**given))
        assert source.model.times.tolist() == [1.0, 2.0]
        assert source.schedule[0].tolist() == [1, 3]


@pytest.mark.parametrize("times", [[0.0, 5.0], [5.0, 7.0]])
@pytest.mark.parametrize(("rate", "words"), [(np.ones((2, 3)), ["rate", "3", "4"]), ([1.0, 1e9], ["1e+09 Hz"])])
def test_a_rate_table_is_checked_as_a_whole(net, times, rate, words):
    refused(lambda: net.add(PoissonSource(rate=rate, times=times), 4), *words)
    untouched(net)


def test_restore(net):
    state = net.store()
    net.add(LIFDelta(), 2)
    refused(lambda: net.restore(state), "restore", "changed")
