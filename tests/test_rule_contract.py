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
def test_time_constants_of_traces_are_parameters(rule):
    for name, trace in rule.traces.items():
        assert trace.side in ("pre", "post"), name
        taus = (trace.tau,) if isinstance(trace.tau, str) else trace.tau
        assert set(taus) <= set(rule.parameters), name


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
    for name in ("on_pre", "on_post", *(f"on_{event}" for event in rule.events)):
        hook = getattr(rule, name)
        if hook is None:
            continue
        compiled = _compile(hook)
        for _ in range(20):
            w = rng.uniform(0.05, 0.95)
            pre, post = (side(*rng.uniform(0.0, 2.0, len(side._fields))) for side in (rule.Pre, rule.Post))
            assert compiled(w, pre, post, p) == pytest.approx(hook(w, pre, post, p), rel=1e-12), name


def _compile(hook):
    inner = register_jitable(hook)

    @njit
    def outer(w, pre, post, p):
        return inner(w, pre, post, p)

    return outer
