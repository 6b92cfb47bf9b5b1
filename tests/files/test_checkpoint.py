"""A network that is resumed from a checkpoint is the network that was not interrupted, to the last bit."""

import functools
import importlib
import os
import re
import shutil
import sys

import h5py
import numpy as np
import pytest
import scipy.sparse
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

import spikesim as ss
from spikesim.as_data import from_data, to_data
from spikesim.change_recorder import ChangeRecorder
from spikesim.clock.portable import gathered
from spikesim.errors import RunError, SpikesimError
from spikesim.info import file_info
from spikesim.models.constraints import Normalisation, SynapticScaling
from spikesim.models.neurons import LIF, LIFDelta, NoiseSource, PoissonSource, SegregatedDendrite, SpikeSource
from spikesim.models.plasticity import ClopathSTDP, DopamineSTDP, MultiplicativeSTDP, PairSTDP, PlateauRule
from spikesim.models.short_term import TsodyksMarkram
from spikesim.record import SpikeRecorder
from spikesim.registry import discover

DT, DURATION = 0.5, 90.0
DELAYS = {"weight": ss.Uniform(1.0, 4.0), "delay": ss.Uniform(1.0, 6.0)}
BOUNDS = {"w_min": 0.0, "w_max": 6.0, "w_ref": 3.0}
#: ms; those that the network knows come then
EVENTS = {15.0: ("settled",), 30.0: ("forward_plateau", "reward"), 45.0: ("settled",), 60.0: ("target_plateau",)}


def learning(rule, **more):
    """Onto `cells`, by a rule that the engine serves in its own way."""

    def add(net, source, cells):
        plasticity = rule if isinstance(rule, PlateauRule) else rule.replace(**BOUNDS)
        net.connect(source, cells, ss.FixedProbability(0.4), plasticity=plasticity, dendritic_delay_fraction=0.4,
                    **DELAYS, **more)  # fmt: skip

    return add


def static(net, source, cells):
    """One projection of each connection rule and of each way to give weights and delays; views, drives, currents."""
    pairs = np.arange(12)
    matrix = scipy.sparse.random_array((21, 37), density=0.2, rng=np.random.default_rng(1))
    net.connect(source[:9], cells[5:], ss.FixedOutdegree(4), **DELAYS)
    net.connect(source, cells, ss.Pairs(pairs, pairs + 3), weight=np.linspace(-1.0, 2.0, 12), delay=1.0)
    net.connect(source, cells, matrix)
    net.connect(source, cells, ss.FixedTotalNumber(30), weight=scipy.stats.gamma(2.0, scale=0.5), delay=2.0)
    net.connect(source, cells, ss.AllToAll(), weight=0.05)
    net.drive(cells, rate=ss.Uniform(100.0, 900.0), weight=0.4)
    lif = net.add(LIF(I_e=np.linspace(300.0, 500.0, 18)), 18, name="lif")
    net.connect(net.add(NoiseSource(std=200.0), 2, name="noise"), lif, ss.AllToAll(), weight=1.0, delay=1.0)
    trains = SpikeSource(times=[5.0, 5.0, 61.0, 61.0], ids=[0, 0, 1, 2])
    net.connect(net.add(trains, 18, name="trains"), lif, ss.OneToOne(), weight=100.0, delay=ss.Normal(3.0, 0.5))
    net.record(lif, "spikes")


def dense(net, source, cells):
    """A weight matrix that learns at a named event."""
    deep = net.add(SegregatedDendrite(eta_bias=0.1), 20, name="deep")
    net.connect(source, deep, ss.AllToAll(), weight=ss.Uniform(-0.5, 1.0), delay=1.0, receptor="basal",
                plasticity=PlateauRule())  # fmt: skip
    net.connect(source, deep, ss.AllToAll(), weight=ss.Uniform(-0.5, 1.0), delay=1.0, receptor="apical")


def short_term(net, source, cells):
    net.connect(source, cells, ss.FixedIndegree(8), plasticity=TsodyksMarkram(), **DELAYS)


