"""Weights that are recorded while the network runs, all or some, in memory or in a file."""

import h5py
import numpy as np
import pytest

import spikesim as ss
from spikesim.models.neurons.lif import LIF
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.models.plasticity.pair_stdp import PairSTDP


def network(threads=1):
    net = ss.Network(dt=0.5, seed=3, threads=threads)
    draws = np.random.default_rng(6)
    pre, post = (
        net.add(SpikeSource(0.5 * draws.integers(1, 120, 30 * n), np.repeat(np.arange(n), 30)), n, name=name)
        for name, n in (("pre", 6), ("post", 35))
    )
    synapses = net.connect(pre, post, ss.FixedProbability(0.4), weight=0.5, delay=ss.Uniform(0.5, 8.0),
                           plasticity=PairSTDP(a_plus=0.03, a_minus=0.02))  # fmt: skip
    return net, synapses


def between_runs(durations, chosen=slice(None)):
    """What `weights` gives between short runs."""
    net, synapses = network()
    seen = []
    for duration in durations:
        net.run(duration)
        seen.append(synapses.weights[chosen])
    return np.array(seen)


@pytest.mark.parametrize("threads", [1, 2])
def test_chosen_synapses(threads):
    net, synapses = network(threads)
    chosen = [40, 3, 3, 17]
    recorder = net.record(synapses, "weights", synapses=chosen, every=2.5)
    net.run(20.0)
    net.run(11.0)
    np.testing.assert_array_equal(recorder.values, between_runs([2.5] * 12, chosen))
    np.testing.assert_allclose(recorder.times, 2.5 * np.arange(1, 13), rtol=1e-15)
    np.testing.assert_array_equal(recorder.synapses, chosen)
    assert len(np.unique(recorder.values)) > 5


def test_a_sample_is_the_same_for_the_same_seed():
    found = []
    for _ in range(2):
        net, synapses = network()
        recorder = net.record(synapses, "weights", sample=12, every=5.0)
        net.run(20.0)
        found.append(recorder)
    one, other = found
    np.testing.assert_array_equal(one.synapses, other.synapses)
    assert len(np.unique(one.synapses)) == 12
    assert one.synapses.max() < len(synapses)
    np.testing.assert_array_equal(one.values, between_runs([5.0] * 4, one.synapses))
    everything = net.record(synapses, "weights", sample=len(synapses), every=5.0)
    np.testing.assert_array_equal(everything.synapses, np.arange(len(synapses)))


def test_a_file_holds_what_memory_holds(tmp_path):
    net, synapses = network()
    kept = net.record(synapses, "weights", sample=9, every=5.0)
    streamed = net.record(synapses, "weights", sample=9, every=5.0, to=tmp_path / "w.h5")
    whole = net.record(synapses, "weights", every=10.0, to=tmp_path / "w.h5")
    with net:
        net.run(13.0)
        with h5py.File(tmp_path / "w.h5", "r", locking=False) as file:  # while the run is not over
            assert len(file["weights/0/values"]) == 2
            assert not file["spikesim"].attrs["completed"]
        net.run(17.0)
        with pytest.raises(ss.SpikesimError, match="streamed"):
            streamed.values  # noqa: B018
        with pytest.raises(ss.SpikesimError, match="time cannot go back"):
            net.restore(net.store())
    with h5py.File(tmp_path / "w.h5") as file:
        some, everything = file["weights/0"], file["weights/1"]
        np.testing.assert_array_equal(some["values"], kept.values)
        np.testing.assert_array_equal(some["times"], kept.times)
        np.testing.assert_array_equal(some["steps"], [10, 20, 30, 40, 50, 60])
        np.testing.assert_array_equal(some["synapses"], kept.synapses)
        np.testing.assert_array_equal(some["sources"], synapses.sources[kept.synapses])
        np.testing.assert_array_equal(some["targets"], synapses.targets[kept.synapses])
        np.testing.assert_array_equal(everything["values"], between_runs([10.0] * 3))
        assert (some.attrs["source"], some.attrs["target"]) == ("pre", "post")
        assert some.attrs["rule"].startswith("PairSTDP(")
        about = file["spikesim"].attrs
        assert (about["seed"], about["dt"], about["duration_ms"]) == (3, 0.5, 30.0)
        assert about["completed"]
    assert whole.to == str(tmp_path / "w.h5")


def test_a_file_is_replaced_only_if_it_is_one_of_weights(tmp_path):
    path = tmp_path / "w.h5"
    for _ in range(2):
        net, synapses = network()
        net.record(synapses, "weights", sample=2, every=5.0, to=path)
        with net:
            net.run(5.0)
    path.write_text("mine")
    net, synapses = network()
    net.record(synapses, "weights", sample=2, every=5.0, to=path)
    with pytest.raises(ss.SpikesimError, match="not a weight file"):
        net.run(5.0)
    assert path.read_text() == "mine"
    assert net.seconds["compile"] == 0.0
    net, synapses = network()
    net.record(synapses, "weights", every=5.0, to=tmp_path / "none" / "w.h5")
    with pytest.raises(ss.SpikesimError, match="does not exist"):
        net.run(5.0)
    net, synapses = network()
    net.record(synapses, "weights", every=5.0, to=tmp_path / "both.h5")
    net.record(synapses.source, "spikes", to=tmp_path / "both.h5")
    with pytest.raises(ss.SpikesimError, match="different files"):
        net.run(5.0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"synapses": [0, -1]}, ["no synapse -1"]),
        ({"synapses": [0, 9999]}, ["no synapse 9999"]),
        ({"synapses": [0.5]}, ["whole numbers", "0.5"]),
        ({"synapses": []}, ["whole numbers"]),
        ({"synapses": "all"}, ["whole numbers", "'all'"]),
        ({"sample": 0}, ["sample", "0"]),
        ({"sample": 10**6}, ["sample", "1000000"]),
        ({"sample": 1.5}, ["sample", "1.5"]),
        ({"sample": 3, "synapses": [1]}, ["not both"]),
        ({"every": 0.7}, ["every", "0.7"]),
        ({"every": None}, ["every"]),
    ],
)
def test_bad_input(given, words):
    net, synapses = network()
    with pytest.raises(ss.SpikesimError) as caught:
        net.record(synapses, "weights", **{"every": 5.0, **given})
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)
    assert net.recorders == []


def test_populations_have_no_synapses_to_choose():
    net = ss.Network(seed=1)
    cells = net.add(LIF(), 3)
    for given in ({"synapses": [1]}, {"sample": 2}):
        with pytest.raises(ss.SpikesimError, match="weights of a projection"):
            net.record(cells, "V_m", **given)
