"""What it costs to record the weights of chosen synapses at every change.

    python benchmarks/change_recording.py [--repeats 7] [--stretch 200] [--out FOLDER] [--quick]

1000 sources and 1000 neurons with 100 synapses each, both sides firing at random with 20 Hz, dt = 0.1 ms, one thread.
`MultiplicativeSTDP` is served at every spike, `PairSTDP` has its synapses visited at presynaptic spikes only; delays
are all 1 ms, or twenty different ones. Each network is run without a recorder, with one of the changes of 10 and of
10,000 synapses, and with snapshots of 10 synapses after every step, in turn, in stretches of `--stretch` ms (snapshots:
a tenth of that) after a first one that compiles. A slowdown is the processor's time for a ms of the network over that
without a recorder in the same round. Prints the median, the least and the most of each, writes change_recording.json to
docs/results, and puts the medians into docs/learning.md, between the two markers there; with --quick, a small version
to see that all works, which writes only where --out says.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import spikesim as ss
from spikesim.models.neurons import PoissonSource, SpikeSource
from spikesim.models.plasticity import MultiplicativeSTDP, PairSTDP
from spikesim.plasticity import Rule
from spikesim.provenance import provenance

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"(<!-- change recording -->\n).*?(<!-- end of change recording -->)", re.DOTALL)
RULES: dict[str, type[Rule]] = {"every spike": MultiplicativeSTDP, "presynaptic spikes": PairSTDP}
DELAYS: dict[str, Any] = {"one delay": 1.0, "twenty delays": ss.Uniform(0.1, 2.0)}
RECORDERS: dict[str, dict[str, Any]] = {
    "none": {},
    "changes of 10": {"sample": 10, "every": "change"},
    "changes of 10,000": {"sample": 10_000, "every": "change"},
    "snapshots of 10": {"sample": 10, "every": 0.1},
}
SHARE = {"snapshots of 10": 0.1}  # of a stretch, for it takes long
NEURONS, INDEGREE, RATE, SEED = 1000, 100, 20.0, 1  # of either side; Hz


def network(rule: Rule, delay: Any, recorder: dict[str, Any], neurons: int, duration: float) -> ss.Network:
    """Sources on both sides, so that a recorder alone makes the difference."""
    rng = np.random.default_rng(SEED)
    n = round(neurons * RATE * duration / 1000.0)
    net = ss.Network(dt=0.1, seed=SEED, threads=1)
    pre = net.add(PoissonSource(rate=RATE), neurons, name="pre")
    post = net.add(SpikeSource(rng.uniform(0.1, duration, n), rng.integers(neurons, size=n)), neurons, name="post")
    synapses = net.connect(pre, post, ss.FixedIndegree(INDEGREE), weight=0.5, delay=delay, plasticity=rule)
    if recorder:
        net.record(synapses, "weights", **recorder)
    return net


def rounds(rule: type[Rule], delay: Any, neurons: int, stretch: float, repeats: int) -> list[dict[str, float]]:
    """Seconds of the processor for a second of the network with each recorder, in every round."""
    found: list[dict[str, float]] = []
    with contextlib.ExitStack() as stack:
        nets = {
            name: stack.enter_context(network(rule(), delay, recorder, neurons, (repeats + 1) * stretch))
            for name, recorder in RECORDERS.items()
        }
        duration = {name: stretch * SHARE.get(name, 1.0) for name in nets}
        for name, net in nets.items():
            net.run(duration[name])  # compiles
        for _ in range(repeats):
            found.append({})
            for name, net in nets.items():
                before = time.process_time()  # what else the machine does counts less than by the clock
                net.run(duration[name])
                found[-1][name] = (time.process_time() - before) / duration[name] * 1e3
    return found


def slowdowns(found: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """recorder -> median, least and most of the ratios to the same round without one."""
    ratios = {name: [each[name] / each["none"] for each in found] for name in found[0] if name != "none"}
    return {name: {"median": statistics.median(r), "min": min(r), "max": max(r)} for name, r in ratios.items()}


def told(slowdown: float) -> str:
    """As it is quoted, with two digits."""
    return f"{float(f'{slowdown:.2g}'):g}"


def block(measured: dict[str, Any]) -> str:
    """The table for the page: medians."""
    heads = [name for name in RECORDERS if name != "none"]
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for label, each in measured.items():
        lines.append(f"| {label} | " + " | ".join(told(each["slowdown"][name]["median"]) for name in heads) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Read the arguments, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--stretch", type=float, default=200.0, help="ms")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    neurons = NEURONS
    if given.quick:
        given.repeats, given.stretch, neurons = 1, 20.0, 2 * INDEGREE
    load, measured = round(psutil.getloadavg()[0], 2), {}
    for served, rule in RULES.items():
        for delays, delay in DELAYS.items():
            found = rounds(rule, delay, neurons, given.stretch, given.repeats)
            label = f"{rule.__name__}, {delays}"
            measured[label] = {"visited_at": served, "slowdown": slowdowns(found), "seconds_per_second": found}
            print(label)
            for name, ratio in measured[label]["slowdown"].items():
                print(f"  {name:20}{ratio['median']:8.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})")
    out = given.out or (None if given.quick else DOCS / "results")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        result: dict[str, Any] = {"seed": SEED, "threads": 1, "neurons": 2 * neurons, "synapses": neurons * INDEGREE}
        result |= {"rate_hz": RATE, "stretch_ms": given.stretch, "repeats": given.repeats, "measured": measured}
        result |= {"provenance": {**provenance(), "load_1min_before": load}}
        path = out / "change_recording.json"
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print(f"wrote {path}")
    if out == DOCS / "results":
        page = DOCS / "learning.md"
        text = page.read_text(encoding="utf-8")
        page.write_text(BLOCK.sub(lambda m: m[1] + block(measured) + m[2], text), encoding="utf-8")
        print(f"wrote {page}")


if __name__ == "__main__":
    main()
