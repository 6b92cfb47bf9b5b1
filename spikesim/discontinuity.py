"""Causal effects from a threshold: regression discontinuity.

A neuron fires when the highest drive Z of a window reaches its threshold. Windows in which Z just reached it and
windows in which it just did not are alike in all else, whatever drives this neuron and others together. So the
difference in what follows, R, is what the spike did:

    constant    beta = <R | theta <= Z < theta + p> - <R | theta - p <= Z < theta>
    linear      beta = (line through R above, at theta) - (line through R below, at theta)

The constant model is biased as soon as R changes with Z within p, the linear one as soon as that change is not linear;
the narrower the band p, the fewer the windows that tell. With p infinite the constant model is the observed dependence,
what follows with a spike less what follows without, confounded by all that goes along with spikes.

Source: Lansdell & Kording 2023, doi:10.1371/journal.pcbi.1011005, where beta is the effect of a spike on a reward. With
what another neuron does for R, it is the strength of a synapse (Guerguiev, Kording & Richards 2020, arXiv:1910.01689);
`spikesim.causal_feedback` learns it so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim.errors import SpikesimError, unknown
from spikesim.jit import hook

MODELS = ("constant", "linear")


def constant_effect(drive: Any, outcome: Any, threshold: float, p: float | tuple[float, float]) -> Any:
    """The constant model: difference of the mean outcomes on the two sides of the threshold.

    drive
        (windows,) highest drive in each window.
    outcome
        (windows,) or (windows, outcomes): what followed.
    p
        how far from the threshold a window may be to count; two numbers: below and above it; may be infinite.

    Returns a number, or (outcomes,) numbers; NaN where a side has no window. Raises SpikesimError for shapes that do
    not go together and for p that is not positive.
    """
    below, above = (outcome for _, outcome in _sides(drive, outcome, threshold, p))
    return _mean(above) - _mean(below)


def linear_effect(drive: Any, outcome: Any, threshold: float, p: float | tuple[float, float]) -> Any:
    """The linear model: a line fitted by least squares on either side, and their difference at the threshold.

    As `constant_effect`; NaN where a side has not two different drives.
    """
    below, above = (_at_zero(*side) for side in _sides(drive, outcome, threshold, p))
    return above - below


def _sides(drive: Any, outcome: Any, threshold: float, p: Any) -> list[tuple[Any, Any]]:
    """(drive less threshold, outcome) of the windows that count, below and above."""
    x, y = np.asarray(drive, dtype=np.float64) - threshold, np.asarray(outcome, dtype=np.float64)
    if x.ndim != 1 or y.ndim not in (1, 2) or len(x) != len(y):
        raise SpikesimError(f"discontinuity: drive of shape {x.shape} and outcome of shape {y.shape}; they are "
                            "(windows,) and (windows,) or (windows, outcomes).")  # fmt: skip
    return [(x[side], y[side]) for side in _within(x, bands(p))]


def bands(p: Any) -> Any:
    """(2,) how far below and above the threshold windows count. Raises SpikesimError unless both are positive."""
    found = np.broadcast_to(np.asarray(p, dtype=np.float64), 2)
    if not (found > 0.0).all():
        raise SpikesimError(f"discontinuity: p must be positive, not {p}.")
    return found


def _within(x: Any, band: Any) -> tuple[Any, Any]:
    """Which windows count, below and above, by their drive less the threshold."""
    return (x < 0.0) & (x >= -band[0]), (x >= 0.0) & (x < band[1])


def _mean(y: Any) -> Any:
    return y.mean(axis=0) if len(y) else np.full(y.shape[1:], np.nan)[()]


def _at_zero(x: Any, y: Any) -> Any:
    """Where the line through the points is at x = 0."""
    if len(x) < 2 or not np.ptp(x) > 0.0:
        return np.full(y.shape[1:], np.nan)[()]
    apart = x - x.mean()
    slope = apart @ (y - y.mean(axis=0)) / (apart @ apart)
    return y.mean(axis=0) - slope * x.mean()


def line_at_zero(sums: Any) -> Any:
    """The same from the sums of 1, x, x^2, y and x y over all points, which can be kept while points come in.

    sums: five arrays of shapes that go together. NaN where there are not two different points.
    """
    n, x, xx, y, xy = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = n * xx - x * x
        value = (xx * y - x * xy) / spread
        return np.where(spread > 1e-12 * n * xx, value, np.nan)


@hook
def learn_line(at_theta, slope, x, y, eta):
    """(at_theta, slope) of a line y = at_theta + slope x after one step down the squared error at the point (x, y)."""
    error = at_theta + slope * x - y
    return at_theta - eta * error, slope - eta * x * error


class OnlineDiscontinuity:
    """The same estimates, learned window by window, for n neurons at a time.

    model
        "constant": of windows below the threshold the last one is kept in mind; the next one above it makes a pair
        with it, and beta moves towards their difference. "linear": a line on either side.
    p
        as in `constant_effect`.
    eta
        how far an estimate moves towards the newest pair, or the line down the squared error of the newest window.
        None: all count alike, so that beta is the mean of all pairs, or the difference of two lines of least squares.
    n
        neurons.

    `effect` is beta as it is now, (n,): NaN where nothing can be said yet. Raises SpikesimError for an unknown model,
    and for p or eta out of range.
    """

    def __init__(
        self, threshold: float, p: Any, *, model: str = "linear", eta: float | None = None, n: int = 1
    ) -> None:
        if model not in MODELS:
            raise unknown("OnlineDiscontinuity", "model", model, MODELS)
        if eta is not None and not 0.0 < eta <= 1.0:
            raise SpikesimError(f"OnlineDiscontinuity: eta must be above 0 and at most 1, not {eta:g}.")
        self.threshold, self.band, self.model, self.eta = threshold, bands(p), model, eta
        self.held = np.full(n, np.nan)  # outcome of the last window below, until it has its pair
        self.pairs, self.difference = np.zeros(n, dtype=np.int64), np.zeros(n)
        self.lines = np.zeros((2, 2, n))  # below and above: value at the threshold, slope
        self.sums = np.zeros((2, 5, n))  # below and above: of 1, x, x^2, y, x y

    def learn(self, drive: Any, outcome: Any) -> None:
        """Take in one window: drive (n,), outcome (n,) or the same number for all."""
        x = np.atleast_1d(np.asarray(drive, dtype=np.float64)) - self.threshold
        y = np.broadcast_to(np.asarray(outcome, dtype=np.float64), x.shape)
        below, above = _within(x, self.band)
        if self.model == "constant":
            ready = above & ~np.isnan(self.held)
            self.pairs[ready] += 1
            step = self.eta if self.eta is not None else 1.0 / self.pairs[ready]
            self.difference[ready] += step * (y[ready] - self.held[ready] - self.difference[ready])
            self.held[above] = np.nan
            self.held[below] = y[below]
            return
        for k, side in enumerate((below, above)):
            at, to = x[side], y[side]
            self.sums[k, :, side] += np.stack([np.ones_like(at), at, at * at, to, at * to], axis=1)
            if self.eta is not None:
                self.lines[k, :, side] = np.stack(learn_line(*self.lines[k, :, side].T, at, to, self.eta), axis=1)

    @property
    def effect(self) -> Any:
        """(n,) beta."""
        if self.model == "constant":
            return np.where(self.pairs > 0, self.difference, np.nan)
        if self.eta is None:
            return line_at_zero(self.sums[1]) - line_at_zero(self.sums[0])
        return np.where((self.sums[:, 0] > 0).all(axis=0), self.lines[1, 0] - self.lines[0, 0], np.nan)
