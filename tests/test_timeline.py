"""The walk of one synapse against sums over all pairs and triplets of spikes, written out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikesim.errors import SpikesimError
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.models.plasticity.triplet_stdp import TripletSTDP
from spikesim.plasticity import Rule, Trace
from spikesim.timeline import trajectory, weight_change

# Whole milliseconds, so that pre and post spikes often coincide.
TRAINS = st.lists(st.integers(0, 60), unique=True, max_size=10)
REAL_TRAINS = st.lists(st.integers(0, 6000), unique=True, max_size=8).map(lambda t: [math.pi * k for k in t])


def before(times, t):
    return [s for s in times if s < t]


def memory(times, t, tau):
    """What a trace of `times` is worth just before t."""
    return sum(math.exp(-(t - s) / tau) for s in before(times, t))


def partners(own, other, t, pairing):
    """The other side's spikes that the spike of `own` at t pairs with."""
    since_last_own = max(before(own, t), default=-math.inf)
    earlier = before(other, t)
    if pairing == "all_to_all":
        return earlier
    if pairing == "nearest":
        return earlier[-1:]
    fresh = [s for s in earlier if s >= since_last_own]
    return fresh[-1:] if pairing == "nearest_reduced" else fresh


def pair_sum(rule, pre, post):
    pre, post = sorted(pre), sorted(post)
    ltd_pairing = "nearest" if rule.pairing == "nearest_pre_centered" else rule.pairing
    ltp = sum(math.exp(-(t - s) / rule.tau_plus) for t in post for s in partners(post, pre, t, rule.pairing))
    ltd = sum(math.exp(-(t - s) / rule.tau_minus) for t in pre for s in partners(pre, post, t, ltd_pairing))
    return rule.a_plus * ltp - rule.a_minus * ltd


def triplet_sum(rule, pre, post):
    ltp = sum(memory(pre, t, rule.tau_plus) * (rule.a2_plus + rule.a3_plus * memory(post, t, rule.tau_y)) for t in post)
    ltd = sum(
        memory(post, t, rule.tau_minus) * (rule.a2_minus + rule.a3_minus * memory(pre, t, rule.tau_x)) for t in pre
    )
    return ltp - ltd


@pytest.mark.parametrize("pairing", PairSTDP.pairings)
@settings(max_examples=60, deadline=None)
@given(pre=TRAINS, post=TRAINS)
def test_pair_rule_is_the_sum_over_its_pairs(pairing, pre, post):
    rule = PairSTDP(tau_plus=16.8, tau_minus=33.7, pairing=pairing)
    assert weight_change(rule, pre, post) == pytest.approx(pair_sum(rule, pre, post), abs=1e-13)


@settings(max_examples=60, deadline=None)
@given(pre=TRAINS, post=TRAINS)
def test_triplet_rule_is_the_sum_over_its_triplets(pre, post):
    rule = TripletSTDP(preset="hippocampal_full_all_to_all")
    assert weight_change(rule, pre, post) == pytest.approx(triplet_sum(rule, pre, post), abs=1e-13)


@settings(max_examples=40, deadline=None)
@given(pre=REAL_TRAINS, post=REAL_TRAINS)
def test_real_valued_times_are_on_no_grid(pre, post):
    rule = TripletSTDP(preset="visual_cortex_full_all_to_all")
    assert weight_change(rule, pre, post) == pytest.approx(triplet_sum(rule, pre, post), abs=1e-13)


@settings(max_examples=40, deadline=None)
@given(pre=TRAINS, post=TRAINS, delay=st.integers(0, 20))
def test_only_the_difference_of_delays_matters_to_an_additive_rule(pre, post, delay):
    rule = PairSTDP()
    shifted = weight_change(rule, pre, post, axonal_delay=delay + 3.0, dendritic_delay=delay)
    assert shifted == pytest.approx(weight_change(rule, [t + 3.0 for t in pre], post), abs=1e-13)


def test_delays_shift_the_pair():
    rule = PairSTDP()
    assert weight_change(rule, [0.0], [10.0], dendritic_delay=1.0) == pytest.approx(0.00288475, abs=1e-8)
    assert weight_change(rule, [0.0], [10.0], axonal_delay=1.0) == pytest.approx(0.00318814, abs=1e-8)
    assert weight_change(rule, [0.0], [10.0], axonal_delay=0.8) == pytest.approx(0.00315642, abs=1e-8)


def test_coincident_spikes_do_not_see_each_other():
    assert weight_change(PairSTDP(), [0.0, 10.0], [10.0]) == pytest.approx(0.00303265, abs=1e-8)
    assert weight_change(PairSTDP(), [10.0], [10.0]) == 0.0


def test_times_within_a_picosecond_are_the_same_time():
    rule = PairSTDP()
    assert weight_change(rule, [10.0], [10.0 + 5e-10]) == 0.0
    assert weight_change(rule, [10.0], [10.0 + 5e-9]) == pytest.approx(0.005, abs=1e-8)


