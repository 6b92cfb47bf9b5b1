"""Spike files: what is written is read, by us and by others, also after kill -9."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikesim.errors import SpikesimError
from spikesim.sonata import read_spikes, spikes_digest
from spikesim.spike_writer import CHUNK, SpikeWriter, _Column


def trains(count: int, neurons: int, seed: int = 0, per_step: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """`count` spikes in the order (step, id)."""
    rng = np.random.default_rng(seed)
    steps = np.sort(rng.integers(1, max(2, count // per_step), count))
    ids = rng.integers(0, neurons, count)
    order = np.lexsort((ids, steps))
    return steps[order], ids[order]


def write(path: Path, given: dict[str, tuple[np.ndarray, np.ndarray]], pieces: int = 1, **more: object) -> None:
    sizes = {name: 100 for name in given}
    with SpikeWriter(path, sizes, 0.1, 7, {"parameters": {"tau_m": np.float64(10.0)}}, **more) as writer:
        for part in range(pieces):
            for name, (steps, ids) in given.items():
                cut = slice(len(steps) * part // pieces, len(steps) * (part + 1) // pieces)
                writer.append(name, steps[cut], ids[cut])
            writer.flush(100.0 * (part + 1))


# Around one and two chunks, with and without flushes between: all ways in which a chunk can reach the disk.
@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("pieces", [1, 2, 7, 40])
@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5])
def test_round_trip(tmp_path, count, pieces, compress):
    given = {"exc": trains(count, 100), "inh": trains(count // 3, 100, seed=1)}
    write(tmp_path / "run.h5", given, pieces, compress=compress)
    file = read_spikes(tmp_path / "run.h5")
    for name, (steps, ids) in given.items():
        got_steps, got_times, got_ids = file.populations[name]
        np.testing.assert_array_equal(got_steps, steps)
        np.testing.assert_array_equal(got_ids, ids)
        np.testing.assert_array_equal(got_times, steps * 0.1)  # to the bit
    assert (file.dt, file.seed, file.completed) == (0.1, 7, True)
    assert file.duration_ms == 100.0 * pieces
    assert file.sizes == {"exc": 100, "inh": 100}
    assert file.parameters == {"tau_m": 10.0}
    assert file.started <= file.ended


def test_layout_is_sonata(tmp_path):
    write(tmp_path / "run.h5", {"exc": trains(1000, 100)}, pieces=3)
    with h5py.File(tmp_path / "run.h5") as file:
        assert file.attrs["magic"] == 0x0A7A
        assert file.attrs["magic"].dtype == np.uint32
        assert file.attrs["version"].dtype == np.uint32
        assert file.attrs["version"].shape == (2,)
        group = file["spikes/exc"]
        kind = h5py.check_enum_dtype(group.attrs.get_id("sorting").dtype)
        assert kind == {"none": 0, "by_id": 1, "by_time": 2}
        assert group.attrs["sorting"] == 2
        times, ids = group["timestamps"], group["node_ids"]
        assert times.attrs["units"] == "ms"
        assert (times.dtype, ids.dtype) == (np.dtype("<f8"), np.dtype("<u8"))
        for column, packed in ((times, None), (ids, None), (file["spikesim/steps/exc"], "gzip")):
            assert (column.compression, column.chunks, column.maxshape) == (packed, (CHUNK,), (None,))
        assert set(file["spikesim"]) == {"steps"}


def test_libsonata_agrees(tmp_path):
    libsonata = pytest.importorskip("libsonata")
    steps, ids = trains(CHUNK + 1000, 100)
    write(tmp_path / "run.h5", {"exc": (steps, ids)}, pieces=5)
    reader = libsonata.SpikeReader(str(tmp_path / "run.h5"))
    assert reader.get_population_names() == ["exc"]
    got = reader["exc"].get_dict()
    assert reader["exc"].time_units == "ms"
    np.testing.assert_array_equal(got["timestamps"], steps * 0.1)
    np.testing.assert_array_equal(got["node_ids"], ids)
    assert reader["exc"].sorting == "by_time"


counts = st.lists(st.integers(0, 400), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=counts, seed=st.integers(0, 2**32 - 1), data=st.data())
def test_any_appends_and_flushes(tmp_path, monkeypatch, sizes, seed, data):
    monkeypatch.setattr("spikesim.spike_writer.CHUNK", 128)
    monkeypatch.setattr("spikesim.sonata.CHUNK", 128)
    steps, ids = trains(sum(sizes), 50, seed)
    path, ends = tmp_path / "any.h5", np.cumsum(sizes)
    with SpikeWriter(path, {"a": 50, "b": 50}, 0.5, seed) as writer:
        for begin, end in zip(ends - sizes, ends, strict=True):
            writer.append(data.draw(st.sampled_from("ab"), label="population"), steps[begin:end], ids[begin:end])
            if data.draw(st.booleans(), label="flush"):
                writer.flush(float(end))
                now = read_spikes(path)  # as a notebook may, while the run goes on in the same process
                held = np.concatenate([t.steps * 1000 + t.ids for t in now.populations.values()])
                np.testing.assert_array_equal(np.sort(held), np.sort(steps[:end] * 1000 + ids[:end]))
                assert now.duration_ms == end
                assert now.completed is False
    file = read_spikes(path)
    both = [train for train in file.populations.values() if len(train)]
    order = np.argsort(np.concatenate([t.steps for t in both]) if both else [], kind="stable")
    np.testing.assert_array_equal(np.concatenate([t.steps for t in both])[order] if both else [], steps)
    assert sorted(np.concatenate([t.ids for t in both]).tolist() if both else []) == sorted(ids.tolist())
    np.testing.assert_array_equal(np.concatenate([t.times / 0.5 for t in both])[order] if both else [], steps)


CHILD = """
import sys, numpy as np
from spikesim.spike_writer import SpikeWriter
path, log, per, steps, compress = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
writer = SpikeWriter(path, {"e": per, "i": per}, 0.1, 7, compress=bool(compress))
log, ids, block = open(log, "wb", buffering=0), np.arange(per), 0
while True:
    for step in range(block * steps + 1, (block + 1) * steps + 1):
        for name in "ei":
            writer.append(name, np.full(per, step), ids)
    block += 1
    writer.flush(block * steps * 0.1)
    log.write(b"x")  # one byte for each block that is said to be on disk
