"""Projections that send a state variable of the source in place of its spikes.

At the end of a step the variable is kept in a ring, `arrays["sent/<variable>"]` of the source; `delay` steps later
weight times value of every source is added to the input of each target, as a spike's weight would be: here for
weight matrices; synapses that are listed bring it as they bring a current (`spikesim.clock.delivery`).
"""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import cfunc

from spikesim.clock.contexts import Context
from spikesim.clock.delivery import LANES, matrix_row
from spikesim.clock.neurons import real
from spikesim.clock.rings import resized_ring
from spikesim.jit import cache_for
from spikesim.lowlevel import OPERATION, at, context

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.network import Network
    from spikesim.population import Population
    from spikesim.projection import Projection

KeepContext = namedtuple("KeepContext", "lo hi n variable ring kept")
SentContext = namedtuple(
    "SentContext", "delay weights n_columns n_sources lo hi inputs input_rows row_bytes ring kept n"
)


@functools.cache
def keep_op(dtype: Any) -> Any:
    """Keep a state variable as this step left it."""
    kind = real(dtype)
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def keep(address, step):
            g = context(KeepContext, address)
            variable, kept = at(g.variable, kind, g.n), at(g.kept, kind, g.ring * g.n)
            row = (step % g.ring) * g.n
            for i in range(g.lo, g.hi):
                kept[row + i] = variable[i]

    return keep


@functools.cache
def sent_op(dtype: Any) -> Any:
    """Add weight times what was kept `delay` steps ago, source by source."""
    kind, size = real(dtype), np.dtype(dtype).itemsize
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def deliver_values(address, step):
            g = context(SentContext, address)
            if g.delay > step:
                return
            n, row = g.hi - g.lo, ((step - g.delay) % g.ring) * g.n
            kept = at(g.kept, kind, g.ring * g.n)
            inputs = at(g.inputs + (step % g.input_rows) * g.row_bytes, kind, g.hi)[g.lo : g.hi]
            for i in range(g.n_sources):
                value = kept[row + i]
                weights = matrix_row(i, g, kind, size)
                for j in range(n):
                    inputs[j] += weights[j] * value

    return deliver_values


def sent_by(network: Network, population: Population) -> list[str]:
    """The state variables of a population that projections send."""
    found = (p.sends for p in network.projections if p.source is population and p.sends != "spikes")
    return list(dict.fromkeys(found))


def lay_out(engine: ClockEngine) -> None:
    """Rings for what is sent; what is on its way is kept."""
    network = engine.network
    for p in network.populations:
        for variable in sent_by(network, p):
            ring = p.arrays.setdefault(f"sent/{variable}", np.zeros((engine.ring, p.n_padded), network.dtype))
            if len(ring) != engine.ring:
                p.arrays[f"sent/{variable}"] = resized_ring(ring, engine.ring, network.step)


def keep_operations(population: Population, engine: ClockEngine, thread: int) -> list[tuple[int, Context]]:
    """What keeps the variables of one thread's neurons, after each step."""
    lo, hi = engine.ranges[population.index][thread]
    op = keep_op(engine.network.dtype).address
    return [(op, Context(KeepContext, lo=lo, hi=hi, n=population.n_padded, variable=population._row(variable),
                         ring=engine.ring, kept=population.arrays[f"sent/{variable}"]))
            for variable in sent_by(engine.network, population)]  # fmt: skip


def sent_operation(projection: Projection, engine: ClockEngine, thread: int) -> tuple[int, Context]:
    """What brings the values to the targets of one thread."""
    lo, hi = engine.ranges[projection.target.index][thread]
    source, target = projection.source, projection.target
    return sent_op(engine.network.dtype).address, Context(
        SentContext, delay=projection.delay.shortest, weights=projection.arrays["weights"],
        n_columns=target.n_padded, n_sources=source.n, lo=lo, hi=hi + -hi % LANES,
        **engine.inputs.fields(thread, target, projection.receptors[0]),
        ring=engine.ring, kept=source.arrays[f"sent/{projection.sends}"], n=source.n_padded,
    )  # fmt: skip
