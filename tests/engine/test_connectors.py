"""Connection rules: exact counts, right distributions, and what cannot be done."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from spikesim.connectors import (
    AllToAll,
    FixedIndegree,
    FixedOutdegree,
    FixedProbability,
    FixedTotalNumber,
    OneToOne,
    Pairs,
    from_sparse,
)
from spikesim.errors import SpikesimError
from spikesim.rng import Stream


def connect(rule, sources, targets, same=False, seed=1):
    ids = [np.asarray(range(x) if isinstance(x, int) else x, np.int32) for x in (sources, targets)]
    s, t = rule.pairs(*ids, same, Stream(seed, "connect"))
    assert s.dtype == t.dtype == np.int32
    assert s.shape == t.shape
    assert np.isin(s, ids[0]).all()
    assert np.isin(t, ids[1]).all()
    return s, t


def repeated(s, t):
    cells = np.sort(s.astype(np.int64) << 32 | t)
    return np.count_nonzero(cells[1:] == cells[:-1])


def as_set(s, t):
    return set(zip(s.tolist(), t.tolist(), strict=True))


def test_one_to_one():
    assert as_set(*connect(OneToOne(), [4, 2], [7, 9])) == {(4, 7), (2, 9)}


def test_all_to_all():
    assert as_set(*connect(AllToAll(), [4, 2], [2, 4, 9])) == {(i, j) for i in (4, 2) for j in (2, 4, 9)}
    without = as_set(*connect(AllToAll(autapses=False), [4, 2], [2, 4, 9], same=True))
    assert without == {(4, 2), (4, 9), (2, 4), (2, 9)}
    assert connect(AllToAll(autapses=False), 3, 3, same=False)[0].size == 9  # other neurons of the same number


@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize("autapses", [True, False])
@pytest.mark.parametrize(("rule", "fixed", "other"), [(FixedIndegree, 1, 0), (FixedOutdegree, 0, 1)])
def test_fixed_degrees(rule, fixed, other, autapses, multapses):
    """Exact degrees on one side; on the other, p of a chi-squared test above 1e-4 for a fixed seed."""
    n, k = 300, 100
    ends = connect(rule(k, autapses=autapses, multapses=multapses), n, n, same=True)
    assert (np.bincount(ends[fixed], minlength=n) == k).all()
    counts = np.bincount(ends[other], minlength=n)
    # Drawn without replacement, a neuron's count varies less than multinomially: by this share of it.
    share = 1.0 if multapses else 1.0 - k / (n if autapses else n - 1)
    assert stats.chi2.sf(((counts - k) ** 2 / k).sum() / share, n - 1) > 1e-4
    assert np.count_nonzero(ends[0] == ends[1]) > 0 or not autapses
    assert np.count_nonzero(ends[0] == ends[1]) == 0 or autapses
    assert (repeated(*ends) > 0) == multapses


def test_every_set_without_multapses_is_equally_likely():
    """All 10 pairs of 5 sources, for 20,000 targets: chi-squared, p above 1e-4 for a fixed seed."""
    s, _ = connect(FixedIndegree(2, multapses=False), 5, 20_000)
    chosen = np.sort(s.reshape(-1, 2), axis=1)
    counts = np.unique(chosen, axis=0, return_counts=True)[1]
    assert counts.size == 10
    assert stats.chisquare(counts).pvalue > 1e-4


def test_degrees_across_several_chunks():
    """3 million draws are three chunks, which must not know of each other's choices."""
    s, t = connect(FixedIndegree(1000, multapses=False, autapses=False), 1001, 3000, same=True)
    s, t = s.reshape(3000, 1000), t.reshape(3000, 1000)
    assert (t == np.arange(3000)[:, None]).all()
    left_out = 1001 * 1000 // 2 - s.sum(axis=1, dtype=np.int64)  # each row holds all sources but one
    assert (left_out[:1001] == np.arange(1001)).all()
    assert np.unique(left_out[1001:]).size > 800  # of 1001, in 1999 draws: 865 +- 10 expected
    assert repeated(s.ravel(), t.ravel()) == 0


@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize("autapses", [True, False])
@pytest.mark.parametrize("n", [0, 1, 400, 700, 870])
def test_fixed_total_number(n, autapses, multapses):
    s, t = connect(FixedTotalNumber(n, autapses=autapses, multapses=multapses), 30, 30, same=True)
    assert s.size == n
    if not autapses:
        assert (s != t).all()
    if not multapses:
        assert repeated(s, t) == 0


