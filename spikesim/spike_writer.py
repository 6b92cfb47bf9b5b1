"""Spikes on disk: HDF5 in the SONATA layout, written while the run goes on.

A reader that knows SONATA finds `/spikes/<population>/{timestamps, node_ids}`. We add `/spikesim`: in `steps`
the same spikes on the integer grid (timestamps = step * dt, a spike belongs to the end of its step, so steps
count from 1), and in its attributes all that is needed to run it again.

How a killed run leaves a whole file. The old HDF5 format keeps no mark for "open for writing", so what counts
is that bytes which the last commit refers to are never overwritten before the next one:

- A chunk that fills up is compressed and written once, to new space.
- A chunk that is not full at a flush lies uncompressed in a slot, to which later flushes only add at its end.
- When it does fill up, its compressed twin goes elsewhere, a `spare` dataset holds the slot until that is
  committed, and only then does the next chunk take the slot over.

What a commit rewrites in place is some words of metadata, a matter of microseconds.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikesim._version import __version__
from spikesim.errors import RunError, SpikesimError

CHUNK = 2**16
GZIP = 2  # measured: a level more or less changes the file by 5 %; from 4 on it takes half as long again
MAGIC, FORMAT = 0x0A7A, (0, 1)
SORTING = {"none": 0, "by_id": 1, "by_time": 2}
_SMALL = 64 * 2**20  # bytes; a file below this is copied at close, which leaves the empty slots behind


class _Column:
    """A dataset of 64-bit numbers that grows at its end; see above for what it must never do."""

    def __init__(self, file: h5py.File, group: str, name: str, dtype: str) -> None:
        self.name = f"{group}/{name}"
        self.data = file[self.name]
        self.compress = self.data.compression is not None
        self.file, self.spare_name, self.dtype = file, f"spikesim/spare/{self.name}", dtype
        self.spare: h5py.Dataset | None = None
        self.slot: int | None = None  # where in the file, in bytes, the chunk lies that is not full yet

    def extend(self, disk: Any, first: int, old: int, values: np.ndarray) -> None:
        """Put `values` on disk uncompressed; the chunk begins at row `first`, `old` of its rows are there."""
        if self.slot is None:
            if self.spare is not None:
                self.spare.id.set_extent((0,))
            whole = np.zeros(CHUNK, self.dtype)
            whole[: len(values)] = values
            self._put(first, len(values), whole.tobytes(), filter_mask=0b11 if self.compress else 0)
            self.slot = self.data.id.get_chunk_info_by_coord((first,)).byte_offset
            return
        disk.seek(self.slot + 8 * old)
        left = memoryview(values[old:].astype(self.dtype).tobytes())
        while left:
            left = left[disk.write(left) :]
        self.data.id.set_extent((first + len(values),))

    def seal(self, disk: Any, first: int, old: int, values: np.ndarray) -> None:
        """Finish the chunk as `extend` would, but compressed; its slot passes to the spare."""
        if not self.compress:
            self.extend(disk, first, old, values)
            self.slot = None
            return
        whole = np.zeros(CHUNK, self.dtype)
        whole[: len(values)] = values
        if self.slot is not None:
            if self.spare is None:
                self.spare = self.file.create_dataset(
                    self.spare_name, (0,), self.dtype, chunks=(CHUNK,), maxshape=(None,)
                )
            self.data.id.set_extent((first,))  # in memory only: frees the slot, for the spare to take
            self.spare.id.set_extent((CHUNK,))
            self.spare.id.write_direct_chunk((0,), whole.tobytes())  # the bytes that are there already
            self.slot = None
        shuffled = whole.view(np.uint8).reshape(CHUNK, 8).T.tobytes()
        self._put(first, len(values), zlib.compress(shuffled, GZIP), filter_mask=0)

    def _put(self, first: int, count: int, raw: bytes, filter_mask: int) -> None:
        """Write the chunk that begins at row `first` as it is to lie on disk; `count` of its rows hold."""
        self.data.id.set_extent((first + count,))
        self.data.id.write_direct_chunk((first,), raw, filter_mask=filter_mask)
        # HDF5 remembers the filters of the chunk it met last, and does not learn of this one's. A reader in
        # this very process shares that memory; closing the dataset clears it.
        self.data.id.close()
        self.data = self.file[self.name]


class _Population:
    """The spikes of one population that are not sealed yet, and the three columns they go to."""

    def __init__(self, file: h5py.File, name: str, dt: float) -> None:
        self.dt, self.count, self.saved = dt, 0, 0
        self.steps, self.ids = np.empty(CHUNK, np.int64), np.empty(CHUNK, np.int64)
        self.rests: np.ndarray | None = None  # of times between steps, in steps
        group = f"spikes/{name}"
        self.columns = (
            _Column(file, group, "timestamps", "<f8"),
            _Column(file, group, "node_ids", "<u8"),
            _Column(file, "spikesim/steps", name, "<i8"),
        )
        self.first = len(self.columns[0].data)

    def values(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        steps, ids = self.steps[: self.count], self.ids[: self.count]
        times = steps if self.rests is None else steps + self.rests[: self.count]
        return times * self.dt, ids.astype(np.uint64), steps

    def save(self, disk: Any) -> None:
        if self.count > self.saved:
            for column, values in zip(self.columns, self.values(), strict=True):
                column.extend(disk, self.first, self.saved, values)
            self.saved = self.count

    def seal(self, disk: Any) -> None:
        for column, values in zip(self.columns, self.values(), strict=True):
            column.seal(disk, self.first, self.saved, values)
        self.first, self.count, self.saved = self.first + self.count, 0, 0


class SpikeWriter:
    """Writes spikes to a SONATA file while they are made; memory stays at 1 MB a population.

    Parameters
    ----------
    path
        The file; one that spikesim wrote earlier is replaced.
    populations
        Name -> number of neurons, for every population that is going to be recorded.
    dt
        The step of the clock in ms.
    seed
        The seed of the run, at least 0 and below 2**64.
    provenance
        What else the file tells about its making: `parameters` (anything JSON can hold), `source_digest`, ...
    compress
        True packs times and ids, too, which makes the file a fifth of the size, but then libsonata, whose wheels
        come with an HDF5 without gzip, cannot read it. The steps are always packed.

    Raises
    ------
    SpikesimError
        When the file cannot be written there, or is one that spikesim did not make.
    RunError
        From `append`, `flush` and `close`, when the disk gives out.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        populations: Mapping[str, int],
        dt: float,
        seed: int,
        provenance: Mapping[str, Any] | None = None,
        *,
        compress: bool = False,
    ) -> None:
        self.path = Path(os.path.realpath(path))
        for name in populations:
            if not name or "/" in name or name == "." or "\0" in name:
                raise SpikesimError(f"A population in a spike file cannot be called {name!r}; leave out '/'.")
        check_place(self.path)
        new = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        try:
            with h5py.File(new, "w", libver="earliest", locking=False) as file:
                _skeleton(file, populations, dt, seed, dict(provenance or {}), compress)
            os.replace(new, self.path)  # so a rerun that cannot even begin leaves the old file as it was
            self._open(populations, dt)
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink()
            raise cannot_write(self.path, error) from None

    @classmethod
    def going_on(cls, path: Path, populations: Iterable[str], dt: float) -> SpikeWriter:
        """The writer of a file that is there, which adds to it; each population in it has whole chunks only."""
        writer = cls.__new__(cls)
        writer.path = path
        writer._open(populations, dt)
        return writer

    def _open(self, populations: Iterable[str], dt: float) -> None:
        # No cache of chunks: a reader in this process would find there what `_disk` has added to since.
        self._file = h5py.File(self.path, "r+", libver="earliest", locking=False, rdcc_nbytes=0)
        self._disk = open(self.path, "r+b", buffering=0)
        self._failed = False
        self._about = self._file["spikesim"]
        self._populations = {name: _Population(self._file, name, float(dt)) for name in populations}

    def append(self, name: str, steps: np.ndarray, ids: np.ndarray, rests: np.ndarray | None = None) -> None:
        """Add spikes of population `name`: end steps from 1 and ids from 0, in the order (step, id).

        rests
            of times that are not whole steps, always or never: what is above them, in steps.
        """
        steps, ids = np.asarray(steps), np.asarray(ids)
        if steps.shape != ids.shape or steps.ndim != 1:
            raise ValueError(f"steps and ids are two rows of one length, not {steps.shape} and {ids.shape}")
        if self._failed:
            raise RunError(f"{self.path} could not be written to before; it holds what it held then.")
        population, done = self._populations[name], 0
        while done < len(steps):
            here = slice(population.count, min(CHUNK, population.count + len(steps) - done))
            taken = here.stop - here.start
            population.steps[here] = steps[done : done + taken]
            population.ids[here] = ids[done : done + taken]
            if rests is not None:
                population.rests = np.empty(CHUNK) if population.rests is None else population.rests
                population.rests[here] = rests[done : done + taken]
            population.count, done = here.stop, done + taken
            if population.count == CHUNK:
                with self._told():
                    slot_was_used = population.saved > 0
                    population.seal(self._disk)
                    if slot_was_used:  # nobody may write to the slot before this is on disk
                        self._file.flush()

    def flush(self, duration_ms: float) -> None:
        """Bring to disk all spikes so far; the run is `duration_ms` old. A kill later loses none of them.

        Does nothing after a failure, which was reported when it happened.
        """
        if self._failed:
            return
        with self._told():
            for population in self._populations.values():
                population.save(self._disk)
            self._about.attrs.modify("duration_ms", np.float64(duration_ms))
            self._file.flush()

    @property
    def closed(self) -> bool:
        """Whether the file was finished."""
        return not self._file

    def close(self, completed: bool = True, duration_ms: float | None = None) -> None:
        """Finish the file. Not `completed` marks a run that was cut short; a second call does nothing."""
        if not self._file:
            return
        had_slots = "spare" in self._about or any(p.saved for p in self._populations.values())
        try:
            if not self._failed:
                with self._told():
                    self._finish(completed, duration_ms)
        finally:
            with contextlib.suppress(OSError, RuntimeError):
                self._disk.close()
                self._file.close()
        if had_slots and not self._failed and self.path.stat().st_size < _SMALL:
            _squeeze(self.path)

    def _finish(self, completed: bool, duration_ms: float | None) -> None:
        if duration_ms is not None:
            self._about.attrs.modify("duration_ms", np.float64(duration_ms))
        for population in self._populations.values():
            if population.count:
                population.seal(self._disk)
        self._file.flush()
        if "spare" in self._about:
            del self._about["spare"]
        self._about.attrs["ended"] = now()
        self._about.attrs.modify("completed", np.bool_(completed))
        self._file.flush()

    def _abandon(self) -> None:
        """Leave the file as of its last commit, as a kill would: what HDF5 still means to write goes nowhere."""
        with contextlib.suppress(OSError), tempfile.TemporaryFile() as nowhere:
            os.dup2(nowhere.fileno(), self._file.id.get_vfd_handle())

    def __enter__(self) -> SpikeWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(completed=kind is None)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._failed = True
            self._abandon()
            raise RunError(str(cannot_write(self.path, error))) from error


