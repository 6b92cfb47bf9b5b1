"""How many lessons a second a network learns from: one network on one thread, and one a core side by side.

A lesson cannot begin before the last one is over, so what a second core is good for is a second network. Each run is a
process of its own. Tests of what was learned are left out, and so is what is compiled.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from spikesim.bench import BUSY, MAIN, BenchOptions, run_once
from spikesim.errors import SpikesimError
from spikesim.training import TrainedNetwork

LESSONS = 4000  # unless the settings say how many


def bench_training(
    network: str, settings: Sequence[str], model: TrainedNetwork, options: BenchOptions, note: Callable[[str], None]
) -> dict[str, Any]:
    """Train each variant of the network (see `TrainedNetwork.variants`) `repeats` times, alone and with another beside.

    `network` and `settings` are the words that made `model`. Returns images_per_second, variant -> {"one_thread",
    "two_threads"}, medians; the second is of two networks together. Raises SpikesimError where a run refuses its
    arguments or a `time` is given, and RunError when a run fails.
    """
    from psutil import getloadavg

    from spikesim.provenance import provenance
    from spikesim.rng import fresh_seed

    if options.time is not None:
        raise SpikesimError(f"{model.name()} is trained by lessons, not for some time: leave --time out.")
    load = round(getloadavg()[0], 2)
    if load > BUSY:
        note(f"the machine is busy (load {load}), so it will seem slower than it is")
    seed = fresh_seed() if options.seed is None else options.seed
    found: dict[str, Any] = {}
    for variant in model.variants(settings):
        words = [*model.few(LESSONS, settings), *settings, *variant]
        label = ", ".join(variant) or "as given"
        alone, together = [], []
        for repeat in range(options.repeats):
            alone += _side_by_side(network, words, [seed], options.precision)
            together.append(sum(_side_by_side(network, words, [seed, seed + 1], options.precision)))
            note(f"{repeat + 1}/{options.repeats} {label}: {alone[-1]:.0f} images/s, two networks {together[-1]:.0f}")
        found[label] = {"one_thread": statistics.median(alone), "two_threads": statistics.median(together),
                        "one_thread_all": alone, "two_threads_all": together}  # fmt: skip
    return {
        "network": model.name(), "preset": model.preset, "parameters": model.values(), "images_per_second": found,
        "lessons": LESSONS, "repeats": options.repeats, "seed": seed, "precision": options.precision,
        "provenance": {**provenance(), "load_1min_before": load},
    }  # fmt: skip


def _side_by_side(network: str, words: Sequence[str], seeds: Sequence[int], precision: str) -> list[float]:
    """The lessons a second of networks with these seeds that are trained at the same time."""

    def one(seed: int) -> float:
        command = ["run", network, "--seed", seed, "--threads", 1, "--precision", precision, "--json", "--quiet"]
        command += [word for setting in words for word in ("--set", setting)]
        return float(run_once("spikesim", [sys.executable, "-c", MAIN, *map(str, command)])["images_per_second"])

    with ThreadPoolExecutor(len(seeds)) as pool:
        return list(pool.map(one, seeds))


def table(result: dict[str, Any]) -> str:
    """The result as a table."""
    lines = [
        f"{result['network']}, {result['precision']} precision, seed {result['seed']}, medians of {result['repeats']}",
        f"{'':<24}{'images/s':>10}{'two networks':>14}",
    ]
    for label, each in result["images_per_second"].items():
        lines.append(f"{label:<24}{each['one_thread']:>10.0f}{each['two_threads']:>14.0f}")
    return "\n".join(lines)
