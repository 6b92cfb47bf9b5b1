"""Who `Network.connect` connects, with what weights and delays: exact distributions, and independence.

Nothing is assumed of the order of the synapses, but that sources[i], targets[i], weights[i] and delays[i] are one
synapse's. Every comparison fails at p < 1e-7, after Bonferroni where there are several: seeds being fixed, a failure
is a defect. What has the power to fail is said test by test.
"""

import functools
import itertools
import math

import numpy as np
import pytest
from scipy import stats

import spikesim as ss
from spikesim.models.neurons import LIF

UNLIKELY = 1e-7
DIRECTION = {ss.FixedIndegree: 1, ss.FixedOutdegree: -1}
BOTH = pytest.mark.parametrize("rule", DIRECTION)
AUTAPSES = pytest.mark.parametrize("autapses", [True, False])
MULTAPSES = pytest.mark.parametrize("multapses", [True, False])
MANY = pytest.mark.parametrize("rule", [(ss.FixedIndegree(150), 1000), (ss.AllToAll(), 400)], ids=["sparse", "dense"])


def populations(*sizes, seed=1, threads=1):
    net = ss.Network(dt=0.1, seed=seed, threads=threads)
    return net, *(net.add(LIF(), n) for n in sizes)


def connect(rule, n_sources, n_targets=None, *, seed=1, threads=1, **given):
    """Within one population if there is one size."""
    net, *cells = populations(n_sources, *[n_targets] * (n_targets is not None), seed=seed, threads=threads)
    return net.connect(cells[0], cells[-1], rule, **given)


def matrix(projection):
    """(sources, targets) how many synapses there are."""
    shape = projection.source.n, projection.target.n
    cells = np.ravel_multi_index((projection.sources, projection.targets), shape)
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)


def rows(projection, rule):
    """The matrix with a row for every neuron whose degree is fixed."""
    return matrix(projection).T if rule is ss.FixedIndegree else matrix(projection)


def far(comparisons=1):
    """As many standard deviations as the greatest of so many normal numbers has with p = UNLIKELY."""
    return stats.norm.isf(UNLIKELY / 2 / comparisons)


def plausible(statistic, dof, comparisons=1):
    """Whether a number that has the chi-squared distribution is neither too great nor too small."""
    return min(stats.chi2.sf(statistic, dof), stats.chi2.cdf(statistic, dof)) > UNLIKELY / 2 / comparisons


def vary(found, expected, share, dof):
    """Whether counts vary as they must: `share` is their variance in units of what is expected."""
    return plausible(((found - expected) ** 2 / expected / share).sum(), dof)


def independent(a, b, n, comparisons=1):
    """Contingency of two variables with values below n."""
    table = np.bincount(a * n + b, minlength=n * n).reshape(n, n)
    return stats.chi2_contingency(table).pvalue > UNLIKELY / comparisons


def have_distribution(found, cdf):
    """Chi-squared over the values of a discrete distribution, each tail pooled to at least 10 expected."""
    below = cdf(np.arange(found.max() + 2.0))
    low, high = np.flatnonzero(np.minimum(below, 1 - below) >= 10 / found.size)[[0, -1]]
    chances = np.diff(below[low : high + 1], prepend=0.0, append=1.0)
    observed = np.bincount(np.clip(found - low, 0, len(chances) - 1), minlength=len(chances))
    return stats.chisquare(observed, chances * found.size).pvalue > UNLIKELY


def greatest(a, b):
    """The greatest correlation of two matrices at any shift of rows and columns, in standard errors; of a matrix with
    itself at any other than none."""
    z = np.fft.irfft2(np.fft.rfft2(a) * np.fft.rfft2(b).conj(), s=a.shape) / np.sqrt(a.size)
    z[0, 0] *= a is not b
    return np.abs(z).max()


