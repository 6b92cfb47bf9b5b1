"""The operation that adds Poisson input, summed per neuron and step, to the inputs."""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import Any

from numba import cfunc, int16, int32, int64, uint32
from numba.extending import register_jitable

from spikesim.clock.neurons import real
from spikesim.drive import HALVES, UNROLLED
from spikesim.jit import cache_for
from spikesim.lowlevel import OPERATION, at, context
from spikesim.rng import fill_words, word_of

DriveContext = namedtuple(
    "DriveContext",
    "lo hi n delay words counts stream rest_stream key0 key1 thresholds n_rates width base last rest most row weights "
    "n_weights inputs input_rows row_bytes",
)
BLOCK = 512  # neurons whose numbers are drawn together: these and the counts stay in the nearest cache


@functools.cache
def drive_op(dtype: Any, one_rate: bool) -> Any:
    """Add weight times the number of spikes of this step to the input of each neuron of the range.

    See `spikesim.drive.CountTable` for how random numbers become counts. Neuron i has the half i & 1 of the word i >> 1
    of a step.
    """
    kind = real(dtype)
    with cache_for() as cache:

        @cfunc(OPERATION, cache=cache, error_model="numpy")
        def drive(address, step):
            g = context(DriveContext, address)
            if step < g.delay:
                return
            words, halves = at(g.words, uint32, BLOCK // 2), at(g.words, int16, BLOCK)
            counts = at(g.counts, int16, BLOCK)
            base, last, row = at(g.base, int32, g.n_rates), at(g.last, int32, g.n_rates), at(g.row, int32, g.n)
            thresholds, rest = at(g.thresholds, int16, g.n_rates * g.width), at(g.rest, int32, g.n_rates * g.most)
            inputs = at(g.inputs + (step % g.input_rows) * g.row_bytes, kind, g.n)
            weights = at(g.weights, kind, g.n_weights)
            for first in range(g.lo, g.hi, BLOCK):  # `lo` is a multiple of 16
                size = min(BLOCK, g.hi - first)
                fill_words(words, first >> 1, (size + 1) >> 1, step, g.stream, g.key0, g.key1)
                if one_rate:
                    for i in range(size):
                        counts[i] = base[0]
                    for k in range(0, g.width, UNROLLED):
                        a, b, c, d = thresholds[k], thresholds[k + 1], thresholds[k + 2], thresholds[k + 3]
                        for i in range(size):
                            h = halves[i]
                            counts[i] += int16(h > a) + int16(h > b) + int16(h > c) + int16(h > d)
                    highest = int16(-HALVES // 2)
                    for i in range(size):
                        highest = max(highest, halves[i])
                    if highest > last[0]:
                        for i in range(size):
                            if halves[i] > last[0]:
                                counts[i] = _left_over(g, rest, 0, first + i, step)
                else:
                    for i in range(size):
                        r = row[first + i]
                        if halves[i] > last[r]:
                            counts[i] = _left_over(g, rest, r * g.most, first + i, step)
                            continue
                        k = 0
                        while k < g.width and halves[i] > thresholds[r * g.width + k]:
                            k += 1
                        counts[i] = base[r] + k
                theirs = inputs[first : first + size]
                if g.n_weights == 1:
                    weight = weights[0]
                    for i in range(size):
                        theirs[i] += weight * kind(counts[i])
                else:
                    amounts = weights[first : first + size]
                    for i in range(size):
                        theirs[i] += amounts[i] * kind(counts[i])

    return drive


@register_jitable
def _left_over(g, rest, begin, neuron, step):
    """The count of a neuron whose half word leaves it to another word."""
    word = int32(word_of(neuron, step, g.rest_stream, g.key0, g.key1) & uint32(0xFFFFFFFF))
    count = int64(0)
    while count < g.most and word > rest[begin + count]:
        count += 1
    return count
