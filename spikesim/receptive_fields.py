"""Receptive fields: what of the input each neuron of a layer weighs how.

fields = receptive_fields([W1, W2], layer=2)
for unit in strongest(fields, 10):
    draw(fields[unit].reshape(28, 28))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def receptive_fields(weights: Sequence[Any], layer: int) -> Any:
    """(n, pixels) fields of the neurons of a layer, the first being 1.

    weights: matrices (pixels, n_1), (n_1, n_2), ...: from the input upwards. The field of a neuron in the first layer
    is its weights; further up it is the product of the matrices up to there, as if the layers between were linear,
    which leaves out what their nonlinearity does.
    """
    field = np.asarray(weights[0], dtype=np.float64)
    for above in weights[1:layer]:
        field = field @ np.asarray(above, dtype=np.float64)
    return field.T


def strongest(fields: Any, n: int) -> Any:
    """The numbers of the n neurons whose fields (neurons, pixels) have the largest norm about their own mean, the
    strongest first; of equal ones the lower number."""
    fields = np.asarray(fields)
    norm = np.linalg.norm(fields - fields.mean(axis=1, keepdims=True), axis=1)
    return np.argsort(-norm, kind="stable")[:n]


def smoothness(fields: Any, shape: tuple[int, int]) -> Any:
    """(neurons,) correlation between weights of pixels that are neighbours, to the right or below, in an image of
    `shape` (rows, columns): about 0 of random weights, towards 1 of a field that has learned shapes; NaN of a field
    that is the same everywhere. It is about the field's own mean and variance (Moran's I with such neighbours).
    """
    images = np.asarray(fields, dtype=np.float64).reshape(-1, *shape)
    images = images - images.mean(axis=(1, 2), keepdims=True)
    beside, below = images[:, :, 1:] * images[:, :, :-1], images[:, 1:] * images[:, :-1]
    pairs = beside[0].size + below[0].size
    variance = np.mean(images**2, axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (beside.sum(axis=(1, 2)) + below.sum(axis=(1, 2))) / pairs / variance
