"""What a spike file says in numbers and as a figure."""

from __future__ import annotations

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest

from spikesim.errors import SpikesimError
from spikesim.info import file_info, format_info
from spikesim.plot import MAX_POINTS, _bands, _edges, _shares, plot_raster
from spikesim.sonata import read_spikes, spikes_digest
from spikesim.spike_writer import SpikeWriter


@pytest.fixture
def run(tmp_path):
    """One second: `exc` of 20 neurons fires 40 spikes, `quiet` of 5 none, `input` of 300 with 3000."""
    rng = np.random.default_rng(1)
    path = tmp_path / "run.h5"
    with SpikeWriter(path, {"exc": 20, "quiet": 5, "input": 300}, 0.1, 11, {"parameters": {"dt": 0.1}}) as writer:
        writer.append("exc", np.arange(1, 41) * 250, np.arange(40) % 20)
        writer.append("input", np.sort(rng.integers(1, 10001, 3000)), rng.integers(0, 300, 3000))
        writer.flush(1000.0)
    return path


def test_info(run):
    info = json.loads(json.dumps(file_info(run)))
    assert info["file"] == str(run)
    assert (info["seed"], info["dt_ms"], info["duration_ms"], info["completed"]) == (11, 0.1, 1000.0, True)
    assert info["populations"] == {
        "exc": {"neurons": 20, "spikes": 40, "rate_hz": 2.0},
        "input": {"neurons": 300, "spikes": 3000, "rate_hz": 10.0},
        "quiet": {"neurons": 5, "spikes": 0, "rate_hz": 0.0},
    }
    assert info["spikes_total"] == 3040
    assert info["spikes_sha256"] == spikes_digest(read_spikes(run).populations)
    assert info["parameters"] == {"dt": 0.1}
    text = format_info(info)
    for part in ("seed 11", "dt 0.1 ms", "1,000 ms", "complete", "2.00 Hz", "3,040", info["spikes_sha256"]):
        assert part in text


def test_info_of_a_run_that_was_cut_short_and_of_others(tmp_path):
    writer = SpikeWriter(tmp_path / "cut.h5", {"exc": 3}, 0.1, 1)
    assert file_info(tmp_path / "cut.h5")["populations"]["exc"]["rate_hz"] is None  # of no duration yet
    writer.close(completed=False, duration_ms=5.0)
    assert "NOT complete" in format_info(file_info(tmp_path / "cut.h5"))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["spikes/cortex/timestamps"] = np.array([0.25, 0.5])
        file["spikes/cortex/node_ids"] = np.array([2, 0], np.uint64)
    info = file_info(tmp_path / "other.h5")
    assert info["populations"] == {"cortex": {"neurons": None, "spikes": 2, "rate_hz": None}}
    assert (info["seed"], info["dt_ms"], info["spikes_sha256"]) == (None, None, None)
    assert "not written by spikesim" in format_info(info)
    plot_raster(tmp_path / "other.h5", tmp_path / "other.png")
    assert (tmp_path / "other.png").stat().st_size > 1000


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_figures(run, tmp_path, ending, start):
    figure = tmp_path / f"figure.{ending}"
    plot_raster(run, figure, t_start=100.0, t_stop=600.0, max_neurons=50)
    content = figure.read_bytes()
    assert content.startswith(start)
    assert len(content) > 5000
    if ending == "svg":
        for words in (b"time (ms)", b"rate (Hz)", b"mean rate (Hz)", b"exc", b"seed 11"):
            assert words in content


def test_what_is_drawn(run):
    file = read_spikes(run)
    edges = _edges(file, 0.0, 1000.0)
    assert (edges[0], edges[-1]) == (0.0, 1000.0)
    exc, quiet, inputs = _bands(file, 65, edges)
    assert [b.name for b in (exc, quiet, inputs)] == ["exc", "quiet", "input"]
    assert [b.share for b in (exc, quiet, inputs)] == [20, 5, 40]
    assert [b.total for b in (exc, quiet, inputs)] == [40, 0, 3000]  # rates are of all neurons
    np.testing.assert_array_equal(exc.rows, np.arange(40) % 20)
    np.testing.assert_array_equal(exc.times, np.arange(1, 41) * 250 * 0.1)
    shown = np.linspace(0, 299, 40).round().astype(int)
    assert len(inputs.rows) == np.isin(file.populations["input"].ids, shown).sum()
    # Closed on the right, rounding or not: the spikes at 25 and 50 ms lie in the first of these bins.
    np.testing.assert_array_equal(_bands(file, 65, np.array([0.0, 50.0, 100.0]))[0].counts, [2, 2])


def test_shares_and_limits():
    assert _shares([1000, 10], 100) == [90, 10]
    assert _shares([1000, 1000, 20], 100) == [40, 40, 20]
    assert _shares([3, 4], 100) == [3, 4]
    assert _shares([5, 5, 5], 1) == [1, 1, 1]
    assert MAX_POINTS > 100_000


def test_many_points_become_an_image(tmp_path):
    sizes = []
    for count in (90_000, 110_000):
        path = tmp_path / f"{count}.h5"
        with SpikeWriter(path, {"exc": 1000}, 0.1, 1) as writer:
            writer.append("exc", np.arange(count) // 20 + 1, np.arange(count) * 7 % 1000)
            writer.flush(count / 20 * 0.1)
        plot_raster(path, path.with_suffix(".svg"))
        sizes.append(path.with_suffix(".svg").stat().st_size)
    assert sizes[1] < sizes[0] / 5


def test_what_cannot_be_drawn(run, tmp_path):
    for wanted, more in (
        ("t_start < t_stop", {"t_start": 5.0, "t_stop": 5.0}),
        ("max_neurons must be at least 1", {"max_neurons": 0}),
    ):
        with pytest.raises(SpikesimError, match=wanted):
            plot_raster(run, tmp_path / "figure.png", **more)
    with pytest.raises(SpikesimError, match="'.doc'; use one of"):
        plot_raster(run, tmp_path / "figure.doc")
    with pytest.raises(SpikesimError, match="cannot be written"):
        plot_raster(run, tmp_path / "nowhere" / "figure.png")
    with pytest.raises(SpikesimError, match="does not exist"):
        plot_raster(tmp_path / "none.h5", tmp_path / "figure.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.h5"]


def test_nothing_heavy_is_imported_and_pyplot_never(run, tmp_path):
    code = (
        "import sys, spikesim.plot, spikesim.info\n"
        "assert 'matplotlib' not in sys.modules\n"
        f"spikesim.plot.plot_raster({str(run)!r}, {str(tmp_path / 'f.png')!r})\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "print('fine')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "fine"
