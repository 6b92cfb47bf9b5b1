"""Functions that hooks may call and that numba does not have."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numba import float32, float64, int32, types
from numba.extending import overload, register_jitable

from spikesim.lowlevel import multiply_add, power_of_two, power_of_two_single

_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # together ln 2, the first in few bits


def _pade(degree: int) -> tuple[float, ...]:
    """Coefficients of r, r^2, ... in the Pade approximant of e^r with numerator and denominator of that degree."""
    m, f = degree, math.factorial
    return tuple(f(2 * m - j) * f(m) / (f(2 * m) * f(j) * f(m - j)) for j in range(1, m + 1))


_P1, _P2, _P3, _P4, _P5, _P6 = _pade(6)
_S1, _S2, _S3 = (np.float32(p) for p in _pade(3))
_ONE, _HALF, _MOST, _LOG2_E_SINGLE = np.float32(1.0), np.float32(0.5), np.float32(87.0), np.float32(_LOG2_E)
_LN2_HIGH_SINGLE = np.float32(355 / 512)
_LN2_LOW_SINGLE = np.float32(math.log(2.0) - 355 / 512)


def two_to(n):
    """2^n for a whole number -1022 <= n <= 1023."""
    return math.ldexp(1.0, int(n))


@overload(two_to)
def _two_to(n):
    if isinstance(n, types.Integer):
        return lambda n: power_of_two(n)
    return None


def fma(a, b, c):
    """a b + c, rounded once."""
    if not math.isfinite(a * b + c):
        return a * b + c
    return float(Fraction(a) * Fraction(b) + Fraction(c))


@overload(fma)
def _fma(a, b, c):
    if a == b == c and isinstance(a, types.Float):
        return lambda a, b, c: multiply_add(a, b, c)
    return None


def exp_ratio(x):
    """(a, b) with a/b = e^-x for x >= 0, to two units in the last place; beyond 708, where it is 3e-308, it stays so.

    Loops that call `math.exp` are not vectorised; those that call this are. And who divides by something else anyway
    need not divide twice. e^-x = 2^-n e^r with |r| <= ln(2)/2, where the Pade approximant of e^r is exact to 1e-18.
    Of a number in single precision the ratio is in single precision, and stays from 87 on.
    """
    return _exp_ratio(float(x))


@register_jitable
def _exp_ratio(x):
    y = min(x, 708.0)
    n = int32(fma(y, _LOG2_E, 0.5))  # of 32 bits, for most processors have no vectors of doubles to 64-bit integers
    whole = float64(n)
    r = fma(whole, _LN2_LOW, fma(whole, _LN2_HIGH, -y))
    square = r * r
    fourth = square * square  # so that little has to wait for something else
    even = fma(fourth, fma(square, _P6, _P4), fma(square, _P2, 1.0))
    odd = r * fma(fourth, _P5, fma(square, _P3, _P1))
    return (even + odd) * two_to(-n), even - odd


@register_jitable
def _exp_ratio_single(x):
    y = min(x, _MOST)
    n = int32(fma(y, _LOG2_E_SINGLE, _HALF))
    whole = float32(n)
    r = fma(whole, _LN2_LOW_SINGLE, fma(whole, _LN2_HIGH_SINGLE, -y))
    square = r * r
    even, odd = fma(square, _S2, _ONE), r * fma(square, _S3, _S1)
    return (even + odd) * power_of_two_single(int32(-n)), even - odd


@overload(exp_ratio, inline="always")
def _of_either_precision(x):
    if x == types.float32:
        return lambda x: _exp_ratio_single(x)
    return lambda x: _exp_ratio(x)


@register_jitable
def sigmoid(v):
    """1 / (1 + e^-v), without overflow; loops that call it are vectorised."""
    a, b = exp_ratio(abs(v))
    return (b if v >= 0.0 else a) / (a + b)


COUNTED = 8  # the most events that `poisson_count` tells apart


def _counter(k, kind, whole):
    """A function that counts the k-th event and those after it, each if u is above what is `below` it, in numbers of
    this kind, np.float64 or np.float32, and counts in those of `whole`, whichever is quickest. Not a loop, for a loop
    around it would not be vectorised."""
    none, one = whole(0), whole(1)
    if k > COUNTED:
        return register_jitable(lambda u, mean, probability, below: none)
    more, share = _counter(k + 1, kind, whole), kind(1.0 / k)

    @register_jitable
    def count(u, mean, probability, below):
        later = probability * (mean * share)
        return whole((one if u > below else none) + more(u, mean, later, below + later))

    return count


_count, _count_single = _counter(1, np.float64, np.float64), _counter(1, np.float32, np.int32)


def poisson_count(u, mean):
    """How many events a Poisson variable of `mean` counts, `COUNTED` at the most, from a uniform number u: its inverse
    distribution. Loops that call it are vectorised. Of two numbers in single precision all is in single precision."""
    none = np.float64(np.divide(*exp_ratio(mean)))
    return int(_count(u, mean, none, none))


@overload(poisson_count)
def _of_either_count(u, mean):
    if u == mean == float32:

        def count_single(u, mean):
            a, b = exp_ratio(mean)
            none = a / b
            return int32(_count_single(u, mean, none, none))

        return count_single

    def count(u, mean):
        a, b = exp_ratio(mean)
        none = float64(a / b)
        return int32(_count(u, mean, none, none))

    return count


@register_jitable
def normal_quantile(u):
    """The standard normal number below which a share u of the distribution lies.

    Rational approximation with one Halley step on erfc: full double precision (Acklam's coefficients).
    """
    if u < 0.02425:
        q = math.sqrt(-2.0 * math.log(u))
        x = _tail(q)
    elif u > 0.97575:
        q = math.sqrt(-2.0 * math.log(1.0 - u))
        x = -_tail(q)
    else:
        q = u - 0.5
        r = q * q
        a = ((((-3.969683028665376e1 * r + 2.209460984245205e2) * r - 2.759285104469687e2) * r
              + 1.383577518672690e2) * r - 3.066479806614716e1) * r + 2.506628277459239  # fmt: skip
        b = ((((-5.447609879822406e1 * r + 1.615858368580409e2) * r - 1.556989798598866e2) * r
              + 6.680131188771972e1) * r - 1.328068155288572e1) * r + 1.0  # fmt: skip
        x = a * q / b
    e = 0.5 * math.erfc(-x / math.sqrt(2.0)) - u
    step = e * math.sqrt(2.0 * math.pi) * math.exp(0.5 * x * x)
    return x - step / (1.0 + 0.5 * x * step)


@register_jitable
def _tail(q):
    a = ((((-7.784894002430293e-3 * q - 3.223964580411365e-1) * q - 2.400758277161838) * q
          - 2.549732539343734) * q + 4.374664141464968) * q + 2.938163982698783  # fmt: skip
    b = (((7.784695709041462e-3 * q + 3.224671290700398e-1) * q + 2.445134137142996) * q
         + 3.754408661907416) * q + 1.0  # fmt: skip
    return a / b
