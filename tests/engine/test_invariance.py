"""Results do not depend on threads, on how `run` is split, or on who watches: to the last bit."""

import numpy as np
import pytest

import spikesim as ss
from spikesim.experiment import RunOptions
from spikesim.info import file_info
from spikesim.models.networks.potjans_2014 import Potjans2014
from spikesim.models.neurons.current_sources import NoiseSource
from spikesim.models.neurons.lif import LIF
from spikesim.models.neurons.lif_cond import LIFCond
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.models.plasticity.triplet_stdp import TripletSTDP

DT = 0.5
DURATION = 150.0


class Case:
    """Sources, currents and conductances, static, dense and plastic synapses; sizes that no vector divides."""

    def __init__(self, threads=1, precision="double", watched=True):
        net = self.net = ss.Network(dt=DT, seed=2024, threads=threads, precision=precision)
        source = net.add(PoissonSource(rate=ss.Uniform(20.0, 120.0)), 53, name="source")
        lif = self.lif = net.add(LIF(V_m=ss.Uniform(-70.0, -55.0), tau_m=ss.Normal(10.0, 1.0)), 101, name="lif")
        cond = net.add(LIFCond(tau_syn_ex=2.0), 37, name="cond")
        noise = net.add(NoiseSource(mean=150.0, std=200.0), 3, name="noise")
        delay = ss.Uniform(DT, 6.0)
        pair = PairSTDP(a_plus=0.05, a_minus=0.06, w_ref=60.0, w_max=200.0, pairing="nearest_reduced")
        triplet = TripletSTDP(w_ref=60.0, w_max=200.0)
        for rule, fraction in ((pair, 0.4), (triplet, 1.0), (triplet, 0.0)):
            net.connect(source, lif, ss.FixedProbability(0.2), weight=ss.Normal(60.0, 6.0), delay=delay,
                        plasticity=rule, dendritic_delay_fraction=fraction)  # fmt: skip
        net.connect(lif, lif, ss.FixedIndegree(10), weight=ss.Normal(10.0, 40.0), delay=delay)
        net.connect(lif, cond, ss.FixedIndegree(20), weight=ss.Lognormal(0.0, 1.0), delay=delay)
        net.connect(source, cond, ss.AllToAll(), weight=ss.Uniform(0.0, 0.5), delay=1.5)
        net.connect(noise, lif, ss.FixedIndegree(1), delay=1.0, receptor="current")
        self.spikes = [net.record(p, "spikes") for p in (source, lif, cond)]
        self.potentials = [net.record(p, "V_m", every=1.0) for p in (lif[::3], cond)] if watched else []
        if watched:
            net.record(lif, "rate", every=10.0)
            net.record(net.projections[0], "weights", every=35.0)

    def result(self, potentials=True):
        """Everything that must be the same, as bytes."""
        found = [array for r in self.spikes for array in (r.steps, r.ids)]
        found += [p.weights for p in self.net.projections]
        found += [self.net.populations[k].get("V_m") for k in (1, 2)]
        if potentials:
            found += [r.values for r in self.potentials]
        return [np.ascontiguousarray(array).tobytes() for array in found]


@pytest.fixture(scope="module", params=["double", "single"])
def whole(request):
    """(precision, the case run in one go on one thread)"""
    case = Case(precision=request.param)
    case.net.run(DURATION)
    assert min(len(spikes) for spikes in case.spikes) > 100
    return request.param, case


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads(whole, threads):
    precision, expected = whole
    case = Case(threads, precision)
    case.net.run(DURATION)
    assert case.result() == expected.result()


@pytest.mark.parametrize("pieces", [[0.5] * 20, [7.0, 0.5, 100.0], [75.0], [149.5]], ids=len)
@pytest.mark.parametrize("threads", [1, 3])
def test_split_runs(whole, threads, pieces):
    precision, expected = whole
    case = Case(threads, precision)
    for piece in [*pieces, DURATION - sum(pieces)]:
        case.net.run(piece)
    assert case.net.time == DURATION
    assert case.result() == expected.result()


def test_unwatched(whole):
    precision, expected = whole
    case = Case(2, precision, watched=False)
    case.net.run(DURATION)
    assert case.result() == expected.result(potentials=False)


def test_reading_changes_nothing(whole):
    precision, expected = whole
    case = Case(2, precision)
    for _ in range(30):
        case.net.run(DURATION / 30)
        case.result()
        case.net.store()
    assert case.result() == expected.result()


