"""Power-law STDP: single pairs and equilibrium in closed form, and every weight of synapses that NEST ran."""

import math
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.optimize import brentq

import spikesim as ss
from spikesim.errors import SpikesimError
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.models.plasticity.power_law_stdp import PowerLawSTDP
from spikesim.timeline import start_weight, trajectory, weight_change

NEST = Path(__file__).parents[1] / "oracle" / "data" / "power_law_stdp.h5"  # made by make_power_law.py
CASES = ("hpc_benchmark", "around_one", "mu_1", "mu_0_meets_0")
BENCHMARK = {"lambda": 0.1, "alpha": 0.0513, "mu": 0.4, "tau_plus": 15.0, "tau_minus": 30.0}


@pytest.mark.parametrize("w0", [0.3, 1.0, 45.0])
@pytest.mark.parametrize("mu", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("delta_t", [-40.0, -3.0, 0.1, 12.0])
def test_single_pair(delta_t, mu, w0):
    rule = PowerLawSTDP(lambda_=0.02, alpha=0.3, mu=mu, tau_plus=15.0, tau_minus=30.0)
    ltp, ltd = 0.02 * w0**mu * math.exp(-delta_t / 15.0), -0.02 * 0.3 * w0 * math.exp(delta_t / 30.0)
    expected = ltp if delta_t > 0 else ltd
    assert weight_change(rule, [100.0], [100.0 + delta_t], w0=w0) == pytest.approx(expected, rel=1e-12)


def test_single_pair_of_the_paper():
    """lambda w^mu e^(-1/2) and -lambda alpha w e^(-1/2) at w = 40, alpha = 0.11 being the paper's."""
    rule = PowerLawSTDP(alpha=0.11)
    assert weight_change(rule, [0.0], [10.0], w0=40.0) == pytest.approx(0.265263, abs=1e-6)
    assert weight_change(rule, [10.0], [0.0], w0=40.0) == pytest.approx(-0.266873, abs=1e-6)


def test_the_weight_of_reference_is_the_unit_of_the_power():
    """Change by dw = lambda w_ref^(1 - mu) w^mu x, at w = 16 w_ref four times lambda w_ref with mu = 1/2."""
    rule = PowerLawSTDP(lambda_=0.01, mu=0.5, w_ref=10.0)
    assert weight_change(rule, [0.0], [20.0], w0=160.0) == pytest.approx(0.4 / math.e, rel=1e-12)
    assert weight_change(rule, [20.0], [0.0], w0=160.0) == pytest.approx(-1.6 / math.e, rel=1e-12)


@pytest.mark.parametrize("w_ref", [1.0, 10.0])
def test_fixed_point(w_ref):
    """Where one pair at each lag, averaged over lags, changes nothing: 44.47 pA in the benchmark."""
    rule = PowerLawSTDP(**BENCHMARK, w_ref=w_ref)
    p, area = rule.hook_params(), (rule.Pre(rule.tau_plus), rule.Post(rule.tau_minus))
    balance = brentq(lambda w: rule.on_post(w, *area, p) + rule.on_pre(w, *area, p) - 2.0 * w, 1.0, 1e3)
    assert balance == pytest.approx((15.0 / (0.0513 * 30.0)) ** (1.0 / 0.6), rel=1e-9)
    assert balance == pytest.approx(44.472110, abs=1e-6)


@pytest.mark.parametrize(("preset", "weight"), [("morrison_2007", 39.598511), ("hpc_benchmark", 44.472110)])
def test_presets_start_at_their_fixed_point(preset, weight):
    rule = PowerLawSTDP(preset=preset)
    assert start_weight(rule) == pytest.approx(weight, abs=1e-6)
    assert start_weight(rule.replace(alpha=0.2, w_ref=2.0)) == pytest.approx(2.0 * weight, abs=1e-5)
    pairs = weight_change(rule, [0.0], [10.0]), weight_change(rule, [10.0], [0.0])
    ltp, ltd = 0.1 * weight**0.4, 0.1 * rule.alpha * weight
    assert pairs[0] == pytest.approx(ltp * math.exp(-10.0 / rule.tau_plus), rel=1e-6)
    assert pairs[1] == pytest.approx(-ltd * math.exp(-10.0 / rule.tau_minus), rel=1e-6)


def test_fixed_point_of_equal_windows():
    """(1 / alpha)^(1/(1 - mu)) w_ref, in the drift of uncorrelated trains."""
    rule = PowerLawSTDP(**{"lambda": 0.1, "alpha": 0.11, "mu": 0.4})
    p, area = rule.hook_params(), (rule.Pre(rule.tau_plus), rule.Post(rule.tau_minus))
    balance = brentq(lambda w: rule.on_post(w, *area, p) + rule.on_pre(w, *area, p) - 2.0 * w, 1.0, 1e3)
    assert balance == pytest.approx(39.598511, abs=1e-6)


def test_no_complex_weights_below_zero():
    rule = PowerLawSTDP(lambda_=0.9, alpha=5.0)  # a walk without bounds: one depression exceeds the weight
    frequent = [float(k) for k in range(40)]
    change = weight_change(rule, frequent, [t + 0.4 for t in frequent], w0=1.0)
    assert isinstance(change, float)
    assert math.isfinite(change)


def test_nests_names_and_limits():
    assert PowerLawSTDP().values() == {
        "lambda_": 0.1, "alpha": 1.0, "mu": 0.4, "tau_plus": 20.0, "tau_minus": 20.0, "w_min": 0.0, "w_max": math.inf,
        "w_ref": 1.0, "bounds": "hard", "pairing": "all_to_all", "coincident": "exclude",
    }  # fmt: skip
    rule = PowerLawSTDP(**BENCHMARK)
    assert (rule.lambda_, rule.w_max) == (0.1, math.inf)
    for given in ({"mu": 1.5}, {"alpha": -1.0}, {"lambda": -0.1}, {"tau_plus": 0.0}, {"bounds": "soft"}):
        with pytest.raises(SpikesimError):
            PowerLawSTDP(**given)


@pytest.fixture(scope="module")
def recorded():
    """Case -> the rule with its parameters, and the arrays that were recorded."""
    with h5py.File(NEST) as file:
        return {
            name: (PowerLawSTDP(**group.attrs, bounds="hard"), {key: values[:] for key, values in group.items()})
            for name, group in file.items()
        }


@pytest.fixture(scope="module")
def about():
    with h5py.File(NEST) as file:
        return dict(file.attrs)


@pytest.mark.parametrize("name", CASES)
def test_every_weight_of_nest_by_the_walk(name, recorded):
    rule, table = recorded[name]
    for pre, post, delay, start, weights in zip(
        *(table[key] for key in ("pre_times", "post_times", "delay", "weight", "weights")), strict=True
    ):
        times, walked = trajectory(rule, pre, post, w0=start, dendritic_delay=delay)
        at_pre = np.abs(times - pre[:, None]).argmin(axis=1)
        # Both go from spike to spike by one exponential; 2e-14 pA was seen.
        np.testing.assert_allclose(walked[at_pre], weights, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_weight_of_nest_in_a_network(threads, recorded, about):
    """All cases in one network, a projection each."""
    dt = float(about["dt_ms"])
    net, courses = ss.Network(dt=dt, seed=1, threads=threads), {}
    for name, (rule, table) in recorded.items():
        n, spikes = table["pre_times"].shape
        pre, post = (
            net.add(SpikeSource(table[f"{side}_times"].ravel(), np.repeat(np.arange(n), spikes)), n)
            for side in ("pre", "post")
        )
        synapses = net.connect(pre, post, ss.OneToOne(), weight=table["weight"], delay=table["delay"], plasticity=rule)
        courses[name] = net.record(synapses, "weights", every=dt)
    with net:
        net.run(float(about["T_ms"]))
    for name, (_, table) in recorded.items():
        steps = np.rint(table["pre_times"] / dt).astype(int)
        np.testing.assert_allclose(courses[name].times[steps - 1], table["pre_times"], rtol=1e-12)
        seen = courses[name].values[steps - 1, np.arange(len(steps))[:, None]]
        # Traces decay step by step here; 7e-14 pA was seen.
        np.testing.assert_allclose(seen, table["weights"], rtol=1e-11, atol=1e-12, err_msg=name)
