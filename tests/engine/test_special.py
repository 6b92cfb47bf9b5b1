"""Functions that hooks call: as exact as they say, and the same compiled and not."""

import numpy as np
from numba import njit

from spikesim.special import exp_ratio


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
