"""`spikesim run --checkpoint` and `spikesim resume`: a run that was stopped, or killed, goes on as if not."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from click.testing import CliRunner

import spikesim as ss
from spikesim.checkpoint import read_checkpoint
from spikesim.cli import main
from spikesim.errors import SpikesimError
from spikesim.experiment import NetworkModel, RunOptions, Stopped
from spikesim.info import file_info
from spikesim.models.neurons.lif_delta import LIFDelta
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.progress import Keeper, read_run, resume_run
from spikesim.record import Recorder
from spikesim.rng import Stream


class Disturbance(Recorder):
    """Does something to the process, once, when the network has come to a step."""

    def __init__(self, step, act):
        self.step, self.act = step, act

    def limit(self, step):
        return self.step if step < self.step else 1 << 62

    def drain(self, step):
        if step >= self.step and self.act is not None:
            act, self.act = self.act, None
            act()


class Tiny(NetworkModel):
    """Cells that learn and are driven by noise."""

    n: int = 40
    dt: float = 0.5  # ms

    duration = 200.0
    disturbance = None  # (step, function); not a parameter

    def build(self, net):
        noise = net.add(PoissonSource(rate=60.0), 30, name="noise")
        cells = net.add(LIFDelta(V_m=ss.Uniform(-70.0, -60.0), I_e=400.0), self.n, name="cells")
        self.synapses = net.connect(noise, cells, ss.FixedIndegree(6), weight=ss.Uniform(1.0, 4.0), delay=3.0,
                                    plasticity=PairSTDP(w_max=6.0))  # fmt: skip
        if self.disturbance is not None:
            net.recorders.append(Disturbance(*self.disturbance))

    def findings(self, net):
        return {"weight": float(self.synapses.weights.sum())}


TOLD = ("spikes", "rates_hz", "weight", "time_ms", "seed", "recorded", "parameters")


def options(folder, **more):
    return RunOptions(seed=4, out=str(folder / "spikes.h5"), quiet=True, record=("V_m",), **more)


def told(result):
    return {name: result[name] for name in TOLD}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    result = Tiny(n=45).simulate(options(folder))
    assert result["spikes"] > 300
    return told(result), file_info(folder / "spikes.h5")["spikes_sha256"]


def disturbed(monkeypatch, step, act):
    monkeypatch.setattr(Tiny, "disturbance", (step, act))
    return Tiny(n=45)


def same(result, folder, whole):
    file = file_info(folder / "spikes.h5")
    return told(result) == whole[0] and file["spikes_sha256"] == whole[1] and file["completed"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send to oneself")
def test_ctrl_c_writes_a_checkpoint(tmp_path, monkeypatch, whole):
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals come to the main thread only")
    path = tmp_path / "a.ckpt.h5"
    model = disturbed(monkeypatch, 150, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Stopped, match=rf"stopped at 75 of 200 ms; .*`spikesim resume {path}` goes on from there"):
        model.simulate(options(tmp_path, checkpoint=str(path)))
    assert not file_info(tmp_path / "spikes.h5")["completed"]
    monkeypatch.setattr(Tiny, "disturbance", None)
    assert same(resume_run(path, threads=2, quiet=True), tmp_path, whole)


class Crash(Exception):
    pass


def crash():
    raise Crash


def test_a_crash_loses_what_came_after_the_last_checkpoint_only(tmp_path, monkeypatch, whole):
    path = tmp_path / "a.ckpt.h5"
    first = options(tmp_path, checkpoint=str(path), checkpoint_every=0.0, split=(40.0, 120.0))
    for step, go_on in ((130, lambda: Tiny(n=45).simulate(first)), (290, lambda: resume_run(path, quiet=True))):
        disturbed(monkeypatch, step, crash)
        with pytest.raises(Crash):
            go_on()
        found = read_run(path)
        assert 0 < found.state["step"] <= step
        assert found.options.checkpoint_every == 0.0
    monkeypatch.setattr(Tiny, "disturbance", None)
    assert same(resume_run(path, quiet=True), tmp_path, whole)
    with pytest.raises(SpikesimError, match="has come to 200 ms, where it was to end; give it a longer --time"):
        resume_run(path, quiet=True)
    assert resume_run(path, quiet=True, time=250.0)["time_ms"] == 250.0


class Trained(Tiny):
    """Shows stimuli one after the other, and counts what it has seen."""

    lessons: int = 8

    crash_at = None

    def simulate(self, options, resumed=None):
        net = self._network(options)
        self.build(net)
        self.done, self.seen, self.curve = 0, np.zeros(4), []
        order = Stream(net.seed, "TASK", 0).integers(4, self.lessons)
        keeper = Keeper(self, net, options, within=False)
        if resumed is not None:
            resumed.put(net)
        for stimulus in order[self.done :]:
            net.populations[0].set(rate=30.0 * stimulus)
            net.run(20.0)
            self.done += 1
            self.seen[stimulus] += 1
            self.curve.append([self.done, float(self.synapses.weights.mean())])
            if self.done == self.crash_at:
                raise Crash
            keeper.look()
        keeper.save()
        return {"curve": self.curve, "seen": self.seen.tolist(), "digest": self.synapses.weights.tobytes()}

    def progress_state(self):
        return {"done": self.done, "seen": self.seen, "curve": self.curve}

    def continue_from(self, state):
        self.done, self.seen, self.curve = state["done"], state["seen"], state["curve"]


def test_a_training_goes_on_where_it_was(tmp_path, monkeypatch):
    expected = Trained().simulate(RunOptions(seed=9, quiet=True))
    assert len(set(expected["curve"][k][1] for k in range(8))) > 4
    path = tmp_path / "a.ckpt.h5"
    monkeypatch.setattr(Trained, "crash_at", 5)
    with pytest.raises(Crash):
        Trained().simulate(RunOptions(seed=9, quiet=True, checkpoint=str(path), checkpoint_every=0.0))
    assert read_run(path).progress["done"] == 4
    monkeypatch.setattr(Trained, "crash_at", None)
    assert resume_run(path, quiet=True) == expected


def test_a_network_that_saves_itself(tmp_path):
    def built(threads=1):
        net = ss.Network(dt=0.5, seed=2, threads=threads)
        Tiny().build(net)
        net.record(net.populations[1], "spikes")
        return net

    path = tmp_path / "a.h5"
    net = built()
    net.checkpoint(path, every=0.0)
    assert ss.Network.resume(path).time == 0.0
    net.run(100.0)
    net = ss.Network.resume(path)
    assert net.time == 100.0
    expected = built()
    expected.run(180.0)
    result = CliRunner().invoke(main, ["resume", str(path), "--time", "180", "--threads", "2", "--json"])
    assert result.exit_code == 0, result.stderr
    about = json.loads(result.stdout)
    assert (about["time_ms"], about["spikes"], about["seed"]) == (180.0, len(expected.recorders[0]), 2)
    after = ss.Network.resume(path)
    assert after.projections[0].weights.tobytes() == expected.projections[0].weights.tobytes()
    assert after.recorders[0].steps.tobytes() == expected.recorders[0].steps.tobytes()
    with pytest.raises(SpikesimError, match="every is a number of minutes, not 'often'"):
        net.checkpoint(path, every="often")


# The command line

SMALL = ["--set", "N_E=400", "--set", "N_I=100", "--set", "C_E=100", "--set", "C_I=25", "--set", "J=1", "--seed", "3"]


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_run_is_resumed(tmp_path):
    checkpoint, out = tmp_path / "a.ckpt.h5", tmp_path / "killed.h5"
    words = ["run", "brunel_2000", *SMALL, "--quiet", "--out"]
    process = subprocess.Popen(
        [sys.executable, "-m", "spikesim", *words, out, "--time", "1e6", "--checkpoint", checkpoint,
         "--checkpoint-every", "0"])  # fmt: skip
    deadline = time.monotonic() + 120.0
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)  # somewhere in a step, or while it writes
    process.kill()
    process.wait()
    state = read_checkpoint(checkpoint, "run").attrs["state"]
    end = state["step"] * 0.1 + 50.0
    result = call("resume", checkpoint, "--time", end, "--json", "--quiet")
    assert result.exit_code == 0, result.stderr
    assert call(*words, tmp_path / "whole.h5", "--time", end).exit_code == 0
    resumed, expected = file_info(out), file_info(tmp_path / "whole.h5")
    assert resumed["spikes_sha256"] == expected["spikes_sha256"]
    assert json.loads(result.stdout)["spikes"] == expected["spikes_total"] > 0


def refused(*words):
    result = call(*words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


OWN = """
import spikesim as ss
from spikesim.experiment import NetworkModel
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.neurons.lif_delta import LIFDelta

