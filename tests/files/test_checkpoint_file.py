"""The checkpoint file itself: all or nothing, and whoever cannot read it is told why."""

import math
import os
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikesim import __version__
from spikesim.checkpoint import read_checkpoint, write_checkpoint
from spikesim.errors import SpikesimError
from spikesim.spike_writer import SpikeWriter

ARRAYS = {
    "state": np.linspace(0.0, 1.0, 3000),
    "layer 1/weights": np.arange(12, dtype=np.float32).reshape(3, 4),
    "layer 1/empty": np.zeros((0, 5), dtype=np.int32),
    "mask": np.array([True, False]),
    "one": np.float64(math.pi),
}
ATTRS = {"step": 2**60, "words": ["é", {"a": None}], "far": math.inf, "dt": 0.1, "long": "x" * 100_000}


@pytest.fixture
def path(tmp_path):
    write_checkpoint(tmp_path / "a.h5", "test", ATTRS, ARRAYS)
    return tmp_path / "a.h5"


def same(arrays):
    return arrays.keys() == ARRAYS.keys() and all(
        np.asarray(arrays[name]).tobytes() == np.asarray(array).tobytes()
        and arrays[name].dtype == array.dtype
        and arrays[name].shape == array.shape
        for name, array in ARRAYS.items()
    )


def test_what_is_read_is_what_was_written(path):
    found = read_checkpoint(path, "test")
    assert found.attrs == ATTRS
    assert same(found.arrays)
    assert (found.kind, found.version, found.path) == ("test", __version__, path)
    assert os.listdir(path.parent) == ["a.h5"]


def test_a_new_one_replaces_the_old(path):
    write_checkpoint(path, "other", {"step": 1}, {})
    found = read_checkpoint(path)
    assert (found.kind, found.attrs, found.arrays) == ("other", {"step": 1}, {})


@settings(max_examples=15, deadline=None)
@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_a_file_that_was_cut_short_is_refused(tmp_path_factory, share):
    folder = tmp_path_factory.mktemp("cut")
    write_checkpoint(folder / "a.h5", "test", ATTRS, ARRAYS)
    whole = (folder / "a.h5").read_bytes()
    (folder / "b.h5").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(SpikesimError, match=r"b\.h5 is not a whole checkpoint"):
        read_checkpoint(folder / "b.h5")


def test_a_changed_number_is_noticed(path):
    whole = path.read_bytes()
    place = whole.index(ARRAYS["state"][:100].tobytes()) + 8 * 50
    path.write_bytes(whole[:place] + b"\x7f" + whole[place + 1 :])
    with pytest.raises(SpikesimError, match="cut short or damaged"):
        read_checkpoint(path)


def edited(path, **attrs):
    with h5py.File(path, "r+") as file:
        for name, value in attrs.items():
            file["spikesim"].attrs[name] = value
    return path


def test_other_versions_are_told_apart(path):
    with pytest.raises(SpikesimError, match=r"spikesim 0\.0\.7 in format 99, and this is spikesim .*format 1"):
        read_checkpoint(edited(path, version="0.0.7", format=99), allow_changed=True)
    edited(path, format=1, source_digest="0" * 16)
    with pytest.raises(SpikesimError, match=rf"0\.0\.7, and this is {__version__}: .*allow-changed"):
        read_checkpoint(path)
    assert same(read_checkpoint(path, allow_changed=True).arrays)
    with pytest.raises(SpikesimError, match="source, Numba or Python has changed"):
        read_checkpoint(edited(path, version=__version__))
    with pytest.raises(SpikesimError, match="never finished"):
        read_checkpoint(edited(path, completed=False), allow_changed=True)


def test_other_files_are_refused_and_left_alone(tmp_path, path):
    with pytest.raises(SpikesimError, match="checkpoint of a test, not of a network"):
        read_checkpoint(path, "network")
    with pytest.raises(SpikesimError, match="no such file"):
        read_checkpoint(tmp_path / "nowhere.h5")
    notes, spikes = tmp_path / "notes.txt", tmp_path / "spikes.h5"
    notes.write_text("mine")
    with SpikeWriter(spikes, {"a": 1}, 0.1, 1) as writer:
        writer.append("a", np.array([3]), np.array([0]))
    before = spikes.read_bytes()
    with pytest.raises(SpikesimError, match=r"notes\.txt is not a whole checkpoint"):
        read_checkpoint(notes)
    with pytest.raises(SpikesimError, match="not a checkpoint of spikesim; it may be a file of spikes"):
        read_checkpoint(spikes)
    for other in (notes, spikes):
        with pytest.raises(SpikesimError, match="is not a checkpoint file of spikesim, so it is not overwritten"):
            write_checkpoint(other, "test", {}, {})
    assert notes.read_text() == "mine"
    assert spikes.read_bytes() == before
    with pytest.raises(SpikesimError, match="the folder .* does not exist"):
        write_checkpoint(tmp_path / "no" / "a.h5", "test", {}, {})


def test_what_cannot_be_kept_leaves_the_old_one(path):
    with pytest.raises(SpikesimError, match="numbers, strings, lists and dictionaries"):
        write_checkpoint(path, "test", {"a": object()}, {})
    with pytest.raises(SpikesimError, match="arrays of numbers; 'names'"):
        write_checkpoint(path, "test", {}, {"names": np.array(["a"])})
    assert same(read_checkpoint(path, "test").arrays)
    assert os.listdir(path.parent) == ["a.h5"]


def test_a_full_disk_leaves_the_old_one(path, monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("spikesim.checkpoint.to_disk", full)
    with pytest.raises(SpikesimError, match="cannot be written .No space left"):
        write_checkpoint(path, "test", {}, {})
    assert same(read_checkpoint(path, "test").arrays)
    assert os.listdir(path.parent) == ["a.h5"]


KILLED = """
import os, signal, sys
import h5py, numpy as np
from spikesim import checkpoint

def killed(*given, **named):
    os.kill(os.getpid(), signal.SIGKILL)

where, path = sys.argv[1:]
if where == "between arrays":
    real, left = h5py.Group.create_dataset, [4]
    def some(self, name, *given, **named):
        left[0] -= 1
        return real(self, name, *given, **named) if left[0] else killed()
    h5py.Group.create_dataset = some
else:
    os.replace = killed
checkpoint.write_checkpoint(path, "test", {"step": 2}, {str(k): np.full(9999, k) for k in range(9)})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("where", ["between arrays", "before it is renamed"])
def test_a_kill_while_it_is_written_leaves_the_old_one(path, where):
    done = subprocess.run([sys.executable, "-c", KILLED, where, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(os.listdir(path.parent)) == 2  # what the dead process left
    assert same(read_checkpoint(path, "test").arrays)
    write_checkpoint(path, "test", {"step": 3}, {})
    assert os.listdir(path.parent) == ["a.h5"]
    assert read_checkpoint(path, "test").attrs == {"step": 3}
