"""What a spike file says about itself, for programs and for people."""

from __future__ import annotations

import os
from typing import Any

from spikesim.sonata import read_spikes, spikes_digest


def file_info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The contents of a spike file in numbers, fit for JSON; what the file does not tell is None.

    Keys: `file version seed dt_ms duration_ms completed started ended source_digest populations spikes_total
    spikes_sha256 parameters`; `populations` is name -> `{neurons, spikes, rate_hz}`, with the mean rate over
    all neurons and the whole duration. `spikes_sha256` is that of `spikesim.sonata.spikes_digest`.

    Raises SpikesimError when the file cannot be read.
    """
    file = read_spikes(path)
    populations = {}
    for name, train in sorted(file.populations.items()):
        neurons = file.sizes.get(name)
        rate = None
        if neurons and file.duration_ms:
            rate = 1000.0 * train.count / (neurons * file.duration_ms)
        populations[name] = {"neurons": neurons, "spikes": train.count, "rate_hz": rate}
    return {
        "file": str(file.path),
        "version": file.version,
        "seed": file.seed,
        "dt_ms": file.dt,
        "duration_ms": file.duration_ms,
        "completed": file.completed,
        "started": file.started,
        "ended": file.ended,
        "source_digest": file.source_digest,
        "populations": populations,
        "spikes_total": sum(train.count for train in file.populations.values()),
        "spikes_sha256": None if file.dt is None else spikes_digest(file.populations),
        "parameters": file.parameters,
    }


def format_info(info: dict[str, Any]) -> str:
    """`file_info` as lines to read, in columns."""
    lines = [info["file"]]
    if info["version"] is None:
        lines.append("  SONATA, not written by spikesim: its step, seed and duration are not known")
    else:
        state = "complete" if info["completed"] else "NOT complete: the run was stopped, or still goes on"
        lines += [
            f"  spikesim {info['version']}, seed {info['seed']}, dt {info['dt_ms']:g} ms",
            f"  {info['duration_ms']:,g} ms of model time, {state}",
            f"  started {info['started']}" + (f", ended {info['ended']}" if info["ended"] else ""),
        ]
    rows = [("population", "neurons", "spikes", "rate")]
    for name, each in info["populations"].items():
        neurons = "?" if each["neurons"] is None else f"{each['neurons']:,}"
        rate = "?" if each["rate_hz"] is None else f"{each['rate_hz']:.2f} Hz"
        rows.append((name, neurons, f"{each['spikes']:,}", rate))
    rows.append(("total", "", f"{info['spikes_total']:,}", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines.append("")
    for name, *numbers in rows:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        lines.append(f"  {name.ljust(widths[0])}  {'  '.join(cells)}".rstrip())
    if info["spikes_sha256"]:
        lines += ["", f"  spikes sha256 {info['spikes_sha256']}"]
    if info["parameters"]:
        lines += ["", "  parameters", *_tree(info["parameters"], "    ")]
    return "\n".join(lines)


def _tree(value: Any, indent: str) -> list[str]:
    """Nested parameters, one a line."""
    if not isinstance(value, dict):
        return [f"{indent}{value}"]
    lines = []
    for key, inner in value.items():
        nested = isinstance(inner, dict) and inner
        lines += [f"{indent}{key}", *_tree(inner, indent + "  ")] if nested else [f"{indent}{key} = {inner}"]
    return lines
