"""The event-driven engine against the clock and NEST's precise neurons, and its events a second against network size.

    python benchmarks/event_engine.py [--out docs/results/event_engine.json]

Every run is a process of its own, with one thread. Sizes are those of the network `sparse`, of which `rate` makes the
second table: where the clock overtakes, counted in events per neuron and second.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from spikesim.provenance import provenance

SIZES = (100, 1000, 10_000, 100_000)
RATES = (0.01, 0.1, 1.0, 10.0)  # Hz, at 1000 neurons


def spikesim(*words):
    command = [sys.executable, "-m", "spikesim", *map(str, words), "--json", "--quiet"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def run(engine, N, rate, time):
    found = spikesim("run", "sparse", "--time", time, "--seed", 1, "--threads", 1,
                     *(w for kv in (f"engine={engine}", f"N={N}", f"rate={rate}") for w in ("--set", kv)))  # fmt: skip
    row = {"engine": engine, "N": N, "rate": rate, "time_ms": time, "run_s": found["run_s"],
           "realtime_factor": found["realtime_factor"], "spikes": found["spikes"]}  # fmt: skip
    if "events" in found:
        row |= {"events": found["events"], "events_per_s": found["events"] / found["run_s"]}
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="docs/results/event_engine.json")
    given = parser.parse_args()
    run("event", 100, 0.1, 100), run("clock", 100, 0.1, 100)  # compiles
    sizes = [run("event", N, 0.1, 10_000 * max(1, 10_000 // N)) for N in SIZES]
    rates = [run(engine, 1000, rate, 10_000) for rate in RATES for engine in ("event", "clock")]
    peers = spikesim("bench", "sparse", "--time", 20_000, "--seed", 1, "--threads", 1)
    result = {"sizes": sizes, "rates": rates, "peers": peers, "provenance": provenance()}
    Path(given.out).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for row in sizes:
        print(f"N = {row['N']:6d}: {row['events_per_s']:.3g} events a second")
    for event, clock in zip(rates[::2], rates[1::2], strict=True):
        print(f"{event['rate']:5g} Hz: event {event['realtime_factor']:.4g}, clock {clock['realtime_factor']:.4g} s/s")
    print(f"NEST's precise neurons take {peers['ratio']['nest']:.3g} times as long")


if __name__ == "__main__":
    main()
