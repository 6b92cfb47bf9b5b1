"""Exact propagators of the leaky integrator: what a synaptic current adds to V_m over one step.

dV/dt = -V/tau_m + I(t)/C_m is linear, so a step of h is a matrix product (Rotter & Diesmann 1999,
doi:10.1007/s004220050570). Written with expm1 the formulas are exact for tau_syn = tau_m and near it too,
where the textbook's difference of two exponentials over tau_m - tau_syn loses all digits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def constant_current(tau_m: ArrayLike, C_m: ArrayLike, h: float) -> Array:
    """V_m (mV) gained in h ms per pA of constant current: (tau_m / C_m) (1 - e^(-h/tau_m))."""
    tau_m = np.asarray(tau_m, dtype=np.float64)
    return -np.expm1(-h / tau_m) * tau_m / np.asarray(C_m)


def exponential_current(tau_syn: ArrayLike, tau_m: ArrayLike, C_m: ArrayLike, h: float) -> Array:
    """V_m (mV) gained in h ms per pA of a current that decays with tau_syn (ms).

    (1/C_m) int_0^h e^(-s/tau_syn) e^(-(h-s)/tau_m) ds = (h/C_m) e^(-h/tau_syn) expm1(z)/z, z = h/tau_syn - h/tau_m.
    """
    z = h / np.asarray(tau_syn, dtype=np.float64) - h / np.asarray(tau_m, dtype=np.float64)
    growth = np.divide(np.expm1(z), z, out=np.ones_like(z), where=z != 0.0)
    return h / np.asarray(C_m) * np.exp(-h / np.asarray(tau_syn)) * growth


def ramp_current(tau_syn: ArrayLike, tau_m: ArrayLike, C_m: ArrayLike, h: float) -> Array:
    """V_m (mV) gained in h ms per pA/ms of a current that goes as s e^(-s/tau_syn): the rise of an alpha function.

    (1/C_m) int_0^h s e^(-s/tau_syn) e^(-(h-s)/tau_m) ds = (h^2/C_m) e^(-h/tau_m) g(z), g(z) = int_0^1 u e^(-zu) du.
    """
    z = h / np.asarray(tau_syn, dtype=np.float64) - h / np.asarray(tau_m, dtype=np.float64)
    return h * h / np.asarray(C_m) * np.exp(-h / np.asarray(tau_m)) * _first_moment(z)


def _first_moment(z: Array) -> Array:
    """int_0^1 u e^(-zu) du, by its power series near 0, where the closed form cancels."""
    series, term = np.zeros_like(z), np.ones_like(z)
    for k in range(24):
        series = series + term / (k + 2)
        term = term * -z / (k + 1)
    far = np.where(np.abs(z) > 0.5, z, 1.0)
    return np.where(np.abs(z) > 0.5, (1.0 - np.exp(-far) * (1.0 + far)) / far**2, series)
