"""Layers of rate units that learn from an error, however it is carried back.

    net = RateLayers((784, 1000, 10), ("logistic", "logistic"), omega=0.05, beta=0.5, transport="fixed", seed=1)
    a = net.forward(x)  # x (n, 784): a row an example; a[k] (n, n_k) are the activities of layer k, a[0] is x
    delta = net.backward(a, target - a[-1])  # delta[k] (n, n_{k+1}): -dL/d(drive of layer k+1), or what stands for it
    net.update(a, delta, eta=1e-3)  # W[k] += eta <delta[k] a[k]^T>, the mean over the n examples

Arrays, which may be read and set (the shapes stay):

    W[k] (n_{k+1}, n_k)     forward weights, a[k+1] = f(W[k] a[k] + b[k]);   k = 0 ... layers - 1
    b[k] (n_{k+1},)         biases; zeros that do not learn if biases=False
    B[k] (n_k, n_{k+1})     backward weights, the shape of W[k]^T; (n_k, n_output) where the error is broadcast;
                            B[0] is None: inputs need no error
    present[k], present_back[k]   None, or 0 and 1 in the shape of W[k], B[k]: which synapses exist (`prune`)

`carriers(name)` gives the matrices that a way of transport uses, whatever the network's own: with them, and with
`backward(a, error, "transpose")`, what one rule teaches is compared with what another would (`spikesim.angles`).

The loss is L = 1/2 |e|^2 with e = target - a[-1]. With loss="cross_entropy" (outputs logistic) the slope of the output
cancels, and delta[-1] = e. A rule of one's own for B reads a and delta and changes net.B[k] before or after `update`.

Lillicrap, Cownden, Tweed & Akerman 2016, doi:10.1038/ncomms13276; broadcast: Noekland 2016, arXiv:1609.01596.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import expit, xlog1py, xlogy

from spikesim.errors import SpikesimError, unknown
from spikesim.rng import Stream

Array = np.ndarray

#: name -> (f of the drive, its slope as a function of the activity f)
ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Any]]] = {
    "linear": (lambda z: z, lambda a: 1.0),
    "tanh": (np.tanh, lambda a: 1.0 - a * a),
    "logistic": (expit, lambda a: a * (1.0 - a)),
    "relu": (lambda z: np.maximum(z, 0.0), lambda a: (a > 0.0).astype(a.dtype)),
}
#: How an error reaches a layer: by W^T (backpropagation), by B (feedback alignment), by the Moore-Penrose inverse of W
#: (pseudo-backpropagation), or from the output straight to every layer by B (direct broadcast).
TRANSPORTS = ("transpose", "fixed", "pseudo_inverse", "broadcast")
LOSSES = ("squared", "cross_entropy")
DISTRIBUTIONS = ("uniform", "normal")
_BACKWARD = 1000  # streams of the backward weights begin here, those of the forward ones at 0


class RateLayers:
    """A feed-forward network of rate units and its weights.

    Parameters
    ----------
    sizes
        Units of each layer, the input first.
    activations
        One of ACTIVATIONS for each layer but the input.
    omega, beta
        Half-width of the uniform initial W and B, or standard deviation of normal ones; a number, or one a matrix.
    biases
        Whether there are biases; they begin at 0.
    transport, loss, distribution
        One of TRANSPORTS, LOSSES, DISTRIBUTIONS.
    dtype
        float64 or float32, of all arrays.

    Raises SpikesimError for names and shapes that do not fit.
    """

    def __init__(
        self, sizes: Sequence[int], activations: Sequence[str], *, omega: float | Sequence[float],
        beta: float | Sequence[float] = 0.5, transport: str = "transpose", loss: str = "squared", biases: bool = True,
        distribution: str = "uniform", seed: int = 1, dtype: Any = np.float64,
    ) -> None:  # fmt: skip
        for what, name, allowed in (("transport", transport, TRANSPORTS), ("loss", loss, LOSSES),
                                    ("distribution", distribution, DISTRIBUTIONS)):  # fmt: skip
            _known(what, name, allowed)
        for name in activations:
            _known("activation", name, ACTIVATIONS)
        if len(sizes) < 2 or len(activations) != len(sizes) - 1 or min(sizes) < 1:
            raise SpikesimError(f"RateLayers: sizes are two or more numbers of units, with an activation for each "
                                f"layer but the first, not {tuple(sizes)} with {tuple(activations)}.")  # fmt: skip
        if loss == "cross_entropy" and activations[-1] != "logistic":
            raise SpikesimError(f"RateLayers: cross_entropy needs logistic outputs, not {activations[-1]}.")
        self.sizes, self.activations, self.dtype = tuple(sizes), tuple(activations), np.dtype(dtype)
        self.transport, self.loss, self.biases = transport, loss, biases
        self.layers = len(sizes) - 1

        def drawn(rows: int, columns: int, width: float, index: int) -> Array:
            stream, n = Stream(seed, "WEIGHT", index), rows * columns
            values = 2.0 * stream.uniform(n) - 1.0 if distribution == "uniform" else stream.normal(n)
            return (width * values).reshape(rows, columns).astype(self.dtype)

        pairs, omegas, betas = list(zip(sizes, sizes[1:], strict=False)), self._each(omega), self._each(beta)
        self.W = [drawn(above, below, omegas[k], k) for k, (below, above) in enumerate(pairs)]
        self.b = [np.zeros(above, self.dtype) for _, above in pairs]
        self.B: list[Any] = [None]
        for k, (below, above) in enumerate(pairs[1:], 1):
            self.B.append(drawn(below, sizes[-1] if transport == "broadcast" else above, betas[k], _BACKWARD + k))
        self.present: list[Array | None] = [None] * self.layers
        self.present_back: list[Array | None] = [None] * self.layers

    def _each(self, width: float | Sequence[float]) -> list[float]:
        widths = [float(width)] * self.layers if np.ndim(width) == 0 else [float(w) for w in width]  # type: ignore
        if len(widths) != self.layers:
            raise SpikesimError(f"RateLayers: {len(widths)} widths were given for {self.layers} matrices.")
        return widths

    def forward(self, x: Array) -> list[Array]:
        """Activities of every layer, (n, n_k) each, for the inputs x (n, n_0), which come first."""
        a = [np.asarray(x, self.dtype)]
        for k in range(self.layers):
            a.append(self.activate(self.drive(a[k], k), k + 1))
        return a

    def drive(self, a: Array, k: int) -> Array:
        """W[k] a + b[k] for each row of a (n, n_k): (n, n_{k+1})."""
        return a @ self.W[k].T + self.b[k] if self.biases else a @ self.W[k].T

    def activate(self, z: Array, k: int) -> Array:
        """f of layer k, 1 or later, at the drive z (n, n_k)."""
        return ACTIVATIONS[self.activations[k - 1]][0](z)

    def slope(self, a: Array, k: int) -> Any:
        """f' of layer k, 1 or later, where its activities are a."""
        return ACTIVATIONS[self.activations[k - 1]][1](a)

    def losses(self, y: Array, target: Array) -> Array:
        """(n,) the loss of each example with the output y (n, n_output)."""
        if self.loss == "cross_entropy":
            return -(xlogy(target, y) + xlog1py(1.0 - target, -y)).sum(axis=1)
        return 0.5 * ((target - y) ** 2).sum(axis=1)

    def carriers(self, transport: str | None = None) -> list[Any]:
        """The matrices (n_k, n_{k+1}) that carry the error to the layers 1, 2, ...; None for layer 0."""
        transport = self.transport if transport is None else _known("transport", transport, TRANSPORTS)
        if transport == "transpose":
            return [None, *(W.T for W in self.W[1:])]
        if transport == "pseudo_inverse":
            return [None, *(np.linalg.pinv(W) for W in self.W[1:])]
        return self.B

    def backward(self, a: list[Array], error: Array, transport: str | None = None) -> list[Array]:
        """What teaches each matrix, (n, n_{k+1}) for W[k], from the activities and the error (n, n_output)."""
        return self._carry(a, error, transport)[1]

    def signals(self, a: list[Array], error: Array, transport: str | None = None) -> list[Array]:
        """The errors as they get to each hidden layer, (n, n_k) for k = 1, 2, ...: `backward` without the slope."""
        return self._carry(a, error, transport)[0]

    def _carry(self, a: list[Array], error: Array, transport: str | None) -> tuple[list[Array], list[Array]]:
        transport = self.transport if transport is None else transport
        carrier = self.carriers(transport)
        top = error if self.loss == "cross_entropy" else error * self.slope(a[-1], self.layers)
        arrived: list[Array] = []
        delta = [top]
        for k in range(self.layers - 1, 0, -1):
            arrived.insert(0, (top if transport == "broadcast" else delta[0]) @ carrier[k].T)
            delta.insert(0, arrived[0] * self.slope(a[k], k))
        return arrived, delta

    def gradients(self, a: list[Array], delta: list[Array]) -> list[Array]:
        """<delta[k] a[k]^T> over the examples, of the shape of W[k]: the downhill direction where delta is exact."""
        return [(d.T @ below) / len(d) for d, below in zip(delta, a, strict=False)]

    def update(self, a: list[Array], delta: list[Array], eta: float | Sequence[float], decay: float = 0.0) -> None:
        """Learn: W += eta (<delta a^T> - decay W), b += eta <delta>. `eta`: a number, or one a matrix."""
        etas = self._each(eta)
        for k, change in enumerate(self.gradients(a, delta)):
            if decay:
                change -= decay * self.W[k]
            if self.present[k] is not None:
                change *= self.present[k]
            self.W[k] += etas[k] * change
            if self.biases:
                self.b[k] += etas[k] * delta[k].mean(axis=0)

    def prune(self, share: float, seed: int) -> None:
        """Delete this share of the synapses of every W and B but the first W, each at random and for good."""
        for k in range(1, self.layers):
            kept = [Stream(seed, "CONNECT", index).uniform(matrix.size).reshape(matrix.shape) >= share
                    for index, matrix in ((k, self.W[k]), (_BACKWARD + k, self.B[k]))]  # fmt: skip
            self.present[k], self.present_back[k] = (each.astype(self.dtype) for each in kept)
            self.W[k] *= self.present[k]
            self.B[k] *= self.present_back[k]


def _known(what: str, name: str, allowed: Any) -> str:
    if name not in allowed:
        raise unknown("RateLayers", what, str(name), allowed)
    return name
