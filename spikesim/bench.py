"""The same network in spikesim and in other simulators, run in turn and compared.

Each run is a process of its own, so that none inherits memory or warm caches. How another simulator builds a network is
told by a program in the folder `peers` beside the network's file: NETWORK in nest is `peers/nest_NETWORK.py`. It
runs in the interpreter that has that simulator, reads what to run from stdin, and prints one JSON object as its last
line; see docs/benchmarks.md.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikesim.errors import RunError, SpikesimError, unknown
from spikesim.experiment import NetworkModel
from spikesim.output import plain
from spikesim.registry import FOLDERS, find

INTERPRETERS = "SPIKESIM_PEERS"
BUSY = 0.5  # load in the minute before, above which times tell little
#: the command line, whatever folder one stands in: where `-m` may find the sources that are not all of the package
MAIN = "import sys; sys.path[:] = filter(None, sys.path); from spikesim.cli import main; main()"
MEASURED = ("realtime_factor", "build_s", "compile_s", "run_s", "peak_rss_gb")


@dataclass(frozen=True)
class BenchOptions:
    """How to measure: model time (ms; None for the network's own), the runs of each simulator, and what all share."""

    time: float | None = None
    repeats: int = 3
    seed: int | None = None
    threads: int = 1
    precision: str = "double"


def programs(network: str) -> dict[str, Path]:
    """peer -> the program that runs this network there; `network` is a name, or FILE.py:Class."""
    file = Path(network.rpartition(":")[0] if ".py:" in network else inspect.getfile(find("network", network)))
    found = (file.parent / "peers").glob(f"*_{file.stem}.py")
    names = {path: path.stem.removesuffix(f"_{file.stem}") for path in sorted(found)}
    return {name: path for path, name in names.items() if name.isidentifier() and "_" not in name}


def facts(model: NetworkModel) -> dict[str, Any]:
    """What a peer's program is told of a network: its parameters, and its properties, which follow from them."""
    properties = inspect.getmembers(type(model), lambda member: isinstance(member, property))
    return {**model.values(), **{name: getattr(model, name) for name, _ in properties}}


def _helpers() -> str:
    """The folder of `peer` and its likes, for programs that lie elsewhere to import."""
    package = importlib.import_module(FOLDERS["network"])
    return os.path.join(package.__path__[0], "peers")


def choose(network: str, words: str | None) -> dict[str, str]:
    """peer -> interpreter, from words like "nest,brian2=/opt/brian/bin/python"; None stands for all there are.

    An interpreter that is not given is the one that $SPIKESIM_PEERS, written alike, gives, or else this one.
    Raises SpikesimError for a peer in which nobody has written this network.
    """
    known = programs(network)
    elsewhere = _pairs(os.environ.get(INTERPRETERS, ""))
    chosen = dict.fromkeys(known, "") if words is None else _pairs(words)
    for peer in chosen:
        if peer not in known:
            raise unknown(network, "version for the simulator", peer, known)
    return {peer: python or elsewhere.get(peer) or sys.executable for peer, python in chosen.items()}


def _pairs(words: str) -> dict[str, str]:
    split = (word.strip().partition("=") for word in words.split(",") if word.strip())
    return {peer: python for peer, _, python in split}


def bench(
    network: str, settings: Sequence[str], model: NetworkModel, peers: Mapping[str, str], options: BenchOptions,
    note: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """Run spikesim and the peers in turn, `repeats` times; the keys are those of `spikesim bench --json`.

    `network` and `settings` are the words that made `model`; `peers` is what `choose` gave; `note` is told how it goes.

    Raises SpikesimError where spikesim or an interpreter refuses, and RunError when a run fails.
    """
    from psutil import getloadavg

    from spikesim.provenance import provenance
    from spikesim.rng import fresh_seed

    load = round(getloadavg()[0], 2)
    if load > BUSY:
        note(f"the machine is busy (load {load}), so times will be too long, and not by the same factor for all")
    seed = fresh_seed() if options.seed is None else options.seed
    duration = model.duration if options.time is None else options.time
    absent = {peer: why for peer, python in peers.items() if (why := _absent(peer, python))}
    for peer, why in absent.items():
        note(f"{peer} is absent: {why}")
    there = {peer: python for peer, python in peers.items() if peer not in absent}
    job = {"parameters": plain(facts(model)), "time": duration, "seed": seed, "threads": options.threads}
    words = ["run", network, "--time", repr(duration), "--seed", seed, "--threads", options.threads]
    words += ["--precision", options.precision, "--json", "--quiet", *(w for s in settings for w in ("--set", s))]
    runs: dict[str, list[dict[str, Any]]] = {"spikesim": [], **{peer: [] for peer in there}}
    for repeat in range(options.repeats):
        for name, done in runs.items():
            if name == "spikesim":
                done.append(run_once(name, [sys.executable, "-c", MAIN, *map(str, words)]))
            else:
                program = str(programs(network)[name])
                done.append(run_once(name, [there[name], program], json.dumps(job), {"PYTHONPATH": _helpers()}))
            note(f"{repeat + 1}/{options.repeats} {name}: {done[-1]['realtime_factor']:.3g} s per second of model time")
    found = {name: _median(done) for name, done in runs.items()}
    ours = found.pop("spikesim")
    return {
        "network": model.name(),
        "preset": model.preset,
        "parameters": model.values(),
        **ours,
        "time_ms": duration,
        "repeats": options.repeats,
        "peers": {peer: {"absent": absent[peer]} if peer in absent else found[peer] for peer in peers},
        "ratio": {
            peer: None if peer in absent else found[peer]["realtime_factor"] / ours["realtime_factor"]
            for peer in peers
        },
        "provenance": {**provenance(), "load_1min_before": load},
    }  # fmt: skip


def _absent(peer: str, python: str) -> str:
    """Why the interpreter cannot run this peer, or nothing if it can."""
    look = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({peer!r}) is None)"
    try:
        done = subprocess.run([python, "-c", look], capture_output=True, check=False)
    except OSError as error:
        raise SpikesimError(f"{peer}: {python} is no interpreter ({error.strerror}); give {peer}=PYTHON.") from None
    return f"not installed; see {INTERPRETERS} in the documentation" if done.returncode else ""


def run_once(
    name: str, command: list[str], stdin: str = "", variables: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What one run printed last. Raises SpikesimError if it refused its arguments, RunError if it failed."""
    environment = {**os.environ, **(variables or {})}
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=environment, check=False)
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode == 0 and last.startswith("{"):
        return json.loads(last)
    said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1].removeprefix("spikesim: ")
    if name == "spikesim" and done.returncode == 2:
        raise SpikesimError(said)
    raise RunError(f"{name} failed: {said}")


def _median(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the runs of one simulator, with the factors they came from, and what they have in common."""
    costs = [key for key in runs[0] if key.startswith("ns_per_")]  # what a network reports beside
    medians = {key: statistics.median(run[key] for run in runs) for key in (*MEASURED, *costs)}
    populations = runs[0]["rates_hz"]
    return {
        **medians,
        "rates_hz": {name: statistics.median(run["rates_hz"][name] for run in runs) for name in populations},
        **{key: runs[0][key] for key in ("seed", "threads", "precision", "version")},
        "realtime_factors": [run["realtime_factor"] for run in runs],
    }


def table(result: Mapping[str, Any]) -> str:
    """The result as a table, simulators down, and rates below."""
    found = {"spikesim": result, **result["peers"]}
    head = ("simulator", "s per s", "least", "most", "ratio", "build s", "compile s", "run s", "peak GB")
    rows: list[Sequence[str]] = [head]
    for name, each in found.items():
        if "absent" in each:
            rows.append((name, "absent", *[""] * 7))
            continue
        factors = each["realtime_factors"]
        numbers = [each["realtime_factor"], min(factors), max(factors), result["ratio"].get(name, 1.0)]
        numbers += [each[key] for key in MEASURED[1:]]
        rows.append((f"{name} {each['version']}", *(f"{number:.3g}" for number in numbers)))
    there = {name: each for name, each in found.items() if "absent" not in each}
    rates = [("rates (Hz)", *there)]
    for population in result["rates_hz"]:
        rates.append(
            (population, *(f"{each['rates_hz'].get(population, float('nan')):.2f}" for each in there.values()))
        )
    about = (
        f"{result['network']}, {result['time_ms']:g} ms, {result['threads']} threads, {result['precision']} precision, "
        f"seed {result['seed']}, medians of {result['repeats']}"
    )
    costs = [f"{key.replace('_', ' ')}: {result[key]:.3g}" for key in result if key.startswith("ns_per_")]
    return "\n\n".join([about, _aligned(rows), _aligned(rates), *costs])


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in rows)
    return "\n".join("  ".join(line).rstrip() for line in lines)
