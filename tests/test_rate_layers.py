"""Layers of rate units: gradients against differences, ways of transport against their definitions; angles."""

import numpy as np
import pytest

from spikesim import angles
from spikesim.errors import SpikesimError
from spikesim.rate_layers import TRANSPORTS, RateLayers
from spikesim.rng import Stream

SIZES = (7, 6, 5, 4)


def layers(activations=("tanh", "relu", "linear"), **changes):
    return RateLayers(SIZES, activations, **{"omega": 0.8, "seed": 3, **changes})


def examples(n=9):
    x = Stream(5, "TASK", 0).normal(n * SIZES[0]).reshape(n, -1)
    return x, Stream(5, "TASK", 1).uniform(n * SIZES[-1]).reshape(n, -1)


def loss(net, x, target):
    y = net.forward(x)[-1]
    if net.loss == "squared":
        return 0.5 * ((target - y) ** 2).sum() / len(x)
    return -(target * np.log(y) + (1.0 - target) * np.log(1.0 - y)).sum() / len(x)


def test_loss_of_each_example():
    x, target = examples()
    for net in (layers(), layers(("tanh", "tanh", "logistic"), loss="cross_entropy")):
        assert net.losses(net.forward(x)[-1], target).mean() == pytest.approx(loss(net, x, target), rel=1e-12)


@pytest.mark.parametrize(
    ("activations", "name"),
    [
        (("tanh", "logistic", "logistic"), "squared"),
        (("relu", "tanh", "linear"), "squared"),
        (("linear", "tanh", "logistic"), "cross_entropy"),
    ],
)
def test_backpropagation_is_the_gradient_of_the_loss(activations, name):
    net, (x, target) = layers(activations, loss=name), examples()
    for b in net.b:
        b += 0.1
    a = net.forward(x)
    delta = net.backward(a, target - a[-1])
    h = 1e-6
    for k, found in enumerate(net.gradients(a, delta)):
        for array, expected in ((net.W[k], found), (net.b[k], delta[k].mean(axis=0))):
            for place in np.ndindex(array.shape):
                kept, ends = array[place], []
                for array[place] in (kept + h, kept - h):
                    ends.append(loss(net, x, target))
                array[place] = kept
                assert (ends[1] - ends[0]) / (2 * h) == pytest.approx(expected[place], abs=3e-9)  # rounding / h


