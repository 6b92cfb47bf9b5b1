"""Reads the published measurements that lie beside this file; README.md tells where each is from."""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import Any

from spikesim.errors import SpikesimError, unknown


def load(paper: str, table: str) -> list[dict[str, Any]]:
    """The rows of `<paper>/<table>.csv`: numbers as float, words as str, empty cells as None."""
    folder = files("spikesim.data") / paper
    if not folder.is_dir():
        raise SpikesimError(f"spikesim.data has no measurements called {paper!r}.")
    known = [entry.name.removesuffix(".csv") for entry in folder.iterdir() if entry.name.endswith(".csv")]
    if table not in known:
        raise unknown(f"spikesim.data: {paper}", "table", table, known)
    with (folder / f"{table}.csv").open(encoding="utf-8") as file:
        return [{name: _value(cell) for name, cell in row.items()} for row in csv.DictReader(file)]


def _value(cell: str) -> float | str | None:
    try:
        return float(cell) if cell else None
    except ValueError:
        return cell
