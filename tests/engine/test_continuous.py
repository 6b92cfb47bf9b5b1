"""Rules that act all the time: the engine does what the plain-Python simulator does, to the bit on any threads."""

import numpy as np
import pytest

import spikesim as ss
from spikesim.errors import SpikesimError
from spikesim.models.neurons.clopath_adex import ClopathAdEx
from spikesim.models.neurons.lif_delta import LIFDelta
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.models.plasticity.clopath_stdp import ClopathSTDP
from spikesim.models.plasticity.temporal_derivative import TemporalDerivative
from spikesim.plasticity import Rule, Trace
from spikesim.reference import simulate
from spikesim.signals import LowPass, Signal

DT = 0.5


class Everything(Rule):
    """All that can be declared, in one: made up."""

    tau_x: float = 12.0  # ms
    tau_y: float = 25.0  # ms
    tau_fast: float = 3.0  # ms
    tau_slow: float = 40.0  # ms
    lag: float = 2.0  # ms
    theta: float = -68.0  # mV
    rest: float = -70.0  # mV
    rate: float = 2e-4

    traces = {
        "x": Trace("pre", tau="tau_x"),
        "psp": Trace("pre", tau=("tau_x", "tau_fast")),
        "y": Trace("post", tau="tau_y"),
    }
    signals = {
        "u": Signal("V_m"),
        "late": Signal("V_m", delay="lag"),
        "fast": LowPass("V_m", tau="tau_fast", delay="lag"),
        "square": LowPass("V_m", tau="tau_slow", squared_above="theta"),
    }
    pairings = ("all_to_all", "nearest")

    @staticmethod
    def on_pre(w, pre, post, p):
        return w - p.rate * (post.square + post.y * (post.fast - p.rest))

    @staticmethod
    def on_post(w, pre, post, p):
        return w + 3.0 * p.rate * pre.x * (post.u - p.rest)

    @staticmethod
    def drift(w, pre, post, p):
        return p.rate * (pre.psp * (post.late - p.theta) - 0.05 * w + 0.1 * pre.x * post.y)


RULES = {
    "everything": Everything(w_max=6.0, w_ref=2.0),
    "nearest": Everything(w_max=6.0, w_ref=2.0, pairing="nearest"),
    "clopath": ClopathSTDP(w_max=6.0, w_ref=3.0, theta_plus=-60.0, a_ltp=2e-3, homeostasis=0.5),
    "derivative": TemporalDerivative(w_max=6.0, tau_rise=5.0),
}
CELLS = 19


def network(rule, fraction, threads=1, precision="double", target=None):
    net = ss.Network(dt=DT, seed=12, threads=threads, precision=precision)
    source = net.add(PoissonSource(rate=100.0), 17, name="source")
    cells = net.add(target or LIFDelta(V_m=ss.Uniform(-70.0, -60.0)), CELLS, name="cells")
    net.connect(source, cells, ss.FixedProbability(0.4), weight=ss.Uniform(1.0, 4.0), delay=ss.Uniform(0.5, 4.0),
                plasticity=rule, dendritic_delay_fraction=fraction)  # fmt: skip
    net.connect(cells, cells, ss.FixedIndegree(3), weight=1.0, delay=1.5)
    return net


