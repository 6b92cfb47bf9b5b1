"""Scripts: playing them is the same as doing what they say one by one, to the last bit."""

import signal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikesim as ss
from spikesim.errors import SpikesimError
from spikesim.models.neurons import PoissonSource
from spikesim.models.neurons.segregated_dendrite import DendriticOutput, SegregatedDendrite
from spikesim.models.plasticity.plateau import PlateauRule
from spikesim.rng import Stream
from spikesim.script import Interrupted

RATES = 200.0 * Stream(3, "TASK", 1).uniform(24)


def network(threads=1, precision="double", learning=True):
    net = ss.Network(dt=1.0, seed=5, threads=threads, precision=precision, max_rate=None)
    source = net.add(PoissonSource(), 24, name="source")
    hidden = net.add(SegregatedDendrite(bias=0.5, eta_bias=0.1), 30, name="hidden")
    out = net.add(DendriticOutput(bias=0.5, eta_bias=0.1), 3, name="out")
    rule = dict(plasticity=PlateauRule(eta=0.3)) if learning else {}
    for pre, post, receptor in ((source, hidden, "basal"), (hidden, out, "basal"), (out, hidden, "apical")):
        weight = Stream(9, "WEIGHT", post.index).uniform(pre.n * post.n) - 0.5
        extra = rule if receptor == "basal" else {}
        net.connect(pre, post, ss.AllToAll(), weight=weight, delay=1.0, receptor=receptor, **extra)
    return net


def actions(trial):
    """What one trial consists of: (method, arguments)."""
    first, second, label = 31.0 + trial % 3, 33.0, np.arange(3) == trial % 3
    return [
        ("set", ("out", dict(g_E=0.0, g_I=0.0))),
        ("set", ("source", dict(rate=np.roll(RATES, trial) * (np.arange(24) % 3 > 0)))),
        ("run", (30.0,)),
        ("trigger", ("settled",)),
        ("run", (first - 30.0 + 1.0,)),
        ("trigger", ("forward_plateau",)),
        ("set", ("out", dict(g_E=1.0 * label, g_I=1.0 * ~label))),
        ("run", (30.0,)),
        ("trigger", ("settled",)),
        ("run", (second - 30.0,)),
        ("trigger", ("target_plateau",)),
    ]


def by_name(net, name):
    return next(p for p in net.populations if p.name == name)


def one_by_one(net, trials):
    for trial in trials:
        for what, given_ in actions(trial):
            if what == "set":
                by_name(net, given_[0]).set(**given_[1])
            else:
                getattr(net, what)(*given_)


def scripts(net, trials):
    found = []
    for trial in trials:
        script = ss.Script(net)
        for what, given_ in actions(trial):
            if what == "set":
                script.set(by_name(net, given_[0]), **given_[1])
            else:
                getattr(script, what)(*given_)
        found.append(script)
    return found


def same(one, other):
    mine, theirs = one.arrays(), other.arrays()
    assert mine.keys() == theirs.keys()
    for name, array in mine.items():
        if not name.endswith(("spike_ids", "spike_counts")):
            np.testing.assert_array_equal(array, theirs[name], err_msg=name)
    assert one.step == other.step


@pytest.mark.parametrize("precision", ["double", "single"])
def test_playing_is_doing_one_by_one(precision):
    a, b, c = network(precision=precision), network(precision=precision), network(precision=precision, threads=2)
    spikes = [[n.record(p, "spikes") for p in n.populations] for n in (a, b)]
    potentials = [n.record(by_name(n, "hidden"), "V_m", every=7.0) for n in (a, b)]
    one_by_one(a, range(5))
    b.play(scripts(b, range(5)))
    c.play(scripts(c, range(5)))
    same(a, b)
    for mine, theirs in zip(*spikes, strict=True):
        assert mine.count > 50
        np.testing.assert_array_equal(mine.steps, theirs.steps)
        np.testing.assert_array_equal(mine.ids, theirs.ids)
    np.testing.assert_array_equal(potentials[0].values, potentials[1].values)
    for p, q in zip(a.projections, c.projections, strict=True):
        np.testing.assert_array_equal(p.weights, q.weights)
    for name in ("rate",):
        np.testing.assert_array_equal(by_name(a, "source").get(name), by_name(b, "source").get(name))


@settings(max_examples=8, deadline=None)
@given(cut=st.integers(0, 4), learning=st.booleans())
def test_how_scripts_are_split_between_calls_does_not_matter(cut, learning):
    a, b = network(learning=learning), network(learning=learning)
    a.play(scripts(a, range(4)))
    b.play(scripts(b, range(cut)))
    b.play(scripts(b, range(cut, 4)))
    same(a, b)
    a.run(10.0)  # with the parameters that were set last
    by_name(b, "source").set(rate=by_name(b, "source").get("rate"))
    b.run(10.0)
    same(a, b)


def test_weights_that_are_recorded_change_when_they_change():
    a, b = network(), network()
    changes = [n.record(n.projections[0], "weights", every="change", sample=40) for n in (a, b)]
    one_by_one(a, range(3))
    b.play(scripts(b, range(3)))
    assert len(set(changes[0].times)) == 3
    np.testing.assert_array_equal(changes[0].times, changes[1].times)
    np.testing.assert_array_equal(changes[0].weights, changes[1].weights)


def test_learning_switched_off_stays_off():
    net = network()
    before = net.projections[0].weights
    net.projections[0].learning = False
    net.play(scripts(net, range(2)))
    np.testing.assert_array_equal(net.projections[0].weights, before)
    assert (net.projections[1].weights != network().projections[1].weights).any()


