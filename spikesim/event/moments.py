"""Moments: a whole number of picoseconds (int64), and a remainder of at least 0 and below 1 (float64).

Intervals and delays are float64 picoseconds: whole ones are exact up to 2**53, which is two hours and a half.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

PS = 1e9  # picoseconds in a millisecond
STEP = 1e-9  # ms: a step of an event-driven network's clock, by which runs, samples and changes of rates are counted
NEVER = 1 << 62  # ps; no run comes to it

#: How far from a whole number of picoseconds, relative to itself, a time may be and still mean it: what a few
#: operations on float64 round off.
ROUNDED = 1e-15

#: Marks what the loop calls: functions of numbers and elements of arrays. Without counting references to arrays, which
#: takes most of the time that Numba needs to compile them, and of the time that they need.
inner = register_jitable(_nrt=False)


def picoseconds(ms: Any) -> np.ndarray:
    """float64 ps; what is a decimal number of up to nine places in ms is whole."""
    return snapped(np.asarray(ms, dtype=np.float64) * PS)


def snapped(ps: Any) -> np.ndarray:
    """What is meant to be whole is so."""
    whole = np.rint(ps)
    return np.where(np.abs(ps - whole) <= ROUNDED * np.abs(ps), whole, ps)


def moments(ms: Any) -> tuple[np.ndarray, np.ndarray]:
    """(whole ps, remainder) of times in ms."""
    ps = picoseconds(ms)
    whole = np.floor(ps)
    return whole.astype(np.int64), ps - whole


def milliseconds(whole: Any, rest: Any = 0.0) -> np.ndarray:
    """float64 ms of moments, rounded once where they are below 2**53 ps."""
    return (np.asarray(whole, dtype=np.float64) + rest) / PS


@inner
def before(s1, r1, s2, r2):
    """Whether the first moment is earlier than the second."""
    return s1 < s2 or (s1 == s2 and r1 < r2)


@inner
def after(s, r, ps):
    """The moment `ps` (float64, >= 0) after (s, r)."""
    if not ps < NEVER:
        return NEVER, 0.0
    whole = int(ps)
    rest = r + (ps - whole)
    if rest >= 1.0:
        return s + whole + 1, rest - 1.0
    return s + whole, rest


@inner
def interval(s1, r1, s2, r2):
    """ms from the first moment to the second."""
    return (float(s2 - s1) + (r2 - r1)) * 1e-9
