"""The walk with a neuron beside the synapse does what the engine does, silent stretches and all."""

import numpy as np
import pytest

import spikesim as ss
from spikesim.errors import SpikesimError
from spikesim.models.neurons.clopath_adex import ClopathAdEx
from spikesim.models.neurons.lif import LIF
from spikesim.models.neurons.poisson_lif import PoissonLIF
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.plasticity import Rule, Trace
from spikesim.signals import LowPass, Signal
from spikesim.timeline import trajectory, weight_change

DT = 0.1
SMALL = 1e-9  # unit of the weights: too small for a postsynaptic potential


class Voltage(Rule):
    """Reads everything that a walk keeps: made up. Slow and fast memories, one of them delayed, and all three hooks."""

    tau_x: float = 15.0  # ms
    tau_y: float = 300.0  # ms
    tau_slow: float = 1500.0  # ms
    lag: float = 4.0  # ms
    theta: float = -65.0  # mV

    traces = {"x": Trace("pre", tau="tau_x"), "y": Trace("post", tau="tau_y")}
    signals = {
        "u": Signal("V_m"),
        "late": LowPass("V_m", tau="tau_x", delay="lag"),
        "square": LowPass("V_m", tau="tau_slow", squared_above="theta"),
    }
    cell = ClopathAdEx()

    @staticmethod
    def on_pre(w, pre, post, p):
        return w - 1e-4 * post.square - 0.1 * post.y

    @staticmethod
    def on_post(w, pre, post, p):
        return w + 0.2 * pre.x * (1.0 + post.y)

    @staticmethod
    def drift(w, pre, post, p):
        return 1e-4 * pre.x * (post.late - p.theta) * (post.u > p.theta)


def in_the_engine(rule, pre, post, duration):
    """The weight after a run in which kicks make the postsynaptic neuron fire."""
    with ss.Network(dt=DT, seed=1) as net:
        source, kick = (net.add(SpikeSource(times=t, ids=np.zeros(len(t), dtype=int)), 1) for t in (pre, post))
        neuron = net.add(type(rule.cell)(), 1)
        net.connect(kick, neuron, ss.OneToOne(), weight=200.0, delay=DT)
        synapse = net.connect(source, neuron, ss.OneToOne(), weight=SMALL, delay=DT, plasticity=rule,
                              dendritic_delay_fraction=0.0)  # fmt: skip
        net.run(duration)
        return synapse.weights[0]


def test_walk_and_engine_agree_across_silence():
    """Two bursts, between which the neuron comes to rest and seconds are skipped; filters and traces outlast them."""
    burst = np.array([0.1, 25.1, 40.1])
    pre, post = (np.concatenate([t, t + 7000.0]) for t in (burst, burst + 6.0))
    rule = Voltage(bounds="none", w_ref=SMALL)
    _, weights = trajectory(rule, pre, post, w0=SMALL)
    expected = in_the_engine(rule, pre, post, 8000.0)
    assert abs(expected - SMALL) > 0.1 * SMALL
    # The engine begins a step before the first spike, when the neuron is 1e-6 mV away from where it will rest.
    assert weights[-1] == pytest.approx(expected, rel=1e-7)


def test_weights_are_told_at_each_arrival_and_when_all_has_died_away():
    rule = Voltage(tau_slow=20.0, tau_y=30.0)
    times, weights = trajectory(rule, [5.0, 30.0], [12.0], axonal_delay=1.0, dendritic_delay=0.5)
    assert list(times[:3]) == pytest.approx([6.0, 12.5, 31.0])
    assert times[3] == pytest.approx(31.0 + 46.0 * 30.0)
    assert len(set(weights)) == 4


class Count(Rule):
    """Counts postsynaptic spikes."""

    signals = {"u": Signal("V_m")}
    cell = ClopathAdEx(I_e=900.0)

    @staticmethod
    def on_post(w, pre, post, p):
        return w + 1.0


def test_the_neuron_may_fire_by_itself():
    with ss.Network(dt=DT, seed=1) as net:
        spikes = net.record(net.add(ClopathAdEx(I_e=900.0), 1), "spikes")
        net.run(300.0)
    assert len(spikes) > 5
    assert weight_change(Count(), [0.0, 300.0 - DT], []) == len(spikes)


def test_bounds_and_units():
    assert weight_change(Count(w_max=2.5), [0.0, 300.0], []) == 1.5
    assert weight_change(Count(w_ref=10.0), [0.0], [50.0]) % 10.0 == 0.0
    soft = Count(bounds="soft", w_max=3.0)
    _, weights = trajectory(soft, [0.0, 300.0], [], w0=1.0)
    assert 2.9 < weights[-1] < 3.0


class Homeless(Count):
    cell = None


class Chancy(Count):
    cell = PoissonLIF()


class Elsewhere(Count):
    signals = {"g": Signal("g_ex")}
    cell = LIF()


@pytest.mark.parametrize(
    ("rule", "pre", "why"),
    [
        (Homeless, [0.0], "Homeless.*names no `cell`"),
        (Chancy, [0.0], "Chancy: its cell, PoissonLIF, does not"),
        (Elsewhere, [0.0], "Elsewhere: its cell, LIF, has no state variable 'g_ex'"),
        (Count, [0.0, 0.02], "two presynaptic spikes, at 0 and 0.02 ms, are in one step of 0.1 ms"),
    ],
)
def test_what_cannot_be_walked_is_refused(rule, pre, why):
    with pytest.raises(SpikesimError, match=why):
        weight_change(rule(), pre, [50.0])
