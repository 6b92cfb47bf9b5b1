"""Receptive fields: closed forms."""

import numpy as np
import pytest

from spikesim.receptive_fields import receptive_fields, smoothness, strongest
from spikesim.rng import Stream


def numbers(shape, index):
    return Stream(8, "TASK", index).normal(int(np.prod(shape))).reshape(shape)


def test_fields_of_the_first_layer_are_its_weights_and_further_up_the_product():
    first, second = numbers((12, 5), 1), numbers((5, 3), 2)
    np.testing.assert_array_equal(receptive_fields([first, second], 1), first.T)
    seen = receptive_fields([first, second], 2)
    assert seen.shape == (3, 12)
    for unit in range(3):
        np.testing.assert_allclose(seen[unit], sum(second[k, unit] * first[:, k] for k in range(5)), rtol=1e-12)


def test_the_field_of_a_linear_chain_is_what_drives_it_most():
    """Of all inputs of norm 1 the field itself, over its norm, drives a unit most: the dot product is the norm."""
    weights = [numbers((12, 5), 1), numbers((5, 3), 2)]
    field = receptive_fields(weights, 2)[1]
    drive = (field / np.linalg.norm(field)) @ weights[0] @ weights[1]
    assert drive[1] == pytest.approx(np.linalg.norm(field))


def test_the_strongest_are_those_that_vary_most():
    fields = np.array([[1.0, -1.0, 0.0], [9.0, 9.0, 9.0], [3.0, -3.0, 0.0], [-1.0, 1.0, 0.0]])
    assert list(strongest(fields, 3)) == [2, 0, 3]  # the even one is last, and of equal ones the first comes first
    assert list(strongest(fields, 9)) == [2, 0, 3, 1]


def test_smoothness_of_patterns_that_are_known():
    rows, columns = np.mgrid[:28, :28]
    board = np.where((rows + columns) % 2, 1.0, -1.0)
    stripes = np.where(rows % 2, 1.0, -1.0)  # neighbours to the right are alike, those below opposite: 28 * 27 each
    wave = np.cos(2 * np.pi * rows / 28) + np.cos(2 * np.pi * columns / 28)
    random = numbers((500, 784), 3)
    found = smoothness([board.ravel(), stripes.ravel(), wave.ravel()], (28, 28))
    assert found[:2] == pytest.approx([-1.0, 0.0], abs=1e-12)
    assert found[2] > 0.95
    each = smoothness(random, (28, 28))
    assert abs(each.mean()) < 5.0 * each.std() / np.sqrt(500)  # five standard errors
    assert each.std() == pytest.approx(1 / np.sqrt(2 * 28 * 27), rel=0.2)  # of so many pairs
    assert np.isnan(smoothness(np.ones((1, 784)), (28, 28)))[0]
