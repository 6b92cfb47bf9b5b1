"""The loop: the earliest of all spikes to come and of all arrivals, one moment after the other."""

from __future__ import annotations

import functools
import math
from collections import namedtuple
from typing import Any

from numba import njit

from spikesim.event.crossing import (
    CURRENT,
    FORM,
    I_0,
    JUMP,
    PER_CURRENT,
    REST,
    STIM,
    T_REF,
    V_DC,
    V_RESET,
    R,
    V,
    fade,
    flow,
    next_crossing,
)
from spikesim.event.heap import expect, expect_none, go_on, land, send
from spikesim.event.moments import after, before, inner, interval
from spikesim.jit import cache_for
from spikesim.lowlevel import call, flush_denormals, restore_denormals
from spikesim.rng import uniform52_of

LEAKY, POISSON, REPLAY, CONSTANT = range(4)  # kinds of units
FIRST, SECOND, STIMULUS, MEMBRANE = range(4)  # slots that inputs end on: two currents, I_stim, V_m itself
STATIC, PRE, POST = range(3)  # kinds of rows
DONE, LOG_FULL, FLIGHT_FULL = range(3)  # why the loop stops
HAZARD, HZ = V, I_0  # what a Poisson source has in the place of a potential: what is left of its interval, in units of
#                       its mean; and its rate, here in 1/ms

#: All units of the network one after the other, their rows of synapses, and what a moment needs.
#: state (units, 8); base (units,) ps: the moment, with REST, that the state is of; free, free_rest: until when V_m is
#: held; kind; row_of, table (rows, WIDTH): parameters; count: intervals that a source has drawn, or trains' places;
#: stream, local: of its random numbers. train, train_rest: moments of replayed spikes; train_end (units,).
Units = namedtuple("Units", "state base free free_rest kind row_of table count stream local train train_rest train_end")

#: rows_of (units + 1,), rows: the rows of a unit. begin (rows + 1,): its synapses. rank, sort, op, context (rows,):
#: order among simultaneous arrivals, kind, and the plastic operation. delay (ps, ascending in a row), target, slot,
#: weight, number (in its projection) by synapse.
Rows = namedtuple("Rows", "rows_of rows begin rank sort op context delay target slot weight number")

#: Spikes as they were fired.
Log = namedtuple("Log", "step rest unit size")

#: nodes: see `next_crossing`. touched, marked: targets of this moment. moment, moment_rest, weight (1,): what plastic
#: operations read and write. key (2,) of random numbers. events (2,): how many
#: there have been, and how many are touched.
Room = namedtuple("Room", "nodes touched marked moment moment_rest weight key events")


@inner
def _bring(g, u, s, r):
    """Bring a leaky integrator to the moment (s, r)."""
    x, q = g.state, g.row_of[u]
    b, rest = g.base[u], x[u, REST]
    g.base[u], x[u, REST] = s, r
    if before(b, rest, g.free[u], g.free_rest[u]):  # V_m is held
        held, held_rest = g.free[u], g.free_rest[u]
        if before(s, r, held, held_rest):
            held, held_rest = s, r
        fade(g.table, q, x, u, interval(b, rest, held, held_rest), x, u)
        b, rest = held, held_rest
    if before(b, rest, s, r):
        v_inf = g.table[q, V_DC] + g.table[q, R] * x[u, STIM]
        x[u, V] -= v_inf
        flow(g.table, q, x, u, interval(b, rest, s, r), x, u)
        x[u, V] += v_inf


@inner
def _plan(g, h, u, nodes):
    """Find out when a unit spikes next."""
    x, kind = g.state, g.kind[u]
    s, r = g.base[u], x[u, REST]
    wait = math.inf
    if kind == LEAKY:
        held = 0.0
        if before(s, r, g.free[u], g.free_rest[u]):
            held = interval(s, r, g.free[u], g.free_rest[u])
            s, r = g.free[u], g.free_rest[u]
        fade(g.table, g.row_of[u], x, u, held, nodes, 0)
        wait = next_crossing(g.table, g.row_of[u], x[u, V], x[u, STIM], nodes)
    elif kind == POISSON:
        if x[u, HZ] > 0.0:
            wait = x[u, HAZARD] / x[u, HZ]
    elif kind == REPLAY and g.count[u] < g.train_end[u]:
        s, r, wait = g.train[g.count[u]], g.train_rest[g.count[u]], 0.0
    if wait < 1e9:  # ms; beyond that no run comes
        s, r = after(s, r, wait * 1e9)
        expect(h, u, s, r)
    else:
        expect_none(h, u)


@inner
def _draw(g, u, key):
    """The next interval of a Poisson source, in units of its mean."""
    uniform = uniform52_of(g.local[u], g.count[u], g.stream[u], key[0], key[1])
    g.count[u] += 1
    return -math.log(uniform)


@inner
def _fire(g, u, s, r, key):
    """What a unit's own spike does to it."""
    kind = g.kind[u]
    if kind == LEAKY:
        _bring(g, u, s, r)
        g.state[u, V] = g.table[g.row_of[u], V_RESET]
        g.free[u], g.free_rest[u] = after(s, r, g.table[g.row_of[u], T_REF])
    elif kind == POISSON:
        g.base[u], g.state[u, REST] = s, r
        g.state[u, HAZARD] = _draw(g, u, key)
    else:
        g.count[u] += 1


