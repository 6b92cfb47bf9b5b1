"""Checkpoint files: some arrays and what is to be said of them, all or nothing.

    write_checkpoint("run.ckpt.h5", "run", {"step": 12000}, {"weights": w})
    found = read_checkpoint("run.ckpt.h5", "run")
    found.attrs["step"], found.arrays["weights"]

A file is written beside the one that it is to replace, brought to disk and then renamed, so that whatever happens
there is either the old checkpoint or the new one. What is in it is up to the kind: `spikesim.resume` keeps networks,
`spikesim.progress` runs of a published network.

Layout (HDF5): the attributes of `/spikesim` are `version`, `source_digest`, `format`, `kind`, `written` and
`completed`; `/checkpoint/attrs` is JSON; `/checkpoint/arrays` has the arrays, each with checksums.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil

from spikesim._version import __version__
from spikesim.errors import SpikesimError
from spikesim.jit import source_digest
from spikesim.spike_writer import cannot_write, check_place, now

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds.

    attrs
        as they were given, but for tuples, which have become lists.
    written
        the time of day, ISO 8601.
    """

    path: Path
    kind: str
    attrs: dict[str, Any]
    arrays: dict[str, Any]
    version: str
    written: str


def write_checkpoint(
    path: str | os.PathLike[str], kind: str, attrs: Mapping[str, Any], arrays: Mapping[str, Any]
) -> None:
    """Write a checkpoint; one that is there is replaced when the new one is whole and on disk.

    kind
        who is going to read it.
    attrs
        numbers, strings, lists and dictionaries, that is what JSON can hold; NaN and infinities, too.
    arrays
        name -> array of numbers of any shape; "a/b" puts b into the group a.

    Raises SpikesimError where no file can be written, where the file is not a checkpoint, and for what cannot be kept.
    What was there is then still there.
    """
    path = Path(os.path.realpath(path))
    check_place_of(path)
    try:
        about = json.dumps(dict(attrs), default=_plain)
    except (TypeError, ValueError) as error:
        raise SpikesimError(f"{path}: a checkpoint keeps numbers, strings, lists and dictionaries ({error}).") from None
    tidy(path)
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with h5py.File(new, "w", libver="earliest", locking=False) as file:
            _fill(file, kind, about, arrays)
        to_disk(new)
        os.replace(new, path)
        to_disk(path.parent)
    except (OSError, RuntimeError) as error:  # h5py tells a full disk either way
        raise cannot_write(path, error if isinstance(error, OSError) else OSError(str(error))) from None
    finally:
        with contextlib.suppress(OSError):
            new.unlink()


def read_checkpoint(
    path: str | os.PathLike[str], kind: str | None = None, *, allow_changed: bool = False
) -> Checkpoint:
    """What `write_checkpoint` wrote.

    kind
        the kind that it has to be; None for any.
    allow_changed
        take one that another version of spikesim, Numba or Python wrote; what follows may then differ in the last bits.

    Raises SpikesimError for a file that is not there, is not a whole checkpoint, or is of another kind or version.
    """
    path = Path(path)
    if not path.is_file():
        raise SpikesimError(f"{path}: there is no such file.")
    try:
        with h5py.File(path, "r", locking=False) as file:
            if "checkpoint" not in file or "spikesim" not in file:
                raise SpikesimError(f"{path} is not a checkpoint of spikesim; it may be a file of spikes or weights.")
            about = dict(file["spikesim"].attrs)
            _check(path, about, kind, allow_changed)
            attrs = json.loads(file["checkpoint/attrs"].asstr()[()])
            arrays: dict[str, Any] = {}

            def take(name: str, item: Any) -> None:
                if isinstance(item, h5py.Dataset):
                    arrays[name] = item[()] if item.shape == () else item[...]

            file["checkpoint/arrays"].visititems(take)
    except (OSError, RuntimeError, KeyError, json.JSONDecodeError) as error:
        why = " ".join(str(error).split())
        raise SpikesimError(
            f"{path} is not a whole checkpoint: it was cut short or damaged, or is another kind of file ({why})."
        ) from None
    return Checkpoint(path, about["kind"], attrs, arrays, about["version"], about["written"])


def check_place_of(path: Path) -> None:
    """Raise SpikesimError unless a checkpoint may be written, or written anew, at `path`."""
    check_place(path, holds="checkpoint")


def _check(path: Path, about: dict[str, Any], kind: str | None, allow_changed: bool) -> None:
    """Raise SpikesimError unless this is the checkpoint that is wanted."""
    by = f"{path} was written by spikesim {about['version']}"
    if about["format"] != FORMAT:
        raise SpikesimError(f"{by} in format {about['format']}, and this is spikesim {__version__}, which reads format "
                            f"{FORMAT}; resume it with that version.")  # fmt: skip
    if not about["completed"]:
        raise SpikesimError(f"{path} is not a whole checkpoint: its writing was never finished.")
    if kind is not None and about["kind"] != kind:
        raise SpikesimError(f"{path} is a checkpoint of a {about['kind']}, not of a {kind}.")
    if about["source_digest"] != source_digest() and not allow_changed:
        what = (
            f"this is {__version__}" if about["version"] != __version__ else "its source, Numba or Python has changed"
        )
        raise SpikesimError(f"{by}, and {what}: what follows may differ from the run that was interrupted. Resume it "
                            "with what wrote it, or with --allow-changed (allow_changed=True).")  # fmt: skip


def _fill(file: h5py.File, kind: str, about: str, arrays: Mapping[str, Any]) -> None:
    known = file.create_group("spikesim").attrs
    known.update({"version": __version__, "source_digest": source_digest(), "format": FORMAT, "kind": kind,
                  "written": now(), "completed": np.bool_(False)})  # fmt: skip
    file.create_dataset("checkpoint/attrs", data=about, dtype=h5py.string_dtype())
    held = file.create_group("checkpoint/arrays")
    for name, given in arrays.items():
        array = np.asarray(given)
        if array.dtype.kind not in "biufc":
            raise SpikesimError(f"a checkpoint keeps arrays of numbers; {name!r} is one of {array.dtype}.")
        held.create_dataset(name, data=array, fletcher32=bool(array.ndim and array.size))
    file.flush()
    known.modify("completed", np.bool_(True))


def to_disk(path: Path) -> None:
    """Wait until the system has brought a file, or what a folder says of its files, to disk."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # not every system opens folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def tidy(path: Path) -> None:
    """Remove what processes that were killed while they wrote the file `path` anew have left."""
    for left in path.parent.glob(f".{path.name}.*.new"):
        process = left.name.split(".")[-2]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            with contextlib.suppress(OSError):
                left.unlink()


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} is none of these")