"""


@pytest.mark.parametrize("compress", [1, 0])
@pytest.mark.parametrize(("per", "steps"), [(97, 3), (1000, 50), (20_000, 2)])
def test_sigkill_loses_at_most_the_last_block(tmp_path, per, steps, compress):
    path, log = tmp_path / "killed.h5", tmp_path / "log"
    child = subprocess.Popen([sys.executable, "-c", CHILD, path, log, str(per), str(steps), str(compress)])
    try:
        deadline = time.monotonic() + 30
        while not (log.exists() and log.stat().st_size > 1) and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.2))
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    blocks = log.stat().st_size
    assert blocks > 1
    file = read_spikes(path)
    assert file.completed is False
    assert file.ended is None
    assert file.duration_ms >= blocks * steps * 0.1 - 1e-9
    for train in file.populations.values():
        got_steps, got_times, got_ids = train
        assert len(train) >= blocks * steps * per
        index = np.arange(len(train))
        np.testing.assert_array_equal(got_steps, index // per + 1)
        np.testing.assert_array_equal(got_ids, index % per)
        np.testing.assert_array_equal(got_times, got_steps * 0.1)
    with h5py.File(path, "r") as plain:  # and with nothing of ours, locks as they come
        assert len(plain["spikes/e/timestamps"]) >= blocks * steps * per


def test_slots_are_reused_and_left_behind(tmp_path):
    # Thousands of flushes in compressed chunks must not leave thousands of old tails in the file.
    steps, ids = trains(6 * CHUNK, 100)
    write(tmp_path / "once.h5", {"exc": (steps, ids)}, pieces=1, compress=True)
    sizes = []
    writer = SpikeWriter(tmp_path / "often.h5", {"exc": 100}, 0.1, 7, compress=True)
    for begin in range(0, len(steps), 3000):
        writer.append("exc", steps[begin : begin + 3000], ids[begin : begin + 3000])
        writer.flush(float(begin))
        sizes.append((tmp_path / "often.h5").stat().st_size)
    once = (tmp_path / "once.h5").stat().st_size
    assert max(sizes) < once + 2 * 3 * 8 * CHUNK + 100_000
    writer.close(duration_ms=1.0)
    assert (tmp_path / "often.h5").stat().st_size < 1.02 * once


def test_what_is_committed_is_not_overwritten(tmp_path, monkeypatch):
    # The promise behind the test above: a sealed chunk never goes where its uncompressed twin still is.
    sealed = []

    def watched(column: _Column, disk: object, first: int, old: int, values: np.ndarray) -> None:
        slot = column.slot
        seal(column, disk, first, old, values)
        place = column.data.id.get_chunk_info_by_coord((first,))
        spare = column.spare.id.get_chunk_info(0).byte_offset if slot is not None else None
        sealed.append((slot, spare, place.byte_offset, place.byte_offset + place.size))

    seal = _Column.seal
    monkeypatch.setattr(_Column, "seal", watched)
    write(tmp_path / "run.h5", {name: trains(4 * CHUNK, 100, per_step=3) for name in "abc"}, pieces=23, compress=True)
    moved = [one for one in sealed if one[0] is not None]
    assert len(moved) >= 3 * 3 * 4 - 3
    for slot, spare, begin, end in moved:
        assert spare == slot
        assert end <= slot or begin >= slot + 8 * CHUNK


def test_cut_short_and_closed_twice(tmp_path):
    writer = SpikeWriter(tmp_path / "run.h5", {"exc": 10}, 0.1, 2**64 - 1)
    writer.append("exc", np.array([3]), np.array([4]))
    writer.close(completed=False, duration_ms=12.5)
    writer.close()
    file = read_spikes(tmp_path / "run.h5")
    assert (file.completed, file.duration_ms, file.seed) == (False, 12.5, 2**64 - 1)
    assert file.populations["exc"].ids.tolist() == [4]

    def fails() -> None:
        with SpikeWriter(tmp_path / "run.h5", {"exc": 10}, 0.1, 1):
            raise ZeroDivisionError

    pytest.raises(ZeroDivisionError, fails)
    assert read_spikes(tmp_path / "run.h5").completed is False


def one_line(error: pytest.ExceptionInfo[Exception], *parts: str) -> None:
    text = str(error.value)
    assert "\n" not in text
    for part in parts:
        assert part in text


def test_a_rerun_overwrites_its_own_file_only(tmp_path):
    path = tmp_path / "run.h5"
    write(path, {"exc": trains(500, 100)})
    write(path, {"inh": trains(20, 100)})
    assert list(read_spikes(path).populations) == ["inh"]

    notes = tmp_path / "notes.txt"
    notes.write_text("do not lose me")
    with pytest.raises(SpikesimError) as error:
        SpikeWriter(notes, {"exc": 1}, 0.1, 1)
    one_line(error, str(notes), "not overwritten")
    assert notes.read_text() == "do not lose me"

    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["weights"] = np.arange(5)
    with pytest.raises(SpikesimError, match="not a spike file of spikesim"):
        SpikeWriter(other, {"exc": 1}, 0.1, 1)
    with h5py.File(other) as file:
        assert file["weights"][:].tolist() == [0, 1, 2, 3, 4]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes.txt", "other.h5", "run.h5"]


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(SpikesimError) as error:
        SpikeWriter(tmp_path / "nowhere" / "run.h5", {"exc": 1}, 0.1, 1)
    one_line(error, str(tmp_path / "nowhere"), "does not exist")
    with pytest.raises(SpikesimError) as error:
        SpikeWriter(tmp_path, {"exc": 1}, 0.1, 1)
    one_line(error, str(tmp_path), "is a folder")
    with pytest.raises(SpikesimError, match="cannot be called 'a/b'"):
        SpikeWriter(tmp_path / "run.h5", {"a/b": 1}, 0.1, 1)
    assert list(tmp_path.iterdir()) == []


def test_no_permission(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root, who may do all
    with pytest.raises(SpikesimError) as error:
        SpikeWriter(tmp_path / "run.h5", {"exc": 1}, 0.1, 1)
    one_line(error, "run.h5", "permissions")


FULL = """
import resource, signal, sys, numpy as np
from spikesim.errors import RunError
from spikesim.spike_writer import SpikeWriter
path, limit, per = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
writer = SpikeWriter(path, {"e": per}, 0.1, 7)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
ids, step = np.arange(per), 0
try:
    while True:
        step += 1
        writer.append("e", np.full(per, step), ids)
        writer.flush(step * 0.1)
