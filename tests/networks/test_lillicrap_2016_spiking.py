"""Feedback alignment in spikes: means are those of the rate network, errors come back through B."""

import numpy as np
import pytest

from spikesim import AllToAll, Network, SpikesimError
from spikesim.angles import angle
from spikesim.experiment import RunOptions
from spikesim.models.networks.lillicrap_2016_spiking import Lillicrap2016Spiking, _wrong
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.neurons.poisson_rate import PoissonRate
from spikesim.models.neurons.spike_source import SpikeSource


def test_potential_is_the_low_pass_of_the_spikes():
    net = Network(dt=0.5, seed=1)
    source = net.add(SpikeSource(times=[3.0], ids=[0]), 1)
    cell = net.add(PoissonRate(tau_m=8.0, tau_U=20.0, phi_max=0.0, bias=0.7), 1)
    net.connect(source, cell, AllToAll(), weight=40.0, delay=0.5, receptor="drive")
    net.connect(source, cell, AllToAll(), weight=5.0, delay=0.5, receptor="feedback")
    V_m, U = net.record(cell, "V_m"), net.record(cell, "U")
    net.run(60.0)
    # A spike spread over the 0.5 ms of its step: w/dt (1 - e^(-t/tau)) while it lasts, then decay.
    first = np.flatnonzero(V_m.values[:, 0] > 0.7)[0]
    t = 0.5 * np.arange(len(V_m.values) - first)
    np.testing.assert_allclose(V_m.values[:first, 0], 0.7, rtol=1e-12)
    np.testing.assert_allclose(V_m.values[first:, 0] - 0.7, 80.0 * -np.expm1(-0.5 / 8.0) * np.exp(-t / 8.0), atol=1e-12)
    assert (V_m.values[first:, 0] - 0.7).sum() * 0.5 == pytest.approx(40.0, rel=2e-3)  # the area; the rest is to come
    np.testing.assert_allclose(U.values[first:, 0], 5.0 * np.exp(-t / 20.0), atol=1e-12)


