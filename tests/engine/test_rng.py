"""Philox against its published vectors; streams that do not depend on who draws what when."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy import stats

from spikesim.errors import SpikesimError
from spikesim.rng import Purpose, Stream, fill_words, fresh_seed, key, philox4x32, stream_id, uniform, word_of

# kat_vectors of Random123 1.14, philox4x32-10: counter, key -> words
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
STREAM = stream_id("noise", 5)


@njit
def compiled_philox(c0, c1, c2, c3, k0, k1):
    return philox4x32(c0, c1, c2, c3, k0, k1)


@njit(error_model="numpy")
def compiled_fill(out, first_id, n, step, stream, k0, k1):
    fill_words(out, first_id, n, step, stream, k0, k1)


@njit
def compiled_uniform(word):
    return uniform(word)


@pytest.mark.parametrize("philox", [philox4x32, compiled_philox], ids=["python", "compiled"])
@pytest.mark.parametrize(("counter", "keys", "words"), KNOWN)
def test_published_vectors(philox, counter, keys, words):
    assert tuple(map(int, philox(*counter, *keys))) == words
    assert tuple(map(int, philox(*map(np.uint32, counter), *map(np.uint32, keys)))) == words


@pytest.mark.parametrize("n", [0, 1, 3, 4, 7, 64, 101])
@pytest.mark.parametrize("step", [0, 3, 2**32 - 1, 2**32 + 9])
def test_fill_words_is_philox_of_each_entity(n, step):
    first, (k0, k1) = 4 * 10_007, key(2**63 + 12345)
    out = np.zeros(n + 1, np.uint32)
    compiled_fill(out, first, n, step, STREAM, k0, k1)
    expected = [
        philox4x32(entity >> 2, step & 0xFFFFFFFF, step >> 32, STREAM, k0, k1)[entity & 3]
        for entity in range(first, first + n)
    ]
    assert out[:n].tolist() == [int(word) for word in expected]
    assert out[n] == 0  # nothing beyond n is written
    assert [int(word_of(first + j, step, STREAM, k0, k1)) for j in range(n)] == out[:n].tolist()


def test_fill_words_is_the_same_uncompiled():
    plain, fast = np.zeros(11, np.uint32), np.zeros(11, np.uint32)
    fill_words(plain, 8, 11, 77, STREAM, 1, 2)
    compiled_fill(fast, 8, 11, 77, STREAM, 1, 2)
    assert (plain == fast).all()


def words(seed=1, steps=64, n=16384):
    out = np.zeros((steps, n), np.uint32)
    for step in range(steps):
        compiled_fill(out[step], 0, n, step, STREAM, *key(seed))
    return out


def test_words_are_uniform_and_independent():
    """p above 1e-4 for a fixed seed: a false alarm had probability 1e-4 when the seed was chosen."""
    drawn = words()
    for bits in (drawn >> 24, drawn & 0xFF):
        assert stats.chisquare(np.bincount(bits.ravel(), minlength=256)).pvalue > 1e-4
    assert stats.kstest(uniform_of(drawn.ravel()[:100_000]), "uniform").pvalue > 1e-4
    x = uniform_of(drawn) - 0.5
    n = x.size
    for a, b in ((x[:, 1:], x[:, :-1]), (x[1:], x[:-1]), (x[:, 4:], x[:, :-4])):  # entities, steps, blocks
        assert abs((a * b).mean()) * 12 * np.sqrt(n) < 4  # the correlation's standard deviation is 1 / sqrt(n)


def uniform_of(drawn):
    return (drawn.astype(float) + 0.5) * 2.0**-32


def test_seeds_and_streams_are_different_numbers():
    a = np.zeros(1024, np.uint32)
    b = a.copy()
    compiled_fill(a, 0, 1024, 0, STREAM, *key(1))
    for stream, seed in ((STREAM, 2), (STREAM, 1 + 2**32), (STREAM + 1, 1), (stream_id("spike", 5), 1)):
        compiled_fill(b, 0, 1024, 0, stream, *key(seed))
        assert np.count_nonzero(a == b) <= 1  # expected by chance: 1024 / 2**32


@pytest.mark.parametrize("function", [uniform, compiled_uniform], ids=["python", "compiled"])
def test_uniform_is_inside_the_unit_interval(function):
    assert function(np.uint32(0)) == 2.0**-33
    assert function(np.uint32(2**32 - 1)) == 1.0 - 2.0**-33
    assert function(np.uint64(2**31)) == 0.5 + 2.0**-33


def test_stream_ids_are_distinct_and_32_bits():
    ids = {stream_id(purpose, index) for purpose in Purpose for index in (0, 1, 2**24 - 1)}
    assert len(ids) == 3 * len(Purpose)
    assert max(ids) < 2**32
    assert stream_id("spike", 3) == stream_id(Purpose.SPIKE, 3) == 0x01000003


def test_numbers_of_purposes_are_never_changed():
    """Stored results depend on them."""
    assert {p.name: p.value for p in Purpose}.items() >= {
        "SPIKE": 1, "NOISE": 2, "CONNECT": 3, "WEIGHT": 4, "DELAY": 5, "PARAMETER": 6, "STATE": 7, "TASK": 8,
    }.items()  # fmt: skip


@given(cuts=st.lists(st.integers(0, 50), max_size=8), start=st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_how_draws_are_split_does_not_matter(cuts, start):
    whole = Stream(3, "weight", 2, position=start).uniform(sum(cuts))
    stream = Stream(3, "weight", 2)
    stream.uniform(start)
    parts = [stream.uniform(n) for n in cuts]
    assert np.array_equal(np.concatenate([np.empty(0), *parts]), whole)
    assert stream.position == start + sum(cuts)


def test_every_method_uses_one_position_for_a_number():
    u = Stream(9, "task").uniform(60)
    stream = Stream(9, "task")
    assert np.array_equal(stream.integers(1000, 20), np.floor(1000 * u[:20]))
    assert np.allclose(stats.norm.cdf(stream.normal(20)), u[20:40], rtol=1e-12, atol=0)
    assert np.array_equal(stream.permutation(20), np.argsort(u[40:]))
    assert stream.position == 60


def test_stream_takes_its_words_from_philox():
    """Numbers 0 and 1 come from block 0, 2 and 3 from block 1: 52 of 64 bits, and a half."""
    w = [int(x) for b in (0, 1) for x in philox4x32(b, 0, 0, stream_id("delay", 1), 7, 0)]
    expected = [((w[i] << 32 | w[i + 1]) >> 12) * 2.0**-52 + 2.0**-53 for i in (0, 2, 4, 6)]
    assert Stream(7, "delay", 1).uniform(4).tolist() == expected


def test_stream_goes_on_beyond_32_bits_of_blocks():
    stream = Stream(7, "delay", 1, position=2**33 - 1)  # the last number of block 2**32 - 1
    last, *following = stream.uniform(3)
    w = [int(x) for x in philox4x32(0, 1, 0, stream_id("delay", 1), 7, 0)]
    assert following[0] == ((w[0] << 32 | w[1]) >> 12) * 2.0**-52 + 2.0**-53
    assert last == Stream(7, "delay", 1, position=2**33 - 2).uniform(2)[1]


def test_stream_distributions():
    """p above 1e-4 for a fixed seed, as above."""
    stream = Stream(5, Purpose.PARAMETER)
    assert stats.kstest(stream.uniform(100_000), "uniform").pvalue > 1e-4
    assert stats.kstest(stream.normal(100_000), "norm").pvalue > 1e-4
    assert stats.chisquare(np.bincount(stream.integers(7, 200_000), minlength=7)).pvalue > 1e-4
    orders = [tuple(stream.permutation(3)) for _ in range(3000)]
    assert stats.chisquare(np.unique(orders, axis=0, return_counts=True)[1]).pvalue > 1e-4
    assert sorted(stream.permutation(1000)) == list(range(1000))


def test_integers_stay_below_their_limit():
    stream = Stream(5, "task")
    assert not stream.integers(1, 1000).any()
    assert stream.integers(2**31 - 1, 200_000, np.int32).min() >= 0  # past one chunk, and no overflow
    assert stream.integers(2**52, 10).max() < 2**52


def test_what_is_refused():
    with pytest.raises(SpikesimError, match="did you mean 'spike'"):
        stream_id("spikes", 0)
    with pytest.raises(SpikesimError, match="from 0 to 16777215, not 16777216"):
        stream_id("spike", 2**24)
    with pytest.raises(SpikesimError, match="from 0 to 2\\*\\*64 - 1, not -1"):
        Stream(-1, "spike")
    with pytest.raises(SpikesimError, match="high must be from 1 to 2\\*\\*52, not 0"):
        Stream(1, "spike").integers(0, 3)


def test_fresh_seeds():
    seeds = {fresh_seed() for _ in range(20)}
    assert len(seeds) == 20
    assert all(0 <= seed < 2**63 for seed in seeds)
