"""Finds a hook that returns no number, when all that is known is that weights have become NaN or infinite.

Kernels do not look at what hooks return, for that would take time. So the hooks are called once more, as the plain
functions they are, with traces and weights that are first of ordinary size and then larger and larger, until one fails.
"""

from __future__ import annotations

import math
import random
from typing import Any

from spikesim.errors import HookError
from spikesim.hook_check import hooks_of, ordinary
from spikesim.plasticity import Rule

CALLS = 100  # of each hook, with numbers of each size
SIZES = [(10.0 ** (k / 4), 10.0 ** (3 * k)) for k in range(13)]  # the largest trace, the largest weight


def failing_hook(rule: Rule) -> HookError | None:
    """The error of the first hook that fails, for the least numbers; None where none does."""
    owner: Any = type(rule)
    p, draw = rule.hook_params(), random.Random(1)
    for trace, weight in SIZES:
        for _ in range(CALLS):
            pre, post = (side(*(ordinary(draw, owner, name, trace) for name in side._fields))
                         for side in (owner.Pre, owner.Post))  # fmt: skip
            s = owner.Synapse(*(draw.uniform(0.0, trace) for _ in owner.synapse))
            given = {"w": _weight(draw, rule, p, weight), "pre": pre, "post": post, "p": p, "s": s,
                     "elapsed": 10.0 ** draw.uniform(-1.0, 3.0)}  # fmt: skip
            for hook, _ in hooks_of(owner):
                try:
                    hook.try_on(tuple(given[argument] for argument in hook.arguments))
                except HookError as error:
                    return error
    return None


def _weight(draw: random.Random, rule: Rule, p: Any, largest: float) -> float:
    """A weight that the bounds allow, in units of `w_ref`: one of them, or between, where all sizes are as likely."""
    low, high = (-math.inf, math.inf) if rule.bounds == "none" else (p.w_min, p.w_max)
    lowest = low if math.isfinite(low) else min(0.0, high) - largest
    highest = high if math.isfinite(high) else max(0.0, low) + largest
    size = (low if math.isfinite(low) else 0.0) + 10.0 ** draw.uniform(-3.0, math.log10(largest))
    return draw.choice((lowest, highest, draw.uniform(lowest, highest), min(max(size, lowest), highest)))
