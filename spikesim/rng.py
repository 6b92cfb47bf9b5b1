"""Random numbers that are functions of (seed, purpose, entity, step) and of nothing else.

Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, doi:10.1145/2063384.2063405) turns a counter of four 32-bit
words, under a key of two, into four random words. The key is the seed; the counter says what they are for:

    counter = (block, step, step >> 32, stream)        one word per entity: id -> word id & 3 of block id >> 2
                                                       or a half word per entity, see `spikesim.clock.chances`

So a number does not depend on who asks for it, when, or on how many threads. Kernels call `fill_words`; what
is drawn before the run comes from a `Stream`, which walks along the blocks of step 0 of its stream.

Words are held in uint64 and masked by hand: Numba widens uint32 arithmetic to 64 bits without saying so, and
a 32 x 32 -> 64-bit multiplication is what processors have vector instructions for.
"""

from __future__ import annotations

import copy
import enum
import functools
import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import register_jitable

from spikesim.errors import SpikesimError, unknown
from spikesim.jit import cache_for, hook

_WORD = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_TWO = np.uint64(2)
_ABOVE, HALF_WORD = np.int32(1 << 15), np.float32(2.0**-16)
_DROPPED = np.uint64(12)  # of 64 random bits, 52 are kept
_MULTIPLY_0, _MULTIPLY_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_ROUNDS = 10
_CHUNK = 1 << 17  # draws turned into integers at a time: they stay in the cache
FINEST = 52  # bits of a number that a `Stream` draws


class Purpose(enum.IntEnum):
    """What random numbers are for. Numbers are never reused or renumbered: results depend on them."""

    SPIKE = 1  # whether a stochastic neuron or source fires
    NOISE = 2  # noise currents
    CONNECT = 3  # who is connected to whom
    WEIGHT = 4
    DELAY = 5
    PARAMETER = 6  # parameters of neurons drawn from a distribution
    STATE = 7  # initial values of state variables
    TASK = 8  # order and choice of stimuli
    DRIVE = 9  # Poisson input summed per neuron; two neurons share a word
    SAMPLE = 10  # which synapses are recorded
    DRIVE_REST = 11  # counts of that input that half a word does not decide
    SPIKE_REST = 12  # spikes of a stochastic neuron that half a word does not decide
    INTERVAL = 13  # from one spike to the next, of a Poisson source without a clock


def stream_id(purpose: Purpose | str, index: int) -> int:
    """The 32-bit stream of a purpose (high 8 bits) and an index (low 24 bits), of a population for instance.

    Raises SpikesimError for an unknown purpose or an index outside 0 ... 2**24 - 1.
    """
    if isinstance(purpose, str):
        if purpose.upper() not in Purpose.__members__:
            raise unknown("stream_id", "purpose", purpose, (name.lower() for name in Purpose.__members__))
        purpose = Purpose[purpose.upper()]
    if not 0 <= index < 1 << 24:
        raise SpikesimError(f"stream_id: index must be from 0 to {(1 << 24) - 1}, not {index}.")
    return int(Purpose(purpose)) << 24 | int(index)


# Inlined by Numba itself: LLVM finds it too long to inline, and a loop around a call is not vectorised.
# Numba warns, harmlessly, where it is inlined at two places of one function; `fill_words` and `word_of` are not.
@register_jitable(inline="always")
def philox4x32(c0, c1, c2, c3, k0, k1):
    """The four 32-bit words of counter (c0, c1, c2, c3) under key (k0, k1), all of them uint64.

    0.5 ns per word in a vectorised loop with AVX-512, 2.5 ns otherwise.
    """
    c0, c1, c2, c3 = np.uint64(c0), np.uint64(c1), np.uint64(c2), np.uint64(c3)
    k0, k1 = np.uint64(k0), np.uint64(k1)
    for _ in range(_ROUNDS):
        a, b = _MULTIPLY_0 * c0, _MULTIPLY_1 * c2
        c0, c1, c2, c3 = (b >> _HALF) ^ c1 ^ k0, b & _WORD, (a >> _HALF) ^ c3 ^ k1, a & _WORD
        k0, k1 = (k0 + _WEYL_0) & _WORD, (k1 + _WEYL_1) & _WORD
    return c0, c1, c2, c3


@hook
def word_of(entity, step, stream, k0, k1):
    """The word (uint64, below 2**32) of one entity at `step`; see `fill_words`."""
    block = np.uint64(entity) >> _TWO
    words = philox4x32(block, np.uint64(step) & _WORD, np.uint64(step) >> _HALF, stream, k0, k1)
    return words[entity & 3]


@hook
def fill_words(out, first_id, n, step, stream, k0, k1):
    """out[j] = the word of entity first_id + j at `step`, for j < n. `first_id` is a multiple of 4.

    out: uint32, at least n long. Entities are below 2**34; `stream` is a `stream_id`, (k0, k1) a `key`.
    """
    c1, c2 = np.uint64(step) & _WORD, np.uint64(step) >> _HALF
    first = np.uint64(first_id) >> _TWO
    blocks = n >> 2
    for block in range(blocks):
        words = philox4x32(first + np.uint64(block), c1, c2, stream, k0, k1)
        out[4 * block] = words[0]
        out[4 * block + 1] = words[1]
        out[4 * block + 2] = words[2]
        out[4 * block + 3] = words[3]
    for j in range(4 * blocks, n):
        out[j] = word_of(first_id + j, step, stream, k0, k1)


@hook
def least_of(half):
    """Where the numbers in (0, 1) begin that have this half word, a signed number, for their first 16 bits. They end
    HALF_WORD later."""
    return np.float32(np.int32(half) + _ABOVE) * HALF_WORD


