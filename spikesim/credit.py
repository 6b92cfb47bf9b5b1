"""How well a network that is taught by feedback assigns credit: its updates beside backpropagation's, and whether what
comes back inverts what goes forth.

Layers are rate units sigma(V) of the mean potentials V that a network of spiking neurons had; sigma(v) = 1/(1 + e^-v).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from spikesim.angles import angle
from spikesim.rng import Stream


def sigma(v: Any) -> Any:
    """1 / (1 + e^-v), of an array."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(v, dtype=np.float64)))


def slope(v: Any) -> Any:
    """The derivative of `sigma`."""
    return sigma(v) * (1.0 - sigma(v))


def backpropagated(delta: Any, weights: Any, potentials: Any) -> Any:
    """The error signal (m,) that backpropagation gives a layer of mean `potentials` (m,), from that of the next layer,
    `delta` (n,), and the `weights` (m, n) between them."""
    return (np.asarray(weights) @ np.asarray(delta)) * slope(potentials)


def jacobians(weights: Any, feedback: Any, potentials: Any, phi_max: float, k_d: float) -> tuple[Any, Any]:
    """(J_beta, J_gamma), shapes (n, m) and (m, n), of the way forth and the way back between a hidden layer of m and an
    output layer of n neurons:

        beta(x) = phi_max sigma(k_d W x),   gamma(x) = sigma(Y x)                  (Theorem 1, doi:10.7554/eLife.22901)

    at the mean `potentials` (n,) of the output. weights, feedback: W (n, m), Y (m, n); phi_max: spikes/ms.
    """
    back = np.asarray(feedback) @ (phi_max * sigma(potentials))
    return (phi_max * slope(potentials))[:, None] * k_d * np.asarray(weights), slope(back)[:, None] * feedback


def mismatch(product: Any) -> float:
    """The largest eigenvalue of (I - J)^T (I - J) for J (n, n): below 1, a small step towards the hidden layer's target
    makes the output's error smaller (doi:10.7554/eLife.22901, Theorem 1)."""
    away = np.eye(len(product)) - product
    return float(np.linalg.eigvalsh(away.T @ away)[-1])


class Alignment:
    """`mismatch` over the last images: of the product of the mean Jacobians, as it was published, and of the mean of
    their products, as the authors' program has it."""

    def __init__(self, images: int = 100) -> None:
        self._last: deque[tuple[Any, Any, Any]] = deque(maxlen=images)
        self._sums: list[Any] = []

    def look(self, forth: Any, back: Any) -> None:
        """Take up what `jacobians` gave for one image."""
        seen = forth, back, forth @ back
        oldest = self._last[0] if len(self._last) == self._last.maxlen else [0.0, 0.0, 0.0]
        self._sums = [s + new - old for s, new, old in zip(self._sums or [0.0, 0.0, 0.0], seen, oldest, strict=True)]
        self._last.append(seen)

    def product_of_means(self) -> Any:
        """(n, n)."""
        return self._sums[0] @ self._sums[1] / len(self._last) ** 2

    def mean_of_products(self) -> Any:
        """(n, n)."""
        return self._sums[2] / len(self._last)


class CreditMeter:
    """Follows how credit is assigned while a network learns.

    series: name -> list, of numbers one for each look:

    lesson
        its number.
    angle_1, angle_2, ...
        degrees, signed: between the update of the basal weights of each hidden layer and that of backpropagation, with
        the weights as they were, in the network of rate units. Both are outer products with the same activities below,
        so it is the angle of the two error signals.
    mu, mu_of_products
        `mismatch` between the last hidden layer and the output, by `Alignment`, both ways.
    off_identity
        ||J_beta J_gamma - I|| / ||I||, Frobenius, of the product of the means.

    and of more:

    product_lesson, product
        the lesson, and the product of the mean Jacobians, at every 100th look.
    losses_lesson, losses, losses_shuffled
        how many lessons were over when `correlate` was called, and what it found.
    """

    def __init__(self, hidden: int, phi_max: float, k_d: float) -> None:
        angles = [f"angle_{k + 1}" for k in range(hidden)]
        self.series: dict[str, list[Any]] = {name: [] for name in ("lesson", *angles, *_ALIGNED, *_SELDOM)}
        self.phi_max, self.k_d, self.alignment = phi_max, k_d, Alignment()

    def look(self, lesson: int, weights: list[Any], feedback: Any, potentials: list[Any], deltas: list[Any]) -> None:
        """Take up one lesson.

        weights: (m, n) matrices, as they were before it, from the first hidden layer to the output; feedback: (m, n) of
        the last hidden layer; potentials, deltas: mean potentials and error signals of all layers, the output the last.
        """
        self.series["lesson"].append(lesson)
        taught = deltas[-1]
        for k in range(len(weights) - 1, -1, -1):
            taught = backpropagated(taught, weights[k], potentials[k])
            self.series[f"angle_{k + 1}"].append(angle(deltas[k], taught))
        self.alignment.look(*jacobians(weights[-1].T, feedback, potentials[-1], self.phi_max, self.k_d))
        product = self.alignment.product_of_means()
        away = np.linalg.norm(product - np.eye(len(product))) / np.sqrt(len(product))
        found = mismatch(product), mismatch(self.alignment.mean_of_products()), float(away)
        for name, value in zip(_ALIGNED, found, strict=True):
            self.series[name].append(value)
        if len(self.series["lesson"]) % PRODUCTS == 0:
            self.series["product_lesson"].append(lesson)
            self.series["product"].append(product.tolist())

    def correlate(self, lesson: int, labels: Any, losses: Callable[[Any], Any], seed: int) -> None:
        """Take up the correlations of losses over test images of these `labels` (images,): `losses` gives the hidden
        and the output layer's, (2, images), of images that are given by number; `seed` is that of the shuffling."""
        hidden, output = losses(np.arange(len(labels)))
        each, shuffled = class_correlations(labels, hidden, output, seed)
        for name, value in zip(_SELDOM[2:], (lesson, each, shuffled), strict=True):
            self.series[name].append(value)


PRODUCTS = 100  # looks between two products that are kept
_ALIGNED = ("mu", "mu_of_products", "off_identity")
_SELDOM = ("product_lesson", "product", "losses_lesson", "losses", "losses_shuffled")


def loss_correlation(hidden: Any, output: Any) -> float:
    """Pearson's correlation of the hidden and the output layer's losses over images, (images,) each; NaN of fewer than
    three."""
    return float(np.corrcoef(hidden, output)[0, 1]) if len(hidden) > 2 else float("nan")


def class_correlations(labels: Any, hidden: Any, output: Any, seed: int) -> tuple[list[float], list[float]]:
    """`loss_correlation` over the images of each class in turn, and of images of that class paired at random, which
    tells what chance makes. labels, hidden, output: (images,)."""
    found: list[tuple[float, float]] = []
    for label in range(int(np.max(labels)) + 1):
        own = np.flatnonzero(np.asarray(labels) == label)
        mixed = own[Stream(seed, "SAMPLE", label).permutation(len(own))]
        found.append((loss_correlation(hidden[own], output[own]), loss_correlation(hidden[own], output[mixed])))
    return [each for each, _ in found], [shuffled for _, shuffled in found]
