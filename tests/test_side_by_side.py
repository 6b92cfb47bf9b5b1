"""Synapses walked side by side against the walk one by one, which is the judge."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikesim.errors import SpikesimError
from spikesim.models.plasticity.guetig_stdp import GuetigSTDP
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.models.plasticity.power_law_stdp import PowerLawSTDP
from spikesim.models.plasticity.triplet_stdp import TripletSTDP
from spikesim.plasticity import PAIRINGS, Rule, Trace
from spikesim.protocol import Condition, Protocol
from spikesim.registry import discover
from spikesim.side_by_side import _side_by_side, known, relative_changes
from spikesim.timeline import weight_change

RULES = {name: rule for name, rule in discover("rule").items() if known(rule())}

# Whole milliseconds, so that pre and post spikes often coincide.
TRAIN = st.lists(st.integers(0, 120), unique=True, max_size=12)
TRAINS = st.lists(st.tuples(TRAIN, TRAIN), min_size=1, max_size=4)
DELAY = st.sampled_from([0.0, 1.0, 2.5])


class Plain(Protocol):
    """Has nothing of its own: conditions come from elsewhere."""


def one_by_one(rules, rows):
    return np.array([[protocol.induce(rule, c) for protocol, c in rows] for rule in rules])


def conditions(trains, axonal=0.0, dendritic=0.0):
    delays = {"axonal_delay": axonal, "dendritic_delay": dendritic}
    return [(Plain(), Condition(str(k), {}, pre, post, **delays)) for k, (pre, post) in enumerate(trains)]


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=15, deadline=None)
@given(trains=TRAINS, axonal=DELAY, dendritic=DELAY, factors=st.lists(st.floats(0.5, 1.5), min_size=2, max_size=4))
def test_agrees_with_the_walk_one_by_one(name, trains, axonal, dendritic, factors):
    kind = RULES[name]
    numbers = [n for n in kind.numeric if n not in Rule.parameters and isinstance(getattr(kind, n), float)]
    rules = [kind(**{n: getattr(kind, n) * f for n in numbers}) for f in factors]
    rows = conditions(trains, axonal, dendritic)
    np.testing.assert_allclose(relative_changes(rules, rows), one_by_one(rules, rows), rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("bounds", ["hard", "soft"])
@settings(max_examples=15, deadline=None)
@given(trains=TRAINS, pairing=st.sampled_from(PAIRINGS), w_max=st.floats(1.0, 1.05))
def test_bounds_and_pairings(bounds, trains, pairing, w_max):
    rules = [PairSTDP(bounds=bounds, pairing=pairing, w_max=w_max, a_plus=a) for a in (0.05, 0.02)]
    rows = conditions(trains)
    np.testing.assert_allclose(relative_changes(rules, rows), one_by_one(rules, rows), rtol=0.0, atol=1e-12)


class Psp(Rule):
    """A trace of two time constants."""

    tau_a: float = 20.0
    tau_b: float = 5.0
    traces = {"x": Trace("pre", tau=("tau_a", "tau_b"))}

    @staticmethod
    def on_post(w, pre, post, p):
        return w + math.sqrt(pre.x) + max(pre.x - 0.01, 0.0, -w)


def test_functions_of_math_are_those_of_arrays():
    rules, rows = [Psp(), Psp(tau_a=30.0)], conditions([([0.0, 3.0], [10.0, 40.0]), ([2.0], [9.0])])
    assert _side_by_side(rules, rows) is not None
    np.testing.assert_allclose(relative_changes(rules, rows), one_by_one(rules, rows), rtol=0.0, atol=1e-15)


@pytest.mark.parametrize("rule", [PairSTDP, TripletSTDP, GuetigSTDP, PowerLawSTDP])
def test_the_usual_rules_are_walked_side_by_side(rule):
    assert _side_by_side([rule(), rule()], conditions([([0.0], [10.0])])) is not None


class Branching(Rule):
    """Takes another way for large weights."""

    @staticmethod
    def on_post(w, pre, post, p):
        return w + 0.5 if w < 2.0 else w


def test_a_hook_that_branches_is_called_one_by_one():
    rows = conditions([([], range(k)) for k in range(5)])
    assert _side_by_side([Branching()], rows) is None
    assert relative_changes([Branching()], rows).tolist() == [[0.0, 0.5, 1.0, 1.0, 1.0]]


def test_what_this_walk_does_not_know_is_walked_one_by_one(monkeypatch):
    monkeypatch.setattr(Rule, "strange", None, raising=False)
    assert known(PairSTDP())
    assert not known(type("Strange", (PairSTDP,), {"strange": {"c": 1.0}})())
    plateau = discover("rule")["PlateauRule"]()
    assert not known(plateau)
    with pytest.raises(SpikesimError, match="PlateauRule.*Run it in a Network"):
        relative_changes([plateau], conditions([([0.0], [10.0])]))


class Doubled(Plain):
    """Has its own idea of a change."""

    def induce(self, rule, condition):
        return 2.0 * super().induce(rule, condition)


def test_a_protocol_with_its_own_way_is_asked():
    condition = Condition("pair", {}, [0.0], [10.0])
    plain, doubled = relative_changes([PairSTDP()], [(Plain(), condition), (Doubled(), condition)])[0]
    assert doubled == 2.0 * plain


def test_thousands_of_rules_of_several_kinds():
    pairs = np.arange(60) * 50.0
    rows = conditions([(pairs, pairs + 10.0), (pairs, pairs - 10.0)])
    rules = [TripletSTDP(tau_y=40.0 + 0.05 * k, pairing=("all_to_all", "nearest")[k % 2]) for k in range(2000)]
    found = relative_changes(rules, rows)
    assert found.shape == (2000, 2)
    for k in (0, 1, 1480, 1999):
        np.testing.assert_allclose(found[[k]], one_by_one([rules[k]], rows), rtol=0.0, atol=1e-12)
    assert found[1480, 0] == pytest.approx(0.227795, abs=1e-6)  # tau_y = 114 ms, all to all


def test_several_trains_of_a_condition_are_averaged():
    trials = [([0.0], [5.0]), ([0.0], [20.0])]
    condition = Condition("three", {}, [0.0], [10.0], trials=trials)
    each = [weight_change(PairSTDP(), pre, post) for pre, post in condition.trains()]
    assert relative_changes([PairSTDP()], [(Plain(), condition)])[0, 0] == pytest.approx(sum(each) / 3, abs=1e-15)
    assert Plain().induce(PairSTDP(), condition) == pytest.approx(sum(each) / 3, abs=1e-15)


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        (Condition("twice", {}, [1.0, 1.0], [2.0]), "two presynaptic spikes"),
        (Condition("nan", {}, [1.0], [math.nan]), "postsynaptic spike time is nan"),
        (Condition("delay", {}, [1.0], [2.0], axonal_delay=-1.0), "delay of presynaptic"),
    ],
)
def test_what_cannot_be_walked_is_refused_as_ever(condition, why):
    with pytest.raises(SpikesimError, match=why):
        relative_changes([PairSTDP(), PairSTDP()], [(Plain(), condition)])


def test_a_start_outside_the_bounds_is_refused():
    with pytest.raises(SpikesimError, match="cannot start at w0 = 1, outside"):
        relative_changes([PairSTDP(w_max=0.5)] * 2, conditions([([0.0], [10.0])]))
