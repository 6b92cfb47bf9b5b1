"""Constraints: what they promise holds to the last digits, and the same bits come out however a run is made."""

import numpy as np
import pytest

import spikesim as ss
from spikesim.constraints import Constraint, Synapses
from spikesim.models.constraints import Normalisation, SynapticScaling
from spikesim.models.neurons import LIF, PoissonSource, SpikeSource
from spikesim.models.plasticity import PairSTDP
from spikesim.plasticity import Rule
from spikesim.registry import discover

DT = 0.5


def network(constraints, threads=1, n=23, **rule):
    """Poisson sources and neurons that fire, with synapses that learn fast."""
    learns = PairSTDP(**{"a_plus": 0.02, "a_minus": 0.021, **rule})
    net = ss.Network(dt=DT, seed=4, threads=threads)
    source = net.add(PoissonSource(rate=40.0), 30, name="source")
    cells = net.add(LIF(I_e=450.0), n, name="cells")
    synapses = net.connect(
        source, cells, ss.FixedProbability(0.5), weight=ss.Uniform(0.1, 0.9),
        delay=ss.Uniform(0.5, 6.0), plasticity=learns, constraints=constraints,
    )  # fmt: skip
    return net, synapses


def sums(synapses):
    return np.bincount(synapses.targets, synapses.weights, synapses.target.n)


@pytest.mark.parametrize("mode", ["multiplicative", "subtractive"])
def test_sums_are_exact_after_each_application_and_free_in_between(mode):
    net, synapses = network([Normalisation(total=4.0, every=50.0, mode=mode)])
    before = sums(synapses)
    for _ in range(5):
        net.run(50.0)
        np.testing.assert_allclose(sums(synapses), 4.0, rtol=0, atol=1e-9)
        weights = synapses.weights
        assert weights.min() >= 0.0
        assert weights.max() <= 1.0
        net.run(25.0)
        assert np.abs(sums(synapses) - 4.0).max() > 1e-3
        net.run(25.0)
    assert np.abs(before - 4.0).max() > 0.5


def test_the_first_application_is_at_every_not_at_zero():
    net, synapses = network([Normalisation(total=4.0, every=50.0)])
    net.run(49.5)
    assert np.abs(sums(synapses) - 4.0).max() > 0.1
    net.run(0.5)
    np.testing.assert_allclose(sums(synapses), 4.0, rtol=0, atol=1e-9)


def test_multiplicative_keeps_ratios_and_subtractive_differences():
    """Nothing learns here, and no weight meets a bound."""
    for mode in ("multiplicative", "subtractive"):
        net, synapses = network([Normalisation(total=8.0, every=DT, mode=mode)], a_plus=0.0, a_minus=0.0, w_max=10.0)
        before, targets = synapses.weights, synapses.targets
        net.run(DT)
        after = synapses.weights
        changed = after / before if mode == "multiplicative" else after - before
        for j in range(23):
            np.testing.assert_allclose(changed[targets == j], changed[targets == j][0], rtol=1e-12)


def normalised(w, targets, total, mode, low=0.0, high=1.0):
    w, targets = np.array(w), np.array(targets)
    synapses = Synapses(targets, targets.max() + 1, low, high, 100.0, {})
    return Normalisation(total=total, mode=mode).apply(w, synapses)


def test_what_meets_a_bound_stays_and_the_others_make_up_for_it():
    # By hand: 0.1 would become -0.1, so it stays at 0 and the others lose 0.15 each.
    np.testing.assert_allclose(
        normalised([0.1, 0.5, 0.6], [0, 0, 0], 0.8, "subtractive"), [0.0, 0.35, 0.45], atol=1e-15
    )
    # 0.8 would become 1.6, so it stays at 1 and the others, 0.2 together, are brought to 1.
    np.testing.assert_allclose(normalised([0.8, 0.15, 0.05], [0, 0, 0], 2.0, "multiplicative"), [1.0, 0.75, 0.25])
    # Each target by itself.
    np.testing.assert_allclose(normalised([0.2, 0.2, 0.4], [0, 1, 1], 0.9, "multiplicative"), [0.9, 0.3, 0.6])


