"""Puts the numbers of docs/results into README.md, between the two markers there.

python benchmarks/readme_results.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.DOTALL)


def block() -> str:
    """The text between the markers."""
    protocols = json.loads((ROOT / "docs/results/protocol_errors.json").read_text(encoding="utf-8"))["errors"]
    epoch = json.loads((ROOT / "docs/results/guerguiev_2017_epoch.json").read_text(encoding="utf-8"))
    names = ("bi_poo_1998", "sjostrom_2001", "wang_2005")
    lines = [
        "Error E (mean squared deviation from the measurements in units of their s.e.m.; 1 is as good as the data) of",
        "published parameter sets, from [docs/results/protocol_errors.json](docs/results/protocol_errors.json):",
        "",
        "| rule, parameters | " + " | ".join(f"`{name}`" for name in names) + " |",
        "|---|" + "---:|" * len(names),
    ]
    for rule, found in protocols.items():
        lines.append(f"| {rule} | " + " | ".join(f"{found[name]:.2f}" for name in names) + " |")
    machine = epoch["provenance"]
    lines += [
        "",
        "`guerguiev_2017`, 784-500-10, one epoch of MNIST: test error "
        f"{epoch['test_error_before']:.1f} % before, **{epoch['test_error']:.2f} %** after {epoch['images']} images, "
        f"{epoch['images_per_second']:.0f} images per second in training",
        f"(seed {epoch['seed']}, one thread, {machine['processor']}, numba {machine['numba']}, "
        f"{machine['finished'][:10]}; "
        "[numbers](docs/results/guerguiev_2017_epoch.json), [curve](docs/results/guerguiev_2017_epoch.png)).",
    ]
    return "\n".join([*lines, "", *peers()]) + "\n"


def peers() -> list[str]:
    """The table of measurements against other simulators, a row for each file of `against_peers.py`."""
    lines = [
        "Wall seconds per second of model time, medians of runs in turn; every number and the rates that show the work",
        "to be the same are in [docs/results](docs/results); how to run them is told in",
        "[docs/benchmarks.md](docs/benchmarks.md):",
        "",
        "| network | threads | precision | spikesim | NEST | ratio | Brian 2 | ratio | machine |",
        "|---|---:|---|---:|---:|---:|---:|---:|---|",
    ]
    for path in sorted((ROOT / "docs/results").glob("bench_*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        name = path.stem.removeprefix("bench_").rpartition("_threads")[0].replace("_", " ")
        cells = [f"[{name}](docs/results/{path.name})", found["threads"], found["precision"]]
        cells.append(f"{found['realtime_factor']:.3g}")
        for peer in ("nest", "brian2"):
            ratio = found["ratio"].get(peer)
            cells += ["", ""] if ratio is None else [f"{found['peers'][peer]['realtime_factor']:.3g}", f"{ratio:.1f}"]
        cells.append(found["provenance"]["processor"].replace("(R)", ""))
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def main() -> None:
    """Rewrite README.md."""
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    path.write_text(BLOCK.sub(lambda m: m[1] + block() + m[2], text), encoding="utf-8")


if __name__ == "__main__":
    main()
