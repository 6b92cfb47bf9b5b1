"""One epoch of MNIST in the segregated-dendrite network: the error curve, its speed, and a figure.

    python benchmarks/guerguiev_2017_epoch.py [--hidden 500] [--seed 1] [--test-every 10000] [--test-images 10000]

writes docs/results/guerguiev_2017_epoch.json and .png. Takes about a quarter of an hour, most of it tests.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from spikesim.experiment import RunOptions
from spikesim.models.networks.guerguiev_2017 import Guerguiev2017
from spikesim.provenance import provenance

RESULTS = Path(__file__).parents[1] / "docs" / "results"


def draw(curve: list[list[float]], path: Path, title: str) -> None:
    """Test error against training images."""
    figure = Figure(figsize=(5.0, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    images, errors = zip(*curve, strict=True)
    ax.plot(images, errors, "o-", color="#0072B2", markersize=4)
    ax.annotate(f"{errors[-1]:.2f} %", (images[-1], errors[-1]), (0, 8), textcoords="offset points", ha="right")
    ax.set(xlabel="training images", ylabel="test error (%)", yscale="log", title=title)
    ax.set_yticks([5, 10, 20, 50, 90], ["5", "10", "20", "50", "90"])
    ax.minorticks_off()
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Read the arguments, train, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", default="500")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--test-every", type=int, default=10000)
    parser.add_argument("--test-images", type=int, default=10000)
    given = parser.parse_args()
    model = Guerguiev2017(hidden=given.hidden, test_every=given.test_every, test_images=given.test_images)
    found = model.simulate(RunOptions(seed=given.seed, progress=True))
    path = RESULTS / "guerguiev_2017_epoch.json"
    path.write_text(json.dumps({**found, "provenance": provenance()}, indent=2) + "\n", encoding="utf-8")
    draw(found["error_curve"], path.with_suffix(".png"), f"784-{given.hidden}-10, one epoch, seed {given.seed}")
    print(f"test error {found['test_error']:.2f} %, {found['images_per_second']:.0f} images/s; wrote {path}")


if __name__ == "__main__":
    main()
