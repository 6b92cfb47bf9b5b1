"""Functions that hooks call: as exact as they say, and the same compiled and not."""

import numpy as np
from numba import njit
from scipy import stats

from spikesim.special import exp_ratio, fma, poisson_count


def test_exp_ratio():
    """Two units in the last place from 0 to 700, and compiled code gives the same bits as Python."""
    rng = np.random.default_rng(1)
    xs = np.concatenate([rng.uniform(0.0, 5.0, 5000), rng.uniform(0.0, 700.0, 5000), [0.0, 1e-300, 1e-9, 700.0]])
    compiled = njit(lambda x: exp_ratio(x))
    ratios = np.array([exp_ratio(float(x)) for x in xs])
    np.testing.assert_array_equal(ratios, [compiled(float(x)) for x in xs])
    np.testing.assert_allclose(ratios[:, 0] / ratios[:, 1], np.exp(-xs), rtol=2.5 * 2.0**-52)
    for beyond in (709.0, 1e6, np.inf):
        a, b = exp_ratio(beyond)
        assert 0.0 <= a / b < 1e-307


def test_exp_ratio_in_single_precision():
    rng = np.random.default_rng(1)
    xs = np.concatenate([rng.uniform(0.0, 5.0, 5000), rng.uniform(0.0, 80.0, 5000), [0.0, 1e-30, 1e-9, 80.0]])
    xs = xs.astype(np.float32)
    compiled = njit(lambda x: exp_ratio(x))
    ratios = np.array([compiled(x) for x in xs])
    np.testing.assert_array_equal(ratios, ratios.astype(np.float32))
    np.testing.assert_allclose(ratios[:, 0] / ratios[:, 1], np.exp(-xs.astype(float)), rtol=4 * 2.0**-23)
    for beyond in (90.0, 1e6, np.inf):
        a, b = compiled(np.float32(beyond))
        assert 0.0 <= a / b < 1e-37


def test_fma_rounds_once():
    rng = np.random.default_rng(2)
    compiled = njit(lambda a, b, c: fma(a, b, c))
    for a, b in rng.standard_normal((1000, 2)):
        c = -a * b * (1.0 + rng.choice([0.0, 1e-16, 1e-3]))  # where rounding twice would be seen
        assert compiled(a, b, c) == fma(a, b, c)
    assert fma(1.0 + 2.0**-30, 1.0 - 2.0**-30, -1.0) == -(2.0**-60)
    assert fma(1e308, 10.0, 0.0) == np.inf
    assert np.isnan(fma(np.inf, 0.0, 1.0))


def test_poisson_count():
    """The inverse of the Poisson distribution function, up to 8, in either precision and compiled or not."""
    rng = np.random.default_rng(3)
    us, means = rng.uniform(size=4000), rng.choice([0.0, 1e-3, 0.2, 1.5, 6.0], 4000)
    expected = np.minimum(stats.poisson.ppf(us, means), 8)
    compiled = njit(lambda u, mean: poisson_count(u, mean))
    assert [poisson_count(*given) for given in zip(us, means, strict=True)] == expected.tolist()
    assert [compiled(*given) for given in zip(us, means, strict=True)] == expected.tolist()
    near = stats.poisson.ppf(us + 1e-6, means) != stats.poisson.ppf(us - 1e-6, means)
    single = [compiled(u, mean) for u, mean in zip(np.float32(us), np.float32(means), strict=True)]
    assert near.sum() < 20
    np.testing.assert_array_equal(np.array(single)[~near], expected[~near])
    assert [compiled(u, 0.2) for u in (0.0, 1.0)] == [0, 8]