@hook
def completed(half, word):
    """The number in (0, 1) that begins with a half word and goes on with a word."""
    return (np.float64(np.int32(half) + _ABOVE) + uniform(word)) * 2.0**-16


@hook
def uniform(word):
    """A 32-bit word as a number in (0, 1), never 0 or 1: the middle of its 2**-32."""
    # By way of a signed word, which processors have vector instructions for; every step is exact.
    return (np.float64(np.int32(np.int64(word) - 2147483648)) + 2147483648.5) * 2.0**-32


@hook
def _bits52(high, low):
    return np.int64(((high << _HALF) | low) >> _DROPPED)


@hook
def _uniform52(high, low):
    # Not 53 bits: the greatest, plus a half, would round to 1. By way of int64, which vectorises better.
    return (np.float64(_bits52(high, low)) + 0.5) * 2.0**-52


@hook
def uniform_at(position, stream, k0, k1):
    """The number that `Stream.uniform` has at this position."""
    block = np.uint64(position >> 1)
    words = philox4x32(block & _WORD, block >> _HALF, np.uint64(0), stream, k0, k1)
    return _uniform52(words[2], words[3]) if position & 1 else _uniform52(words[0], words[1])


@hook
def uniform52_of(entity, count, stream, k0, k1):
    """A number in (0, 1) of 52 random bits for the `count`-th time that an entity, below 2**32, wants one."""
    words = philox4x32(entity, np.uint64(count) & _WORD, np.uint64(count) >> _HALF, stream, k0, k1)
    return _uniform52(words[0], words[1])


@functools.cache
def _filler(convert: Callable[..., Any]) -> Callable[..., None]:
    """Compiled function that fills an array with what `convert` makes of two words each, two numbers a block."""
    with cache_for() as cache:
        from numba import njit

        @njit(cache=cache, error_model="numpy", nogil=True)
        def fill(out, first, stream, k0, k1):
            for pair in range(out.shape[0] >> 1):
                block = np.uint64(first + pair)
                words = philox4x32(block & _WORD, block >> _HALF, 0, stream, k0, k1)
                out[2 * pair] = convert(words[0], words[1])
                out[2 * pair + 1] = convert(words[2], words[3])

    return fill


def key(seed: int) -> tuple[int, int]:
    """The key (k0, k1), two 32-bit words, of a seed. Raises SpikesimError unless 0 <= seed < 2**64."""
    if not 0 <= seed < 1 << 64:
        raise SpikesimError(f"a seed is a whole number from 0 to 2**64 - 1, not {seed}.")
    return int(seed) & 0xFFFFFFFF, int(seed) >> 32


def fresh_seed() -> int:
    """A seed from the operating system's source of randomness, below 2**63."""
    return secrets.randbits(63)


class Stream:
    """Random numbers drawn one after another; the i-th depends on (seed, purpose, index, i) only.

    It does not matter how draws are split between calls: every number of every method uses up one `position`,
    of which there are 2**65. Nor does the version of NumPy matter, whose generators are not used.
    Raises SpikesimError for what `key` and `stream_id` refuse.
    """

    def __init__(self, seed: int, purpose: Purpose | str, index: int = 0, position: int = 0) -> None:
        self.seed, self.stream, self.position = seed, stream_id(purpose, index), position
        self.key = key(seed)

    def at(self, offset: int) -> Stream:
        """The same stream, `offset` positions further on; this one stays where it is."""
        there = copy.copy(self)
        there.position += int(offset)
        return there

    def reserve(self, n: int) -> Stream:
        """A stream of its own that begins here; this one moves on by the `n` positions that are for the other."""
        reserved = self.at(0)
        self.position += int(n)
        return reserved

    def uniform(self, n: int) -> np.ndarray:
        """`n` float64 in the open interval (0, 1): the midpoints of 2**52 equal parts of it."""
        return self._draw(n, _uniform52, np.float64)

    def bits(self, n: int) -> np.ndarray:
        """`n` int64 of 52 random bits: which of its parts `uniform` would be in the middle of."""
        return self._draw(n, _bits52, np.int64)

    def _draw(self, n: int, convert: Callable[..., Any], dtype: Any) -> np.ndarray:
        odd = self.position & 1  # a block has two; begin with the block of the first one wanted
        out = np.empty(odd + n + ((odd + n) & 1), dtype)
        _filler(convert)(out, self.position >> 1, self.stream, *self.key)
        self.position += n
        return out[odd : odd + n]

    def integers(self, high: int, n: int, dtype: Any = np.int64) -> np.ndarray:
        """`n` whole numbers from 0 to high - 1: the floor of high * uniform, so each is as likely as the
        others to within 2**-52. Raises SpikesimError unless 1 <= high <= 2**52."""
        if not 1 <= high <= 1 << FINEST:
            raise SpikesimError(f"Stream.integers: high must be from 1 to 2**52, not {high}.")
        out = np.empty(n, dtype)
        for start in range(0, n, _CHUNK):
            part = out[start : start + _CHUNK]
            np.multiply(self.uniform(part.size), high, out=part, casting="unsafe")
        return out

    def normal(self, n: int) -> np.ndarray:
        """`n` float64 of mean 0 and variance 1, by the inverse of the distribution function."""
        from scipy.special import ndtri

        return ndtri(self.uniform(n))

    def permutation(self, n: int) -> np.ndarray:
        """The numbers 0 ... n - 1 in random order (int64)."""
        return np.argsort(self.uniform(n), kind="stable")

    def __repr__(self) -> str:
        purpose, index = Purpose(self.stream >> 24).name.lower(), self.stream & 0xFFFFFF
        return f"Stream(seed={self.seed}, purpose={purpose!r}, index={index}, position={self.position})"