@pytest.mark.parametrize("fraction", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("name", RULES)
def test_engine_and_reference_agree(name, fraction):
    before = network(RULES[name], fraction).projections[0].weights
    expected = simulate(network(RULES[name], fraction), 80.0)
    assert len(expected.spikes["cells"][0]) > 20
    assert (np.abs(expected.weights[0] - before) > 1e-4).mean() > 0.9
    for threads in (1, 3):
        net = network(RULES[name], fraction, threads)
        spikes = net.record(net.populations[1], "spikes")
        with net:
            net.run(80.0)
            np.testing.assert_array_equal(spikes.steps, expected.spikes["cells"][0])
            np.testing.assert_allclose(net.projections[0].weights, expected.weights[0], rtol=1e-12)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("fraction", [0.0, 0.4])
def test_bits_depend_neither_on_threads_nor_on_splits_nor_on_looks(fraction, precision):
    def result(threads, pieces):
        with network(RULES["everything"], fraction, threads, precision) as net:
            for piece in pieces:
                net.run(piece)
                net.projections[0].weights  # noqa: B018  reading must not change anything
            return net.projections[0].weights.tobytes(), net.populations[1].get("V_m").tobytes()

    expected = result(1, [100.0])
    for threads, pieces in ((2, [100.0]), (7, [100.0]), (1, [0.5] * 20 + [90.0]), (3, [33.5, 0.5, 66.0])):
        assert result(threads, pieces) == expected


def test_store_restore_and_reset():
    with network(RULES["everything"], 0.4, 2) as net:
        weights = net.projections[0].weights
        net.run(40.0)
        kept = net.store()
        net.run(40.0)
        expected = net.projections[0].weights
        net.restore(kept)
        net.run(40.0)
        np.testing.assert_array_equal(net.projections[0].weights, expected)
        # After a reset the filters are where the potentials are, as at the beginning.
        net.reset()
        net.projections[0].weights = weights
        arrays = net.projections[0].arrays
        rest = net.populations[1].get("V_m")
        np.testing.assert_array_equal(arrays["post/signals"][0, :CELLS], rest)
        assert (arrays["post/history"][:, 1, :CELLS] == rest).all()
        assert (arrays["post/history"][:, 0] == 0.0).all()


def test_what_is_added_between_runs_keeps_signals_on_their_way():
    def run(disturbed):
        with network(RULES["everything"], 0.4, 2) as net:
            net.run(30.0)
            if disturbed:  # a longer delay lays all rings out anew
                other = net.add(LIFDelta(), 5, name="other")
                net.connect(net.populations[1], other, ss.AllToAll(), weight=0.0, delay=ss.Uniform(0.5, 30.0))
            net.run(30.0)
            return net.projections[0].weights

    np.testing.assert_array_equal(run(True), run(False))


def test_all_to_all_and_no_presynaptic_trace():
    """A rule with nothing but `drift` on what could be a matrix; w decays at 1/100 per ms."""

    class Decay(Rule):
        @staticmethod
        def drift(w, pre, post, p):
            return -w / 100.0

    with ss.Network(dt=DT, seed=1) as net:
        a = net.add(SpikeSource(times=[3.0], ids=[0]), 3)
        b = net.add(SpikeSource(times=[4.0], ids=[1]), 4)
        synapses = net.connect(a, b, ss.AllToAll(), weight=0.8, delay=2.0, plasticity=Decay())
        net.run(50.0)
        np.testing.assert_allclose(synapses.weights, 0.8 * (1.0 - DT / 100.0) ** 100, rtol=1e-13)
        synapses.weights = 0.5
        net.run(10.0)
        np.testing.assert_allclose(synapses.weights, 0.5 * (1.0 - DT / 100.0) ** 20, rtol=1e-13)


def test_a_filter_of_a_constant_potential_is_that_potential():
    """So a synapse that drifts by its filter grows linearly, from the first step on, whatever the delays."""

    class Integral(Rule):
        tau: float = 5.0  # ms
        lag: float = 3.0  # ms
        signals = {"s": LowPass("V_m", tau="tau", delay="lag")}

        @staticmethod
        def drift(w, pre, post, p):
            return -post.s * 1e-4

    with ss.Network(dt=DT, seed=1) as net:
        source, cells = net.add(SpikeSource(times=[90.0], ids=[0]), 1), net.add(LIFDelta(), 5)
        synapses = net.connect(source, cells, ss.AllToAll(), weight=0.0, delay=4.0, plasticity=Integral(w_max=9.0))
        net.run(20.0)
        np.testing.assert_allclose(synapses.weights, 20.0 * 70.0 * 1e-4, rtol=1e-13)


class Unread(Rule):
    signals = {"u": Signal("V_m")}
    events = ("reward",)

    @staticmethod
    def on_reward(w, pre, post, p):
        return w


@pytest.mark.parametrize(
    ("rule", "target", "why"),
    [
        (ClopathSTDP(), SpikeSource([], []), "SpikeSource, which ClopathSTDP reads, has no state variable 'V_m'"),
        (
            type("Reduced", (Everything,), {"pairings": ("nearest_reduced",)})(pairing="nearest_reduced"),
            LIFDelta(),
            "pairing 'nearest_reduced' is not defined",
        ),
        (Unread(), LIFDelta(), "only on_pre, on_post and drift"),
    ],
)
def test_what_cannot_be_is_refused(rule, target, why):
    net = ss.Network(dt=DT, seed=1)
    source, cells = net.add(PoissonSource(rate=1.0), 2), net.add(target, 2)
    with pytest.raises(SpikesimError, match=why):
        net.connect(source, cells, ss.OneToOne(), weight=0.5, plasticity=rule)


def test_a_network_of_neurons_with_spikes_of_two_ms():
    """The neuron that the rule was made for, potentiated where it fires."""

    def build(threads):
        rule = ClopathSTDP(w_max=6.0, w_ref=3.0)
        return network(rule, 0.0, threads, target=ClopathAdEx(V_m=ss.Uniform(-70.0, -60.0)))

    expected = simulate(build(1), 120.0)
    assert len(expected.spikes["cells"][0]) > 20
    with build(2) as net:
        before = net.projections[0].weights
        net.run(120.0)
        after = net.projections[0].weights
        np.testing.assert_allclose(after, expected.weights[0], rtol=1e-12)
        assert (after > before).any()
        assert (after < before).any()
