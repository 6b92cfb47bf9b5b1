"""Neurons and sources against closed forms, accurate integration and exact distributions."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

import spikesim as ss
from spikesim.models.neurons.current_sources import DCSource, NoiseSource
from spikesim.models.neurons.lif import LIF
from spikesim.models.neurons.lif_alpha import LIFAlpha
from spikesim.models.neurons.lif_cond import LIFCond
from spikesim.models.neurons.lif_delta import LIFDelta
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.neurons.poisson_lif import PoissonLIF
from spikesim.models.neurons.spike_source import SpikeSource

DT = 0.1
FAR = 1e9  # mV: a threshold that is never met


def one_spike(model, weight, dt=DT, delay=1.0, duration=40.0, **connect):
    """(times, V_m) of one neuron that a spike fired at 1 ms reaches after `delay`."""
    net = ss.Network(dt=dt, seed=1)
    source, cell = net.add(SpikeSource([1.0], [0]), 1), net.add(model, 1)
    net.connect(source, cell, ss.OneToOne(), weight=weight, delay=delay, **connect)
    potential = net.record(cell, "V_m")
    net.run(duration)
    return potential.times, potential.values[:, 0]


def psp(t, kernel, tau_m, C_m):
    """The potential at t (ms) after a current `kernel(s)` began, integrated to 1e-13."""
    value, _ = integrate.quad(lambda s: kernel(s) * math.exp(-(t - s) / tau_m) / C_m, 0.0, t, epsabs=0.0, epsrel=1e-13)
    return value


# Membrane ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [LIF, LIFAlpha, LIFDelta])
def test_response_to_a_constant_current(model):
    net = ss.Network(dt=DT, seed=1)
    cell = net.add(model(I_e=[100.0, -50.0, 300.0], tau_m=[10.0, 20.0, 7.0], C_m=[250.0, 100.0, 200.0]), 3)
    potential = net.record(cell, "V_m")
    net.run(50.0)
    tau_m, R_I = cell.get("tau_m"), cell.get("I_e") * cell.get("tau_m") / cell.get("C_m")
    exact = cell.get("E_L") - R_I * np.expm1(-potential.times[:, None] / tau_m)
    np.testing.assert_allclose(potential.values, exact, rtol=1e-12)  # the propagator is exact but for rounding


@pytest.mark.parametrize("t_ref", [0.0, 2.0])
@pytest.mark.parametrize("model", [LIF, LIFAlpha, LIFDelta, LIFCond])
def test_interspike_interval(model, t_ref):
    """The time to threshold from the closed form, up to the next step, and the refractory steps."""
    net = ss.Network(dt=DT, seed=1)
    cell = net.add(model(I_e=500.0, t_ref=t_ref, V_reset=-70.0), 1)
    spikes = net.record(cell, "spikes")
    net.run(200.0)
    tau_m = 250.0 / cell.get("g_L")[0] if model is LIFCond else 10.0
    rise = -tau_m * math.log1p(-15.0 / (500.0 * tau_m / 250.0))
    steps = math.ceil(rise / DT)
    assert spikes.steps[0] == steps
    assert set(np.diff(spikes.steps)) == {steps + round(t_ref / DT)}


def test_a_spike_is_timed_by_the_end_of_its_step_and_felt_after_its_delay():
    """Stamped (k + 1) dt over d steps it is added in step k + d, and V_m moves in the step after that."""
    net = ss.Network(dt=0.5, seed=1)
    source, exp, delta = net.add(SpikeSource([3.0], [0]), 1), net.add(LIF(), 1), net.add(LIFDelta(), 1)
    for cell in (exp, delta):
        net.connect(source, cell, ss.OneToOne(), weight=10.0, delay=2.0)
    spikes, current = net.record(source, "spikes"), net.record(exp, "I_syn_ex")
    V_exp, V_delta = net.record(exp, "V_m"), net.record(delta, "V_m")
    net.run(10.0)
    assert spikes.times.tolist() == [3.0]
    assert current.times[np.flatnonzero(current.values)[0]] == 5.0
    assert current.values.max() == 10.0
    assert V_delta.times[np.argmax(V_delta.values[:, 0])] == 5.0
    assert V_exp.times[np.flatnonzero(V_exp.values[:, 0] > -70.0)[0]] == 5.5


# Synapses ---------------------------------------------------------------------------------------------------

TAUS = [(10.0, 2.0), (2.0, 10.0), (5.0, 5.0), (5.0, 5.0 * (1.0 + 1e-7)), (5.0, 5.0 * (1.0 - 1e-4)), (20.0, 0.1)]


@pytest.mark.parametrize(("tau_m", "tau_syn"), TAUS)
@pytest.mark.parametrize("weight", [3.0, -3.0])
@pytest.mark.parametrize("model", [LIF, LIFAlpha])
def test_postsynaptic_potential(model, weight, tau_m, tau_syn):
    """Also where the two time constants are equal or nearly so."""
    other = "tau_syn_in" if weight > 0 else "tau_syn_ex"
    mine = "tau_syn_ex" if weight > 0 else "tau_syn_in"
    cell = model(tau_m=tau_m, C_m=100.0, E_L=0.0, V_reset=-1.0, V_th=FAR, **{mine: tau_syn, other: 1.0})
    times, V_m = one_spike(cell, weight)
    if model is LIF:
        kernel = lambda s: weight * math.exp(-s / tau_syn)  # noqa: E731
    else:
        kernel = lambda s: weight * s / tau_syn * math.exp(1.0 - s / tau_syn)  # noqa: E731
    exact = [psp(t, kernel, tau_m, 100.0) for t in np.arange(1, 381, 19) * DT]
    np.testing.assert_array_equal(V_m[: round(2.0 / DT)], 0.0)
    np.testing.assert_allclose(V_m[round(2.0 / DT) :: 19], exact, rtol=1e-11)  # 380 rounded steps


def test_delta_synapse():
    times, V_m = one_spike(LIFDelta(E_L=0.0, V_reset=-1.0, V_th=FAR, tau_m=5.0), 4.0)
    exact = np.where(times < 1.95, 0.0, 4.0 * np.exp(-(times - 2.0) / 5.0))
    np.testing.assert_allclose(V_m, exact, rtol=1e-12)


def test_delta_synapse_loses_what_comes_while_refractory():
    net = ss.Network(dt=DT, seed=1)
    kicks = net.add(SpikeSource([1.0, 2.0, 3.0, 3.1], [0, 1, 1, 1]), 2)
    cell = net.add(LIFDelta(t_ref=2.0), 1)
    net.connect(kicks, cell, ss.AllToAll(), weight=[20.0, 1.0], delay=DT)
    spikes, potential = net.record(cell, "spikes"), net.record(cell, "V_m")
    net.run(5.0)
    assert spikes.times.tolist() == [1.1]
    # Held from 1.1 to 3.1 ms: the kicks that arrive at 2.1 and 3.1 ms are lost, that of 3.2 ms is not.
    np.testing.assert_array_equal(potential.values[: round(3.1 / DT)], -70.0)
    np.testing.assert_allclose(potential.values[round(3.2 / DT) - 1], -69.0, rtol=1e-14)


@pytest.mark.parametrize("weight", [6.0, -6.0])
def test_conductances_converge_with_order_one(weight):
    p = dict(E_L=-70.0, C_m=250.0, g_L=16.0, E_ex=0.0, E_in=-85.0, I_e=200.0)
    tau = 2.0

    def slope(t, V):
        g = abs(weight) * math.exp(-(t - 2.0) / tau) if t >= 2.0 else 0.0
        E = p["E_ex"] if weight > 0 else p["E_in"]
        return (p["g_L"] * (p["E_L"] - V) + g * (E - V) + p["I_e"]) / p["C_m"]

    options = dict(rtol=1e-11, atol=1e-11, method="DOP853")
    first = integrate.solve_ivp(slope, (0.0, 2.0 - 1e-12), [-70.0], **options)
    exact = integrate.solve_ivp(slope, (2.0, 6.0), first.y[:, -1], **options).y[0, -1]
    errors = []
    for dt in (0.1, 0.05, 0.025, 0.0125):
        model = LIFCond(V_th=FAR, tau_syn_ex=tau, tau_syn_in=tau, **p)
        errors.append(one_spike(model, weight, dt=dt, duration=6.0)[1][-1] - exact)
    ratios = np.array(errors[:-1]) / errors[1:]
    np.testing.assert_allclose(ratios, 2.0, atol=0.1)
    assert abs(errors[-1]) < 0.01


def test_receptor_by_sign_and_by_name():
    net = ss.Network(dt=DT, seed=1)
    source = net.add(SpikeSource([0.1], [0]), 1)
    cells = {model: net.add(model(), 2) for model in (LIF, LIFCond)}
    for cell in cells.values():
        net.connect(source, cell, ss.Pairs([0, 0], [0, 1]), weight=[3.0, -5.0], delay=DT)
        net.connect(source, cell, ss.Pairs([0], [0]), weight=7.0, delay=DT, receptor="inhibitory")
    net.run(0.2)
    np.testing.assert_array_equal(cells[LIF].get("I_syn_ex"), [3.0, 0.0])
    np.testing.assert_array_equal(cells[LIF].get("I_syn_in"), [7.0, -5.0])
    np.testing.assert_array_equal(cells[LIFCond].get("g_ex"), [3.0, 0.0])
    np.testing.assert_array_equal(cells[LIFCond].get("g_in"), [7.0, 5.0])


@pytest.mark.parametrize("rule", [ss.AllToAll(), ss.Pairs([0], [0])], ids=["dense", "sparse"])
def test_conductance_has_no_sign_however_it_was_set(rule):
    net = ss.Network(dt=DT, seed=1)
    source, cell = net.add(SpikeSource([0.1], [0]), 1), net.add(LIFCond(), 1)
    synapses = net.connect(source, cell, rule, weight=-5.0, delay=DT)
    synapses.weights = -3.0
    net.run(0.2)
    assert cell.get("g_in").tolist() == [3.0]


# Stochastic neurons -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("escape", ["exponential", "sigmoid"])
def test_escape_rate(escape):
    """Neurons held at ten potentials spike with the stated probabilities: chi-squared on the counts."""
    V_m = np.repeat(np.linspace(-58.0, -50.0, 10), 100)
    net = ss.Network(dt=DT, seed=12)
    cell = net.add(PoissonLIF(E_L=V_m, V_m=V_m, rate=400.0, with_reset=False, t_ref=0.0, escape=escape), 1000)
    spikes = net.record(cell, "spikes")
    net.run(100.0)
    away = (V_m[::100] + 55.0) / 2.0
    rho = 400.0 * (np.exp(away) if escape == "exponential" else 1.0 / (1.0 + np.exp(-away)))
    p, draws = -np.expm1(-rho * 1e-3 * DT), 1000 * 100
    counts = np.bincount(spikes.ids // 100, minlength=10)
    z = (counts - p * draws) / np.sqrt(p * (1.0 - p) * draws)
    assert stats.chi2.sf((z**2).sum(), 10) > 0.01  # one seed in a hundred would fail; this one does not
    np.testing.assert_array_equal(cell.get("V_m"), V_m)


def test_escape_neuron_is_reset_and_refractory():
    net = ss.Network(dt=DT, seed=3)
    cell = net.add(PoissonLIF(E_L=-50.0, V_reset=-56.0, rate=2000.0, t_ref=2.0), 20)
    spikes, potential = net.record(cell, "spikes"), net.record(cell, "V_m")
    net.run(100.0)
    assert (potential.values[spikes.steps - 1, spikes.ids] == -56.0).all()
    for i in range(20):
        steps = spikes.steps[spikes.ids == i]
        assert len(steps) > 10
        assert np.diff(steps).min() > 2.0 / DT


@pytest.mark.parametrize(("rate", "dt"), [(50.0, 0.1), (5000.0, 0.1), (3000.0, 1.0)])
def test_poisson_counts(rate, dt):
    """Spikes per step follow the Poisson distribution, also with several in a step."""
    net = ss.Network(dt=dt, seed=6)
    source = net.add(PoissonSource(rate=rate), 200)
    spikes = net.record(source, "spikes")
    net.run(1000 * dt)
    counts = np.bincount((spikes.steps - 1) * 200 + spikes.ids, minlength=200_000)
    mean = rate * 1e-3 * dt
    top = int(stats.poisson.isf(1e-4, mean))
    seen = np.bincount(np.minimum(counts, top), minlength=top + 1)
    wanted = np.append(stats.poisson.pmf(np.arange(top), mean), stats.poisson.sf(top - 1, mean)) * counts.size
    assert stats.chisquare(seen, wanted).pvalue > 0.01
    # Five standard errors; the variance of the variance of a Poisson number is (2 mean**2 + mean) / n.
    assert abs(counts.mean() - mean) < 5.0 * math.sqrt(mean / counts.size)
    assert abs(counts.var() - mean) < 5.0 * math.sqrt((2.0 * mean**2 + mean) / counts.size)


def test_poisson_intervals_are_exponential():
    net = ss.Network(dt=DT, seed=6)
    source = net.add(PoissonSource(rate=50.0), 40)
    spikes = net.record(source, "spikes")
    net.run(4000.0)
    draws = np.random.default_rng(1)
    gaps = np.concatenate([np.diff(spikes.times[spikes.ids == i]) for i in range(40)])
    gaps = gaps + draws.uniform(-DT, 0.0, gaps.size) + DT / 2  # where in their steps the spikes lie is not known
    assert gaps.size > 7000
    assert stats.kstest(gaps, stats.expon(scale=20.0).cdf).pvalue > 0.01
    trains = [np.histogram(spikes.times[spikes.ids == i], 400, (0.0, 4000.0))[0] for i in range(40)]
    matrix = np.corrcoef(trains)[np.triu_indices(40, 1)]
    assert abs(matrix.mean()) < 5.0 / math.sqrt(matrix.size * 400)


def test_poisson_rate_per_neuron_and_over_time():
    net = ss.Network(dt=DT, seed=6)
    each = net.add(PoissonSource(rate=np.array([0.0, 100.0, 400.0])), 3)
    table = net.add(PoissonSource(rate=[800.0, 0.0, 200.0], times=[100.0, 300.0, 400.0]), 50)
    both = net.add(PoissonSource(rate=[[500.0, 0.0], [0.0, 500.0]], times=[0.0, 500.0]), 2)
    spikes = {p: net.record(p, "spikes") for p in (each, table, both)}
    for _ in range(4):  # the table must not depend on how run is split
        net.run(250.0)
    n = np.bincount(spikes[each].ids, minlength=3)
    assert n[0] == 0
    assert abs(n[1] - 100) < 5 * 10
    assert abs(n[2] - 400) < 5 * 20
    held = np.histogram(spikes[table].times - DT / 2, [0.0, 100.0, 300.0, 400.0, 1000.0])[0]
    assert held[0] == held[2] == 0
    assert abs(held[1] - 8000) < 5 * math.sqrt(8000)
    assert abs(held[3] - 6000) < 5 * math.sqrt(6000)
    assert (spikes[both].times[spikes[both].ids == 0] <= 500.0).all()
    assert (spikes[both].times[spikes[both].ids == 1] > 500.0).all()
    assert (np.bincount(spikes[both].ids) > 150).all()


# Sources of current and recorded spikes ----------------------------------------------------------------------


def test_steady_current_is_I_e_one_delay_and_one_step_later():
    net = ss.Network(dt=DT, seed=1)
    source, driven, told = net.add(DCSource(I=100.0), 1), net.add(LIF(), 1), net.add(LIF(I_e=250.0), 1)
    net.connect(source, driven, ss.OneToOne(), weight=2.5, delay=0.3, receptor="current")
    V_driven, V_told = net.record(driven, "V_m"), net.record(told, "V_m")
    net.run(30.0)
    np.testing.assert_array_equal(V_driven.values[:4], -70.0)
    np.testing.assert_array_equal(V_driven.values[4:], V_told.values[:-4])


def test_noise_current():
    net = ss.Network(dt=DT, seed=5)
    source = net.add(NoiseSource(mean=50.0, std=20.0, interval=0.5), 100)
    current = net.record(source, "I_out")
    net.run(100.0)
    blocks = current.values.reshape(200, 5, 100)
    np.testing.assert_array_equal(blocks, np.repeat(blocks[:, :1], 5, axis=1))
    drawn = blocks[:, 0]
    assert stats.kstest(drawn.ravel(), stats.norm(50.0, 20.0).cdf).pvalue > 0.01
    # Neither in time nor between neurons: five standard errors of a correlation of 19,900 pairs.
    centred = (drawn - 50.0) / 20.0
    assert abs((centred[1:] * centred[:-1]).mean()) < 5.0 / math.sqrt(19_900)
    assert abs((centred[:, 1:] * centred[:, :-1]).mean()) < 5.0 / math.sqrt(19_800)


def test_recorded_trains_may_come_in_any_order():
    times, ids = [5.0, 0.1, 3.04, 5.0, 9.9, 5.0], [2, 0, 1, 0, 1, 2]
    net = ss.Network(dt=DT, seed=1, threads=2)
    source = net.add(SpikeSource(times, ids), 3)
    spikes = net.record(source, "spikes")
    net.run(10.0)
    assert spikes.steps.tolist() == [1, 30, 50, 50, 50, 99]
    assert spikes.ids.tolist() == [0, 1, 0, 2, 2, 1]


def test_recorded_trains_may_be_replaced_between_runs():
    net = ss.Network(dt=DT, seed=1)
    source, cell = net.add(SpikeSource([1.0], [0]), 2), net.add(LIFDelta(), 1)
    net.connect(source, cell, ss.AllToAll(), weight=1.0, delay=2.0)
    spikes, potential = net.record(source, "spikes"), net.record(cell, "V_m")
    net.run(2.0)
    source.set(times=[4.0, 1.5], ids=[1, 1])
    net.run(8.0)
    assert spikes.times.tolist() == [1.0, 4.0]
    jumps = potential.times[np.flatnonzero(np.diff(potential.values[:, 0]) > 0.5) + 1]
    np.testing.assert_allclose(jumps, [3.0, 6.0], rtol=1e-14)


def test_a_replaced_train_with_more_spikes_in_a_step_gets_the_room():
    net = ss.Network(dt=DT, seed=1)
    source = net.add(SpikeSource([1.0], [0]), 2)
    net.run(2.0)
    source.set(times=[4.0] * 5, ids=[1] * 5)
    net.prepare()
    assert source.arrays["spike_ids"].shape[1] >= 5 * source.n_padded


# Names ------------------------------------------------------------------------------------------------------


def test_pynn_names():
    ours = LIF(E_L=-65.0, V_th=-50.0, V_reset=-66.0, t_ref=3.0, C_m=500.0, tau_syn_ex=1.0, tau_syn_in=3.0, I_e=90.0)
    theirs = LIF(v_rest=-65.0, v_thresh=-50.0, v_reset=-66.0, tau_refrac=3.0, cm=0.5, tau_syn_E=1.0, tau_syn_I=3.0,
                 i_offset=0.09)  # fmt: skip
    assert theirs.values() == pytest.approx(ours.values(), rel=1e-15)
    assert DCSource(amplitude=0.2).I == 200.0
    net = ss.Network(dt=DT, seed=1)
    cell = net.add(LIF(v=-60.0), 2)
    assert cell.get("V_m").tolist() == [-60.0, -60.0]
    cell.set(v=[-61.0, -62.0], v_thresh=-40.0)
    assert cell.get("V_m").tolist() == [-61.0, -62.0]
    assert cell.get("V_th").tolist() == [-40.0, -40.0]
