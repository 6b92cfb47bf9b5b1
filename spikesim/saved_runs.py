"""Runs of a network that is trained, read back from the folders that `spikesim run --seeds --out` keeps them in.

    for run in read_runs(["digits"], "guerguiev_2017"):
        print(run.name, run.state, run.curve[-1])

A run that has ended is read from NAME.json and NAME.h5; one that has not, as far as it came, from its checkpoint.
Folders are only read, so runs may go on in them meanwhile.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikesim.as_data import from_data
from spikesim.checkpoint import Checkpoint, read_checkpoint
from spikesim.errors import SpikesimError
from spikesim.registry import find
from spikesim.several import TABLE, Plan, Run, read_plan
from spikesim.training import TrainedNetwork

ENDED, GOING_ON, NOT_BEGUN, FAILED = "ended", "so far", "not begun", "failed"
LOOKS = "looks"  # the group of NAME.h5 with what was looked at while the network learned


@dataclasses.dataclass(frozen=True)
class SavedRun:
    """One run.

    folder, name, seed
        where it is.
    kind, preset, parameters
        the network's class, the name of the preset, if any, and all parameters.
    state
        `ENDED`; `GOING_ON`: it has a checkpoint; `NOT_BEGUN`: it has nothing yet; `FAILED`.
    note
        why it failed, which may be that its checkpoint cannot be read.
    done, total
        lessons that are over, and how many there are.
    curve
        (tests, 2): lessons, percent of the tests that went wrong.
    result
        what `spikesim run` told; None unless it has ended.
    kept
        the checkpoint of a run that has not ended; else None.
    """

    folder: Path
    name: str
    seed: int
    kind: type[TrainedNetwork]
    parameters: dict[str, Any]
    state: str
    preset: str | None = None
    note: str = ""
    done: int = 0
    total: int = 0
    curve: Any = dataclasses.field(default_factory=lambda: np.empty((0, 2)))
    result: dict[str, Any] | None = None
    kept: Checkpoint | None = None

    @property
    def file(self) -> Path:
        """What it wrote to its --out."""
        return self.folder / f"{self.name}.h5"

    @cached_property
    def series(self) -> dict[str, Any]:
        """name -> array, of what was looked at while it learned; empty where nothing was.

        Raises SpikesimError where its file cannot be read.
        """
        if self.kept is not None:
            held = _progress(self.kept).get("series", {})
            return {name: np.array(values, dtype=float) for name, values in held.items()}
        return self.arrays(LOOKS)

    def arrays(self, group: str = "/") -> dict[str, Any]:
        """name -> array, of all in a group of its file and below; empty where there is no such group, or no file.

        Raises SpikesimError where the file cannot be read.
        """
        found: dict[str, Any] = {}

        def take(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                found[name] = item[()]

        if self.state == ENDED and self.file.is_file():
            try:
                with h5py.File(self.file, "r", locking=False) as file:
                    if group in file:
                        file[group].visititems(take)
            except (OSError, RuntimeError, KeyError) as error:
                raise SpikesimError(f"{self.file} cannot be read ({' '.join(str(error).split())}).") from None
        return found

    def as_dict(self) -> dict[str, Any]:
        """What and how far it is, for JSON; of the parameters those that are not the defaults."""
        return {
            "name": self.name, "folder": self.folder, "seed": self.seed, "state": self.state, "note": self.note,
            "preset": self.preset, "lessons_done": self.done, "lessons": self.total,
            "error_curve": self.curve, "test_error": float(self.curve[-1, 1]) if len(self.curve) else None,
            "parameters": {n: v for n, v in self.parameters.items() if v != getattr(self.kind, n, None)},
        }  # fmt: skip


def read_runs(folders: Sequence[str | os.PathLike[str]], network: str) -> list[SavedRun]:
    """All runs of `network` (a name, or FILE.py:Class) in these folders, in the order of their manifests.

    Raises SpikesimError for a folder that holds none, or runs of another network, for one that is given twice, and for
    a network that is not trained.
    """
    kind = find("network", network)
    if not issubclass(kind, TrainedNetwork):
        raise SpikesimError(f"{network} is not trained, so its runs have no curves to be read.")
    found: list[SavedRun] = []
    paths = [Path(os.path.realpath(folder)) for folder in folders]
    for k, folder in enumerate(paths):
        if folder in paths[:k]:
            raise SpikesimError(f"{folder} is given twice; give it once.")
        plan, _ = read_plan(folder)
        if _stem(plan.network) != _stem(network):
            raise SpikesimError(f"{folder} holds runs of {plan.network}, not of {network}.")
        errors = _errors(folder)
        found += [_read(dataclasses.replace(plan, folder=folder), run, kind, errors) for run in plan.runs]
    return found


def _stem(network: str) -> str:
    """The name of a network, or of the file it is in."""
    return Path(network.rpartition(":")[0] or network).stem


def _read(plan: Plan, run: Run, kind: type[TrainedNetwork], errors: dict[str, str]) -> SavedRun:
    assert plan.folder is not None
    model = kind(**run.given)
    saved = SavedRun(plan.folder, run.name, run.seed, kind, model.values(), NOT_BEGUN, model.preset,
                     total=model.lessons())  # fmt: skip
    result, ckpt = plan.path(run, ".json"), plan.path(run, ".ckpt.h5")
    try:
        with contextlib.suppress(FileNotFoundError):
            told = json.loads(result.read_text(encoding="utf-8"))
            curve = np.array(told["error_curve"], dtype=float).reshape(-1, 2)
            parameters = {**saved.parameters, **told["parameters"]}
            return dataclasses.replace(saved, state=ENDED, done=told["images"], curve=curve, result=told,
                                       parameters=parameters)  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpikesimError(f"{result} cannot be read ({type(error).__name__}: {error}).") from None
    if ckpt.is_file():
        try:
            kept = read_checkpoint(ckpt, allow_changed=True)
            progress = _progress(kept)
            curve = np.array(progress["curve"], dtype=float).reshape(-1, 2)
        except (SpikesimError, KeyError, ValueError) as error:
            return dataclasses.replace(saved, state=FAILED, note=f"its checkpoint cannot be read: {error}")
        saved = dataclasses.replace(saved, state=GOING_ON, done=progress["done"], curve=curve, kept=kept)
    if errors.get(run.name):
        return dataclasses.replace(saved, state=FAILED, note=errors[run.name])
    return saved


def _progress(kept: Checkpoint) -> dict[str, Any]:
    return dict(from_data(kept.attrs["progress"], kept.arrays, True))


def _errors(folder: Path) -> dict[str, str]:
    """Run -> why it failed, from the table of a folder, if there is one."""
    try:
        with open(folder / TABLE, encoding="utf-8", newline="") as file:
            return {row["name"]: row.get("error") or "" for row in csv.DictReader(file)}
    except (OSError, KeyError):
        return {}
