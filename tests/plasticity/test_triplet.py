"""The triplet rule against closed forms and against the numbers that its published parameters imply."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikesim.errors import SpikesimError
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.models.plasticity.triplet_stdp import TripletSTDP
from spikesim.timeline import weight_change

CORTEX = "visual_cortex_minimal_all_to_all"
TRAIN = [10.0, 20.0, 26.0, 50.0], [14.0, 30.0, 33.0, 60.0]


def pairs(frequency, delta_t, n=60):
    pre = [1000.0 * k / frequency for k in range(n)]
    return pre, [t + delta_t for t in pre]


def change(preset, trains, **given):
    return weight_change(TripletSTDP(preset=preset, **given), *trains)


def test_a_first_pair_has_no_triplet():
    assert change(CORTEX, ([0.0], [10.0])) == 0.0


def test_post_before_pre_is_the_pair_term():
    assert change(CORTEX, ([0.0], [-10.0])) == pytest.approx(-0.00527701, abs=1e-8)


def test_post_pre_post():
    assert change(CORTEX, ([0.0], [-10.0, 10.0])) == pytest.approx(-0.00226946, abs=1e-8)


def test_potentiation_and_depression_apart():
    trains = pairs(20.0, 10.0)
    assert change(CORTEX, trains, a2_minus=0.0) == pytest.approx(0.392297, abs=1e-6)
    assert change(CORTEX, trains, a3_plus=0.0) == pytest.approx(-0.164502, abs=1e-6)
    assert change(CORTEX, trains) == pytest.approx(0.227795, abs=1e-6)


@pytest.mark.parametrize(
    ("preset", "frequency", "delta_t", "expected"),
    [
        (CORTEX, 10, 10, 0.118641),
        (CORTEX, 40, 10, 0.532112),
        (CORTEX, 50, 10, 0.762731),
        (CORTEX, 0.1, -10, -0.316620),
        (CORTEX, 20, -10, -0.341735),
        (CORTEX, 40, -10, 0.173715),
        (CORTEX, 50, -10, 0.749177),
        ("visual_cortex_full_all_to_all", 20, 10, 0.246962),
        ("visual_cortex_full_all_to_all", 20, -10, -0.351622),
        ("visual_cortex_full_all_to_all", 50, 10, 0.740906),
        ("visual_cortex_full_all_to_all", 50, -10, 0.727247),
        ("visual_cortex_minimal_nearest", 20, 10, 0.322032),
        ("visual_cortex_minimal_nearest", 20, -10, -0.278607),
        ("visual_cortex_minimal_nearest", 40, 10, 0.568284),
        ("visual_cortex_minimal_nearest", 40, -10, 0.289829),
    ],
)
def test_sixty_pairs(preset, frequency, delta_t, expected):
    assert change(preset, pairs(frequency, delta_t)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("preset", [p for p in TripletSTDP.presets if p.endswith("all_to_all")])
@pytest.mark.parametrize("delta_t", [10.0, -10.0])
def test_pair_trains_have_a_closed_form(preset, delta_t):
    rule, n, T, lag = TripletSTDP(preset=preset), 60, 50.0, abs(delta_t)
    a, b, c, d = (math.exp(-T / tau) for tau in (rule.tau_plus, rule.tau_minus, rule.tau_y, rule.tau_x))

    def sums(q, k):
        """Trace of k spikes, one period after the last and at the last."""
        return q * (1 - q**k) / (1 - q), (1 - q ** (k + 1)) / (1 - q)

    expected = 0.0
    for k in range(n):
        r1 = (
            math.exp(-lag / rule.tau_plus) * sums(a, k)[1]
            if delta_t > 0
            else math.exp(lag / rule.tau_plus) * sums(a, k)[0]
        )
        o1 = (
            math.exp(lag / rule.tau_minus) * sums(b, k)[0]
            if delta_t > 0
            else math.exp(-lag / rule.tau_minus) * sums(b, k)[1]
        )
        o2, r2 = sums(c, k)[0], sums(d, k)[0]
        expected += r1 * (rule.a2_plus + rule.a3_plus * o2) - o1 * (rule.a2_minus + rule.a3_minus * r2)
    assert weight_change(rule, *pairs(20.0, delta_t)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("visual_cortex_full_all_to_all", 0.013840),
        ("visual_cortex_full_nearest", 0.054642),
        ("hippocampal_full_all_to_all", 0.037973),
    ],
)
def test_irregular_train(preset, expected):
    assert change(preset, TRAIN) == pytest.approx(expected, abs=1e-6)


SPIKES = st.lists(st.integers(0, 80), unique=True, max_size=12)


@settings(max_examples=60, deadline=None)
@given(pre=SPIKES, post=SPIKES, pairing=st.sampled_from(TripletSTDP.pairings))
def test_without_triplet_terms_it_is_the_pair_rule_to_the_bit(pre, post, pairing):
    common = {"tau_plus": 16.8, "tau_minus": 33.7, "pairing": pairing}
    triplet = TripletSTDP(a2_plus=5e-3, a3_plus=0.0, a2_minus=7e-3, a3_minus=0.0, **common)
    pair = PairSTDP(a_plus=5e-3, a_minus=7e-3, **common)
    assert weight_change(triplet, pre, post) == weight_change(pair, pre, post)


def test_the_default_is_the_minimal_model_of_visual_cortex_with_bounds():
    plain, preset = TripletSTDP(), TripletSTDP(preset=CORTEX)
    assert {name for name in plain.values() if plain.values()[name] != preset.values()[name]} == {
        "w_min",
        "w_max",
    }
    assert (preset.w_min, preset.w_max) == (-math.inf, math.inf)


def test_presets_are_the_eight_fits_of_the_paper():
    """A2+, A3+, A2-, A3-, tau_x (ms; None where A3- = 0 leaves it without effect), tau_y (ms)."""
    table = {
        "visual_cortex_full_all_to_all": (5e-10, 6.2e-3, 7.0e-3, 0.23e-3, 101, 125),
        "visual_cortex_minimal_all_to_all": (0, 6.5e-3, 7.1e-3, 0, None, 114),
        "visual_cortex_full_nearest": (8.8e-11, 53e-3, 6.6e-3, 3.1e-3, 714, 40),
        "visual_cortex_minimal_nearest": (0, 50e-3, 8.0e-3, 0, None, 40),
        "hippocampal_full_all_to_all": (6.1e-3, 6.7e-3, 1.6e-3, 1.4e-3, 946, 27),
        "hippocampal_minimal_all_to_all": (5.3e-3, 8.0e-3, 3.5e-3, 0, None, 40),
        "hippocampal_full_nearest": (4.6e-3, 9.1e-3, 3.0e-3, 7.5e-9, 575, 47),
        "hippocampal_minimal_nearest": (4.6e-3, 9.1e-3, 3.0e-3, 0, None, 48),
    }
    assert set(TripletSTDP.presets) == set(table)
    for name, (a2_plus, a3_plus, a2_minus, a3_minus, tau_x, tau_y) in table.items():
        rule = TripletSTDP(preset=name)
        assert (rule.a2_plus, rule.a3_plus, rule.a2_minus, rule.a3_minus) == (a2_plus, a3_plus, a2_minus, a3_minus)
        assert (rule.tau_plus, rule.tau_minus, rule.tau_y) == (16.8, 33.7, tau_y)
        assert tau_x is None or rule.tau_x == tau_x
        assert name.endswith(rule.pairing)


def test_the_networks_rule_keeps_its_upper_bound():
    rule = TripletSTDP(w_max=90.0)
    assert (rule.w_min, rule.w_max) == (0.0, 90.0)
    assert weight_change(rule, *pairs(50.0, 10.0), w0=89.9) == pytest.approx(0.1)


def test_nest_names_are_accepted():
    rule = TripletSTDP(Aplus=1e-3, Aplus_triplet=2e-3, Aminus=3e-3, Aminus_triplet=4e-3, Wmax=5.0)
    assert (rule.a2_plus, rule.a3_plus, rule.a2_minus, rule.a3_minus) == (1e-3, 2e-3, 3e-3, 4e-3)
    assert rule.w_max == 5.0
    slow = TripletSTDP(tau_plus_triplet=200.0, tau_minus_triplet=300.0)
    assert (slow.tau_x, slow.tau_y) == (200.0, 300.0)


def test_a_pairing_it_was_never_fitted_for_is_refused():
    with pytest.raises(SpikesimError, match="all_to_all, nearest"):
        TripletSTDP(pairing="nearest_reduced")