class Plain(NetworkModel):
    dt: float = 0.5
    duration = 50.0

    def build(self, net):
        noise = net.add(PoissonSource(rate=900.0), 5, name="noise")
        net.connect(noise, net.add(LIFDelta(), 5, name="cells"), ss.OneToOne(), weight=9.0)

class Special(Plain):
    def simulate(self, options):
        return {}
"""


def test_a_network_of_the_user(tmp_path):
    file, checkpoint = tmp_path / "own_network_to_resume.py", tmp_path / "a.h5"
    file.write_text(OWN)
    result = call("run", f"{file}:Plain", "--seed", 1, "--checkpoint", checkpoint, "--quiet", "--json")
    assert result.exit_code == 0, result.stderr
    sys.modules.pop("own_network_to_resume")
    result = call("resume", checkpoint, "--time", 80, "--json")
    assert result.exit_code == 0, result.stderr
    whole = call("run", f"{file}:Plain", "--seed", 1, "--time", 80, "--json")
    assert json.loads(result.stdout)["spikes"] == json.loads(whole.stdout)["spikes"] > 0
    assert "has come to 80 ms" in refused("resume", checkpoint, "--time", 60)
    sys.modules.pop("own_network_to_resume")
    file.write_text(OWN + "\n# another\n")
    assert "source of Plain" in refused("resume", checkpoint, "--time", 90)
    assert call("resume", checkpoint, "--time", 90, "--allow-changed", "--quiet").exit_code == 0


def test_what_the_commands_refuse(tmp_path):
    file, checkpoint = tmp_path / "own_network_to_refuse.py", tmp_path / "a.h5"
    file.write_text(OWN)
    special = refused("run", f"{file}:Special", "--checkpoint", checkpoint)
    assert "is run in a way of its own, which keeps no checkpoints" in special
    assert "needs --checkpoint FILE" in refused("run", "brunel_2000", "--checkpoint-every", 5)
    assert "does not exist" in refused("run", "brunel_2000", *SMALL, "--checkpoint", tmp_path / "no" / "a.h5")
    assert "no such file" in refused("resume", checkpoint)
    checkpoint.write_text("mine")
    assert "not a whole checkpoint" in refused("resume", checkpoint)
    assert "is not overwritten" in refused("run", "brunel_2000", *SMALL, "--checkpoint", checkpoint)
    assert checkpoint.read_text() == "mine"
    net = ss.Network(dt=0.5, seed=1)
    net.add(PoissonSource(), 1)
    net.checkpoint(tmp_path / "b.h5")
    assert "built in Python: say by --time where it is to end" in refused("resume", tmp_path / "b.h5")
    with pytest.raises(SpikesimError, match="checkpoint of a network, not of a run"):
        read_run(tmp_path / "b.h5")