KINDS = {
    "static": static,
    "lazy": learning(PairSTDP(a_plus=0.05)),
    "eager": learning(MultiplicativeSTDP()),
    "memory": learning(PairSTDP(a_plus=0.05, pairing="nearest_reduced")),
    "events": learning(DopamineSTDP()),
    "signals": learning(ClopathSTDP()),
    "dense": dense,
    "constrained": learning(PairSTDP(a_plus=0.05), constraints=[
        Normalisation(total=30.0, every=12.5), SynapticScaling(every=20.0, tau_nu=30.0)]),
    "short-term": short_term,
}  # fmt: skip


def built(kind, threads=1, seed=11):
    net = ss.Network(dt=DT, seed=seed, threads=threads)
    source = net.add(PoissonSource(rate=ss.Uniform(20.0, 120.0)), 21, name="source")
    cells = net.add(LIFDelta(V_m=ss.Uniform(-70.0, -60.0), I_e=500.0), 37, name="cells")
    net.connect(cells, cells, ss.FixedIndegree(3), weight=1.0, delay=1.5)
    KINDS[kind](net, source, cells)
    net.record(cells, "spikes")
    net.record(cells[3:9], "V_m", every=2.5)
    net.record(source, "rate", every=7.0)
    for projection in net.projections:
        if projection.rule is not None:
            net.record(projection, "weights", every=10.0)
            net.record(projection, "weights", sample=12)
    return net


def run_to(net, time):
    """Run, and let the events come when they are due."""
    for stop in sorted({*EVENTS, time}):
        if net.time < stop <= time:
            net.run(stop - net.time)
            for event in EVENTS.get(stop, ()):
                if event in net.events:
                    net.trigger(event)
    return net


def recorded(net):
    """Everything that recorders have, as bytes."""
    names = ("steps", "times", "ids", "values", "rates", "weights", "synapses", "initial", "count")
    found = [
        np.asarray(getattr(recorder, name)).tobytes()
        for recorder in net.recorders
        for name in names
        if hasattr(recorder, name)
    ]
    return [*found, *(p.weights.tobytes() for p in net.projections)]


def state(net):
    """Every number that the future depends on. Sums of rules that come apart are kept for the delays of a thread only,
    so that others may be 0 or not: what they are for is in the weights."""
    net.prepare()
    return {
        name: a.tobytes() for name, a in gathered(net._engine).items() if not re.fullmatch(r"projection \d+/sums", name)
    }


@functools.cache
def whole(kind):
    net = run_to(built(kind), DURATION)
    spikes = [r for r in net.recorders if isinstance(r, SpikeRecorder)]
    assert sum(map(len, spikes)) > 200
    for recorder in net.recorders:
        if isinstance(recorder, ChangeRecorder):
            assert len(recorder) > 0
    return recorded(net), state(net)


@pytest.mark.parametrize("kind", KINDS)
def test_resumed_with_another_number_of_threads(kind, tmp_path):
    path = tmp_path / "a.ckpt.h5"
    for before, after, cut in ((1, 2, 37.5), (3, 1, 61.0)):
        net = run_to(built(kind, before), cut)
        net.checkpoint(path)
        run_to(net, cut + 11.0)  # what is lost
        net = ss.Network.resume(path, threads=after)
        assert (net.time, net.threads, net.seed, net.dt) == (cut, after, 11, DT)
        run_to(net, DURATION)
        expected = whole(kind)
        assert recorded(net) == expected[0]
        assert state(net) == expected[1]


@settings(max_examples=8, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    cuts=st.lists(st.tuples(st.integers(0, round(DURATION / DT)), st.integers(1, 3)), min_size=1, max_size=3),
)
def test_resumed_wherever_it_is_cut(kind, cuts, tmp_path_factory):
    path = tmp_path_factory.mktemp("cut") / "a.ckpt.h5"
    net = built(kind)
    for step, threads in sorted(cuts):
        run_to(net, step * DT)
        net.checkpoint(path)
        net = ss.Network.resume(path, threads=threads)
    run_to(net, DURATION)
    assert recorded(net) == whole(kind)[0]
    assert state(net) == whole(kind)[1]


