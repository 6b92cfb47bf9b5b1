"""Neurons with a nonlinear membrane against accurate integration, recordings of NEST and published firing patterns."""

import math
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import spikesim as ss
from spikesim.errors import SpikesimError
from spikesim.models.neurons.adex import AdEx
from spikesim.models.neurons.hodgkin_huxley import HodgkinHuxley, linoid
from spikesim.models.neurons.izhikevich import Izhikevich
from spikesim.models.neurons.spike_source import SpikeSource

NEST = Path(__file__).parents[1] / "oracle" / "data" / "nonlinear_neurons.h5"
MODELS = {"aeif_cond_exp": AdEx, "izhikevich": Izhikevich, "hh_cond_exp_traub": HodgkinHuxley}
PULSES = (5.0, 20.0, 21.0, 22.0, 23.0, 24.0)  # ms, at which input arrives
ACCURATE = {"rtol": 1e-10, "atol": 1e-12, "method": "DOP853", "dense_output": True}


def simulated(model, duration, dt=0.1, arrivals=(), weight=0.0):
    """(times, V_m, spike times) of one neuron; input arrives at the end of the step that ends at `arrivals`."""
    with ss.Network(dt=dt, seed=1) as net:
        source = net.add(SpikeSource([t - dt for t in arrivals], [0] * len(arrivals)), 1)
        cell = net.add(model, 1)
        net.connect(source, cell, ss.OneToOne(), weight=weight, delay=dt)
        spikes, potential = net.record(cell, "spikes"), net.record(cell, "V_m")
        net.run(duration)
        return potential.times, potential.values[:, 0], spikes.times


def conductance(t, weight, tau, arrivals):
    return sum(weight * math.exp(-(t - arrival) / tau) for arrival in arrivals)


def exact_adex(model, times, arrivals=(), weight=0.0):
    """(V_m at `times`, spike times). In u = e^(-(V_m - V_th)/Delta_T) the upstroke ends as a straight line near 0."""
    p, dt = SimpleNamespace(**model.values()), times[0]
    u_at = lambda V: math.exp((p.V_th - V) / p.Delta_T)  # noqa: E731

    def slope(t, y, arrived):
        u, w = max(y[0], u_at(p.V_peak)), y[1]
        V = p.V_th - p.Delta_T * math.log(u)
        g_ex = conductance(t, weight, p.tau_syn_ex, arrived)
        linear = -p.g_L * (V - p.E_L) - g_ex * (V - p.E_ex) - w + p.I_e
        return -(u / p.Delta_T * linear + p.g_L) / p.C_m, (p.a * (V - p.E_L) - w) / p.tau_w

    def peak(t, y, arrived):
        return y[0] - u_at(p.V_peak)

    peak.terminal = True
    V_m, spikes, t, y, ends = np.full(len(times), p.V_reset), [], 0.0, [u_at(p.E_L), 0.0], [*arrivals, times[-1]]
    while t < times[-1]:
        arrived = [arrival for arrival in arrivals if arrival <= t]
        part = solve_ivp(slope, (t, ends[len(arrived)]), y, args=(arrived,), events=peak, **ACCURATE)
        here = (times > t) & (times <= part.t[-1] + 1e-9)
        if here.any():
            V_m[here] = p.V_th - p.Delta_T * np.log(part.sol(np.minimum(times[here], part.t[-1]))[0])
        t, y = part.t[-1], part.y[:, -1]
        if part.status == 1:  # held to the end of the step and for t_ref, while w goes on
            spikes.append(t)
            until = math.ceil(t / dt) * dt + p.t_ref if p.t_ref else t
            w_inf = p.a * (p.V_reset - p.E_L)
            y = [u_at(p.V_reset), w_inf + (y[1] + p.b - w_inf) * math.exp(-(until - t) / p.tau_w)]
            t = until
    return V_m, np.array(spikes)


def exact_hodgkin_huxley(model, times, arrivals=(), weight=0.0):
    """V_m at `times`."""
    p = SimpleNamespace(**model.values())

    def slope(t, y, arrived):
        V, m, h, n = y
        v = V - p.V_T
        a_m, b_m = 0.32 * (13.0 - v) / math.expm1((13.0 - v) / 4.0), 0.28 * (v - 40.0) / math.expm1((v - 40.0) / 5.0)
        a_h, b_h = 0.128 * math.exp((17.0 - v) / 18.0), 4.0 / (1.0 + math.exp((40.0 - v) / 5.0))
        a_n, b_n = 0.032 * (15.0 - v) / math.expm1((15.0 - v) / 5.0), 0.5 * math.exp((10.0 - v) / 40.0)
        I_ion = p.g_Na * m**3 * h * (V - p.E_Na) + p.g_K * n**4 * (V - p.E_K) + p.g_L * (V - p.E_L)
        I_syn = conductance(t, weight, p.tau_syn_ex, arrived) * (V - p.E_ex)
        gates = a_m * (1.0 - m) - b_m * m, a_h * (1.0 - h) - b_h * h, a_n * (1.0 - n) - b_n * n
        return (p.I_e - I_ion - I_syn) / p.C_m, *gates

    V_m, t, y = np.empty(len(times)), 0.0, [p.E_L, *(model.state[z] for z in ("Act_m", "Inact_h", "Act_n"))]
    for k, end in enumerate([*arrivals, times[-1]]):
        part = solve_ivp(slope, (t, end), y, args=(arrivals[:k],), **ACCURATE)
        here = (times > t) & (times <= end + 1e-9)
        V_m[here] = part.sol(np.minimum(times[here], end))[0]
        t, y = end, part.y[:, -1]
    return V_m