def test_as_near_as_bounds_allow_where_they_do_not():
    for mode in ("multiplicative", "subtractive"):
        np.testing.assert_array_equal(normalised([0.2, 0.4], [0, 0], 5.0, mode), [1.0, 1.0])
        np.testing.assert_array_equal(normalised([0.6, 0.8], [0, 0], 0.1, mode, low=0.5), [0.5, 0.5])
    np.testing.assert_array_equal(normalised([0.0, 0.0], [0, 0], 0.5, "multiplicative"), [0.0, 0.0])


def test_no_weight_changes_its_sign():
    """Without bounds, too, and for negative weights."""
    rng = np.random.default_rng(5)
    targets = rng.integers(0, 10, 200)
    for mode in ("multiplicative", "subtractive"):
        for sign in (1.0, -1.0):
            w = normalised(sign * rng.uniform(0.0, 1.0, 200), targets, sign * 2.0, mode, -np.inf, np.inf)
            assert (sign * w).min() >= 0.0
            np.testing.assert_allclose(np.bincount(targets, w), sign * 2.0, atol=1e-9)


@pytest.mark.parametrize("power", [1, 3])
def test_scaling_by_hand(power):
    """Prescribed spikes; the rate is worked out from them, spike by spike."""
    every, tau_nu, tau_scaling, kappa = 20.0, 100.0, 500.0, 20.0
    fired = [np.array([3.0, 7.5, 30.0, 31.0, 55.0]), np.array([10.0])]
    net = ss.Network(dt=DT, seed=1)
    source = net.add(SpikeSource([], []), 1, name="source")
    post = net.add(SpikeSource(np.concatenate(fired), np.repeat([0, 1], [5, 1])), 2, name="post")
    scaling = SynapticScaling(kappa=kappa, tau_scaling=tau_scaling, tau_nu=tau_nu, power=power, every=every)
    synapses = net.connect(source, post, ss.AllToAll(), weight=[0.3, 0.6], plasticity=PairSTDP(), constraints=[scaling])
    expected = np.array([0.3, 0.6])
    for now in (20.0, 40.0, 60.0):
        # A spike stamped t was emitted in the step that began at t - dt; traces count from there.
        nu = [np.exp(-(now - (t[t <= now] - DT)) / tau_nu).sum() / (tau_nu * 1e-3) for t in fired]
        expected = expected * np.exp(every / tau_scaling * (1.0 - (np.array(nu) / kappa) ** power))
        net.run(20.0)
        np.testing.assert_allclose(synapses.weights, expected, rtol=1e-12)
    assert expected[0] < 0.3 < 0.6 < expected[1] or power == 3


def test_scaling_brings_neurons_to_their_rate():
    """Neurons that learn nothing else: within 10 %, which is five standard errors of 1000 spikes counted in 10 s."""
    net = ss.Network(dt=DT, seed=2)
    source = net.add(PoissonSource(rate=30.0), 100, name="source")
    cells = net.add(LIF(), 10, name="cells")
    scaling = SynapticScaling(kappa=10.0, tau_scaling=1000.0, tau_nu=1000.0)
    rule = PairSTDP(a_plus=0.0, a_minus=0.0, w_max=np.inf)
    net.connect(source, cells, ss.AllToAll(), weight=ss.Uniform(40.0, 160.0), delay=1.0, plasticity=rule,
                constraints=[scaling])  # fmt: skip
    spikes = net.record(cells, "spikes")
    net.run(10_000.0)
    before = np.bincount(spikes.ids, minlength=10)
    net.run(10_000.0)
    rates = (np.bincount(spikes.ids, minlength=10) - before) / 10.0
    assert rates.mean() == pytest.approx(10.0, rel=0.1)
    assert np.abs(rates - 10.0).max() < 3.0


