"""Files of spikes and weights that a resumed run goes on with.

What came after the checkpoint is cut off and what the run makes now is added. That is done in a copy, which then takes
the file's name, and only when the network runs: to resume a checkpoint and look at it changes no file.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikesim.checkpoint import tidy
from spikesim.errors import SpikesimError
from spikesim.record import WeightRecorder
from spikesim.spike_writer import CHUNK, SpikeWriter, cannot_write, check_place
from spikesim.weight_writer import WeightWriter


class Continued:
    """The writer of such a file, opened when something is written or the network has run.

    Raises SpikesimError unless the file is there and is the one that the recorders had written to by `step`.
    """

    def __init__(self, path: str, recorders: Sequence[Any], step: int, dt: float, seed: int) -> None:
        self.path, self.recorders, self.step, self.dt = Path(path), recorders, step, dt
        self.spikes = hasattr(recorders[0], "population")
        self._writer: Any = None
        self._check(seed)

    def _check(self, seed: int) -> None:
        said = f"the checkpoint goes on with the file {self.path}, which"
        if not self.path.is_file():
            raise SpikesimError(f"{said} is not there; put it back.")
        check_place(self.path, "spikes" if self.spikes else "weights")
        try:
            with h5py.File(self.path, "r", locking=False) as file:
                about, found = file["spikesim"].attrs, self._steps(file)
                self.counts = [self._count(*each) for each in zip(found, self.recorders, strict=True)]
                fits = about["seed"] == seed and about["dt"] == self.dt
                for steps, count in zip(found, self.counts, strict=True):
                    fits &= len(steps) >= count
                    fits &= (
                        not (steps[max(count - 1, 0) : count] > self.step).any()
                        and not (steps[count : count + 1] < self.step).any()
                    )
        except (OSError, KeyError) as error:
            raise SpikesimError(f"{said} cannot be read ({error}).") from None
        if not fits:
            raise SpikesimError(f"{said} is of another run or holds less than had been written to it by then.")

    def _steps(self, file: h5py.File) -> list[h5py.Dataset]:
        """The steps of each recorder."""
        if self.spikes:
            return [file[f"spikesim/steps/{r.population.name}"] for r in self.recorders]
        return [file[f"weights/{k}/steps"] for k in range(len(self.recorders))]

    def _count(self, steps: h5py.Dataset, recorder: Any) -> int:
        """How many of them are kept; to be asked for before the recorder goes on."""
        snapshots = isinstance(recorder, WeightRecorder)
        return int(np.searchsorted(steps[...], self.step, side="right")) if snapshots else recorder.count

    def append(self, *given: Any) -> None:
        self._opened().append(*given)

    def append_changes(self, *given: Any) -> None:
        self._opened().append_changes(*given)

    def flush(self, duration_ms: float) -> None:
        self._opened().flush(duration_ms)

    def close(self, completed: bool = True, duration_ms: float = 0.0) -> None:
        if self._writer is not None:
            self._writer.close(completed, duration_ms)

    @property
    def closed(self) -> bool:
        return self._writer is not None and self._writer.closed

    def _opened(self) -> Any:
        if self._writer is None:
            self._writer = (_spikes if self.spikes else _weights)(self)
        return self._writer


def _spikes(old: Continued) -> SpikeWriter:
    """The spikes of the last chunk, which is not full, are written once more."""
    tails, names = {}, [r.population.name for r in old.recorders]

    def cut(file: h5py.File) -> None:
        for count, name in zip(old.counts, names, strict=True):
            first = count // CHUNK * CHUNK
            columns = [
                file[f"spikesim/steps/{name}"],
                file[f"spikes/{name}/node_ids"],
                file[f"spikes/{name}/timestamps"],
            ]
            tails[name] = [column[first:count] for column in columns[:2]]
            for column in columns:
                column.resize(first, axis=0)
        if "spare" in file["spikesim"]:
            del file["spikesim/spare"]

    def opened(path: Path) -> SpikeWriter:
        writer = SpikeWriter.going_on(path, names, old.dt)
        for name, tail in tails.items():
            writer.append(name, *tail)
        return writer

    return _replaced(old, cut, opened)


def _weights(old: Continued) -> WeightWriter:
    def cut(file: h5py.File) -> None:
        for k, count in enumerate(old.counts):
            group = file[f"weights/{k}"]
            for name in ("steps", "times", "values", "changed", "weights"):
                if name in group:
                    group[name].resize(count, axis=0)

    return _replaced(old, cut, lambda path: WeightWriter.going_on(path, old.recorders, old.dt))


def _replaced(old: Continued, cut: Callable[[h5py.File], None], opened: Callable[[Path], Any]) -> Any:
    """Cut a copy, open it, and put it where the file was."""
    with _copy(old.path) as new:
        with h5py.File(new, "r+", libver="earliest", locking=False) as file:
            cut(file)
            about = file["spikesim"].attrs
            about["ended"] = ""
            about.modify("completed", np.bool_(False))
        writer = opened(new)
        writer.flush(old.step * old.dt)
        os.replace(new, old.path)
        writer.path = old.path
    return writer


@contextlib.contextmanager
def _copy(path: Path) -> Iterator[Path]:
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    tidy(path)
    try:
        shutil.copy(path, new)
        yield new
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        with contextlib.suppress(OSError):
            new.unlink()
