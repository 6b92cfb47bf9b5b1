"""The temporal derivative: the window in closed form, the steady state, and the walk on a grid that comes near it."""

import math

import numpy as np
import pytest

from spikesim.errors import SpikesimError
from spikesim.models.plasticity.temporal_derivative import TemporalDerivative
from spikesim.protocols.bi_poo_1998 import BiPoo1998
from spikesim.timeline import trajectory, weight_change
from spikesim.voltage_timeline import walk

PARAMETERS = {"tau_x": 17.0, "tau_rise": 3.0, "tau_decay": 24.0, "eta": 0.7}


def pair(delta_t, tau_x, tau_rise, tau_decay, eta):
    """The window, as integrated in the docstring."""
    if delta_t >= 0:
        return eta * tau_x * math.exp(-delta_t / tau_x) / ((tau_x + tau_decay) * (tau_x + tau_rise))
    parts = (math.exp(delta_t / tau) / (tau_x + tau) for tau in (tau_rise, tau_decay))
    return eta * tau_x / (tau_decay - tau_rise) * (next(parts) - next(parts))


@pytest.mark.parametrize("delta_t", [80.0, 20.0, math.pi, 0.3, 0.0, -0.3, -2.0, -math.e, -15.0, -90.0])
def test_window_of_one_pair(delta_t):
    change = weight_change(TemporalDerivative(**PARAMETERS), [100.0], [100.0 + delta_t])
    assert change == pytest.approx(pair(delta_t, **PARAMETERS), abs=1e-12)


def test_trains_are_sums_over_their_pairs():
    rng = np.random.default_rng(3)
    pre, post = (np.sort(rng.uniform(0.0, 500.0, size=12)) for _ in range(2))
    expected = math.fsum(pair(q - t, **PARAMETERS) for t in pre for q in post)
    assert weight_change(TemporalDerivative(**PARAMETERS), pre, post) == pytest.approx(expected, abs=1e-12)


def test_signs_of_the_window():
    rule = TemporalDerivative()
    assert all(weight_change(rule, [0.0], [d]) > 0.0 for d in (1.0, 10.0, 40.0))
    assert all(weight_change(rule, [0.0], [-d]) < 0.0 for d in (5.0, 10.0, 40.0))
    anti = TemporalDerivative(eta=-0.2)
    assert weight_change(anti, [0.0], [10.0]) == pytest.approx(-weight_change(rule, [0.0], [10.0]), rel=1e-12)


def test_window_is_about_as_large_as_measured():
    """60 pairs 5 ms apart, next to which Bi & Poo 1998 have +0.52; the formula has 60 eta e^(-5/20) / 44 / 0.5."""
    changes = {row["delta_t"]: row["predicted"] for row in BiPoo1998().run(TemporalDerivative()).rows()}
    assert changes[5.0] == pytest.approx(60 * 0.2 * math.exp(-0.25) / 44.0 / 0.5, rel=1e-6)
    assert 0.3 < changes[5.0] < 0.6
    assert -0.5 < min(changes.values()) < -0.1


def test_steady_presynaptic_activity_changes_nothing():
    """The post spike comes when the trace is as good as constant, and its transient is over before the end."""
    rule = TemporalDerivative(tau_x=1e12, eta=1.0)
    _, weights = trajectory(rule, [0.0], [1e4], w0=0.5)
    assert weights[-1] == pytest.approx(0.5, abs=1e-10)
    # While the transient lasts the weight follows the activity itself, here up to its maximum.
    peak = math.log(10.0) * 2.0 * 20.0 / 18.0
    times, weights = trajectory(rule, [0.0, 1e4 + peak], [1e4], w0=0.5)
    at_peak = weights[list(times).index(1e4 + peak)] - 0.5
    assert at_peak == pytest.approx((math.exp(-peak / 20.0) - math.exp(-peak / 2.0)) / 18.0, rel=1e-7)


def test_the_window_has_no_area():
    """Pre spikes on a fine grid around one post spike: what they do adds up to nothing."""
    rule, step = TemporalDerivative(), 0.5
    grid = np.arange(-400.0, 400.0, step) + step / 2
    total = math.fsum(weight_change(rule, [0.0], [d]) for d in grid) * step
    size = math.fsum(abs(weight_change(rule, [0.0], [d])) for d in grid) * step
    assert abs(total) < 1e-3 * size


def test_steps_converge_to_the_closed_form():
    """First order in dt: halving the step halves the error."""
    rule, errors = TemporalDerivative(**PARAMETERS), []
    for dt in (0.1, 0.05):
        _, weights = walk(rule, [100.0], [110.0], 0.5, "none", pre_first=True, dt=dt)
        errors.append(weights[-1] - 0.5 - pair(10.0, **PARAMETERS))
    assert abs(errors[0]) < 5e-4
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.02)


def test_equal_time_constants_are_refused():
    with pytest.raises(SpikesimError, match="tau_rise and tau_decay must differ"):
        TemporalDerivative(tau_rise=20.0)
