"""NEST's hpc_benchmark: its parameters in closed form, what is built, and rates and weights against NEST's."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from spikesim import Network, OneToOne
from spikesim.bench import facts
from spikesim.errors import SpikesimError
from spikesim.models.networks.hpc_benchmark import HpcBenchmark
from spikesim.models.neurons.lif_alpha import LIFAlpha
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.output import plain
from spikesim.timeline import trajectory


def potential(model, t):
    """mV, t ms after a spike of weight 1 pA: (e/(tau_syn C_m)) [(e^(-t/tau_m) - e^(-t/tau_syn))/b^2 - t e^(..)/b]."""
    b = 1.0 / model.tau_syn - 1.0 / model.tau_m
    slow, fast = math.exp(-t / model.tau_m), math.exp(-t / model.tau_syn)
    return math.e / (model.tau_syn * model.C_m) * ((slow - fast) / b**2 - t * fast / b)


@pytest.fixture(scope="module")
def small():
    model = HpcBenchmark(**HpcBenchmark.small)
    net = Network(dt=model.dt, seed=1)
    model.build(net)
    return SimpleNamespace(model=model, net=net, found={(p.source.name, p.target.name): p for p in net.projections})


@pytest.mark.parametrize("given", [{}, {"tau_syn": 0.5}, {"tau_syn": 9.9}, {"tau_m": 20.0, "C_m": 100.0, "JE": 1.0}])
def test_a_potential_is_as_high_as_said(given):
    model = HpcBenchmark(**given)
    top = minimize_scalar(lambda t: -potential(model, t), bounds=(0.0, 50.0), options={"xatol": 1e-9})
    assert model.weight_ex * potential(model, top.x) == pytest.approx(model.JE, rel=1e-12)


def test_nests_numbers():
    """0.14 mV are 45.6096 pA, and the rise takes 1.700759 ms, for which NEST's tau_syn was chosen."""
    model = HpcBenchmark()
    top = minimize_scalar(lambda t: -potential(model, t), bounds=(0.0, 50.0), options={"xatol": 1e-9})
    assert top.x == pytest.approx(1.700759, abs=1e-6)
    assert model.weight_ex == pytest.approx(45.60960031654, rel=1e-12)
    assert model.rate_ext == pytest.approx(20856.0372008989, rel=1e-12)
    assert (model.N_E, model.N_I, model.C_E, model.C_I) == (9000, 2250, 9000, 2250)


def test_a_potential_in_a_network():
    """The highest potential on the grid misses the peak, which is flat, by less than 0.1 %."""
    model = HpcBenchmark()
    with Network(dt=model.dt, seed=1) as net:
        cell = net.add(
            LIFAlpha(E_L=0.0, V_m=0.0, V_th=model.V_th, V_reset=0.0, C_m=model.C_m, tau_m=model.tau_m,
                     tau_syn_ex=model.tau_syn, tau_syn_in=model.tau_syn), 1,
        )  # fmt: skip
        source = net.add(SpikeSource([1.0], [0]), 1)
        net.connect(source, cell, OneToOne(), weight=model.weight_ex, delay=model.delay)
        record = net.record(cell, "V_m")
        net.run(10.0)
    assert record.values.max() == pytest.approx(model.JE, rel=1e-3)


def test_outside_input_alone_brings_the_mean_to_threshold():
    """A spike of weight w brings the charge e tau_syn w; a current I holds V_m at I tau_m / C_m."""
    for K_scaling in (1.0, 0.1):
        model = HpcBenchmark(eta=1.0, K_scaling=K_scaling)
        current = model.rate_ext * 1e-3 * math.e * model.tau_syn * model.weight_ex
        assert current * model.tau_m / model.C_m == pytest.approx(model.V_th, rel=1e-12)


def test_scale_is_about_neurons_and_K_scaling_about_synapses():
    model = HpcBenchmark(scale=3.0)
    assert (model.N_E, model.N_I, model.C_E, model.C_I) == (27_000, 6750, 9000, 2250)
    model, full = HpcBenchmark(K_scaling=0.1), HpcBenchmark()
    assert (model.N_E, model.N_I, model.C_E, model.C_I) == (9000, 2250, 900, 225)
    assert model.weight_ex * model.C_E == pytest.approx(full.weight_ex * full.C_E)


def test_fewer_synapses_settle_at_the_same_height():
    """The power of potentiation scales with the weights: a change is the same relative to them."""
    change = {}
    for K_scaling in (1.0, 0.1):
        model = HpcBenchmark(K_scaling=K_scaling)
        _, weights = trajectory(model.rule(), [5.0, 20.0, 50.0], [8.0, 15.0, 51.0], w0=model.weight_ex)
        change[K_scaling] = weights / model.weight_ex
    assert np.ptp(change[1.0]) > 0.005
    np.testing.assert_allclose(change[0.1], change[1.0], rtol=1e-12)


