"""Functions that hooks may call and that numba does not have."""

from __future__ import annotations

import math

from numba import int32, types
from numba.extending import overload, register_jitable

from spikesim.lowlevel import power_of_two

_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # together ln 2, the first in few bits
# Of the Pade approximant of e^r with numerator and denominator of degree 6: (12 - j)! 6! / (12! j! (6 - j)!)
_P1, _P2, _P3, _P4, _P5, _P6 = (
    math.factorial(12 - j) * 720.0 / (math.factorial(12) * math.factorial(j) * math.factorial(6 - j))
    for j in range(1, 7)
)


def two_to(n):
    """2^n for a whole number -1022 <= n <= 1023."""
    return math.ldexp(1.0, int(n))


@overload(two_to)
def _two_to(n):
    if isinstance(n, types.Integer):
        return lambda n: power_of_two(n)
    return None


@register_jitable
def exp_ratio(x):
    """(a, b) with a/b = e^-x for x >= 0, to two units in the last place; beyond 708, where it is 3e-308, it stays so.

    Loops that call `math.exp` are not vectorised; those that call this are. And who divides by something else anyway
    need not divide twice. e^-x = 2^-n e^r with |r| <= ln(2)/2, where the Pade approximant of e^r is exact to 1e-18.
    """
    y = min(x, 708.0)
    n = int32(y * _LOG2_E + 0.5)  # of 32 bits, for most processors have no vectors of doubles to 64-bit integers
    r = n * _LN2_HIGH - y + n * _LN2_LOW
    square = r * r
    even = 1.0 + square * (_P2 + square * (_P4 + square * _P6))
    odd = r * (_P1 + square * (_P3 + square * _P5))
    return (even + odd) * two_to(-n), even - odd


@register_jitable
def sigmoid(v):
    """1 / (1 + e^-v), without overflow."""
    if v >= 0.0:
        return 1.0 / (1.0 + math.exp(-v))
    e = math.exp(v)
    return e / (1.0 + e)


@register_jitable
def poisson_count(u, mean):
    """How many events a Poisson variable of `mean` counts, from a uniform number u: its inverse distribution."""
    count, probability = 0, math.exp(-mean)
    below = probability
    while u > below and probability > 1e-18 * below:
        count += 1
        probability *= mean / count
        below += probability
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
