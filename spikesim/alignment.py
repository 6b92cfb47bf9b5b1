"""Backward weights that learn: the primitives of Kunin et al. 2020, and the strategies that are made of them.

Errors pass a layer y = W x backwards by B, of the shape of W^T. Each primitive is a regulariser R of B, and B goes
downhill on a weighted sum of them, while W goes downhill on the task with the errors that B brings:

    B <- B - eta sum_k c_k dR_k/dB

    primitive   R               dR/dB      what it needs to know at a synapse of B
    decay       1/2 |B|^2       B          its weight
    amp         -x^T B y        -x y^T     the activities at its two ends
    null        1/2 |B y|^2     B y y^T    the activity above, and what B makes of it below
    sparse      1/2 |x^T B|^2   x x^T B    what B would make of the activity below, were it to carry that up: not local
    self        -tr(B W)        -W^T       the forward weight: not local

averaged over examples. The factor 1/2 is the paper's. The authors' program leaves it out, so decay, null and sparse
count double there; `STRATEGIES` has the coefficients of that program as they are to be given here.

Nothing here knows a network: x and y may be the activities of rate units or mean rates of spiking neurons.

Kunin, Nayebi, Sagastuy-Brena, Ganguli, Bloom & Yamins 2020, doi:10.48550/arXiv.2003.01513, table 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from spikesim.errors import SpikesimError, unknown

Array = np.ndarray


def _mean(u: Array, v: Array) -> Array:
    """<u v^T> over examples, one a row."""
    return u.T @ v / len(u)


#: name -> dR/dB as a function of B (n, m), W (m, n) and examples x (k, n) and y (k, m), one a row
PRIMITIVES: dict[str, Callable[[Array, Array, Array, Array], Array]] = {
    "decay": lambda B, W, x, y: B,
    "amp": lambda B, W, x, y: -_mean(x, y),
    "null": lambda B, W, x, y: _mean(y @ B.T, y),
    "sparse": lambda B, W, x, y: _mean(x, x @ B),
    "self": lambda B, W, x, y: -W.T,
}


class Strategy(NamedTuple):
    """Coefficients of primitives; where the task is `shared`, B also changes as W^T does, and W decays as B does."""

    coefficients: Mapping[str, float]
    shared: bool = False


#: What B settles at, if W and the covariance S = <x x^T> stay as they are, is told behind each; see `fixed_point`.
STRATEGIES = {
    "feedback_alignment": Strategy({}),  # where it began
    "weight_mirror": Strategy({"decay": 2e-3, "amp": 1e-3}),  # S W^T / 2
    "information_alignment": Strategy({"decay": 2e-3, "amp": 2e-3, "null": 2e-3}),  # S W^T (W S W^T + 1)^-1
    "symmetric_alignment": Strategy({"decay": 2e-3, "self": 2e-3}),  # W^T
    "activation_alignment": Strategy({"amp": 2e-3, "sparse": 2e-3}),  # W^T on the span of x
    "kolen_pollack": Strategy({"decay": 2e-3}, shared=True),  # W^T, with W going on
}


def align(B: Array, W: Array, x: Array, y: Array, coefficients: Mapping[str, float], eta: float) -> Array:
    """B (n, m) after one step down the slope of sum_k c_k R_k; W (m, n), x (k, n) and y (k, m), or one example (n,) and
    (m,). For an eta c that is too large for the activities B diverges: eta c_sparse <x x^T> must stay below 2.

    `coefficients` are names of PRIMITIVES with their c_k. Raises SpikesimError for other names, and for shapes that do
    not fit.
    """
    x, y = np.atleast_2d(x), np.atleast_2d(y)
    if not (B.shape == W.shape[::-1] == (x.shape[1], y.shape[1]) and len(x) == len(y)):
        raise SpikesimError(f"align: B {B.shape} is the backward weights of W {W.shape}, with x {x.shape} below and "
                            f"y {y.shape} above; shapes are (n, m), (m, n), (k, n) and (k, m).")  # fmt: skip
    change = sum(c * PRIMITIVES[name](B, W, x, y) for name, c in checked(coefficients).items())
    return B - eta * change


def fixed_point(W: Array, S: Array, coefficients: Mapping[str, float]) -> Array:
    """The B (n, m) at which `align` stays on average, for y = W x and the covariance S (n, n) = <x x^T>.

    All slopes together vanish where the Sylvester equation holds,

        c_sparse S B + B (c_decay + c_null W S W^T) = (c_amp S + c_self) W^T.

    Raises SpikesimError where there is no one such B, with amp alone for instance.
    """
    from scipy.linalg import solve_sylvester

    c = {**dict.fromkeys(PRIMITIVES, 0.0), **checked(coefficients)}
    left, right = c["sparse"] * S, c["decay"] * np.eye(len(W)) + c["null"] * W @ S @ W.T
    if np.linalg.eigvalsh(left)[0] + np.linalg.eigvalsh(right)[0] <= 1e-12 * (abs(left).max() + abs(right).max()):
        raise SpikesimError(f"fixed_point: nothing holds B in all directions with {dict(coefficients)}; "
                            "it takes decay, or sparse or null where activities go in all directions.")  # fmt: skip
    return solve_sylvester(left, right, c["amp"] * S @ W.T + c["self"] * W.T)


def checked(coefficients: Mapping[str, float]) -> Mapping[str, float]:
    """The same. Raises SpikesimError for what is no primitive."""
    for name in coefficients:
        if name not in PRIMITIVES:
            raise unknown("spikesim.alignment", "primitive", name, PRIMITIVES)
    return coefficients


def coefficients_of(text: str) -> dict[str, float]:
    """The coefficients {"decay": 2e-3, "amp": 1e-3} of "decay=2e-3,amp=1e-3". Raises SpikesimError for what is none."""
    found = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise SpikesimError(f"coefficients are like decay=2e-3,amp=1e-3, of {', '.join(PRIMITIVES)}; "
                                f"{text!r} is not.") from None  # fmt: skip
    if not np.isfinite(list(found.values())).all():
        raise SpikesimError(f"coefficients are finite numbers; {text!r} are not.")
    return dict(checked(found))
