"""Which rules come apart into what the presynaptic neuron knows and what the postsynaptic one knows.

If `on_post` adds, whatever the weight, a sum of presynaptic traces, each times something that depends on the
postsynaptic side alone,

    on_post(w, pre, post, p) = w + sum_k pre_k psi_k(post, p),

then nothing has to be done at a postsynaptic spike but to remember psi_k for the neuron: the next presynaptic spike
makes up for it, at all its synapses at once (`spikesim.clock.lazy`). Hooks are plain functions of numbers, so this is
found out by calling them: with a weight that is purely imaginary, which a sum leaves as it is and all else does not.
"""

from __future__ import annotations

import random

from spikesim.plasticity import Rule

TRIES = 24
NEAR = 1e-9  # relative; sums of a few products agree much better


def factors(rule: Rule) -> tuple[str, ...] | None:
    """The presynaptic traces that `on_post` of this rule is linear in; None where it does not come apart so, or where
    its changes go up and down, so that bounds in between would matter."""
    names, draw = rule.side("pre"), random.Random(1)
    if rule.on_post is None:
        return ()
    seen: set[str] = set()
    signs: set[bool] = set()
    try:
        for _ in range(TRIES):
            pre = [draw.uniform(0.0, 2.0) for _ in names]
            post = rule.Post(*(draw.uniform(0.0, 2.0) * draw.choice((0.0, 1.0, 1.0)) for _ in rule.side("post")))
            alone = {name: _change(rule, [float(other == name) for other in names], post) for name in names}
            whole, parts = _change(rule, pre, post), [x * alone[name] for x, name in zip(pre, names, strict=True)]
            if _change(rule, [0.0 for _ in names], post) != 0.0:
                return None
            if abs(whole - sum(parts)) > NEAR * sum(map(abs, parts)):
                return None
            if rule.on_post(1j, rule.Pre(*pre), post, rule.hook_params()).imag != 1.0:
                return None
            seen |= {name for name, change in alone.items() if change != 0.0}
            signs |= {change > 0.0 for change in alone.values() if change != 0.0}
    except (TypeError, AttributeError, ValueError, ArithmeticError):
        return None  # it compares numbers, say, or works with those that are real only
    bounded = rule.bounds != "none"
    return None if bounded and len(signs) > 1 else tuple(name for name in names if name in seen)


def _change(rule: Rule, pre: list[float], post: object) -> float:
    """What `on_post` adds to a weight of 0."""
    return float(rule.on_post(0.0, rule.Pre(*pre), post, rule.hook_params()))
