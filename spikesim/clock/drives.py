"""The operation that adds Poisson input, summed per neuron and step, to the inputs."""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import Any

from numba import cfunc, int32, int64, uint32

from spikesim.clock.neurons import real
from spikesim.drive import GUIDE
from spikesim.jit import cache_for
from spikesim.lowlevel import OPERATION, at, context
from spikesim.rng import fill_words

DriveContext = namedtuple(
    "DriveContext",
    "lo hi n delay words stream key0 key1 thresholds n_rates most guide row counts weights n_weights inputs "
    "input_rows row_bytes",
)
BLOCK = 64  # neurons looked at together
SIGN = 1 << 31


@functools.cache
def drive_op(dtype: Any, one_rate: bool) -> Any:
    """Add weight times the number of spikes of this step to the input of each neuron of the range."""
    kind = real(dtype)
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def drive(address, step):
            g = context(DriveContext, address)
            if step < g.delay:
                return
            n = g.hi - g.lo
            words, signed = at(g.words, uint32, g.n)[g.lo : g.hi], at(g.words, int32, g.n)[g.lo : g.hi]
            fill_words(words, g.lo, n, step, g.stream, g.key0, g.key1)
            thresholds, row = at(g.thresholds, int32, g.n_rates * g.most), at(g.row, int32, g.n)[g.lo : g.hi]
            counts = at(g.counts, int32, g.n)[g.lo : g.hi]
            inputs = at(g.inputs + (step % g.input_rows) * g.row_bytes, kind, g.n)[g.lo : g.hi]
            weights = at(g.weights, kind, g.n_weights)
            if one_rate:
                guide = at(g.guide, int32, 1 << GUIDE)
                for begin in range(0, n, BLOCK):
                    some, theirs = counts[begin : begin + BLOCK], signed[begin : begin + BLOCK]
                    unsure = int32(0)
                    for i in range(len(some)):
                        some[i] = guide[(int64(theirs[i]) + SIGN) >> (32 - GUIDE)]
                        unsure |= some[i]
                    if unsure < 0:
                        for i in range(len(some)):
                            if some[i] < 0:
                                some[i] = 0
                                while some[i] < g.most and theirs[i] > thresholds[some[i]]:
                                    some[i] += 1
            else:
                for i in range(n):
                    k = row[i] * g.most
                    count = 0
                    while count < g.most and signed[i] > thresholds[k + count]:
                        count += 1
                    counts[i] = count
            if g.n_weights == 1:
                weight = weights[0]
                for i in range(n):
                    inputs[i] += weight * kind(counts[i])
            else:
                weights = weights[g.lo : g.hi]
                for i in range(n):
                    inputs[i] += weights[i] * kind(counts[i])

    return drive
