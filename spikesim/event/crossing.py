"""When a leaky integrator next meets its threshold: exactly, and without missing any crossing.

Between two events V_m is a sum of exponentials: u = V_m - V_inf and the synaptic currents obey a linear system with
the rates r_1 = 1/tau_m, r_2, ... (1/tau_syn, twice for an alpha function), and the threshold adds the rate r_0 = 0.
Take

    L_0 = u - theta,    L_{j+1} = dL_j/dt + r_j L_j.

Each step kills one exponential, so the last of them does not change its sign. And d(e^{r_j t} L_j)/dt = e^{r_j t}
L_{j+1}: between two zeros of L_{j+1} the function L_j e^{r_j t} rises or falls, so there it has one zero where the
signs at both ends differ, and none where they do not. From the last to L_0 all zeros are found so, each in a bracket;
those of L_1 are the extrema of V_m. L_j is a linear combination of the state, hence no digits are lost where two time
constants are near each other or the same. (The idea is Rolle's theorem; Brette 2007, doi:10.1162/neco.2007.19.10.2604,
uses Descartes' rule of signs and Sturm's theorem to the same end.)

Most inputs lift no one to the threshold; that is seen from a bound, without an exponential.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from spikesim.event.describe import Alpha, Leaky
from spikesim.event.moments import inner

#: Numbers of a neuron's row in the table of parameters; then, for each of two currents, FORM ... FADED, and the
#: levels: the rate r_j and the coefficients of u, I_0, dI_0, I_1, dI_1.
V_DC, R, V_TH, V_RESET, RATE, PER_C, T_REF, HORIZON, LEVELS = range(9)
CURRENT, PER_CURRENT = 9, 6
FORM, RATE_SYN, JUMP, PEAK, PEAK_RISE, FADED = range(6)
LEVEL, PER_LEVEL, MOST_LEVELS = CURRENT + 2 * PER_CURRENT, 6, 6
WIDTH = LEVEL + MOST_LEVELS * PER_LEVEL

#: Numbers of a neuron's state: V_m, two currents with what an alpha function has beside them, the current that graded
#: sources give, the remainder of the moment that all this is of. In a working row the first is u, and TIME the sixth.
V, I_0, RISE_0, I_1, RISE_1, STIM, REST = range(7)
U, TIME = 0, 5

SILENT = 60.0  # time constants after which an exponential is nothing beside what it began with
GONE = 600.0  # and after which a float64 is soon too small for it
NODES = 32  # room for all zeros of all levels
CLOSE = 4e-16  # relative; a crossing is found when a step is below it
CLOSE_ABOVE = 1e-9  # an extremum: V_m there is right to the square of it


def parameter_rows(event: Leaky, values: dict[str, Any], t_ref: Any) -> np.ndarray:
    """(1 or n, WIDTH) rows of the table from the parameter arrays of a population; t_ref in ps."""
    names = ["E_L", "C_m", "tau_m", "V_th", "V_reset", "I_e"]
    arrays = np.broadcast_arrays(*(values[name] for name in names), t_ref, *(values[c.tau] for c in event.currents))
    return np.array([_row(event, *map(float, each)) for each in zip(*arrays, strict=True)])


def _row(event: Leaky, E_L: float, C_m: float, tau_m: float, V_th: float, V_reset: float, I_e: float, t_ref: float,
         *taus: float) -> np.ndarray:  # fmt: skip
    row = np.zeros(WIDTH)
    row[: LEVELS + 1] = (E_L + tau_m / C_m * I_e, tau_m / C_m, V_th, V_reset, 1.0 / tau_m, 1.0 / C_m, t_ref,
                         SILENT * max(tau_m, *taus, 0.0), 0)  # fmt: skip
    kills = [0.0, 1.0 / tau_m]
    flow = np.zeros((5, 5))  # d/dt of u, I_0, dI_0, I_1, dI_1
    flow[0, 0] = -1.0 / tau_m
    for k, (current, tau) in enumerate(zip(event.currents, taus, strict=True)):
        alpha, place = isinstance(current, Alpha), CURRENT + PER_CURRENT * k
        peak = _peak(tau, tau_m) / C_m
        row[place : place + PER_CURRENT] = (1 + alpha, 1.0 / tau, math.e / tau if alpha else 1.0, peak,
                                            min(tau * tau, tau / math.e * tau_m) / C_m,
                                            SILENT * tau if row[HORIZON] / tau > GONE else 0.0)  # fmt: skip
        flow[0, 1 + 2 * k] = 1.0 / C_m
        flow[1 + 2 * k, 1 + 2 * k] = flow[2 + 2 * k, 2 + 2 * k] = -1.0 / tau
        flow[1 + 2 * k, 2 + 2 * k] = 1.0
        kills += [1.0 / tau] * (1 + alpha)
    row[LEVELS] = len(kills)
    level = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
    for j, rate in enumerate(kills):
        row[LEVEL + PER_LEVEL * j : LEVEL + PER_LEVEL * (j + 1)] = (rate, *level)
        level = level @ flow + rate * level
    return row


def _peak(tau: float, tau_m: float) -> float:
    """The highest of the potential that a current e^{-t/tau} makes, times C_m, and a little more for rounding."""
    a, b = sorted((tau, tau_m))
    ratio = b / a
    height = a * ratio ** (-1.0 / (ratio - 1.0)) if ratio > 1.0 + 1e-9 else a / math.e
    return height * (1.0 + 1e-8)


@inner
def _first_moment(z):
    """int_0^1 s e^{-zs} ds by its power series, for |z| <= 1/2."""
    total, term = 0.0, 1.0
    for k in range(16):
        total += term / (k + 2)
        term *= -z / (k + 1)
    return total


# Rows of states are told by their array and number: a slice of an array costs more than the arithmetic.


@inner
def fade(table, q, states, i, h, sink, o):
    """The currents after h ms: from row i of `states` to row o of `sink`; q is the row of parameters."""
    for k in range(2):
        a, rise = states[i, I_0 + 2 * k], states[i, RISE_0 + 2 * k]
        if a != 0.0 or rise != 0.0:
            decay = math.exp(-h * table[q, CURRENT + PER_CURRENT * k + RATE_SYN])
            a, rise = (a + rise * h) * decay, rise * decay
        sink[o, I_0 + 2 * k], sink[o, RISE_0 + 2 * k] = a, rise


@inner
def flow(table, q, states, i, h, sink, o):
    """u and the currents after h ms, likewise."""
    leak = math.exp(-h * table[q, RATE])
    u = states[i, U] * leak
    for k in range(2):
        a, rise = states[i, I_0 + 2 * k], states[i, RISE_0 + 2 * k]
        if a != 0.0 or rise != 0.0:
            rate = table[q, CURRENT + PER_CURRENT * k + RATE_SYN]
            decay, z = math.exp(-h * rate), h * (rate - table[q, RATE])
            if abs(z) > 0.5:
                gain = h * (leak - decay) / z
                more = h * h * (leak - decay * (1.0 + z)) / (z * z)
            else:
                gain = h * decay * (math.expm1(z) / z if z != 0.0 else 1.0)
                more = h * h * leak * _first_moment(z)
            u += (a * gain + rise * more) * table[q, PER_C]
            a, rise = (a + rise * h) * decay, rise * decay
        sink[o, I_0 + 2 * k], sink[o, RISE_0 + 2 * k] = a, rise
    sink[o, U] = u


@inner
def _level(table, q, j, theta, states, i):
    """L_j of a state."""
    c = LEVEL + PER_LEVEL * j + 1
    found = -theta if j == 0 else 0.0
    for k in range(5):
        found += table[q, c + k] * states[i, k]
    return found


@inner
def _root(table, q, j, theta, nodes, k):
    """The zero of L_j between nodes k and k + 1, where its signs differ: Newton's method from the left, kept in the
    bracket, and a bisection where it does not halve its steps."""
    low, high = nodes[k, TIME], nodes[k + 1, TIME]
    rate, tau, close = table[q, LEVEL + PER_LEVEL * j], 1.0 / table[q, RATE], CLOSE if j == 0 else CLOSE_ABOVE
    here = k
    value = _level(table, q, j, theta, nodes, here)
    rising, t = value < 0.0, low
    last = step = high - low
    for _ in range(500):
        slope = _level(table, q, j + 1, theta, nodes, here) - rate * value
        ahead = t - value / slope if slope != 0.0 else low
        last, step = step, ahead - t
        if not low < ahead < high or abs(step) > 0.5 * abs(last):
            ahead = low + min(0.5 * (high - low), tau)
            step = ahead - t
        if abs(step) <= close * ahead or ahead == low or ahead == high:
            return ahead
        t, here = ahead, NODES - 1
        flow(table, q, nodes, 0, t, nodes, here)
        value = _level(table, q, j, theta, nodes, here)
        if value == 0.0:
            return t
        if (value < 0.0) == rising:
            low = t
        else:
            high = t
    return t


@inner
def _add(table, q, nodes, n, k, t):
    """A new node k, of time t, among the n that there are."""
    for i in range(n, k, -1):
        for c in range(6):
            nodes[i, c] = nodes[i - 1, c]
    flow(table, q, nodes, 0, t, nodes, k)
    nodes[k, TIME] = t


@inner
def next_crossing(table, q, v, stim, nodes):
    """ms until V_m first is at V_th or above, infinite if it never is.

    nodes
        (NODES, 6) room to work in; its row 0 has the currents.
    """
    v_inf = table[q, V_DC] + table[q, R] * stim
    u, theta = v - v_inf, table[q, V_TH] - v_inf
    if u >= theta:
        return 0.0
    bound, alone = max(u, 0.0), True
    for k in range(2):
        a, rise, place = nodes[0, I_0 + 2 * k], nodes[0, RISE_0 + 2 * k], CURRENT + PER_CURRENT * k
        alone &= a == 0.0 and rise == 0.0
        bound += max(a, 0.0) * table[q, place + PEAK] + max(rise, 0.0) * table[q, place + PEAK_RISE]
    if alone:
        return math.log1p((u - theta) / theta) / table[q, RATE] if theta < 0.0 else math.inf
    if bound < theta:
        return math.inf
    nodes[0, U], nodes[0, TIME] = u, 0.0
    _add(table, q, nodes, 1, 1, table[q, HORIZON])
    n = 2
    for k in range(2):  # where a fast current has all but gone, for at the horizon not even its sign is left
        t = table[q, CURRENT + PER_CURRENT * k + FADED]
        if t > 0.0:
            _add(table, q, nodes, n, 2 if n == 3 and t > nodes[1, TIME] else 1, t)
            n += 1
    for j in range(int(table[q, LEVELS]) - 2, -1, -1):
        value, i = _level(table, q, j, theta, nodes, 0), 0
        while i + 1 < n:
            ahead = _level(table, q, j, theta, nodes, i + 1)
            if ahead >= 0.0 if j == 0 else (value < 0.0 < ahead or ahead < 0.0 < value):
                t = _root(table, q, j, theta, nodes, i)
                if j == 0:
                    return t
                i += 1
                _add(table, q, nodes, n, i, t)
                n += 1
            value, i = ahead, i + 1
    return math.inf
