"""How the segregated-dendrite network assigns credit: figures 5 and 7A of Guerguiev, Lillicrap & Richards 2017.

    python benchmarks/guerguiev_2017_credit.py [--epochs 2] [--seed 1] [--look-every 20] [--hidden 500]
                                               [--feedback-by spikes] [--preset paper]

writes docs/results/guerguiev_2017_credit.json and .png, or guerguiev_2017_credit_PRESET_rates, say: the angle
between the network's updates and backpropagation's, the largest eigenvalue that Theorem 1 wants below 1, and the
correlation of the losses of hidden and output layer over test images of a class. Takes about two minutes an epoch.
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

from spikesim.credit import loss_correlation
from spikesim.experiment import RunOptions
from spikesim.models.networks.guerguiev_2017 import Guerguiev2017
from spikesim.provenance import provenance
from spikesim.rng import Stream

RESULTS = Path(__file__).parents[1] / "docs" / "results"
BATCH, WINDOW = 1000, 50  # lessons at a time; looks that a drawn point is the mean of
LOWEST = {"spikes": (55, 75), "rates": (30, 45)}  # degrees, where the smallest angle is to be
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#999999"


def correlations(model: Guerguiev2017, seed: int) -> dict[str, list[float]]:
    """Correlation of the losses over the test images of each class, and of losses of images paired at random."""
    labels = model.test_set[1]
    found: dict[str, list[float]] = {"classes": [], "shuffled": []}
    for label in range(10):
        hidden, output = model.losses(np.flatnonzero(labels == label))
        found["classes"].append(loss_correlation(hidden, output))
        order = Stream(seed, "SAMPLE", label).permutation(len(output))
        found["shuffled"].append(loss_correlation(hidden, output[order]))
    return found


def smooth(values: Any) -> Any:
    """Means over `WINDOW` looks that follow each other."""
    values = np.asarray(values)
    return values[: len(values) // WINDOW * WINDOW].reshape(-1, WINDOW).mean(axis=1)


def verdicts(series: dict[str, Any], losses: dict[str, Any], epoch: int, every: int, by: str) -> dict[str, Any]:
    """The criteria, what came out, and whether it passes."""
    lesson, mu = np.array(series["lesson"]), np.array(series["mu"])
    last = mu[(lesson >= epoch - 1000) & (lesson < epoch)]
    angles = smooth(series["angle_1"])
    medians = {k: float(np.median(each["classes"])) for k, each in losses.items()}
    low, high = LOWEST[by]
    shuffled = float(np.mean(np.abs([r for each in losses.values() for r in each["shuffled"]])))
    return {
        "G5": {"criterion": "mu begins above 1; below 1 in the last 1000 images of epoch 1", "begins": float(mu[0]),
               "last_1000_mean": float(last.mean()), "last_1000_below_1": float((last < 1.0).mean()),
               "pass": bool(mu[0] > 1.0 and (last < 1.0).all())},
        f"G6_{by}": {"criterion": f"by {by}, the angle begins at 85 to 95 degrees, its minimum is {low} to {high}",
                      "begins": float(angles[0]), "minimum": float(angles.min()), "ends": float(angles[-1]),
                      "pass": bool(85 <= angles[0] <= 95 and low <= angles.min() <= high),
                      "note": f"means over {WINDOW} looks, one at every {every} images"},
        "G7": {"criterion": "median correlation over classes 0.2 to 0.7, mean |r| of shuffled images below 0.05",
               "medians": medians, "shuffled_mean_abs": shuffled,
               "pass": bool(all(0.2 <= m <= 0.7 for m in medians.values()) and shuffled < 0.05)},
    }  # fmt: skip


def draw(found: dict[str, Any], path: Path) -> None:
    """Angles, eigenvalues, correlations."""
    series, epoch = found["series"], found["images_per_epoch"]
    figure = Figure(figsize=(10.0, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, middle, right = figure.subplots(1, 3)
    images = smooth(series["lesson"]) / epoch
    layers = [name for name in series if name.startswith("angle_")]
    for name, colour in zip(layers, (BLUE, ORANGE), strict=False):
        left.plot(images, smooth(series[name]), color=colour, label=f"hidden layer {name[-1]}")
    left.axhline(90.0, color=GREY, linewidth=0.8)
    left.set(
        xlabel="epochs",
        ylabel="angle to backpropagation (degrees)",
        ylim=(0, 100),
        title=f"feedback by {found['parameters']['feedback_by']}",
    )
    if len(layers) > 1:
        left.legend(frameon=False)
    middle.plot(images, smooth(series["mu"]), color=BLUE, label="product of mean Jacobians")
    middle.plot(images, smooth(series["mu_of_products"]), color=ORANGE, label="mean of products")
    middle.axhline(1.0, color=GREY, linewidth=0.8)
    middle.set(xlabel="epochs", ylabel="largest eigenvalue", title="Theorem 1 wants it below 1")
    middle.legend(frameon=False)
    for epochs, each in found["losses"].items():
        right.plot([int(epochs)] * 10, each["classes"], "o", color=BLUE, markersize=4, alpha=0.7)
        right.plot([int(epochs)] * 10, each["shuffled"], "o", color=GREY, markersize=4, alpha=0.7)
    right.set(xlabel="epochs", ylabel="correlation of losses", title="classes; shuffled (grey)",
              xticks=[int(e) for e in found["losses"]], ylim=(-0.3, 1.0))  # fmt: skip
    right.axhline(0.0, color=GREY, linewidth=0.8)
    for ax in (left, middle, right):
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Read the arguments, train, look, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--look-every", type=int, default=20)
    parser.add_argument("--hidden", default="500")
    parser.add_argument("--images", type=int, default=60000, help="an epoch's; fewer to try it out")
    parser.add_argument("--feedback-by", choices=list(LOWEST), default="spikes")
    parser.add_argument("--preset", choices=list(Guerguiev2017.presets), default="paper")
    given = parser.parse_args()
    began = time.perf_counter()
    model = Guerguiev2017(hidden=given.hidden, epochs=given.epochs, look_every=given.look_every,
                          train_images=given.images, feedback_by=given.feedback_by, preset=given.preset)  # fmt: skip
    model.prepare(RunOptions(seed=given.seed, precision="single"))
    losses = {}
    while model.done < model.lessons():
        n = min(BATCH, model.lessons() - model.done)
        model.learn(n)
        model.done += n
        if model.done % given.images == 0:
            epoch = str(model.done // given.images)
            losses[epoch] = correlations(model, given.seed)
            shown = " ".join(f"{r:.2f}" for r in losses[epoch]["classes"])
            print(f"epoch {epoch}: correlations {shown}; mu {model.meter.series['mu'][-1]:.3g}")
    found = {
        "network": "guerguiev_2017", "preset": given.preset, "parameters": model.values(), "seed": given.seed,
        "precision": "single", "images_per_epoch": given.images,
        "verdicts": verdicts(model.meter.series, losses, given.images, given.look_every,
                             given.feedback_by),
        "losses": losses, "series": model.meter.series, "seconds": time.perf_counter() - began,
        "provenance": provenance(),
    }  # fmt: skip
    words = [given.preset] * (given.preset != "paper") + [given.feedback_by] * (given.feedback_by != "spikes")
    path = RESULTS / f"{'_'.join(['guerguiev_2017_credit', *words])}.json"
    path.write_text(json.dumps(found) + "\n", encoding="utf-8")
    draw(found, path.with_suffix(".png"))
    print(json.dumps(found["verdicts"], indent=2))


if __name__ == "__main__":
    main()
