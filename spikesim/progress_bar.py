"""The progress bar of a run."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def progress_bar(steps: int, dt: float, shown: bool) -> Iterator[Any]:
    """A bar in ms on stderr, if that is a terminal; yields what to call with the number of steps done."""
    if not shown or not sys.stderr.isatty():
        yield lambda done: None
        return
    from tqdm import tqdm

    layout = "{percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} ms [{elapsed}<{remaining}]"
    with tqdm(total=steps * dt, bar_format=layout, file=sys.stderr) as bar:
        yield lambda done: bar.update(done * dt)
