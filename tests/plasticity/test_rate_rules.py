"""Mean drifts between independent Poisson trains: closed forms, by the hooks at mean traces, and by simulation."""

import math

import numpy as np
import pytest

import spikesim as ss
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.models.plasticity.bcm import BCMRule
from spikesim.models.plasticity.oja import OjaRule
from spikesim.models.plasticity.triplet_stdp import TripletSTDP
from spikesim.models.plasticity.vogels_istdp import VogelsISTDP
from spikesim.timeline import weight_change

CORTEX = "visual_cortex_minimal_all_to_all"


def triplet_drift(rule, nu_pre, nu_post):
    """Change per ms at these rates (1/ms), by the hooks: for independent trains the means of products are products."""
    pre = rule.Pre(rule.tau_plus * nu_pre, rule.tau_x * nu_pre)
    post = rule.Post(rule.tau_minus * nu_post, rule.tau_y * nu_post)
    p = rule.hook_params()
    return nu_pre * rule.on_pre(0.0, pre, post, p) + nu_post * rule.on_post(0.0, pre, post, p)


@pytest.mark.parametrize(
    ("preset", "nu_pre", "threshold"),
    [
        (CORTEX, 10.0, 19.220326),
        (CORTEX, 40.0, 19.220326),
        ("visual_cortex_full_all_to_all", 10.0, 18.719547),
        ("hippocampal_minimal_all_to_all", 10.0, 5.377604),
    ],
)
def test_rate_at_which_the_triplet_rule_turns_from_depression_to_potentiation(preset, nu_pre, threshold):
    rule = TripletSTDP(preset=preset)
    below, at, above = (triplet_drift(rule, nu_pre * 1e-3, (threshold + d) * 1e-3) for d in (-0.5, 0.0, 0.5))
    assert below < 0.0 < above
    assert abs(at) < 1e-6 * above  # threshold is given to 6 digits, 1e-6 of 0.5 Hz


@pytest.mark.parametrize(("nu_post", "expected"), [(10.0, -0.0114782), (30.0, 0.0402582)])
def test_drift_of_the_triplet_rule(nu_post, expected):
    assert triplet_drift(TripletSTDP(preset=CORTEX), 0.01, nu_post * 1e-3) * 1e3 == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("nu_post", [3.0, 5.2, 9.0])
def test_bcm_threshold_slides_with_the_square_of_the_rate(nu_post):
    rule, nu_pre, nu = BCMRule(rho_0=10.0), 0.02, nu_post * 1e-3
    p, pre = rule.hook_params(), rule.Pre(rule.tau_plus * nu_pre)
    square = rule.tau_theta * nu * rule.jump_square(rule.Post(0.0, rule.tau_y * nu, 0.0), p)
    post = rule.Post(rule.tau_minus * nu, rule.tau_y * nu, square)
    drift = nu_pre * rule.on_pre(0.0, pre, post, p) + nu * rule.on_post(0.0, pre, post, p)
    theta = (nu / 0.01) ** 2 * 19.220326e-3
    expected = rule.a3_plus * rule.tau_plus * rule.tau_y * nu_pre * nu * (nu - theta)
    assert drift == pytest.approx(expected, rel=1e-6)


def test_bcm_rests_where_the_rate_meets_its_threshold():
    """nu = nu^2/rho_0^2 theta_0: a rate of rho_0^2/theta_0; above it weights fall, below it they grow."""
    signs = []
    for nu_post in (4.7, 5.7):
        rule, nu = BCMRule(), nu_post * 1e-3
        post = rule.Post(rule.tau_minus * nu, rule.tau_y * nu, rule.tau_theta * nu**2)
        pre, p = rule.Pre(rule.tau_plus * 0.01), rule.hook_params()
        signs.append(np.sign(0.01 * rule.on_pre(0.0, pre, post, p) + nu * rule.on_post(0.0, pre, post, p)))
    assert signs == [1.0, -1.0]
    assert 4.7 < 10.0**2 / 19.220326 < 5.7