def test_the_network_that_wrote_it_goes_on_unchanged(tmp_path):
    net = run_to(built("lazy", 2), 40.0)
    net.checkpoint(tmp_path / "a.h5")
    assert recorded(run_to(net, DURATION)) == whole("lazy")[0]


def test_what_is_set_between_runs_is_kept(tmp_path):
    """Parameters, state, weights, learning, trains and maximal rates; what is drawn later; and then a reset."""
    found = []
    for interrupted in (False, True):
        net = ss.Network(dt=DT, seed=3, max_rate=2000.0)
        source = net.add(SpikeSource(times=[1.0], ids=[0]), 21, name="source")
        cells = net.add(LIFDelta(V_m=ss.Uniform(-70.0, -60.0)), 37, name="cells")
        synapses = net.connect(source, cells, ss.FixedIndegree(6), plasticity=PairSTDP(**BOUNDS), **DELAYS)
        back = net.connect(cells, cells, ss.FixedIndegree(6), weight=0.5, delay=2.0)
        net.record(cells, "spikes")
        net.run(10.0)
        cells.set(I_e=ss.Uniform(300.0, 600.0), V_th=-58.0)
        cells[:7].set(tau_m=8.0)
        source.set(times=np.arange(12.0, 60.0, 0.5).repeat(2), ids=np.arange(192) % 21)
        back.weights = np.linspace(0.0, 1.0, len(back))
        synapses.weights = 2.0
        net.run(10.0)
        synapses.learning = False
        if interrupted:
            net.checkpoint(tmp_path / "a.h5")
            net = ss.Network.resume(tmp_path / "a.h5")
            source, cells = net.populations
            synapses, back = net.projections
            assert not synapses.learning
            assert net.guard.max_rate == 2000.0
        net.run(10.0)
        synapses.learning = True
        cells.set(V_m=ss.Uniform(-70.0, -60.0))
        net.run(20.0)
        net.reset()
        net.run(20.0)
        assert net.recorders[0].count > 50
        found.append((recorded(net), state(net), cells.get("tau_m").tolist(), net.connectivity_digest()))
    assert found[0] == found[1]


def test_a_run_that_explodes_is_stopped_at_the_same_time(tmp_path):
    told = []
    for cut in (None, 30.0, 60.0):
        net = ss.Network(dt=DT, seed=3, max_rate=50.0)
        cells = net.add(LIFDelta(I_e=2000.0), 5)
        net.connect(cells, cells, ss.FixedIndegree(1), weight=0.1)
        if cut is not None:
            net.run(cut)
            net.checkpoint(tmp_path / "a.h5")
            net = ss.Network.resume(tmp_path / "a.h5")
        with pytest.raises(RunError, match="activity explodes") as error:
            net.run(300.0)
        told.append(str(error.value))
    assert told[0] == told[1] == told[2]


# Files that are streamed to


def streaming(folder, threads=1):
    net = ss.Network(dt=DT, seed=5, threads=threads)
    source = net.add(PoissonSource(rate=90.0), 40, name="source")
    cells = net.add(LIFDelta(), 30, name="cells")
    synapses = net.connect(source, cells, ss.FixedIndegree(8), plasticity=PairSTDP(a_plus=0.1, **BOUNDS), **DELAYS)
    for population in (source, cells):
        net.record(population, "spikes", to=folder / "spikes.h5")
    net.record(synapses, "weights", every=10.0, to=folder / "weights.h5")
    net.record(synapses, "weights", sample=20, to=folder / "weights.h5")
    return net


def contents(folder):
    found = {"spikes": file_info(folder / "spikes.h5")["spikes_sha256"]}
    for name in ("spikes.h5", "weights.h5"):
        with h5py.File(folder / name, "r") as file:
            about = file["spikesim"].attrs
            found[name] = about["completed"], about["duration_ms"], sorted(file["spikesim"])
            for k in file.get("weights", ()):
                found |= {(k, key): array[...].tobytes() for key, array in file[f"weights/{k}"].items()}
    assert found["weights.h5"][:2] == (True, 150.0)
    return found