# Accurate integration ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dt", [0.025, 0.1, 0.5])
@pytest.mark.parametrize(
    ("given", "weight"),
    [({"I_e": 800.0}, 0.0), ({"I_e": 800.0, "t_ref": 2.0}, 0.0), ({"tau_syn_ex": 2.0}, 30.0), ({}, 60.0)],
    ids=["dc", "refractory", "psp", "fast psp"],
)
def test_adex(given, weight, dt):
    model, arrivals = AdEx(**given), PULSES if weight else ()
    times, V_m, spikes = simulated(model, 60.0 if weight else 300.0, dt, arrivals, weight)
    exact, instants = exact_adex(model, times, arrivals, weight)
    np.testing.assert_array_equal(np.rint(spikes / dt), np.ceil(instants / dt))
    assert len(spikes) >= 2 or weight == 60.0
    error = np.abs(V_m - exact)
    # Measured: median 8e-6 mV (fast psp) and less, at most 4e-3 mV, and that on the upstroke.
    assert np.median(error) < 2e-5
    assert error.max() < 1e-2


def test_adex_converges_with_order_four():
    """The potential 5 ms after an input that does not fire it."""
    errors = []
    for dt in (0.2, 0.1, 0.05):
        model = AdEx(tau_syn_ex=0.4)
        times, V_m, _ = simulated(model, 10.0, dt, (5.0,), 3.0)
        errors.append(abs(V_m[-1] - exact_adex(model, times, (5.0,), 3.0)[0][-1]))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 4.0, atol=0.5)


@pytest.mark.parametrize(("given", "weight"), [({"I_e": 500.0}, 0.0), ({}, 20.0)], ids=["dc", "psp"])
def test_hodgkin_huxley(given, weight):
    model, arrivals = HodgkinHuxley(**given), PULSES if weight else ()
    times, V_m, spikes = simulated(model, 100.0, 0.1, arrivals, weight)
    exact = exact_hodgkin_huxley(model, times, arrivals, weight)
    high = (exact[1:-1] > model.V_T + 30.0) & (exact[1:-1] >= exact[:-2]) & (exact[1:-1] > exact[2:])
    np.testing.assert_array_equal(np.rint(spikes / 0.1), np.flatnonzero(high) + 3)  # falling, a step after the top
    error = np.abs(V_m - exact)
    # Measured: median 4e-4 mV, at most 0.27 mV, and that where V_m climbs by 400 mV/ms.
    assert np.median(error) < 1e-3
    assert error.max() < 0.6


def test_hodgkin_huxley_converges_with_order_four():
    errors = []
    for dt in (0.01, 0.005, 0.0025):
        model = HodgkinHuxley(I_e=500.0)
        times, V_m, _ = simulated(model, 10.0, dt)
        errors.append(np.abs(V_m - exact_hodgkin_huxley(model, times))[-1])
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 4.0, atol=0.5)


@pytest.mark.parametrize(("consistent", "weight"), [(True, 0.0), (True, 5.0), (False, 0.0)])
def test_izhikevich_converges_with_order_one(consistent, weight):
    """RS below threshold, where the current and the jump of 5 mV leave it."""
    slope = lambda t, y: (0.04 * y[0] ** 2 + 5.0 * y[0] + 140.0 - y[1] + 2.0, 0.02 * (0.2 * y[0] - y[1]))  # noqa: E731
    before = solve_ivp(slope, (0.0, 5.0), (-65.0, -13.0), **ACCURATE).y[:, -1]
    exact = solve_ivp(slope, (5.0, 10.0), before + [weight, 0.0], **ACCURATE).y[0, -1]
    model = Izhikevich(I_e=2.0, consistent_integration=consistent)
    errors = [simulated(model, 10.0, dt, (5.0,), weight)[1][-1] - exact for dt in (0.1, 0.05, 0.025)]
    np.testing.assert_allclose(np.array(errors[:-1]) / errors[1:], 2.0, atol=0.15)


# NEST -------------------------------------------------------------------------------------------------------

with h5py.File(NEST) as _file:
    CASES = sorted(_file)

# (median, largest) |difference| in mV. Izhikevich: the same arithmetic but for rounding; 5e-13 was seen. Others: three
# times what was seen. The largest are on an upstroke, where NEST's error (1.5 mV in hh_dc) is 15 times ours (0.1 mV).
NEAR = {"izhikevich": (1e-12, 1e-11), "aeif_cond_exp": (2e-6, 1e-2), "hh_cond_exp_traub": (1e-2, 4.5)}