@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_added_between_runs_keeps_spikes_in_flight(whole, threads):
    precision, expected = whole
    case = Case(threads, precision)
    net = case.net
    net.run(50.0)
    late = net.record(case.lif[5:8], "V_m")
    net.run(20.0)
    # A longer delay and a shorter block lay all rings out anew, while spikes of up to 6 ms are on their way.
    other = net.add(LIF(), 19, name="other")
    net.run(3.0)
    net.connect(case.lif, other, ss.FixedIndegree(5), weight=100.0, delay=ss.Uniform(0.5, 40.0))
    net.run(DURATION - 73.0)
    assert len(late.times) == (DURATION - 50.0) / DT
    assert late.times[0] == 50.0 + DT
    count = len(expected.net.projections)
    assert len(net.projections) == count + 1
    net.projections.pop()
    assert case.result() == expected.result()


@pytest.mark.parametrize("threads", [1, 2])
def test_store_and_restore(whole, threads):
    precision, expected = whole
    case = Case(threads, precision, watched=False)
    net = case.net
    net.run(60.0)
    state = net.store()
    net.run(DURATION - 60.0)
    assert case.result() == expected.result(potentials=False)
    net.restore(state)
    assert net.time == 60.0
    net.run(DURATION - 60.0)
    assert case.result() == expected.result(potentials=False)


def test_another_seed_is_another_result(whole):
    _, expected = whole
    net = ss.Network(dt=DT, seed=2025)
    source = net.add(PoissonSource(rate=70.0), 53, name="source")
    spikes = net.record(source, "spikes")
    net.run(DURATION)
    assert spikes.steps.tobytes() != expected.spikes[0].steps.tobytes()


def test_what_is_drawn_does_not_depend_on_who_draws():
    # Enough synapses that the threads share them out.
    found = []
    for threads in (1, 2, 3):
        net = ss.Network(dt=0.1, seed=6, threads=threads)
        cells = net.add(LIF(), 400)
        projection = net.connect(
            cells, cells, ss.FixedIndegree(300), weight=ss.Lognormal(0.0, 1.0), delay=ss.Uniform(0.1, 5.0)
        )
        found.append((projection.weights, projection.delays, projection.sources))
    for other in found[1:]:
        assert all((a == b).all() for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("drive", ["poisson", "dc"])
def test_a_published_network_with_random_weights_and_delays(tmp_path, precision, drive):
    """Same sha256 of spikes and of synapses for 1, 2, 3, 4 and 7 threads, with both drives."""
    found = set()
    for threads in (1, 2, 3, 4, 7):
        out = str(tmp_path / f"{threads}.h5")
        options = RunOptions(time=150.0, seed=8, threads=threads, precision=precision, out=out, quiet=True, digest=True)
        result = Potjans2014(N_scaling=0.01, drive=drive).simulate(options)
        assert result["spikes"] > 100
        found.add((file_info(out)["spikes_sha256"], result["connectivity_sha256"]))
    assert len(found) == 1


def test_digests_tell_networks_apart():
    def digest(**given):
        net = ss.Network(dt=DT, seed=given.pop("seed", 1))
        population = net.add(LIF(), 30)
        given = {"weight": ss.Normal(1.0, 0.1), "delay": ss.Uniform(DT, 5.0), **given}
        net.connect(population, population, ss.FixedIndegree(5), **given)
        return net.connectivity_digest()

    assert digest() == digest()
    assert len({digest(), digest(seed=2), digest(weight=1.0), digest(delay=DT), digest(delay=2 * DT)}) == 5


@pytest.mark.parametrize("rule", [ss.FixedIndegree(5), ss.AllToAll()], ids=repr)
def test_restoring_brings_back_the_receptor_that_the_sign_selects(rule):
    net = ss.Network(dt=DT, seed=3)
    source = net.add(PoissonSource(rate=100.0), 20)
    target = net.add(LIF(), 10)
    synapses = net.connect(source, target, rule, weight=150.0, delay=1.5)
    potential = net.record(target, "V_m")
    net.run(20.0)
    state = net.store()
    net.run(30.0)
    expected = potential.values.copy()
    net.restore(state)
    synapses.weights = -150.0
    net.run(30.0)
    assert (potential.values[-1] < expected[-1]).all()
    net.restore(state)
    net.run(30.0)
    assert synapses.weights.tolist() == [150.0] * len(synapses)
    np.testing.assert_array_equal(potential.values, expected)
