"""A hook that fails for some numbers alone is told with its line, too, where spike trains or a network lead to them."""

import inspect
import math
import re

import pytest

import spikesim as ss
from spikesim.hook_search import failing_hook
from spikesim.models.plasticity import ClopathSTDP, PairSTDP
from spikesim.plasticity import Local, Rule, Trace
from spikesim.registry import find
from spikesim.sweep import sweep
from spikesim.timeline import weight_change


class Remembering(Rule):
    tau: float = 20.0

    traces = {"x": Trace("pre", tau="tau")}
    synapse = {"c": Local(tau="tau")}

    @staticmethod
    def on_post(w, pre, post, p, s):
        return w + s.c, pre.x


def refused(act, owner, hook, line, *words):
    with pytest.raises(ss.SpikesimError) as caught:
        act()
    message = str(caught.value)
    found = re.match(rf"{owner.__name__}\.{hook} \((.*), line (\d+)\) ", message)
    assert found, message
    lines, first = inspect.getsourcelines(owner)
    assert line in lines[int(found.group(2)) - first], message
    assert [word for word in words if word not in message] == [], message


class NaNLater(PairSTDP):
    @staticmethod
    def on_post(w, pre, post, p):
        if pre.x < 3.2:
            return w + p.a_plus * pre.x
        return (w - w) * math.inf


class NaNLaterByArithmetic(PairSTDP):
    """Without a branch, so that many synapses are walked side by side."""

    @staticmethod
    def on_post(w, pre, post, p):
        return w + 0.0 * math.inf ** (pre.x - 3.2)


class DividesByZeroLater(PairSTDP):
    @staticmethod
    def on_post(w, pre, post, p):
        return w if pre.x < 3.5 else w * 0.0 / 0.0


class ForgetsATraceLater(PairSTDP):
    @staticmethod
    def on_post(w, pre, post, p):
        return w if pre.x < 3.5 else pre.y


class JumpsToInfinityLater(PairSTDP):
    @staticmethod
    def jump_x(own, p):
        return 1.0 if own.x < 3.0 else math.inf


class VariableIsNaNLater(Remembering):
    @staticmethod
    def on_post(w, pre, post, p, s):
        return w, s.c if pre.x < 3.2 else math.nan


class BetweenIsNaNLater(Remembering):
    @staticmethod
    def between(w, s, elapsed, p):
        return w, s.c if elapsed < 5.0 else math.nan


class DriftIsNaNLater(ClopathSTDP):
    @staticmethod
    def drift(w, pre, post, p):
        return 0.0 if pre.x < 3.2 else (post.u - post.u) * math.inf


class SpikesAreNaNLater(ClopathSTDP):
    @staticmethod
    def on_post(w, pre, post, p):
        return w if pre.x < 3.2 else (post.u - post.u) * math.inf


@pytest.mark.parametrize(
    ("rule", "hook", "line", "words"),
    [
        (NaNLater, "on_post", "return (w - w) * math.inf", ["returns nan", "pre.x = 4.5"]),
        (NaNLaterByArithmetic, "on_post", "return w + 0.0 * math.inf", ["returns nan", "pre.x = 4.5"]),
        (DividesByZeroLater, "on_post", "return w if", ["ZeroDivisionError", "pre.x = 4.5"]),
        (ForgetsATraceLater, "on_post", "return w if", ["no such trace", "did you mean 'post.y'"]),
        (JumpsToInfinityLater, "jump_x", "return 1.0 if", ["returns inf", "pre.x = 3.1"]),
        (VariableIsNaNLater, "on_post", "return w, s.c if", ["nan", "s.c = "]),
        (BetweenIsNaNLater, "between", "return w, s.c if", ["nan", "elapsed = "]),
        (DriftIsNaNLater, "drift", "return 0.0 if", ["returns nan", "post.u = ", "pre.x = 3."]),
        (SpikesAreNaNLater, "on_post", "return w if", ["returns nan", "post.u = ", "pre.x = 4.1"]),
    ],
)
def test_a_hook_that_fails_on_the_way_is_told_as_well(rule, hook, line, words):
    pre = [2.0 * k for k in range(6)] + [17.0]
    refused(lambda: weight_change(rule(), pre, [11.0, 30.0]), rule, hook, line, *words)
    burst = find("protocol", "free")(pre=",".join(map(str, pre)), post="11,30")
    refused(lambda: burst.run(rule()), rule, hook, line, *words)


def test_many_synapses_side_by_side_tell_it_too():
    two = find("protocol", "pairing")(pairs=5, n_pre=8, pre_interval=1.0)
    refused(
        lambda: sweep(two, NaNLaterByArithmetic(), "rule.a_plus", [0.1, 0.2]),
        NaNLaterByArithmetic, "on_post", "return w + 0.0 * math.inf", "returns nan",
    )  # fmt: skip


def test_the_hook_that_makes_weights_nan_is_looked_for():
    refused_as(failing_hook(NaNLater()), "NaNLater.on_post", "returns nan")
    refused_as(failing_hook(JumpsToInfinityLater(w_max=math.inf)), "JumpsToInfinityLater.jump_x", "returns inf")
    refused_as(failing_hook(DriftIsNaNLater(bounds="none")), "DriftIsNaNLater.drift", "returns nan")
    assert failing_hook(Remembering(w_max=5.0)) is None


def refused_as(error, hook, what):
    assert str(error).startswith(hook)
    assert what in str(error)