@pytest.mark.parametrize(("n", "multapses"), [(3, True), (3, False), (8, False)])
def test_fixed_total_number_is_uniform_over_the_pairs(n, multapses):
    """Of 12 pairs that are not autapses; chi-squared over 3000 networks, p above 1e-4 for fixed seeds."""
    rule, counts = FixedTotalNumber(n, autapses=False, multapses=multapses), np.zeros((4, 4))
    stream = Stream(1, "connect")
    for _ in range(3000):
        s, t = rule.pairs(np.arange(4), np.arange(4), True, stream)
        np.add.at(counts, (s, t), 1)
    assert np.trace(counts) == 0
    off = counts[~np.eye(4, dtype=bool)]
    expected = n * 3000 / 12
    share = 1.0 if multapses else (12 - n) / 11  # of the multinomial variance, when drawn without replacement
    assert stats.chi2.sf(((off - expected) ** 2 / (expected * share)).sum(), 11) > 1e-4


@pytest.mark.parametrize("p", [0.003, 0.1, 0.5, 0.97])
def test_fixed_probability_is_bernoulli(p):
    """Counts within 4 standard deviations, and binomial degrees at p = 1e-4 for a fixed seed."""
    s, t = connect(FixedProbability(p), 1200, 1500)
    n = 1200 * 1500
    assert abs(s.size - n * p) < 4 * np.sqrt(n * p * (1 - p))
    assert repeated(s, t) == 0
    for ends, size, trials in ((s, 1200, 1500), (t, 1500, 1200)):
        degrees = np.bincount(ends, minlength=size)
        assert stats.chi2.sf(((degrees - trials * p) ** 2).sum() / (trials * p * (1 - p)), size) > 1e-4
    gaps = np.diff(t.astype(np.int64) * 1200 + s)
    assert gaps.min() >= 1
    assert abs((gaps == 1).mean() - p) < 4 * np.sqrt(p * (1 - p) / gaps.size)


def test_fixed_probability_edges():
    assert connect(FixedProbability(0.0), 50, 50)[0].size == 0
    assert connect(FixedProbability(1e-320), 50, 50)[0].size == 0
    assert as_set(*connect(FixedProbability(1.0), 3, 4)) == as_set(*connect(AllToAll(), 3, 4))
    s, t = connect(FixedProbability(0.5, autapses=False), 100, 100, same=True)
    assert (s != t).all()


def test_first_and_last_pair_are_reached():
    """Over 2000 networks of 2 x 2 each pair has its probability: 4 standard deviations."""
    stream, counts = Stream(2, "connect"), np.zeros((2, 2))
    for _ in range(2000):
        s, t = FixedProbability(0.3).pairs(np.arange(2), np.arange(2), False, stream)
        np.add.at(counts, (s, t), 1)
    assert (abs(counts - 600) < 4 * np.sqrt(2000 * 0.3 * 0.7)).all()


def test_views_of_one_population_know_who_is_who():
    sources, targets = np.arange(10, 30), np.arange(20, 60)[::-1]
    for rule in (FixedIndegree(19, autapses=False, multapses=False), FixedTotalNumber(700, autapses=False),
                 FixedProbability(0.9, autapses=False), AllToAll(autapses=False)):  # fmt: skip
        s, t = connect(rule, sources, targets, same=True)
        assert (s != t).all()
        s, t = connect(rule, sources, targets, same=False)
        assert (s == t).any()


def test_pairs_and_what_they_refuse():
    s, t = connect(Pairs([3, 1, 3], [0, 0, 0]), 4, 1)
    assert (s.tolist(), t.tolist()) == ([3, 1, 3], [0, 0, 0])
    assert connect(Pairs([], []), 4, 1)[0].size == 0
    with pytest.raises(SpikesimError, match="as many sources as targets, not 2 and 1"):
        Pairs([1, 2], [0])
    for strange in ([0.5], ["a"], [[1]], [True], 3):
        with pytest.raises(SpikesimError, match="targets is a list of ids, which are whole numbers"):
            Pairs([0], strange)
    with pytest.raises(SpikesimError, match=r"source 4 is not among .* 4 with ids from 0 to 3"):
        connect(Pairs([0, 4], [0, 0]), 4, 1)
    with pytest.raises(SpikesimError, match="target -1 is not among"):
        connect(Pairs([0], [-1]), 4, 1)


@pytest.mark.parametrize("kind", [sparse.coo_matrix, sparse.csr_array, sparse.csc_matrix, sparse.lil_array])
def test_sparse_matrices(kind):
    dense = np.array([[0.0, 2.0, 0.0], [-1.5, 0.0, 4.0]])
    rule = from_sparse(kind(dense))
    s, t = connect(rule, [5, 6], [1, 2, 3])
    assert list(zip(s, t, rule.weights, strict=True)) == [(5, 2, 2.0), (6, 1, -1.5), (6, 3, 4.0)]


def test_sparse_matrices_keep_zeros_and_add_duplicates():
    given = sparse.coo_array(([1.0, 0.0, 2.0], ([1, 0, 1], [0, 0, 0])), shape=(2, 1))
    rule = from_sparse(given)
    s, t = connect(rule, 2, 1)
    assert list(zip(s, t, rule.weights, strict=True)) == [(0, 0, 0.0), (1, 0, 3.0)]
    assert given.nnz == 3  # what was given is as it was