@inner
def _receive(g, u, slot, weight, s, r):
    """Input to a leaky integrator."""
    if before(g.base[u], g.state[u, REST], s, r):
        _bring(g, u, s, r)
    if slot == MEMBRANE:
        if not before(s, r, g.free[u], g.free_rest[u]):
            g.state[u, V] += weight
    elif slot == STIMULUS:
        g.state[u, STIM] += weight
    else:
        q, place = g.row_of[u], CURRENT + PER_CURRENT * slot
        rise = 1 if g.table[q, place + FORM] == 2.0 else 0
        g.state[u, I_0 + 2 * slot + rise] += weight * g.table[q, place + JUMP]


@inner
def _leave(rows, flight, u, s, r, amount):
    """Send a spike on its way along all rows of a unit."""
    for k in range(rows.rows_of[u], rows.rows_of[u + 1]):
        row = rows.rows[k]
        first = rows.begin[row]
        if first < rows.begin[row + 1]:
            t, rest = after(s, r, rows.delay[first])
            send(flight, rows.rank, t, rest, row, first, s, r, amount)


@inner
def _touch(room, u):
    """Something has happened to a unit at this moment."""
    if room.marked[u] == 0:
        room.marked[u] = 1
        room.touched[room.events[1]] = u
        room.events[1] += 1


@inner
def _arrive(g, rows, flight, room):
    """The first entry in flight reaches the synapses with its delay; gives how many targets are touched."""
    s, r, row, k = flight.step[0], flight.rest[0], flight.row[0], flight.cursor[0]
    amount, end, delay, sort = flight.amount[0], rows.begin[row + 1], rows.delay[flight.cursor[0]], rows.sort[row]
    n = 0
    room.moment[0], room.moment_rest[0] = s, r
    while k < end and rows.delay[k] == delay:
        weight = rows.weight[k] if sort == STATIC else 0.0
        if sort != STATIC:
            call(rows.op[row], rows.context[row], rows.number[k])
            weight = room.weight[0]
        if sort != POST and rows.slot[k] >= 0:
            _receive(g, rows.target[k], rows.slot[k], weight * amount, s, r)
            _touch(room, rows.target[k])
        k += 1
        n += 1
    if k < end:
        t, rest = after(flight.born[0], flight.born_rest[0], rows.delay[k])
        go_on(flight, rows.rank, t, rest, k)
    else:
        land(flight, rows.rank)
    return n


@functools.cache
def kernel() -> Any:
    """Compiled function (units, next, rows, flight, log, room, until): go on to the end of the moment `until` (ps);
    gives DONE, or what there is no room for."""
    with cache_for() as cache:

        @njit(nogil=True, cache=cache, error_model="numpy", _nrt=False)
        def run(g, upcoming, rows, flight, log, room, until):
            flags = flush_denormals()
            events, status = room.events, DONE
            while True:
                due = upcoming.size[0] > 0 and not before(until, 0.0, upcoming.step[0], upcoming.rest[0])
                arrives = flight.size[0] > 0 and not before(until, 0.0, flight.step[0], flight.rest[0])
                if due and not (arrives and before(flight.step[0], flight.rest[0], upcoming.step[0], upcoming.rest[0])):
                    u, s, r = upcoming.unit[0], upcoming.step[0], upcoming.rest[0]
                    k = log.size[0]
                    if k == len(log.step):
                        status = LOG_FULL
                        break
                    if flight.size[0] + rows.rows_of[u + 1] - rows.rows_of[u] > len(flight.step):
                        status = FLIGHT_FULL
                        break
                    log.step[k], log.rest[k], log.unit[k] = s, r, u
                    log.size[0] += 1
                    _fire(g, u, s, r, room.key)
                    _leave(rows, flight, u, s, r, 1.0)
                    _touch(room, u)
                    events[0] += 1
                elif arrives:
                    s, r = flight.step[0], flight.rest[0]
                    while flight.size[0] > 0 and flight.step[0] == s and flight.rest[0] == r:
                        events[0] += _arrive(g, rows, flight, room)
                else:
                    break
                for k in range(events[1]):
                    room.marked[room.touched[k]] = 0
                    _plan(g, upcoming, room.touched[k], room.nodes)
                events[1] = 0
            restore_denormals(flags)
            return status

    return run


@functools.cache
def planner() -> Any:
    """Compiled function (units, next, which, nodes): find out when each of these units spikes next."""
    with cache_for() as cache:

        @njit(nogil=True, cache=cache, error_model="numpy", _nrt=False)
        def plan(g, upcoming, which, nodes):
            for k in range(len(which)):
                _plan(g, upcoming, which[k], nodes)

    return plan


@functools.cache
def starter() -> Any:
    """Compiled function (units, which, key): draw the first interval of Poisson sources."""
    with cache_for() as cache:

        @njit(nogil=True, cache=cache, error_model="numpy", _nrt=False)
        def start(g, which, key):
            for k in range(len(which)):
                g.state[which[k], HAZARD] = _draw(g, which[k], key)

    return start


@functools.cache
def looker() -> Any:
    """Compiled function (units, which, step, out): the state (units, variables) that leaky integrators have at the
    moment `step` (ps), without bringing them there."""
    with cache_for() as cache:

        @njit(nogil=True, cache=cache, error_model="numpy", _nrt=False)
        def look(g, which, step, out):
            for k in range(len(which)):
                u = which[k]
                base = g.base[u]
                for c in range(8):
                    out[k, c] = g.state[u, c]
                if before(base, g.state[u, REST], step, 0.0):
                    _bring(g, u, step, 0.0)
                    g.base[u] = base
                    for c in range(8):
                        out[k, c], g.state[u, c] = g.state[u, c], out[k, c]

    return look
