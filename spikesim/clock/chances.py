"""Which neurons of a random model may fire in a step, and how often those do: half a random word tells, nearly always.

A neuron draws a number u in (0, 1) in every step, of which a half word is the first 16 bits. Its model says by
`may_spike` how large u must be, so that one comparison rules most neurons out. The others would fire as often for all u
that begin with the same half word, unless what `spikes` gives changes within these 2**-16: only then is another word
drawn for the rest. So what happens has the probability that 48 bits give it.

One block of random numbers serves a neuron for eight steps, as its half words of steps 8 k to 8 k + 7: counter
(neuron, k, k >> 32, stream).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import int8, int16, int32, int64, uint64
from numba.extending import register_jitable

from spikesim.lowlevel import at, load, load_looked_up, looked_up, own, put, put_eight
from spikesim.rng import key, least_of, philox4x32, stream_id

#: live: (n_live,) int32, who may spike at all; firsts: int16, the lowest half word with which. halves: (8, width)
#: int16, the half words of eight steps, those of `drawn`. chosen, listed, counted: room to work in.
FIELDS = "stale live n_live firsts halves width drawn chosen listed counted stream rest_stream key0 key1"

_LOWEST, _WORD, _HALF, _SIXTEEN = -(1 << 15), np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(16)
_BITS = np.arange(256)[:, None] >> np.arange(8) & 1
#: which of eight are chosen, by the bits that say so, and how many
_PLACES = np.argsort(1 - _BITS, axis=1, kind="stable").astype(np.int32).ravel()
_COUNTS = _BITS.sum(axis=1)
_GATHER, _TOP = np.uint64(0x0102040810204080), np.uint64(56)  # brings bit 0 of each of eight bytes to the top


def fields(purpose: str, index: int, seed: int, n: int, stale: Any) -> dict[str, Any]:
    """Context fields for a thread that owns `n` neurons of the population with this index."""
    width, (key0, key1) = -(-n // 16) * 16, key(seed)
    return {
        "stale": stale, "live": np.zeros(width, np.int32), "n_live": np.zeros(1, np.int64), "width": width,
        "firsts": np.zeros(width, np.int16), "halves": np.zeros((8, width), np.int16),
        "drawn": np.full(1, -1, np.int64), "chosen": np.zeros(width, np.int8), "listed": np.zeros(width + 8, np.int32),
        "counted": np.zeros(width, np.int32), "stream": stream_id(purpose, index),
        "rest_stream": stream_id(f"{purpose}_REST", index), "key0": key0, "key1": key1,
    }  # fmt: skip


@register_jitable
def fill_halves(out, width, entities, n, eighth, stream, k0, k1):
    """out[k width + j] = the half word of entities[j] in step 8 eighth + k, for j < n and k < 8. out: int16."""
    c1, c2 = uint64(eighth) & _WORD, uint64(eighth) >> _HALF
    for j in range(n):
        a, b, c, d = philox4x32(uint64(looked_up(entities, j)), c1, c2, stream, k0, k1)
        put(out, j, int16(a))
        put(out, width + j, int16(a >> _SIXTEEN))
        put(out, 2 * width + j, int16(b))
        put(out, 3 * width + j, int16(b >> _SIXTEEN))
        put(out, 4 * width + j, int16(c))
        put(out, 5 * width + j, int16(c >> _SIXTEEN))
        put(out, 6 * width + j, int16(d))
        put(out, 7 * width + j, int16(d >> _SIXTEEN))


@register_jitable
def take_notice(g, may_spike, Constants, constants, place, kind):
    """Find anew who may spike and with which half words, if the constants have changed."""
    stale, drawn = at(g.stale, int64, g.n_threads), at(g.drawn, int64, 1)
    if stale[g.thread] == 0:
        return
    stale[g.thread], drawn[0] = 0, -1
    live, firsts, n = at(g.live, int32, g.width), at(g.firsts, int16, g.width), 0
    for i in range(g.lo, g.hi):
        live[n] = i
        n += int64(may_spike(load(Constants, constants, i * place, g.n_constants), kind(1.0)))
    at(g.n_live, int64, 1)[0] = n
    for j in range(n):
        firsts[j] = _LOWEST
    step = int32(1 << 15)
    while step > 0:  # bisection, for all at once
        for j in range(n):
            c, first = load_looked_up(Constants, constants, looked_up(live, j) * place, g.n_constants), own(firsts, j)
            half = int32(first + step)
            put(firsts, j, int16(first if may_spike(c, kind(least_of(half))) else half))
        step >>= 1


@register_jitable
def candidates(g, step):
    """(halves, found): the half words of the live neurons in this step, and how many are listed, by their places among
    the live ones, because they may spike. At least seven others are listed after them, for loops that take eight."""
    drawn, n = at(g.drawn, int64, 1), at(g.n_live, int64, 1)[0]
    if drawn[0] != step >> 3:
        drawn[0], room = step >> 3, at(g.halves, int16, 8 * g.width)
        fill_halves(room, g.width, at(g.live, int32, g.width), n, step >> 3, g.stream, g.key0, g.key1)
    halves = at(g.halves + (step & 7) * g.width * 2, int16, g.width)
    firsts, chosen, listed = at(g.firsts, int16, g.width), at(g.chosen, int8, g.width), at(g.listed, int32, g.width + 8)
    for j in range(n):
        put(chosen, j, int8(looked_up(halves, j) >= looked_up(firsts, j)))
    for j in range(n, n + -n % 8):
        chosen[j] = 0
    groups, found = at(g.chosen, uint64, g.width >> 3), 0
    for group in range((n + 7) >> 3):
        bits = int64(groups[group] * _GATHER >> _TOP)
        put_eight(listed, found, _PLACES, bits, int32(8 * group))
        found += looked_up(_COUNTS, bits)
    return halves, found