@pytest.mark.parametrize("activation", ["logistic", "rectified"])
def test_rates_are_the_function_of_the_potential(activation):
    bias = np.array([-2.0, -0.3, 0.0, 0.4, 1.0, 2.5])
    net = Network(dt=1.0, seed=1)
    cells = net.add(PoissonRate(bias=np.repeat(bias, 200), activation=activation, phi_max=300.0), 1200)
    spikes = net.record(cells, "spikes")
    net.run(2000.0)
    expected = 300.0 * (1.0 / (1.0 + np.exp(-bias)) if activation == "logistic" else np.maximum(bias, 0.0))
    found = np.bincount(spikes.ids // 200, minlength=6) / (200 * 2.0)
    assert (np.abs(found - expected) <= 4.0 * np.sqrt(expected / 400.0)).all()  # four standard errors
    counts = np.bincount(spikes.ids, minlength=1200).reshape(6, 200)
    for row in counts[counts.mean(axis=1) > 1.0]:  # variance = mean
        assert row.var(ddof=1) / row.mean() == pytest.approx(1.0, abs=4.0 * np.sqrt(2.0 / 200))


def test_inputs_hold_the_mean_potential_at_w_times_their_rate():
    net = Network(dt=1.0, seed=1)
    source = net.add(PoissonSource(rate=[50.0, 120.0, 200.0]), 3)
    cell = net.add(PoissonRate(bias=-1.0, tau_m=5.0), 1)
    weights = np.array([2.0, -1.0, 0.5])
    net.connect(source, cell, AllToAll(), weight=1e3 / 200.0 * weights, delay=1.0, receptor="drive")
    V_m, spikes = net.record(cell, "V_m"), net.record(source, "spikes")
    net.run(5000.0)
    rates = np.bincount(spikes.ids, minlength=3) / (0.2 * 5000.0)
    assert V_m.values.mean() == pytest.approx(-1.0 + weights @ rates, abs=0.02)  # the spikes of the last 10 ms


@pytest.fixture(scope="module")
def shown():
    """A small network, hardly trained, that was shown one digit; and its recorded spikes."""
    model = Lillicrap2016Spiking(hidden=60, examples=300, presentation=3000.0, tau_error=20.0)
    for _ in model.train(seed=4):
        pass
    net = Network(dt=1.0, seed=4)
    model.build(net)
    spikes = {p.name: net.record(p, "spikes") for p in net.populations}
    images, targets = model.images_and_targets
    model.show(net, images[0], targets[0])
    return model, net, spikes, images[0], targets[0]


def test_spiking_units_have_the_rates_of_the_rate_network(shown):
    model, _, spikes, image, _ = shown
    a = model.rates.forward(image[None])
    hidden, output = (
        np.bincount(spikes[n].ids, minlength=m) / (0.2 * 3000.0) for n, m in (("hidden", 60), ("output", 10))
    )
    # Noise of the potential bends the mean a little, the transient lasts 30 of 3000 ms, and counts are Poisson.
    assert np.abs(hidden - a[1][0]).max() < 0.12
    assert np.corrcoef(hidden, a[1][0])[0, 1] > 0.97
    assert np.abs(output - a[2][0]).max() < 0.12


def test_feedback_adds_up_to_B_times_the_error_spikes(shown):
    model, net, spikes, image, target = shown
    plus, minus = (np.bincount(spikes[name].ids[spikes[name].steps < 3000], minlength=10) for name in ("E+", "E-"))
    U = net.populations[1].get("U")  # what was fired in the last step is still under way
    np.testing.assert_allclose(U, model.rates.B[1].astype(float) @ (plus - minus), atol=1e-9)
    assert plus.sum() > 100
    assert minus.sum() > 100
    error = target - model.rates.forward(image[None])[-1][0]
    assert angle(U, model.rates.B[1] @ error) < 20.0  # 300 spikes, and the bent means
    rate = (plus - minus) / (0.2 * 3000.0)
    assert np.abs(rate - error).max() < 0.15


def test_angles_and_errors_are_read_from_the_spikes():
    model = Lillicrap2016Spiking(**{**Lillicrap2016Spiking.small, "images": 3, "presentation": 300.0})
    found = model.simulate(RunOptions(seed=2))
    assert [row[0] for row in found["error_by_time"]] == [t for t in model.TIMES if t <= 300.0]
    assert all(0.0 <= row[1] <= 100.0 for row in found["error_by_time"])
    n, images, to_fa, to_bp = zip(*found["angles"], strict=True)
    assert list(n) == sorted(n)
    assert images[0] == 3
    assert to_fa[0] > to_fa[-1]
    assert 0.0 < found["n0_expected"] < 10.0
    again = Lillicrap2016Spiking(**{**Lillicrap2016Spiking.small, "images": 3, "presentation": 300.0})
    assert again.simulate(RunOptions(seed=2))["angles"] == found["angles"]


def test_sums_are_taken_in_the_order_of_the_spikes():
    model = Lillicrap2016Spiking(**Lillicrap2016Spiking.small)
    for _ in model.train(seed=1):
        pass
    plus = (np.array([10.0, 60.0, 90.0]), np.array([0, 1, 2]))  # the first is before `settle`
    minus = (np.array([70.0]), np.array([5]))
    found = dict(model._sums([plus, minus]))
    B = model.rates.B[1]
    assert sorted(found) == [1, 2, 3]
    np.testing.assert_allclose(found[1], B[:, 1])
    np.testing.assert_allclose(found[2], B[:, 1] - B[:, 5])
    np.testing.assert_allclose(found[3], B[:, 1] - B[:, 5] + B[:, 2], rtol=1e-5)


def test_ties_are_shared_out():
    times, ids = np.array([1.0, 2.0, 3.0, 9.0]), np.array([3, 4, 4, 3])
    assert _wrong(times, ids, 1.0, 3) == 0.0
    assert _wrong(times, ids, 3.0, 3) == 1.0
    assert _wrong(times, ids, 9.0, 3) == 0.5
    assert _wrong(times, ids, 0.5, 3) == 0.9


def test_a_file_is_refused():
    with pytest.raises(SpikesimError, match="writes no file"):
        Lillicrap2016Spiking(**Lillicrap2016Spiking.small).simulate(RunOptions(seed=1, out="x.h5"))
