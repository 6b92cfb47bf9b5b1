"""What every plasticity rule keeps to; rules are found, not named."""

import re

import numpy as np
import pytest
from numba import njit
from numba.extending import register_jitable

from spikesim.plasticity import PAIRINGS, Rule
from spikesim.registry import discover
from spikesim.timeline import trajectory, weight_change

RULES = discover("rule")
#: Those that two spike trains suffice for.
WALKABLE = {
    name: rule
    for name, rule in RULES.items()
    if not rule.events and not rule.post_state and not any(t.mean_over for t in rule.traces.values())
}
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
walkable = pytest.mark.parametrize("rule", WALKABLE.values(), ids=WALKABLE.keys())


def random_trains(seed):
    """200 pre and 200 post spikes in 2 s, on a grid of 0.1 ms so that some coincide."""
    rng = np.random.default_rng(seed)
    return [rng.choice(np.arange(0.0, 2000.0, 0.1), size=200, replace=False) for _ in range(2)]


@every_rule
def test_says_what_it_is_and_where_it_is_from(rule):
    assert issubclass(rule, Rule)
    assert rule.__doc__
    assert re.search(r"10\.\d{4,}/\S+|(19|20)\d\d", rule.reference)


@every_rule
def test_description_gives_the_source(rule):
    assert rule.reference in rule.__doc__


@every_rule
def test_says_where_its_numbers_are_from(rule):
    """They have the name of a published set, or are said to be ours."""
    assert set(rule.presets) - set(rule.fitted_here) or re.search(r"\bours\b|\bour choice\b", rule.__doc__)


@every_rule
def test_time_constants_of_traces_are_parameters(rule):
    for name, trace in rule.traces.items():
        assert trace.side in ("pre", "post"), name
        taus = (trace.tau,) if isinstance(trace.tau, str) else trace.tau
        assert set(taus) <= set(rule.parameters), name


@every_rule
def test_signals_name_parameters_and_what_the_cell_has(rule):
    for name, signal in rule.signals.items():
        named = {getattr(signal, field, None) for field in ("tau", "delay", "squared_above")} - {None}
        assert named <= set(rule.parameters), name
        assert name not in rule.traces
        if rule.cell is not None:
            assert signal.variable in rule.cell.state, name


@every_rule
def test_can_be_made_with_each_preset_and_pairing(rule):
    assert set(rule.pairings) <= set(PAIRINGS)
    for pairing in rule.pairings:
        assert rule(pairing=pairing).pairing == pairing
    for preset in rule.presets:
        assert rule(preset=preset).preset == preset


@walkable
def test_silence_changes_nothing(rule):
    assert weight_change(rule(), [], []) == 0.0


@walkable
def test_starts_within_its_own_bounds(rule):
    one = rule()
    assert one.w_min <= rule.w_start * one.w_ref <= one.w_max


@walkable
@pytest.mark.parametrize("w0", [0.0, 1.0])
def test_hard_bounds_hold(rule, w0):
    one = rule(w_min=0.0, w_max=1.0, bounds="hard")
    _, weights = trajectory(one, *random_trains(1), w0=w0)
    assert weights.min() >= 0.0
    assert weights.max() <= 1.0


@walkable
def test_learns_with_its_defaults(rule):
    _, weights = trajectory(rule(), *random_trains(2))
    assert np.isfinite(weights).all()
    assert np.ptp(weights) > 0.0


@every_rule
def test_compiled_hooks_equal_the_plain_ones(rule):
    rng = np.random.default_rng(3)
    one = rule()
    p = one.hook_params()
    hooks = ("on_pre", "on_post", "drift", "between", *(f"on_{e}" for e in rule.events))
    for name in (*hooks, *(f"jump_{t}" for t in rule.traces)):
        hook = getattr(rule, name, None)
        if hook is None:
            continue
        compiled = _compiled(hook)
        for _ in range(20):
            w, elapsed = rng.uniform(0.05, 0.95), rng.uniform(0.1, 200.0)
            records = {r: getattr(rule, r)(*rng.uniform(0.0, 2.0, len(getattr(rule, r)._fields))) for r in RECORDS}
            pre, post, s = records.values()
            if name == "between":
                given = w, s, elapsed, p
            elif name.startswith("jump_"):
                given = (pre if rule.traces[name.removeprefix("jump_")].side == "pre" else post), p
            else:
                given = w, pre, post, p, *([s] if rule.synapse else [])
            assert compiled(*given) == pytest.approx(hook(*given), rel=1e-12), name


RECORDS = ("Pre", "Post", "Synapse")


def _compiled(hook):
    inner = register_jitable(hook)

    @njit
    def outer(*given):
        return inner(*given)

    return outer


@every_rule
def test_variables_of_the_synapse_have_a_start_and_a_time_constant(rule):
    one = rule()
    for name, local, start, tau in zip(
        rule.synapse, rule.synapse.values(), one.synapse_start(), one.synapse_taus(), strict=True
    ):
        assert np.isfinite(start), name
        assert (tau == np.inf) == (local.tau is None), name


@walkable
@pytest.mark.parametrize("first", ["pre_first", "post_first"])
def test_coincident_spikes_may_come_one_after_the_other(rule, first):
    """As if the later side's spike came a moment later."""
    pre, post = (np.sort(train.round(1)) for train in random_trains(4))
    moment = 1e-6
    moved = [pre, post + moment] if first == "pre_first" else [pre + moment, post]
    expected = weight_change(rule(), *moved)
    # The moment is 1e-7 of the shortest time constant, and each of 200 spikes on either side counts.
    assert weight_change(rule(coincident=first), pre, post) == pytest.approx(expected, rel=1e-4, abs=1e-7)
