"""Networks that are trained, lesson by lesson: progress, tests on the way, checkpoints, Ctrl-C.

    class Guerguiev2017(TrainedNetwork):
        def prepare(self, options): ...      # build self.net and what else there is
        def lessons(self): ...               # how many there are
        def learn(self, n): ...              # the next n of them, from self.done on; may raise Interrupted
        def error(self): ...                 # percent of the tests that go wrong; leaves no trace in the training
        def save(self, path, found): ...

A training that was interrupted goes on from its checkpoint to the same weights, to the last bit: what happens in a
lesson may depend on the seed, the number of the lesson and the state of the network, and on nothing else.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim._version import __version__
from spikesim.experiment import NetworkModel, RunOptions, Stopped, peak_rss_gb
from spikesim.jit import spent as compiled
from spikesim.output import check_writable
from spikesim.script import Interrupted

if TYPE_CHECKING:
    from spikesim.network import Network
    from spikesim.progress import Resumed

PATIENCE = 0.25  # seconds of lessons between two looks at the progress bar


class TrainedNetwork(NetworkModel):
    """Base of networks that are trained.

    test_every
        lessons between tests on the way; 0: only before and after.
    """

    test_every: int = 0

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.net: Network
        self.done = 0  # lessons that are over
        self.seconds = 0.0  # that they took
        self.curve: list[list[float]] = []  # [lessons, percent of the tests that go wrong]

    def prepare(self, options: RunOptions) -> None:
        """Build `net`, in the same way whether the run is resumed or not."""
        raise NotImplementedError

    def lessons(self) -> int:
        """How many lessons there are."""
        raise NotImplementedError

    def learn(self, n: int) -> None:
        """Learn from the next `n` lessons, the first of which has the number `done`. May raise Interrupted."""
        raise NotImplementedError

    def error(self) -> float:
        """Percent of the tests that go wrong."""
        raise NotImplementedError

    def learned(self) -> list[Any]:
        """Arrays of all that was learned: their digest tells whether two trainings came to the same."""
        raise NotImplementedError

    def save(self, path: str, found: dict[str, Any]) -> None:
        """Keep what was learned in a file."""
        raise NotImplementedError

    @classmethod
    def variants(cls, settings: Sequence[str]) -> list[list[str]]:
        """Settings of the versions that `spikesim bench` measures, beyond the `settings` that are given."""
        return [[]]

    @classmethod
    def few(cls, lessons: int, settings: Sequence[str]) -> list[str]:
        """Settings of a training that short and hardly tested, where the `settings` that are given leave it open."""
        return []

    def progress_state(self) -> dict[str, Any]:
        return {"done": self.done, "seconds": self.seconds, "curve": self.curve}

    def continue_from(self, state: dict[str, Any]) -> None:
        self.done, self.seconds, self.curve = state["done"], state["seconds"], state["curve"]

    def simulate(self, options: RunOptions, resumed: Resumed | None = None) -> dict[str, Any]:
        """Train and test. Returns test_error_before, test_error (%), error_curve [[lessons, %], ...],
        images_per_second and seconds (of training alone), images, weights_sha256 and how it was run.

        After Ctrl-C the result is that of what was learned so far, with "interrupted" true; it is kept in `out` and,
        to go on from, in `checkpoint`. Raises SpikesimError for what cannot be read or written.
        """
        from spikesim.progress import Keeper

        if options.out:
            check_writable(Path(options.out))  # before the work, not after it
        self.done, self.seconds, self.curve = 0, 0.0, []
        self.prepare(options)
        keeper = Keeper(self, self.net, options, within=False)
        if resumed is not None:
            resumed.put(self.net)
        self.net.prepare()
        self._began = self.net.step
        interrupted = not self._train(options, keeper)
        keeper.save()
        found = {**self._found(), "interrupted": interrupted, "out": options.out}
        if options.out:
            self.save(options.out, found)
        if interrupted and options.checkpoint:
            raise Stopped(f"stopped after {self.done} of {self.lessons()} lessons; "
                          f"`spikesim resume {options.checkpoint}` goes on from there.")  # fmt: skip
        return found

    def _train(self, options: RunOptions, keeper: Any) -> bool:
        """Learn and test until all is done: True; or until Ctrl-C: False."""
        total, at_once = self.lessons(), 1
        report = getattr(options, "report", None) or (lambda done, total, note: None)
        with _bar(total, self.done, options.progress and not options.quiet) as bar:
            try:
                while True:
                    if self._test_due(total):
                        self.curve.append([self.done, self.error()])
                        bar.set_postfix_str(f"test error {self.curve[-1][1]:.2f} %")
                    note = f"test error {self.curve[-1][1]:.2f} %" if self.curve else ""
                    report(self.done, total, note)
                    if self.done >= total:
                        return True
                    left = self.test_every - self.done % self.test_every if self.test_every else total
                    n, before = min(at_once, left, total - self.done), self.done
                    began = time.perf_counter() - compiled["compile"]
                    try:
                        self.learn(n)
                        self.done += n
                    except Interrupted as stop:
                        self.done += stop.played
                        raise
                    finally:
                        spent = time.perf_counter() - compiled["compile"] - began
                        self.seconds += spent
                        bar.update(self.done - before)
                    at_once = max(1, min(1024, int(n * PATIENCE / max(spent, 1e-6))))
                    keeper.look()
            except KeyboardInterrupt:
                return False

    def _test_due(self, total: int) -> bool:
        due = self.done in (0, total) or (self.test_every > 0 and self.done % self.test_every == 0)
        return due and (not self.curve or self.curve[-1][0] != self.done)

    def _found(self) -> dict[str, Any]:
        digest = hashlib.sha256()
        for array in self.learned():
            digest.update(np.ascontiguousarray(array).tobytes())
        return {
            "test_error_before": self.curve[0][1] if self.curve else None,
            "test_error": self.curve[-1][1] if self.curve else None, "error_curve": self.curve,
            "images_per_second": self.done / max(self.seconds, 1e-9), "seconds": self.seconds, "images": self.done,
            **self._cost(),
            "weights_sha256": digest.hexdigest(), "seed": self.net.seed, "threads": self.net.threads,
            "precision": self.net.precision, "network": self.name(), "preset": self.preset,
            "parameters": self.values(), "version": __version__,
        }  # fmt: skip

    def _cost(self) -> dict[str, Any]:
        """What this process has spent, and how much neurons have fired from the beginning."""
        net, model_seconds = self.net, max(1, self.net.step) * self.net.dt * 1e-3
        here = max(1, self.net.step - self._began) * self.net.dt * 1e-3
        return {
            "realtime_factor": net.seconds["run"] / here,
            **{f"{what}_s": net.seconds[what] for what in ("build", "compile", "run")},
            "peak_rss_gb": peak_rss_gb(),
            "rates_hz": {p.name: p.emitted.sum() / (p.n * model_seconds) for p in net.populations},
        }


def _bar(total: int, done: int, shown: bool) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, initial=done, unit=" images", desc="training", file=sys.stderr, smoothing=0.05,
                disable=not (shown and sys.stderr.isatty()))  # fmt: skip