@pytest.mark.parametrize("name", CASES)
def test_as_nest(name):
    with h5py.File(NEST) as file:
        group, dt, duration = file[name], float(file.attrs["dt_ms"]), float(file.attrs["T_ms"])
        parameters = {key: value.item() for key, value in group.attrs.items()}
        model, weight = group["model"].asstr()[()], float(group["weight"][()])
        emitted, wanted, fired = group["input"][:], group["V_m"][:], group["spikes"][:]
    arrivals = emitted + 1.0
    _, V_m, spikes = simulated(MODELS[model](**parameters), duration, dt, arrivals, weight)
    np.testing.assert_array_equal(np.rint(spikes / dt), np.rint(fired / dt))
    error = np.abs(V_m[: len(wanted)] - wanted)
    median, largest = NEAR[model]
    assert np.median(error) <= median
    assert error.max() <= largest


# Details ----------------------------------------------------------------------------------------------------


def test_adex_upstroke_does_not_overflow():
    for precision in ("double", "single"):
        net = ss.Network(dt=1.0, seed=1, precision=precision)
        cell = net.add(AdEx(V_m=[-45.0, 0.0, 300.0], I_e=1e6, V_peak=100.0), 3)
        spikes = net.record(cell, "spikes")
        net.run(10.0)
        assert np.isfinite(cell.get("V_m")).all()
        assert (np.bincount(spikes.ids, minlength=3) >= 9).all()  # one in each step


def test_adex_refuses_what_would_overflow_or_never_end():
    for given in ({"Delta_T": 0.1}, {"V_reset": 1.0}, {"V_peak": -52.0}):
        with pytest.raises(SpikesimError, match="V_peak"):
            ss.Network(dt=0.1, seed=1).add(AdEx(**given), 1)


def test_rates_where_their_formula_is_zero_over_zero():
    assert linoid(0.0) == 1.0
    for y in (1e-9, -1e-9, 1.1e-8, 0.9e-8, 1e-3):
        np.testing.assert_allclose(linoid(y), 1.0 - y / 2.0 + y * y / 12.0, rtol=1e-12)


# Published firing patterns (Izhikevich 2003, Fig. 2) ----------------------------------------------------------


def after_a_step(preset, current, before=0.0):
    """(spike times, V_m) in the 500 ms (from 0) after a step of current onto a cell that is used to `before`."""
    net = ss.Network(dt=0.1, seed=1)
    cell = net.add(Izhikevich(preset=preset, I_e=before), 1)
    net.run(200.0)
    cell.set(I_e=current)
    spikes, potential = net.record(cell, "spikes"), net.record(cell, "V_m")
    net.run(500.0)
    return spikes.times - 200.0, potential.values[:, 0]


def intervals(preset, current=10.0):
    return np.diff(after_a_step(preset, current)[0])


def test_regular_spiking_adapts():
    gaps = intervals("RS")
    assert gaps[-1] > 2.0 * gaps[0]
    assert np.ptp(gaps[2:]) < 0.5


def test_fast_spiking_is_fast_and_hardly_adapts():
    fast, regular = intervals("FS"), intervals("RS")
    assert len(fast) > 5 * len(regular)
    assert np.ptp(fast[3:]) < 0.5


def test_intrinsic_bursting_is_one_burst_and_then_single_spikes():
    gaps = intervals("IB")
    assert (gaps[:2] < 5.0).all()
    assert (gaps[2:] > 25.0).all()


def test_chattering_bursts_again_and_again():
    gaps = intervals("CH")
    assert ((gaps < 7.0) | (gaps > 20.0)).all()
    assert np.count_nonzero(gaps > 20.0) > 5
    assert np.count_nonzero(gaps < 7.0) > 3 * np.count_nonzero(gaps > 20.0)


def test_low_threshold_spiking_needs_less_current_and_adapts():
    assert len(intervals("LTS", 3.0)) > 10
    assert len(intervals("RS", 3.0)) == 0
    gaps = intervals("LTS")
    assert gaps[-1] > 3.0 * gaps[0]


def test_thalamo_cortical_cell_fires_on_depolarisation_and_rebounds_from_hyperpolarisation():
    tonic, (rebound, _) = intervals("TC", 3.0), after_a_step("TC", 0.0, before=-10.0)
    assert len(tonic) > 30
    assert len(rebound) >= 3
    assert rebound[2] < 30.0
    assert rebound[-1] < 100.0
    assert len(after_a_step("RS", 0.0, before=-10.0)[0]) == 0


def test_resonator_rings_below_threshold():
    def swings(preset):
        _, V_m = after_a_step(preset, 0.2)
        away = V_m - V_m[-1]
        return np.count_nonzero(np.diff(np.sign(away[np.abs(away) > 1e-3])))

    assert swings("RZ") > 10
    assert swings("RS") <= 1
