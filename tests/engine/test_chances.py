"""Random neurons fire as often as all the bits of their random numbers say, though only the first are looked at."""

import numpy as np
import pytest
from scipy import stats

import spikesim as ss
from spikesim.models.neurons import PoissonSource, SegregatedDendrite
from spikesim.rng import completed, key, least_of, philox4x32, stream_id, uniform

STEPS, SEED = 96, 2**40 + 5


def half_words(n, index):
    """(STEPS, n) the first 16 bits of every number, as signed numbers: a block for eight steps, low halves first."""
    rows = []
    for k in range(STEPS // 8):
        words = np.array(philox4x32(np.arange(n), k, 0, stream_id("SPIKE", index), *key(SEED)), np.uint32)
        rows += [half.astype(np.int16) for word in words for half in (word & 0xFFFF, word >> 16)]
    return np.array(rows)


def numbers(n, index):
    """(STEPS, n) halves and the numbers in (0, 1) that a population with this index has."""
    halves, rest = half_words(n, index), []
    for step in range(STEPS):
        words = philox4x32(np.arange(-(-n // 4)), step, 0, stream_id("SPIKE_REST", index), *key(SEED))
        rest.append(np.stack(words, axis=1).ravel()[:n])
    return halves, np.array([[completed(h, w) for h, w in zip(*row, strict=True)]
                             for row in zip(halves.astype(int), rest, strict=True)])  # fmt: skip


def counts(recorder, n):
    found = np.zeros((STEPS, n), int)
    np.add.at(found, (recorder.steps - 1, recorder.ids), 1)
    return found


def below(u, mean):
    """How many events a Poisson variable of this mean counts, at u of its distribution function."""
    return (u[..., None] > stats.poisson.cdf(np.arange(48), np.asarray(mean)[..., None])).sum(axis=-1)


@pytest.mark.parametrize("threads", [1, 3])
def test_spikes_are_those_of_the_whole_numbers(threads):
    """Of sources, of which some are silent, and of neurons with a state; half a word leaves some undecided."""
    n, net = 1001, ss.Network(dt=1.0, seed=SEED, threads=threads, max_rate=None)
    rates = np.where(np.arange(n) % 5 == 0, 0.0, np.linspace(1.0, 2500.0, n))
    bias = np.linspace(-4.0, 6.0, n)
    source, cells = net.add(PoissonSource(rate=rates), n), net.add(SegregatedDendrite(bias=bias, phi_max=900.0), n)
    recorders = [net.record(p, "spikes") for p in (source, cells)]
    net.run(5.0)
    net.run(STEPS - 5.0)
    potential, means = np.zeros(n), []
    for _ in range(STEPS):
        potential = 0.3 * potential + 0.6 * bias
        means.append(0.9 / (1.0 + np.exp(-potential)))
    for index, mean in enumerate((np.broadcast_to(rates * 1e-3, (STEPS, n)), np.array(means))):
        halves, u = numbers(n, index)
        np.testing.assert_array_equal(counts(recorders[index], n), np.minimum(below(u, mean), (48, 8)[index]))
        undecided = below(least_of(halves.astype(int)), mean) != below(least_of(halves.astype(int) + 1), mean)
        assert 0 < undecided[:, rates > 0.0].sum() < 60


def test_new_rates_count_from_the_next_step():
    """Numbers are drawn for eight steps at once, for those who may fire: a change in between must not be late."""
    net = ss.Network(dt=1.0, seed=SEED)
    source = net.add(PoissonSource(rate=np.zeros(40)), 40)
    spikes = net.record(source, "spikes")
    net.run(3.0)
    source.set(rate=np.arange(40) * 20.0)
    net.run(10.0)
    source.set(rate=np.arange(40)[::-1] * 20.0)
    net.run(STEPS - 13.0)
    rate = np.repeat([np.zeros(40), np.arange(40) * 20.0, np.arange(40)[::-1] * 20.0], [3, 10, STEPS - 13], axis=0)
    np.testing.assert_array_equal(counts(spikes, 40), below(numbers(40, 0)[1], rate * 1e-3))


def test_numbers_of_a_half_word_lie_between_its_ends():
    for half in (-32768, -1, 0, 32767):
        for word in (0, 2**31, 2**32 - 1):
            assert least_of(half) < completed(half, word) < least_of(half + 1)
    assert (least_of(-32768), least_of(32768)) == (0.0, 1.0)
    assert completed(-32768, 7) == uniform(7) * 2.0**-16
