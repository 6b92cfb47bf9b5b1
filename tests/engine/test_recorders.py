"""What recorders give: shapes, times, and numbers that agree with each other and with the reference."""

import numpy as np
import pytest

import spikesim as ss
from spikesim.models.neurons.lif import LIF
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.reference import Simulator

DT = 0.1


def driven(threads=1, n=37, **given):
    """A network of `n` neurons that fire some tens of times a second."""
    net = ss.Network(dt=DT, seed=8, threads=threads)
    source = net.add(PoissonSource(rate=4000.0), 5, name="source")
    exc = net.add(LIF(I_e=300.0, **given), n, name="exc")
    net.connect(source, exc, ss.FixedProbability(0.5), weight=60.0, delay=1.0)
    return net, source, exc


def test_state_is_sampled_every_so_often_and_first_at_every():
    net, _, exc = driven(threads=2)
    fine, coarse = net.record(exc, "V_m"), net.record(exc[[30, 2, 17]], "V_m", every=0.7)
    current = net.record(exc, "I_syn_ex", every=10.0)
    net.run(120.3)
    assert fine.values.shape == (1203, 37)
    assert fine.values.dtype == np.float64
    np.testing.assert_array_equal(fine.times, np.arange(1, 1204) * DT)
    assert coarse.values.shape == (171, 3)
    np.testing.assert_array_equal(coarse.values, fine.values[6::7][:, [30, 2, 17]])
    np.testing.assert_array_equal(coarse.times, fine.times[6::7])
    assert current.values.shape == (12, 37)
    assert current.times[0] == 10.0


def test_samples_are_taken_after_reset():
    net, _, exc = driven()
    potential, spikes = net.record(exc, "V_m"), net.record(exc, "spikes")
    net.run(50.0)
    assert len(spikes) > 20
    assert set(potential.values[spikes.steps - 1, spikes.ids]) == {-70.0}
    assert potential.values.max() < -55.0


def test_recorders_added_late_begin_late():
    net, _, exc = driven()
    net.run(5.3)
    late, spikes = net.record(exc, "V_m", every=0.5), net.record(exc, "spikes")
    net.run(10.0)
    np.testing.assert_allclose(late.times, np.arange(5.5, 15.4, 0.5), rtol=1e-14)
    np.testing.assert_array_equal(late.values.shape, (20, 37))
    assert spikes.times.min() > 5.3


def test_spikes_are_sorted_and_timed_by_the_end_of_the_step():
    net, source, _ = driven(threads=3)
    spikes = net.record(source, "spikes")
    net.run(100.0)
    assert spikes.times.dtype == np.float64
    assert spikes.ids.dtype == spikes.steps.dtype == np.int64
    np.testing.assert_array_equal(spikes.times, spikes.steps * DT)
    order = np.lexsort((spikes.ids, spikes.steps))
    np.testing.assert_array_equal(order, np.arange(len(spikes)))
    assert len(spikes) == len(spikes.ids) > 1500
    assert spikes.steps.min() >= 1
    assert spikes.steps.max() <= 1000


@pytest.mark.parametrize("threads", [1, 3])
def test_rate_counts_the_spikes(threads):
    net, source, exc = driven(threads)
    for population in (source, exc[::2]):
        rate, spikes = net.record(population, "rate", every=5.0), net.record(population, "spikes")
        net.run(60.0)
        np.testing.assert_array_equal(rate.times - rate.times[0], 5.0 * np.arange(12))
        counts = np.histogram(spikes.times - DT / 2, np.append(rate.times - 5.0, rate.times[-1]))[0]
        assert counts.sum() == len(spikes) > 0
        np.testing.assert_allclose(rate.rates, counts / (len(population) * 5e-3), rtol=1e-14)


def test_views_record_only_their_own():
    net, _, exc = driven(threads=2)
    everything, some = net.record(exc, "spikes"), net.record(exc[[3, 33, 20]], "spikes")
    net.run(60.0)
    mine = np.isin(everything.ids, [3, 20, 33])
    assert 0 < mine.sum() < len(everything)
    np.testing.assert_array_equal(some.ids, everything.ids[mine])
    np.testing.assert_array_equal(some.steps, everything.steps[mine])


def test_clear_forgets_and_goes_on():
    net, _, exc = driven()
    potential, spikes = net.record(exc, "V_m", every=1.0), net.record(exc, "spikes")
    net.run(20.0)
    kept = spikes.steps[spikes.times > 10.0]
    net, _, exc = driven()
    potential, spikes = net.record(exc, "V_m", every=1.0), net.record(exc, "spikes")
    net.run(10.0)
    potential.clear()
    spikes.clear()
    assert len(spikes) == len(potential.times) == 0
    net.run(10.0)
    np.testing.assert_array_equal(spikes.steps, kept)
    np.testing.assert_allclose(potential.times, np.arange(11.0, 21.0), rtol=1e-14)


def test_long_runs_outgrow_every_buffer():
    """More samples than a buffer holds, and more bins, without a break."""
    net, _, exc = driven(n=5)
    potential, rate = net.record(exc, "V_m"), net.record(exc, "rate", every=DT)
    spikes = net.record(exc, "spikes")
    net.run(500.0)
    assert potential.values.shape == (5000, 5)
    reset = np.zeros((5000, 5), dtype=bool)
    reset[spikes.steps - 1, spikes.ids] = True
    assert (potential.values[reset] == -70.0).all()
    np.testing.assert_allclose(rate.rates, reset.mean(axis=1) / (DT * 1e-3), rtol=1e-14)


