"""Angles between what one rule teaches and what another would, in degrees.

All angles are signed: from 0 (the same direction) by 90 (no relation) to 180 (the opposite). `folded` is what Lillicrap
et al. 2016 (doi:10.1038/ncomms13276) print, whose |cos| takes an obtuse angle for an acute one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray


def row_angles(u: Array, v: Array) -> Array:
    """(n,) angles between the rows of u and v, (n, d) both; nan where a row is zero."""
    # By the half-angle, which is exact near 0 and 180 where the arccosine is not (Kahan).
    u, v = (_unit(np.asarray(rows, float)) for rows in (u, v))
    return np.degrees(2.0 * np.arctan2(np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1)))


def angle(u: Array, v: Array) -> float:
    """The angle between two arrays of one shape, as vectors of all their elements; nan if one is zero."""
    return float(row_angles(np.reshape(u, (1, -1)), np.reshape(v, (1, -1)))[0])


def folded(angles: Any) -> Any:
    """The same angles without the sign of the cosine: 0 ... 90 degrees."""
    return np.minimum(angles, 180.0 - np.asarray(angles))


def weight_angle(W: Array, B: Array) -> float:
    """Angle of W (m, n) and B^T, B (n, m)."""
    return angle(W, B.T)


def projection_angles(x: Array, W: Array, B: Array) -> Array:
    """(n,) angles of W x and B^T x, how alike both see the activities x (n, n_l)."""
    return row_angles(x @ W.T, x @ B)


def teaching_angles(delta: Array, W: Array, B: Array) -> Array:
    """(n,) angles of B delta and W^T delta, how alike both carry the errors delta (n, n_{l+1}) back."""
    return row_angles(delta @ B.T, delta @ W)


def mean_update_angles(u: Array, v: Array, a: Array, over: int = 100) -> Array:
    """Angles of two rules' mean updates <u a^T> and <v a^T>, each over `over` examples that follow each other.

    u, v (n, n_{l+1}) are what the two teach a matrix, a (n, n_l) the activities below; gives n // over angles. The
    updates of single examples have the same angle as u and v themselves: `row_angles(u, v)`.
    """
    n = len(a) // over * over
    blocks = [x[:n].reshape(-1, over, x.shape[1]) for x in (u, v, a)]
    mean_u, mean_v = (np.einsum("koi,koj->kij", rows, blocks[2]).reshape(n // over, -1) for rows in blocks[:2])
    return row_angles(mean_u, mean_v)


def _unit(rows: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        largest = np.abs(rows).max(axis=1, keepdims=True)  # first to order 1: squares of tiny numbers vanish
        rows = rows / largest
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)
