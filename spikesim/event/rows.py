"""Rows of synapses: where the spikes of a unit go, sorted by when they get there.

A unit has one row of all its static synapses, and for each plastic projection one that its spikes take as presynaptic
ones and one that they take as postsynaptic ones (back to the synapses that end on it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.event.describe import Jump, Leaky
from spikesim.event.kernel import FIRST, MEMBRANE, STATIC, STIMULUS, Rows

if TYPE_CHECKING:
    from spikesim.population import Population
    from spikesim.projection import Projection

#: Order of arrivals at one moment, before that of their senders: postsynaptic spikes over a dendrite, presynaptic ones,
#: postsynaptic ones without a dendritic delay.
OVER_DENDRITE, FORWARD, AT_ONCE = range(3)


class Stretch:
    """Synapses with the units that they are reached from: arrays of one length, and what they have in common."""

    def __init__(self, sort: int, order: int, unit: Any, delay: Any, target: Any, slot: Any, weight: Any, number: Any,
                 op: tuple[int, int] = (0, 0)) -> None:  # fmt: skip
        self.sort, self.order, self.op = sort, order, op
        self.columns = [np.broadcast_to(np.asarray(c, dtype), np.shape(unit)) for c, dtype in
                        ((unit, np.int64), (delay, np.float64), (target, np.int32), (slot, np.int8),
                         (weight, np.float64), (number, np.int32))]  # fmt: skip


def slots_of(population: Population) -> dict[int, int]:
    """Receptor -> the slot of the kernel that its input ends on."""
    event: Any = population.model.event
    if not isinstance(event, Leaky):
        return {}
    found, current = {}, FIRST
    for number, receptor in enumerate(population.model.receptors):
        if receptor == "current":
            found[number] = STIMULUS
        elif isinstance(event.inputs[receptor], Jump):
            found[number] = MEMBRANE
        else:
            found[number] = current
            current += 1
    return found


def static_stretch(p: Projection, source: int, target: int) -> Stretch:
    """The synapses of a projection that does not learn; source, target: the first units of the populations."""
    pre, post = p.ends()
    weights = p.first_weights().astype(np.float64)
    slots = slots_of(p.target)
    positive, negative = (slots[receptor] for receptor in p.receptors)
    slot = np.where(weights < 0.0, negative, positive)
    delays = p.delay.everything(len(p), 1)
    return Stretch(STATIC, FORWARD, pre.astype(np.int64) + source, delays, post.astype(np.int64) + target, slot,
                   weights, 0)  # fmt: skip


def laid_out(stretches: list[Stretch], n_units: int) -> Rows:
    """Rows of all synapses: those of static stretches in one row a unit, those of the others in rows of their own."""
    static = [s for s in stretches if s.sort == STATIC]
    groups = ([static] if static else []) + [[s] for s in stretches if s.sort != STATIC]
    columns: list[list[Any]] = [[] for _ in range(5)]
    begin: list[Any] = [np.zeros(1, np.int64)]
    unit_of, sort, order, ops = list[Any](), list[Any](), list[Any](), list[Any]()
    total = 0
    for group in groups:
        unit, delay, *others = (np.concatenate(c) for c in zip(*(s.columns for s in group), strict=True))
        sorting = np.lexsort((np.arange(len(unit)), delay, unit))
        unit = unit[sorting]
        for column, values in zip(columns, (delay, *others), strict=True):
            column.append(values[sorting])
        senders, firsts = np.unique(unit, return_index=True)
        begin.append(total + np.append(firsts[1:], len(unit)) if len(senders) else np.zeros(0, np.int64))
        total += len(unit)
        unit_of.append(senders)
        for kept, value in ((sort, group[0].sort), (order, group[0].order), (ops, group[0].op)):
            kept.append(np.full((len(senders), *np.shape(value)), value, np.int64))
    if not groups:
        nothing = np.zeros(0, np.int64)
        unit_of, sort, order, ops = [nothing], [nothing], [nothing], [np.zeros((0, 2), np.int64)]
    units, op = np.concatenate(unit_of), np.concatenate(ops)
    rows = np.argsort(units, kind="stable")
    rank = np.empty(len(units), np.int64)
    rank[np.lexsort((np.arange(len(units)), units, np.concatenate(order)))] = np.arange(len(units))
    rows_of = np.searchsorted(units[rows], np.arange(n_units + 1))
    dtypes = np.float64, np.int32, np.int8, np.float64, np.int32
    delay, target, slot, weight, number = (
        np.concatenate(c).astype(d) if c else np.zeros(0, d) for c, d in zip(columns, dtypes, strict=True)
    )
    begins = np.concatenate(begin).astype(np.int64)
    return Rows(rows_of.astype(np.int64), rows.astype(np.int64), begins, rank, np.concatenate(sort),
                op[:, 0].copy(), op[:, 1].copy(), delay, target, slot, weight, number)  # fmt: skip
