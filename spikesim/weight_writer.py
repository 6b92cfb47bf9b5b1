"""Weights on disk: HDF5, a snapshot or some changes at a time while the run goes on.

`/weights/<k>` has those of the k-th recorder of the file, which the attribute `kind` tells: "snapshots" are `values`
(snapshots, synapses), `times` (ms) and `steps`; "changes" are `weights`, `changed` (the number of the synapse),
`times` and `steps`, one for each change, and the weight that each synapse had before, `initial`. Either has for each
synapse its number in the projection (`synapses`), `sources` and `targets`; attributes name the two populations and the
rule. The attributes of `/spikesim` are those of spike files, see `spikesim.spike_writer`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikesim.change_recorder import ChangeRecorder
from spikesim.errors import RunError
from spikesim.record import WeightRecorder
from spikesim.spike_writer import cannot_write, check_place, now, write_about


class WeightWriter:
    """Writes what weight recorders see to a file; one that spikesim wrote earlier is replaced.

    Raises SpikesimError when the file cannot be written there or is not one of weights, and RunError when the disk
    gives out.
    """

    def __init__(
        self, path: str | os.PathLike[str], recorders: Sequence[WeightRecorder | ChangeRecorder], dt: float, seed: int,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.path, self.dt = Path(os.path.realpath(path)), dt
        check_place(self.path, holds="weights")
        self._groups: dict[WeightRecorder | ChangeRecorder, h5py.Group] = {}
        try:
            self._file = h5py.File(self.path, "w", libver="earliest", locking=False)
            self._about = write_about(self._file, dt, seed, dict(provenance or {}))
            for k, recorder in enumerate(recorders):
                self._groups[recorder] = _group(self._file.create_group(f"weights/{k}"), recorder)
            self._file.flush()
        except OSError as error:
            raise cannot_write(self.path, error) from None

    @classmethod
    def going_on(cls, path: Path, recorders: Sequence[WeightRecorder | ChangeRecorder], dt: float) -> WeightWriter:
        """The writer of a file that is there and has these recorders, which adds to it."""
        writer = cls.__new__(cls)
        writer.path, writer.dt = path, dt
        writer._file = h5py.File(path, "r+", libver="earliest", locking=False)
        writer._about = writer._file["spikesim"]
        writer._groups = {recorder: writer._file[f"weights/{k}"] for k, recorder in enumerate(recorders)}
        return writer

    def append(self, recorder: WeightRecorder, step: int, weights: np.ndarray) -> None:
        """Add a snapshot and bring it to disk."""
        rows = {"steps": [step], "times": [step * self.dt], "values": weights[None]}
        self._extend(self._groups[recorder], rows, step * self.dt)

    def append_changes(
        self, recorder: ChangeRecorder, steps: np.ndarray, synapses: np.ndarray, weights: np.ndarray
    ) -> None:
        """Add some changes and bring them to disk."""
        if len(steps):
            rows = {"steps": steps, "times": steps * self.dt, "changed": synapses, "weights": weights}
            self._extend(self._groups[recorder], rows, steps[-1] * self.dt)

    def _extend(self, group: h5py.Group, rows: dict[str, Any], time: float) -> None:
        try:
            for name, values in rows.items():
                n = len(group[name])
                group[name].resize(n + len(values), axis=0)
                group[name][n:] = values
            self.flush(time)
        except OSError as error:
            raise RunError(str(cannot_write(self.path, error))) from error

    def flush(self, duration_ms: float) -> None:
        """Bring to disk all snapshots so far; the run is `duration_ms` old."""
        self._about.attrs.modify("duration_ms", np.float64(duration_ms))
        self._file.flush()

    @property
    def closed(self) -> bool:
        """Whether the file was finished."""
        return not self._file

    def close(self, completed: bool = True, duration_ms: float = 0.0) -> None:
        """Finish the file. Not `completed` marks a run that was cut short; a second call does nothing."""
        if self._file:
            self._about.attrs["ended"] = now()
            self._about.attrs.modify("completed", np.bool_(completed))
            self.flush(duration_ms)
            self._file.close()


def _group(group: h5py.Group, recorder: WeightRecorder | ChangeRecorder) -> h5py.Group:
    """Everything of one recorder but the snapshots or changes."""
    projection, changes = recorder.projection, isinstance(recorder, ChangeRecorder)
    synapses = recorder.chosen if isinstance(recorder, ChangeRecorder) else recorder.synapses
    rule = projection.rule or projection.short_term
    group.attrs["kind"] = "changes" if changes else "snapshots"
    group.attrs["source"], group.attrs["target"] = projection.source.name, projection.target.name
    group.attrs["rule"] = "" if rule is None else repr(rule)
    sources, targets = projection.ends()
    for name, numbers in (("synapses", synapses), ("sources", sources[synapses]), ("targets", targets[synapses])):
        group.create_dataset(name, data=numbers.astype("<i8"))
    n = len(synapses)
    columns = {"steps": "<i8", "times": "<f8"} | ({"changed": "<i8", "weights": "<f8"} if changes else {})
    for name, dtype in columns.items():
        group.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(1024,))
    group["times"].attrs["units"] = "ms"
    if isinstance(recorder, ChangeRecorder):
        group.create_dataset("initial", data=recorder.initial.astype("<f8"))
    else:
        group.create_dataset("values", (0, n), "<f8", maxshape=(None, n), chunks=(max(1, min(64, (1 << 17) // n)), n))
    return group
