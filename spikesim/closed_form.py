"""`drift` of traces alone, integrated exactly.

Between two spikes every trace is a sum of exponentials. Where dw/dt is a sum of products of one presynaptic and one
postsynaptic trace (or one of either side, or a constant), and does not depend on w, its integral is a sum of terms

    c x(0) y(0) (1 - e^(-r T)) / r,   r = 1/tau_x + 1/tau_y.

Whether a rule is of that form is found out by asking it: its `drift` is called with one trace of each side at a time,
which tells the coefficients c, and then with numbers at random, which must give what the coefficients say.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from spikesim.plasticity import Rule

TRIALS = 40


def coefficients(rule: Rule) -> np.ndarray | None:
    """(1 + pre traces, 1 + post traces) coefficients of the products of traces in dw/dt, index 0 standing for the
    factor 1; None where dw/dt is not such a sum."""
    if rule.signals or rule.post_state or rule.drift is None:
        return None
    kind: Any = type(rule)
    try:
        return _probe(kind, rule.hook_params())
    except Exception:  # it cannot be asked at 0, or not that far away
        return None


@functools.lru_cache
def _probe(kind: Any, p: Any) -> np.ndarray | None:
    n_pre, n_post = len(kind.Pre._fields), len(kind.Post._fields)

    def drift(w: float, x: Any, y: Any) -> float:
        return kind.drift(w, kind.Pre(*map(float, x)), kind.Post(*map(float, y)), p)

    def single(n: int) -> np.ndarray:
        return np.vstack([np.zeros(n), np.eye(n)])

    table = np.array([[drift(kind.w_start, x, y) for y in single(n_post)] for x in single(n_pre)])
    table[1:] -= table[0]
    table[:, 1:] -= table[:, :1]
    rng = np.random.default_rng(0)
    for _ in range(TRIALS):
        w, x, y = rng.uniform(), *(10.0 ** rng.uniform(-4.0, 2.0, size=n) for n in (n_pre, n_post))
        terms = np.outer([1.0, *x], [1.0, *y]) * table
        if not math.isclose(drift(w, x, y), terms.sum(), rel_tol=1e-9, abs_tol=1e-12 * np.abs(terms).sum()):
            return None
    return table


Exponentials = Sequence[Sequence[tuple[float, float]]]


def integral(table: np.ndarray, pre: Exponentials, post: Exponentials, interval: float) -> float:
    """What dw/dt adds up to over `interval` ms.

    pre, post
        for each trace of a side its exponentials as they are at first: (value, rate in 1/ms).
    """
    one = [[(1.0, 0.0)]]
    return math.fsum(
        c * x * y * _passed(r + q, interval)
        for row, xs in zip(table, [*one, *pre], strict=True)
        for c, ys in zip(row, [*one, *post], strict=True)
        if c != 0.0
        for x, r in xs
        for y, q in ys
    )


def _passed(rate: float, interval: float) -> float:
    """Integral of e^(-rate t) over the interval."""
    return -math.expm1(-rate * interval) / rate if rate > 0.0 else interval
