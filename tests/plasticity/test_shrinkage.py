"""Shrinkage: the bound holds, nothing grows or changes its sign, and no point that is allowed is nearer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikesim as ss
from spikesim.errors import SpikesimError
from spikesim.models.constraints.shrinkage import Shrinkage, shrunk
from spikesim.models.neurons import LIF, PoissonSource
from spikesim.models.plasticity import PairSTDP

SYNAPSES = st.lists(st.tuples(st.floats(-10.0, 10.0), st.integers(0, 4)), min_size=1, max_size=60)


@settings(max_examples=200, deadline=None)
@given(synapses=SYNAPSES, total=st.floats(0.0, 30.0))
def test_bound_signs_and_sizes(synapses, total):
    before, targets = map(np.array, zip(*synapses, strict=True))
    after = shrunk(before, targets, total)
    for j in np.unique(targets):
        mine = targets == j
        assert np.abs(after[mine]).sum() <= total + 1e-9
        if np.abs(before[mine]).sum() > total:
            assert np.abs(after[mine]).sum() == pytest.approx(total, abs=1e-9)
        else:
            assert (after[mine] == before[mine]).all()
    assert (np.abs(after) <= np.abs(before)).all()
    assert (after * before >= 0.0).all()


def test_all_that_stay_shrink_by_the_same():
    after = shrunk([5.0, -4.0, 0.5, 1.0], [3, 3, 3, 0], total=5.0)
    np.testing.assert_allclose(after, [3.0, -2.0, 0.0, 1.0])


def test_no_allowed_weights_are_nearer():
    rng = np.random.default_rng(2)
    before = rng.normal(size=6)
    after = shrunk(before, np.zeros(6), total=1.5)
    others = rng.normal(size=(20_000, 6))
    others *= (1.5 * rng.uniform(size=20_000) ** (1 / 6) / np.abs(others).sum(axis=1))[:, None]
    assert np.linalg.norm(others - before, axis=1).min() >= np.linalg.norm(after - before)


@pytest.mark.parametrize(("weights", "total", "why"), [([1.0], -1.0, "total must be"), ([1.0, 2.0], 1.0, "one target")])
def test_refusals(weights, total, why):
    with pytest.raises(SpikesimError, match=why):
        shrunk(weights, [0], total)


def test_in_a_network_the_bound_holds_whenever_it_is_due():
    net = ss.Network(dt=0.5, seed=4)
    source = net.add(PoissonSource(rate=40.0), 30)
    cells = net.add(LIF(I_e=450.0), 23)
    rule = PairSTDP(a_plus=0.02, a_minus=0.005)
    synapses = net.connect(source, cells, ss.FixedProbability(0.5), weight=0.3, delay=1.5, plasticity=rule,
                           constraints=[Shrinkage(total=4.0, every=50.0)])  # fmt: skip
    for _ in range(4):
        net.run(50.0)
        held = np.bincount(synapses.targets, synapses.weights)
        assert held.max() == pytest.approx(4.0, abs=1e-9)
        net.run(25.0)
        assert np.bincount(synapses.targets, synapses.weights).max() > 4.0
        net.run(25.0)
