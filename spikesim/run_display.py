"""How far several runs are: a line each and one for all of them on a terminal, else a line when one has ended."""

from __future__ import annotations

import sys
import time
from typing import Any

LINE = "{desc} {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f}{unit} [{elapsed}<{remaining}]"
FIRST = "{desc} starting"
TOTAL = "{desc} {percentage:3.0f}%|{bar}| {unit} runs [{elapsed}<{remaining}]"


def display_of(names: list[str], lines: int, quiet: bool) -> Lines:
    """The display for runs of these names, of which so many run at a time."""
    if quiet or not names:
        return Quiet(names)
    return Bars(names, lines) if sys.stderr.isatty() else Lines(names)


class Lines:
    """A line on stderr for every run that has ended."""

    def __init__(self, names: list[str]) -> None:
        self.n, self.over, self.began = len(names), 0, dict.fromkeys(names, 0.0)

    def begin(self, name: str) -> None:
        """A run begins."""
        self.began[name] = time.monotonic()

    def at(self, name: str, done: int, total: int, note: str) -> None:
        """It has come to `done` of `total`."""

    def end(self, name: str, how: str, error: str) -> None:
        """It is over."""
        self.over += 1
        why = f": {error}" if error else ""
        self.say(f"{name} {how} after {time.monotonic() - self.began[name]:.1f} s ({self.over} of {self.n}){why}")

    def say(self, text: str) -> None:
        """A line for the user."""
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """All is over."""


class Quiet(Lines):
    """Nothing."""

    def say(self, text: str) -> None:
        pass


class Bars(Lines):
    """A bar for each run that is being made, and one for all."""

    def __init__(self, names: list[str], lines: int) -> None:
        from tqdm import tqdm

        super().__init__(names)
        width = max(map(len, names))
        self.width, self.share = width, dict.fromkeys(names, 0.0)
        self.of: dict[str, Any] = {}
        self.total = tqdm(total=self.n, desc="all".ljust(width), position=0, bar_format=TOTAL, file=sys.stderr,
                          unit=f"0/{self.n}", dynamic_ncols=True)  # fmt: skip
        self.free = [
            tqdm(total=1, desc=" " * width, position=k + 1, bar_format="{desc}", file=sys.stderr, leave=False,
                 dynamic_ncols=True)
            for k in reversed(range(lines))
        ]  # fmt: skip

    def begin(self, name: str) -> None:
        super().begin(name)
        bar: Any = self.free.pop()
        bar.bar_format = FIRST
        bar.set_description_str(name.ljust(self.width), refresh=False)
        bar.refresh()
        self.of[name] = bar

    def at(self, name: str, done: int, total: int, note: str) -> None:
        bar = self.of[name]
        if bar.bar_format == FIRST or bar.total != total:
            bar.reset(total)
            bar.bar_format, bar.initial = LINE, done  # what a checkpoint had tells nothing about the speed
        bar.n = done
        bar.unit = f" {note}" if note else ""
        bar.refresh()
        self._all(name, done / total if total else 0.0)

    def end(self, name: str, how: str, error: str) -> None:
        bar = self.of.pop(name)
        bar.bar_format = "{desc}"
        bar.set_description_str(" " * self.width)
        self.free.append(bar)
        self.over += 1
        if error:
            self.say(f"{name} {how}: {error}")
        self._all(name, 1.0)

    def say(self, text: str) -> None:
        self.total.write(text, file=sys.stderr)

    def close(self) -> None:
        for bar in self.free:
            bar.close()
        self.total.close()

    def _all(self, name: str, share: float) -> None:
        self.share[name] = share
        self.total.n = sum(self.share.values())
        self.total.unit = f"{self.over}/{self.n}"
        self.total.refresh()
