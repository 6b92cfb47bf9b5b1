"""Short-term plasticity: closed form, NEST's `tsodyks2_synapse`, the plain simulator, and invariance."""

import math

import numpy as np
import pytest

import spikesim as ss
from spikesim.models.neurons import LIF, LIFCond, PoissonSource, SpikeSource
from spikesim.models.short_term import TsodyksMarkram
from spikesim.reference import simulate
from spikesim.registry import discover

TIMES = [10.0, 20.0, 30.0, 45.0, 200.0, 201.0, 900.0]
DEPRESSING = {"U": 0.5, "tau_rec": 800.0, "tau_fac": 0.0}
FACILITATING = {"U": 0.1, "tau_rec": 100.0, "tau_fac": 500.0}


def amplitudes(rule, times=TIMES, weight=100.0, dt=0.1, delay=1.0):
    """What each spike adds to the synaptic current (pA)."""
    net = ss.Network(dt=dt, seed=1)
    source = net.add(SpikeSource(times=times, ids=[0] * len(times)), 1)
    target = net.add(LIF(tau_syn_ex=0.5, V_th=1e9), 1)
    net.connect(source, target, ss.OneToOne(), weight=weight, delay=delay, plasticity=rule)
    current = net.record(target, "I_syn_ex")
    net.run(max(times) + delay + 5.0)
    series = current.values[:, 0]
    before = np.concatenate(([0.0], series[:-1])) * math.exp(-dt / 0.5)
    arrivals = np.rint((np.array(times) + delay) / dt).astype(int)
    return (series - before)[arrivals - 1]  # the first sample is that after step 0


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        # NEST 3.10, tsodyks2_synapse with weight 100 pA, x = 1 and u = U, spikes at TIMES
        (DEPRESSING, [50.0, 25.310554987652967, 13.11918108729881, 7.366509713665536, 11.841308282267416,
                      5.975718900812598, 30.377911854275276]),
        (FACILITATING, [10.0, 17.118722248679397, 20.305118743596122, 20.654342634532817, 27.972816851187034,
                        23.216767251193975, 18.592642028162903]),
    ],
)  # fmt: skip
def test_amplitudes_are_those_of_nest(parameters, expected):
    np.testing.assert_allclose(amplitudes(TsodyksMarkram(**parameters)), expected, rtol=1e-12)


def test_steady_state_of_depression():
    """Regular spikes every h ms: x = (1 - e) / (1 - (1 - U) e) with e = exp(-h/tau_rec) (Tsodyks & Markram 1997)."""
    h, rule = 20.0, TsodyksMarkram(U=0.4, tau_rec=100.0)
    decay = math.exp(-h / 100.0)
    last = amplitudes(rule, times=list(np.arange(1, 61) * h))[-1]
    assert last == pytest.approx(100.0 * 0.4 * (1.0 - decay) / (1.0 - 0.6 * decay), rel=1e-10)


def network(threads=1, precision="double"):
    net = ss.Network(dt=0.1, seed=5, threads=threads, precision=precision)
    noise = net.add(PoissonSource(rate=60.0), 25, name="noise")
    exc = net.add(LIF(V_m=ss.Uniform(-70.0, -55.0)), 37, name="exc")
    cond = net.add(LIFCond(), 21, name="cond")
    net.connect(noise, exc, ss.FixedIndegree(10), weight=ss.Normal(12000.0, 1200.0), delay=ss.Uniform(0.1, 2.5),
                plasticity=TsodyksMarkram(**FACILITATING))  # fmt: skip
    net.connect(exc, exc, ss.FixedProbability(0.3), weight=-50.0, delay=ss.Uniform(0.1, 3.0),
                plasticity=TsodyksMarkram(**DEPRESSING))  # fmt: skip
    net.connect(exc, cond, ss.FixedIndegree(5), weight=ss.Uniform(100.0, 300.0), delay=0.7,
                plasticity=TsodyksMarkram())  # fmt: skip
    net.connect(exc, cond, ss.FixedIndegree(3), weight=5.0, delay=1.0)
    return net


def test_against_the_plain_simulator():
    net = network()
    spikes = {name: net.record(population(net, name), "spikes") for name in ("exc", "cond")}
    net.run(150.0)
    twin = simulate(network(), 150.0)
    for name, recorded in spikes.items():
        steps, ids = twin.spikes[name]
        assert len(steps) > 20
        np.testing.assert_array_equal(recorded.steps, steps)
        np.testing.assert_array_equal(recorded.ids, ids)


@pytest.mark.parametrize("precision", ["double", "single"])
def test_threads_and_splits_change_nothing(precision):
    def run(threads, *stretches):
        net = network(threads, precision)
        spikes = net.record(population(net, "cond"), "spikes")
        for stretch in stretches:
            net.run(stretch)
        return spikes.steps, spikes.ids

    steps, ids = run(1, 200.0)
    assert len(steps) > 20
    for other in (run(2, 200.0), run(3, 63.7, 136.3), run(7, 0.1, 199.9)):
        np.testing.assert_array_equal(steps, other[0])
        np.testing.assert_array_equal(ids, other[1])


def test_reset_and_restore():
    net = network()
    spikes = net.record(population(net, "cond"), "spikes")
    net.run(100.0)
    state = net.store()
    net.run(100.0)
    steps = spikes.steps
    net.restore(state)
    net.run(100.0)
    np.testing.assert_array_equal(spikes.steps, steps)
    net.reset()
    assert net.projections[0].arrays["short_term/state"][0].tolist() == [1.0] * 32
    assert (net.projections[0].arrays["short_term/last"] == -1).all()


def test_what_is_refused():
    with pytest.raises(ss.SpikesimError, match="U must be <= 1"):
        TsodyksMarkram(U=2.0)
    with pytest.raises(ss.SpikesimError, match="did you mean 'tau_rec'"):
        TsodyksMarkram(tau_rek=2.0)


def population(net, name):
    return next(p for p in net.populations if p.name == name)


@pytest.mark.parametrize("name", discover("short-term rule"))
def test_description_gives_the_source(name):
    rule = discover("short-term rule")[name]
    assert rule.reference in rule.__doc__
