"""How much a run suffers when another program keeps one of its cores busy.

    python benchmarks/busy_core.py [--repeats 12] [--stretch 1000] [--precision double] [--out FOLDER] [--quick]

runs two threads on two cores in short stretches, every other one beside a program that never rests and is bound to one
of the two. A network whose delays begin at one step, where threads wait for each other in every step (potjans_2014,
N_scaling 0.1), and one whose delays are all longer, where they seldom do (brunel_10k). The other program takes half of
its core if the system is fair. Then three quarters of the two cores are left, which costs a factor of 4/3 if the work
can be moved, and of 2 if each thread has its half of the work and waits for the other; what is above 2 is lost by
waiting. Prints the ratio of neighbouring stretches and writes busy_core.json to docs/results; with --quick, a small
version to see that all works, only where --out says.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

import spikesim as ss
from spikesim.experiment import NetworkModel
from spikesim.models.networks.brunel_10k import Brunel10k
from spikesim.models.networks.potjans_2014 import Potjans2014
from spikesim.provenance import provenance

RESULTS = Path(__file__).parents[1] / "docs" / "results"
NETWORKS = {"barrier in every step": Potjans2014(N_scaling=0.1), "long blocks": Brunel10k()}
SMALL = {
    "barrier in every step": Potjans2014(N_scaling=0.02, K_scaling=0.2),
    "long blocks": Brunel10k(**Brunel10k.small),
}
FAIR = (4 / 3, 2.0)  # what the loss of half a core explains
SEED, WARMUP = 1, 200.0  # ms
BUSY = """
import os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {int(sys.argv[1])})
print("spinning", flush=True)
while True:
    pass
"""


def two_cores() -> list[int] | None:
    """Bind this process, and the threads it will have, to two cores; None where a system has no means for that."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, cores)
    return cores


@contextlib.contextmanager
def busy(core: int) -> Iterator[None]:
    """Another process keeps `core` busy."""
    child = subprocess.Popen([sys.executable, "-c", BUSY, str(core)], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        yield
    finally:
        child.kill()
        child.communicate()


def stretches(model: NetworkModel, given: argparse.Namespace, core: int) -> dict[str, list[float]]:
    """Realtime factors of stretches in turn, alone and beside the busy process."""
    found: dict[str, list[float]] = {"alone": [], "beside": []}
    with ss.Network(dt=model.dt, seed=SEED, threads=2, precision=given.precision) as net:
        model.build(net)
        for population in net.populations:
            net.record(population, "spikes")
        net.run(WARMUP)
        for repeat in range(2 * given.repeats):
            kind = "beside" if repeat % 2 else "alone"
            with busy(core) if kind == "beside" else contextlib.nullcontext():
                before = net.seconds["run"]
                net.run(given.stretch)
                found[kind].append((net.seconds["run"] - before) / (given.stretch * 1e-3))
    return found


def summary(found: dict[str, list[float]]) -> dict[str, Any]:
    """Medians, the median ratio of neighbours, and how it compares with the lost half of a core."""
    ratios = [beside / alone for alone, beside in zip(found["alone"], found["beside"], strict=True)]
    ratio = statistics.median(ratios)
    least, most = FAIR
    return {
        "realtime_factor_alone": statistics.median(found["alone"]),
        "realtime_factor_beside": statistics.median(found["beside"]),
        "ratio": ratio,
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "verdict": "less than fair" if ratio < least else "explained" if ratio <= most else "more than explained",
        "realtime_factors": found,
    }


def main() -> None:
    """Read the arguments, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=12, help="pairs of stretches")
    parser.add_argument("--stretch", type=float, default=1000.0, help="ms of model time")
    parser.add_argument("--precision", choices=("double", "single"), default="double")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if given.quick:
        given.repeats, given.stretch = 3, 500.0
    load, cores = round(psutil.getloadavg()[0], 2), two_cores()
    if cores is None:
        print("this system binds no process to a core: the busy one may move, and there may be more than two cores")
    elif len(cores) < 2:
        parser.error("needs two cores")
    results = {}
    for name, model in (SMALL if given.quick else NETWORKS).items():
        results[name] = {"network": model.name(), "parameters": model.values()}
        results[name] |= summary(stretches(model, given, cores[1] if cores else 0))
        e = results[name]
        print(f"{name}, {e['network']}: {e['realtime_factor_alone']:.3f} s per second alone, "
              f"{e['realtime_factor_beside']:.3f} beside; ratio {e['ratio']:.2f} ({e['ratio_min']:.2f} to "
              f"{e['ratio_max']:.2f}), where half a core explains {FAIR[0]:.2f} to {FAIR[1]:.0f}: {e['verdict']}",
              flush=True)  # fmt: skip
    out = given.out or (None if given.quick else RESULTS)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        told: dict[str, Any] = {"threads": 2, "bound_to_cores": cores, "precision": given.precision, "seed": SEED}
        told |= {"fair": FAIR, "stretch_ms": given.stretch, "repeats": given.repeats}
        path = out / "busy_core.json"
        told |= {"networks": results, "provenance": {**provenance(), "load_1min_before": load}}
        path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