def test_bcm_measures_the_square_from_pairs_of_post_spikes():
    """One post spike shows no rate yet; the second adds e^(-20/tau_y)/tau_y, which depresses at the pre spike."""
    rule = BCMRule()
    assert weight_change(rule, [5.0], [0.0]) == 0.0
    square = math.exp(-20 / 114.0) / 114.0 * math.exp(-10 / 10e3) / 10e3
    o1 = math.exp(-10 / 33.7) + math.exp(-30 / 33.7)
    assert weight_change(rule, [30.0], [0.0, 20.0]) == pytest.approx(-7.1e-3 * square / 1e-4 * o1, rel=1e-12)


@pytest.mark.parametrize(("nu_pre", "nu_post"), [(0.01, 0.02), (0.03, 0.01)])
def test_oja_rests_at_its_fixed_point(nu_pre, nu_post):
    rule = OjaRule(tau_plus=16.0, tau_minus=33.0, alpha=2.0)
    p, pre, post = rule.hook_params(), rule.Pre(16.0 * nu_pre), rule.Post(33.0 * nu_post)
    rest = 16.0 * nu_pre / (2.0 * 33.0 * nu_post)
    assert rule.on_post(rest, pre, post, p) == pytest.approx(rest, rel=1e-14)
    assert rule.on_post(0.9 * rest, pre, post, p) > 0.9 * rest
    assert rule.on_post(1.1 * rest, pre, post, p) < 1.1 * rest


def test_oja_pair():
    rule = OjaRule(eta=0.01)
    expected = 0.01 * math.exp(-0.5) - 0.01 * 0.5 * math.exp(-1.0)
    assert weight_change(rule, [10.0], [0.0, 20.0]) == pytest.approx(expected, rel=1e-12)


# The trace of the square and o1 share spikes: the mean of their product is that of the means times
# 1 + (1 + tau_minus/(tau_minus + tau_y)) / (nu (tau_theta + tau_minus)), summed over the coincidences of three spikes.
SHARED = 1.0 + (1.0 + 33.7 / (33.7 + 114.0)) / (0.01 * (1000.0 + 33.7))
BCM_DRIFT = 1e3 * 6.5e-3 * 16.8 * 114.0 * 0.01 * 0.01 * (0.01 - 19.220326e-3 * SHARED)

# By simulation: name -> rule, weight at first, rates (Hz) of pre and post, drift per second
SIMULATED = {
    "triplet, low": (TripletSTDP(preset=CORTEX), 1.0, 10.0, 10.0, -0.0114782),
    "triplet, high": (TripletSTDP(preset=CORTEX), 1.0, 10.0, 30.0, 0.0402582),
    "Vogels": (VogelsISTDP(eta=1e-3, bounds="none"), 1.0, 10.0, 5.0, 1e-3 * 0.8),
    "Oja": (OjaRule(eta=1e-5, bounds="none"), 0.2, 10.0, 10.0, 1e-5 * 10.0 * (0.2 - 0.2 * 0.2)),
    "BCM": (BCMRule(tau_theta=1000.0, bounds="none"), 1.0, 10.0, 10.0, BCM_DRIFT),
}


def test_simulated_drifts():
    """150 pairs of trains, 20 s; the first 4 s, in which slow traces grow, do not count."""
    n, dt, steps = 150, 0.2, 100_000
    net, draws, synapses = ss.Network(dt=dt, seed=6), np.random.default_rng(6), {}
    for name, (rule, w0, *rates, _) in SIMULATED.items():
        ends = []
        for rate in rates:
            spikes = draws.poisson(n * rate * 1e-3 * steps * dt)
            ends.append(net.add(SpikeSource(draws.integers(1, steps, spikes) * dt, draws.integers(0, n, spikes)), n))
        synapses[name] = net.connect(*ends, ss.OneToOne(), weight=w0, delay=dt, plasticity=rule)
    with net:
        net.run(4000.0)
        before = {name: each.weights for name, each in synapses.items()}
        net.run(steps * dt - 4000.0)
        for name, each in synapses.items():
            slopes, expected = (each.weights - before[name]) / 16.0, SIMULATED[name][-1]
            error = slopes.std(ddof=1) / math.sqrt(n)
            assert error < 0.2 * abs(expected), name
            # 3 standard errors, and what steps of 0.2 ms change in traces of some ten ms.
            assert abs(slopes.mean() - expected) < 3.0 * error + 0.01 * abs(expected), name
