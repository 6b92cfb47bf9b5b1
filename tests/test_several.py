"""Several runs with one command: what they find, how they are shown, how they survive kills, Ctrl-C and each other."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import numba.core.event
import pytest
from click.testing import CliRunner

from spikesim import own_process
from spikesim.cli import main
from spikesim.errors import SpikesimError
from spikesim.experiment import RunOptions
from spikesim.info import file_info
from spikesim.own_process import Job
from spikesim.progress import read_run
from spikesim.registry import find
from spikesim.run_display import Bars, display_of
from spikesim.several import grid_of, plan_of, seeds_of

OWN = '''
import hashlib
import os
import time
import spikesim as ss
from spikesim.errors import RunError
from spikesim.experiment import NetworkModel
from spikesim.models.neurons.lif_delta import LIFDelta
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.record import Recorder

class Pause(Recorder):
    """Makes a run so slow that something can happen to it."""
    def __init__(self, seconds):
        self.seconds = seconds
    def limit(self, step):
        return step + 10
    def drain(self, step):
        time.sleep(self.seconds)

class Slow(NetworkModel):
    """Cells that learn and are driven by noise."""
    n: int = 20
    I_e: float = 400.0  # pA
    layers: str = "1"
    trouble: str = "no"
    pause: float = 0.0  # s
    dt: float = 0.5  # ms
    duration = 200.0

    def build(self, net):
        if self.trouble == "refused":
            raise ss.SpikesimError("this cannot be")
        if self.trouble == "mistake":
            [].pop()
        if self.trouble == "death":
            os._exit(3)
        noise = net.add(PoissonSource(rate=60.0), 30, name="noise")
        cells = net.add(LIFDelta(I_e=self.I_e), self.n, name="cells")
        self.synapses = net.connect(noise, cells, ss.FixedIndegree(6), weight=ss.Uniform(1.0, 4.0), delay=3.0,
                                    plasticity=PairSTDP(w_max=6.0))
        if self.pause:
            net.recorders.append(Pause(self.pause))

    def findings(self, net):
        return {"weights_sha256": hashlib.sha256(self.synapses.weights.tobytes()).hexdigest()}

class Special(Slow):
    """Keeps no checkpoints."""
    def simulate(self, options):
        return {"seen": options.seed * self.n}
'''
TIMES = ("realtime_factor", "build_s", "compile_s", "run_s", "peak_rss_gb", "out")
SLOW = ("--set", "pause=0.02", "--seeds", "1-3", "--jobs", "2", "--checkpoint-every", "0.0005")
posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no groups of processes to kill")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    file = tmp_path_factory.mktemp("own") / "own_network_of_several.py"
    file.write_text(OWN)
    return file


@pytest.fixture(scope="module")
def whole(own, tmp_path_factory):
    """A folder of three runs that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole") / "runs"
    result = call("run", f"{own}:Slow", *SLOW, "--out", folder)
    assert result.exit_code == 0, result.stderr
    said = sorted(line.split(" after ")[0] for line in result.stderr.splitlines())
    assert said == [f"own_network_of_several_seed_{k} done" for k in (1, 2, 3)]
    return folder


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def refused(*words):
    with numba.core.event.install_recorder("numba:compile") as compiled:
        result = call(*words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert not compiled.buffer
    return result.stderr


def timeless(result):
    return {key: value for key, value in result.items() if key not in TIMES}


def kept(folder):
    """All that the runs of a folder came to."""
    files = sorted(path.name for path in folder.iterdir())
    results = [timeless(json.loads(path.read_text())) for path in sorted(folder.glob("*seed*.json"))]
    spikes = [file_info(folder / f"own_network_of_several_seed_{k}.h5") for k in (1, 2, 3)]
    with open(folder / "results.csv", newline="") as file:
        rows = [timeless(row) for row in csv.DictReader(file)]
    return files, results, [(about["spikes_sha256"], about["completed"]) for about in spikes], rows


# What they find


def test_a_folder_of_runs(own, whole):
    files, results, spikes, rows = kept(whole)
    names = [f"own_network_of_several_seed_{k}" for k in (1, 2, 3)]
    endings = (".ckpt.h5", ".h5", ".json")
    assert files == sorted([*(f"{n}{e}" for n in names for e in endings), "results.csv", "runs.json"])
    assert len({result["weights_sha256"] for result in results}) == 3
    single = call("run", f"{own}:Slow", "--seed", 2, "--set", "pause=0.02", "--json", "--threads", 1)
    assert timeless(json.loads(single.stdout)) == results[1]
    assert all(completed for _, completed in spikes)
    assert [(row["name"], row["seed"], row["error"]) for row in rows] == [(n, n[-1], "") for n in names]
    for row, result in zip(rows, results, strict=True):
        assert row["weights_sha256"] == result["weights_sha256"]
        assert float(row["rates_hz.cells"]) == result["rates_hz"]["cells"] > 0
        assert "parameters" not in row
    assert read_run(whole / f"{names[0]}.ckpt.h5").options.report is None


def test_a_grid_of_parameters(own):
    words = ("--grid", "n=10,20", "--grid", "I_e=300,400", "--seeds", "5,9", "--set", "layers=1,2", "--quiet")
    result = call("run", f"{own}:Special", *words, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    runs = json.loads(result.stdout)["runs"]
    assert [(run["grid"]["n"], run["grid"]["I_e"], run["seed"]) for run in runs] == [
        (n, current, seed) for n in (10, 20) for current in (300.0, 400.0) for seed in (5, 9)
    ]
    for run in runs:
        assert run["result"]["seen"] == run["seed"] * run["grid"]["n"]
        assert run["result"]["parameters"] | run["grid"] == run["result"]["parameters"]
        assert run["result"]["parameters"]["layers"] == "1,2"
        assert run["result"]["threads"] == 1


def test_names_of_runs_are_those_of_files(own):
    kind = find("network", f"{own}:Slow")
    grid = grid_of(["layers=30,20; 500 / 2"], kind)
    assert grid == {"layers": ["30,20", "500 / 2"]}
    runs = plan_of(f"{own}:Slow", {"n": 3}, grid, [1], RunOptions()).runs
    assert [run.name.removeprefix("own_network_of_several") for run in runs] == [
        "_layers_30-20_seed_1", "_layers_500---2_seed_1"]  # fmt: skip
    assert [run.given for run in runs] == [{"n": 3, "layers": "30,20"}, {"n": 3, "layers": "500 / 2"}]
    runs = plan_of(f"{own}:Slow", {}, {"layers": ["a,b", "a;b"]}, [1], RunOptions()).runs
    assert [run.name[-13:] for run in runs] == ["grid_1_seed_1", "grid_2_seed_1"]


def test_seeds_of_words():
    assert seeds_of("1-4") == [1, 2, 3, 4]
    assert seeds_of(" 1, 3 ,5 - 6") == [1, 3, 5, 6]


@pytest.mark.parametrize("text", ["", ",", "1,,2", "4-1", "a", "1-", "-3", "1.5", "2,1-3", "7,7", "1-99999999", "²"])
def test_seeds_that_are_none(own, text):
    with pytest.raises(SpikesimError, match="--seeds"):
        seeds_of(text)
    assert "--seeds" in refused("run", f"{own}:Slow", "--seeds", text)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["n"], "KEY=VALUE"),
        (["=1,2"], "KEY=VALUE"),
        (["n="], "KEY=VALUE"),
        (["n=1,,2"], "KEY=VALUE"),
        (["m=1,2"], "no parameter 'm'"),
        (["I_e=1,much"], "I_e is a number"),
        (["n=10,10.0"], "n is to be 10 twice"),
        (["n=1", "n=2"], "n is given twice"),
        (["preset=a,b"], "no preset 'a'"),
        (["pause=1,2"], "pause is given by --set, too"),
        (["dt=0.5,0.3"], "multiple of dt = 0.3 ms"),
    ],
)
def test_grids_that_are_none(own, words, says):
    given = [part for word in words for part in ("--grid", word)]
    assert says in refused("run", f"{own}:Slow", *given, "--set", "pause=0.01", "--seeds", "1,2")