def test_each_way_of_transport_is_what_it_says():
    x, target = examples()
    for name in TRANSPORTS:
        net = layers(transport=name)
        a = net.forward(x)
        error = target - a[-1]
        d0, d1, d2 = net.backward(a, error)
        np.testing.assert_array_equal(d2, error)
        s1, s2 = net.signals(a, error)
        np.testing.assert_array_equal(s1 * (1.0 - a[1] ** 2), d0)
        np.testing.assert_array_equal(s2 * (a[2] > 0.0), d1)
        for n in range(len(x)):
            carry = {"transpose": lambda k: net.W[k].T, "pseudo_inverse": lambda k: np.linalg.pinv(net.W[k])}  # noqa: B023
            M1, M2 = (carry.get(name, lambda k: net.B[k])(k) for k in (1, 2))  # noqa: B023
            h1 = (M2 @ error[n]) * (a[2][n] > 0.0)
            h0 = (M1 @ (error[n] if name == "broadcast" else h1)) * (1.0 - a[1][n] ** 2)
            np.testing.assert_allclose(d1[n], h1, rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(d0[n], h0, rtol=1e-12, atol=1e-15)


def test_update_steps_along_the_mean_and_spares_what_is_not_there():
    net, (x, target) = layers(), examples()
    net.prune(0.5, seed=2)
    before = [W.copy() for W in net.W]
    a = net.forward(x)
    delta = net.backward(a, target - a[-1])
    net.update(a, delta, eta=(0.1, 0.2, 0.3), decay=0.01)
    for k, eta in enumerate((0.1, 0.2, 0.3)):
        step = eta * (np.einsum("ni,nj->ij", delta[k], a[k]) / len(x) - 0.01 * before[k])
        there = 1.0 if net.present[k] is None else net.present[k]
        np.testing.assert_allclose(net.W[k], before[k] + step * there, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(net.b[k], eta * delta[k].mean(axis=0), rtol=1e-12, atol=1e-15)
    assert net.present[0] is None
    assert (net.W[1] == 0.0).sum() == (net.present[1] == 0.0).sum() > 5
    assert (net.present[1] != net.present_back[1].T).any()


def test_pruning_deletes_this_share_of_forward_and_backward_synapses_independently():
    net = RateLayers((2, 400, 300), ("tanh", "linear"), omega=1.0)
    net.prune(0.5, seed=1)
    n = 400 * 300
    for present in (net.present[1], net.present_back[1]):
        assert present.mean() == pytest.approx(0.5, abs=3 * 0.5 / np.sqrt(n))
    both = (net.present[1] * net.present_back[1].T).mean()  # a quarter are reciprocal
    assert both == pytest.approx(0.25, abs=3 * np.sqrt(0.25 * 0.75 / n))
    assert ((net.W[1] != 0.0) == (net.present[1] > 0.0)).all()


def test_initial_weights_have_their_widths_and_depend_on_the_seed_only():
    net = RateLayers((300, 200, 100), ("tanh", "linear"), omega=(0.1, 0.2), beta=0.5)
    for matrix, width in ((net.W[0], 0.1), (net.W[1], 0.2), (net.B[1], 0.5)):
        assert 0.99 * width < np.abs(matrix).max() <= width
        assert matrix.std() == pytest.approx(width / np.sqrt(3.0), rel=0.02)
    again = RateLayers((300, 200, 100), ("tanh", "linear"), omega=(0.1, 0.2), beta=0.5, dtype=np.float32)
    assert (again.W[1] == net.W[1].astype(np.float32)).all()
    assert again.forward(np.ones((2, 300)))[-1].dtype == np.float32
    normal = RateLayers((300, 200), ("linear",), omega=0.3, distribution="normal", seed=2)
    assert normal.W[0].std() == pytest.approx(0.3, rel=0.02)
    assert np.abs(normal.W[0]).max() > 0.9


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (dict(transport="fixd"), "did you mean 'fixed'"),
        (dict(loss="entropy"), "loss"),
        (dict(distribution="gauss"), "distribution"),
        (dict(activations=("tanh", "tan", "linear")), "activation 'tan'"),
        (dict(activations=("tanh", "linear")), "an activation for each"),
        (dict(omega=(0.1, 0.2)), "2 widths"),
        (dict(loss="cross_entropy"), "logistic outputs"),
    ],
)
def test_what_does_not_fit_is_named(change, named):
    with pytest.raises(SpikesimError, match=named):
        layers(**change)


def test_angles_are_signed_and_exact():
    u = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1e-200, 0.0]])
    v = np.array([[0.0, 2.0], [-3.0, 1e-9], [1.0, np.sqrt(3.0)], [1.0, 1.0], [1e-220, 1e-200]])
    found = angles.row_angles(u, v)
    np.testing.assert_allclose(found[[0, 2, 4]], [90.0, 60.0, 90.0], atol=1e-12)
    assert 180.0 - found[1] == pytest.approx(np.degrees(1e-9 / 3.0), rel=1e-6)
    assert np.isnan(found[3])
    assert angles.angle(u[:2], v[:2]) == pytest.approx(np.degrees(np.arccos(-3.0 / np.sqrt(2.0 * 13.0))))
    np.testing.assert_allclose(angles.folded(found[:3]), [90.0, 180.0 - found[1], 60.0], atol=1e-12)


def test_angles_of_weights_projections_errors_and_mean_updates():
    rng = Stream(1, "TASK", 2)
    W, B, x, delta = (rng.normal(m * n).reshape(m, n) for m, n in ((4, 6), (6, 4), (30, 6), (30, 4)))
    assert angles.weight_angle(W, W.T) < 1e-12
    assert angles.weight_angle(W, -W.T) == pytest.approx(180.0)

    def plain(p, q):
        return np.degrees(np.arccos(p @ q / np.linalg.norm(p) / np.linalg.norm(q)))

    expected = [plain(W @ row, B.T @ row) for row in x]
    np.testing.assert_allclose(angles.projection_angles(x, W, B), expected)
    np.testing.assert_allclose(angles.teaching_angles(delta, W, B), [plain(W.T @ d, B @ d) for d in delta])
    u, v = delta @ W, delta @ B.T
    singles = [plain(np.outer(p, a).ravel(), np.outer(q, a).ravel()) for p, q, a in zip(u, v, x, strict=True)]
    np.testing.assert_allclose(angles.row_angles(u, v), singles)
    means = [plain((u[i:j].T @ x[i:j]).ravel(), (v[i:j].T @ x[i:j]).ravel()) for i, j in ((0, 10), (10, 20), (20, 30))]
    np.testing.assert_allclose(angles.mean_update_angles(u, v, x, over=10), means)
