"""The suppression model against its sum over all pairs, written out."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikesim.models.plasticity.froemke_dan_stdp import FroemkeDanSTDP
from spikesim.timeline import weight_change

TRAINS = st.lists(st.integers(0, 200), unique=True, max_size=9).map(sorted)
POST_PRE_POST, PRE_POST_PRE = ([0.0], [-10.0, 10.0]), ([-10.0, 10.0], [0.0])


@pytest.mark.parametrize(
    ("product", "ltd", "ltp"), [(False, -0.266535, +0.341882), (True, -0.313066, +0.253482)], ids=["sum", "product"]
)
def test_the_first_pair_of_a_triplet_decides(product, ltd, ltp):
    rule = FroemkeDanSTDP(product=product)
    assert weight_change(rule, *POST_PRE_POST) == pytest.approx(ltd, abs=1e-6)
    assert weight_change(rule, *PRE_POST_PRE) == pytest.approx(ltp, abs=1e-6)


def efficacies(train, tau):
    return [1.0 - (math.exp(-(t - train[k - 1]) / tau) if k else 0.0) for k, t in enumerate(train)]


@settings(max_examples=60, deadline=None)
@given(pre=TRAINS, post=TRAINS)
def test_sum_over_all_pairs(pre, post):
    rule = FroemkeDanSTDP()
    expected = 0.0
    for t_pre, eps_pre in zip(pre, efficacies(pre, rule.tau_pre), strict=True):
        for t_post, eps_post in zip(post, efficacies(post, rule.tau_post), strict=True):
            lag = t_post - t_pre
            window = rule.a_plus * math.exp(-lag / rule.tau_plus) if lag > 0 else 0.0
            window -= rule.a_minus * math.exp(lag / rule.tau_minus) if lag < 0 else 0.0
            expected += eps_pre * eps_post * window
    assert weight_change(rule, pre, post) == pytest.approx(expected, abs=1e-12)


def test_spikes_far_apart_are_not_suppressed():
    pairs = [0.0, 5000.0], [10.0, 5010.0]
    assert weight_change(FroemkeDanSTDP(), *pairs) == pytest.approx(2 * 1.01 * math.exp(-10.0 / 14.8), rel=1e-12)


def test_amplitudes_shared_out_over_sixty_repetitions():
    """Far enough apart not to see each other they add up to the one of the whole experiment."""
    rule = FroemkeDanSTDP(preset="sixty_repetitions")
    post, starts = POST_PRE_POST[1], [5000.0 * k for k in range(60)]
    change = weight_change(rule, starts, [t + start for start in starts for t in post])
    assert change == pytest.approx(weight_change(FroemkeDanSTDP(), *POST_PRE_POST), rel=1e-12)


def test_the_product_form_scales_with_the_weight():
    rule = FroemkeDanSTDP(product=True)
    assert weight_change(rule, *PRE_POST_PRE, w0=3.0) == pytest.approx(3.0 * weight_change(rule, *PRE_POST_PRE))