def test_options_that_do_not_go_together(own, tmp_path):
    network = f"{own}:Slow"
    assert "--seed is for a single seed" in refused("run", network, "--seeds", "1,2", "--seed", 3)
    assert "--jobs is for several runs" in refused("run", network, "--jobs", 2)
    assert "--checkpoint is for a single run" in refused("run", network, "--seeds", "1", "--checkpoint", "a.h5")
    assert "--dry-run is for a single run" in refused("run", network, "--seeds", "1", "--dry-run")
    assert "--checkpoint-every needs" in refused("run", network, "--seeds", "1", "--checkpoint-every", 1)
    special = refused("run", f"{own}:Special", "--seeds", "1", "--checkpoint-every", 1, "--out", tmp_path / "a")
    assert "keeps no checkpoints" in special
    assert "multiple of dt" in refused("run", network, "--seeds", "1", "--time", 0.3)
    (tmp_path / "file").write_text("mine")
    assert "no folder can be made" in refused("run", network, "--seeds", "1", "--out", tmp_path / "file")
    (tmp_path / "own_network_of_several_seed_1.json").write_text("mine")
    assert "is there already" in refused("run", network, "--seeds", "1", "--out", tmp_path)
    assert "holds no runs" in refused("resume", tmp_path)
    (tmp_path / "runs.json").write_text("[]")
    assert "cannot be read" in refused("resume", tmp_path)


# What happens to them


