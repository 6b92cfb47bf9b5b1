"""Presynaptic spikes at a held potential, against the closed form and, for Convallis, against its own equation."""

import math

import pytest

from spikesim.errors import SpikesimError
from spikesim.models.plasticity.clopath_stdp import ClopathSTDP
from spikesim.models.plasticity.convallis import Convallis
from spikesim.models.plasticity.graupner_brunel import GraupnerBrunel
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.protocols.voltage_clamp import VoltageClamp, per_spike

STEP = 0.1  # ms, of the walk


def area(tau):
    """What the walk makes of the area of a trace: the sum of dt/tau e^(-k dt/tau) over the steps after its spike."""
    return STEP / tau / math.expm1(STEP / tau)


@pytest.mark.parametrize(("V", "change"), [(-60, -0.001484), (-50, -0.002884), (-20, 0.095330), (0, 0.245970)])
def test_published_rule_at_a_constant_potential(V, change):
    assert per_spike(ClopathSTDP(), V) == pytest.approx(change, abs=1e-6)


@pytest.mark.parametrize("given", [{}, {"tau_x": 5.0, "theta_plus": -50.0, "homeostasis": 0.7, "w_ref": 30.0}])
def test_clopath_under_clamp(given):
    """To rounding, once potentiation is what the steps make of it; that is a third of a per cent at tau_x = 15 ms."""
    rule = ClopathSTDP(**given)
    ltd = ClopathSTDP(**given, a_ltp=0.0)
    points = VoltageClamp(V_step=10.0, spikes=5, frequency=20.0).run(rule).points
    assert [p.condition.variables["V"] for p in points] == [-70.0 + 10.0 * k for k in range(8)]
    for point in points:
        V = point.condition.variables["V"]
        expected = per_spike(ltd, V) + (per_spike(rule, V) - per_spike(ltd, V)) * area(rule.tau_x)
        assert point.predicted == pytest.approx(5 * expected / 0.5, rel=1e-9)
        assert point.closed_form == pytest.approx(5 * per_spike(rule, V) / 0.5, rel=1e-12)


def test_depression_turns_into_potentiation_at_the_reversal():
    """At -43.55 mV; the steps move it by a_ltd / a_ltp (1 / area - 1) = 0.006 mV."""
    result = VoltageClamp(V_min=-43.56, V_max=-43.52, V_step=0.04, spikes=1).run(ClopathSTDP())
    assert result.scalars["reversal_mV"] == pytest.approx(-43.55, abs=1e-12)
    below, above = (p.predicted for p in result.points)
    assert below < 0.0 < above
    assert below == pytest.approx(above * (-43.56 + 43.5442) / (-43.52 + 43.5442), rel=0.05)


def test_the_reversal_is_where_the_rule_puts_it():
    rule = ClopathSTDP(a_ltd=4e-4, theta_plus=-50.0)
    assert VoltageClamp(V_step=70.0).run(rule).scalars["reversal_mV"] == pytest.approx(-45.0, abs=1e-12)
    assert "reversal_mV" not in VoltageClamp(V_step=70.0).run(ClopathSTDP(homeostasis=0.5)).scalars


def test_convallis_under_clamp():
    """Both filtered potentials are V, so the drift is constant but for the traces, whose areas are 1 per spike."""
    p = Convallis()
    points = VoltageClamp(V_min=-60.0, V_max=-30.0, V_step=30.0).run(p).points
    for point in points:
        V, f = point.condition.variables["V"], []
        for theta, s in ((p.theta_ltp, p.s_ltp), (p.theta_ltd, p.s_ltd)):
            q = max(V - theta, 0.0) / s
            f.append(q * q / (1.0 + q * q))
        # a difference of exponentials is sampled where it is 0 at first: its sum is right to second order in dt
        assert point.predicted == pytest.approx(10 * p.tau_m * (p.a_ltp * f[0] - p.a_ltd * f[1]), rel=1e-3)
        assert point.closed_form is None
    assert points[0].predicted < 0.0 < points[1].predicted


def test_what_holds_the_potential_stays_with_the_protocol():
    rule = ClopathSTDP()
    VoltageClamp(V_step=70.0).run(rule)
    assert rule.cell is ClopathSTDP.cell


@pytest.mark.parametrize("rule", [PairSTDP(), GraupnerBrunel()])
def test_rules_that_do_not_go_by_the_potential_are_refused(rule):
    said = f"holds the postsynaptic V_m, which {type(rule).__name__} does not go by; .*: .*ClopathSTDP, .*Convallis"
    with pytest.raises(SpikesimError, match=said):
        VoltageClamp().run(rule)


def test_the_range_of_potentials_must_ascend():
    with pytest.raises(SpikesimError, match="V_max"):
        VoltageClamp(V_min=0.0, V_max=-10.0).run(ClopathSTDP())
