"""What a rule declares, and the file that it is in: mistakes are told in a line, by the command line with status 2."""

import numpy as np
import pytest
from click.testing import CliRunner

import spikesim as ss
from spikesim.cli import main
from spikesim.models.neurons import LIF, ClopathAdEx, SpikeSource
from spikesim.plasticity import Local, Rule, Trace
from spikesim.signals import LowPass, Signal
from spikesim.timeline import weight_change


class NoSuchTau(Rule):
    tau_plus: float = 20.0
    traces = {"x": Trace("pre", tau="tau_pluss")}


class SecondTau(Rule):
    tau_plus: float = 20.0
    traces = {"x": Trace("pre", tau=("tau_plus", "tau_minus"))}


class TauIsANumber(Rule):
    traces = {"x": Trace("pre", tau=20.0)}


class NoSuchSide(Rule):
    tau_plus: float = 20.0
    traces = {"x": Trace("prae", tau="tau_plus")}


class NoSuchStart(Rule):
    rho: float = 0.5
    synapse = {"c": Local(start="rh0")}


class NoSuchDelay(Rule):
    tau_u: float = 20.0
    lag: float = 3.0
    signals = {"u": Signal("V_m", delay="lagg")}


class NoSuchFilter(Rule):
    tau_u: float = 20.0
    signals = {"u": LowPass("V_m", tau="tau")}


class NoSuchLag(Rule):
    D: float = 1.0
    pre_lag = "delay"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (NoSuchTau, ["tau of the trace 'x'", "'tau_pluss'", "did you mean 'tau_plus'"]),
        (SecondTau, ["tau of the trace 'x'", "'tau_minus'", "did you mean 'tau_plus'"]),
        (TauIsANumber, ["tau of the trace 'x'", "name of a parameter, not 20.0"]),
        (NoSuchSide, ["the trace 'x'", "no side 'prae'", "did you mean 'pre'"]),
        (NoSuchStart, ["start of the variable 'c'", "'rh0'", "did you mean 'rho'"]),
        (NoSuchDelay, ["delay of the signal 'u'", "'lagg'", "did you mean 'lag'"]),
        (NoSuchFilter, ["tau of the signal 'u'", "'tau'", "did you mean 'tau_u'"]),
        (NoSuchLag, ["pre_lag", "'delay'"]),
    ],
)
def test_declarations_name_parameters(rule, words):
    with pytest.raises(ss.SpikesimError) as caught:
        rule()
    message = str(caught.value)
    assert message.startswith(rule.__name__)
    assert [word for word in words if word not in message] == [], message


def test_time_constants_must_be_something_to_decay_with():
    class Odd(Rule):
        slow: float = 20.0
        fast: float = 5.0
        traces = {"x": Trace("pre", tau=("slow", "fast"))}

    with pytest.raises(ss.SpikesimError, match=r"Odd \(the trace 'x'\): its time constant must be > 0 ms, not 0"):
        Odd(fast=0.0)
    with pytest.raises(ss.SpikesimError, match=r"Odd \(the trace 'x'\): its two time constants must differ"):
        Odd(fast=20.0)


class NoSuchVariable(Rule):
    signals = {"u": Signal("V_mem")}
    cell = ClopathAdEx()

    @staticmethod
    def drift(w, pre, post, p):
        return post.u


def test_signals_name_state_variables():
    said = "has no state variable 'V_mem'; did you mean 'V_m'"
    with pytest.raises(ss.SpikesimError, match=f"NoSuchVariable: its cell, ClopathAdEx, {said}"):
        weight_change(NoSuchVariable(), [1.0], [2.0])
    net = ss.Network(dt=0.5, seed=1)
    source, target = net.add(SpikeSource(np.array([1.0]), np.array([0])), 2), net.add(LIF(), 2)
    with pytest.raises(ss.SpikesimError, match=f"LIF, which NoSuchVariable reads, {said}"):
        net.connect(source, target, ss.OneToOne(), plasticity=NoSuchVariable())


# Rules in files of their own, by the command line -------------------------------------------------------------

HEAD = """from spikesim.plasticity import Rule, Trace

class Mine(Rule):
    tau: float = 200.0
    traces = {"x": Trace("pre", tau="tau")}
    @staticmethod
    def on_post(w, pre, post, p):
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD + "        return w + pre.y", "Mine.on_post ({}, line 8) reads pre.y"),
        (HEAD + "        return w if pre.x < 3.2 else (w - w) * 1e999", "Mine.on_post ({}, line 8) returns nan"),
        (HEAD + "        return w if pre.x < 3.2 else w / 0.0", "Mine.on_post ({}, line 8) raises ZeroDivision"),
        (HEAD.replace("p):", "p)") + "        return w", "{}, line 7: SyntaxError: expected ':'"),
        (HEAD.replace("200.0", "tau_0"), "{}, line 7: SyntaxError: expected an indented block"),
        (HEAD.replace("200.0", "tau_0") + "        return w", "{}, line 4: NameError: name 'tau_0'"),
        (HEAD.replace("Trace\n", "Trance\n") + "        return w", "{}, line 1: ImportError: cannot import"),
        (HEAD.replace('tau="tau"', 'tau="tua"') + "        return w", "trace 'x') has no parameter 'tua'; did you"),
    ],
)
@pytest.mark.parametrize("words", ["card", "protocol sjostrom_2001_random --rule"])
def test_the_command_line_tells_it_in_a_line(words, text, says, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, [*words.split(), f"{path}:Mine"])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert says.format(path) in result.stderr
