"""Which rules drift in closed form, and that the closed form is the integral."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from spikesim.closed_form import coefficients
from spikesim.models.plasticity.temporal_derivative import TemporalDerivative
from spikesim.plasticity import Rule, Trace
from spikesim.timeline import trajectory, weight_change


class Products(Rule):
    """Every kind of term."""

    tau_x: float = 20.0
    tau_r: float = 5.0
    tau_y: float = 30.0
    traces = {
        "x": Trace("pre", tau="tau_x"),
        "psp": Trace("pre", tau=("tau_x", "tau_r")),
        "y": Trace("post", tau="tau_y"),
    }

    @staticmethod
    def drift(w, pre, post, p):
        return 2e-3 * pre.x * post.y - 0.3 * pre.psp * (post.y + 0.1) + 1e-3 * post.y


class Decay(Products):
    @staticmethod
    def drift(w, pre, post, p):
        return pre.x - w


class Threshold(Products):
    @staticmethod
    def drift(w, pre, post, p):
        return pre.x * max(post.y - 10.0, 0.0)


class Ratio(Products):
    @staticmethod
    def drift(w, pre, post, p):
        return pre.x / post.y


def test_coefficients_are_those_of_the_equation():
    table = coefficients(Products())
    np.testing.assert_allclose(table, [[0.0, 1e-3], [0.0, 2e-3], [-0.03, -0.3]], atol=1e-15)


@pytest.mark.parametrize("rule", [Decay, Threshold, Ratio])
def test_other_equations_are_recognised(rule):
    assert coefficients(rule()) is None


def test_the_walk_integrates():
    """One pair, 8 ms apart, against numerical integration; the last entry is the limit."""
    rule, p = Products(), Products().hook_params()

    def dw(t):
        x, post = math.exp(-t / 20.0), math.exp(-(t - 8.0) / 30.0) if t > 8.0 else 0.0
        psp = (x - math.exp(-t / 5.0)) / 15.0
        return rule.drift(0.0, rule.Pre(x, psp), rule.Post(post), p)

    times, weights = trajectory(rule, [10.0, 30.0], [18.0], w0=0.5)
    assert list(times[:3]) == [10.0, 18.0, 30.0]
    until_30 = quad(dw, 0.0, 8.0, epsabs=1e-14)[0] + quad(dw, 8.0, 20.0, epsabs=1e-14)[0]
    assert weights[2] - 0.5 == pytest.approx(until_30, abs=1e-13)
    alone = weight_change(rule, [10.0], [18.0], w0=0.5)
    assert alone == pytest.approx(
        quad(dw, 0.0, 8.0, epsabs=1e-14)[0] + quad(dw, 8.0, 1500.0, epsabs=1e-14, limit=500)[0], abs=1e-12
    )


def test_coincident_spikes_drift_afterwards():
    rule = TemporalDerivative(tau_x=20.0, tau_rise=2.0, tau_decay=20.0, eta=1.0)
    assert weight_change(rule, [5.0], [5.0]) == pytest.approx(20.0 / (40.0 * 22.0), abs=1e-15)
