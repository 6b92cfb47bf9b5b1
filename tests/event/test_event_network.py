"""What a user does with an event-driven network: split runs, states, parameters, files; and what it refuses."""

import numpy as np
import pytest
from scipy.stats import kstest

import spikesim as ss
from spikesim.event.moments import moments, picoseconds
from spikesim.models.neurons import LIF, DCSource, LIFCond, LIFDelta, PoissonLIF, PoissonSource, SpikeSource


def network(seed=3):
    """Recurrent, with everything in it: Poisson, replayed and constant input, real delays, two kinds of neurons."""
    net = ss.Network(engine="event", seed=seed)
    noise = net.add(PoissonSource(rate=ss.Uniform(200.0, 600.0)), 30, name="noise")
    train = net.add(SpikeSource([5.5, 3.25, 3.25, 40.0], [1, 0, 1, 1]), 2, name="train")
    bias = net.add(DCSource(I=120.0), 1, name="bias")
    exc = net.add(LIF(tau_m=ss.Uniform(9.0, 11.0)), 40, name="exc")
    inh = net.add(LIFDelta(), 10, name="inh")
    net.connect(noise, exc, ss.FixedIndegree(6), weight=ss.Normal(250.0, 20.0), delay=ss.Uniform(0.1, 3.0))
    net.connect(train, exc, ss.AllToAll(), weight=600.0, delay=1.5)
    net.connect(bias, exc, ss.AllToAll(), weight=1.0, delay=0.5)
    net.connect(exc, inh, ss.FixedIndegree(10), weight=2.5, delay=ss.Uniform(0.5, 2.0))
    net.connect(inh, exc, ss.FixedIndegree(3), weight=-300.0, delay=1.0)
    return net, exc, inh


def test_split_runs_recorders_and_looks_change_no_bit():
    whole, exc, _ = network()
    spikes = whole.record(exc, "spikes")
    whole.run(50.0)
    whole.close()
    whole.run(70.0)
    assert len(spikes) > 100
    for cuts in ([0.1, 3.25, 7.3, 40.0, 69.35], [60.0, 60.0]):
        split, other, inh = network()
        recorder = split.record(other, "spikes")
        potential = split.record(other[:3], "V_m", every=0.7)
        for cut in cuts:
            split.run(cut)
            other.get("V_m"), inh.get("V_m")
            split.record(inh, "rate", every=10.0)  # which builds everything anew
        assert split.time == 120.0
        np.testing.assert_array_equal(spikes.steps, recorder.steps)
        np.testing.assert_array_equal(spikes.rests, recorder.rests)
        np.testing.assert_array_equal(spikes.ids, recorder.ids)
        np.testing.assert_allclose(potential.times, 0.7 * np.arange(1, 172))
        assert split.connectivity_digest() == whole.connectivity_digest()


def test_store_and_restore():
    net, exc, _ = network()
    spikes = net.record(exc, "spikes")
    net.run(33.3)
    state = net.store()
    net.run(40.0)
    first = spikes.steps.copy(), spikes.rests.copy(), spikes.ids.copy()
    net.restore(state)
    assert net.time == 33.3
    assert spikes.times.max() <= 33.3
    net.run(40.0)
    for before, after in zip(first, (spikes.steps, spikes.rests, spikes.ids), strict=True):
        np.testing.assert_array_equal(before, after)


def test_what_users_set_takes_effect_now():
    net = ss.Network(engine="event", seed=1)
    neuron = net.add(LIF(I_e=300.0), 2)
    spikes = net.record(neuron, "spikes")
    net.run(10.0)
    reached = -70.0 + 12.0 * -np.expm1(-1.0)
    np.testing.assert_allclose(neuron.get("V_m"), reached, rtol=1e-14)
    neuron[[1]].set(I_e=600.0)
    net.run(1.5)
    neuron[[0]].set(V_m=-60.0)
    net.run(20.0)
    wait = 10.0 * np.log1p((-55.0 - reached) / (24.0 - 15.0))
    assert spikes.times[0] == pytest.approx(10.0 + wait, rel=1e-14)
    assert spikes.ids.tolist() == [1, 1]
    np.testing.assert_allclose(neuron.get("V_m")[0], -58.0 - 2.0 * np.exp(-2.0), rtol=1e-14)
    net.reset()
    np.testing.assert_array_equal(neuron.get("V_m"), -70.0)