def test_sparse_refuses():
    with pytest.raises(SpikesimError, match="SciPy sparse matrix, not ndarray"):
        from_sparse(np.eye(2))
    with pytest.raises(SpikesimError, match=r"element \(1, 0\) is nan"):
        from_sparse(sparse.coo_array(([np.nan], ([1], [0])), shape=(2, 2)))
    with pytest.raises(SpikesimError, match=r"shape \(2, 2\).* 2 sources and 3 targets need .* \(2, 3\)"):
        connect(from_sparse(sparse.eye_array(2)), 2, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedProbability(1.5), "p must be from 0 to 1, not 1.5"),
        (lambda: FixedProbability(float("nan")), "p must be from 0 to 1, not nan"),
        (lambda: FixedProbability("0.1"), "p must be from 0 to 1, not '0.1'"),
        (lambda: FixedIndegree(-1), "FixedIndegree: k is a whole number >= 0, not -1"),
        (lambda: FixedOutdegree(2.5), "FixedOutdegree: k is a whole number >= 0, not 2.5"),
        (lambda: FixedTotalNumber(True), "FixedTotalNumber: n is a whole number >= 0, not True"),
    ],
)
def test_refused_when_made(make, message):
    with pytest.raises(SpikesimError, match=message):
        make()


@pytest.mark.parametrize(
    ("rule", "n_source", "n_target", "message"),
    [
        (OneToOne(), 3, 4, "as many sources as targets, but there are 3 and 4"),
        (AllToAll(), 0, 4, "no source neuron"),
        (FixedIndegree(1), 4, 0, "no target neuron"),
        (FixedIndegree(5, multapses=False), 4, 4, r"FixedIndegree\(k=5.*5 asked for, .* only 4 sources"),
        (FixedIndegree(4, multapses=False, autapses=False), 4, 4, "4 asked for, .* only 3 sources"),
        (FixedOutdegree(1, autapses=False), 1, 1, "1 asked for, .* only 0 targets"),
        (FixedTotalNumber(13, multapses=False, autapses=False), 4, 4, "13 asked for, .* only 12 pairs"),
        (FixedTotalNumber(2, autapses=False), 1, 1, "only 0 pairs"),
    ],
)
def test_impossible(rule, n_source, n_target, message):
    with pytest.raises(SpikesimError, match=message):
        connect(rule, n_source, n_target, same=True)


@st.composite
def cases(draw):
    flags = {"autapses": draw(st.booleans()), "multapses": draw(st.booleans())}
    sources = np.arange(draw(st.integers(1, 12)))
    targets = draw(st.integers(0, 5)) + np.arange(draw(st.integers(1, 12)))
    amount, p = draw(st.integers(0, 40)), draw(st.floats(0, 1))
    rule = draw(
        st.sampled_from(
            [
                FixedIndegree(amount, **flags),
                FixedOutdegree(amount, **flags),
                FixedTotalNumber(amount, **flags),
                FixedProbability(p, autapses=flags["autapses"]),
                AllToAll(autapses=flags["autapses"]),
            ]
        )
    )
    return rule, sources, targets, draw(st.booleans()), draw(st.integers(0, 2**64 - 1))


def is_possible(rule, allowed):
    """By the definition: `allowed` is the matrix of pairs that may be connected."""
    axis = {FixedIndegree: 0, FixedOutdegree: 1, FixedTotalNumber: None}.get(type(rule), "any number will do")
    wanted = getattr(rule, "k", getattr(rule, "n", 0))
    if axis == "any number will do" or wanted == 0:
        return True
    return np.min(allowed.sum(axis=axis)) >= (1 if rule.multapses else wanted)


@given(case=cases())
@settings(max_examples=300, deadline=None)
def test_small_sizes(case):
    """An error just where it cannot be done; else exact counts, no forbidden pair, and the same once more."""
    rule, sources, targets, same, seed = case
    allowed = (sources[:, None] != targets) | (rule.autapses or not same)
    if not is_possible(rule, allowed):
        with pytest.raises(SpikesimError, match="asked for"):
            connect(rule, sources, targets, same, seed)
        return
    s, t = connect(rule, sources, targets, same, seed)
    counts = np.zeros(allowed.shape, int)
    np.add.at(counts, (s, t - targets[0]), 1)
    assert not counts[~allowed].any()
    assert counts.max() <= 1 or getattr(rule, "multapses", False)
    if isinstance(rule, FixedIndegree):
        assert (counts.sum(axis=0) == rule.k).all()
    elif isinstance(rule, FixedOutdegree):
        assert (counts.sum(axis=1) == rule.k).all()
    elif isinstance(rule, FixedTotalNumber):
        assert s.size == rule.n
    elif isinstance(rule, AllToAll):
        assert (counts == allowed).all()
    again = connect(rule, sources, targets, same, seed)
    assert np.array_equal(s, again[0])
    assert np.array_equal(t, again[1])