def _skeleton(
    file: h5py.File,
    populations: Mapping[str, int],
    dt: float,
    seed: int,
    more: dict[str, Any],
    compress: bool,
) -> None:
    """Everything of a spike file but the spikes."""
    file.attrs["magic"] = np.uint32(MAGIC)
    file.attrs["version"] = np.array(FORMAT, np.uint32)
    more = {**more, "populations": json.dumps({name: int(n) for name, n in populations.items()})}
    about = write_about(file, dt, seed, more)
    file.create_group("spikes")
    about.create_group("steps")
    grows = {"shape": (0,), "maxshape": (None,), "chunks": (CHUNK,)}
    packed = {**grows, "shuffle": True, "compression": GZIP}
    plain = packed if compress else grows
    sorting = h5py.enum_dtype(SORTING, basetype="u1")
    for name in populations:
        group = file["spikes"].create_group(name)
        group.attrs.create("sorting", SORTING["by_time"], dtype=sorting)
        group.create_dataset("timestamps", dtype="<f8", **plain).attrs["units"] = "ms"
        group.create_dataset("node_ids", dtype="<u8", **plain)
        about["steps"].create_dataset(name, dtype="<i8", **packed)


def write_about(file: h5py.File, dt: float, seed: int, more: dict[str, Any]) -> h5py.Group:
    """`/spikesim`, whose attributes tell how the file was made, in a file that is not finished yet."""
    about = file.create_group("spikesim")
    known = {
        "version": __version__,
        "dt": np.float64(dt),
        "seed": np.uint64(seed),
        "parameters": json.dumps(more.pop("parameters", {}), default=_plain),
        "source_digest": str(more.pop("source_digest", "")),
        "started": now(),
        "ended": "",
        "duration_ms": np.float64(0.0),
        "completed": np.bool_(False),
    }
    for key, value in {**more, **known}.items():
        scalar = isinstance(value, (str, int, float, np.generic))
        about.attrs[key] = value if scalar else json.dumps(value, default=_plain)
    return about


