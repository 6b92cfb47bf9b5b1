"""What is wrong with a hook is told in a line that names rule, hook, file and line, before anything compiles."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

import spikesim as ss
from spikesim.hook_check import check_neuron_hooks, check_rule_hooks
from spikesim.models.neurons import LIF, ClopathAdEx, SpikeSource
from spikesim.neuron import Neuron
from spikesim.plasticity import Local, Rule, Trace
from spikesim.registry import discover, find
from spikesim.signals import LowPass, Signal
from spikesim.timeline import weight_change

TABLE = {"gain": 2.0}


class Potentiation(Rule):
    tau_plus: float = 20.0
    gain: float = 0.1

    traces = {"trace_x": Trace("pre", tau="tau_plus"), "trace_y": Trace("post", tau="tau_plus")}

    @staticmethod
    def on_post(w, pre, post, p):
        return w + p.gain * pre.trace_x


class DividesByATrace(Potentiation):
    @staticmethod
    def on_pre(w, pre, post, p):
        return w - p.gain / post.trace_y


class IsNaN(Potentiation):
    @staticmethod
    def on_pre(w, pre, post, p):
        return w - math.inf * post.trace_y


class MisspeltTrace(Potentiation):
    @staticmethod
    def on_pre(w, pre, post, p):
        good = w
        return good - post.trase_y


class WrongSide(Potentiation):
    @staticmethod
    def on_pre(w, pre, post, p):
        return w - pre.trace_y


class MisspeltParameter(Potentiation):
    @staticmethod
    def on_pre(w, pre, post, p):
        return w - p.gian


class ReturnsNothing(Potentiation):
    @staticmethod
    def on_pre(w, pre, post, p):
        w -= p.gain


class ReturnsATuple(Potentiation):
    @staticmethod
    def on_pre(w, pre, post, p):
        return (w,)


class TooFewArguments(Potentiation):
    @staticmethod
    def on_pre(w, pre, post):
        return w


class WithSelf(Potentiation):
    def on_pre(self, w, pre, post, p):
        return w


class Raises(Potentiation):
    @staticmethod
    def on_pre(w, pre, post, p):
        return w - math.log(-1.0)


class ForgetsATrace(Potentiation):
    """Only for some numbers, none of them the first ones."""

    @staticmethod
    def on_pre(w, pre, post, p):
        return w - (pre.other if post.trace_y > 1.0 else 0.0)


class AnEventIsWrong(Rule):
    tau: float = 20.0

    traces = {"x": Trace("pre", tau="tau")}
    events = ("reward",)

    @staticmethod
    def on_reward(w, pre, post, p):
        return w + pre.y


class Continuous(Rule):
    tau: float = 20.0

    traces = {"x": Trace("pre", tau="tau")}
    signals = {"u": Signal("V_m"), "u_slow": LowPass("V_m", tau="tau")}
    cell = ClopathAdEx()

    @staticmethod
    def drift(w, pre, post, p):
        return 1e-3 * pre.x * post.u


class DriftForgetsATrace(Continuous):
    @staticmethod
    def drift(w, pre, post, p):
        return pre.y * post.u


class DriftIsNaN(Continuous):
    @staticmethod
    def drift(w, pre, post, p):
        return (post.u - post.u) * math.inf


class MisspeltSignal(Continuous):
    @staticmethod
    def on_post(w, pre, post, p):
        return w + post.u_slwo


class JumpForgetsATrace(Potentiation):
    @staticmethod
    def jump_trace_x(own, p):
        return own.trace_y


class JumpIsNothing(Potentiation):
    @staticmethod
    def jump_trace_x(own, p):
        own.trace_x * p.gain


class Remembering(Potentiation):
    synapse = {"c": Local(tau="tau_plus")}

    @staticmethod
    def on_post(w, pre, post, p, s):
        return w + s.c, pre.trace_x


class BetweenForgetsAVariable(Remembering):
    @staticmethod
    def between(w, s, elapsed, p):
        return w, s.d * math.exp(-elapsed / p.tau_plus)


class BetweenReturnsTheWeightAlone(Remembering):
    @staticmethod
    def between(w, s, elapsed, p):
        return w + s.c


WRONG = [
    (DriftForgetsATrace, "drift", "return pre.y * post.u", ["pre.y", "did you mean 'pre.x'"]),
    (DriftIsNaN, "drift", "return (post.u - post.u)", ["returns nan", "post.u = ", "dw/dt, a number, finite"]),
    (MisspeltSignal, "on_post", "return w + post.u_slwo", ["post.u_slwo", "did you mean 'post.u_slow'"]),
    (JumpForgetsATrace, "jump_trace_x", "return own.trace_y", ["pre.trace_y", "no such trace", "'pre.trace_x'"]),
    (JumpIsNothing, "jump_trace_x", "own.trace_x * p.gain", ["returns None", "the jump, a number"]),
    (BetweenForgetsAVariable, "between", "return w, s.d", ["s.d", "'s.c'"]),
    (BetweenReturnsTheWeightAlone, "between", "return w + s.c", ["a tuple of 2 numbers"]),
    (DividesByATrace, "on_pre", "return w - p.gain / ", ["ZeroDivisionError", "w = ", "post.trace_y = 0"]),
    (IsNaN, "on_pre", "return w - math.inf", ["returns nan", "post.trace_y = 0", "finite"]),
    (MisspeltTrace, "on_pre", "return good", ["post.trase_y", "no such trace", "'post.trace_y'", "pre.trace_x"]),
    (WrongSide, "on_pre", "return w - pre.trace_y", ["pre.trace_y", "did you mean 'post.trace_y'"]),
    (MisspeltParameter, "on_pre", "return w - p.gian", ["p.gian", "parameter", "'p.gain'"]),
    (ReturnsNothing, "on_pre", "w -= p.gain", ["returns None", "new weight"]),
    (ReturnsATuple, "on_pre", "return (w,)", ["returns (", "new weight"]),
    (TooFewArguments, "on_pre", "def on_pre", ["(w, pre, post)", "(w, pre, post, p)"]),
    (WithSelf, "on_pre", "def on_pre", ["(self, w, pre, post, p)", "@staticmethod"]),
    (Raises, "on_pre", "return w - math.log", ["ValueError", "math domain error"]),
    (ForgetsATrace, "on_pre", "return w - (pre.other", ["pre.other", "pre.trace_x"]),
    (AnEventIsWrong, "on_reward", "return w + pre.y", ["pre.y", "did you mean 'pre.x'"]),
]


def refused(act, owner, hook, line, *words):
    with pytest.raises(ss.SpikesimError) as caught:
        act()
    message = str(caught.value)
    assert "\n" not in message
    found = re.match(rf"{owner.__name__}\.{hook} \((.*), line (\d+)\) ", message)
    assert found, message
    assert Path(found.group(1)).name == Path(__file__).name
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    at = int(found.group(2))
    # A hook with wrong arguments is told with its first line, which is that of a decorator.
    assert any(line in text for text in lines[at - 1 : at + line.startswith("def")]), message
    assert [word for word in words if word not in message] == [], message


def trains(n=3):
    net = ss.Network(dt=0.5, seed=1)
    return net, net.add(SpikeSource(np.arange(1.0, 40.0, 3.0), np.zeros(13, int)), n), net.add(LIF(), n)


wrong = pytest.mark.parametrize(("rule", "hook", "line", "words"), WRONG, ids=[case[0].__name__ for case in WRONG])


@wrong
def test_connect_refuses_it_before_anything_compiles(rule, hook, line, words):
    net, source, target = trains()
    refused(lambda: net.connect(source, target, ss.OneToOne(), plasticity=rule()), rule, hook, line, *words)
    assert net.projections == []
    assert net.seconds["compile"] == 0.0


@wrong
def test_protocols_refuse_it(rule, hook, line, words):
    refused(lambda: weight_change(rule(), [1.0], [2.0]), rule, hook, line, *words)
    if not rule.events:
        refused(lambda: find("protocol", "pairing")().run(rule()), rule, hook, line, *words)


@pytest.mark.parametrize("name", discover("rule"))
def test_all_rules_pass_with_every_preset(name):
    rule = discover("rule")[name]
    for preset in (None, *rule.presets):
        check_rule_hooks(rule(preset=preset))
    check_rule_hooks(rule(w_min=0.0, w_max=1.0))


@pytest.mark.parametrize("name", discover("neuron"))
def test_all_neurons_pass(name):
    net = ss.Network(seed=1)
    check_neuron_hooks(net.add(discover("neuron")[name](), 2))


class UsesADict(Potentiation):
    @staticmethod
    def on_pre(w, pre, post, p):
        scaled = w
        return scaled * TABLE["gain"]


class UsesAString(Potentiation):
    @staticmethod
    def on_pre(w, pre, post, p):
        return w + float(f"{w:.3f}")


class UsesAnObject(Potentiation):
    @staticmethod
    def on_post(w, pre, post, p):
        return w + len([object()])


@pytest.mark.parametrize(
    ("rule", "hook", "line"),
    [
        (UsesADict, "on_pre", "return scaled"),
        (UsesAString, "on_pre", "return w + float"),
        (UsesAnObject, "on_post", "return w + len"),
    ],
)
def test_what_numba_cannot_compile_is_told_in_a_line(rule, hook, line):
    net, source, target = trains()
    net.connect(source, target, ss.OneToOne(), plasticity=rule())
    refused(lambda: net.run(10.0), rule, hook, line, "Numba cannot compile")
    assert net.step == 0


# Neurons ----------------------------------------------------------------------------------------------------


class Integrator(Neuron):
    tau_m: float = 10.0

    receptors = ("membrane",)
    state = {"V_m": 0.0}
    constants = ("decay",)

    @staticmethod
    def derive(p, dt):
        return {"decay": np.exp(-dt / p.tau_m)}

    @staticmethod
    def advance(s, x, c, free):
        return (s.V_m * c.decay + x.membrane,)


class ReadsNoReceptor(Integrator):
    @staticmethod
    def advance(s, x, c, free):
        return (s.V_m * c.decay + x.membran,)


class ForgetsTheTuple(Integrator):
    @staticmethod
    def advance(s, x, c, free):
        return s.V_m * c.decay


class NotANumber(Integrator):
    @staticmethod
    def advance(s, x, c, free):
        return (s.V_m * math.inf,)


class SpikesByADict(Integrator):
    @staticmethod
    def spikes(s, c, u):
        return s.V_m > TABLE["gain"]


@pytest.mark.parametrize(
    ("model", "line", "words"),
    [
        (ReadsNoReceptor, "return (s.V_m * c.decay + x.membran,)", ["x.membran", "did you mean 'x.membrane'"]),
        (ForgetsTheTuple, "return s.V_m * c.decay", ["returns 0.0", "a tuple of 1 numbers"]),
        (NotANumber, "return (s.V_m * math.inf,)", ["nan", "finite", "s.V_m = 0"]),
    ],
)
def test_neurons_are_refused_when_they_are_added(model, line, words):
    net = ss.Network(seed=1)
    refused(lambda: net.add(model(), 2), model, "advance", line, *words)
    assert net.populations == []


def test_a_neuron_that_does_not_compile():
    net = ss.Network(seed=1)
    net.add(SpikesByADict(), 2)
    refused(lambda: net.run(1.0), SpikesByADict, "spikes", "return s.V_m > TABLE", "Numba cannot compile")


# Weights that become NaN while the network runs -------------------------------------------------------------


class Explodes(Potentiation):
    """The weight doubles with each postsynaptic spike until it is NaN."""

    w_max: float = math.inf

    @staticmethod
    def on_post(w, pre, post, p):
        return 2.0 * w if w < 1e30 else (w - w) / (w - w)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_run_ends_when_weights_are_no_numbers(threads):
    net = ss.Network(dt=0.5, seed=1, threads=threads)
    visits = [1.0, *np.arange(50.0, 1100.0, 50.0)]  # presynaptic spikes, at which what came before takes effect
    source = net.add(SpikeSource(visits, np.zeros(len(visits), int)), 1, name="source")
    post = net.add(SpikeSource(np.arange(2.0, 400.0, 2.0), np.zeros(199, int)), 2, name="post")  # the first one fires
    synapses = net.connect(source, post, ss.AllToAll(), plasticity=Explodes(), weight=1.0)
    net.run(100.0)
    assert np.isfinite(synapses.weights).all()
    told = (
        r"'source' -> 'post'.*Explodes has made weights NaN.*Explodes.on_post \(.*test_hook_check.py, line \d+\) "
        "raises ZeroDivisionError.*stopped at 300 ms"
    )
    with pytest.raises(ss.RunError, match=told):
        net.run(1000.0)
    assert net.time == 300.0  # it is looked at every 100 ms, and the weight was 1e30 after 200 ms
