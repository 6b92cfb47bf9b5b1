"""Homeostatic and orchestrated plasticity: amplitudes, fixed points, and consolidation against an integration."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from spikesim.models.plasticity.zenke_2013 import Zenke2013
from spikesim.models.plasticity.zenke_2015 import Zenke2015, drift
from spikesim.timeline import weight_change


def amplitude(rule, rate):
    """What a pre spike takes at o1 = 1, where the post neuron has long fired at `rate` (Hz)."""
    post = rule.Post(o1=1.0, o2=0.0, h=rate * 1e-3 * rule.tau_hom)
    return -rule.on_pre(0.0, rule.Pre(0.0), post, rule.hook_params())


@pytest.mark.parametrize(("rate", "expected"), [(3.0, 0.00110820), (6.0, 0.00443281)])
def test_depression_grows_with_the_square_of_the_rate(rate, expected):
    assert amplitude(Zenke2013(kappa=3.0), rate) == pytest.approx(expected, abs=1e-8)


def test_where_depression_is_that_of_the_fit_to_visual_cortex():
    assert amplitude(Zenke2013(kappa=19.220326), 19.220326) == pytest.approx(7.1e-3, abs=1e-9)


@pytest.mark.parametrize("kappa", [3.0, 12.0])
def test_potentiation_and_depression_balance_at_kappa(kappa):
    """Means over independent Poisson trains: of r, o1, o2 rate times time constant."""
    rule, nu_pre, nu = Zenke2013(kappa=kappa), 0.01, kappa * 1e-3
    p, pre = rule.hook_params(), rule.Pre(rule.tau_plus * nu_pre)
    post = rule.Post(rule.tau_minus * nu, rule.tau_slow * nu, rule.tau_hom * nu)
    gain, loss = nu * rule.on_post(0.0, pre, post, p), nu_pre * rule.on_pre(0.0, pre, post, p)
    assert gain + loss == pytest.approx(0.0, abs=1e-12 * gain)
    assert gain > 0.0


def test_triplet_of_spikes():
    """Post at 0, pre at 10, post at 20 ms, without depression: a3_plus e^(-10/tau_plus) e^(-20/tau_slow)."""
    rule = Zenke2013(tau_hom=1e15)
    expected = 6.5e-3 * math.exp(-10 / 16.8 - 20 / 114.0)
    assert weight_change(rule, [10.0], [0.0, 20.0]) == pytest.approx(expected, rel=1e-9)


# Orchestrated ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("w", "w_tilde", "expected"), [(1.0, 0.0, 8.33333e-4), (0.5, 0.25, 2.08333e-4), (0.4, 0.4, 1.0e-4)]
)
def test_consolidation_per_second(w, w_tilde, expected):
    p = Zenke2015().hook_params()
    assert drift(w, w_tilde, p) / (p.tau_cons * 1e-3) == pytest.approx(expected, abs=1e-9)


def test_heterosynaptic_depression():
    """One post spike at o1 = 2 and w - w~ = 0.3 takes beta 0.3 2^3."""
    rule = Zenke2015(beta=0.05)
    post, s = rule.Post(o1=2.0, o2=0.0, h=0.0), rule.Synapse(0.1)
    w, w_tilde = rule.on_post(0.4, rule.Pre(0.0), post, rule.hook_params(), s)
    assert 0.4 - w == pytest.approx(0.12, abs=1e-12)
    assert w_tilde == 0.1


def test_transmitter_alone_potentiates():
    assert weight_change(Zenke2015(), [0.0, 50.0, 400.0], [], w0=0.2) == pytest.approx(3 * 2e-5, rel=1e-9)


def test_depression_by_doublets():
    rule = Zenke2015(tau_hom=1e3, delta=0.0, beta=0.0)
    # nu = e^(-10/1000)/tau_hom = 0.99 Hz, a tenth of kappa
    expected = -1e-3 * (math.exp(-0.01) / 10.0) ** 2 * math.exp(-10.0 / 20.0)
    assert weight_change(rule, [10.0], [0.0]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("w", "w_tilde"), [(1.0, 0.0), (0.3, 0.3), (0.1, 0.5)])
@pytest.mark.parametrize("elapsed", [0.5, 30e3, 1200e3, 6000e3])
def test_consolidation_is_the_solution_of_its_equation(w, w_tilde, elapsed):
    rule = Zenke2015()
    p = rule.hook_params()
    exact = solve_ivp(lambda t, y: drift(w, y, p) / p.tau_cons, (0.0, elapsed), (w_tilde,), rtol=1e-12, atol=1e-14)
    found = rule.between(w, rule.Synapse(w_tilde), elapsed, p)
    assert found[0] == w
    # Steps of 1 % of tau_cons in a method of 4th order; 1e-9 was seen.
    assert found[1] == pytest.approx(exact.y[0, -1], abs=2e-8)


def test_a_consolidated_weight_stays_where_it_is():
    """(w, w~) = (0, 0) and (w_P, w_P) are fixed points; the one between is not stable."""
    rule = Zenke2015()
    p = rule.hook_params()
    for w in (0.0, 0.5):
        assert rule.between(w, rule.Synapse(w), 1e7, p)[1] == pytest.approx(w, abs=1e-12)
    h = 1e-6
    slopes = [(drift(0.0, x + h, p) - drift(0.0, x - h, p)) / (2 * h) + 1.0 for x in (0.0, 0.25, 0.5)]
    assert np.sign(slopes).tolist() == [-1, 1, -1]  # of the potential alone