VIEWS = {
    "part": slice(5, 40), "stepped": slice(2, 50, 3), "reversed": slice(44, 10, -1), "one": [17],
    "shuffled": np.random.default_rng(1).permutation(50)[:30], "mask": np.arange(50) % 7 > 2,
}  # fmt: skip
PAIRS_OF_VIEWS = [("part", "shuffled"), ("reversed", "part"), ("mask", "stepped"), ("shuffled", "shuffled")]


def allowed_between(source, target, autapses):
    allowed = np.zeros((50, 50), bool)
    allowed[np.ix_(source.ids, target.ids)] = True
    allowed[np.arange(50), np.arange(50)] &= autapses
    return allowed


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(("a", "b"), [*PAIRS_OF_VIEWS, ("one", "reversed"), ("mask", "one")])
def test_views_without_chance(a, b, same):
    """All pairs once; pairs as they were given, with their weights; the i-th to the i-th."""
    net, first, second = populations(50, 50)
    source, target = first[VIEWS[a]], (first if same else second)[VIEWS[b]]
    for autapses, given in itertools.product((True, False), ({}, {"delay": ss.Uniform(0.1, 2.0)})):
        found = matrix(net.connect(source, target, ss.AllToAll(autapses=autapses), **given))
        assert np.array_equal(found, allowed_between(source, target, autapses or not same))
    n = min(len(source), len(target))
    found = net.connect(source[:n], target[:n], ss.OneToOne())
    expected = sorted(zip(source.ids[:n], target.ids[:n], strict=True))
    assert sorted(zip(found.sources, found.targets, strict=True)) == expected
    given = [np.random.default_rng(2).choice(view.ids, 500) for view in (source, target)]
    found = net.connect(source, target, ss.Pairs(*given), weight=np.arange(1.0, 501.0))
    order = np.argsort(found.weights)
    assert np.array_equal((found.sources[order], found.targets[order], found.weights[order]), [*given, range(1, 501)])


@MULTAPSES
@AUTAPSES
@pytest.mark.parametrize(("a", "b"), PAIRS_OF_VIEWS)
def test_views_with_chance(a, b, autapses, multapses):
    """Over 200 projections the counts of all pairs allowed vary as they must, and no other pair comes. Finds a neuron
    that is left out or stands in for its neighbour, and variances that are 40 % off."""
    net, cells = populations(50)
    source, target = cells[VIEWS[a]], cells[VIEWS[b]]
    allowed = allowed_between(source, target, autapses)
    options = {"autapses": autapses, "multapses": multapses}
    for rule, axis, k in (
        (ss.FixedIndegree(6, **options), 0, 6), (ss.FixedOutdegree(6, **options), 1, 6),
        (ss.FixedTotalNumber(90, **options), None, 90), (ss.FixedProbability(0.4, autapses=autapses), None, None),
    ):  # fmt: skip
        found = sum(matrix(net.connect(source, target, rule)) for _ in range(200))
        assert not found[~allowed].any(), rule
        sizes = np.broadcast_to(allowed.sum(axis=axis, keepdims=True), allowed.shape)[allowed]
        if k is None:
            assert vary(found[allowed], 80.0, 0.6, sizes.size)
        else:
            share = 1.0 if multapses else (sizes - k) / (sizes - 1)
            assert vary(found[allowed], 200 * k / sizes, share, (1 - 1 / sizes).sum()), rule