class ControlC:
    """A recorder that presses Ctrl-C in the middle of a script."""

    def __init__(self, step):
        self.step = step

    def operations(self, engine, thread):
        return []

    def limit(self, step):
        return self.step if step < self.step else 1 << 62

    def drain(self, step):
        if step == self.step:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("threads", [1, 2])
def test_control_c_ends_with_a_whole_script(threads):
    net = network(threads=threads)
    net.recorders.append(ControlC(step=150))  # in the third script
    with pytest.raises(Interrupted) as stopped:
        net.play(scripts(net, range(6)))
    assert stopped.value.played == 3
    other = network()
    other.play(scripts(other, range(3)))
    assert net.step == other.step > 150
    for p, q in zip(net.projections, other.projections, strict=True):
        np.testing.assert_array_equal(p.weights, q.weights)


def test_a_reset_in_a_script_is_a_reset():
    a, b = network(), network()
    one_by_one(a, range(2))
    a.reset()
    one_by_one(a, range(2, 3))
    first, second, third = scripts(b, range(3))
    again = ss.Script(b)
    again.reset()
    b.play([first, second, again, third])
    same(a, b)


def test_scripts_may_share_an_action():
    a, b = network(), network()
    script, other = ss.Script(a), ss.Script(a)
    action = script.set(by_name(a, "source"), rate=RATES)
    other.add(action)
    for each in (script, other):
        each.run(20.0)
    a.play([script, other])
    by_name(b, "source").set(rate=RATES)
    b.run(40.0)
    same(a, b)


def test_actions_may_set_different_parameters_of_a_population():
    a, b = network(), network()
    scripts = [ss.Script(a), ss.Script(a)]
    for script, values in zip(scripts, (dict(phi_max=150.0), dict(g_b=0.3)), strict=True):
        script.set(by_name(a, "hidden"), **values)
        script.run(20.0)
    a.play([*scripts, scripts[0]])
    for values in (dict(phi_max=150.0), dict(g_b=0.3), {}):
        by_name(b, "hidden").set(**values)
        b.run(20.0)
    same(a, b)
    for name, value in (("phi_max", 150.0), ("g_b", 0.3)):
        assert (by_name(a, "hidden").get(name) == value).all()


def test_populations_know_the_parameters_that_were_set_last():
    net = network()
    scripts = [ss.Script(net) for _ in range(3)]
    for k, script in enumerate(scripts):
        script.set(by_name(net, "source"), rate=RATES + k)
        script.set(by_name(net, "hidden"), phi_max=100.0 + k, V_m=1.0)
        script.run(5.0)
        script.set(by_name(net, "source"), rate=2.0 * RATES + k)
    net.play([scripts[2], scripts[0], scripts[1]])
    assert (by_name(net, "source").get("rate") == 2.0 * RATES + 1).all()
    assert (by_name(net, "hidden").get("phi_max") == 101.0).all()


def test_a_script_without_time_is_played_too():
    net = network()
    script = ss.Script(net)
    script.set(by_name(net, "out"), V_m=2.5)
    net.play(script)
    assert (by_name(net, "out").get("V_m") == 2.5).all()
    assert net.step == 0


def test_what_cannot_be_done_is_told_while_it_is_written_down():
    net, other = network(), network()
    script = ss.Script(net)
    with pytest.raises(SpikesimError, match="settled"):
        script.trigger("setled")
    with pytest.raises(SpikesimError, match="multiple of dt"):
        script.run(0.5)
    with pytest.raises(SpikesimError, match="length 24 is needed"):
        script.set(by_name(net, "source"), rate=[1.0, 2.0])
    with pytest.raises(SpikesimError, match="rate must be >= 0"):
        script.set(by_name(net, "source"), rate=-1.0)
    with pytest.raises(SpikesimError, match="at most"):
        script.set(by_name(net, "source"), rate=1e9)
    with pytest.raises(SpikesimError, match="did you mean 'rate'"):
        script.set(by_name(net, "source"), rates=1.0)
    with pytest.raises(SpikesimError, match="another network"):
        script.set(by_name(other, "source"), rate=1.0)
    with pytest.raises(SpikesimError, match="scripts for this network"):
        other.play(script)
    assert script.actions == []


def test_actions_made_all_at_once_are_those_made_one_by_one():
    a, b = network(), network()
    rates, drawn = np.linspace(0.0, 300.0, 72).reshape(3, 24), []
    for net in (a, b):
        source, phase = by_name(net, "source"), ss.Script(net)
        phase.run(20.0)
        phase.trigger("settled")
        for shown, rate in zip(ss.Script.each(source, rate=rates), rates, strict=True):
            script = ss.Script(net)
            script.set(source, rate=rate) if net is a else script.add(shown)
            script.follow(phase)
            drawn.append(script)
    a.play(drawn[:3])
    b.play(drawn[3:])
    same(a, b)
    assert by_name(b, "source").get("rate").tolist() == rates[-1].tolist()
    assert ss.Script.each(source, rate=rates[:0]) == []


def test_actions_made_all_at_once_are_checked():
    net = network()
    source = by_name(net, "source")
    for wrong in (
        np.ones(24),
        np.ones((2, 23)),
        np.full((2, 24), np.nan),
        np.full((2, 24), -1.0),
        np.full((2, 24), 1e7),
    ):
        with pytest.raises(ss.SpikesimError, match="each|rate"):
            ss.Script.each(source, rate=wrong)
    with pytest.raises(ss.SpikesimError, match="nothing"):
        ss.Script.each(source)
    with pytest.raises(ss.SpikesimError, match="same network"):
        ss.Script(net).follow(ss.Script(network()))
