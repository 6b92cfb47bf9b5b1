"""The command line: what it prints, what it writes, and how it refuses."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numba.core.event
import numpy as np
import pytest
from click.testing import CliRunner

import spikesim as ss
from spikesim.cli import main
from spikesim.errors import SpikesimError
from spikesim.info import file_info

SMALL = ["--set", "N_E=400", "--set", "N_I=100", "--set", "C_E=100", "--set", "C_I=25", "--set", "J=1"]
BRUNEL = ["run", "brunel_2000", *SMALL, "--seed", "3"]


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def told(*words):
    """The one JSON object that a command prints."""
    result = call(*words, "--json")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def refused(*words):
    """The one line with which a command refuses, before it compiles anything."""
    with numba.core.event.install_recorder("numba:compile") as compiled:
        result = call(*words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("spikesim: ")
    assert result.stderr.count("\n") == 1
    assert not compiled.buffer
    return result.stderr


@pytest.fixture(scope="module")
def spike_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "brunel.h5"
    assert call(*BRUNEL, "--time", 100, "--out", path).exit_code == 0
    return path


# What it computes


def test_pairing_under_triplet_stdp():
    settings = {"preset": "visual_cortex_minimal_all_to_all", "pairs": 60, "frequency": 20, "delta_t": 10}
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    result = told("protocol", "pairing", "--rule", "TripletSTDP", *words)
    assert result["weight_change"] == pytest.approx(0.227795, abs=1e-6)


def test_wang_under_triplet_stdp():
    preset = "preset=hippocampal_minimal_all_to_all"
    result = told("protocol", "wang_2005", "--rule", "TripletSTDP", "--set", preset)
    assert result["error"] == pytest.approx(3.44, abs=0.005)
    assert all({"label", "predicted", "measured", "sem"} <= set(point) for point in result["points"])


def test_protocol_writes_table_and_figure(tmp_path):
    words = ["protocol", "wang_2005", "--rule", "PairSTDP"]
    result = call(*words, "--out", tmp_path / "new" / "folder")
    assert result.exit_code == 0
    written = sorted(p.name for p in (tmp_path / "new" / "folder").iterdir())
    assert written == ["wang_2005_PairSTDP.csv", "wang_2005_PairSTDP.png"]
    assert call(*words, "--out", tmp_path / "a.json", "--quiet").stderr == ""
    assert json.loads((tmp_path / "a.json").read_text())["protocol"] == "wang_2005"


def test_infinity_is_a_number():
    result = told("protocol", "pairing", "--rule", "PairSTDP", "--set", "w_max=inf", "--set", "w_min=-inf")
    assert result["parameters"]["rule"]["w_max"] == "inf"


def test_run_reports():
    result = told(*BRUNEL, "--time", 100, "--threads", 1, "--record", "V_m")
    wanted = "realtime_factor build_s compile_s run_s peak_rss_gb rates_hz seed threads precision network version"
    assert set(wanted.split()) <= set(result)
    assert result["seed"] == 3
    assert result["time_ms"] == 100.0
    assert set(result["rates_hz"]) == {"excitatory", "inhibitory"}
    neurons, seconds = {"excitatory": 400, "inhibitory": 100}, 0.1
    assert sum(rate * neurons[name] * seconds for name, rate in result["rates_hz"].items()) == pytest.approx(
        result["spikes"]
    )
    assert result["realtime_factor"] == pytest.approx(result["run_s"] / seconds)
    assert result["recorded"]["V_m"]["excitatory"]["samples"] == 100


def test_run_without_a_seed_draws_prints_and_stores_one(tmp_path):
    path = tmp_path / "run.h5"
    result = call("run", "brunel_2000", *SMALL, "--time", 1, "--json", "--out", path)
    seed = json.loads(result.stdout)["seed"]
    assert str(seed) in result.stderr
    assert file_info(path)["seed"] == seed


def test_dry_run_tells_what_the_full_microcircuit_needs():
    """77,169 neurons and 298,880,968 synapses of 6 bytes each."""
    plan = told("run", "potjans_2014", "--precision", "single", "--threads", 2, "--seed", 1, "--dry-run")
    assert (plan["neurons"], plan["synapses"]) == (77_169, 298_880_968)
    assert 1.8 < plan["memory_gb"] < 4.0


def test_dry_run_of_what_does_not_fit():
    result = call("run", "potjans_2014", "--set", "N_scaling=30", "--seed", 1, "--dry-run")
    assert result.exit_code == 2
    assert ["fits", "False"] in [line.split() for line in result.stdout.splitlines()]
    assert result.stderr.startswith("spikesim: potjans_2014 needs ")
    assert "GB are free" in result.stderr


def test_digest_of_the_synapses():
    digests = {told(*BRUNEL, "--time", 1, "--digest", "--threads", n)["connectivity_sha256"] for n in (1, 2, 3)}
    assert len(digests) == 1
    assert "connectivity_sha256" not in told(*BRUNEL, "--time", 1)


def test_a_run_that_explodes_is_status_1_and_its_file_whole(tmp_path):
    result = call(*BRUNEL, "--time", 500, "--max-rate", 1, "--out", tmp_path / "run.h5")
    assert result.exit_code == 1
    assert "max_rate = 1 Hz" in result.stderr
    found = file_info(tmp_path / "run.h5")
    assert found["duration_ms"] == 100.0
    assert not found["completed"]
    assert call(*BRUNEL, "--time", 200, "--max-rate", 0).exit_code == 0


def test_info(spike_file):
    about = told("info", spike_file)
    assert about["completed"]
    assert about["duration_ms"] == 100.0
    assert len(about["spikes_sha256"]) == 64
    assert about["parameters"]["J"] == 1.0
    assert about["spikes_sha256"] in call("info", spike_file).stdout


def test_plot(spike_file, tmp_path):
    figure = tmp_path / "raster.png"
    assert told("plot", spike_file, "--out", figure, "--stop", 50)["figure"] == str(figure)
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_demo_writes_what_it_lists(tmp_path):
    folder = tmp_path / "demo"
    result = call("demo", "--images", 40, "--seed", 1, "--threads", 2, "--out", folder)
    assert result.exit_code == 0, result.stderr
    written = sorted(folder.iterdir())
    assert {p.suffix for p in written} == {".csv", ".png", ".h5", ".json"}
    assert all(str(path) in result.stdout for path in written)
    results = json.loads((folder / "results.json").read_text())
    assert results["triplets"]["error"]["TripletSTDP"] < results["triplets"]["error"]["PairSTDP"]
    assert 0.0 <= results["digits"]["test_error"] <= 100.0
    about = file_info(folder / "presentation.h5")
    assert about["completed"]
    assert about["duration_ms"] == 500.0
    assert about["populations"]["input"]["spikes"] > 0
    again = told("demo", "--images", 40, "--seed", 1, "--threads", 1, "--out", folder)
    assert again["digits"]["test_error"] == results["digits"]["test_error"]


def test_list_names_everything_and_describes_each():
    from spikesim.registry import discover

    text, everything = call("list").stdout, told("list")
    for kind in ("neuron", "rule", "protocol", "network"):
        for name, cls in discover(kind).items():
            assert name in text
            assert everything[kind][name]
            shown = call("list", name)
            assert shown.exit_code == 0
            assert all(parameter in shown.stdout for parameter in cls.parameters)
            told("list", name)


def test_cite_finds_a_source_of_everything():
    from spikesim.registry import discover

    for kind in ("rule", "protocol", "network"):
        for name in discover(kind):
            assert "https://doi.org/10." in call("cite", name).stdout, name
    assert ss.__version__ in call("cite").stdout
    assert told("cite", "TripletSTDP")["dois"] == ["10.1523/JNEUROSCI.1425-06.2006"]


def test_warmup_compiles():
    assert told("warmup", "--quiet")["seconds"] > 0


def test_help_and_version():
    assert call("--version").stdout.strip() == f"spikesim {ss.__version__}"
    for name in main.commands:
        result = call(name, "--help")
        assert result.exit_code == 0
        assert name in result.stdout


def test_is_a_program(tmp_path):
    """As its own process: a line on stderr, no traceback, and what Python was asked for at once."""
    words = [sys.executable, "-m", "spikesim"]
    done = subprocess.run([*words, "--version"], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, f"spikesim {ss.__version__}")
    done = subprocess.run([*words, "rnu"], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("spikesim: ")
    assert done.stderr.count("\n") == 1


# How it refuses


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["rnu"], "run"),
        (["run", "brunel_2000", "--tiem", "3"], "--time"),
        (["run", "brunel_2000", "--time", "long"], "long"),
        (["run", "brunel_2000", "--time", "0.05"], "multiple of dt"),
        (["run", "brunel_2000", "--time", "100", "--split", "200"], "split"),
        (["run", "brunel_200"], "brunel_2000"),
        (["run", "brunel_2000", "--set", "N_e=4"], "N_E"),
        (["run", "brunel_2000", "--set", "N_E"], "key=value"),
        (["run", "brunel_2000", "--set", "N_E=many"], "number"),
        (["run", "brunel_2000", "--set", "N_E=2.5"], "whole number"),
        (["run", "brunel_2000", "--set", "N_E=4", "--set", "N_E=5"], "twice"),
        (["run", "brunel_2000", "--set", "J=nan"], "NaN"),
        (["run", "brunel_2000", "--set", "delay=-1"], "delay"),
        (["run", "brunel_2000", "--set", "delay=0.01"], "dt"),
        (["run", "brunel_2000", "--precision", "half"], "single"),
        (["run", "brunel_2000", "--threads", "0"], "--threads"),
        (["run", "nowhere.py:Net"], "nowhere.py"),
        (["protocol", "wang_2005", "--rule", "TripletSDTP"], "TripletSTDP"),
        (["protocol", "wang_2005", "--rule", "PairSTDP", "--set", "tau_pls=3"], "tau_plus"),
        (["protocol", "wang_2005", "--rule", "PairSTDP", "--set", "tau_plus=-3"], "> 0"),
        (["protocol", "wang_2005", "--rule", "PairSTDP", "--set", "preset=song"], "song_2000"),
        (["protocol", "wang_2005", "--rule", "PairSTDP", "--out", "figure.gif"], ".png"),
        (["protocol", "wang_2005"], "--rule"),
        (["info", "nowhere.h5"], "nowhere.h5"),
        (["plot", "nowhere.h5"], "nowhere.h5"),
        (["cite", "TripletSDTP"], "TripletSTDP"),
        (["list", "LIFDelt"], "LIFDelta"),
    ],
)
def test_refuses_in_one_line(words, says):
    assert says in refused(*words)


def test_a_name_that_two_have_needs_a_prefix(tmp_path):
    rule = tmp_path / "ambiguous.py"
    rule.write_text(
        "from spikesim.plasticity import Rule\n\n\nclass Twin(Rule):\n    pairs: float = 1.0\n"
        "    reference = 'doi:10.1038/78829'\n\n    @staticmethod\n    def on_pre(w, pre, post, p):\n        return w\n"
    )
    words = ["protocol", "pairing", "--rule", f"{rule}:Twin"]
    assert "rule.pairs" in refused(*words, "--set", "pairs=3")
    result = told(*words, "--set", "protocol.pairs=3", "--set", "rule.pairs=0.5")
    assert result["parameters"]["protocol"]["pairs"] == 3
    assert result["parameters"]["rule"]["pairs"] == 0.5


@pytest.mark.parametrize(
    "words",
    [
        ["demo"],
        ["protocol", "wang_2005", "--rule", "PairSTDP"],
        ["run", "brunel_2000"],
        ["run", "guerguiev_2017"],
    ],
)
def test_unwritable_output_is_found_first(words, tmp_path):
    occupied = tmp_path / "file"
    occupied.write_text("in the way")
    assert str(occupied) in refused(*words, "--out", occupied / "out.png")


def test_does_not_overwrite_what_it_did_not_write(tmp_path):
    precious = tmp_path / "thesis.h5"
    precious.write_text("all my work")
    assert "not overwritten" in refused(*BRUNEL, "--out", precious)
    assert precious.read_text() == "all my work"


def test_truncated_mnist_file(tmp_path):
    from spikesim.data.mnist import FOLDER

    for path in FOLDER.glob("*.gz"):
        (tmp_path / path.name).symlink_to(path)
    broken = tmp_path / "t10k-labels-idx1-ubyte.gz"
    broken.unlink()
    shutil.copy(FOLDER / broken.name, broken)
    broken.write_bytes(broken.read_bytes()[:2000])
    assert str(broken) in refused("run", "guerguiev_2017", "--set", f"mnist_folder={tmp_path}")
    broken.write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\x27\x10abc"))
    assert "promises" in refused("run", "guerguiev_2017", "--set", f"mnist_folder={tmp_path}")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"weight": [1.0, 2.0]}, "weight"),
        ({"weight": [1.0, float("nan"), 2.0]}, "weight"),
        ({"weight": float("nan")}, "weight"),
        ({"delay": -1.0}, "delay"),
        ({"delay": 0.01}, "delay"),
        ({"delay": [1.0, 1.0, 0.05]}, "delay"),
        ({"receptor": "excitatry"}, "excitatory"),
    ],
)
def test_network_refuses_before_it_compiles(given, says):
    from spikesim.models.neurons.lif import LIF

    net = ss.Network(seed=1)
    a = net.add(LIF(), 3, name="a")
    with numba.core.event.install_recorder("numba:compile") as compiled, pytest.raises(SpikesimError, match=says):
        net.connect(a, a, ss.OneToOne(), **given)
    assert not compiled.buffer


# How it ends


def _started(path, *words):
    """A long run in a process of its own, as soon as its file holds spikes."""
    words = [sys.executable, "-m", "spikesim", *BRUNEL, "--time", "10000000", "--out", str(path), *words]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        time.sleep(0.1)
        assert process.poll() is None, process.stderr.read()
        if path.exists() and os.path.getsize(path) > 0:
            try:
                if file_info(path)["spikes_total"]:
                    return process
            except SpikesimError:
                continue  # it is being written to at this moment
    process.kill()
    raise AssertionError("no spikes within a minute")


def test_killed_run_leaves_a_whole_file(tmp_path):
    path = tmp_path / "killed.h5"
    process = _started(path)
    process.kill()
    process.communicate()
    about = told("info", path)
    assert about["completed"] is False
    assert about["spikes_total"] > 0
    whole = tmp_path / "whole.h5"
    assert call(*BRUNEL, "--time", about["duration_ms"], "--out", whole).exit_code == 0
    assert told("info", whole)["spikes_sha256"] == about["spikes_sha256"]


def test_interrupted_run_tells_what_it_kept(tmp_path):
    path = tmp_path / "stopped.h5"
    process = _started(path)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert str(path) in errors.splitlines()[-1]
    assert "Traceback" not in errors
    about = told("info", path)
    assert about["completed"] is False
    assert np.isfinite(about["duration_ms"])


def test_a_failing_disk_is_status_1(monkeypatch):
    from spikesim.errors import RunError
    from spikesim.experiment import NetworkModel

    def fail(self, options):
        raise RunError("the disk is full")

    monkeypatch.setattr(NetworkModel, "simulate", fail)
    result = call(*BRUNEL)
    assert (result.exit_code, result.stderr) == (1, "spikesim: the disk is full\n")