def _started(*words):
    """The command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "spikesim", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)  # fmt: skip


def _until(condition, process):
    deadline = time.monotonic() + 120.0
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _step(path):
    return read_run(path).state["step"]


@posix
def test_killed_and_stopped_runs_end_as_if_nothing_had_happened(own, whole, tmp_path):
    folder = tmp_path / "runs"
    first, second = (folder / f"own_network_of_several_seed_{k}.ckpt.h5" for k in (1, 2))
    process = _started("run", f"{own}:Slow", *SLOW, "--out", folder)
    _until(lambda: first.exists() and second.exists(), process)
    assert "going on at this moment" in refused("resume", folder)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not list(folder.glob("*seed*.json"))
    before = [_step(path) for path in (first, second)]
    assert all(0 < step < 400 for step in before)

    process = _started("resume", folder, "--jobs", 2)
    _until(lambda: _step(first) > before[0] and _step(second) > before[1], process)
    os.killpg(process.pid, signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert said == ""
    assert f"of 3 runs were done; `spikesim resume {folder}` goes on" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert not (folder / "results.csv").exists()

    result = call("resume", folder, "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    assert kept(folder) == kept(whole)


@posix
def test_processes_end_with_the_one_that_began_them(own, tmp_path):
    import psutil

    process = _started("run", f"{own}:Slow", "--set", "pause=0.02", "--time", 100_000, "--seeds", "1-2", "--jobs", 2,
                       "--out", tmp_path, "--checkpoint-every", 0)  # fmt: skip
    _until(lambda: len(list(tmp_path.glob("*seed_?.ckpt.h5"))) == 2, process)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    process.kill()
    process.communicate()
    assert psutil.wait_procs(children, timeout=30)[1] == []


def test_a_result_that_was_lost_is_found_again(whole):
    """The process was killed when the run had come to its end, but before it told what it had found."""
    before = kept(whole)
    (whole / "own_network_of_several_seed_3.json").unlink()
    (whole / "results.csv").unlink()
    result = call("resume", whole)
    assert result.exit_code == 0, result.stderr
    assert "seed_3 done after" in result.stderr
    assert result.stderr.count("\n") == 1
    assert kept(whole) == before


def test_a_run_that_begins_anew_forgets_its_checkpoint(own, tmp_path):
    """Its result was lost, so it was begun once more, and then it was killed."""
    given = {"out": str(tmp_path / "a.h5"), "checkpoint": str(tmp_path / "a.ckpt.h5"), "quiet": True}
    job = Job(f"{own}:Slow", {}, RunOptions(seed=5, **given))

    def killed(*told):
        raise RuntimeError

    whole = own_process._run(job, lambda *told: None)
    with pytest.raises(RuntimeError):
        own_process._run(job, killed)
    assert own_process._run(job, lambda *told: None)["weights_sha256"] == whole["weights_sha256"]
    assert file_info(tmp_path / "a.h5")["completed"]


def test_failing_runs_leave_the_others_alone(own, tmp_path):
    words = ("--grid", "trouble=refused,no,mistake,death", "--seed", 4, "--out", tmp_path, "--jobs", 2)
    result = call("run", f"{own}:Slow", *words)
    assert result.exit_code == 1
    *_, last = result.stderr.splitlines()
    assert last.startswith("spikesim: 3 of 4 runs failed. ")
    wanted = {"refused": "this cannot be", "no": "", "mistake": f"IndexError: pop from empty list ({own}, line",
              "death": "its process ended with status 3."}  # fmt: skip
    with open(tmp_path / "results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["trouble"] for row in rows] == list(wanted)
    for row in rows:
        says = wanted[row["trouble"]]
        assert says in row["error"]
        assert says in last
        assert bool(row["weights_sha256"]) == (row["error"] == "") == (says == "")
        assert (tmp_path / f"{row['name']}.json").exists() == (says == "")
    assert "its process ended with status 3." in result.stdout
    assert "holds runs already" in refused("run", f"{own}:Slow", "--seeds", "1", "--out", tmp_path)


def test_runs_that_are_not_as_they_were(own, tmp_path):
    file, folder = tmp_path / "own_network_that_changes.py", tmp_path / "runs"
    file.write_text(OWN)
    assert call("run", f"{file}:Special", "--seeds", "1,2", "--quiet", "--out", folder).exit_code == 0
    file.write_text(OWN + "\n# another\n")
    assert "has changed since" in refused("resume", folder)
    assert call("resume", folder, "--allow-changed").exit_code == 0
    folder.rename(tmp_path / "elsewhere")
    assert f"belong to the folder {folder}" in refused("resume", tmp_path / "elsewhere")


# How they are shown


def test_a_run_reports_how_far_it_is(own):
    reports = []
    model = find("network", f"{own}:Slow")(pause=0.001)
    model.simulate(RunOptions(seed=1, quiet=True, report=lambda *told: reports.append(told)))
    assert reports[-1] == (200, 200, "ms")
    assert [done for done, _, _ in reports] == sorted(done for done, _, _ in reports)
    assert len(reports) > 10


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_a_line_a_run_and_one_for_all(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    display_of([], 1, quiet=False).close()  # all had ended before
    assert screen.getvalue() == ""
    display = display_of(["a", "b", "c"], 2, quiet=False)
    assert isinstance(display, Bars)
    display.begin("a")
    display.begin("b")
    display.at("a", 30, 60, "test error 8.25 %")
    display.end("a", "done", "")
    display.begin("c")
    display.end("b", "failed", "no memory")
    display.close()
    shown = screen.getvalue()
    assert "30/60 test error 8.25 %" in shown
    assert "c starting" in shown
    assert "b failed: no memory\n" in shown
    assert " 17%" in shown  # half of one of three
    assert "2/3 runs" in shown