class Halving(Rule):
    """Its two hooks do not commute."""

    @staticmethod
    def on_pre(w, pre, post, p):
        return w / 2

    @staticmethod
    def on_post(w, pre, post, p):
        return w + 1


def test_order_of_hooks_when_spikes_coincide():
    # With a dendritic delay: post first, (1 + 1) / 2. Without one: pre first, 1 / 2 + 1.
    assert weight_change(Halving(), [1.0], [0.0], dendritic_delay=1.0) == 0.0
    assert weight_change(Halving(), [1.0], [1.0]) == 0.5


class Psp(Rule):
    """A trace of two time constants: (e^(-t/tau_a) - e^(-t/tau_b)) / (tau_a - tau_b)."""

    tau_a: float = 20.0
    tau_b: float = 5.0
    traces = {"x": Trace("pre", tau=("tau_a", "tau_b"))}

    @staticmethod
    def on_post(w, pre, post, p):
        return w + pre.x


def test_difference_of_exponentials():
    expected = sum((math.exp(-t / 20.0) - math.exp(-t / 5.0)) / 15.0 for t in (10.0, 7.0))
    assert weight_change(Psp(), [0.0, 3.0], [10.0]) == pytest.approx(expected, abs=1e-15)


class Proportional(Rule):
    """Doubles the weight at each post spike."""

    @staticmethod
    def on_post(w, pre, post, p):
        return 2 * w


def test_weights_are_free_unless_bounds_were_asked_for():
    post = [0.0, 1.0]
    assert weight_change(Proportional(), [], post) == 3.0
    assert weight_change(Proportional(w_max=2.5), [], post) == 1.5
    assert weight_change(Proportional(w_max=2.5), [], post, bounded=False) == 3.0
    assert weight_change(Proportional(), [], post, w0=0.4, bounded=True) == pytest.approx(0.6)
    assert weight_change(Proportional(bounds="none", w_max=2.5), [], post, bounded=True) == 3.0
    assert weight_change(Proportional(w_min=-1.0), [], post, w0=0.4) == pytest.approx(0.6)


def test_soft_bounds_scale_the_step_with_the_room_left():
    # 0.4 -> 0.8 proposed, of which (1 - 0.4) / 1 is kept.
    assert weight_change(Proportional(bounds="soft"), [], [0.0], w0=0.4) == pytest.approx(0.24)


def test_hooks_see_weights_in_units_of_w_ref():
    pair = [0.0], [10.0]
    assert weight_change(PairSTDP(w_ref=45.0), *pair) == pytest.approx(45.0 * 0.00303265, abs=1e-6)
    assert weight_change(Proportional(w_ref=45.0), [], [0.0]) == pytest.approx(45.0)


def test_trajectory_tells_every_arrival_and_the_weight_after_it():
    times, weights = trajectory(Proportional(), [4.0, 0.0], [1.0, 4.0], axonal_delay=2.0, dendritic_delay=5.0)
    np.testing.assert_array_equal(times, [2.0, 6.0, 9.0])
    np.testing.assert_array_equal(weights, [1.0, 2.0, 4.0])


def test_no_spikes_no_change():
    times, weights = trajectory(PairSTDP(w_ref=3.0), [], [])
    assert times.size == weights.size == 0
    assert weight_change(PairSTDP(w_ref=3.0), [], []) == 0.0


class Still(Rule):
    @staticmethod
    def on_pre(w, pre, post, p):
        return w


class Gated(Still):
    events = ("plateau",)


class Voltage(Still):
    post_state = ("V_m",)


class Averaged(Still):
    tau: float = 10.0
    traces = {"x": Trace("pre", tau="tau", mean_over=("start", "stop"))}


@pytest.mark.parametrize(("rule", "why"), [(Gated, "plateau"), (Voltage, "V_m"), (Averaged, "means")])
def test_rules_that_need_more_than_spikes_are_refused_by_name(rule, why):
    with pytest.raises(SpikesimError, match=f"{rule.__name__}.*{why}"):
        weight_change(rule(), [0.0], [1.0])


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"pre_times": [1.0, 1.0]}, "two presynaptic spikes.*1 ms"),
        ({"post_times": [math.nan]}, "postsynaptic spike time is nan"),
        ({"pre_times": [math.inf]}, "presynaptic spike time is inf"),
        ({"axonal_delay": -1.0}, "delay of presynaptic"),
        ({"dendritic_delay": math.nan}, "delay of postsynaptic"),
        ({"w0": 1.5, "bounded": True}, "PairSTDP.*w0 = 1.5"),
    ],
)
def test_what_cannot_be_walked_is_refused(arguments, why):
    with pytest.raises(SpikesimError, match=why):
        weight_change(PairSTDP(), **{"pre_times": [0.0], "post_times": [10.0], **arguments})
