"""Spike times of the event-driven engine against closed forms, an integrator of high order, and another simulator."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import spikesim as ss
from spikesim.models.neurons import LIF, DCSource, LIFAlpha, LIFDelta, SpikeSource

ORACLE = Path(__file__).parent.parent / "oracle" / "data" / "net_psc_exp_precise.h5"


def test_every_spike_that_nest_has():
    """All 1028 spikes of 200 ms, in the same order. Both simulators round; how far rounding has grown by the end tells
    how soon chaos would take over: 6e-14 ms were seen at 200 ms, and the growth is that of a few digits a second."""
    with h5py.File(ORACLE) as file:
        parameters = {key: float(value) for key, value in file["neuron_params"].attrs.items()}
        table = {f"{group}/{key}": item[:] for group in file for key, item in file[group].items()}
    n_inputs = 1 + max(table["input/ids"].max(), table["synapses/in_src"].max())
    n = 1 + max(table[f"synapses/{end}"].max() for end in ("src", "tgt", "in_tgt"))
    net = ss.Network(engine="event", seed=1)
    source = net.add(SpikeSource(table["input/times"], table["input/ids"]), n_inputs)
    neurons = net.add(LIF(V_m=-70.0, **parameters), n)
    for pre, prefix in ((source, "in_"), (neurons, "")):
        src, tgt, weight, delay = (table[f"synapses/{prefix}{key}"] for key in ("src", "tgt", "weight", "delay"))
        net.connect(pre, neurons, ss.Pairs(src, tgt), weight=weight, delay=delay)
    spikes, potential = net.record(neurons, "spikes"), net.record(neurons[:2], "V_m", every=0.1)
    net.run(200.0)

    order = np.lexsort((table["spikes/ids"], table["spikes/times"]))
    assert len(order) > 1000
    np.testing.assert_array_equal(spikes.ids, table["spikes/ids"][order])
    np.testing.assert_allclose(spikes.times, table["spikes/times"][order], rtol=0.0, atol=1e-6)
    shared = len(table["extra/V_m_times"])
    np.testing.assert_allclose(potential.times[:shared], table["extra/V_m_times"], rtol=1e-12)
    for k in range(2):
        np.testing.assert_allclose(potential.values[:shared, k], table[f"extra/V_m_{k}"], rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("model", [LIF, LIFAlpha, LIFDelta])
def test_intervals_of_a_driven_neuron_for_ten_thousand_spikes(model):
    current, t_ref = 600.0, 2.0
    net = ss.Network(engine="event", seed=1)
    neuron = net.add(model(I_e=current, t_ref=t_ref), 1)
    spikes = net.record(neuron, "spikes")
    drive = current * 10.0 / 250.0  # mV above rest
    expected = t_ref + 10.0 * np.log1p(15.0 / (drive - 15.0))
    net.run(np.ceil(10_001 * expected))
    assert len(spikes) >= 10_000
    first = spikes.steps[0] + spikes.rests[0]
    assert first == pytest.approx((expected - t_ref) * 1e9, rel=1e-14)
    intervals = (np.diff(spikes.steps) + np.diff(spikes.rests)) * 1e-9
    np.testing.assert_allclose(intervals, expected, rtol=1e-13)


def test_a_constant_source_is_a_current():
    net = ss.Network(engine="event", seed=1)
    source, neuron = net.add(DCSource(I=300.0), 1), net.add(LIF(t_ref=0.0), 2)
    net.connect(source, neuron, ss.Pairs([0, 0], [0, 1]), weight=[2.0, 1.0], delay=0.25)
    spikes = net.record(neuron, "spikes")
    net.run(30.0)
    expected = 10.0 * np.log(24.0 / 9.0)
    np.testing.assert_allclose(spikes.times, 0.25 + expected * np.arange(1, 4), rtol=1e-14)
    assert set(spikes.ids) == {0}  # 300 pA are not enough
    source.set(I=0.0)
    net.run(100.0)
    assert spikes.times.max() < 30.25 + 1e-9


def integrated(parameters, inputs, weights, delays, until, n, alpha=False):
    """Spikes (time, neuron) of `n` neurons by an explicit integrator of order 8 and Brent's method: `inputs` are
    (time, neuron, weight), weights[i, j] and delays[i, j] lead from neuron i to j."""
    p = parameters
    tau_m, C, tau, V_th, V_reset, t_ref = (p[k] for k in ("tau_m", "C_m", "tau_syn_ex", "V_th", "V_reset", "t_ref"))
    drive = p["E_L"] + tau_m / C * p["I_e"]
    jump = np.e / tau if alpha else 1.0

    def flow(held):
        def f(t, y):
            V, dI, I = y.reshape(3, n)  # noqa: E741
            dV = np.where(held, 0.0, (drive - V) / tau_m + (I if alpha else dI) / C)
            return np.concatenate([dV, -dI / tau, dI - I / tau])

        return f

    y, t, spikes = np.concatenate([np.full(n, p["E_L"]), np.zeros(2 * n)]), 0.0, []
    pending, free = sorted(inputs), np.zeros(n)
    while t < until:
        held = free > t + 1e-12
        stop = min([until, *(e[0] for e in pending[:1]), *free[held]])
        solution = solve_ivp(flow(held), (t, stop), y, method="DOP853", rtol=1e-13, atol=1e-13, dense_output=True,
                             max_step=0.25)  # fmt: skip
        grid = np.linspace(t, stop, 400)
        above = solution.sol(grid)[:n] >= V_th
        above[held] = False
        if above.any():
            k = int(np.argmax(above.any(axis=0)))
            crossed = [(brentq(lambda s, i=i, at=solution.sol: at(s)[i] - V_th, grid[k - 1], grid[k], xtol=1e-14), i)
                       for i in np.flatnonzero(above[:, k])]  # fmt: skip
            t, i = min(crossed)
            y = solve_ivp(flow(held), (grid[0], t), y, method="DOP853", rtol=1e-13, atol=1e-13).y[:, -1]
            spikes.append((t, i))
            y[i], free[i] = V_reset, t + t_ref
            pending = sorted([*pending, *((t + delays[i, j], j, weights[i, j]) for j in range(n) if weights[i, j])])
            continue
        y, t = solution.y[:, -1], stop
        while pending and pending[0][0] <= t:
            _, j, weight = pending.pop(0)
            y[n + j] += weight * jump
    return np.array([s[0] for s in spikes]), np.array([s[1] for s in spikes])


@pytest.mark.parametrize("model", [LIF, LIFAlpha])
@pytest.mark.parametrize("case", ["two", "chain"])
def test_against_an_integrator_of_high_order(model, case):
    rng = np.random.default_rng(5)
    parameters = dict(E_L=-70.0, C_m=250.0, tau_m=10.0, tau_syn_ex=2.0, tau_syn_in=2.0, V_th=-55.0, V_reset=-68.0,
                      t_ref=1.7, I_e=0.0)  # fmt: skip
    n = 2 if case == "two" else 4
    weights, delays = np.zeros((n, n)), rng.uniform(0.3, 2.0, (n, n))
    if case == "two":
        parameters["I_e"] = 390.0
        weights[0, 1], weights[1, 0] = 700.0, -500.0
    else:
        weights[np.arange(n - 1), np.arange(1, n)] = 1800.0
    times = np.sort(rng.uniform(0.5, 60.0, 60))
    sizes = rng.uniform(200.0, 900.0, 60)
    until = 70.0
    expected, who = integrated(parameters, [(t, 0, w) for t, w in zip(times, sizes, strict=True)], weights, delays,
                               until, n, alpha=model is LIFAlpha)  # fmt: skip

    net = ss.Network(engine="event", seed=1)
    source = net.add(SpikeSource(times - 0.25, np.arange(60)), 60)
    neurons = net.add(model(**parameters), n)
    net.connect(source, neurons, ss.Pairs(np.arange(60), np.zeros(60, int)), weight=sizes, delay=0.25)
    i, j = np.nonzero(weights)
    net.connect(neurons, neurons, ss.Pairs(i, j), weight=weights[i, j], delay=delays[i, j])
    spikes = net.record(neurons, "spikes")
    net.run(until)
    assert len(expected) > 8
    np.testing.assert_array_equal(spikes.ids, who)
    np.testing.assert_allclose(spikes.times, expected, rtol=0.0, atol=1e-9)
