"""What projections send in place of spikes: a state variable of the source, as it was a delay before."""

import numpy as np
import pytest

import spikesim as ss
from spikesim.models.neurons.current_sources import DCSource
from spikesim.models.neurons.lif import LIF
from spikesim.models.neurons.lif_delta import LIFDelta
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.reference import simulate

DT = 0.5


def coupled(threads=1, precision="double"):
    """Two groups that feel each other's potentials, all to all and along some synapses, beside their spikes."""
    net = ss.Network(dt=DT, seed=3, threads=threads, precision=precision)
    source = net.add(PoissonSource(rate=300.0), 19, name="source")
    first = net.add(LIFDelta(), 37, name="first")
    second = net.add(LIFDelta(), 21, name="second")
    net.connect(source, first, ss.AllToAll(), weight=0.35, delay=1.0)
    net.connect(source, second, ss.AllToAll(), weight=0.3, delay=1.0)
    net.connect(first, second, ss.AllToAll(), weight=ss.Uniform(-2e-4, 4e-4), delay=1.5, sends="V_m")
    net.connect(second, first, ss.FixedIndegree(4), weight=-1e-3, delay=ss.Uniform(0.5, 2.5), sends="V_m")
    return net


def test_it_is_what_the_plain_simulator_does_whatever_the_threads():
    expected = simulate(coupled(), 60.0, [("first", "V_m"), ("second", "V_m")])
    seen = []
    for threads in (1, 2, 3):
        with coupled(threads) as net:
            recorders = [net.record(p, "V_m") for p in net.populations[1:]]
            net.run(60.0)
            for recorder, name in zip(recorders, ("first", "second"), strict=True):
                np.testing.assert_allclose(recorder.values, expected.states[name, "V_m"], rtol=0.0, atol=1e-9)
            seen.append([r.values for r in recorders])
    assert len(expected.spikes["first"][0]) > 20  # it fires
    for other in seen[1:]:
        assert all((a == b).all() for a, b in zip(seen[0], other, strict=True))


def test_without_it_something_else_happens():
    net, free = coupled(), coupled()
    free.projections[2].weights = 0.0
    free.projections[3].weights = 0.0
    seen = [[each.record(p, "V_m") for p in each.populations[1:]] for each in (net, free)]
    for each in (net, free):
        each.run(60.0)
    for mine, theirs in zip(*seen, strict=True):
        assert np.abs(mine.values - theirs.values).max() > 0.1


@pytest.mark.parametrize("precision", ["double", "single"])
def test_a_run_in_parts_and_one_from_a_checkpoint_come_to_the_same(precision, tmp_path):
    whole, parts = coupled(precision=precision), coupled(precision=precision)
    whole.run(40.0)
    for duration in (0.5, 13.5, 6.0):
        parts.run(duration)
    parts.checkpoint(tmp_path / "half.ckpt.h5")
    parts.run(20.0)
    resumed = ss.Network.resume(tmp_path / "half.ckpt.h5", threads=2)
    resumed.run(20.0)
    for net in (parts, resumed):
        for mine, theirs in zip(whole.populations[1:], net.populations[1:], strict=True):
            np.testing.assert_array_equal(mine.get("V_m"), theirs.get("V_m"))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (dict(sends="V_n"), "V_m"),
        (dict(sends="V_m", plasticity=PairSTDP(w_max=2.0)), "plasticity"),
        (dict(sends="V_m", weight=ss.Uniform(-1.0, 1.0)), "one receptor"),
    ],
)
def test_what_cannot_be_sent_is_told(given, named):
    net = ss.Network(dt=DT, seed=3)
    a, b = net.add(LIFDelta(), 3), net.add(LIF(), 3)
    with pytest.raises(ss.SpikesimError, match=named):
        net.connect(a, b, ss.AllToAll(), **given)


def test_a_source_of_currents_sends_nothing_else():
    net = ss.Network(dt=DT, seed=3)
    a, b = net.add(DCSource(), 3), net.add(LIF(), 3)
    with pytest.raises(ss.SpikesimError, match="current"):
        net.connect(a, b, ss.AllToAll(), sends=next(iter(DCSource.state)))
