"""What the first minute costs: `import spikesim`, and the first small run with and without compiled code on disk.

    python benchmarks/cold_start.py [--repeats 5] [--network brunel_2000] [--time 100] [--threads N] [--out FOLDER]
        [--quick]

Every measurement is a process of its own, timed from outside; cold runs have an empty folder for compiled code
(SPIKESIM_CACHE), and the warm run after each finds what that one left. Files of the system's own cache stay where they
are: a computer that was just switched on is slower. Prints a table of medians and writes cold_start.json to
docs/results; with --quick, a small version to see that all works, only where --out says.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from spikesim.experiment import NetworkModel
from spikesim.provenance import provenance
from spikesim.registry import find

RESULTS = Path(__file__).parents[1] / "docs" / "results"
STAGES = ("build_s", "compile_s", "run_s")  # of a run, as it reports them itself
IMPORT = "import time; began = time.perf_counter(); import spikesim; print(time.perf_counter() - began)"


def timed(words: list[str], cache: str | None = None) -> tuple[float, str]:
    """Wall seconds of a process, and what it printed last."""
    environment = {**os.environ, **({} if cache is None else {"SPIKESIM_CACHE": cache})}
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed: {done.stderr}")
    return seconds, (done.stdout.strip().splitlines() or [""])[-1]


def once(run: list[str]) -> dict[str, float]:
    """One round: seconds by what was measured."""
    with tempfile.TemporaryDirectory() as cache:
        found = {"python": timed(["-c", "pass"])[0], "import": float(timed(["-c", IMPORT], cache)[1])}
        found["list"] = timed(["-m", "spikesim", "list"], cache)[0]
        for kind in ("cold", "warm"):
            found[f"{kind} run"], told = timed(run, cache)
            found |= {f"{kind} run, {stage[:-2]}": json.loads(told)[stage] for stage in STAGES}
            inside = sum(found[f"{kind} run, {stage[:-2]}"] for stage in STAGES)
            found[f"{kind} run, the rest"] = found[f"{kind} run"] - inside
    return found


def summary(rounds: list[dict[str, float]]) -> dict[str, dict[str, Any]]:
    """what -> median, least and most seconds, and all of them."""
    found = {}
    for what in rounds[0]:
        seconds = [each[what] for each in rounds]
        found[what] = {"median_s": statistics.median(seconds), "min_s": min(seconds), "max_s": max(seconds)}
        found[what]["all_s"] = seconds
    return found


def command(network: str, small: bool, duration: float, threads: int) -> list[str]:
    """The words after `python` of the run that is measured."""
    model: type[NetworkModel] = find("network", network)
    settings = [word for key, value in model.small.items() for word in ("--set", f"{key}={value}")] if small else []
    words = ["-m", "spikesim", "run", network, *settings, "--time", f"{duration:g}", "--seed", "1"]
    return [*words, "--threads", str(threads), "--json", "--quiet"]


def main() -> None:
    """Read the arguments, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--network", default="brunel_2000")
    parser.add_argument("--time", type=float, default=100.0, help="ms")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if given.quick:
        given.repeats = 1
    load, run = round(psutil.getloadavg()[0], 2), command(given.network, given.quick, given.time, given.threads)
    timed(["-c", "import spikesim"])  # leaves Python's own compiled files
    found = summary([once(run) for _ in range(given.repeats)])
    print(f"{'seconds':24}{'median':>10}{'least':>10}{'most':>10}")
    for what, each in found.items():
        print(f"{what:24}{each['median_s']:10.3f}{each['min_s']:10.3f}{each['max_s']:10.3f}")
    out = given.out or (None if given.quick else RESULTS)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        told: dict[str, Any] = {"command": " ".join(["python", *run]), "seed": 1, "repeats": given.repeats}
        path = out / "cold_start.json"
        told |= {"threads": given.threads, "measured": found, "provenance": {**provenance(), "load_1min_before": load}}
        path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
