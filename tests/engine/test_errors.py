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
        (LIF(I_e=[1.0, NAN, 2.0]), 3, "new", ["I_e", "NaN"]),
        (SpikeSource([1.0], [7]), 3, "new", ["SpikeSource", "ids", "2"]),
        (SpikeSource([0.0], [0]), 3, "new", ["SpikeSource", "0 ms", "dt"]),
        (PoissonSource(rate=1e7), 3, "new", ["PoissonSource", "rate", "1e+07"]),
    ],
)
def test_add(net, model, n, name, words):
    def add():
        # `checked` refuses NaN when the model is made, which is as good.
        net.add(model, n, name=name)

    refused(add, *words)
    untouched(net)