except RunError as error:
    print(step - 1, error)
writer.close(completed=False)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a file's size can be limited on POSIX only")
@pytest.mark.parametrize(("per", "limit"), [(5000, 1_000_000), (5000, 1_700_000), (8000, 3_210_000), (70_000, 900_000)])
def test_full_disk_during_a_run(tmp_path, per, limit):
    arguments = [sys.executable, "-c", FULL, str(tmp_path / "full.h5"), str(limit), str(per)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    said = done.stdout.splitlines()
    assert len(said) == 1
    blocks = int(said[0].split()[0])
    assert "cannot be written (File too large)" in said[0]
    file = read_spikes(tmp_path / "full.h5")
    assert file.completed is False
    steps, times, ids = file.populations["e"]
    assert len(steps) >= blocks * per
    index = np.arange(len(steps))
    np.testing.assert_array_equal(steps, index // per + 1)
    np.testing.assert_array_equal(ids, index % per)
    np.testing.assert_array_equal(times, steps * 0.1)


def test_full_disk_at_the_start(tmp_path, monkeypatch):
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with SpikeWriter(tmp_path / "run.h5", {"exc": 1}, 0.1, 1) as writer:
        writer.append("exc", np.array([1]), np.array([0]))
    monkeypatch.setattr("spikesim.spike_writer._skeleton", no_room)
    with pytest.raises(SpikesimError) as error:
        SpikeWriter(tmp_path / "run.h5", {"exc": 1}, 0.1, 1)
    one_line(error, "run.h5", "No space left", "make room")
    assert read_spikes(tmp_path / "run.h5").populations["exc"].ids.tolist() == [0]  # the old file is as it was
    assert [p.name for p in tmp_path.iterdir()] == ["run.h5"]


def test_broken_files_are_named(tmp_path):
    path = tmp_path / "run.h5"
    with pytest.raises(SpikesimError) as error:
        read_spikes(path)
    one_line(error, str(path), "does not exist")
    with pytest.raises(SpikesimError, match="is a folder"):
        read_spikes(tmp_path)
    path.write_bytes(b"neuron,time\n1,0.5\n")
    with pytest.raises(SpikesimError) as error:
        read_spikes(path)
    one_line(error, str(path), "not an HDF5 file")
    path.unlink()
    write(path, {"exc": trains(5000, 100)})
    whole = path.read_bytes()
    for share in (0.2, 0.5, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(SpikesimError) as error:
            read_spikes(path)
        one_line(error, str(path), "cut short")
    with h5py.File(path, "w") as file:
        file["weights"] = 1
    with pytest.raises(SpikesimError, match="holds no /spikes"):
        read_spikes(path)
    with h5py.File(path, "w") as file:
        file["spikes/exc/timestamps"] = np.arange(3.0)
    with pytest.raises(SpikesimError, match="no /spikes/exc/node_ids"):
        read_spikes(path)


def test_a_torn_last_commit_is_trimmed(tmp_path):
    path = tmp_path / "run.h5"
    write(path, {"exc": trains(100, 100)})
    with h5py.File(path, "r+") as file:
        file["spikes/exc/timestamps"].resize((130,))
        file["spikes/exc/node_ids"].resize((120,))
        file["spikesim/steps/exc"].resize((140,))
    assert len(read_spikes(path).populations["exc"]) == 100


@pytest.mark.parametrize(("units", "factor"), [("ms", 1.0), ("s", 1000.0)])
def test_files_of_others(tmp_path, units, factor):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["spikes/cortex/timestamps"] = np.array([0.25, 0.5, 0.125])
        file["spikes/cortex/timestamps"].attrs["units"] = units
        file["spikes/cortex/node_ids"] = np.array([2, 0, 1], np.uint64)
    file = read_spikes(tmp_path / "other.h5")
    steps, times, ids = file.populations["cortex"]
    assert steps is None
    assert times.tolist() == [0.25 * factor, 0.5 * factor, 0.125 * factor]
    assert ids.tolist() == [2, 0, 1]
    assert (file.dt, file.seed, file.completed, file.sizes) == (None, None, None, {"cortex": None})
    with pytest.raises(SpikesimError, match="does not tell dt"):
        spikes_digest(file.populations)


def test_digest_is_of_the_spikes_alone(tmp_path):
    spikes = {"exc": trains(CHUNK + 77, 100), "inh": trains(50, 100, seed=3)}
    wanted = spikes_digest(spikes)
    for name, pieces, compress in (("a", 1, True), ("b", 9, True), ("c", 4, False)):
        write(tmp_path / name, spikes, pieces, compress=compress)
        assert spikes_digest(read_spikes(tmp_path / name).populations) == wanted
    rng = np.random.default_rng(5)
    shuffled = {}
    for name in ("inh", "exc"):
        order = rng.permutation(len(spikes[name][0]))
        shuffled[name] = tuple(column[order] for column in spikes[name])
    assert spikes_digest(shuffled) == wanted
    write(tmp_path / "d", shuffled)  # not in order in the file either
    assert spikes_digest(read_spikes(tmp_path / "d").populations) == wanted

    steps, ids = spikes["inh"]
    other = np.where(np.arange(50) == 20, (ids + 1) % 100, ids)
    assert spikes_digest({**spikes, "inh": (steps, other)}) != wanted
    assert spikes_digest({**spikes, "inh": (steps + 1, ids)}) != wanted
    assert spikes_digest({"exc": spikes["inh"], "inh": spikes["exc"]}) != wanted


def test_digest_by_hand():
    numbers = (1, ord("a"), 2, 5, 1, 5, 3, 1, ord("b"), 0)
    letters = {1: b"a", 8: b"b"}
    raw = b"".join(letters.get(i, int(n).to_bytes(8, "little")) for i, n in enumerate(numbers))
    given = {"b": (np.array([], int), np.array([], int)), "a": (np.array([5, 5]), np.array([3, 1]))}
    assert spikes_digest(given) == hashlib.sha256(raw).hexdigest()
