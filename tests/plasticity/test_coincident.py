"""What a pre and a post spike that reach the synapse together see of each other: the three answers."""

import math

import numpy as np
import pytest

import spikesim as ss
from spikesim.errors import SpikesimError
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.models.plasticity.froemke_dan_stdp import FroemkeDanSTDP
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.models.plasticity.triplet_stdp import TripletSTDP
from spikesim.reference import simulate
from spikesim.timeline import weight_change

DT = 0.5
E = math.exp(-0.5)
# pre 0 and 10 ms, post 10 ms: what one after the other gives
EXPECTED = {"exclude": 0.005 * E, "pre_first": 0.005 * (1 + E), "post_first": 0.005 * E - 0.00525}


@pytest.mark.parametrize("coincident", EXPECTED)
def test_walk(coincident):
    change = weight_change(PairSTDP(coincident=coincident), [0.0, 10.0], [10.0])
    rounded = {"exclude": 0.00303265, "pre_first": 0.00803265, "post_first": -0.00221735}
    assert change == pytest.approx(rounded[coincident], abs=1e-8)
    assert change == pytest.approx(EXPECTED[coincident], abs=1e-15)


def test_both_orders_together_count_both_halves_of_the_pair():
    """What simulators give that update all traces before they learn: what either order adds, both at once."""
    change = {each: weight_change(PairSTDP(coincident=each), [0.0, 10.0], [10.0]) for each in EXPECTED}
    both = change["pre_first"] + change["post_first"] - change["exclude"]
    assert both == pytest.approx(0.00278265, abs=1e-8)


def test_the_own_spike_is_never_seen():
    """Triplet terms read the traces of the spike's own side as they were before it, whoever comes first."""
    rule = TripletSTDP(a2_plus=0.0, a3_plus=1.0, a2_minus=0.0, a3_minus=1.0)
    for coincident in ("pre_first", "post_first"):
        assert weight_change(rule.replace(coincident=coincident), [5.0], [5.0]) == 0.0


def test_resets_by_the_other_side_follow_the_order():
    """nearest_reduced: the pre spike at 10 ms resets the post trace and the post spike the pre trace, in turn."""
    rule = PairSTDP(pairing="nearest_reduced")
    first = weight_change(rule.replace(coincident="pre_first"), [10.0, 20.0], [0.0, 10.0])
    # LTD by the post spike at 0, LTP by the pair at 10, and LTD of the pre spike at 20 by the post spike at 10
    assert first == pytest.approx(-0.00525 * E + 0.005 - 0.00525 * E, abs=1e-15)
    first = weight_change(rule.replace(coincident="post_first"), [10.0, 20.0], [0.0, 10.0])
    # the post spike at 10 sees nothing, the pre spike at 10 sees it, and that at 20 none that is still fresh
    assert first == pytest.approx(-0.00525, abs=1e-15)


def coincident_network(threads, fraction, rule):
    net = ss.Network(dt=DT, seed=3, threads=threads)
    draws = np.random.default_rng(8)
    pre, post = (
        net.add(SpikeSource(2 * DT * draws.integers(1, 150, n * 60), np.repeat(np.arange(n), 60)), n, name=name)
        for name, n in (("pre", 6), ("post", 29))
    )
    net.connect(pre, post, ss.FixedProbability(0.4), weight=ss.Uniform(0.2, 0.8), delay=ss.Uniform(1.0, 5.0),
                plasticity=rule, dendritic_delay_fraction=fraction)  # fmt: skip
    return net


@pytest.mark.parametrize(
    ("coincident", "pairing", "fraction"),
    [
        ("pre_first", "all_to_all", 0.0),
        ("pre_first", "all_to_all", 0.6),
        ("post_first", "all_to_all", 1.0),
        ("pre_first", "nearest_reduced", 0.6),
        ("post_first", "nearest_reduced", 0.6),
    ],
)
def test_network(coincident, pairing, fraction):
    rule = PairSTDP(coincident=coincident, pairing=pairing, a_plus=0.02, a_minus=0.021)
    (expected,) = simulate(coincident_network(1, fraction, rule), 160.0).weights
    (excluded,) = simulate(coincident_network(1, fraction, rule.replace(coincident="exclude")), 160.0).weights
    assert np.abs(expected - excluded).max() > 0.01
    for threads in (1, 3):
        net = coincident_network(threads, fraction, rule)
        for duration in (33.5, 126.5):
            net.run(duration)
        np.testing.assert_allclose(net.projections[0].weights, expected, rtol=1e-12)


@pytest.mark.parametrize("pairing", ["all_to_all", "nearest"])
def test_network_equals_the_walk(pairing):
    """Whatever the delays; the trains have no two spikes in a step."""
    rule = PairSTDP(coincident="pre_first", pairing=pairing)
    pre, post = np.array([3.0, 9.0, 10.0, 40.0]), np.array([2.0, 9.0, 11.0, 41.0])
    for fraction in (0.0, 1.0):
        net = ss.Network(dt=DT, seed=1)
        ends = [net.add(SpikeSource(times, np.zeros(4, int)), 1) for times in (pre, post)]
        synapse = net.connect(*ends, ss.OneToOne(), weight=0.5, delay=1.0, plasticity=rule,
                              dendritic_delay_fraction=fraction)  # fmt: skip
        net.run(50.0)
        walked = weight_change(rule, pre, post, w0=0.5, axonal_delay=1.0 - fraction, dendritic_delay=fraction)
        assert synapse.weights[0] - 0.5 == pytest.approx(walked, abs=1e-15)
        assert weight_change(rule, pre, post, axonal_delay=1.0 - fraction, dendritic_delay=fraction) != 0.0


def connected(rule, **given):
    net = ss.Network(dt=DT, seed=1)
    return net.connect(net.add(SpikeSource(), 3), net.add(SpikeSource(), 3), ss.OneToOne(), plasticity=rule, **given)


def test_what_the_network_cannot_do_is_refused():
    with pytest.raises(SpikesimError, match="post_first.*dendritic delay"):
        connected(PairSTDP(coincident="post_first"), delay=2.0, dendritic_delay_fraction=0.0)
    with pytest.raises(SpikesimError, match="post_first.*dendritic delay"):
        connected(PairSTDP(coincident="post_first"), delay=ss.Uniform(0.5, 3.0), dendritic_delay_fraction=0.4)
    with pytest.raises(SpikesimError, match="jumps depend on other"):
        connected(FroemkeDanSTDP(coincident="pre_first"))
    with pytest.raises(SpikesimError, match="did you mean 'pre_first'"):
        PairSTDP(coincident="pre_frist")
