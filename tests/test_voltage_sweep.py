"""Voltage rules walked side by side through the course of a neuron, against the walk one by one, which is the judge."""

import numpy as np
import pytest

from spikesim.cell_course import course_of
from spikesim.errors import HookError, SpikesimError
from spikesim.models.neurons.clopath_adex import ClopathAdEx
from spikesim.models.neurons.lif import LIF
from spikesim.models.plasticity.clopath_stdp import ClopathSTDP
from spikesim.models.plasticity.convallis import Convallis
from spikesim.plasticity import Rule, Trace
from spikesim.protocol import Condition
from spikesim.protocols.bi_poo_1998 import BiPoo1998
from spikesim.protocols.pairing import Pairing
from spikesim.protocols.voltage_clamp import VoltageClamp
from spikesim.registry import discover
from spikesim.side_by_side import known_in_steps, relative_changes, together
from spikesim.signals import LowPass, Signal
from spikesim.silence import silent
from spikesim.sweep import sweep

VOLTAGE_RULES = {name: rule for name, rule in discover("rule").items() if rule.signals}
EXACT = 1e-12  # of the weight before

#: Protocols as short as they can be and still do all that they do.
SHORT = {
    "bi_poo_1998": {"pairs": 2, "delta_t_step": 0.0},
    "free": {"repetitions": 2},
    "froemke_dan_2002": {"repetitions": 2},
    "markram_1997": {"bursts": 2},
    "pairing": {"pairs": 3, "n_post": 2, "dendritic_delay": 1.5, "axonal_delay": 0.7},
    "poisson_rates": {"dead_time": 0.2, "repeats": 2, "duration": 0.5, "post_max": 20.0},
    "sjostrom_2001": {"pairs": 2},
    "sjostrom_2001_random": {"repeats": 1},
    "sjostrom_2001_timing": {},
    "voltage_clamp": {"V_step": 20.0},
    "wang_2005": {"repetitions": 1},
}


class Restless(Rule):
    """Made up: reads all that a walk keeps, and its weight drifts whenever the potential is high, spikes or not."""

    tau_x: float = 15.0  # ms
    tau_y: float = 60.0  # ms
    tau_slow: float = 120.0  # ms
    lag: float = 4.0  # ms
    theta: float = -65.0  # mV

    traces = {"y": Trace("post", tau=("tau_y", "tau_x")), "x": Trace("pre", tau="tau_x")}
    signals = {
        "u": Signal("V_m", delay="lag"),
        "late": LowPass("V_m", tau="tau_x", delay="lag"),
        "square": LowPass("V_m", tau="tau_slow", squared_above="theta"),
        "threshold": LowPass("V_T", tau="tau_x"),
    }
    cell = ClopathAdEx()

    @staticmethod
    def on_pre(w, pre, post, p):
        return w - 1e-5 * post.square - 0.1 * post.y

    @staticmethod
    def on_post(w, pre, post, p):
        return w + 0.2 * pre.x * (1.0 + post.y)

    @staticmethod
    def drift(w, pre, post, p):
        return 1e-6 * (1.0 + pre.x) * (post.late - p.theta) * (post.u > p.theta) * (w - 1e-3 * post.threshold)


#: A neuron that fires by itself and never comes to rest.
FIRING = ClopathAdEx(I_e=900.0)


class Refractory(Rule):
    """Made up: a neuron with a refractory period, whose spikes leave no mark in V_m; no drift."""

    tau: float = 20.0  # ms
    a: float = 1e-3

    traces = {"x": Trace("pre", tau="tau")}
    signals = {"v": LowPass("V_m", tau="tau")}
    cell = LIF()

    @staticmethod
    def on_post(w, pre, post, p):
        return w + p.a * pre.x * (post.v + 80.0)


RULES = {**VOLTAGE_RULES, "Restless": Restless, "Firing": Restless, "Refractory": Refractory}


def some_of(kind, n, seed=0):
    """The rule as it is, and with all of its own numbers changed at random."""
    own = [name for name in kind.numeric if name not in Rule.parameters and isinstance(getattr(kind, name), float)]
    rng = np.random.default_rng(seed)
    found = [kind()]
    for _ in range(n - 1):
        found.append(kind(**{k: getattr(kind, k) * rng.uniform(0.7, 1.3) for k in own if getattr(kind, k) != 0.0}))
    return found


