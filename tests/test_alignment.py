"""Primitives of backward weights: slopes against differences of R, and what B settles at against closed forms (K1)."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from spikesim import AllToAll, Network, SpikesimError
from spikesim.alignment import PRIMITIVES, STRATEGIES, align, coefficients_of, fixed_point
from spikesim.angles import weight_angle
from spikesim.models.neurons.lif import LIF
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.rng import Stream

#: The regularisers R(B) of one example, as in table 1 of the paper.
R = {
    "decay": lambda B, W, x, y: np.linalg.norm(B) ** 2 / 2,
    "amp": lambda B, W, x, y: -x @ B @ y,
    "null": lambda B, W, x, y: np.linalg.norm(B @ y) ** 2 / 2,
    "sparse": lambda B, W, x, y: np.linalg.norm(x @ B) ** 2 / 2,
    "self": lambda B, W, x, y: -np.trace(B @ W),
}
COMBINATIONS = [c for size in range(1, 6) for c in itertools.combinations(R, size)]


def normal(index, *shape):
    return Stream(3, "WEIGHT", index).normal(int(np.prod(shape))).reshape(shape)


def layer(condition, n=20, m=10, k=400):
    """W (m, n), and inputs (k, n) whose covariance has this condition number exactly and a mean eigenvalue of 1."""
    W, x = normal(0, m, n) / np.sqrt(n), normal(1, k, n)
    left, _, right = np.linalg.svd(x, full_matrices=False)
    spectrum = np.geomspace(1.0, condition, n)
    return W, np.sqrt(k) * left * np.sqrt(spectrum / spectrum.mean()) @ right


def settled(W, x, coefficients, eta, steps):
    B = normal(2, *W.T.shape) / np.sqrt(len(W.T))
    for _ in range(steps):
        B = align(B, W, x, x @ W.T, coefficients, eta)
    return B


def distance(B, goal):
    return np.linalg.norm(B - goal) / np.linalg.norm(goal)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_slope_is_that_of_its_regulariser(name):
    B, W, x, y = normal(0, 4, 3), normal(1, 3, 4), normal(2, 6, 4), normal(3, 6, 3)
    slope, h = np.empty_like(B), 1e-5
    for cell in np.ndindex(B.shape):
        step = np.zeros_like(B)
        step[cell] = h
        up, down = (np.mean([R[name](B + s * step, W, *one) for one in zip(x, y, strict=True)]) for s in (1, -1))
        slope[cell] = (up - down) / (2 * h)
    np.testing.assert_allclose(PRIMITIVES[name](B, W, x, y), slope, atol=1e-8)


@pytest.mark.parametrize("condition", [1.0, 100.0])
@pytest.mark.parametrize("name", [name for name, s in STRATEGIES.items() if s.coefficients and not s.shared])
def test_a_strategy_settles_at_its_fixed_point(name, condition):
    W, x = layer(condition)
    S, one = x.T @ x / len(x), np.eye(len(W))
    goal = {
        "weight_mirror": S @ W.T / 2,
        "information_alignment": S @ W.T @ np.linalg.inv(W @ S @ W.T + one),
        "symmetric_alignment": W.T,
        "activation_alignment": W.T,
    }[name]
    coefficients = STRATEGIES[name].coefficients
    assert distance(fixed_point(W, S, coefficients), goal) < 1e-10
    # What is left of the start in the slowest direction, of eigenvalue 0.043: (1 - 0.2 * 0.043)^1000 = 2e-4.
    assert distance(settled(W, x, coefficients, 100.0, 1000), goal) < 0.01


def test_a_weight_mirror_needs_white_inputs_and_two_others_do_not():
    W, x = layer(100.0)
    angles = {name: weight_angle(W, settled(W, x, STRATEGIES[name].coefficients, 100.0, 1000))
              for name in ("weight_mirror", "activation_alignment", "symmetric_alignment")}  # fmt: skip
    assert angles.pop("weight_mirror") > 20.0
    assert max(angles.values()) < 1.0
    W, x = layer(1.0)
    assert weight_angle(W, settled(W, x, STRATEGIES["weight_mirror"].coefficients, 100.0, 1000)) < 1.0


def test_backward_weights_of_one_step_are_the_sum_of_what_each_primitive_does():
    B, W, x, y = normal(0, 4, 3), normal(1, 3, 4), normal(2, 6, 4), normal(3, 6, 3)
    coefficients = dict(zip(PRIMITIVES, (0.3, -0.2, 0.5, 0.7, 1.1), strict=True))
    apart = [align(B, W, x, y, {name: c}, 0.1) - B for name, c in coefficients.items()]
    np.testing.assert_allclose(align(B, W, x, y, coefficients, 0.1), B + sum(apart), atol=1e-14)
    one_by_one = [align(B, W, *one, coefficients, 0.1) for one in zip(x, y, strict=True)]
    np.testing.assert_allclose(align(B, W, x, y, coefficients, 0.1), np.mean(one_by_one, axis=0), atol=1e-14)


@pytest.mark.parametrize("chosen", COMBINATIONS, ids="+".join)
def test_every_combination_that_is_held_settles_at_the_solution_of_the_sylvester_equation(chosen):
    W, x = layer(4.0, n=5, m=3)
    S, coefficients = x.T @ x / len(x), dict(zip(chosen, (0.8, 0.9, 1.0, 1.1, 1.2), strict=False))
    if not {"decay", "null", "sparse"} & set(chosen):
        with pytest.raises(SpikesimError, match="nothing holds B"):
            fixed_point(W, S, coefficients)
        return
    assert np.abs(settled(W, x, coefficients, 0.2, 1000) - fixed_point(W, S, coefficients)).max() < 1e-8


def test_rates_of_spiking_neurons_tell_the_weights_between_them():
    """A mirror of spikes: inputs at random rates in windows of 500 ms, and what they make of the rates above.

    After 400 windows the angle is 16 degrees for this seed, and from 15 to 23 for nine others with other weights.
    """
    n, m, windows = 20, 10, 400
    W = 150.0 * normal(0, m, n)  # pA
    net = Network(dt=1.0, seed=1)
    below = net.add(PoissonSource(), n)
    above = net.add(LIF(I_e=500.0, tau_syn_ex=5.0, tau_syn_in=5.0, t_ref=2.0), m)
    net.connect(below, above, AllToAll(), weight=W.T.ravel(), delay=1.0)
    spikes = [net.record(population, "spikes") for population in (below, above)]
    rates = 100.0 * Stream(1, "TASK", 0).uniform(windows * n).reshape(windows, n)
    with net:
        for window in rates:
            below.set(rate=window)
            net.run(500.0)
    x, y = (
        np.histogram2d((s.steps - 1) // 500, s.ids, [np.arange(windows + 1), np.arange(len(s.view) + 1)])[0] / 0.5
        for s in spikes
    )
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)  # Hz
    B = normal(2, n, m)
    for window in range(windows):
        B = align(B, W, x[window], y[window], {"decay": 1.0, "amp": 1.0}, 0.005)
    assert weight_angle(W, normal(2, n, m)) > 80.0
    assert weight_angle(W, B) < 30.0


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: align(np.ones((4, 3)), np.ones((3, 4)), np.ones(4), np.ones(3), {"decoy": 1.0}, 0.1), "'decay'"),
        (lambda: align(np.ones((3, 4)), np.ones((3, 4)), np.ones(4), np.ones(3), {}, 0.1), "B \\(3, 4\\)"),
        (lambda: align(np.ones((4, 3)), np.ones((3, 4)), np.ones((2, 4)), np.ones(3), {}, 0.1), "x \\(2, 4\\)"),
        (lambda: coefficients_of("decay"), "decay=2e-3,amp=1e-3"),
        (lambda: coefficients_of("decay=1,apm=2"), "'amp'"),
        (lambda: coefficients_of("decay=nan"), "finite"),
    ],
)
def test_what_does_not_fit_is_refused(call, named):
    with pytest.raises(SpikesimError, match=named):
        call()


def test_coefficients_in_words():
    assert coefficients_of("decay=2e-3, amp=1") == {"decay": 2e-3, "amp": 1.0}


def test_the_example_of_the_page_runs(capsys):
    page = (Path(__file__).parents[1] / "docs" / "weight_alignment.md").read_text(encoding="utf-8")
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL).group(1), {})
    assert 0 < int(capsys.readouterr().out.split()[0]) < 15
