"""How credit is assigned: Jacobians and error signals against finite differences, and the criterion's closed forms."""

import numpy as np
import pytest

from spikesim.credit import (
    Alignment,
    CreditMeter,
    backpropagated,
    class_correlations,
    jacobians,
    loss_correlation,
    mismatch,
    sigma,
    slope,
)
from spikesim.rng import Stream

PHI, K_D, STEP = 0.2, 0.6 / 0.7, 1e-6


def numbers(shape, index, scale=1.0):
    return scale * Stream(4, "TASK", index).normal(int(np.prod(shape))).reshape(shape)


def differences(function, x):
    """The Jacobian of `function` at x, by central differences."""
    steps = STEP * np.eye(len(x))
    return np.array([(function(x + step) - function(x - step)) / (2 * STEP) for step in steps]).T


def test_sigma_and_its_slope():
    v = np.array([-700.0, -3.0, 0.0, 2.0, 700.0])
    np.testing.assert_allclose(sigma(v), [0.0, 1 / (1 + np.exp(3)), 0.5, 1 / (1 + np.exp(-2)), 1.0], atol=1e-15)
    np.testing.assert_allclose(slope(v), differences(sigma, v).diagonal(), atol=1e-9)


def test_jacobians_are_those_of_the_way_forth_and_back():
    W, Y, x = numbers((4, 7), 1), numbers((7, 4), 2), numbers(7, 3)

    def beta(rates):
        return PHI * sigma(K_D * W @ rates)

    def gamma(rates):
        return sigma(Y @ rates)

    potentials = K_D * W @ x
    forth, back = jacobians(W, Y, potentials, PHI, K_D)
    np.testing.assert_allclose(forth, differences(beta, x), atol=1e-8)
    np.testing.assert_allclose(back, differences(gamma, PHI * sigma(potentials)), atol=1e-8)


def test_backpropagated_error_is_the_gradient():
    W, below, target = numbers((6, 3), 4), numbers(6, 5), sigma(numbers(3, 6))

    def loss(potentials):
        return -0.5 * np.sum((target - sigma(sigma(potentials) @ W)) ** 2, keepdims=True)

    out = sigma(below) @ W
    delta = (target - sigma(out)) * slope(out)
    np.testing.assert_allclose(backpropagated(delta, W, below), differences(loss, below)[0], atol=1e-9)


def test_mismatch_has_its_closed_forms():
    assert mismatch(np.eye(5)) == pytest.approx(0.0, abs=1e-15)
    assert mismatch(np.zeros((5, 5))) == pytest.approx(1.0)
    assert mismatch(np.diag([0.5, 3.0, 1.0])) == pytest.approx(4.0)
    away = numbers((5, 5), 7)
    assert mismatch(np.eye(5) - away) == pytest.approx(np.linalg.norm(away, 2) ** 2)


def test_means_are_over_the_last_images():
    pairs = [(numbers((3, 6), 10 + k), numbers((6, 3), 30 + k)) for k in range(12)]
    alignment = Alignment(images=5)
    for k, pair in enumerate(pairs):
        alignment.look(*pair)
        last = pairs[max(0, k - 4) : k + 1]
        means = [np.mean([pair[side] for pair in last], axis=0) for side in (0, 1)]
        np.testing.assert_allclose(alignment.product_of_means(), means[0] @ means[1], atol=1e-12)
        np.testing.assert_allclose(alignment.mean_of_products(), np.mean([a @ b for a, b in last], axis=0), atol=1e-12)


def test_a_network_taught_by_backpropagation_has_angle_0():
    weights = [numbers((5, 4), 50), numbers((4, 3), 51)]
    potentials = [numbers(5, 52), numbers(4, 53), numbers(3, 54)]
    out = numbers(3, 55)
    upper = backpropagated(out, weights[1], potentials[1])
    lower = backpropagated(upper, weights[0], potentials[0])
    meter = CreditMeter(2, PHI, K_D)
    meter.look(7, weights, weights[1], potentials, [3.0 * lower, -upper, out])
    assert meter.series["lesson"] == [7]
    assert meter.series["angle_1"][0] == pytest.approx(0.0, abs=1e-6)
    assert meter.series["angle_2"][0] == pytest.approx(180.0)
    product = np.matmul(*jacobians(weights[1].T, weights[1], potentials[2], PHI, K_D))
    assert meter.series["mu"][0] == meter.series["mu_of_products"][0] == pytest.approx(mismatch(product))
    assert meter.series["off_identity"][0] == pytest.approx(np.linalg.norm(product - np.eye(3)) / np.sqrt(3.0))


def test_loss_correlation_is_pearsons():
    x = numbers(400, 60)
    assert loss_correlation(x, 2.0 * x + 1.0) == pytest.approx(1.0)
    assert abs(loss_correlation(x, numbers(400, 61))) < 5.0 / np.sqrt(400)
    assert np.isnan(loss_correlation(x[:2], x[:2]))


def test_correlations_are_by_class_and_shuffled_within_it():
    labels = np.repeat([0, 1, 2], 300)
    shared = numbers(900, 62)
    hidden = shared + 100.0 * labels  # classes differ in their mean, which must not count
    output = np.where(labels == 2, -shared, shared) + 100.0 * labels
    each, shuffled = class_correlations(labels, hidden, output, seed=5)
    np.testing.assert_allclose(each, [1.0, 1.0, -1.0])
    assert all(abs(r) < 5.0 / np.sqrt(300) for r in shuffled)


def test_the_meter_keeps_the_product_of_every_hundredth_look_and_what_losses_did():
    weights, feedback, out = numbers((5, 3), 70), numbers((5, 3), 71), numbers(3, 72)
    meter = CreditMeter(1, PHI, K_D)
    for lesson in range(0, 1000, 4):
        meter.look(lesson, [weights], feedback, [numbers(5, 73), out], [numbers(5, 74), out])
    assert meter.series["product_lesson"] == [4 * 99, 4 * 199]
    product = np.matmul(*jacobians(weights.T, feedback, out, PHI, K_D))
    np.testing.assert_allclose(meter.series["product"], [product, product], rtol=1e-9)
    labels, losses = np.array([1, 0, 1, 0, 1, 0, 0]), numbers((2, 7), 75)
    meter.correlate(1000, labels, lambda images: losses[:, images], seed=1)
    assert meter.series["losses_lesson"] == [1000]
    assert meter.series["losses"] == [[loss_correlation(*losses[:, labels == k]) for k in (0, 1)]]
    assert np.abs(meter.series["losses_shuffled"]).max() <= 1.0