def one_by_one(rules, rows):
    return np.array([[protocol.induce(rule, condition) for protocol, condition in rows] for rule in rules])


def agree(rules, rows):
    expected = one_by_one(rules, rows)
    np.testing.assert_allclose(relative_changes(rules, rows), expected, rtol=0.0, atol=EXACT)
    return expected


def test_all_protocols_are_here():
    assert SHORT.keys() == discover("protocol").keys()


@pytest.mark.parametrize("protocol", SHORT)
@pytest.mark.parametrize("rule", VOLTAGE_RULES)
def test_every_voltage_rule_through_every_protocol(rule, protocol, tmp_path):
    file = tmp_path / "trains.csv"
    file.write_text("side,time\npre,0\npre,50\npost,12\npost,57.3\n", encoding="utf-8")
    own = {"file": str(file)} if protocol == "free" else {}
    given = discover("protocol")[protocol](**SHORT[protocol], **own)
    if not given.takes(VOLTAGE_RULES[rule]):
        with pytest.raises(SpikesimError, match=rule):
            given.run(VOLTAGE_RULES[rule]())
        return
    rows = [(given, condition) for condition in given.conditions()]
    rows = rows[:: max(1, len(rows) // 4)]
    changes = agree(some_of(VOLTAGE_RULES[rule], 3), rows)
    assert np.ptp(changes) > 0.0


HARD, SOFT = {"bounds": "hard", "w_max": 1.02}, {"bounds": "soft", "w_max": 2.0}


@pytest.mark.parametrize(
    ("name", "bounds"), [*((name, {}) for name in RULES), ("Restless", HARD), ("Restless", SOFT), ("Refractory", HARD)]
)
def test_more_rules_than_a_block_holds(name, bounds):
    rng = np.random.default_rng(3)
    pre, post = (np.unique(rng.integers(0, 400, n)).astype(float) for n in (9, 14))
    rows = [
        (Pairing(w0=1.0), Condition("burst", {}, pre, post, trials=[(post, pre), ([], post), (pre, [])])),
        (Pairing(w0=1.01), Condition("late", {}, [0.0, 300.0], [20.0, 8000.0], dendritic_delay=3.0)),
    ]
    kinds = some_of(RULES[name], 36)
    rules = [rule.replace(**bounds) for rule in kinds]
    if name == "Firing":  # the same rule, and nothing more to compile
        for rule in rules:
            rule.cell = FIRING
    assert known_in_steps(rules[0])
    found = relative_changes(rules, rows)
    some = [0, 1, 31, 35]
    np.testing.assert_allclose(found[some], one_by_one([rules[k] for k in some], rows), rtol=0.0, atol=EXACT)
    if bounds.get("bounds") != "hard":  # which all may come to
        assert len(np.unique(found[:, 0])) > 20


def test_rules_with_cells_of_their_own():
    """What moves the potential is part of the rule then: each gets its own course."""
    rules = [ClopathSTDP(), ClopathSTDP(), ClopathSTDP()]
    rules[1].cell = ClopathAdEx(integrator="euler")
    rules[2].cell = ClopathAdEx(V_m=-65.0, I_sp=300.0)
    changes = agree(rules, [(Pairing(), Condition("", {}, [0.0, 50.0], [10.0, 60.0]))])
    assert len(np.unique(changes)) == 3


def test_sweeps_over_rule_and_protocol():
    for protocol, parameter, values in (
        (Pairing(pairs=3), "rule.tau_minus", [5.0, 10.0, 20.0]),
        (Pairing(pairs=3), "rule.delay", [0.0, 1.0, 3.0]),
        (Pairing(pairs=3), "protocol.frequency", [0.1, 10.0, 40.0]),
        (VoltageClamp(V_step=35.0), "rule.theta_plus", [-45.0, -30.0]),
        (VoltageClamp(V_step=35.0), "protocol.frequency", [1.0, 20.0]),
    ):
        found = sweep(protocol, ClopathSTDP(), parameter, values)
        for result in found.results:
            alone = [result.protocol.induce(result.rule, point.condition) for point in result.points]
            assert [point.predicted for point in result.points] == pytest.approx(alone, rel=0.0, abs=EXACT)
    closed = sweep(VoltageClamp(V_step=35.0), ClopathSTDP(), "rule.a_ltd", [1e-4, 2e-4])
    assert all(point.closed_form is not None for result in closed.results for point in result.points)


def test_spikes_far_apart_set_off_one_episode():
    """60 spikes at 0.1 Hz: the neuron comes to rest between them, always in the same way."""
    post = np.arange(60) * 100_000
    course = course_of(ClopathAdEx(), post, int(post[-1]), ["V_m"], 0.1)
    assert course.fired.tolist() == post.tolist()
    assert len(course.begin) == 60
    assert course.values.shape[1] < 4 * course.length[1]
    slow = course_of(ClopathAdEx(), post[:2], 200_000, ["V_m"], 0.1)
    assert np.array_equal(slow.values[:, slow.offset[1] :][:, :1000], course.values[:, course.offset[-1] :][:, :1000])


def test_a_course_is_made_longer_when_asked():
    for last in (100, 300, 200):
        found = course_of(ClopathAdEx(I_e=905.0), np.array([5]), last, ["V_m"], 0.1)
        assert found.length[-1] + found.begin[-1] >= last
    alone = course_of(ClopathAdEx(I_e=905.0), np.array([5]), 150, ["V_m", "V_T"], 0.1)
    assert np.array_equal(alone.values[0], found.values[0, :151])


class Loose(ClopathSTDP):
    """A drift that is not 0 without a presynaptic trace, but for one value of a parameter."""

    leak: float = 1e-5

    @staticmethod
    def drift(w, pre, post, p):
        return p.a_ltp * pre.x * post.u - p.leak * w


class Asking(ClopathSTDP):
    """A drift that branches."""

    @staticmethod
    def drift(w, pre, post, p):
        return 0.0 if post.u < p.theta_plus else pre.x


@pytest.mark.parametrize(
    ("rule", "expected"),
    [(ClopathSTDP, True), (Convallis, True), (Refractory, True), (Restless, False), (Loose, False), (Asking, False)],
)
def test_whether_a_rule_is_silent(rule, expected):
    assert silent(rule, rule().hook_params()) is expected
    many = rule.Params(*np.array([rule().hook_params()] * 3).T)
    assert silent(rule, many) is expected


def test_infinite_amplitudes_are_not_silent():
    assert not silent(ClopathSTDP, ClopathSTDP().hook_params()._replace(a_ltp=np.inf))
    assert not silent(ClopathSTDP, ClopathSTDP().hook_params()._replace(tau_x=np.array([1.0, 0.0])))


@pytest.mark.parametrize("rule", [Loose, Asking])
def test_rules_that_are_never_silent(rule):
    agree(some_of(rule, 3), [(Pairing(), Condition("", {}, [0.0, 700.0], [10.0, 650.0]))])


class Bursting(ClopathSTDP):
    """Weights outgrow all numbers, and come back: what a walk one by one refuses."""

    @staticmethod
    def on_post(w, pre, post, p):
        return w * 1e200 if p.a_ltd > 1.0 else w

    @staticmethod
    def on_pre(w, pre, post, p):
        return 1.0


def test_a_weight_that_was_no_number_is_lost():
    rows = [(Pairing(), Condition("", {}, [0.0, 100.0], [10.0, 20.0, 30.0]))]
    rules = [Bursting(), Bursting(a_ltd=2.0), Bursting(a_ltd=0.5)]
    with pytest.raises(HookError, match="Bursting"):
        relative_changes(rules, rows)
    found = relative_changes(rules, rows, lost=True)
    assert np.isnan(found[1]).all()
    assert np.isfinite(found[[0, 2]]).all()


def test_which_rules_are_walked_together():
    assert all(together(rule()) for rule in VOLTAGE_RULES.values())
    strange = type("Strange", (ClopathSTDP,), {"pre_lag": "delay"})
    assert not together(strange())
    agree([strange(), strange(a_ltp=1e-4)], [(Pairing(), Condition("", {}, [0.0, 20.0], [10.0]))])


def test_a_thousand_values():
    protocol = BiPoo1998(pairs=2, delta_t_step=0.0)
    values = np.linspace(1e-5, 2e-4, 1000).tolist()
    found = sweep(protocol, ClopathSTDP(), "rule.a_ltp", values)
    for k in (0, 499, 999):
        alone = [protocol.induce(ClopathSTDP(a_ltp=values[k]), point.condition) for point in found.results[k].points]
        assert [point.predicted for point in found.results[k].points] == pytest.approx(alone, rel=0.0, abs=EXACT)
