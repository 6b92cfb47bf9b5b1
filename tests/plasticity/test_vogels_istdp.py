"""Inhibitory STDP: its window, its drift, and a neuron that it brings to its target rate."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

import spikesim as ss
from spikesim.models.neurons.lif_cond import LIFCond
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.plasticity.vogels_istdp import VogelsISTDP
from spikesim.timeline import weight_change


def window(lag):
    """dw / eta of one pre and one post spike."""
    rule = VogelsISTDP(preset="nest", bounds="none")
    return weight_change(rule, [0.0], [lag], w0=0.5) / rule.eta


@pytest.mark.parametrize(("lag", "expected"), [(10.0, 0.486531), (20.0, 0.247879), (50.0, -0.037915)])
def test_window_is_symmetric(lag, expected):
    assert window(lag) == pytest.approx(expected, abs=1e-6)
    assert window(-lag) == pytest.approx(expected, abs=1e-6)


def test_where_the_window_changes_sign():
    assert brentq(window, 20.0, 80.0, xtol=1e-10) == pytest.approx(42.405271, abs=1e-6)
    assert -20.0 * math.log(0.12) == pytest.approx(42.405271, abs=1e-6)


def test_drift_of_uncorrelated_trains():
    """2 eta tau nu_pre (nu_post - rho_0): 0.8 eta a second at 10 and 5 Hz with a target of 3 Hz."""
    rule = VogelsISTDP(rho_0=3.0, bounds="none")
    p, nu_pre, nu_post = rule.hook_params(), 0.01, 0.005  # 1/ms
    mean = rule.Pre(rule.tau * nu_pre), rule.Post(rule.tau * nu_post)  # of the traces
    drift = nu_pre * rule.on_pre(0.0, *mean, p) + nu_post * rule.on_post(0.0, *mean, p)
    assert drift * 1e3 / rule.eta == pytest.approx(0.8, abs=1e-12)


def test_targets_of_the_presets():
    rates = {name: (r.tau, r.eta, r.w_max) for name in VogelsISTDP.presets for r in [VogelsISTDP(preset=name)]}
    assert rates.pop("single_neuron")[:2] == (20.0, 1e-3)  # whose weights its program leaves without a bound
    assert rates == {"recurrent_network": (20.0, 1e-2, 100.0), "nest": (20.0, 1e-3, 1.0)}
    alpha = {name: 2e-3 * r.rho_0 * r.tau for name in VogelsISTDP.presets for r in [VogelsISTDP(preset=name)]}
    assert alpha == pytest.approx({"recurrent_network": 0.12, "single_neuron": 0.25, "nest": 0.12})


def test_inhibition_brings_a_neuron_to_its_target_rate():
    """A neuron that excitation alone makes fire many times as often ends near rho_0; weights stay positive.

    Seeds 1 to 3 give 6.25, 6.4 and 6.2 Hz, each with a counting error of 0.4. Inputs are many, for the fewer there are,
    the rarer are spikes beside an inhibitory one, which the rule makes up for: with 50 it ends at 8.0 Hz.
    """
    net = ss.Network(dt=0.5, seed=4)
    target = net.add(LIFCond(tau_syn_ex=5.0, tau_syn_in=10.0), 10, name="target")
    exc, inh = net.add(PoissonSource(rate=20.0), 2000), net.add(PoissonSource(rate=20.0), 5000)
    net.connect(exc, target, ss.FixedIndegree(200), weight=1.0)
    rule = VogelsISTDP(eta=0.01, rho_0=6.0, w_max=100.0)
    synapses = net.connect(inh, target, ss.FixedIndegree(500), weight=0.01, plasticity=rule, receptor="inhibitory")
    spikes = net.record(target, "spikes")
    net.run(6000.0)
    early, late = (spikes.times < 300.0).sum() / 3.0, (spikes.times >= 2000.0).sum() / 40.0  # Hz
    assert early > 30.0
    assert late == pytest.approx(6.0, abs=1.0)
    assert 0.0 <= synapses.weights.min() < synapses.weights.max()
    assert np.mean(synapses.weights) > 0.05
