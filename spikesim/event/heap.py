"""Two binary heaps: when each unit spikes next, and which spikes are on their way to their targets.

`Next` has at most one entry a unit and finds it, so that a spike that has been expected earlier or later, or not at
all, is put in its place. `Flight` has one entry for each row of synapses that a spike is on its way along; as synapses
of a row are sorted by delay, it moves to the next moment at which something arrives. So the heap grows with the spikes
in flight and not with their synapses.

Both break ties by the number of the unit or row, and then by the age of the spike: their order is complete, and it
does not depend on how the heap came about.
"""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from spikesim.event.moments import before, inner

#: `place` (units,): where the entry of a unit is, or -1. The others by place. `size` (1,)
Next = namedtuple("Next", "step rest unit place size")

#: By place: when something arrives next, on which row, from which synapse on; when it was sent, and how much.
Flight = namedtuple("Flight", "step rest row cursor born born_rest amount size")

FIELDS = (np.int64, np.float64, np.int32, np.int64, np.int64, np.float64, np.float64)  # of a flight


def new_next(n: int) -> Next:
    return Next(np.zeros(n, np.int64), np.zeros(n), np.zeros(n, np.int32), np.full(n, -1, np.int64),
                np.zeros(1, np.int64))  # fmt: skip


def new_flight(room: int) -> Flight:
    return Flight(*(np.zeros(room, dtype) for dtype in FIELDS), np.zeros(1, np.int64))


def widened(flight: Flight, room: int) -> Flight:
    """The same with room for more."""
    wide = new_flight(room)
    for old, new in zip(flight, wide, strict=True):
        new[: len(old)] = old
    return wide


# Next ---------------------------------------------------------------------------------------------------------------


@inner
def _sooner(h, s, r, unit, k):
    """Whether (s, r, unit) comes before the entry at place k."""
    if s != h.step[k]:
        return s < h.step[k]
    if r != h.rest[k]:
        return r < h.rest[k]
    return unit < h.unit[k]


@inner
def _move(h, k, to):
    h.step[to], h.rest[to], h.unit[to] = h.step[k], h.rest[k], h.unit[k]
    h.place[h.unit[k]] = to


@inner
def _set(h, k, s, r, unit):
    h.step[k], h.rest[k], h.unit[k] = s, r, unit
    h.place[unit] = k


@inner
def _settle(h, k, s, r, unit):
    """Put an entry where it belongs; place k is free."""
    while k > 0 and _sooner(h, s, r, unit, (k - 1) >> 1):
        _move(h, (k - 1) >> 1, k)
        k = (k - 1) >> 1
    size = h.size[0]
    while 2 * k + 1 < size:
        child = 2 * k + 1
        if child + 1 < size and _sooner(h, h.step[child + 1], h.rest[child + 1], h.unit[child + 1], child):
            child += 1
        if _sooner(h, s, r, unit, child):
            break
        _move(h, child, k)
        k = child
    _set(h, k, s, r, unit)


@inner
def expect(h, unit, s, r):
    """The unit spikes next at (s, r)."""
    k = h.place[unit]
    if k < 0:
        k = h.size[0]
        h.size[0] += 1
    _settle(h, k, s, r, unit)


@inner
def expect_none(h, unit):
    """The unit does not spike, as things are."""
    k = h.place[unit]
    if k < 0:
        return
    h.place[unit] = -1
    h.size[0] -= 1
    last = h.size[0]
    if k < last:
        _settle(h, k, h.step[last], h.rest[last], h.unit[last])


# Flight -------------------------------------------------------------------------------------------------------------


@inner
def _earlier(f, rank, s, r, row, born, born_rest, k):
    """Whether an arrival comes before that at place k; `rank` of rows is their order among arrivals of one moment."""
    if s != f.step[k]:
        return s < f.step[k]
    if r != f.rest[k]:
        return r < f.rest[k]
    if row != f.row[k]:
        return rank[row] < rank[f.row[k]]
    return before(born, born_rest, f.born[k], f.born_rest[k])


@inner
def _copy(f, k, to):
    f.step[to], f.rest[to], f.row[to], f.cursor[to] = f.step[k], f.rest[k], f.row[k], f.cursor[k]
    f.born[to], f.born_rest[to], f.amount[to] = f.born[k], f.born_rest[k], f.amount[k]


@inner
def _insert(f, rank, k, s, r, row, cursor, born, born_rest, amount):
    while k > 0 and _earlier(f, rank, s, r, row, born, born_rest, (k - 1) >> 1):
        _copy(f, (k - 1) >> 1, k)
        k = (k - 1) >> 1
    size = f.size[0]
    while 2 * k + 1 < size:
        child, c = 2 * k + 1, 2 * k + 2
        if c < size and _earlier(f, rank, f.step[c], f.rest[c], f.row[c], f.born[c], f.born_rest[c], child):
            child = c
        if _earlier(f, rank, s, r, row, born, born_rest, child):
            break
        _copy(f, child, k)
        k = child
    f.step[k], f.rest[k], f.row[k], f.cursor[k] = s, r, row, cursor
    f.born[k], f.born_rest[k], f.amount[k] = born, born_rest, amount


@inner
def send(f, rank, s, r, row, cursor, born, born_rest, amount):
    """A new entry; there must be room."""
    f.size[0] += 1
    _insert(f, rank, f.size[0] - 1, s, r, row, cursor, born, born_rest, amount)


@inner
def go_on(f, rank, s, r, cursor):
    """The first entry arrives next at (s, r), from the synapse `cursor` on."""
    _insert(f, rank, 0, s, r, f.row[0], cursor, f.born[0], f.born_rest[0], f.amount[0])


@inner
def land(f, rank):
    """The first entry has arrived everywhere."""
    f.size[0] -= 1
    last = f.size[0]
    if last > 0:
        s, r, row, cursor = f.step[last], f.rest[last], f.row[last], f.cursor[last]
        _insert(f, rank, 0, s, r, row, cursor, f.born[last], f.born_rest[last], f.amount[last])
