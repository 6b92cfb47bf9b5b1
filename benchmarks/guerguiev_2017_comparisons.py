"""Kinds of feedback, and apical dendrites that leak into the soma, in the segregated-dendrite network: figures 8 and 9B
of Guerguiev, Lillicrap & Richards 2017 (doi:10.7554/eLife.22901).

    python benchmarks/guerguiev_2017_comparisons.py [--epochs 20] [--train-images 60000] [--test-images 10000]
                                                    [--seeds 1-3] [--jobs 2] [--folder DIR]

trains one network for each case and seed side by side, and writes docs/results/guerguiev_2017_comparisons.json and .png
with what came of the criteria. These are stated for 20 and 60 epochs of 60,000 images: less is a trial. With a folder
the runs are kept there; called again with the same folder it goes on with what has not ended.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from spikesim.experiment import RunOptions
from spikesim.provenance import provenance
from spikesim.several import MANIFEST, Plan, Run, resume_several, run_several, seeds_of

RESULTS = Path(__file__).parents[1] / "docs" / "results"
SPARSE = {"feedback_density": 0.2}
FEEDBACK: dict[str, dict[str, Any]] = {
    "regular": {},
    "sparse, times 5": {**SPARSE, "feedback_gain": 5.0},
    "sparse": SPARSE,
    "symmetric": {"feedback": "symmetric"},
    "symmetric, noisy": {"feedback": "noisy"},
}
ATTENUATION: dict[str, dict[str, Any]] = {f"g_a = {g_a:g}": {"hidden": "500,100", "g_a": g_a} for g_a in (0, 0.05, 0.6)}
#: criterion, case, case it is compared with, sign and size (points) of the difference that is wanted
CRITERIA = (
    ("G3", "sparse, times 5", "regular", "<=", 0.0),
    ("G3", "sparse", "regular", ">", 0.0),
    ("G3", "symmetric", "regular", "<=", 0.0),
    ("G3", "symmetric, noisy", "regular", ">", 0.0),
    ("G4", "g_a = 0.05", "g_a = 0", "within", 0.3),
    ("G4", "g_a = 0.6", "g_a = 0", ">", 0.5),
)


def planned(given: argparse.Namespace) -> Plan:
    """The runs of all cases and seeds."""
    size = {"epochs": given.epochs, "train_images": given.train_images, "test_images": given.test_images}
    runs = [
        Run(f"case_{k}_seed_{seed}", seed, {"case": case}, {**size, **values})
        for k, (case, values) in enumerate({**FEEDBACK, **ATTENUATION}.items())
        for seed in seeds_of(given.seeds)
    ]
    options = RunOptions(precision="single", max_rate=None)
    return Plan("guerguiev_2017", runs, options, Path(given.folder).resolve() if given.folder else None)


def verdict(errors: dict[str, list[float]], tests: int, criterion: tuple[Any, ...]) -> dict[str, Any]:
    """Whether the mean errors (%) of two cases, each of some seeds, differ as they should; and the standard error of
    the difference: that of counting errors in so many tests, or of the spread over seeds if that is larger."""
    name, case, other, sign, size = criterion
    mine, theirs = np.array(errors[case]), np.array(errors[other])
    difference = float(mine.mean() - theirs.mean())
    counted = sum(e.mean() * (100.0 - e.mean()) / (tests * len(e)) for e in (mine, theirs))
    spread = sum(e.var(ddof=1) / len(e) for e in (mine, theirs)) if len(mine) > 1 else 0.0
    passes = {"<=": difference <= size, ">": difference > size, "within": abs(difference) < size}[sign]
    wanted = f"error of {case!r} - error of {other!r}"
    wanted = f"|{wanted}| < {size:g} points" if sign == "within" else f"{wanted} {sign} {size:g} points"
    return {
        "criterion": f"{name}: {wanted}",
        "difference": difference, "standard_error": float(np.sqrt(max(counted, spread))), "pass": bool(passes),
    }  # fmt: skip


def draw(errors: dict[str, list[float]], path: Path, title: str) -> None:
    """Test errors of all cases: a dot a seed, a line for the mean."""
    figure = Figure(figsize=(9.0, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, width_ratios=[5, 3])
    for ax, cases, about in zip(axes, (FEEDBACK, ATTENUATION), ("feedback, 500", "apical, 500-100"), strict=True):
        for k, case in enumerate(cases):
            ax.plot([k] * len(errors[case]), errors[case], "o", color="#0072B2", alpha=0.7, markersize=5)
            ax.plot([k - 0.25, k + 0.25], [np.mean(errors[case])] * 2, color="#0072B2")
        ax.set(ylabel="test error (%)", title=f"{about}: {title}", ylim=(0, None))
        ax.set_xticks(range(len(cases)), [case.replace(", ", ",\n") for case in cases], fontsize=8)
        ax.title.set_fontsize(9)
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Read the arguments, train, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--train-images", type=int, default=60000)
    parser.add_argument("--test-images", type=int, default=10000)
    parser.add_argument("--seeds", default="1-3")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--folder", help="keep the runs here, and go on with those that are here")
    given = parser.parse_args()
    began, plan = time.perf_counter(), planned(given)
    if plan.folder is not None and (plan.folder / MANIFEST).exists():
        result = resume_several(plan.folder, jobs=given.jobs)
    else:
        result = run_several(plan, given.jobs)
    failed = [f"{run['name']}: {run['error'] or 'stopped'}" for run in result["runs"] if run["result"] is None]
    if failed:
        raise SystemExit("\n".join(failed))
    errors: dict[str, list[float]] = {}
    for run in result["runs"]:
        errors.setdefault(run["grid"]["case"], []).append(run["result"]["test_error"])
    one = result["runs"][0]["result"]["parameters"]
    size = f"{one['epochs']} x {one['train_images']:,} images"
    found = {
        "network": "guerguiev_2017", "epochs": one["epochs"], "train_images": one["train_images"],
        "test_images": one["test_images"], "seeds": sorted({run["seed"] for run in result["runs"]}),
        "precision": "single", "stated_for": "20 and 60 epochs of 60,000 images", "errors": errors,
        "verdicts": [verdict(errors, one["test_images"], criterion) for criterion in CRITERIA],
        "cases": {**FEEDBACK, **ATTENUATION},
        "rates_hz": {run["name"]: run["result"]["rates_hz"] for run in result["runs"]},  # in training
        "weights_sha256": {run["name"]: run["result"]["weights_sha256"] for run in result["runs"]},
        "seconds_in_training": sum(run["result"]["seconds"] for run in result["runs"]),
        "seconds": time.perf_counter() - began, "provenance": provenance(),
    }  # fmt: skip
    path = RESULTS / "guerguiev_2017_comparisons.json"
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    draw(errors, path.with_suffix(".png"), size)
    print(json.dumps({"errors": errors, "verdicts": found["verdicts"]}, indent=2))


if __name__ == "__main__":
    main()
