"""Three published networks that learn, run in full, against what was published.

    python benchmarks/learning_networks.py [vogels_2011 | vogels_2011_cell | song_2000] [--seed 1] [--threads 2]

writes docs/results/vogels_2011.json, vogels_2011_cell.json and song_2000.json; takes about two minutes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from spikesim import Network
from spikesim.models.networks.song_2000 import Song2000
from spikesim.models.networks.vogels_2011 import Vogels2011
from spikesim.models.networks.vogels_2011_cell import Vogels2011Cell
from spikesim.provenance import provenance

RESULTS = Path(__file__).parents[1] / "docs" / "results"
FASTER = 0.3  # nS, thirty times the authors' learning rate
NEAR = 0.2  # of the range between the bounds: a weight nearer to one of them than that is near it


def vogels_2011(seed: int, threads: int, **given: Any) -> dict[str, Any]:
    """Rates and irregularity of the excitatory neurons, before they learn, in every second, and at the end."""
    model = Vogels2011(**given)
    net, before = _built(model, seed, threads), model.learn_from
    exc, plastic = net.populations[0], net.projections[-1]
    spikes = net.record(exc, "spikes")
    net.run(model.duration)
    last = spikes.times > model.duration - 1000.0
    rates = np.histogram(spikes.times, np.arange(0.0, model.duration + 1.0, 1000.0))[0] / exc.n
    weights = plastic.weights
    return {
        "rate_before_hz": float((spikes.times <= before).sum() / exc.n / (before * 1e-3)),
        "rate_last_second_hz": float(last.sum() / exc.n),
        "rate_in_each_second_hz": rates.tolist(),
        "cv_last_five_seconds": cv(spikes.times, spikes.ids, model.duration - 5000.0),
        "cv_last_second": cv(spikes.times, spikes.ids, model.duration - 1000.0),
        "mean_weight_nS": float(weights.mean()),
        "share_of_weights_at_w_max": float((weights >= model.w_max).mean()),
        **_run(net, model),
    }


def vogels_2011_twice(seed: int, threads: int) -> dict[str, Any]:
    """With the authors' learning rate, with which ten seconds bring the rate down but not yet to rho_0, and faster."""
    return {"seed": seed, "authors": vogels_2011(seed, threads), "faster": vogels_2011(seed, threads, eta=FASTER)}


def vogels_2011_cell(seed: int, threads: int, **given: Any) -> dict[str, Any]:
    """Mean weights of each channel, how alike inhibition and excitation are tuned, and the rate, every tenth of the
    time."""
    model = Vogels2011Cell(**given)
    net = _built(model, seed, threads)
    fixed, plastic = net.projections
    spikes = net.record(net.populations[-1], "spikes")
    excitation = fixed.weights.reshape(model.channels, -1).mean(axis=1)
    course, every = [], model.length / 10.0
    for _ in range(10):
        before = spikes.count
        net.run(every)
        inhibition = plastic.weights.reshape(model.channels, -1).mean(axis=1)
        course.append({
            "time_s": net.time * 1e-3,
            "rate_hz": (spikes.count - before) / every * 1e3,
            "inhibition_nS": inhibition.tolist(),
            "correlation_of_tuning": float(np.corrcoef(excitation, inhibition)[0, 1]),
        })  # fmt: skip
    return {"excitation_nS": excitation.tolist(), "course": course, **_run(net, model)}


def song_2000(seed: int, threads: int, **given: Any) -> dict[str, Any]:
    """How many weights are near a bound, and how fast the neuron fires, every 10 s."""
    model = Song2000(**given)
    net = _built(model, seed, threads)
    (synapses,), every = net.projections, 10_000.0
    spikes = net.record(net.populations[1], "spikes")
    course = []
    for _ in range(round(model.duration / every)):
        before = spikes.count
        net.run(every)
        w = synapses.weights / synapses.rule.w_max
        course.append({
            "time_s": net.time * 1e-3,
            "share_near_a_bound": float(((w < NEAR) | (w > 1.0 - NEAR)).mean()),
            "rate_hz": (spikes.count - before) / every * 1e3,
            "mean_weight": float(w.mean()),
        })  # fmt: skip
    return {"near": NEAR, "course": course, **_run(net, model)}


def cv(times: np.ndarray, ids: np.ndarray, since: float) -> float:
    """Coefficient of variation of the intervals of each neuron since a time (ms), on the mean over neurons that have
    three intervals at least."""
    kept = times > since
    order = np.lexsort((times[kept], ids[kept]))
    times, ids = times[kept][order], ids[kept][order]
    each = [np.diff(train) for train in np.split(times, np.flatnonzero(np.diff(ids)) + 1) if len(train) > 3]
    return float(np.mean([intervals.std() / intervals.mean() for intervals in each]))


def _built(model: Any, seed: int, threads: int) -> Network:
    net = Network(dt=model.dt, seed=seed, threads=threads)
    model.build(net)
    net.prepare()
    return net


def _run(net: Network, model: Any) -> dict[str, Any]:
    return {"network": model.name(), "parameters": model.values(), "time_ms": net.time, "seed": net.seed,
            "threads": net.threads, "precision": net.precision, "run_s": net.seconds["run"]}  # fmt: skip


def main() -> None:
    """Read the arguments, run, write."""
    runs: dict[str, Callable[..., dict[str, Any]]] = {
        "vogels_2011": vogels_2011_twice, "vogels_2011_cell": vogels_2011_cell, "song_2000": song_2000,
    }  # fmt: skip
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", nargs="?", choices=runs)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    for name in [given.network] if given.network else runs:
        began = time.perf_counter()
        found = runs[name](given.seed, given.threads)
        path = RESULTS / f"{name}.json"
        path.write_text(json.dumps({**found, "provenance": provenance()}, indent=2) + "\n", encoding="utf-8")
        print(json.dumps(found, indent=2))
        print(f"wrote {path} after {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
