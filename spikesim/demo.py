"""`spikesim demo`: what this simulator is for, in one folder of results.

1. Triplets of spikes in hippocampal culture (Wang et al. 2005) under pair and triplet STDP.
2. A network with segregated dendrites learns MNIST digits (Guerguiev et al. 2017).
3. The spikes with which it answers one unseen digit, streamed to a file and drawn from there.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spikesim.output import check_writable, make_folder, plain

HIDDEN, IMAGES, TESTED = 500, 6000, 1000
MODELS = (("PairSTDP", "bi_poo_2001"), ("TripletSTDP", "hippocampal_full_all_to_all"))
FILES = {
    "triplets_csv": "triplets.csv",
    "triplets_png": "triplets.png",
    "weights_h5": "weights.h5",
    "spikes_h5": "presentation.h5",
    "spikes_png": "presentation.png",
    "results_json": "results.json",
}
ABOUT = {
    "triplets_csv": "predicted and measured weight changes",
    "triplets_png": "the same, drawn",
    "weights_h5": "what the network has learned",
    "spikes_h5": "spikes of one test presentation (SONATA)",
    "spikes_png": "their raster, drawn from that file",
    "results_json": "all numbers of this demo, with the seed",
}


def run_demo(
    folder: Path,
    *,
    images: int | None = None,
    seed: int | None = None,
    threads: int = 1,
    quiet: bool = False,
    to_stderr: bool = False,
) -> dict[str, Any]:
    """Run all parts, write their files into `folder`, and return the results.

    `images` are the digits to train on; with few of them fewer are tested, too. What is found is printed as it
    is found, to stdout or, with `to_stderr`, to stderr; `quiet` hides the
    progress bar and what would go to stderr.

    Raises SpikesimError when the folder cannot be written.
    """
    began = time.perf_counter()
    make_folder(folder)
    paths = {key: folder / name for key, name in FILES.items()}
    for path in paths.values():
        check_writable(path)

    def say(text: str) -> None:
        if not (quiet and to_stderr):
            print(text, file=sys.stderr if to_stderr else sys.stdout, flush=True)

    results: dict[str, Any] = {"triplets": _triplets(paths, say)}
    results["digits"] = _digits(paths, images or IMAGES, seed, threads, quiet, say)
    results["files"] = {key: str(path) for key, path in paths.items()}
    results["total_seconds"] = time.perf_counter() - began
    text = json.dumps(plain(results), indent=2, allow_nan=False) + "\n"
    paths["results_json"].write_text(text, encoding="utf-8")
    say(f"\nDone in {results['total_seconds']:.0f} s (seed {results['digits']['seed']}). Written:")
    width = max(len(str(path)) for path in paths.values())
    for key, path in paths.items():
        say(f"  {str(path).ljust(width)}  {ABOUT[key]}")
    return results


# 1. Triplets ----------------------------------------------------------------------------------------------


def _triplets(paths: dict[str, Path], say: Callable[[str], None]) -> dict[str, Any]:
    """Both rules against the measurements: a table, a figure, and the errors."""
    from spikesim.registry import find

    protocol = find("protocol", "wang_2005")()
    results = {name: protocol.run(find("rule", name)(preset=preset)) for name, preset in MODELS}
    say("1. Triplets of spikes under two plasticity rules (Wang et al. 2005)\n")
    rows = []
    for points in zip(*(result.rows() for result in results.values()), strict=True):
        if points[0]["counted"]:
            predicted = {name: point["predicted"] for name, point in zip(results, points, strict=True)}
            rows.append({key: points[0][key] for key in ("label", "measured", "sem")} | predicted)
    errors = {name: result.error for name, result in results.items()}
    say(_table(rows, errors))
    _write_csv(paths["triplets_csv"], rows)
    _draw(paths["triplets_png"], rows, errors)
    return {"points": rows, "error": errors, "presets": dict(MODELS)}


def _table(rows: list[dict[str, Any]], errors: dict[str, float | None]) -> str:
    lines = [f"  {'pre and post spikes (ms)':<26}{'measured':>18}" + "".join(f"{name:>14}" for name in errors)]
    for row in rows:
        measured = f"{row['measured']:+.2f} ± {row['sem']:.2f}"
        lines.append(f"  {row['label']:<26}{measured:>18}" + "".join(f"{row[name]:>+14.3f}" for name in errors))
    lines.append(f"  {'error (mean squared, s.e.m.)':<44}" + "".join(f"{e:>14.2f}" for e in errors.values()))
    return "\n".join(lines)


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _draw(path: Path, rows: list[dict[str, Any]], errors: dict[str, float | None]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    places = range(len(rows))
    ax.bar(places, [r["measured"] for r in rows], yerr=[r["sem"] for r in rows], color="0.85", capsize=3,
           label="measured ± s.e.m.")  # fmt: skip
    for (name, error), marker, colour in zip(errors.items(), "sD", ("#D55E00", "#0072B2"), strict=True):
        ax.plot(places, [r[name] for r in rows], marker, color=colour, label=f"{name} (error {error:.3g})")
    ax.axhline(0.0, color="black", linewidth=0.8)
    ax.set_xticks(places, [r["label"] for r in rows], rotation=40, ha="right", rotation_mode="anchor")
    ax.set_ylabel("relative weight change Δw / w0")
    ax.set_title("Wang et al. 2005, hippocampal culture", fontsize="medium")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=150)


# 2. and 3. Digits -----------------------------------------------------------------------------------------


def _digits(
    paths: dict[str, Path], images: int, seed: int | None, threads: int, quiet: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    """Train, test, and keep the spikes of one test presentation."""
    from spikesim.experiment import RunOptions
    from spikesim.info import file_info
    from spikesim.models.networks.guerguiev_2017 import Guerguiev2017
    from spikesim.plot import plot_raster

    tested = min(TESTED, max(1, images // 4))
    say(f"\n2. {images} MNIST digits, learned with plateau potentials (Guerguiev et al. 2017)\n")
    model = Guerguiev2017(hidden=str(HIDDEN), train_images=images, test_images=tested)
    options = RunOptions(seed=seed, threads=threads, progress=not quiet, quiet=quiet, out=str(paths["weights_h5"]))
    result = model.simulate(options)
    if result.get("interrupted"):
        raise KeyboardInterrupt(f"stopped; {paths['weights_h5'].parent} holds what was done up to there.")
    say(f"  test error on {tested} unseen digits: {result['test_error_before']:.1f} % before, "
        f"{result['test_error']:.1f} % after")  # fmt: skip
    say(f"  {result['images_per_second']:.0f} images per second, {result['seconds']:.1f} s of training")

    say("\n3. The spikes of one test presentation, 500 ms\n")
    label, answer = model.record_presentation(paths["spikes_h5"])
    plot_raster(paths["spikes_h5"], paths["spikes_png"])
    populations = file_info(paths["spikes_h5"])["populations"]
    for name, each in populations.items():
        say(f"  {name:<12}{each['neurons']:>6} neurons {each['spikes']:>8} spikes {each['rate_hz']:>8.1f} Hz")
    say(f"  The digit is a {label}; the network takes it for a {answer}.")
    shown = {"label": label, "answer": answer, "populations": populations}
    return {**result, "hidden": HIDDEN, "train_images": images, "test_images": tested, "presentation": shown}
