"""Reads spike files: HDF5 in the SONATA layout, ours (see `spikesim.spike_writer`) and others'."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikesim.errors import SpikesimError

CHUNK = 2**16  # rows read at a time


@dataclass(frozen=True)
class Train:
    """The spikes of one population in a file, read when asked for; unpacks to (steps, times, ids).

    `steps` (int64) is None where the file does not tell dt; `times` are float64 in ms, `ids` int64.
    """

    path: Path
    name: str
    count: int
    dt: float | None
    factor: float = 1.0  # from the file's unit of time to ms
    has_steps: bool = True

    @property
    def steps(self) -> np.ndarray | None:
        return self.rows(0, self.count)[0]

    @property
    def times(self) -> np.ndarray:
        return self.rows(0, self.count)[1]

    @property
    def ids(self) -> np.ndarray:
        return self.rows(0, self.count)[2]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows(0, self.count))

    def __len__(self) -> int:
        return self.count

    def rows(self, start: int, stop: int) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
        """(steps, times, ids) of the spikes from number `start` up to `stop`, in the order of the file."""
        with _opened(self.path) as file:
            group, rows = file[f"spikes/{self.name}"], slice(start, min(stop, self.count))
            times = group["timestamps"][rows] * self.factor
            ids = group["node_ids"][rows].astype(np.int64)
            steps = file[f"spikesim/steps/{self.name}"][rows] if self.has_steps else None
        return steps, times, ids

    def blocks(self, size: int = 16 * CHUNK) -> Iterator[tuple[np.ndarray | None, np.ndarray, np.ndarray]]:
        """(steps, times, ids) piece by piece, for files larger than memory."""
        for start in range(0, self.count, size):
            yield self.rows(start, start + size)


@dataclass(frozen=True)
class SpikeFile:
    """What a spike file holds. In one that spikesim did not write, what is not known is None."""

    path: Path
    populations: dict[str, Train]
    sizes: dict[str, int | None]
    dt: float | None = None
    seed: int | None = None
    duration_ms: float | None = None
    completed: bool | None = None
    version: str | None = None
    parameters: Any = None
    source_digest: str | None = None
    started: str | None = None
    ended: str | None = None


def read_spikes(path: str | os.PathLike[str]) -> SpikeFile:
    """Open a SONATA spike file, spikesim's or another's, and also one whose run was killed or still goes on.

    Raises SpikesimError, which names the file and what is wrong with it.
    """
    path = Path(path)
    with _opened(path) as file:
        if "spikes" not in file:
            raise SpikesimError(f"{path} holds no /spikes, so it is not a SONATA spike file; give one that is.")
        about = dict(file["spikesim"].attrs) if "spikesim/steps" in file else None
        dt = None if about is None else float(about["dt"])
        trains = {name: _train(path, file, name, dt) for name in file["spikes"]}
    if about is None:
        return SpikeFile(path, trains, dict.fromkeys(trains))
    return SpikeFile(
        path,
        trains,
        json.loads(about["populations"]),
        dt,
        int(about["seed"]),
        float(about["duration_ms"]),
        bool(about["completed"]),
        about["version"],
        json.loads(about["parameters"]),
        about["source_digest"],
        about["started"],
        about["ended"] or None,
    )


def _train(path: Path, file: h5py.File, name: str, dt: float | None) -> Train:
    group = file[f"spikes/{name}"]
    for needed in ("timestamps", "node_ids"):
        if not isinstance(group, h5py.Group) or not isinstance(group.get(needed), h5py.Dataset):
            raise SpikesimError(f"{path} has no /spikes/{name}/{needed}, which SONATA asks for; mend the file.")
    units = group["timestamps"].attrs.get("units", "ms")
    units = units.decode() if isinstance(units, bytes) else str(units)
    if units not in ("ms", "s"):
        raise SpikesimError(f"{path}: the times of {name} are in {units!r}; only ms and s are understood.")
    # A kill may fall between the writes of one commit, so that the columns do not end together.
    count = min(len(group["timestamps"]), len(group["node_ids"]))
    if dt is not None:
        steps = file[f"spikesim/steps/{name}"]
        count = min(count, len(steps))
        rest = count // CHUNK * CHUNK if count % CHUNK else max(0, count - CHUNK)
        written = np.flatnonzero(steps[rest:count])  # steps count from 1: a zero was never written
        count = rest + (int(written[-1]) + 1 if len(written) else 0)
    return Train(path, name, count, dt, 1000.0 if units == "s" else 1.0, dt is not None)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    """The HDF5 file at `path` for reading; what goes wrong is said as a SpikesimError."""
    if not path.exists():
        raise SpikesimError(f"{path} does not exist; check the name.")
    if path.is_dir():
        raise SpikesimError(f"{path} is a folder; give a spike file.")
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except PermissionError:
        raise SpikesimError(f"{path} may not be read; change its permissions.") from None
    except (OSError, KeyError, RuntimeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        why = " ".join(str(error).strip("'\"").split())
        if "truncated" in why:
            why = "it is cut short; copy it again"
        elif "signature" in why:
            why = "it is not an HDF5 file"
        raise SpikesimError(f"{path} cannot be read as a spike file: {why}.") from None


def spikes_digest(populations: Mapping[str, Any]) -> str:
    """SHA-256 of spikes, the same however they were split, ordered in the file or compressed.

    `populations` is name -> (steps, ids), (steps, times, ids) or a `Train`. Hashed are, by name: the length
    of the name, the name in UTF-8, the number of spikes, and for each spike, in the order (step, id), step
    and id; numbers are 8 bytes, little-endian. A `Train` in that order already is hashed in bounded memory.
    """
    digest = hashlib.sha256()
    for name in sorted(populations):
        train, label = populations[name], name.encode()
        streamed = isinstance(train, Train)
        if streamed and not train.has_steps:
            raise SpikesimError(f"{train.path} does not tell dt, so that its spikes have no steps to compare by.")
        count = len(train) if streamed else len(train[0])
        digest.update(np.array([len(label)], "<i8").tobytes() + label + np.array([count], "<i8").tobytes())
        before = digest.copy()
        blocks = train.blocks() if streamed else iter([train])
        if not _hash_in_order(digest, blocks):
            digest, (steps, *_, ids) = before, train
            order = np.lexsort((ids, steps))
            _hash_in_order(digest, iter([(np.asarray(steps)[order], np.asarray(ids)[order])]))
    return digest.hexdigest()


def _hash_in_order(digest: Any, blocks: Iterator[Any]) -> bool:
    """Hash (step, id) of each spike; False as soon as they turn out not to be in that order."""
    last = np.zeros((0, 2), "<i8")
    for steps, *_, ids in blocks:
        pairs = np.column_stack((steps, ids)).astype("<i8")
        step, who = np.concatenate((last, pairs)).T
        later = np.diff(step)
        if np.any((later < 0) | ((later == 0) & (np.diff(who) < 0))):
            return False
        digest.update(pairs.tobytes())
        last = pairs[-1:] if len(pairs) else last
    return True