ALL = [
    Normalisation(total=4.0, every=20.0, mode="subtractive"),
    SynapticScaling(kappa=20.0, tau_scaling=300.0, tau_nu=50.0, every=7.5),
]


@pytest.mark.parametrize("precision", ["double", "single"])
def test_threads_and_splits_change_no_bit(precision):
    def weights(threads, durations):
        net, synapses = network(ALL, threads=threads)
        for duration in durations:
            net.run(duration)
        return synapses.weights

    whole = weights(1, [200.0])
    assert len(np.unique(whole)) > 100
    for threads, durations in ((2, [200.0]), (3, [200.0]), (1, [33.5, 0.5, 46.0, 120.0]), (2, [7.5, 192.5])):
        np.testing.assert_array_equal(weights(threads, durations), whole)


def test_going_back_brings_the_traces_back():
    net, synapses = network(ALL)
    net.run(50.0)
    state = net.store()
    net.run(50.0)
    whole = synapses.weights
    net.restore(state)
    net.run(50.0)
    np.testing.assert_array_equal(synapses.weights, whole)


def test_constraints_rest_while_nothing_learns():
    net, synapses = network(ALL)
    synapses.learning = False
    before = synapses.weights
    net.run(100.0)
    np.testing.assert_array_equal(synapses.weights, before)


class AtReward(Rule):
    """An event that never happens here."""

    events = ("reward",)

    @staticmethod
    def on_reward(w, pre, post, p):
        return w


def test_weight_matrices_can_be_constrained():
    net = ss.Network(dt=DT, seed=1)
    source, post = net.add(SpikeSource([], []), 4, name="source"), net.add(LIF(), 3, name="post")
    synapses = net.connect(source, post, ss.AllToAll(), weight=ss.Uniform(0.0, 1.0), delay=1.0, plasticity=AtReward(),
                           constraints=[Normalisation(total=2.0, every=10.0)])  # fmt: skip
    assert synapses.dense
    net.run(10.0)
    np.testing.assert_allclose(sums(synapses), 2.0, atol=1e-9)


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        ([3], ["list of constraints", "3"]),
        (["Normalisation"], ["'Normalisation'"]),
        ([Normalisation(every=0.7)], ["Normalisation", "every", "0.5", "0.7"]),
        ([Normalisation(total=-1.0)], ["Normalisation", "total = -1", "w_min"]),
        ([Normalisation(total=0.0)], ["total", "not 0"]),
    ],
)
def test_bad_input_is_refused(constraints, words):
    net = ss.Network(dt=DT, seed=1)
    source, cells = net.add(SpikeSource([], []), 3, name="source"), net.add(LIF(), 3, name="cells")
    with pytest.raises(ss.SpikesimError) as caught:
        net.connect(source, cells, ss.AllToAll(), plasticity=PairSTDP(), constraints=constraints)
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)
    assert net.projections == []
    with pytest.raises(ss.SpikesimError, match="plasticity rule"):
        net.connect(source, cells, ss.AllToAll(), constraints=[Normalisation()])
    with pytest.raises(ss.SpikesimError, match="did you mean 'multiplicative'"):
        Normalisation(mode="multiplicativ")


@pytest.mark.parametrize("name", discover("constraint"))
def test_every_constraint_keeps_the_contract(name):
    """Finite weights of the same sign within the bounds, from any weights; said what it is and where it is from."""
    kind = discover("constraint")[name]
    assert issubclass(kind, Constraint)
    assert kind.reference.startswith("doi:10.")
    assert set(kind.traces.values()) <= set(kind.parameters)
    net, synapses = network([kind(every=10.0)])
    net.run(100.0)
    weights = synapses.weights
    assert np.isfinite(weights).all()
    assert weights.min() >= 0.0
    assert weights.max() <= 1.0
