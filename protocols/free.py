"""Any two spike trains, given as lists or in a file."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spikesim.errors import SpikesimError, unknown
from spikesim.protocol import Condition, Protocol

COLUMNS = ("side", "time", "condition", "measured", "sem")


class Free(Protocol):
    """The spikes of `pre` and `post`, times in ms with commas between; or those of the CSV file `file`.

    The file has a line for each spike, with the columns `side` (pre or post) and `time` (ms). A third column,
    `condition`, makes several conditions of one file, named by what it holds. `measured` and `sem` hold, in any line
    of a condition, the change that was found, as a fraction of the weight before, and its standard error, above 0.

    All of it happens `repetitions` times, every `period` ms.
    """

    pre: str = "0"  # ms
    post: str = "10"  # ms
    file: str = ""
    repetitions: int = 1
    period: float = 1000.0  # ms

    title = "Given spike trains"
    reference = "doi:10.1126/science.275.5297.213"
    limits = {**Protocol.limits, "repetitions": (">= 1",), "period": ("> 0",)}

    def conditions(self) -> Iterator[Condition]:
        if not self.file:
            trains = {"pre": _times("pre", self.pre), "post": _times("post", self.post)}
            yield self._condition("given trains", trains, {})
            return
        found: dict[str, tuple[dict[str, list[float]], dict[str, float]]] = {}
        for line, row in _rows(Path(self.file)):
            label = row.get("condition") or "given trains"
            trains, measured = found.setdefault(label, ({"pre": [], "post": []}, {}))
            if row["side"] not in trains:
                raise unknown(self.file, "side", row["side"], trains)
            trains[row["side"]].append(_number(self.file, "time", row["time"]))
            for name in ("measured", "sem"):
                if row.get(name):
                    measured[name] = _measured(f"{self.file}, line {line}", name, row[name])
        for label, (trains, measured) in found.items():
            if len(measured) == 1:
                raise SpikesimError(f"{self.file}: condition {label!r} needs both measured and sem, or neither.")
            yield self._condition(label, trains, measured)

    def _condition(self, label: str, trains: dict[str, list[float]], measured: Any) -> Condition:
        begins = np.arange(self.repetitions) * self.period
        pre, post = (np.add.outer(begins, trains[side]).ravel() for side in ("pre", "post"))
        return Condition(label, {}, pre, post, **measured)


def _times(side: str, text: str) -> list[float]:
    return [_number("Free", side, part) for part in text.split(",") if part.strip()]


def _number(where: str, name: str, text: str) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        raise SpikesimError(f"{where}: {name} is in numbers (ms or fractions), not {text!r}.") from None


def _measured(where: str, name: str, text: str) -> float:
    value = _number(where, name, text)
    if not math.isfinite(value):
        raise SpikesimError(f"{where}: {name} must be finite, not {value:g}.")
    if name == "sem" and not value > 0.0:  # the error E is in units of it
        raise SpikesimError(f"{where}: sem, a standard error, must be above 0, not {value:g}.")
    return value


def _rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """The lines of the file, each with its number."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SpikesimError(f"{path} cannot be read ({error}); give a CSV file of spike times.") from None
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    names = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = names
    for name in names:
        if name not in COLUMNS:
            raise unknown(str(path), "column", name, COLUMNS)
    if not {"side", "time"} <= set(names):
        raise SpikesimError(f"{path}: the first line names the columns; side and time are needed.")
    rows = [(reader.line_num, {name: (value or "").strip() for name, value in row.items() if name}) for row in reader]
    if not rows:
        raise SpikesimError(f"{path} has no spike in it.")
    return rows
