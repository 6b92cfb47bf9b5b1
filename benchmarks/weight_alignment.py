"""Backward weights that learn: where they settle, what they are good for on MNIST, and what noise does to them.

    python benchmarks/weight_alignment.py [--only K1 | K2 | K3 | K4] [--seed 1] [--draw]

K1  a linear layer whose inputs are white or not: B settles where it should, along W^T or elsewhere
K2  784-500-500-10, every strategy beside backpropagation: test error, and angles in each epoch
K3  784-200-200-10, all 31 combinations of primitives at three strengths, two epochs each
K4  784-200-200-10, noise in the updates of W and B

writes docs/results/kunin_2020_<what>.json and .png of each, K2 to K4 after every run; `--draw` draws what is
there. Takes about twenty-five minutes of one core.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from spikesim.alignment import PRIMITIVES, STRATEGIES, align, fixed_point
from spikesim.angles import weight_angle
from spikesim.experiment import RunOptions
from spikesim.models.networks.kunin_2020 import Kunin2020
from spikesim.output import plain
from spikesim.provenance import provenance
from spikesim.rng import Stream

RESULTS = Path(__file__).parents[1] / "docs" / "results"
COLOURS = {"backprop": "#000000", "symmetric_alignment": "#0072B2", "activation_alignment": "#009E73",
           "kolen_pollack": "#CC79A7", "information_alignment": "#E69F00", "weight_mirror": "#D55E00",
           "feedback_alignment": "#56B4E9"}  # fmt: skip

#: K2: what is told of it -> its parameters. <x x^T> of 500 units from -1 to 1 is 500 at most, so that B cannot run away
#: where eta_B 2e-3 500 < 2; with eta_B = 3 it did.
RUNS = {
    "backprop": dict(strategy="backprop"),
    "symmetric alignment": dict(strategy="symmetric_alignment"),
    "Kolen-Pollack": dict(strategy="kolen_pollack"),
    "activation alignment": dict(strategy="activation_alignment", eta_B=1.5),
    "activation alignment, noise": dict(strategy="activation_alignment", mirror="noise"),
    "weight mirror": dict(strategy="weight_mirror"),
    "weight mirror, noise": dict(strategy="weight_mirror", mirror="noise"),
    "information alignment, noise": dict(strategy="information_alignment", mirror="noise"),
    "feedback alignment": dict(strategy="feedback_alignment", spread_B=1.0),
}
SEEDS = 2  # K4
STRENGTHS = (0.1, 1.0, 10.0)  # K3: eta_B, with 2e-3 for every coefficient
VARIANCES = (0.0, 1e-4, 1e-3, 1e-2, 1e-1)  # K4
NOISY = {
    "backprop, noise on W": dict(strategy="backprop", noise_on="W"),
    "symmetric alignment, noise on B": dict(strategy="symmetric_alignment", noise_on="B"),
    "symmetric alignment, noise on both": dict(strategy="symmetric_alignment", noise_on="both"),
    "activation alignment, noise on B": dict(strategy="activation_alignment", eta_B=5.0, noise_on="B"),
    "activation alignment, noise on both": dict(strategy="activation_alignment", eta_B=5.0, noise_on="both"),
}

SMALLER: dict[str, Any] = dict(hidden="200,200", spread=1.0, spread_B=1.0)  # K3 and K4

Keep = Callable[[dict[str, Any]], None]


# K1 -------------------------------------------------------------------------------------------------------


def linear_layer(condition: float, seed: int, n: int = 20, m: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """W (m, n), and the root (n, n) of a covariance of mean eigenvalue 1 and this condition number."""
    W = Stream(seed, "WEIGHT", 0).normal(m * n).reshape(m, n) / np.sqrt(n)
    Q = np.linalg.qr(Stream(seed, "WEIGHT", 1).normal(n * n).reshape(n, n))[0]
    spectrum = np.geomspace(1.0, condition, n)
    return W, Q * np.sqrt(spectrum / spectrum.mean()) @ Q.T


def settle(strategy: str, condition: float, seed: int, steps: int = 40_000) -> dict[str, Any]:
    """How far from its fixed point, and from the direction of W^T, B is on the way; mini-batches of 100 new examples.

    eta is 50 for the first twentieth of the steps, and then goes down with the square of time.
    """
    (W, root), c = linear_layer(condition, seed), STRATEGIES[strategy].coefficients
    B, goal = Stream(seed, "WEIGHT", 2).normal(W.size).reshape(W.T.shape) / np.sqrt(20), fixed_point(W, root @ root, c)
    drawn, marks, curve = Stream(seed, "TASK", 0), np.unique(np.geomspace(1, steps, 60).astype(int)), []
    for step in range(1, steps + 1):
        x = drawn.normal(100 * len(B)).reshape(100, -1) @ root
        B = align(B, W, x, x @ W.T, c, eta=50.0 * min(1.0, (steps / 20 / step) ** 2))
        if step in marks:
            distance = np.linalg.norm(B - goal) / np.linalg.norm(goal)
            curve.append({"step": step, "relative_error": distance, "weight_angle": weight_angle(W, B)})
    return {"curve": curve, "relative_error": curve[-1]["relative_error"], "weight_angle": curve[-1]["weight_angle"]}


def together(seed: int, decay: float = 0.01, steps: int = 1000) -> dict[str, Any]:
    """Kolen-Pollack in a linear layer that has a teacher: |W^T - B| in parts of the first, and (1 - decay)^steps."""
    W, _ = linear_layer(1.0, seed)
    teacher, drawn = linear_layer(1.0, seed + 1)[0], Stream(seed, "TASK", 0)
    B = Stream(seed, "WEIGHT", 2).normal(W.size).reshape(W.T.shape) / np.sqrt(20)
    before = np.linalg.norm(W.T - B)
    for _ in range(steps):
        x = drawn.normal(100 * len(B)).reshape(100, -1)
        change = 0.1 * (x @ (teacher - W).T).T @ x / 100
        B = align(B, W, x, x @ W.T, {"decay": 1.0}, decay) + change.T
        W = W - decay * W + change
    apart = float(np.linalg.norm(W.T - B) / before)
    return {"apart": apart, "expected": (1.0 - decay) ** steps, "weight_angle": weight_angle(W, B)}


def k1(seed: int, keep: Keep) -> dict[str, Any]:
    """Every strategy that has a fixed point for a fixed W, with white inputs and with a condition number of 100."""
    names = [name for name, s in STRATEGIES.items() if s.coefficients and not s.shared]
    found = {f"{c:g}": {name: settle(name, c, seed) for name in names} for c in (1.0, 100.0)}
    shared, angles = together(seed), {name: run["weight_angle"] for name, run in found["100"].items()}
    passed = {
        "every strategy within 1 % of its fixed point":
            all(run["relative_error"] < 0.01 for runs in found.values() for run in runs.values()),
        "weight mirror is off W^T by more than 20 degrees at condition 100": angles["weight_mirror"] > 20.0,
        "symmetric and activation alignment within 1 degree of it":
            max(angles["symmetric_alignment"], angles["activation_alignment"]) < 1.0,
        "Kolen-Pollack: |W^T - B| goes as (1 - decay)^t": abs(shared["apart"] / shared["expected"] - 1.0) < 1e-6,
    }  # fmt: skip
    return {"condition": found, "kolen_pollack": shared, "pass": passed}


# K2 to K4 -------------------------------------------------------------------------------------------------


def trained(seed: int, **given: Any) -> dict[str, Any]:
    """A run in single precision: its errors and angles."""
    run = Kunin2020(**given).simulate(RunOptions(seed=seed, precision="single", progress=True))
    return {"parameters": given, **{key: run[key] for key in ("test_error", "curve", "seconds", "diverged")}}


def k2(seed: int, keep: Keep, epochs: int = 10) -> dict[str, Any]:
    """All strategies."""
    runs: dict[str, Any] = {}
    for name, given in RUNS.items():
        runs[name] = trained(seed, epochs=epochs, **given)
        keep({"runs": runs})
    return {"runs": runs, "pass": verdict(runs)}


def verdict(runs: dict[str, Any]) -> dict[str, bool]:
    """What of the claims holds."""
    error = {name: run["test_error"] for name, run in runs.items()}
    angle = {name: max(map(float, run["curve"][-1]["weight_angle"])) for name, run in runs.items()}
    good = ("symmetric alignment", "Kolen-Pollack", "activation alignment", "activation alignment, noise")
    passed = {f"{name} within 0.3 points of backprop": error[name] - error["backprop"] <= 0.3 for name in good}
    passed |= {f"{name} below 10 degrees at the end": angle[name] < 10.0 for name in good}
    passed["feedback alignment worse than all four"] = error["feedback alignment"] > max(error[name] for name in good)
    return passed


def combinations() -> list[tuple[str, ...]]:
    """The 31 sets of primitives, smaller ones first."""
    return [chosen for size in range(1, 6) for chosen in itertools.combinations(PRIMITIVES, size)]


def k3(seed: int, keep: Keep) -> dict[str, Any]:
    """All combinations at three strengths, and backprop beside them: the test error, and the angles at the end."""
    given: dict[str, Any] = dict(SMALLER, epochs=2)
    runs: dict[str, Any] = {"backprop": ending(trained(seed, strategy="backprop", **given))}
    for chosen, strength in itertools.product(combinations(), STRENGTHS):
        coefficients = ",".join(f"{name}=2e-3" for name in chosen)
        run = trained(seed, strategy="feedback_alignment", coefficients=coefficients, eta_B=strength, **given)
        runs[f"{'+'.join(chosen)} {strength:g}"] = ending(run)
        keep({"parameters": given, "runs": runs})
    best = min((run["test_error"], name) for name, run in runs.items() if name != "backprop")
    return {"parameters": given, "runs": runs, "best": best[1]}


def ending(run: dict[str, Any]) -> dict[str, Any]:
    """Where a run ended up."""
    return {**run["curve"][-1], "diverged": run["diverged"]}


def k4(seed: int, keep: Keep) -> dict[str, Any]:
    """Accuracy under noise with some seeds, and whether symmetric alignment is below backprop where that has lost less
    than 5 points: by more than what seeds make of backprop, one standard deviation."""
    found: dict[str, Any] = {name: [{"variance": v, "accuracy": [], "weight_angle": []} for v in VARIANCES]
                             for name in NOISY}  # fmt: skip
    for each, (k, variance), (name, given) in itertools.product(
        range(seed, seed + SEEDS), enumerate(VARIANCES), NOISY.items()
    ):
        run = trained(each, **SMALLER, epochs=3, noise=variance, **given)
        found[name][k]["accuracy"].append(100.0 - run["test_error"])
        found[name][k]["weight_angle"].append(run["curve"][-1]["weight_angle"])
        keep({"curves": found, **verdict_on_noise(found)})
    return {"curves": found, **verdict_on_noise(found)}


def verdict_on_noise(curves: dict[str, Any]) -> dict[str, Any]:
    """What `k4` is to tell of the seeds that there are."""
    seeds = min(len(at["accuracy"]) for curve in curves.values() for at in curve)
    if seeds < 1:
        return {}
    table = {name: np.array([at["accuracy"][:seeds] for at in curve]) for name, curve in curves.items()}
    reference = table["backprop, noise on W"]
    mild = reference.mean(axis=1) > reference[0].mean() - 5.0
    spread = float(np.sqrt(reference[mild].var(axis=1, ddof=1).mean())) if seeds > 1 else 0.3
    margin = {name: float((each - reference)[mild].mean(axis=1).min()) for name, each in table.items()}
    passed = {f"{name}: nowhere below backprop": gap >= -spread for name, gap in margin.items() if "symm" in name}
    return {"seeds": seeds, "counted_variances": np.array(VARIANCES)[mild].tolist(), "spread_over_seeds": spread,
            "smallest_margin": margin, "pass": passed}  # fmt: skip


# Figures --------------------------------------------------------------------------------------------------


def draw_k1(found: dict[str, Any], figure: Figure) -> None:
    """Angle between B and W^T, and distance from where B should settle, against steps; white inputs and others."""
    axes = figure.subplots(2, 2, sharex=True, sharey="row")
    for (angle, error), (condition, runs) in zip(axes.T, found["condition"].items(), strict=True):
        for name, run in runs.items():
            steps = [at["step"] for at in run["curve"]]
            style = dict(color=COLOURS[name], linestyle="--" if name == "activation_alignment" else "-")
            angle.plot(steps, [at["weight_angle"] for at in run["curve"]], **style, label=name.replace("_", " "))
            error.plot(steps, [100.0 * at["relative_error"] for at in run["curve"]], **style)
        error.axhline(1.0, color="0.7", linewidth=0.8, zorder=0)
        angle.set(title=f"inputs of condition number {condition}", ylim=(0, 90), yticks=(0, 30, 60, 90))
        error.set(xscale="log", yscale="log", xlabel="mini-batches", ylim=(0.05, 400))
    axes[0, 0].set(ylabel="angle of B to Wᵀ (degrees)")
    axes[1, 0].set(ylabel="distance from\nfixed point (%)")
    axes[0, 1].legend(frameon=False)


def draw_k2(found: dict[str, Any], figure: Figure) -> None:
    """Test error, and the three angles of both matrices, against epochs."""
    grid, kinds = figure.add_gridspec(2, 4, width_ratios=(1.4, 1, 1, 1)), ("weight", "projection", "gradient")
    error = figure.add_subplot(grid[:, 0])
    angles = {(k, kind): figure.add_subplot(grid[k, 1 + j]) for k in (0, 1) for j, kind in enumerate(kinds)}
    for name, run in found["runs"].items():
        style = dict(color=COLOURS[run["parameters"]["strategy"]], linestyle=":" if "noise" in name else "-")
        epochs = [at["epoch"] for at in run["curve"]]
        error.plot(epochs[1:], [at["test_error"] for at in run["curve"]][1:], **style,
                   label=f"{name}  {run['test_error']:.2f} %")  # fmt: skip
        for (k, kind), ax in angles.items():
            if name != "backprop":
                ax.plot(epochs, [float(at[f"{kind}_angle"][k]) for at in run["curve"]], **style)
    error.set(yscale="log", ylim=(1.5, 20), xlabel="epoch", title="test error (%)")
    error.set_yticks([2, 3, 5, 10, 20], ["2", "3", "5", "10", "20"])
    error.minorticks_off()
    for (k, kind), ax in angles.items():
        ax.set(ylim=(0, 92), yticks=(0, 30, 60, 90), xlabel="epoch" if k else "", title="" if k else f"{kind} angle")
        ax.tick_params(labelleft=kind == "weight", labelbottom=k == 1)
    angles[0, "weight"].set(ylabel="500 to 500 units\n(degrees)")
    angles[1, "weight"].set(ylabel="500 to 10 units\n(degrees)")
    figure.legend(*error.get_legend_handles_labels(), loc="outside right center", frameon=False)


def draw_k3(found: dict[str, Any], figure: Figure) -> None:
    """Which primitives there are, and accuracy and the mean of both weight angles at each strength."""
    chosen, runs = combinations(), found["runs"]
    there = np.array([[name in each for each in chosen] for name in PRIMITIVES])

    def table(value: Callable[[dict[str, Any]], float]) -> np.ndarray:
        return np.array([[value(runs[f"{'+'.join(each)} {s:g}"]) for each in chosen] for s in STRENGTHS])

    accuracy = table(lambda run: float("nan") if run["diverged"] else 100.0 - run["test_error"])
    angles = table(lambda run: float(np.mean([float(at) for at in run["weight_angle"]])))
    order = np.argsort(-np.nan_to_num(accuracy).max(axis=0), kind="stable")
    dots, *maps = axes = figure.subplots(3, 1, sharex=True, height_ratios=(4, 3, 3))
    for row, column in np.ndindex(there.shape):
        dots.plot(column, row, "o", color="black" if there[row, order[column]] else "0.9", markersize=5)
    dots.set_yticks(range(len(PRIMITIVES)), list(PRIMITIVES))
    dots.set(ylim=(len(PRIMITIVES) - 0.5, -0.5))
    for ax, values, cmap, low, high, digits, label in (
        (maps[0], accuracy, "viridis", 86, 97, 1, "accuracy (%)"),
        (maps[1], angles, "viridis_r", 0, 90, 0, "angle of B to Wᵀ"),
    ):
        image = ax.imshow(values[:, order], cmap=cmap, vmin=low, vmax=high, aspect="auto")
        ax.set(facecolor="0.9", ylabel="strength")
        ax.set_yticks(range(len(STRENGTHS)), [f"× {s:g}" for s in STRENGTHS])
        for (row, column), value in np.ndenumerate(values[:, order]):
            light = not np.isnan(value) and np.dot(image.cmap(image.norm(value))[:3], (0.3, 0.6, 0.1)) < 0.5
            ax.text(column, row, "–" if np.isnan(value) else f"{value:.{digits}f}", ha="center", va="center",
                    fontsize=6, color="white" if light else "black")  # fmt: skip
        figure.colorbar(image, ax=ax, label=label, pad=0.01, extend="min" if digits else "neither")
    for ax in axes:
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    names = {frozenset(s.coefficients): name.replace("_", "\n") for name, s in STRATEGIES.items() if not s.shared}
    maps[1].set_xticks(range(len(order)), [names.get(frozenset(chosen[k]), "") for k in order], fontsize=7)
    dots.set_title("784-200-200-10 after two epochs, best combinations of primitives first; "
                   f"backprop {100.0 - runs['backprop']['test_error']:.1f} %; –: weights ran away")  # fmt: skip


def draw_k4(found: dict[str, Any], figure: Figure) -> None:
    """Accuracy against the variance of the noise; no noise is drawn one decade below the least."""
    axes, seeds = figure.subplots(1, 2, sharey=True), found["seeds"]
    places = [v or min(v for v in VARIANCES if v) / 10.0 for v in VARIANCES]
    for name, curve in found["curves"].items():
        strategy = NOISY[name]["strategy"]
        values = np.array([at["accuracy"][:seeds] for at in curve])
        for ax, where in zip(axes, ("on B", "on both"), strict=True):
            if name.endswith(where) or strategy == "backprop":
                ax.errorbar(places, values.mean(axis=1), values.std(axis=1), fmt="o-", markersize=3, capsize=2,
                            color=COLOURS[strategy], label=name)  # fmt: skip
    for ax in axes:
        ax.set(xscale="log", xlabel="variance of the noise in each update")
        ax.set_xticks(places, ["0", *(f"$10^{{{np.log10(v):.0f}}}$" for v in VARIANCES[1:])])
        ax.minorticks_off()
        ax.legend(frameon=False, loc="lower left")
    axes[0].set(ylabel=f"test accuracy (%), {seeds} seeds")


RUN: dict[str, tuple[str, Callable[..., dict[str, Any]], Callable[..., None], tuple[float, float]]] = {
    "K1": ("fixed_points", k1, draw_k1, (7.2, 4.6)),
    "K2": ("strategies", k2, draw_k2, (11.0, 4.2)),
    "K3": ("combinations", k3, draw_k3, (10.0, 4.4)),
    "K4": ("noise", k4, draw_k4, (7.2, 3.4)),
}


def draw(name: str, found: dict[str, Any], path: Path) -> None:
    """The figure of a result as PNG."""
    from matplotlib import rc_context

    _, _, drawn, size = RUN[name]
    with rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 8}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        drawn(found, figure)
        figure.savefig(path, dpi=180)


def main() -> None:
    """Read the arguments, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=RUN)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draw", action="store_true", help="only draw what is there")
    given = parser.parse_args()
    for name in [given.only] if given.only else RUN:
        path, began = RESULTS / f"kunin_2020_{RUN[name][0]}.json", time.perf_counter()

        def keep(found: dict[str, Any], path: Path = path) -> None:
            text = json.dumps(plain({"seed": given.seed, **found, "provenance": provenance()}), indent=1)
            path.write_text(text + "\n", encoding="utf-8")

        if not given.draw:
            keep(RUN[name][1](given.seed, keep))
        found = json.loads(path.read_text(encoding="utf-8"))
        draw(name, found, path.with_suffix(".png"))
        print(json.dumps(found.get("pass", {}), indent=1))
        print(f"{name}: wrote {path} after {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