def test_equal_time_constants_are_refused():
    with pytest.raises(SpikesimError, match="tau_syn"):
        HpcBenchmark(tau_syn=10.0)


def test_synapses_and_input_as_built(small):
    model = small.model
    assert len(small.found) == 4
    for target, n in (("excitatory", model.N_E), ("inhibitory", model.N_I)):
        for source, degree, weight in (
            ("excitatory", model.C_E, model.weight_ex),
            ("inhibitory", model.C_I, -5.0 * model.weight_ex),
        ):
            projection = small.found[source, target]
            assert (np.bincount(projection.targets, minlength=n) == degree).all()
            assert projection.weights == pytest.approx(weight)
            assert (projection.delays == 1.5).all()
            if source == target:
                assert (projection.sources != projection.targets).all()
    for drive in small.net.drives:
        assert drive.rate.tolist() == [model.rate_ext]
        assert drive.weight.tolist() == [model.weight_ex]
        assert drive.delay_steps == 15


def test_only_synapses_among_excitatory_neurons_learn(small):
    assert [ends for ends, p in small.found.items() if p.plastic] == [("excitatory", "excitatory")]
    rule = small.found["excitatory", "excitatory"].rule
    assert (rule.lambda_, rule.alpha, rule.mu, rule.tau_plus, rule.tau_minus) == (0.1, 0.0513, 0.4, 15.0, 30.0)
    model = HpcBenchmark(plasticity="none", **HpcBenchmark.small)
    net = Network(dt=model.dt, seed=1)
    model.build(net)
    assert not any(p.plastic for p in net.projections)


def test_initial_potentials():
    model = HpcBenchmark(scale=0.5, K_scaling=0.001)
    net = Network(dt=model.dt, seed=1)
    model.build(net)
    potentials = np.concatenate([p.get("V_m") for p in net.populations])
    assert potentials.mean() == pytest.approx(5.7, abs=5 * 7.2 / math.sqrt(potentials.size))
    assert potentials.std() == pytest.approx(7.2, rel=5 / math.sqrt(2 * potentials.size))


def test_other_simulators_are_told_everything():
    told = json.loads(json.dumps(plain(facts(HpcBenchmark(**HpcBenchmark.small)))))
    assert (told["N_E"], told["C_E"]) == (180, 180)
    assert told["weight_ex"] == pytest.approx(50 * 45.60960031654, rel=1e-12)


def test_rates_and_weights_are_nests():
    """11,250 neurons with 225 synapses each, and less input and more inhibition, so that they fire asynchronously.

    In NEST 3.10.0 seeds 1 to 8 give 49.1 +- 3.0 Hz and 49.6 +- 2.0 Hz (s.d.), here 1 to 12 give 49.7 +- 2.5 Hz and
    49.7 +- 1.7 Hz. Tolerances are the distance and three s.d. NEST changes a weight only when a presynaptic spike
    passes; after the last one of each synapse weights times K_scaling are 45.12 +- 0.10 pA on average there, with a
    spread of 7.8 +- 0.6 pA among synapses, and for 1500 synapses here 45.1 +- 0.2 pA and 7.9 +- 0.7 pA.
    """
    model = HpcBenchmark(K_scaling=0.02, g=-8.0, eta=1.0)
    net = Network(dt=model.dt, seed=1, threads=2)
    model.build(net)
    exc, inh = (net.record(p, "spikes") for p in net.populations)
    duration = 300.0
    with net:
        net.run(duration)
        learned = next(p for p in net.projections if p.plastic)
        weights, sources, targets = learned.weights, learned.sources, learned.targets
    assert exc.count / model.N_E / duration * 1e3 == pytest.approx(49.1, abs=8.2)
    assert inh.count / model.N_I / duration * 1e3 == pytest.approx(49.6, abs=5.3)

    by_neuron = np.argsort(exc.ids, kind="stable")
    trains = np.split(exc.times[by_neuron], np.cumsum(np.bincount(exc.ids, minlength=model.N_E))[:-1])
    rule, rng, at_last_pre = model.rule().replace(bounds="hard"), np.random.default_rng(1), []
    for k in rng.choice(weights.size, 1500, replace=False):
        pre, post = trains[sources[k]], trains[targets[k]]
        post = post[post + model.delay <= duration + 1e-9]  # those that reached the synapse
        if not pre.size:
            at_last_pre.append(model.weight_ex * model.K_scaling)
            continue
        times, walked = trajectory(rule, pre, post, w0=model.weight_ex, dendritic_delay=model.delay)
        assert walked[-1] == pytest.approx(weights[k], rel=1e-11)  # 4e-14 was seen
        at_last_pre.append(walked[np.abs(times - pre[-1]).argmin()] * model.K_scaling)
    assert np.mean(at_last_pre) == pytest.approx(45.12, abs=0.7)
    assert np.std(at_last_pre) == pytest.approx(7.8, abs=2.2)