def plastic_pair(threads=1, fraction=1.0):
    net = ss.Network(dt=0.5, seed=3, threads=threads)
    draws = np.random.default_rng(6)
    pre, post = (
        net.add(SpikeSource(0.5 * draws.integers(1, 120, 30 * n), np.repeat(np.arange(n), 30)), n, name=name)
        for name, n in (("pre", 6), ("post", 35))
    )
    rule = PairSTDP(a_plus=0.03, a_minus=0.02)
    synapses = net.connect(pre, post, ss.FixedProbability(0.4), weight=0.5, delay=ss.Uniform(0.5, 8.0),
                           plasticity=rule, dendritic_delay_fraction=fraction)  # fmt: skip
    return net, synapses


def test_weight_snapshots_are_the_weights_of_their_time():
    net, synapses = plastic_pair(threads=2)
    snapshots = net.record(synapses, "weights", every=2.5)
    seen = []
    for _ in range(12):
        net.run(2.5)
        seen.append(synapses.weights)
    np.testing.assert_array_equal(snapshots.values, seen)
    np.testing.assert_allclose(snapshots.times, 2.5 * np.arange(1, 13), rtol=1e-15)
    assert len(np.unique(snapshots.values)) > 100


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_weights_are_current_at_every_step(fraction):
    """A spike counts as soon as it has reached the synapse, though the engine serves dendritic delays later."""
    net, synapses = plastic_pair(fraction=fraction)
    reference = Simulator(net)
    for _ in range(100):
        net.run(0.5)
        reference.step()
        # Traces decay step by step here and in one go there; weights are up to 1.
        np.testing.assert_allclose(synapses.weights, reference.weights(0), rtol=1e-12, atol=1e-14)


def test_weights_that_were_set_are_read_back():
    net, synapses = plastic_pair(fraction=1.0)
    net.run(20.0)
    synapses.weights = 0.25
    np.testing.assert_array_equal(synapses.weights, np.full(len(synapses), 0.25))


def test_going_back_forgets_and_records_again():
    net, _, exc = driven()
    recorders = [net.record(exc, "spikes"), net.record(exc, "V_m", every=1.0), net.record(exc, "rate", every=5.0)]

    def recorded():
        spikes, potential, rate = recorders
        return [spikes.steps, spikes.ids, potential.times, potential.values, rate.times, rate.rates]

    net.run(20.0)
    state, half = net.store(), recorded()
    net.run(20.0)
    whole = recorded()
    later = net.store()
    net.restore(state)
    for kept, expected in zip(recorded(), half, strict=True):
        np.testing.assert_array_equal(kept, expected)
    net.run(20.0)
    for again, expected in zip(recorded(), whole, strict=True):
        np.testing.assert_array_equal(again, expected)
    # Back to the middle, and from there ahead: what lies between was not recorded, and times say so.
    net.restore(state)
    net.restore(later)
    net.run(5.0)
    assert recorders[1].times.tolist() == [*range(1, 21), *range(41, 46)]
    assert recorders[2].times.tolist() == [5.0, 10.0, 15.0, 20.0, 45.0]


def test_a_file_cannot_go_back(tmp_path):
    net, _, exc = driven()
    net.record(exc, "spikes", to=tmp_path / "run.h5")
    with net:
        state = net.store()
        with pytest.raises(ss.SpikesimError, match="streamed"):
            net.restore(state)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_file_holds_what_memory_holds(tmp_path, threads):
    net, source, exc = driven(threads)
    kept = {p.name: net.record(p, "spikes") for p in (source, exc)}
    with net:
        for population in (source, exc):
            net.record(population, "spikes", to=tmp_path / "run.h5")
        net.run(40.0)
        net.run(20.0)
    read = ss.read_spikes(tmp_path / "run.h5")
    for name, spikes in kept.items():
        train = read.populations[name]
        times, ids = train.times, train.ids
        order = np.lexsort((ids, times))
        np.testing.assert_allclose(times[order], spikes.times, rtol=1e-12)
        np.testing.assert_array_equal(ids[order], spikes.ids)
        assert len(ids) > 50


def test_silence_ends_in_zeros_not_in_denormal_numbers():
    """Currents and traces decay past the smallest normal number, 2e-308, within 1.5 s; there arithmetic is slow."""
    net = ss.Network(dt=0.5, seed=1)
    source = net.add(SpikeSource([1.0], [0]), 1, name="source")
    cell = net.add(LIF(tau_syn_ex=1.0, tau_m=1.5, E_L=0.0, V_reset=0.0, V_th=15.0), 1, name="cell")
    rule = PairSTDP(tau_plus=2.0, tau_minus=2.0)
    synapses = net.connect(source, cell, ss.OneToOne(), weight=1.0, delay=1.0, plasticity=rule)
    net.run(100.0)
    assert 0.0 < cell.get("V_m")[0] < 1e-20
    net.run(1900.0)
    assert cell.get("I_syn_ex")[0] == 0.0
    assert cell.get("V_m")[0] == 0.0
    traces = synapses.arrays["pre/z"]
    assert traces.any() == 0
