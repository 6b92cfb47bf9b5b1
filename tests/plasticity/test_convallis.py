"""The Convallis rule is the gradient of its objective, and its fitted presets have the signs of the measurements."""

import json
from pathlib import Path

import numpy as np
import pytest

import spikesim as ss
from spikesim.errors import SpikesimError
from spikesim.models.neurons.lif_delta import LIFDelta
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.models.plasticity.convallis import Convallis, objective
from spikesim.plasticity import Rule, Trace
from spikesim.protocols.bi_poo_1998 import BiPoo1998
from spikesim.protocols.sjostrom_2001 import Sjostrom2001
from spikesim.protocols.wang_2005 import Wang2005
from spikesim.signals import LowPass, Signal
from spikesim.timeline import weight_change

FITTED = Path(__file__).parents[2] / "docs" / "results" / "convallis_fit.json"
FREE = {"bounds": "none", "w_min": -9.0, "w_max": 9.0}
SLOW = 1e-6  # a rate at which the weights do not move as far as the potential is concerned


class Gradient(Rule):
    """The gradient of the integral of V^power / power, or, with `filter` = 1, of s^2 / 2, s being V filtered."""

    tau_m: float = 20.0  # ms
    tau_s: float = 100.0  # ms
    power: float = 2.0
    filter: float = 0.0
    traces = {"psp": Trace("pre", tau="tau_m"), "filtered": Trace("pre", tau=("tau_m", "tau_s"))}
    signals = {"v": Signal("V_m"), "s": LowPass("V_m", tau="tau_s")}

    @staticmethod
    def drift(w, pre, post, p):
        if p.filter > 0.0:
            return SLOW * post.s * p.tau_m * pre.filtered
        return SLOW * post.v ** (p.power - 1.0) * pre.psp


@pytest.mark.parametrize(
    ("rule", "gradient"),
    [(Gradient(**FREE), 10.0), (Gradient(power=3.0, **FREE), 20.0 / 3.0), (Gradient(filter=1.0, **FREE), 5.0 / 3.0)],
)
def test_gradient_of_one_potential(rule, gradient):
    """A spike of weight 1 onto a neuron whose potential it makes jump by 1: dL/dw in closed form.

    With all of the delay axonal, the trace meets the very potential that the spike makes. Steps are of first order (V^2
    alone is exact to 4e-6 at 0.1 ms, where the others are 2.5e-3 off), so those of 0.1 and 0.05 ms tell the limit.
    """

    def learned(dt):
        with ss.Network(dt=dt, seed=1) as net:
            source = net.add(SpikeSource(times=[2.0], ids=[0]), 1)
            neuron = net.add(LIFDelta(E_L=0.0, V_m=0.0, V_th=1e3, V_reset=0.0, tau_m=20.0), 1)
            synapse = net.connect(source, neuron, ss.OneToOne(), weight=1.0, delay=1.0, plasticity=rule,
                                  dendritic_delay_fraction=0.0)  # fmt: skip
            net.run(2000.0)
            return (synapse.weights[0] - 1.0) / SLOW

    coarse, fine = learned(0.1), learned(0.05)
    assert coarse == pytest.approx(gradient, rel=3e-3)
    assert learned(0.01) == pytest.approx(gradient, rel=1e-3)
    assert 2 * fine - coarse == pytest.approx(gradient, rel=1e-4)


def learned_and_climbed(dt):
    """(inputs,) what each of 50 weights onto a subthreshold neuron learns at random trains, and the finite differences
    (L(w + h) - L(w - h)) / 2h of the objective, from the recorded potentials of neurons with perturbed weights.
    """
    n, h, duration = 50, 1e-4, 500.0
    rng = np.random.default_rng(4)
    times, ids = 0.08 * rng.integers(10, 5000, size=300), rng.integers(n, size=300)
    weights = rng.uniform(0.5, 2.5, size=n)
    perturbed = np.tile(weights[:, None], (1, 2 * n))
    perturbed[np.arange(n), np.arange(n)] += h
    perturbed[np.arange(n), n + np.arange(n)] -= h
    shape = {"tau_m": 20.0, "tau_ltp": 10.0, "tau_ltd": 30.0, "theta_ltp": -55.0, "theta_ltd": -66.0,
             "s_ltp": 10.0, "s_ltd": 5.0}  # fmt: skip
    rule = Convallis(a_ltp=3e-3 * SLOW, a_ltd=1e-3 * SLOW, **shape, **FREE)
    with ss.Network(dt=dt, seed=1) as net:
        source = net.add(SpikeSource(times=times, ids=ids), n)
        neuron = LIFDelta(V_th=1e3, tau_m=rule.tau_m)
        one, many = net.add(neuron, 1), net.add(neuron, 2 * n)
        synapses = net.connect(source, one, ss.AllToAll(), weight=weights, delay=0.8, plasticity=rule,
                               dendritic_delay_fraction=0.0)  # fmt: skip
        net.connect(source, many, ss.AllToAll(), weight=perturbed.ravel(), delay=0.8)
        V_m = net.record(many, "V_m")
        net.run(duration)
        learned = (synapses.weights - weights) / SLOW
    assert np.ptp(V_m.values) > 15.0
    p = rule.replace(a_ltp=3e-3, a_ltd=1e-3).hook_params()
    ltp, ltd = (filtered(V_m.values, tau, dt) for tau in (rule.tau_ltp, rule.tau_ltd))
    L = dt * objective(ltp, ltd, p).sum(axis=0)
    return learned, (L[:n] - L[n:]) / (2 * h)


