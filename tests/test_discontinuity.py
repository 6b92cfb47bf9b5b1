"""Regression discontinuity: closed forms, least squares, and slow twins of what is learned on-line."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from spikesim import SpikesimError
from spikesim.discontinuity import (
    OnlineDiscontinuity,
    constant_effect,
    learn_line,
    line_at_zero,
    linear_effect,
)
from spikesim.rng import Stream

THETA = 1.0


def grid(n=2000):
    """Evenly spaced drives from 0 to 2, none on the threshold, and an outcome that jumps by 5 there."""
    drive = (np.arange(n) + 0.5) / n * 2.0
    return drive, 2.0 + 3.0 * drive + 5.0 * (drive >= THETA)


def noise(n, seed=1):
    """Drives and outcomes of n windows in which a common cause acts on both; a spike adds 4."""
    z, own = (Stream(seed, "TASK", k).normal(n) for k in (0, 1))
    drive = 0.9 * z + math.sqrt(1 - 0.9**2) * own + 0.4
    return drive, 4.0 * (drive >= THETA) + 3.0 * z


def test_a_line_with_a_jump():
    drive, outcome = grid()
    for p in (0.1, 0.5, math.inf):
        assert linear_effect(drive, outcome, THETA, p) == pytest.approx(5.0, abs=1e-9)
    # Means lie p/2 from the threshold on either side, so a slope of 3 biases the constant model by 3 p.
    for p in (0.1, 0.5, 1.0):
        assert constant_effect(drive, outcome, THETA, p) == pytest.approx(5.0 + 3.0 * p, abs=1e-9)
    assert constant_effect(drive, outcome, THETA, math.inf) == constant_effect(drive, outcome, THETA, 1.0)
    assert constant_effect(drive, outcome, THETA, (0.1, 0.5)) == pytest.approx(5.0 + 3.0 * 0.3, abs=1e-9)


def test_the_threshold_itself_is_above_and_the_end_of_the_band_is_not():
    drive, outcome = np.array([0.5, 0.75, 1.0, 1.25]), np.array([1.0, 2.0, 10.0, 100.0])
    assert constant_effect(drive, outcome, THETA, 0.25) == 8.0
    assert constant_effect(drive, outcome, THETA, 0.5) == 55.0 - 1.5


def test_a_common_cause_biases_the_observed_dependence_as_theory_says_and_not_the_discontinuity():
    drive, outcome = noise(400_000)
    t, rho = THETA - 0.4, 0.9
    # <z | drive> = rho (drive - 0.4): means of the two tails of a normal distribution.
    confounded = 4.0 + 3.0 * rho * (norm.pdf(t) / norm.sf(t) + norm.pdf(t) / norm.cdf(t))
    assert constant_effect(drive, outcome, THETA, math.inf) == pytest.approx(confounded, abs=0.02)
    # A conditional mean that is linear in the drive: the linear model is unbiased for any p.
    # Ten other seeds had s.d. 0.04 at p = 0.1, 0.008 for all; 0.007 and 0.018 for the constant model.
    assert linear_effect(drive, outcome, THETA, 0.1) == pytest.approx(4.0, abs=0.12)
    assert linear_effect(drive, outcome, THETA, math.inf) == pytest.approx(4.0, abs=0.024)
    assert constant_effect(drive, outcome, THETA, 0.1) == pytest.approx(4.0 + 3.0 * rho * 0.1, abs=0.05)


def test_several_outcomes_at_once():
    drive, outcome = noise(500)
    both = np.stack([outcome, outcome**2], axis=1)
    for estimate in (constant_effect, linear_effect):
        together = estimate(drive, both, THETA, 0.5)
        assert together.shape == (2,)
        for k in range(2):
            assert together[k] == pytest.approx(estimate(drive, both[:, k], THETA, 0.5), rel=1e-12)


def test_nothing_is_said_where_a_side_is_empty():
    assert math.isnan(constant_effect([0.5, 0.6], [1.0, 2.0], THETA, 1.0))
    assert math.isnan(linear_effect([0.5, 0.6, 1.1], [1.0, 2.0, 3.0], THETA, 1.0))
    assert math.isnan(linear_effect([0.5, 0.6, 1.1, 1.1], [1.0, 2.0, 3.0, 4.0], THETA, 1.0))
    assert np.isnan(constant_effect([0.5], [[1.0, 2.0]], THETA, 1.0)).tolist() == [True, True]


def test_sums_tell_the_line_of_least_squares():
    x, y = Stream(3, "TASK").normal(50), Stream(4, "TASK").normal(50)
    sums = len(x), x.sum(), x @ x, y.sum(), x @ y
    assert line_at_zero(sums) == pytest.approx(np.polyfit(x, y, 1)[1], rel=1e-12)
    assert np.isnan(line_at_zero((3.0, 3 * 0.7, 3 * 0.7**2, 1.0, 0.7)))
    assert np.isnan(line_at_zero(np.zeros(5)))


def test_a_line_learns_down_its_squared_error():
    a, b, x, y, h = 0.3, -0.7, 1.3, 2.0, 1e-6

    def squared(a, b):
        return (a + b * x - y) ** 2 / 2.0

    down = (squared(a - h, b) - squared(a + h, b)) / (2 * h), (squared(a, b - h) - squared(a, b + h)) / (2 * h)
    after = learn_line(a, b, x, y, 0.01)
    assert (after[0] - a, after[1] - b) == pytest.approx((0.01 * down[0], 0.01 * down[1]), rel=1e-8)


def windows(n_windows=400, n=3):
    """(windows, n) drives and outcomes of n neurons."""
    pairs = [noise(n_windows, seed) for seed in range(1, n + 1)]
    return np.stack([d for d, _ in pairs], axis=1), np.stack([o for _, o in pairs], axis=1)


def test_online_linear_without_eta_is_least_squares():
    drive, outcome = windows()
    online = OnlineDiscontinuity(THETA, (0.4, 0.6), n=3)
    assert np.isnan(online.effect).all()
    for z, r in zip(drive, outcome, strict=True):
        online.learn(z, r)
    for k in range(3):
        batch = linear_effect(drive[:, k], outcome[:, k], THETA, (0.4, 0.6))
        assert online.effect[k] == pytest.approx(batch, rel=1e-9)


@pytest.mark.parametrize("eta", [None, 0.05])
def test_online_constant_equals_a_slow_twin(eta):
    drive, outcome = windows()
    online = OnlineDiscontinuity(THETA, 0.5, model="constant", eta=eta, n=3)
    for z, r in zip(drive, outcome, strict=True):
        online.learn(z, r)
    for k in range(3):
        held, beta, pairs = None, 0.0, 0
        for z, r in zip(drive[:, k], outcome[:, k], strict=True):
            if 0.5 <= z < 1.0:
                held = r
            elif 1.0 <= z < 1.5:
                if held is not None:
                    pairs += 1
                    beta += ((1.0 / pairs) if eta is None else eta) * (r - held - beta)
                held = None
        assert pairs > 20
        assert online.effect[k] == pytest.approx(beta, rel=1e-12)


def test_online_linear_with_eta_equals_a_slow_twin_and_finds_the_effect():
    drive, outcome = windows(20_000, 1)
    online = OnlineDiscontinuity(THETA, 1.0, eta=0.01)
    lines = [[0.0, 0.0], [0.0, 0.0]]
    for k, (z, r) in enumerate(zip(drive[:, 0].tolist(), outcome[:, 0].tolist(), strict=True)):
        x = z - THETA
        if abs(x) <= 1.0:
            line = lines[int(x >= 0.0)]
            line[:] = learn_line(*line, x, r, 0.01)
        if k < 2000:
            online.learn(z, r)
        if k == 1999:
            assert online.effect[0] == pytest.approx(lines[1][0] - lines[0][0], rel=1e-9)
    # The lines go on moving: s.d. 0.18 over ten seeds.
    assert lines[1][0] - lines[0][0] == pytest.approx(4.0, abs=0.54)


def test_one_outcome_serves_all_neurons():
    one, each = (OnlineDiscontinuity(THETA, 1.0, model="constant", n=2) for _ in range(2))
    for z, r in (((0.9, 0.8), 1.0), ((1.1, 0.7), 3.0), ((0.9, 1.2), 4.0)):
        one.learn(z, r)
        each.learn(z, np.full(2, r))
    assert one.effect.tolist() == each.effect.tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: constant_effect([1.0], [1.0], THETA, 0.0), "p must be positive"),
        (lambda: linear_effect([1.0], [1.0], THETA, (0.1, -1.0)), "p must be positive"),
        (lambda: constant_effect([1.0, 2.0], [1.0], THETA, 1.0), r"\(2,\)"),
        (lambda: constant_effect([[1.0]], [1.0], THETA, 1.0), r"\(1, 1\)"),
        (lambda: OnlineDiscontinuity(THETA, 1.0, model="liner"), "linear"),
        (lambda: OnlineDiscontinuity(THETA, math.nan), "p must be positive"),
        (lambda: OnlineDiscontinuity(THETA, 1.0, eta=0.0), "eta"),
    ],
)
def test_what_makes_no_sense_is_refused(call, named):
    with pytest.raises(SpikesimError, match=named):
        call()