def test_poisson_intervals_are_exponential_and_follow_a_change_of_rate():
    net = ss.Network(engine="event", seed=11)
    constant = net.add(PoissonSource(rate=50.0), 40)
    table = net.add(PoissonSource(times=[10.25, 400.0, 700.0], rate=[100.0, 0.0, 20.0]), 200)
    spikes, steps = net.record(constant, "spikes"), net.record(table, "spikes")
    net.run(1000.0)
    intervals = np.concatenate([np.diff(spikes.times[spikes.ids == k]) for k in range(40)])
    assert kstest(intervals, "expon", args=(0.0, 20.0)).pvalue > 0.01
    assert len(spikes) == pytest.approx(2000, abs=4 * 2000**0.5)
    assert steps.times.min() >= 10.25
    counts = np.histogram(steps.times, [0.0, 10.25, 400.0, 700.0, 1000.0])[0]
    expected = np.array([0.0, 7795.0, 0.0, 1200.0])
    assert (np.abs(counts - expected) <= 4.0 * expected**0.5).all()


def test_rates_and_files(tmp_path):
    net, exc, _ = network()
    spikes, rate = net.record(exc, "spikes"), net.record(exc, "rate", every=10.0)
    streamed = net.record(exc, "spikes", to=str(tmp_path / "run.h5"))
    net.run(55.0)
    net.close()
    assert len(rate.rates) == 5
    counts = np.histogram(spikes.times, 10.0 * np.arange(6))[0]
    np.testing.assert_allclose(rate.rates, counts / 40 / 0.01)
    found = ss.read_spikes(tmp_path / "run.h5").populations["exc"]
    assert streamed.count == len(spikes)
    np.testing.assert_allclose(found.times, spikes.times, rtol=1e-15)
    np.testing.assert_array_equal(found.ids, spikes.ids)


def test_decimal_times_are_exact():
    assert picoseconds(0.1) + picoseconds(0.2) == picoseconds(0.3) == picoseconds(0.1 + 0.2)
    assert picoseconds(1 / 3) != np.rint(picoseconds(1 / 3))
    whole, rest = moments([100.0 * 3 + 0.1, 2.5e-10])
    assert whole.tolist() == [300100000000, 0]
    assert rest.tolist() == [0.0, 0.25]


def test_what_the_engine_does_not_have_is_told():
    with pytest.raises(ss.SpikesimError, match="engine 'evnt'.*event"):
        ss.Network(engine="evnt", seed=1)
    with pytest.raises(ss.SpikesimError, match="has no step; leave dt out"):
        ss.Network(engine="event", dt=0.1, seed=1)
    with pytest.raises(ss.SpikesimError, match="precision='double' only"):
        ss.Network(engine="event", precision="single", seed=1)
    net = ss.Network(engine="event", seed=1)
    with pytest.raises(ss.SpikesimError, match="LIFCond runs on engine 'clock', not on 'event'.*one of: .*LIFAlpha"):
        net.add(LIFCond(), 1)
    with pytest.raises(ss.SpikesimError, match="PoissonLIF"):  # its equations are not those of LIF
        net.add(PoissonLIF(), 1)
    neurons = net.add(LIF(), 2)
    with pytest.raises(ss.SpikesimError, match="give delay="):
        net.connect(neurons, neurons, ss.AllToAll(), weight=1.0)
    with pytest.raises(ss.SpikesimError, match="delay of 0 ms is too short"):
        net.connect(neurons, neurons, ss.AllToAll(), weight=1.0, delay=0.0)
    with pytest.raises(ss.SpikesimError, match="give every="):
        net.record(neurons, "V_m")
    with pytest.raises(ss.SpikesimError, match="PoissonSource by OneToOne"):
        net.drive(neurons, rate=10.0, weight=1.0)
    assert "event" in LIF.engines()
    assert LIFCond.engines() == ("clock",)


def test_a_model_with_equations_of_its_own_is_not_taken_for_its_parent():
    class Quicker(LIF):
        tau_m: float = 5.0

    class Other(LIF):
        @staticmethod
        def spikes(s, c, u):
            return s.V_m >= c.V_th - 1.0

    assert "event" in Quicker.engines()
    assert Other.engines() == ("clock",)