def test_gradient_of_the_objective_by_finite_differences():
    """What is learned lags by a fraction of a step: by 1.0e-3 of it at 0.04 ms and 5.0e-4 at 0.02. Without that
    part, which halves with the step, all is gradient.
    """
    (coarse, coarse_gradient), (fine, gradient) = learned_and_climbed(0.04), learned_and_climbed(0.02)
    size = np.abs(gradient).max()
    assert np.abs(fine - gradient).max() < 1e-3 * size
    assert np.abs(2 * (fine - gradient) - (coarse - coarse_gradient)).max() < 2e-4 * size


def filtered(V_m, tau, dt):
    """Low-pass of recorded potentials (steps, neurons) that begin at -70 mV."""
    keep, s, found = np.exp(-dt / tau), np.full(V_m.shape[1], -70.0), []
    for v in V_m:
        s = v + (s - v) * keep
        found.append(s)
    return np.array(found)


def test_drift_is_the_slope_of_the_objective():
    p, pre = Convallis().hook_params(), Convallis.Pre
    for v in np.linspace(-75.0, 10.0, 37) + 0.123:
        step = 1e-5
        up = (objective(v + step, -99.0, p) - objective(v - step, -99.0, p)) / (2 * step)
        down = (objective(-99.0, v + step, p) - objective(-99.0, v - step, p)) / (2 * step)
        post = Convallis.Post(v_ltp=v, v_ltd=v)
        assert Convallis.drift(0.0, pre(1.0 / p.tau_m, 0.0), post, p) == pytest.approx(up, abs=1e-9)
        assert Convallis.drift(0.0, pre(0.0, 1.0 / p.tau_m), post, p) == pytest.approx(down, abs=1e-9)


@pytest.mark.parametrize("preset", Convallis.presets)
def test_clamped_potential(preset):
    """Nothing at rest, depression between the thresholds, potentiation above them."""
    rule = Convallis(preset=preset)
    p = rule.hook_params()

    def per_spike(v):
        """Both traces have area 1."""
        return Convallis.drift(0.0, Convallis.Pre(1.0, 1.0), Convallis.Post(v, v), p)

    assert rule.theta_ltd < rule.theta_ltp
    assert per_spike(Convallis.cell.E_L) == 0.0
    assert all(per_spike(v) < 0.0 for v in np.linspace(rule.theta_ltd + 0.1, rule.theta_ltp, 10))
    assert per_spike(300.0) > 0.0


def test_a_network_with_clamped_potential_does_that_per_spike():
    rule = Convallis(**FREE)
    with ss.Network(dt=0.1, seed=1) as net:
        source = net.add(SpikeSource(times=[1.0], ids=[0]), 1)
        held = net.add(LIFDelta(E_L=-50.0, V_m=-50.0, V_th=0.0), 1)
        synapse = net.connect(source, held, ss.OneToOne(), weight=0.0, delay=1.0, plasticity=rule)
        net.run(1500.0)
        expected = Convallis.drift(0.0, Convallis.Pre(1.0, 1.0), Convallis.Post(-50.0, -50.0), rule.hook_params())
        assert synapse.weights[0] == pytest.approx(expected, rel=1e-3)


def test_hippocampal_preset_has_the_signs_of_triplets_and_window():
    """At 1 Hz repetitions do not meet, so 6 of them do a tenth of what 60 do."""
    rule = Convallis(preset="hippocampal_culture")
    triplets = {row["label"]: 10 * row["predicted"] for row in Wang2005(repetitions=6).run(rule).rows()}
    assert abs(triplets["pre-post-pre (5, -5)"]) < 0.1
    assert triplets["post-pre-post (-5, 5)"] > 0.2
    # Both kinds have the same pairs; 0.31 and 0.18 are between them.
    for t, least in ((5, 0.25), (10, 0.15)):
        assert triplets[f"post-pre-post (-{t}, {t})"] - triplets[f"pre-post-pre ({t}, -{t})"] > least
    assert triplets["pair +10"] > 0.15
    assert triplets["pair -10"] < -0.1
    window = BiPoo1998(pairs=6, delta_t_step=0.0).run(rule).rows()
    assert all((row["predicted"] > 0.0) == (row["measured"] > 0.0) for row in window if abs(row["delta_t"]) < 25.0)


def test_visual_cortex_preset_has_the_dependence_on_frequency():
    """And the errors that the file of the fit tells."""
    rule = Convallis(preset="visual_cortex")
    kept = json.loads(FITTED.read_text(encoding="utf-8"))["presets"]["visual_cortex"]["protocols"]
    for protocol, expected in zip((Sjostrom2001(), Sjostrom2001(bursts=True)), kept, strict=True):
        result = protocol.run(rule)
        assert result.error == pytest.approx(expected["error"], rel=1e-6)
        found = {(r["delta_t"], r["frequency"]): r["predicted"] for r in result.rows()}
        rising = [found[10.0, f] for f in (0.1, 10.0, 20.0, 40.0, 50.0)]
        assert rising == sorted(rising)
        assert all(found[-10.0, f] < 0.0 for f in (0.1, 10.0, 20.0))
        assert found[-10.0, 50.0] > 0.0


@pytest.mark.parametrize("preset", Convallis.presets)
def test_presets_are_those_of_the_fit(preset):
    kept = json.loads(FITTED.read_text(encoding="utf-8"))["presets"][preset]
    assert dict(Convallis.presets[preset]) == kept["parameters"]


def test_no_postsynaptic_spike_no_change():
    assert weight_change(Convallis(), np.arange(10) * 20.0, []) == 0.0


def test_filters_like_the_potential_are_refused():
    with pytest.raises(SpikesimError, match="psp_ltp.*must differ; both are 10 ms"):
        Convallis(tau_m=10.0, tau_ltp=10.0)