@AUTAPSES
@pytest.mark.parametrize(
    ("rule", "p"),
    [
        *itertools.product([ss.FixedProbability], [0.01, 0.1, 0.6, 0.97]),
        *itertools.product([functools.partial(ss.FixedTotalNumber, multapses=False)], [0.2, 0.7]),
        (ss.FixedTotalNumber, 0.7),
    ],
)
def test_pairs_are_alike_and_independent(rule, p, autapses):
    """Their number, degrees on both sides, and correlations between degrees and between pairs at any distance. Finds p
    that is 2 % off (from 0.1 on; 6 % at 0.01), degrees with 30 % more or less variance or correlated by 0.3, and 1 % of
    the pairs repeated elsewhere."""
    n, bernoulli, multapses = 1000, rule is ss.FixedProbability, rule is ss.FixedTotalNumber
    trials = n if autapses else n - 1
    total = round(n * trials * p)
    found = matrix(connect(rule(p if bernoulli else total, autapses=autapses), n, seed=3))
    assert abs(found.sum() - total) <= bernoulli * far() * np.sqrt(total * (1 - p))
    assert autapses or not np.trace(found)
    assert (found.max() > 1) == multapses
    degrees = [found.sum(axis=axis) for axis in (0, 1)]
    for some in degrees:
        assert vary(some, trials * p, 1.0 if multapses else 1 - p, n if bernoulli else n - 1)
        assert not bernoulli or have_distribution(some, stats.binom(trials, p).cdf)
    degrees = [(some[None] - some.mean()) / some.std() for some in degrees]
    assert all(greatest(a, b) < far(3 * n) for a, b in itertools.combinations_with_replacement(degrees, 2))
    x = np.where(autapses | ~np.eye(n, dtype=bool), found - p, 0.0)
    if multapses:
        assert abs((x**2).sum() / p - n * trials) < far() * np.sqrt(2 * n * trials)
    if p > 0.01:  # below, too few pairs coincide for normal statistics
        x /= x.std()
        assert greatest(x, x) < far(x.size)


@BOTH
@MULTAPSES
@AUTAPSES
def test_fixed_degrees(rule, autapses, multapses):
    """Exact on one side. On the other the degrees vary as multinomial ones or, without multapses, less. Choices of
    different neurons coincide as often as independent ones do: in the mean at each distance up to 20, which finds
    3 % of them repeated, and in all pairs, of which none are alike. And a pair comes again as often as it must."""
    n, k = 300, 100
    found = rows(connect(rule(k, autapses=autapses, multapses=multapses), n), rule)
    m = n if autapses else n - 1
    assert (found.sum(axis=1) == k).all()
    assert (np.trace(found) > 0) == autapses
    assert vary(found.sum(axis=0), k, 1.0 if multapses else 1 - k / m, n - 1)
    x = np.where(autapses | ~np.eye(n, dtype=bool), found - k / m, 0.0)
    assert found.max() == 1 or multapses
    if multapses:
        assert abs((x**2).sum() / (k / m) - n * (m - 1)) < far() * np.sqrt(n * 2 * (m - 1) * (k - 1) / k)
    variance, common = k / m * (1 - 1 / m if multapses else 1 - k / m), n if autapses else n - 2
    z = x @ x.T / (variance * np.sqrt(common * (1 + (common - 1) / (m - 1) ** 2)))
    above = z[np.triu_indices(n, 1)]
    assert np.abs(above).max() < 9.0  # of coincidences, 33 expected, whose tail is longer than a normal one
    assert abs((above**2).mean() - 1) < far() * (above**2).std() / np.sqrt(above.size)
    for distance in range(1, 21):
        some = np.diag(z, distance)
        assert abs(some.sum()) < far(20) * np.sqrt(some.size), distance


@pytest.mark.parametrize("rule", [ss.FixedIndegree(1000), ss.FixedOutdegree(166_667), ss.FixedTotalNumber(2_000_000)])
def test_two_million_draws_are_uniform(rule):
    """12 sources, 2000 targets. Finds 1 % between sources, such as the bias of a modulus of 10 random bits."""
    found = matrix(connect(rule, 12, 2000, seed=4))
    fixed = {ss.FixedIndegree: 2000, ss.FixedOutdegree: 12}.get(type(rule), 1)
    assert vary(found, found.mean(), 1.0, found.size - fixed)
    for totals in (found.sum(axis=1), found.sum(axis=0)):
        assert totals.size == fixed or vary(totals, totals.mean(), 1.0, totals.size - 1)


