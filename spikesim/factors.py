"""Which rules come apart into what the presynaptic neuron knows and what the postsynaptic one knows.

If `on_post` adds, whatever the weight, a sum of presynaptic traces, each times something that depends on the
postsynaptic side alone, and if `drift` is such a sum,

    on_post(w, pre, post, p) = w + sum_k pre_k psi_k(post, p),    drift(w, pre, post, p) = sum_k pre_k psi_k(post, p),

then nothing has to be done at a postsynaptic spike, or in a step, but to remember psi_k for the neuron: the next
presynaptic spike makes up for it, at all its synapses at once (`spikesim.clock.lazy`). Hooks are plain functions of
numbers, so this is found out by calling them: with a weight that is purely imaginary, which a sum leaves as it is and
all else does not.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from spikesim.plasticity import Rule

TRIES = 100
LARGEST = 4.0  # decades
NEAR = 1e-9  # relative; sums of a few products agree much better


def factors(rule: Rule) -> tuple[str, ...] | None:
    """The presynaptic traces that `on_post` and `drift` of this rule are linear in; None where they do not come apart
    so, where soft bounds let every change depend on the weight, or where what `on_post` adds goes up and down, so that
    bounds in between would matter."""
    names = rule.side("pre")
    if rule.bounds == "soft":
        return None
    if rule.drift is not None:
        found = set(names) if _linear(rule, _drift) is not None else None
        spikes = _linear(rule, _on_post) if found is not None and rule.on_post is not None else (set(), set())
        return None if found is None or spikes is None else names
    if rule.on_post is None:
        return ()
    spikes = _linear(rule, _on_post)
    if spikes is None or (rule.bounds != "none" and len(spikes[1]) > 1):
        return None
    return tuple(name for name in names if name in spikes[0])


def _linear(rule: Rule, change: Callable[..., Any]) -> tuple[set[str], set[bool]] | None:
    """(traces that the change depends on, whether they let the weight grow); None where it does not come apart."""
    names, draw = rule.side("pre"), random.Random(1)
    seen: set[str] = set()
    signs: set[bool] = set()
    try:
        for k in range(TRIES):
            pre, p = [_trace(draw, wide=k % 2 == 1) for _ in names], rule.hook_params()
            post = rule.Post(*_drawn(draw, rule, wide=k % 2 == 1))
            alone = {name: change(rule, 0.0, [float(other == name) for other in names], post, p) for name in names}
            whole, parts = (
                change(rule, 0.0, pre, post, p),
                [x * alone[name] for x, name in zip(pre, names, strict=True)],
            )
            if change(rule, 0.0, [0.0 for _ in names], post, p) != 0.0:
                return None
            if abs(whole - sum(parts)) > NEAR * sum(map(abs, parts)):
                return None
            if complex(change(rule, 1j, pre, post, p)).imag != 0.0:
                return None
            seen |= {name for name, value in alone.items() if value != 0.0}
            signs |= {value > 0.0 for value in alone.values() if value != 0.0}
    except (TypeError, AttributeError, ValueError, ArithmeticError):
        return None  # it compares weights, say, or works with real ones only
    return seen, signs


def _trace(draw: random.Random, wide: bool) -> float:
    """A trace of ordinary size; or of any, for a rule may saturate, or change in other ways, far above 1."""
    return 10.0 ** draw.uniform(-3.0, LARGEST) if wide else draw.uniform(0.0, 2.0)


def _drawn(draw: random.Random, rule: Rule, wide: bool) -> list[float]:
    """Traces are not negative, and 0 now and then; signals are potentials, or anything."""
    found = []
    for name in rule.side("post"):
        if name in rule.traces:
            found.append(_trace(draw, wide) * draw.choice((0.0, 1.0, 1.0)))
        else:
            found.append(draw.uniform(-100.0, 50.0) if wide else draw.uniform(0.0, 2.0))
    return found


def _on_post(rule: Rule, w: complex, pre: list[float], post: object, p: object) -> complex:
    """What `on_post` adds."""
    return rule.on_post(w, rule.Pre(*pre), post, p) - w


def _drift(rule: Rule, w: complex, pre: list[float], post: object, p: object) -> complex:
    return rule.drift(w, rule.Pre(*pre), post, p)


def idle_without_pre(rule: Rule, event: str) -> bool:
    """Whether this rule's hook for a named event leaves a synapse alone whose presynaptic traces are all 0."""
    names, draw, react = rule.side("pre"), random.Random(1), getattr(rule, f"on_{event}")
    if not names:
        return False
    try:
        for k in range(TRIES):
            w = draw.uniform(-2.0, 2.0)
            post = rule.Post(*_drawn(draw, rule, wide=k % 2 == 1))
            if react(w, rule.Pre(*[0.0 for _ in names]), post, rule.hook_params()) != w:
                return False
    except (TypeError, AttributeError, ValueError, ArithmeticError):
        return False
    return True


def replayed(rule: Rule) -> bool:
    """Whether the next presynaptic spike may make up for all that the postsynaptic neuron did, one spike of it after
    the other (`spikesim.clock.replay`): synapses keep nothing but their weight, nothing happens but at spikes, and
    between its own spikes each presynaptic trace is one exponential."""
    pre = [spec for spec in rule.trace_specs() if spec.side == "pre"]
    averaged = any(spec.mean_over for spec in rule.trace_specs())
    return not (rule.has_memory() or rule.drift is not None or averaged or any(len(spec.taus) > 1 for spec in pre))


def visits(rule: Rule) -> str:
    """When the clock-driven engine visits the synapses of this rule, given a dendritic delay."""
    if not (rule.local() or rule.synapse):
        return "at events"
    found = None if rule.has_memory() else factors(rule)
    if found is not None and not any(spec.jump for spec in rule.trace_specs() if spec.name in found):
        return "at presynaptic spikes"
    if replayed(rule):
        return "at presynaptic spikes, replaying the others"
    return "at every spike" if rule.drift is None else "in every step"