@pytest.fixture
def small_chunks(monkeypatch):
    """So that some chunks of the file are full and some are not."""
    for module in ("spike_writer", "continued"):
        monkeypatch.setattr(f"spikesim.{module}.CHUNK", 128)


@pytest.mark.parametrize("end", ["closed", "killed"])
def test_files_are_gone_on_with(tmp_path, small_chunks, end):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(), two.mkdir()
    with streaming(one) as net:
        net.run(150.0)
    assert file_info(one / "spikes.h5")["spikes_total"] > 5 * 128
    net, path = streaming(two, 2), two / "a.ckpt.h5"
    for cut in (0.5, 72.0, 130.0):
        net.run(cut - net.time)
        net.checkpoint(path)
        net.run(18.0)  # what is lost
        if end == "closed":
            net.close(completed=False)
        net = ss.Network.resume(path, threads=1)
    with net:
        net.run(150.0 - net.time)
    assert contents(two) == contents(one)
    assert sorted(os.listdir(two)) == ["a.ckpt.h5", "spikes.h5", "weights.h5"]


def test_to_look_at_a_checkpoint_changes_no_file(tmp_path):
    net = streaming(tmp_path)
    net.run(50.0)
    net.checkpoint(tmp_path / "a.h5")
    net.run(50.0)
    net.close()
    files = {name: (tmp_path / name).read_bytes() for name in ("spikes.h5", "weights.h5")}
    with ss.Network.resume(tmp_path / "a.h5") as again:
        assert again.time == 50.0
        assert again.recorders[0].count > 0
        assert len(again.projections[0].weights) == 240
    assert {name: (tmp_path / name).read_bytes() for name in files} == files


def test_files_that_do_not_fit_are_told_apart(tmp_path):
    net, path = streaming(tmp_path), tmp_path / "a.h5"
    net.run(20.0)
    shutil.copy(tmp_path / "spikes.h5", tmp_path / "early.h5")
    net.run(40.0)
    net.checkpoint(path)
    net.close()
    with ss.Network(dt=DT, seed=6) as other:
        other.record(other.add(PoissonSource(rate=900.0), 40, name="source"), "spikes", to=tmp_path / "other.h5")
        other.record(other.add(PoissonSource(rate=900.0), 40, name="cells"), "spikes", to=tmp_path / "other.h5")
        other.run(100.0)
    for wrong in ("early.h5", "other.h5"):
        shutil.copy(tmp_path / wrong, tmp_path / "spikes.h5")
        before = (tmp_path / "spikes.h5").read_bytes()
        with pytest.raises(SpikesimError, match=r"spikes\.h5, which is of another run or holds less"):
            ss.Network.resume(path)
        assert (tmp_path / "spikes.h5").read_bytes() == before
    os.unlink(tmp_path / "spikes.h5")
    with pytest.raises(SpikesimError, match=r"goes on with the file .*spikes\.h5, which is not there"):
        ss.Network.resume(path)


# What cannot be kept, or not be resumed

