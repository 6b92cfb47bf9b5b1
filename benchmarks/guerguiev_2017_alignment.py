"""Learned feedback in the segregated-dendrite network: do learned weights bring its error from that of random feedback
towards that of symmetric feedback?

    python benchmarks/guerguiev_2017_alignment.py [--hidden 100] [--images 20000] [--seeds 1,2] [--test-every 10000]
        [--test-images 2000] [--only random,symmetric] [--draw]

trains the same network, with the same images in the same order, with each kind of feedback, and writes
docs/results/guerguiev_2017_alignment.json and .png after each run: test error, angle between the feedback weights Y and
W^T, and angle between the updates of the hidden layer and backpropagation's, as training goes on. Runs that are in the
file already, of the same size, stay there: `--only` makes some of them anew. Takes about twenty minutes of one core.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from spikesim.angles import weight_angle
from spikesim.experiment import RunOptions
from spikesim.models.networks.guerguiev_2017 import Guerguiev2017
from spikesim.provenance import provenance

PATH = Path(__file__).parents[1] / "docs" / "results" / "guerguiev_2017_alignment.json"
LOOK_EVERY = 20  # images
ENDS = ("random", "symmetric")  # what learned feedback is to go from and to

#: what is told of it -> its parameters and its colour
RUNS: dict[str, tuple[dict[str, Any], str]] = {
    "random": (dict(feedback="random"), "#56B4E9"),
    "symmetric": (dict(feedback="symmetric"), "#000000"),
    "symmetric alignment": (dict(feedback="symmetric_alignment", alignment_rate=5.0), "#0072B2"),
    "activation alignment": (dict(feedback="activation_alignment", alignment_rate=2.5), "#009E73"),
    "weight mirror": (dict(feedback="weight_mirror", alignment_rate=0.5), "#D55E00"),
    "information alignment": (dict(feedback="information_alignment", alignment_rate=0.1), "#E69F00"),
    "Kolen-Pollack": (dict(feedback="kolen_pollack", alignment_rate=0.05), "#CC79A7"),
}


def angles(model: Guerguiev2017) -> dict[str, float]:
    """Of Y and W^T (degrees), and |Y| / |W|."""
    W, Y = model.forward[-1], model.backward[-1]
    W, Y = W.weights.reshape(W.source.n, W.target.n), Y.weights.reshape(Y.source.n, Y.target.n)
    return {"weight_angle": weight_angle(W, Y), "size": float(np.linalg.norm(Y) / np.linalg.norm(W))}


def trained(seed: int, given: argparse.Namespace, **feedback: Any) -> dict[str, Any]:
    """A run in single precision: a point of its curve at every test, the angle to backpropagation being the mean over
    the images since the last one."""
    epochs, per_epoch = max(1, given.images // 60000), min(given.images, 60000)
    model = Guerguiev2017(hidden=given.hidden, train_images=per_epoch, epochs=epochs, test_images=given.test_images,
                          look_every=LOOK_EVERY, **feedback)  # fmt: skip
    model.prepare(RunOptions(seed=seed, precision="single"))
    curve: list[dict[str, Any]] = [{"images": 0, "test_error": None, "angle_to_backprop": None, **angles(model)}]
    began = time.process_time()
    while model.done < model.lessons():
        n = min(given.test_every, model.lessons() - model.done)
        model.learn(n)
        model.done += n
        seen = np.array(model.meter.series["angle_1"][-(n // LOOK_EVERY) :])
        point = {"images": model.done, "test_error": model.error(), "angle_to_backprop": float(np.nanmean(seen))}
        curve.append({**point, **angles(model)})
    return {"seed": seed, "curve": curve, "cpu_s": time.process_time() - began, "parameters": model.values()}


def kept(size: dict[str, Any] | None) -> dict[str, Any]:
    """What is in the file, if it is of this size, or of any; else what there is before the first run."""
    found = json.loads(PATH.read_text(encoding="utf-8")) if PATH.exists() else {}
    if size is None or found.get("size") == size:
        return found
    return {"network": "guerguiev_2017", "precision": "single", "size": size, "runs": {}}


def verdict(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """What each kind of feedback came to at the end: its errors, one a seed, and means over seeds; and which part of
    the way from random to symmetric feedback its error goes, over the seeds that all three have."""
    errors = {name: {run["seed"]: run["curve"][-1]["test_error"] for run in each} for name, each in runs.items()}
    found: dict[str, Any] = {}
    for name, each in runs.items():
        last = [run["curve"][-1] for run in each]
        keys = ("test_error", "weight_angle", "size", "angle_to_backprop")
        means = {key: float(np.mean([point[key] for point in last])) for key in keys}
        found[name] = {"seeds": list(errors[name]), "test_errors": list(errors[name].values()), **means}
        common = [seed for seed in errors[name] if all(seed in errors.get(end, {}) for end in ENDS)]
        if common:
            first, own, last_one = (
                np.mean([errors[kind][seed] for seed in common]) for kind in (ENDS[0], name, ENDS[1])
            )
            found[name]["part_of_the_way"] = float((first - own) / (first - last_one))
    return found


def draw(runs: dict[str, list[dict[str, Any]]], title: str) -> None:
    """Test error, angle of Y to W^T, angle of the updates to backpropagation's: means, and each seed as a thin line."""
    figure = Figure(figsize=(11.0, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    panels = ("test_error", "test error (%)"), ("weight_angle", "angle of Y to W$^T$ (degrees)"), \
        ("angle_to_backprop", "angle to backpropagation (degrees)")  # fmt: skip
    for ax, (key, label) in zip(axes, panels, strict=True):
        for name, each in runs.items():
            colour = RUNS[name][1]
            curves = [[p for p in run["curve"] if p[key] is not None] for run in each]
            images = [p["images"] for p in curves[0]]
            values = np.array([[p[key] for p in curve] for curve in curves])
            ax.plot(images, values.T, color=colour, linewidth=0.6, alpha=0.5)
            ax.plot(images, values.mean(axis=0), "o-", color=colour, markersize=3, label=name)
        ax.set(xlabel="training images", ylabel=label, xlim=(0, None))
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_yscale("log")
    ticks = [3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 25]
    axes[0].set_yticks(ticks, map(str, ticks))
    axes[0].minorticks_off()
    errors = [p["test_error"] for each in runs.values() for run in each for p in run["curve"] if p["test_error"]]
    axes[0].set_ylim(0.93 * min(errors), 2.2 * min(errors))  # what learns next to nothing is beyond the top
    for ax in axes[1:]:
        ax.axhline(90.0, color="#999999", linewidth=0.8)
        ax.set_ylim(-3.0, 100.0)
    axes[0].set_title(title, fontsize="medium")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(runs), frameon=False,
                  fontsize="small")  # fmt: skip
    figure.savefig(PATH.with_suffix(".png"), dpi=150)


def main() -> None:
    """Read the arguments, train, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", default="100")
    parser.add_argument("--images", type=int, default=20000, help="in all; of more than 60000, whole epochs")
    parser.add_argument("--seeds", default="1,2")
    parser.add_argument("--only", default=",".join(RUNS))
    parser.add_argument("--test-every", type=int, default=10000)
    parser.add_argument("--test-images", type=int, default=2000)
    parser.add_argument("--draw", action="store_true", help="draw what is there")
    given = parser.parse_args()
    size = {k: getattr(given, k) for k in ("hidden", "images", "test_every", "test_images")}
    for seed, name in itertools.product(map(int, given.seeds.split(",")), [] if given.draw else given.only.split(",")):
        run = trained(seed, given, **RUNS[name][0])
        found = kept(size)  # others may be at work on it
        runs = found["runs"]
        runs[name] = sorted([*(r for r in runs.get(name, []) if r["seed"] != seed), run], key=lambda r: r["seed"])
        found |= {"verdict": verdict(runs), "provenance": provenance()}
        PATH.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        last = run["curve"][-1]
        print(f"{name}, seed {seed}: {last['test_error']:.2f} %, Y to W^T {last['weight_angle']:.1f} degrees, "
                  f"to backpropagation {last['angle_to_backprop']:.1f}, {run['cpu_s']:.0f} s", flush=True)  # fmt: skip
    found = kept(None if given.draw else size)
    runs, size = found["runs"], found["size"]
    draw({name: runs[name] for name in RUNS if name in runs}, f"784-{size['hidden']}-10, {size['images']:,} images")
    for name, each in found["verdict"].items():
        print(f"{name:24s} {each['test_error']:6.2f} %, part of the way {each.get('part_of_the_way')}")


if __name__ == "__main__":
    main()