@BOTH
def test_choices_of_neighbours_are_independent(rule):
    """What a neuron and the one `distance` after it choose of 8: finds 3 % of the choices repeated."""
    chosen = rows(connect(rule(1), *(8, 40_001)[:: DIRECTION[rule]]), rule).argmax(axis=1)
    assert stats.chisquare(np.bincount(chosen, minlength=8)).pvalue > UNLIKELY
    for distance in (1, 2, 3, 4, 5, 8, 16, 1024):
        assert independent(chosen[distance:], chosen[:-distance], 8, 8), distance


@BOTH
@pytest.mark.parametrize("k", [2, 3, 4])
def test_every_set_of_partners_is_equally_likely(rule, k):
    """Without multapses, of 6 candidates for 20,000 neurons; then of 7 less oneself, in 300 projections. Finds a set
    that is 40 % more likely than the others, or twice as likely without autapses."""
    net, cells = populations(7)
    others = [rows(net.connect(cells, cells, rule(k, multapses=False, autapses=False)), rule) for _ in range(300)]
    others = np.concatenate([np.delete(np.array(others)[:, neuron], neuron, axis=1) for neuron in range(7)])
    for chosen in (others, rows(connect(rule(k, multapses=False), *(6, 20_000)[:: DIRECTION[rule]]), rule)):
        counts = np.unique(chosen, axis=0, return_counts=True)[1]
        assert counts.size == math.comb(6, k)
        assert stats.chisquare(counts).pvalue > UNLIKELY


@pytest.mark.parametrize("n", [2, 3, 4])
def test_every_set_of_pairs_is_equally_likely(n):
    """Of the 6 pairs of 3 neurons that are not autapses, in 1500 projections: finds a set that is twice as likely."""
    net, cells = populations(3)
    rule = ss.FixedTotalNumber(n, multapses=False, autapses=False)
    found = [tuple(np.flatnonzero(matrix(net.connect(cells, cells, rule)))) for _ in range(1500)]
    counts = [found.count(pairs) for pairs in itertools.combinations([1, 2, 3, 5, 6, 7], n)]
    assert sum(counts) == 1500
    assert stats.chisquare(counts).pvalue > UNLIKELY


RULES = [
    ss.FixedProbability(0.3), ss.FixedIndegree(200), ss.FixedOutdegree(200, multapses=False),
    ss.FixedTotalNumber(110_000), ss.FixedTotalNumber(110_000, multapses=False),
    ss.FixedProbability(0.97, autapses=False), ss.AllToAll(), ss.AllToAll(autapses=False),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES[:5], ids=str)
def test_projections_and_seeds_are_independent(rule):
    """At any shift of sources and targets. Finds a stream begun elsewhere, if 3 % of the pairs come again."""
    found = []
    for seed in (1, 2, 1 + 2**32):
        net, one, other = populations(400, 400, seed=seed)
        found += [matrix(net.connect(*ends, rule)) for ends in ((one, one), (one, one), (other, one))]
    found = [(x - x.mean()) / x.std() for x in found]
    for a, b in itertools.combinations(found, 2):
        assert greatest(a, b) < far(36 * a.size)


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("delay", [1.5, ss.Uniform(0.1, 5.0)], ids=["one delay", "delays"])
def test_threads_change_nothing(rule, delay):
    """Enough synapses that threads share the work, put in an order that does not depend on who made them."""
    found = []
    for threads in (1, 2, 3):
        p = connect(rule, 700, threads=threads, weight=ss.Lognormal(0.0, 1.0), delay=delay)
        columns = p.sources, p.targets, p.delays, p.weights
        found.append(np.array(columns)[:, np.lexsort(columns)])
    assert all(np.array_equal(found[0], other) for other in found[1:])


