"""The benchmarks that the documentation quotes, in spikesim and in the simulators installed, one result file each.

    python benchmarks/against_peers.py [NAME ...] [--peers NAME=PYTHON,...] [--threads N] [--repeats N] [--time MS]

writes docs/results/bench_NAME_threads_N.json for each NAME below, all but the full microcircuit unless told.
Interpreters of the other simulators may also be given by $SPIKESIM_PEERS (docs/benchmarks.md). NEST and Brian 2 take
about an hour.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "docs" / "results"

#: name -> the words after `spikesim bench`
BENCHMARKS = {
    "brunel_static": ["brunel_10k"],
    "plastic_pair": ["plastic", "--set", "rule=PairSTDP"],
    "plastic_pair_single": ["plastic", "--set", "rule=PairSTDP", "--precision", "single"],
    "plastic_triplet": ["plastic", "--set", "rule=TripletSTDP"],
    "plastic_triplet_single": ["plastic", "--set", "rule=TripletSTDP", "--precision", "single"],
    "plastic_moving_single": [
        *("plastic", "--set", "rule=PairSTDP", "--set", "learning_rate=1e-3", "--precision", "single", "--peers", ""),
    ],
    "cuba": ["vogels_abbott_2005", "--set", "preset=cuba", "--time", "10000"],
    "coba": ["vogels_abbott_2005", "--set", "preset=coba_driven", "--time", "10000"],
    "coba_single": [
        *("vogels_abbott_2005", "--set", "preset=coba_driven", "--time", "10000", "--precision", "single"),
    ],
    "microcircuit_tenth": ["potjans_2014", "--set", "N_scaling=0.1"],
}
#: and those that run only when they are named: NEST takes five minutes and 15 GB
BY_NAME = {
    "microcircuit_full": ["potjans_2014", "--precision", "single", "--repeats", "1"],
    "microcircuit_full_alone_single": ["potjans_2014", "--precision", "single", "--peers", ""],
    "microcircuit_full_alone": ["potjans_2014", "--peers", ""],
}


def main() -> int:
    """Read the arguments, run, write; the status is that of the worst run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join([*BENCHMARKS, *BY_NAME]))
    parser.add_argument("--threads", default="2")
    for option in ("--peers", "--repeats", "--time", "--seed", "--precision"):
        parser.add_argument(option)
    given = vars(parser.parse_args())
    names = given.pop("names") or list(BENCHMARKS)
    known = {**BENCHMARKS, **BY_NAME}
    if unknown := set(names) - set(known):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    shared = [word for option, value in given.items() if value is not None for word in (f"--{option}", value)]
    worst = 0
    for name in names:
        out = RESULTS / f"bench_{name}_threads_{given['threads']}.json"
        command = [sys.executable, "-m", "spikesim", "bench", *known[name], *shared, "--out", str(out)]
        worst = max(worst, subprocess.run(command, check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
