"""Event-driven random backpropagation: against plain Python, step by step, and that it descends."""

import math

import numpy as np
import pytest

import spikesim as ss
from spikesim.models.neurons.dendrite_lif import DendriteLIF
from spikesim.models.neurons.lif import LIF
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.models.plasticity.erbp import ERBP

DT, STEPS = 0.5, 400


def trains(seed, n, rate):
    """(STEPS,) x n booleans: whether a source spikes at the end of a step; `rate` in Hz."""
    return np.random.default_rng(seed).random((STEPS, n)) < rate * DT * 1e-3


def source(net, spikes):
    steps, ids = np.nonzero(spikes)
    return net.add(SpikeSource(times=(steps + 1) * DT, ids=ids), spikes.shape[1])


def twin(inputs, errors, w, G, delay, rule):
    """Currents, dendrites and weights by loops over numbers. `delay`: steps to the synapse, which sees its neuron as it
    was one step before."""
    m, n = w.shape
    w = w.copy()
    current, U, seen = [0.0] * n, [0.0] * n, []
    for step in range(STEPS):
        arriving = inputs[step - delay] if step >= delay else [False] * m
        wrong = errors[step - delay] if step >= delay else [False] * len(G)
        for j in range(n):  # what the synapse knows is one step old
            for i in range(m):
                if arriving[i] and rule.b_min < current[j] < rule.b_max:
                    w[i, j] = min(max(w[i, j] - rule.eta * rule.w_ref * U[j], rule.w_min), rule.w_max)
        for j in range(n):
            current[j] = current[j] * math.exp(-DT / 4.0) + sum(w[i, j] for i in range(m) if arriving[i])
            U[j] = U[j] * math.exp(-DT / 20.0) + sum(G[k, j] for k in range(len(G)) if wrong[k])
        seen.append([*current, *U])
    return w, np.array(seen)


def test_weights_are_those_of_plain_python():
    inputs, errors = trains(1, 4, 60.0), trains(2, 2, 40.0)
    rng = np.random.default_rng(3)
    w, G = rng.uniform(-100.0, 300.0, (4, 3)), rng.uniform(-1.0, 1.0, (2, 3))
    rule = ERBP(eta=0.2, w_ref=500.0, w_min=-150.0, w_max=310.0, b_min=-50.0, b_max=250.0)
    with ss.Network(dt=DT, seed=1) as net:
        pre, back = source(net, inputs), source(net, errors)
        cells = net.add(DendriteLIF(), 3)
        plastic = net.connect(pre, cells, ss.AllToAll(), weight=w.ravel(), delay=1.0, dendritic_delay_fraction=0.0,
                              receptor="soma", plasticity=rule)  # fmt: skip
        net.connect(back, cells, ss.AllToAll(), weight=G.ravel(), delay=1.0, receptor="dendrite")
        current, U = net.record(cells, "I_syn"), net.record(cells, "U")
        net.run(STEPS * DT)
        expected, seen = twin(inputs, errors, w, G, 2, rule)
        np.testing.assert_allclose(np.hstack([current.values, U.values]), seen, atol=1e-9)
        np.testing.assert_allclose(plastic.weights.reshape(4, 3), expected, atol=1e-9)
    assert (np.abs(expected - w) > 1.0).all()
    assert (seen[:, :3] > 250.0).any()  # the box was left at times
    assert (expected == -150.0).any()  # and a bound reached


def test_the_soma_is_that_of_the_lif_neuron():
    found = []
    for cell, receptor in ((DendriteLIF(I_e=390.0, tau_syn=2.0), "soma"), (LIF(I_e=390.0), "excitatory")):
        net = ss.Network(dt=0.1, seed=1)
        pre = net.add(SpikeSource(times=[5.0, 30.0, 31.0], ids=[0, 0, 0]), 1)
        neuron = net.add(cell, 1)
        net.connect(pre, neuron, ss.AllToAll(), weight=80.0, delay=1.0, receptor=receptor)
        V_m, spikes = net.record(neuron, "V_m"), net.record(neuron, "spikes")
        net.run(100.0)
        found.append((V_m.values, spikes.steps))
    np.testing.assert_allclose(found[0][0], found[1][0], atol=1e-11)
    assert found[0][1].tolist() == found[1][1].tolist() != []


def test_an_output_learns_the_rate_that_it_is_taught():
    """A neuron that fires too much, and one too little: errors of the own output make both fire at the taught rate."""
    with ss.Network(dt=0.5, seed=2) as net:
        pre = net.add(ss.models.neurons.PoissonSource(rate=40.0), 100)
        taught = net.add(ss.models.neurons.PoissonSource(rate=[20.0, 60.0]), 2)
        out = net.add(DendriteLIF(tau_U=200.0), 2)
        weights = np.repeat([[60.0, 10.0]], 100, axis=0)
        rule = ERBP(eta=0.02, w_ref=1.0, w_min=-200.0, w_max=200.0)
        net.connect(pre, out, ss.AllToAll(), weight=weights.ravel(), delay=1.0, receptor="soma", plasticity=rule)
        net.connect(out, out, ss.OneToOne(), weight=1.0, delay=1.0, receptor="dendrite")  # too high
        net.connect(taught, out, ss.OneToOne(), weight=-1.0, delay=1.0, receptor="dendrite")  # too low
        spikes = net.record(out, "spikes")
        net.run(30_000.0)
        early = np.bincount(spikes.ids[spikes.times < 500.0], minlength=2) / 0.5
        late = np.bincount(spikes.ids[spikes.times > 10_000.0], minlength=2) / 20.0
    assert early[0] > 40.0
    assert early[1] < 20.0
    assert late == pytest.approx([20.0, 60.0], rel=0.1)  # 20 s hold 400 +- 20 taught spikes