WEIGHTS = [
    (ss.Normal(45.0, 4.5), stats.norm(45.0, 4.5)),
    (ss.Normal(0.0, 1.0), stats.norm(0.0, 1.0)),
    (ss.TruncatedNormal(1.0, 2.0, low=0.0, high=2.5), stats.truncnorm(-0.5, 0.75, 1.0, 2.0)),
    (ss.Uniform(-1.0, 3.0), stats.uniform(-1.0, 4.0)),
    (ss.Lognormal(-1.0, 0.7), stats.lognorm(0.7, scale=math.exp(-1.0))),
    (ss.Exponential(2.5), stats.expon(scale=2.5)),
]
DELAYS = [
    (ss.Normal(4.0, 0.5), stats.norm(4.0, 0.5)),
    (ss.TruncatedNormal(1.5, 0.75, low=0.1), stats.truncnorm(-1.4 / 0.75, np.inf, 1.5, 0.75)),
    (ss.TruncatedNormal(0.75, 0.375, low=0.05), stats.truncnorm(-0.7 / 0.375, np.inf, 0.75, 0.375)),
    (ss.Uniform(0.1, 3.04), stats.uniform(0.1, 2.94)),
    (ss.Lognormal(1.0, 0.4), stats.lognorm(0.4, scale=math.e)),
]


@MANY
@pytest.mark.parametrize(("weight", "expected"), WEIGHTS, ids=[str(weight) for weight, _ in WEIGHTS])
def test_weights(weight, expected, rule):
    """Kolmogorov-Smirnov of 150,000: finds a mean that is 3 % of the standard deviation off, or a standard deviation
    that is 5 % off."""
    weights = connect(*rule, threads=2, weight=weight).weights
    low, high = expected.support()
    assert low <= weights.min() <= weights.max() <= high
    assert stats.kstest(weights, expected.cdf).pvalue > UNLIKELY


@pytest.mark.parametrize(("delay", "expected"), DELAYS, ids=[str(delay) for delay, _ in DELAYS])
def test_delays(delay, expected):
    """Of 2 million, on the nearest step, so that the first and last have less: finds steps rounded down or up, and a
    mean that is 1 % of the standard deviation off. TruncatedNormal and Uniform begin in the middle of their first
    step."""
    delays = connect(ss.FixedIndegree(2000), 1000, delay=delay).delays / 0.1
    steps = np.rint(delays).astype(int)
    assert np.abs(delays - steps).max() < 1e-9
    assert have_distribution(steps, lambda k: expected.cdf((k + 0.5) * 0.1))


@pytest.mark.parametrize(
    ("rule", "delay"),
    [
        (ss.AllToAll(), ss.Uniform(0.1, 9.0)),
        (ss.AllToAll(), 1.0),  # a matrix of weights
        (ss.FixedIndegree(100, multapses=False), ss.Uniform(0.1, 9.0)),
    ],
)
def test_weights_and_delays_know_nothing_of_each_other(rule, delay):
    """Nor of the ids of their ends, of other synapses and projections, or of the seed: correlations of the matrices at
    any shift, and means by source and by target. Finds 10 % of the numbers to be another's too, and means that
    differ by 10 % of the standard deviation between neurons."""
    n, found = 400, []
    for seed in (1, 2):
        net, cells = populations(n, seed=seed)
        for _ in range(2):
            projection = net.connect(cells, cells, rule, weight=ss.Normal(10.0, 1.0), delay=delay)
            ends, values = (projection.sources, projection.targets), [projection.weights, projection.delays]
            tenths = [np.argsort(np.argsort(x)) * 10 // len(x) for x in values]
            assert delay == 1.0 or independent(*tenths, 10, 4)
            for x in values[: 1 if delay == 1.0 else 2]:
                x = (x - x.mean()) / x.std()
                for end in ends:
                    sums = np.bincount(end, x, minlength=n)
                    assert plausible((sums**2 / np.bincount(end, minlength=n)).sum(), n - 1, 16)
                found.append(np.zeros((n, n)))
                found[-1][ends] = x
    density = len(projection) / n**2
    for a, b in itertools.combinations_with_replacement(found, 2):
        assert greatest(a, b) < 1.05 * density * far(36 * n * n)
