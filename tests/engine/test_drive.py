"""Poisson input summed per neuron: its distribution, its arguments, and that it is the reference's to the bit."""

import numpy as np
import pytest
from scipy import stats

import spikesim as ss
from spikesim.models.neurons import LIF, LIFCond, LIFDelta, PoissonSource
from spikesim.reference import simulate


def counts(rate, n=200, duration=500.0, dt=0.5, seed=3, **given):
    """(steps, n) how many spikes each neuron got in each step, read off a leak-free integrator's potential."""
    net = ss.Network(dt=dt, seed=seed)
    cell = net.add(LIFDelta(tau_m=1e15, E_L=0.0, V_th=1e15, V_reset=-1.0), n)
    net.drive(cell, rate=rate, weight=1.0, **given)
    potential = net.record(cell, "V_m")
    net.run(duration)
    return np.rint(np.diff(potential.values, axis=0, prepend=0.0)).astype(int)


@pytest.mark.parametrize("rate", [3.0, 400.0, 9000.0, 250_000.0])
def test_counts_have_the_poisson_distribution(rate):
    found, mean = counts(rate)[1:].ravel(), rate * 0.5e-3
    # Chi-squared over the counts expected at least five times; one fixed seed, so p below 1e-3 is a defect.
    values = np.arange(found.max() + 2)
    expected = stats.poisson.pmf(values, mean) * len(found)
    likely = expected >= 5
    observed = np.bincount(found, minlength=len(values))
    pooled = [*observed[likely], observed[~likely].sum()], [*expected[likely], len(found) - expected[likely].sum()]
    kept = np.array(pooled[1]) > 1
    statistic = ((np.array(pooled[0])[kept] - np.array(pooled[1])[kept]) ** 2 / np.array(pooled[1])[kept]).sum()
    assert stats.chi2.sf(statistic, kept.sum() - 1) > 1e-3


def test_neurons_and_steps_are_independent():
    found = counts(2000.0)[1:].astype(float)
    n = found.size
    for lag in (found[1:].ravel() @ (found[:-1] - 1.0).ravel(), found[:, 1:].ravel() @ (found[:, :-1] - 1.0).ravel()):
        assert abs(lag / n) < 5 / np.sqrt(n)  # mean 1, variance 1: five standard errors of the covariance


def test_every_neuron_has_its_own_rate():
    rates = np.linspace(0.0, 4000.0, 200)
    found = counts(rates, duration=2000.0)
    error = np.abs(found.mean(axis=0) - rates * 0.5e-3)
    assert (error <= 5 * np.sqrt(rates * 0.5e-3 / len(found)) + 1e-12).all()
    assert (found[:, 0] == 0).all()


def test_input_begins_after_the_delay():
    found = counts(250_000.0, n=5, duration=20.0, delay=3.0)
    assert (found[:6] == 0).all()
    assert (found[6:] > 0).all()


def network(threads=1, precision="double"):
    net = ss.Network(dt=0.1, seed=9, threads=threads, precision=precision)
    cells = net.add(LIF(), 37, name="cells")
    gated = net.add(LIFCond(), 21, name="gated")
    net.drive(cells, rate=8000.0, weight=60.0)
    net.drive(cells, rate=ss.Uniform(100.0, 900.0), weight=-30.0, delay=1.5)
    net.drive(gated, rate=3000.0, weight=ss.Uniform(1.0, 9.0), receptor="excitatory")
    net.connect(cells, gated, ss.FixedIndegree(5), weight=3.0, delay=0.7)
    return net


def test_as_in_the_reference():
    expected = simulate(network(), 60.0)
    for threads in (1, 2, 3):
        net = network(threads)
        spikes = {p.name: net.record(p, "spikes") for p in net.populations}
        net.run(25.0)
        net.run(35.0)
        for name, recorder in spikes.items():
            np.testing.assert_array_equal(recorder.steps, expected.spikes[name][0])
            np.testing.assert_array_equal(recorder.ids, expected.spikes[name][1])
        assert len(spikes["cells"]) > 20


def test_it_is_the_same_as_sources_one_to_one():
    """In distribution: rates agree within the spread between seeds."""
    rates = []
    for driven in (True, False):
        net = ss.Network(dt=0.1, seed=2)
        cells = net.add(LIF(), 400)
        if driven:
            net.drive(cells, rate=9000.0, weight=50.0)
        else:
            source = net.add(PoissonSource(rate=9000.0), 400)
            net.connect(source, cells, ss.OneToOne(), weight=50.0)
        spikes = net.record(cells, "spikes")
        net.run(500.0)
        rates.append(len(spikes) / 400 / 0.5)
    assert rates[0] == pytest.approx(rates[1], rel=0.05)
    assert rates[0] > 5.0


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (dict(rate=-1.0, weight=1.0), "rate"),
        (dict(rate=float("nan"), weight=1.0), "rate"),
        (dict(rate=[1.0, 2.0], weight=1.0), "rate"),
        (dict(rate=1e9, weight=1.0), "spikes in one step"),
        (dict(rate=1.0, weight=1.0, receptor="excitatry"), "excitatory"),
        (dict(rate=1.0, weight=1.0, receptor="current"), "current"),
        (dict(rate=1.0, weight=np.tile([1.0, -1.0], 5)), "both signs"),
        (dict(rate=1.0, weight=1.0, delay=0.01), "delay"),
    ],
)
def test_bad_input_is_refused(given, named):
    net = ss.Network(dt=0.1, seed=1)
    cells = net.add(LIF(), 10, name="cells")
    with pytest.raises(ss.SpikesimError, match=named):
        net.drive(cells, **given)
    assert net.drives == []
