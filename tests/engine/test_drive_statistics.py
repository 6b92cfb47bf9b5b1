"""The random numbers behind `Network.drive`: Poisson, and independent of all the others.

Every comparison fails at p < 1e-7, after Bonferroni where there are several, so that a correct drive fails a test with
probability < 1e-6 (and, seeds being fixed, never again). What has the power to fail is said test by test.
"""

import numpy as np
import pytest
from scipy import stats

import spikesim as ss
from spikesim.drive import count_table
from spikesim.models.neurons import LIFDelta

UNLIKELY = 1e-7
DT = 0.5
N, STEPS = 2051, 2000  # several stretches of 1024 neurons, and 3 neurons that fill no block of eight
ULP = 2.0**-32
DIGIT = 4096.0  # weights are powers of it, so that the counts of several drives are the digits of their sum


def counts(*means, n=N, steps=STEPS, seed=1, threads=1, populations=1, cut=None):
    """Of each drive (steps, n) spikes: neurons that forget within a step have their input for a potential."""
    net = ss.Network(dt=DT, seed=seed, threads=threads)
    model = LIFDelta(tau_m=1e-3, E_L=0.0, V_th=1e18, V_reset=-1.0)
    cells = [net.add(model, n) for _ in range(populations)]
    for k, mean in enumerate(means):
        drive = net.drive(cells[k % populations], rate=np.asarray(mean)[()] / DT * 1e3, weight=DIGIT**k)
        if cut is not None:
            last, rest = np.full_like(drive.table.last, -(2**15) - 1), np.ascontiguousarray(drive.table.rest[:, :cut])
            drive.table = drive.table._replace(last=last, rest=rest)
    recorders = [net.record(population, "V_m") for population in cells]
    net.run((steps + 1) * DT)
    net.close()
    potentials = [recorder.values[1:] for recorder in recorders]  # input takes a step to arrive
    return [(potentials[k % populations] // DIGIT**k % DIGIT).astype(np.int32) for k in range(len(means))]


def far(comparisons=1):
    """As many standard deviations as the greatest of so many normal numbers has with p = UNLIKELY."""
    return stats.norm.isf(UNLIKELY / 2 / comparisons)


def fit(found, mean):
    """p of chi-squared over all counts, each tail pooled to at least 20 expected."""
    low, high = stats.poisson.ppf(20 / found.size, mean), stats.poisson.isf(20 / found.size, mean)
    chances = np.diff(stats.poisson.cdf(np.arange(low, high), mean), prepend=0.0, append=1.0)
    observed = np.bincount(np.clip(found.ravel() - int(low), 0, len(chances) - 1), minlength=len(chances))
    return stats.chisquare(observed, chances * found.size).pvalue


def moments(found, mean):
    """How many standard errors mean and variance are off: (x - mean)**2 has the variance mean + 2 mean**2."""
    off = found - mean
    scale = np.sqrt(found.size / np.array([mean, mean + 2 * mean**2]))
    return np.array([off.mean(), (off**2).mean() - mean]) * scale


def is_poisson(found, mean):
    return fit(found, mean) > UNLIKELY and np.abs(moments(found, mean)).max() < far(2)


def standard(found, mean):
    return (found - mean) / np.sqrt(mean)


@pytest.fixture(scope="module")
def usual():
    return counts(1.68)[0]


@pytest.mark.parametrize("mean", [0.01, 0.3, 1.68, 2.9, 190.0])
def test_mean_variance_and_distribution(mean):
    """Of 4 million counts. The next test shows what is found."""
    assert is_poisson(counts(mean)[0], mean)


@pytest.mark.parametrize(
    ("mean", "broken"),
    [
        (0.01, lambda rng, size: rng.poisson(0.01 * 1.04, size)),
        (0.3, lambda rng, size: rng.poisson(0.3 * 1.01, size)),
        (2.9, lambda rng, size: rng.poisson(2.9 * 1.004, size)),
        (0.3, lambda rng, size: rng.binomial(15, 0.02, size)),  # variance 2 % too small
        (2.9, lambda rng, size: rng.binomial(145, 0.02, size)),
        (2.9, lambda rng, size: rng.negative_binomial(145, 1 / 1.02, size)),  # 2 % too great
        (190.0, lambda rng, size: rng.negative_binomial(9500, 1 / 1.02, size)),
        (190.0, lambda rng, size: np.rint(rng.normal(190.0, 190.0**0.5, size)).astype(int)),
        (2.9, lambda rng, size: np.minimum(rng.poisson(2.9, size), 11)),  # 0.01 % of the counts are 12 or more
        (1.68, lambda rng, size: np.where(rng.random(size) < 2e-3, 0, rng.poisson(1.68, size))),
    ],
)
def test_what_the_previous_test_finds(mean, broken):
    assert not is_poisson(broken(np.random.default_rng(1), N * STEPS), mean)


@pytest.mark.parametrize("together", [True, False])
def test_the_table_is_exact(together):
    """Walks all halves of a word: each count has its probability to 2**-40, and with what counts beyond the table would
    add mean and variance lack less than 1e-10 of a count. Few halves are left over, or drawing would be slow."""
    means = np.array([0.0, 1e-9, 0.01, 0.3, 1.68, 2.9, 15.0, 22.0, 23.0, 60.0, 200.0])
    halves = np.arange(-(2**15), 2**15)
    for some in [means] if together else means[:, None]:
        table = count_table(some, np.zeros(1, np.int32))
        for r, mean in enumerate(some):
            sure = halves <= table.last[r]
            counts = table.base[r] + (halves[sure, None] > table.thresholds[r]).sum(axis=1)
            above = (2**31 - 1 - table.rest[r].astype(np.int64)) * ULP
            left = (~sure).mean()
            chances = left * -np.diff(above, prepend=1.0, append=0.0)
            chances[: counts.max() + 1] += np.bincount(counts) / len(halves)
            k = np.arange(len(chances))
            assert np.abs(chances - stats.poisson.pmf(k, mean)).max() < 2.0**-40
            assert abs((k * chances).sum() - mean) < 1e-10
            assert abs((k * k * chances).sum() - mean - mean**2) < 1e-8
            assert (np.diff(table.thresholds[r]) >= 0).all()  # both ways of counting in the kernel agree
            assert left <= 1e-3


@pytest.mark.parametrize("several", [False, True])
def test_counts_that_are_left_to_another_word(several):
    """All of them are, and the table is cut, so that words beyond the last threshold are common, for one rate and for
    several: they have the last count. What another word decides is Poisson, too, but for what half a word takes."""
    means = np.where(np.arange(203) % 3, 1.68, 4.0 if several else 1.68)
    cut = counts(means, n=203, steps=500, cut=2)[0]
    assert cut.max() == 2
    rest = count_table(np.array([1.68]), np.zeros(1, np.int32)).rest[0, :2].astype(np.int64)
    expected = np.diff((rest + 2.0**31 + 1) * ULP, prepend=0.0, append=1.0)
    found = np.bincount(cut[:, means == 1.68].ravel(), minlength=3)
    assert stats.chisquare(found, expected * found.sum()).pvalue > UNLIKELY


@pytest.mark.parametrize("n", [1, 2, 3, 5, 15, 17, 63, 1025])
def test_odd_sizes(usual, n):
    """A neuron's input does not depend on how many others there are or on threads; and each has its own rate: a neuron
    that gets none, or a multiple, or 20 % too much, is found, as is one that is given twice to a thread."""
    for threads in (1, 3):
        found = counts(1.68, n=n, threads=threads)[0]
        assert np.array_equal(found, usual[:, :n])
    totals = found.sum(axis=0)
    tails = np.minimum(stats.poisson.cdf(totals, 1.68 * STEPS), stats.poisson.sf(totals - 1, 1.68 * STEPS))
    assert tails.min() > UNLIKELY / 2 / n


def test_neurons_and_steps_are_alike_and_share_nothing(usual):
    """Totals over steps, and over neurons, are Poisson. Finds rates that differ by 1 % (standard deviation) between
    neurons, and 0.02 % of the spikes being common to all neurons."""
    for axis in (0, 1):
        totals, mean = usual.sum(axis=axis), 1.68 * usual.shape[axis]
        assert stats.chi2.sf(((totals - mean) ** 2 / mean).sum(), totals.size) > UNLIKELY / 4
        assert stats.chi2.cdf(((totals - mean) ** 2 / mean).sum(), totals.size) > UNLIKELY / 4


def test_neurons_are_independent():
    """All 20,503 correlations of 203 neurons are a normal sample: finds one of 0.06, and many of 0.003. At each
    distance up to 16 the mean for each place among the eight that share a counter: finds 0.011."""
    x, steps = standard(counts(1.68, n=203, steps=20_000, seed=2)[0], 1.68), 20_000
    z = x.T @ x / np.sqrt(steps)
    above = z[np.triu_indices(203, 1)]
    assert np.abs(above).max() < far(above.size)
    assert stats.kstest(above, "norm").pvalue > UNLIKELY
    assert abs((above**2).sum() - above.size) < far() * np.sqrt(2 * above.size)
    for distance in range(1, 17):
        for place in range(8):
            some = np.diag(z, distance)[place::8]
            assert abs(some.sum()) < far(128) * np.sqrt(some.size), (distance, place)


@pytest.mark.parametrize("distance", [1, 2, 3, 4, 8, 1024])
def test_neighbours_are_independent_beyond_correlation(usual, distance):
    """Contingency of the two counts, apart for each place among the eight that share a counter, and so of those that
    share a word, too. Finds 0.7 % of the pairs that share a half."""
    for place in range(8):
        first, second = usual[:, place:-distance:8].ravel(), usual[:, place + distance :: 8].ravel()
        table = np.bincount(np.minimum(first, 5) * 6 + np.minimum(second, 5), minlength=36).reshape(6, 6)
        assert stats.chi2_contingency(table).pvalue > UNLIKELY / 8


def test_steps_are_independent(usual):
    """Autocorrelation at lags 1 to 20, over all neurons: finds 0.004. And contingency, as for neighbours."""
    x = standard(usual, 1.68)
    for lag in range(1, 21):
        assert abs((x[lag:] * x[:-lag]).sum()) < far(20) * np.sqrt(x[lag:].size), lag
        table = np.bincount((np.minimum(usual[lag:], 5) * 6 + np.minimum(usual[:-lag], 5)).ravel(), minlength=36)
        assert stats.chi2_contingency(table.reshape(6, 6)).pvalue > UNLIKELY / 20, lag


def test_every_neuron_has_the_distribution_of_its_own_rate(usual):
    """One rate per neuron, 16 of them in irregular order and some zero: finds one neuron with the next rate, from
    0.2 on, and a variance that is 3 % off at one rate, from 0.5 on. Equal rates have equal counts, whichever kernel
    draws them."""
    rates = np.append(np.geomspace(0.05, 20.0, 15), [1.68, 0.0])[np.random.default_rng(1).integers(0, 17, N)]
    found = counts(rates)[0]
    totals = found.sum(axis=0)
    tails = np.minimum(stats.poisson.cdf(totals, rates * STEPS), stats.poisson.sf(totals - 1, rates * STEPS))
    assert tails.min() > UNLIKELY / 2 / N
    for rate in np.unique(rates[rates > 0]):
        some = found[:, rates == rate]
        assert fit(some, rate) > UNLIKELY / 48, rate
        assert np.abs(moments(some, rate)).max() < far(48), rate
    assert not found[:, rates == 0].any()
    assert np.array_equal(found[:, rates == 1.68], usual[:, rates == 1.68])


def test_drives_populations_and_seeds_are_independent():
    """Correlations at every shift of steps and neurons at once, of drives of one population and of two, and of seeds
    that differ in a bit; and of a drive with itself. Finds one stream that is another begun elsewhere. Unshifted it
    finds a correlation of 0.02."""
    n, mean = 512, 1.68
    found = counts(mean, mean, mean, n=n, steps=n, populations=2)
    for seed in (0, 2, 3, 1 + 2**31, 1 + 2**32, 1 + 2**62):
        found += counts(mean, n=n, steps=n, seed=seed)
    spectra = [np.fft.rfft2(standard(x, mean)) for x in found]
    pairs = [(a, b) for a in range(len(found)) for b in range(a + 1)]
    for a, b in pairs:
        z = np.fft.irfft2(spectra[a] * spectra[b].conj(), s=(n, n)) / n
        if a == b:
            z[0, 0] = 0.0
        assert abs(z[0, 0]) < far(len(pairs)), (a, b)
        assert np.abs(z).max() < far(len(pairs) * z.size), (a, b)
