"""Distributions that weights, delays, parameters and initial values may be drawn from.

    net.connect(a, b, FixedIndegree(100), weight=Normal(45.0, 4.5), delay=Uniform(0.1, 3.0))

Each has `ppf(u)`, the inverse of its distribution function, and draws by it at uniform numbers: one position of the
stream for each value, so that the i-th value belongs to the i-th synapse or neuron however the sampling is split.
Arguments have the unit of what is drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.errors import SpikesimError

if TYPE_CHECKING:
    from spikesim.rng import Stream


class Distribution:
    """Base of all distributions: frozen, with finite numbers for arguments unless said otherwise."""

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            try:
                number = float(value)
            except (TypeError, ValueError):
                raise SpikesimError(f"{self._name}: {field.name} is a number, not {value!r}.") from None
            if math.isnan(number) or (math.isinf(number) and field.name not in ("low", "high")):
                raise SpikesimError(f"{self._name}: {field.name} must be finite, not {number}.")
            object.__setattr__(self, field.name, number)
        self._check()

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _check(self) -> None:
        """Raise SpikesimError unless the arguments go together."""

    def _require(self, name: str, minimum: str) -> None:
        value = getattr(self, name)
        if value < 0 or (value == 0 and minimum == "> 0"):
            raise SpikesimError(f"{self._name}: {name} must be {minimum}, not {value:g}.")

    def ppf(self, u: np.ndarray) -> np.ndarray:
        """The values, float64, below which a share u of all lie; 0 < u < 1."""
        raise NotImplementedError

    def sample(self, stream: Stream, n: int) -> np.ndarray:
        """`n` independent values, float64 of shape (n,)."""
        return self.ppf(stream.uniform(n))


@dataclass(frozen=True)
class Normal(Distribution):
    """Gaussian of the given mean and standard deviation (>= 0)."""

    mean: float
    std: float

    def _check(self) -> None:
        self._require("std", ">= 0")

    def ppf(self, u: np.ndarray) -> np.ndarray:
        from scipy.special import ndtri

        return self.mean + self.std * ndtri(u)


@dataclass(frozen=True)
class TruncatedNormal(Distribution):
    """Gaussian on condition that low <= value <= high; `mean` and `std` (> 0) are those before the cut.

    Raises SpikesimError also when the limits leave less than 1e-300 of the Gaussian.
    """

    mean: float
    std: float
    low: float = -math.inf
    high: float = math.inf

    def _check(self) -> None:
        self._require("std", "> 0")
        if not self.low < self.high:
            raise SpikesimError(f"{self._name}: low ({self.low:g}) must be below high ({self.high:g}).")
        below, above, _ = self._limits()
        if not above - below > 1e-300:
            raise SpikesimError(
                f"{self._name}: nothing is left of a normal distribution of mean {self.mean:g} and std "
                f"{self.std:g} between {self.low:g} and {self.high:g}."
            )

    def _limits(self) -> tuple[float, float, float]:
        """The distribution function at both limits, mirrored (sign -1) where they lie in the upper half:
        there it would be 1 but for a difference that floating-point numbers cannot hold."""
        from scipy.special import ndtr

        low, high = (self.low - self.mean) / self.std, (self.high - self.mean) / self.std
        if low > 0:
            return float(ndtr(-high)), float(ndtr(-low)), -1.0
        return float(ndtr(low)), float(ndtr(high)), 1.0

    def ppf(self, u: np.ndarray) -> np.ndarray:
        from scipy.special import ndtri

        below, above, sign = self._limits()
        u = u if sign > 0 else 1.0 - u  # mirrored: rises with u all the same
        values = self.mean + sign * self.std * ndtri(below + (above - below) * u)
        return np.clip(values, self.low, self.high)  # rounding may have gone past


@dataclass(frozen=True)
class Lognormal(Distribution):
    """exp(X) with X Gaussian of mean `mean_log` and standard deviation `sigma_log` (>= 0).

    As in NEST, the arguments are those of the logarithm, without a unit of their own. The median is
    exp(mean_log), the mean exp(mean_log + sigma_log**2 / 2).
    """

    mean_log: float
    sigma_log: float

    def _check(self) -> None:
        self._require("sigma_log", ">= 0")

    def ppf(self, u: np.ndarray) -> np.ndarray:
        from scipy.special import ndtri

        return np.exp(self.mean_log + self.sigma_log * ndtri(u))


@dataclass(frozen=True)
class Uniform(Distribution):
    """Every value between low and high, both finite, is equally likely."""

    low: float
    high: float

    def _check(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise SpikesimError(
                f"{self._name}: low ({self.low:g}) and high ({self.high:g}) must be finite and in this order."
            )

    def ppf(self, u: np.ndarray) -> np.ndarray:
        return self.low + (self.high - self.low) * u


@dataclass(frozen=True)
class Exponential(Distribution):
    """Density exp(-x / mean) / mean for x > 0, with mean > 0."""

    mean: float

    def _check(self) -> None:
        self._require("mean", "> 0")

    def ppf(self, u: np.ndarray) -> np.ndarray:
        return -self.mean * np.log1p(-u)


def is_number(value: Any) -> bool:
    """Whether `value` is one plain number, as distinct from an array or a distribution."""
    return np.ndim(value) == 0 and isinstance(value, (int, float, np.number))


def sample(value: Any, n: int, stream: Stream, what: str) -> np.ndarray:
    """`value` as a float64 array of shape (n,), fresh and writable.

    `value` is a number, an array of n numbers, a distribution of this file or anything with the inverse
    distribution function `ppf` of SciPy's frozen distributions. Raises SpikesimError, naming `what`, when it
    is none of these, has another length, or holds NaN or infinite numbers.
    """
    if not hasattr(value, "ppf"):
        return numbers(value, n, what)
    return _finite(np.asarray(value.ppf(stream.uniform(n)), dtype=np.float64), what)


def _finite(values: np.ndarray, what: str) -> np.ndarray:
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise SpikesimError(
            f"{what}: {bad.size} of {values.size} values are NaN or infinite; the first, at index {bad[0]}, is "
            f"{values[bad[0]]}."
        )
    return values


def numbers(value: Any, n: int, what: str) -> np.ndarray:
    """A number or an array of n numbers as a float64 array of shape (n,), fresh and writable; raises SpikesimError for
    anything else."""
    try:
        given = np.asarray(value)
        if given.dtype.kind not in "iuf":
            raise TypeError
    except (TypeError, ValueError):  # ValueError: lists of unequal lengths
        raise SpikesimError(f"{what} is a number, an array or a distribution, not {value!r}.") from None
    if given.ndim == 0:
        return _finite(np.full(n, given, dtype=np.float64), what)
    if given.shape != (n,):
        shape = f"length {given.size}" if given.ndim == 1 else f"shape {given.shape}"
        raise SpikesimError(f"{what} has {shape}, but length {n} is needed: one number for each.")
    return _finite(given.astype(np.float64), what)