MINE = """
from dataclasses import dataclass
import numpy as np
from spikesim.connectors import ConnectionRule
from spikesim.distributions import Distribution
from spikesim.models.neurons.lif_delta import LIFDelta
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.wiring import BySource

class MyNeuron(LIFDelta):
    extra: float = 3.0

class MyRule(PairSTDP):
    extra: float = 3.0

@dataclass(frozen=True)
class Triangle(Distribution):
    width: float

    def ppf(self, u):
        return self.width * np.sqrt(u)

class Next(ConnectionRule):
    def __init__(self, by):
        self.by = by

    def _wire(self, sources, targets, same, stream, threads):
        def partners(begin, end):
            return targets[(sources[begin:end] + self.by) % len(targets)]
        return BySource(sources, 1, partners, float(len(sources)), threads)
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module of the user, of neurons and rules and of what needs no compiler."""
    (tmp_path / "my_models_for_a_checkpoint.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("my_models_for_a_checkpoint")
    sys.modules.pop("my_models_for_a_checkpoint", None)


def of_mine(module):
    net = ss.Network(dt=DT, seed=2)
    cells = net.add(LIFDelta(I_e=600.0, V_m=ss.Uniform(-70.0, -60.0)), 20)
    net.connect(cells, cells, module.Next(3), weight=module.Triangle(2.0), delay=1.0)
    net.record(cells, "spikes")
    return net


def test_classes_of_the_user(mine, tmp_path):
    path = tmp_path / "a.h5"
    expected = of_mine(mine)
    expected.run(80.0)
    net = of_mine(mine)
    net.run(30.0)
    net.checkpoint(path)
    source = tmp_path / "my_models_for_a_checkpoint.py"
    sys.modules.pop(mine.__name__)
    net = ss.Network.resume(path)
    net.run(50.0)
    assert len(net.recorders[0]) > 50
    assert recorded(net) == recorded(expected)
    source.write_text(MINE + "\nCHANGED = True\n")
    with pytest.raises(SpikesimError, match=r"source of Next .*my_models.* has changed .*allow_changed=True"):
        ss.Network.resume(path)
    net = ss.Network.resume(path, allow_changed=True)
    net.run(50.0)
    assert recorded(net) == recorded(expected)
    sys.modules.pop(mine.__name__)
    source.rename(tmp_path / "elsewhere.py")
    with pytest.raises(SpikesimError, match=r"class Next of module 'my_models\w*', which cannot be imported.*my_mod"):
        ss.Network.resume(path)


@pytest.mark.parametrize("name", ["MyNeuron", "MyRule", "Triangle"])
def test_any_class_of_the_user(mine, name):
    made = getattr(mine, name)(**({"width": 2.0} if name == "Triangle" else {"extra": 4.0}))
    arrays = {}
    data = to_data([made, {"x": np.arange(3)}], arrays, "it")
    again, more = from_data(data, arrays)
    assert type(again) is type(made)
    assert vars(again) == vars(made)
    assert more["x"].tolist() == [0, 1, 2]
    data[0]["class"]["digest"] = "another"
    with pytest.raises(SpikesimError, match=rf"source of {name} .* has changed"):
        from_data(data, arrays)
    data[0]["class"]["name"] = "np.ndarray"
    with pytest.raises(SpikesimError, match=r"names my_models\w*\.np\.ndarray, which is not a model, rule or"):
        from_data(data, arrays)


def test_classes_of_a_script(mine, monkeypatch):
    monkeypatch.setattr(mine.MyNeuron, "__module__", "__main__")
    data = to_data(mine.MyNeuron(), {}, "it")
    with pytest.raises(SpikesimError, match=r"MyNeuron of module '__main__', .* put it into a module of its own"):
        from_data(data, {})


def test_what_cannot_be_kept_is_named(mine, tmp_path):
    net = of_mine(mine)
    net.populations[0].model.helper = lambda: 1
    with pytest.raises(SpikesimError, match=r"population 'LIFDelta_0'.* cannot keep <function .*a function"):
        net.checkpoint(tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists()


def test_a_place_that_cannot_be_written(tmp_path):
    net = built("lazy")
    with pytest.raises(SpikesimError, match="folder .* does not exist"):
        net.checkpoint(tmp_path / "no" / "a.h5")
    with pytest.raises(SpikesimError, match="no such file"):
        ss.Network.resume(tmp_path / "a.h5")


@pytest.mark.parametrize("name", sorted(discover("rule")))
def test_every_rule_is_kept(name, tmp_path):
    """What is said of a rule, whatever it is, is the same when it comes back."""
    arrays = {}
    rule = discover("rule")[name]()
    again = from_data(to_data(rule, arrays, name), arrays)
    assert type(again) is type(rule)
    assert vars(again) == vars(rule)
    assert repr(again) == repr(rule)