def _squeeze(path: Path) -> None:
    """Copy a finished file, chunks as they are, which leaves out the space that nothing uses any more."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with (
            h5py.File(path, "r", locking=False) as old,
            h5py.File(new, "w", libver="earliest", locking=False) as file,
        ):
            for key, value in old.attrs.items():
                file.attrs[key] = value
            for key in old:
                old.copy(key, file)
        shutil.copymode(path, new)
        os.replace(new, path)
    except OSError:  # no room for two: the file is whole as it is
        with contextlib.suppress(OSError):
            new.unlink()


def check_place(path: Path, holds: str = "spikes") -> None:
    """Raise SpikesimError unless a file that `holds` spikes, or weights, may be made, or made anew, at `path`."""
    if not path.parent.is_dir():
        raise SpikesimError(f"{path}: the folder {path.parent} does not exist; make it or choose another.")
    if path.is_dir():
        raise SpikesimError(f"{path} is a folder; give the name of a file in it.")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise SpikesimError(f"{path} may not be written; change its permissions or choose another place.")
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return
    ours = False
    with contextlib.suppress(OSError), h5py.File(path, "r", locking=False) as file:
        ours = holds in file and "spikesim" in file
    if not ours:
        what = holds.rstrip("s")
        raise SpikesimError(f"{path} is not a {what} file of spikesim, so it is not overwritten; choose another name.")


def cannot_write(path: Path, error: OSError) -> SpikesimError:
    """The error for a file that the system does not let us write."""
    why = " ".join((os.strerror(error.errno) if error.errno else str(error)).split())
    return SpikesimError(f"{path} cannot be written ({why}); make room there or choose another place.")


def now() -> str:
    """The time of day, as files tell it."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
