"""Static synapses as the engine lays them out: the same synapses, in few bytes, whoever makes them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikesim as ss
from spikesim import memory
from spikesim.clock.inputs import Inputs
from spikesim.clock.rings import ranges
from spikesim.clock.static_tables import Share, sparse_table
from spikesim.delays import delays
from spikesim.models.neurons import LIF, LIFCond
from spikesim.parallel import filled
from spikesim.rng import Stream
from spikesim.values import extent, values

DT = 0.1


def laid_out(projections, threads, widest=4):
    """(tables, inputs): a table for each thread, of projections that have one source population."""
    net = projections[0].network
    owned = {p.index: ranges(p.n, threads) for p in net.populations}
    inputs = Inputs(net.populations, owned, threads, widest, net.dtype)
    tables = []
    for t in range(threads):
        shares = [
            Share(p, *owned[p.target.index][t], *(inputs.place(t, p.target, r) for r in p.receptors))
            for p in projections
        ]
        source = projections[0].source.n
        tables.append(sparse_table(shares, source, inputs.widths[t], inputs.rows, net.dtype))
    return tables, inputs, owned


def synapses_in(tables, inputs, owned, populations):
    """Sorted (source, population, receptor, target, delay, weight) of what the tables hold."""
    found = []
    for t, table in enumerate(tables):
        n_columns = len(table.delays) * table.width
        cells = np.repeat(np.arange(len(table.begins) - 1), np.diff(table.begins.astype(np.int64)))
        source, column = np.divmod(cells, n_columns)
        delay = table.delays[column // table.width] + column % table.width
        weight = np.broadcast_to(table.weights, cells.shape).astype(float)
        receptor, place = np.divmod(table.slots.astype(np.int64), inputs.strides[t])
        for p in populations:
            lo, hi = owned[p.index][t]
            target = place - inputs.place(t, p, 0) + lo
            mine = (target >= lo) & (target < hi)
            found += zip(source[mine], [p.index] * mine.sum(), receptor[mine], target[mine], delay[mine], weight[mine],
                         strict=True)  # fmt: skip
    return sorted(found)


def synapses_of(projections):
    found = []
    for p in projections:
        weight = p.first_weights().astype(float)
        receptor = np.where(weight < 0, p.receptors[1], p.receptors[0])
        added = abs(weight) if p.target.model.conductance else weight
        steps = np.rint(p.delays / DT).astype(int)
        found += zip(p.sources, [p.target.index] * len(p), receptor, p.targets, steps, added, strict=True)
    return sorted(found)


RULES = st.one_of(
    st.builds(ss.FixedProbability, st.floats(0.0, 0.6)),
    st.builds(ss.FixedIndegree, st.integers(0, 20)),
    st.builds(ss.FixedOutdegree, st.integers(0, 20)),
    st.builds(ss.FixedTotalNumber, st.integers(0, 500)),
)
DELAYS = st.one_of(
    st.integers(1, 40).map(lambda k: k * DT),
    st.tuples(st.integers(1, 9), st.integers(0, 70)).map(lambda d: ss.Uniform(d[0] * DT, sum(d) * DT)),
    st.just(ss.TruncatedNormal(1.5, 0.75, low=DT)),
    st.just(ss.Exponential(30.0)).map(lambda d: ss.Uniform(DT, 300.0)),  # more delays than are all given a place
)
WEIGHTS = st.one_of(st.floats(-5.0, 5.0), st.just(ss.Normal(0.0, 2.0)), st.just(ss.Lognormal(0.0, 1.0)))


@settings(max_examples=60, deadline=None)
@given(
    rules=st.lists(st.tuples(RULES, DELAYS, WEIGHTS, st.booleans()), min_size=1, max_size=3),
    threads=st.sampled_from([1, 2, 3, 7]), widest=st.sampled_from([1, 4, 16]), seed=st.integers(0, 2**32),
)  # fmt: skip
def test_tables_hold_the_synapses(rules, threads, widest, seed):
    net = ss.Network(dt=DT, seed=seed, threads=threads)
    source, lif, cond = net.add(LIF(), 23), net.add(LIF(), 41), net.add(LIFCond(), 19)
    projections = [net.connect(source, cond if conductance else lif, rule, weight=weight, delay=delay)
                   for rule, delay, weight, conductance in rules]  # fmt: skip
    tables, inputs, owned = laid_out(projections, threads, widest)
    assert synapses_in(tables, inputs, owned, [lif, cond]) == synapses_of(projections)


def microcircuit_like(threads, precision="single", n=2000):
    net = ss.Network(dt=DT, seed=3, threads=threads, precision=precision)
    neurons = net.add(LIF(), n, name="neurons")
    net.connect(neurons, neurons, ss.FixedIndegree(1000), weight=ss.TruncatedNormal(90.0, 9.0, low=0.0),
                delay=ss.TruncatedNormal(1.5, 0.75, low=DT))  # fmt: skip
    return net


@pytest.mark.parametrize(("precision", "most"), [("single", 8), ("double", 12)])
def test_bytes_per_synapse(precision, most):
    """All that the tables hold: 2-byte places, weights, and where each slice begins."""
    net = microcircuit_like(2, precision)
    tables, _, _ = laid_out(net.projections, 2)
    held = sum(t.slots.nbytes + t.weights.nbytes + t.begins.nbytes + t.delays.nbytes for t in tables)
    assert held / len(net.projections[0]) < most
    assert {t.slots.itemsize for t in tables} == {2}
    assert memory.estimate(net).synapse_bytes == pytest.approx(held, rel=0.05)


def test_one_weight_is_kept_once():
    net = ss.Network(dt=DT, seed=3)
    a, b = net.add(LIF(), 50), net.add(LIF(), 60)
    projections = [net.connect(a, b, ss.FixedIndegree(9), weight=2.5), net.connect(a, a, ss.AllToAll(autapses=False),
                                                                                 weight=2.5, delay=1.0)]  # fmt: skip
    (table,), inputs, owned = laid_out(projections, 1)
    assert table.weights.tolist() == [2.5]
    assert synapses_in([table], inputs, owned, [a, b]) == synapses_of(projections)


def test_places_beyond_16_bits():
    net = ss.Network(dt=DT, seed=3)
    a, b = net.add(LIF(), 5), net.add(LIF(), 70_000)
    projections = [net.connect(a, b, ss.FixedOutdegree(3000), weight=ss.Normal(0.0, 1.0))]
    (table,), inputs, owned = laid_out(projections, 1)
    assert table.slots.itemsize == 4
    assert synapses_in([table], inputs, owned, [b]) == synapses_of(projections)


@pytest.mark.parametrize(
    "distribution",
    [ss.TruncatedNormal(1.5, 0.75, low=DT), ss.TruncatedNormal(0.1, 0.75, low=DT / 2), ss.Normal(5.0, 0.4),
     ss.TruncatedNormal(0.0, 1.0, low=2.0),
     ss.Uniform(DT, 3.0), ss.Lognormal(0.5, 0.2), ss.Uniform(DT, 900.0)],
    ids=repr,
)  # fmt: skip
def test_delays_from_the_table_are_those_of_the_distribution(distribution):
    """Looked up or worked out: the same step for each of 200,000 synapses, at any place of the stream."""
    n = 200_000
    found = delays(distribution, Stream(4, "DELAY", 2), DT, lambda: n, 2, "test")
    expected = np.rint(distribution.sample(Stream(4, "DELAY", 2), n) / DT)
    np.testing.assert_array_equal(found.everything(n, 1), expected)
    np.testing.assert_array_equal(found.part(12_345, 12_400), expected[12_345:12_400])
    assert expected.min() >= 1
    assert found.shortest <= expected.min()
    assert found.longest >= expected.max()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_drawn_values_and_their_extent(threads):
    n = 150_001
    drawn = values(ss.Normal(3.0, 1.0), Stream(1, "WEIGHT"), lambda: n, "weight")
    expected = ss.Normal(3.0, 1.0).sample(Stream(1, "WEIGHT"), n)
    np.testing.assert_array_equal(filled(drawn.part, n, np.float64, threads), expected)
    assert extent(drawn, n, threads) == (expected.min(), expected.max())
    assert drawn.limits[0] < expected.min() < expected.max() < drawn.limits[1]


def test_what_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 1e6)
    net = microcircuit_like(1)
    with pytest.raises(ss.SpikesimError, match=r"2,000 neurons and 2,000,000 synapses need about .* GB, but only"):
        net.run(1.0)
    assert net._engine is None


def test_too_many_neurons_are_refused():
    with pytest.raises(ss.SpikesimError, match="'huge': 1,000,000,000,000 neurons need"):
        ss.Network(seed=1).add(LIF(), 10**12, name="huge")
