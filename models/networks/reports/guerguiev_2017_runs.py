"""What saved runs of `guerguiev_2017` are, as its report goes by them: their layers, and what is not as published."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from spikesim.saved_runs import SavedRun

#: parameters that the figures compare: the feedback, and its attenuation
COMPARED = ("feedback", "feedback_density", "feedback_gain", "feedback_noise", "feedback_by", "alignment_rate", "g_a")
#: those that say how long and how closely it was trained, not how it learns
ASIDE = ("hidden", "epochs", "test_every", "look_every", "mnist_folder")
PUBLISHED_SIZES = ("0", "500", "500,100")


def unique(runs: Iterable[SavedRun]) -> list[SavedRun]:
    """Of runs that are to come to the same, and differ in how far they are alone, the furthest."""
    furthest: dict[Any, SavedRun] = {}
    for run in runs:
        key = (run.seed, hidden(run), *sorted(changed(run).items()))
        if key not in furthest or run.done > furthest[key].done:
            furthest[key] = run
    return list(furthest.values())


def hidden(run: SavedRun) -> str:
    """The neurons of its hidden layers, as the published sizes are written."""
    return ",".join(str(int(n)) for n in run.parameters["hidden"].split(",") if int(n)) or "0"


def layers(run: SavedRun) -> int:
    """How many hidden layers it has."""
    return sum(int(n) > 0 for n in run.parameters["hidden"].split(","))


def changed(run: SavedRun) -> dict[str, Any]:
    """What else it has that is not as published."""
    values = run.parameters.items()
    return {name: value for name, value in values if name not in ASIDE and value != getattr(run.kind, name, value)}


def compared(name: str) -> bool:
    """Whether a parameter is one that the figures compare."""
    return name in COMPARED


def label(run: SavedRun, *left_out: str) -> str:
    """Its layers, and what else is not as published, but for the parameters that are left out."""
    chosen = run.kind.presets.get(run.preset or "", {})
    other = {name: value for name, value in changed(run).items() if name not in left_out and name not in chosen}
    told = [run.preset] * bool(chosen) + [words(other)] * bool(other)
    return "; ".join([f"hidden {hidden(run)}", *map(str, told)])


def words(values: dict[str, Any]) -> str:
    """Parameters, shortly."""
    short = {"train_images": "{} images", "test_images": "{} tests"}
    return ", ".join(short.get(name, name + " = {}").format(value) for name, value in values.items())


def epochs(run: SavedRun) -> np.ndarray:
    """(tests, 2) its curve, by epochs."""
    return np.asarray(run.curve) / [run.parameters["train_images"], 1.0]


def grouped(runs: Iterable[SavedRun], key: Callable[[SavedRun], Any]) -> dict[Any, list[SavedRun]]:
    """Runs by a key, in their order."""
    groups: dict[Any, list[SavedRun]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return groups


def by_seed(runs: Iterable[SavedRun]) -> dict[int, np.ndarray]:
    """Their curves."""
    return {run.seed: epochs(run) for run in sorted(runs, key=lambda run: run.seed)}


def of_protocol(runs: Iterable[SavedRun], *sizes: str) -> list[SavedRun]:
    """Those of the published protocol, with hidden layers of such sizes."""
    return [run for run in runs if not changed(run) and hidden(run) in sizes]
