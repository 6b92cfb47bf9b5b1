"""What neurons find out about their own effect by regression discontinuity, measured against interventions and weights.

    python benchmarks/regression_discontinuity.py [--only R1|R4] [--seed 1] [--seeds 3]

R1: two neurons with correlated noise and a reward (Lansdell & Kording 2023) -> docs/results/lansdell_2023_r1.json, .png
R4: feedback weights from spikes (Guerguiev, Kording & Richards 2020) -> docs/results/guerguiev_2020_r4.json, .png

and puts the numbers into docs/regression_discontinuity.md. Each takes some minutes on one thread. --redraw runs
nothing: figures and page are made again from the result files.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from spikesim.experiment import RunOptions
from spikesim.models.networks.guerguiev_2020 import Guerguiev2020
from spikesim.models.networks.lansdell_2023 import Lansdell2023
from spikesim.provenance import provenance

RESULTS = Path(__file__).parents[1] / "docs" / "results"
PAGE = RESULTS.parent / "regression_discontinuity.md"
COLOURS = {"0": "0.45", "0.01": "#009E73", "0.5": "#0072B2", "0.99": "#D55E00"}
ESTIMATES = {"online": ("#0072B2", "on-line, published"), "linear": ("#D55E00", "least squares, lines"),
             "constant": ("#009E73", "least squares, means")}  # fmt: skip
STYLE: Any = {"font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.7,
              "legend.frameon": False, "legend.fontsize": 7, "axes.titlesize": 8,
              "axes.titlelocation": "left"}  # fmt: skip
BAND, FAIR = 0.1, 0.2  # R1: p, and the share of the bias of observed dependence that may be left
AGREEMENT = 0.8  # R4


# R1 -------------------------------------------------------------------------------------------------------


def biases(run: dict[str, Any], c: str = "0.99") -> dict[str, Any]:
    """Bias at p = BAND of both models, and of the observed dependence, against each of two truths: what interventions
    tell of windows at the threshold, and the observed dependence where noise is not correlated."""
    found, place = run["correlations"][c], run["bands"].index(BAND)
    truths = {"do_at_threshold": found["do_at_threshold"]}
    truths["observed_at_c_0"] = run["correlations"]["0"]["observed_dependence"]
    table = {}
    for name, truth in truths.items():
        observed = found["observed_dependence"] - truth
        bias = {model: found[model][place] - truth for model in ("constant", "linear")}
        share = {model: abs(value / observed) for model, value in bias.items()}
        table[name] = {"truth": truth, "observed_bias": observed, "bias": bias, "share": share}
    return table


def r1(seed: int, seeds: int) -> None:
    """Run both readings of tau_s with one seed, write, draw."""
    options = RunOptions(seed=seed, progress=True)
    runs = {"200": Lansdell2023().simulate(options), "20": Lansdell2023(tau_s=20.0, c="0,0.99").simulate(options)}
    table = {f"tau_s = {tau_s} ms": biases(run) for tau_s, run in runs.items()}
    best = table["tau_s = 200 ms"]
    passed = all(row["share"]["linear"] < FAIR for row in best.values())
    criterion = (
        f"|bias| of the linear model at p = {BAND} below {FAIR:.0%} of that of the observed dependence, c = 0.99"
    )
    write("lansdell_2023_r1", {"criterion": criterion, "passed": passed, "biases": table, "runs": runs})
    redraw_r1()
    for tau_s, rows in table.items():
        for name, row in rows.items():
            print(f"{tau_s}, against {name}: " + ", ".join(f"{k} {v:.1%}" for k, v in row["share"].items()))
    print("R1", "pass" if passed else "miss")


def redraw_r1() -> None:
    """The figure from the result file."""
    with rc_context(STYLE):
        draw_r1(read("lansdell_2023_r1")["runs"], RESULTS / "lansdell_2023_r1.png")


def draw_r1(runs: dict[str, Any], path: Path) -> None:
    """Estimates against the width of the band, on-line estimates against time, and the other reading of tau_s."""
    figure = Figure(figsize=(7.2, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 2)
    run = runs["200"]
    for ax, model in zip(axes[0], ("constant", "linear"), strict=True):
        for c in ("0.01", "0.5", "0.99"):
            _curve(ax, run, c, model, f"c = {c}")
        truth = run["correlations"]["0.99"]["do_at_threshold"]
        ax.axhline(truth, color="black", linewidth=0.8, linestyle="--", label="do(spike) − do(no spike)")
        ax.set(ylim=(0.0, 8.5), title=f"{model} model")
    axes[0, 0].legend(loc="upper left", ncols=2, handlelength=1.6)
    _online(axes[1, 0], run["correlations"]["0.99"])
    _other_reading(axes[1, 1], runs["20"])
    for ax, letter in zip(axes.flat, "ABCD", strict=True):
        ax.set_title(f"{letter}   {ax.get_title(loc='left')}", loc="left")
    figure.savefig(path, dpi=200)


def _curve(ax: Any, run: dict[str, Any], c: str, model: str, label: str, style: str = "-", shaded: bool = True) -> None:
    """One model against p, what one pair of neurons finds in its time as a band, the observed dependence at the end."""
    found, bands, colour = run["correlations"][c], np.array(run["bands"]), COLOURS[c]
    known = [k for k, each in enumerate(found[f"{model}_range"]) if each is not None]
    if shaded and known:
        low, high = np.array([found[f"{model}_range"][k] for k in known]).T
        ax.fill_between(bands[known], low, high, color=colour, alpha=0.13, linewidth=0)
    ax.plot(bands, found[model], style, color=colour, linewidth=1.3, label=label)
    ax.plot([2.0], [found["observed_dependence"]], "o", color=colour, markersize=4, clip_on=False)
    ax.set(xscale="log", xlim=(bands[0], 2.0), xlabel="band p about the threshold", ylabel="effect β of a spike on R")
    ax.set_xticks([0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0], ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "all"])
    ax.minorticks_off()


def _online(ax: Any, found: dict[str, Any]) -> None:
    course = found["online"]
    seconds = np.array(course["seconds"])
    for model, colour in (("constant", "#009E73"), ("linear", "#0072B2")):
        known = [k for k, each in enumerate(course[f"{model}_range"]) if each is not None]
        low, high = np.array([course[f"{model}_range"][k] for k in known]).T if known else ([], [])
        ax.fill_between(seconds[known], low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(seconds[known], [course[model][k] for k in known], color=colour, linewidth=1.3, label=model)
    ax.axhline(found["do_at_threshold"], color="black", linewidth=0.8, linestyle="--")
    ax.axhline(found["observed_dependence"], color="0.6", linewidth=0.8, linestyle=":", label="observed dependence")
    ax.set(xlabel="seconds of model time", ylabel="effect β of a spike on R", ylim=(0.0, 8.5), xlim=(0.0, None))
    ax.set_title(f"on-line, c = 0.99, p = {BAND}", loc="left")
    ax.legend(loc="upper right", handlelength=1.6)


def _other_reading(ax: Any, run: dict[str, Any]) -> None:
    for c, name in (("0", "c = 0"), ("0.99", "c = 0.99")):
        for model, style in (("linear", "-"), ("constant", ":")):
            _curve(ax, run, c, model, f"{name}, {model}", style, shaded=False)
    found = run["correlations"]["0.99"]
    for key, text, style in (("do_at_threshold", "do, at the threshold", "--"),
                             ("do_treated", "do, windows with a spike", "-.")):  # fmt: skip
        ax.axhline(found[key], color="black", linewidth=0.8, linestyle=style, label=text)
    ax.set_ylim(0.0, 45.0)
    ax.set_title("$\\tau_s$ = 20 ms: late spikes do more", loc="left")
    ax.legend(loc="upper left", ncols=2, handlelength=2.0)


# R4 -------------------------------------------------------------------------------------------------------


def r4(seed: int, seeds: int) -> None:
    """Run `seeds` seeds; write and draw after each, so that what is done is kept."""
    runs, points = [], {}
    for each in range(seed, seed + seeds):
        model = Guerguiev2020()
        runs.append(model.simulate(RunOptions(seed=each, progress=True)))
        points = points or {"W": model.W, **{name: B.ravel() for name, B in model.B.items()}}
        finish_r4(runs, points)


def finish_r4(runs: list[dict[str, Any]], points: dict[str, Any]) -> None:
    """Judge, write and draw."""
    final = [{"seed": run["seed"], **run["final"]} for run in runs]
    passed = all(row["online"]["sign_agreement"] > AGREEMENT for row in final)
    criterion = f"sign agreement of the on-line estimate above {AGREEMENT} for every seed"
    shown = {name: values.tolist() for name, values in points.items()}
    write("guerguiev_2020_r4",
          {"criterion": criterion, "passed": passed, "final": final, "runs": runs, "first_seed": shown})  # fmt: skip
    redraw_r4()
    for row in final:
        print(f"seed {row['seed']}: " + ", ".join(f"{e} {row[e]['correlation']:.3f} {row[e]['sign_agreement']:.3f}"
                                                   for e in ESTIMATES))  # fmt: skip
    print("R4", "pass" if passed else "miss")


def redraw_r4() -> None:
    """The figure from the result file."""
    found = read("guerguiev_2020_r4")
    points = {name: np.array(values, dtype=float) for name, values in found["first_seed"].items()}
    with rc_context(STYLE):
        draw_r4(found["runs"], points, RESULTS / "guerguiev_2020_r4.png")


def draw_r4(runs: list[dict[str, Any]], points: dict[str, Any], path: Path) -> None:
    """Correlation and agreement of signs against time, and the weights found against those that are."""
    figure = Figure(figsize=(7.2, 2.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    for ax, key, name in zip(axes, ("correlation", "sign_agreement"), ("correlation of B and W", "right signs"),
                             strict=False):  # fmt: skip
        for estimate, (colour, label) in ESTIMATES.items():
            for k, run in enumerate(runs):
                seconds = [row["seconds"] for row in run["course"]]
                values = [np.nan if row[estimate][key] is None else row[estimate][key] for row in run["course"]]
                ax.plot(seconds, values, color=colour, linewidth=1.0, alpha=1.0 if k == 0 else 0.45,
                        label=label if k == 0 else None)  # fmt: skip
        ax.set(xlabel="seconds of model time", ylabel=name, xlim=(0, None), ylim=(0.0 if ax is axes[0] else 0.5, 1.0))
    axes[0].legend(loc="lower right", handlelength=1.4)
    axes[1].axhline(AGREEMENT, color="black", linewidth=0.8, linestyle="--")
    guess = np.mean([run["always_positive"] for run in runs])
    axes[1].axhline(guess, color="0.6", linewidth=0.8, linestyle=":")
    axes[1].annotate("all guessed positive", (0.98, guess), (0, -8), xycoords=axes[1].get_yaxis_transform(),
                     textcoords="offset points", fontsize=6.5, color="0.45", ha="right")  # fmt: skip
    for estimate in ("linear", "online"):
        B = points[estimate] / (np.nanstd(points[estimate]) if np.isfinite(points[estimate]).any() else 1.0)
        axes[2].plot(points["W"], B, ".", color=ESTIMATES[estimate][0], markersize=2.0, alpha=0.6)
    axes[2].axhline(0.0, color="0.8", linewidth=0.6, zorder=0)
    axes[2].axvline(0.0, color="0.8", linewidth=0.6, zorder=0)
    axes[2].set(xlabel="forward weight W", ylabel="estimate B, in s.d.")
    for ax, letter in zip(axes, "ABC", strict=True):
        ax.set_title(letter, loc="left")
    figure.savefig(path, dpi=200)


# Files ----------------------------------------------------------------------------------------------------


def write(name: str, found: dict[str, Any]) -> None:
    """docs/results/NAME.json with what is needed to judge it; numbers to five digits."""
    path = RESULTS / f"{name}.json"
    lines = [f'"{key}": {json.dumps(value)}' for key, value in {**_rounded(found), "provenance": provenance()}.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"wrote {path}")
    quote()


def read(name: str) -> dict[str, Any]:
    """What `write` wrote."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def quote() -> None:
    """Bring the page up to date."""
    PAGE.write_text(quoted(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def quoted(page: str) -> str:
    """The page with the tables of what the result files say between its markers."""
    for name, table in (("lansdell_2023_r1", table_r1), ("guerguiev_2020_r4", table_r4)):
        if (RESULTS / f"{name}.json").exists():
            block = f"<!-- {name} -->\n{table(read(name))}<!-- end -->"
            page = re.sub(rf"<!-- {name} -->\n.*?<!-- end -->", lambda _, block=block: block, page, flags=re.DOTALL)
    return page


def table_r1(found: dict[str, Any]) -> str:
    """Truths, and the bias that each estimate has left at p = BAND with c = 0.99."""
    lines = [f"| c = 0.99, p = {BAND} | truth | observed dependence | constant | linear |", "|---|---|---|---|---|"]
    names = {"do_at_threshold": "interventions at the threshold", "observed_at_c_0": "observed dependence at c = 0"}
    for tau_s, rows in found["biases"].items():
        for name, row in rows.items():
            left = [f"{row['bias'][m]:+.2f} ({row['share'][m]:.0%})" for m in ("constant", "linear")]
            cells = [f"{tau_s}: {names[name]}", f"{row['truth']:.2f}", f"{row['observed_bias']:+.2f}", *left]
            lines.append("| " + " | ".join(cells) + " |")
    verdict = "passed" if found["passed"] else "missed"
    note = "Biases, and what share they are of that of the observed dependence.\n"
    note += f"Criterion: {found['criterion']}, with the\ndefaults (τ_s = 200 ms) and against both truths: {verdict}."
    return "\n".join([*lines, "", note]) + "\n"


def table_r4(found: dict[str, Any]) -> str:
    """Correlation and right signs of each estimate and seed at the end."""
    heads = [label for _, label in ESTIMATES.values()]
    lines = [f"| seed | seconds | {' | '.join(heads)} | all positive |", "|---" * (len(heads) + 3) + "|"]
    for row, run in zip(found["final"], found["runs"], strict=True):
        cells = [f"{row[e]['correlation']:.3f}, {row[e]['sign_agreement']:.1%}" for e in ESTIMATES]
        cells = [str(row["seed"]), f"{row['seconds']:g}", *cells, f"{run['always_positive']:.1%}"]
        lines.append("| " + " | ".join(cells) + " |")
    below, above = (sum(run["windows"][side] for run in found["runs"]) for side in ("below", "above"))
    verdict = "passed" if found["passed"] else "missed"
    W, B = (np.array(found["first_seed"][name]) for name in ("W", "online"))
    slope, offset = np.polyfit(W, B, 1)
    strong = np.abs(W) > W.std() / 2
    right = ((B >= 0) == (W >= 0))[strong].mean()
    note = "Correlation of B and W, and signs that are right.\n"
    note += f"Criterion: {found['criterion']}: {verdict}.\n"
    note += f"{below / (below + above):.1%} of the windows end below the threshold. The s.d. of W is {W.std():.1f};\n"
    note += f"{right:.1%} of the synapses with |W| above half of it have the right sign on-line. B is 0 not at W = 0,\n"
    note += f"but, by a line through all, at W = {-offset / slope:.1f}."
    return "\n".join([*lines, "", note]) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if np.isfinite(value) else None
    return value


def main() -> None:
    """Read the arguments and run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("R1", "R4"))
    parser.add_argument("--redraw", action="store_true", help="run nothing; figures and page from the result files")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--seeds", type=int, default=3, help="how many, of R4")
    given = parser.parse_args()
    for name, run, redraw in (("R1", r1, redraw_r1), ("R4", r4, redraw_r4)):
        if given.only in (None, name):
            redraw() if given.redraw else run(given.seed, given.seeds)
    quote()


if __name__ == "__main__":
    main()
