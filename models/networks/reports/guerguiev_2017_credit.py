"""How credit is assigned in saved runs of `guerguiev_2017`: figures 5 and 7A of doi:10.7554/eLife.22901."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from spikesim.card_figure import COLOURS
from spikesim.credit import PRODUCTS
from spikesim.models.networks.reports.guerguiev_2017_criteria import (
    CORRELATION,
    MINIMUM,
    START,
    angle_verdict,
    correlation_verdict,
    eigenvalue_verdict,
)
from spikesim.models.networks.reports.guerguiev_2017_runs import (
    changed,
    grouped,
    hidden,
    label,
    layers,
    of_protocol,
)
from spikesim.report import Section
from spikesim.report_figure import GREY, legend, lines, median, picture, rising
from spikesim.saved_runs import SavedRun

WINDOW = 50  # looks that a drawn point is the mean of, or fewer where there are less than twenty such windows


def looked(runs: Iterable[SavedRun]) -> list[SavedRun]:
    """Those that were looked at while they learned, and have hidden layers."""
    return [run for run in runs if layers(run) and len(run.series.get("lesson", ()))]


def means(run: SavedRun, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(lessons, values): means of one of its series over looks that follow each other."""
    lesson, values = run.series["lesson"], run.series[name]
    n = max(1, min(WINDOW, len(lesson) // 20))
    cut = len(lesson) // n * n
    return lesson[:cut].reshape(-1, n).mean(axis=1), values[:cut].reshape(-1, n).mean(axis=1)


def by(run: SavedRun) -> str:
    """What comes back to the hidden layers: "spikes" or "rates"."""
    return str(run.parameters.get("feedback_by", "spikes"))


def named(runs: Iterable[SavedRun]) -> list[tuple[str, SavedRun]]:
    """Runs with what they are called in verdicts."""
    return [(f"seed {run.seed}", run) for run in runs]


def angles(runs: list[SavedRun]) -> Section:
    """G6: the angle between updates and those of backpropagation."""
    title, own = "Angle to backpropagation (Figure 7A)", looked(runs)
    if not own:
        return Section("angles", title, missing=f"no run was looked at while it learned; {LOOK}")
    ways = grouped(own, by)
    verdicts = []
    for way in MINIMUM:
        judged = [r for r in ways.get(way, ()) if hidden(r) == "500" and set(changed(r)) <= {"feedback_by"}]
        if judged:
            verdicts.append(angle_verdict(way, {name: means(run, "angle_1") for name, run in named(judged)}))
    missing = " and ".join(f"no run with feedback by {way}" for way in MINIMUM if way not in ways)
    return Section(
        "angles", title,
        "Between the update of the basal weights of a hidden layer and that of backpropagation through the network of "
        "rate units with the same weights; 90° is no relation. Points are means over some images that follow each "
        "other; thin lines are seeds, thick ones their median. Grey: where the published angle begins and where it is "
        "least.",
        partial(_draw_angles, ways), 3.0,
        numbers={f"{label(r)}, seed {r.seed}": {n: _ends(r, n) for n in _angles(r)} for r in own},
        verdicts=verdicts, missing=missing + "." * bool(missing),
    )  # fmt: skip


LOOK = "`--set look_every=20` does that."


def _angles(run: SavedRun) -> list[str]:
    return [name for name in run.series if name.startswith("angle_")]


def _ends(run: SavedRun, name: str) -> dict[str, float]:
    values = means(run, name)[1]
    return {"begins": values[0], "minimum": values.min(), "ends": values[-1]}


def _draw_angles(ways: dict[str, list[SavedRun]], figure: Any) -> None:
    axes = figure.subplots(1, len(ways), sharey=True, squeeze=False)[0]
    for ax, (way, runs) in zip(axes, sorted(ways.items(), reverse=True), strict=True):
        curves = {
            f"{name}: layer {n[-1]}" if layers(each[0]) > 1 else name: [means(run, n) for run in each]
            for name, each in grouped(runs, lambda run: label(run, "feedback_by")).items() for n in _angles(each[0])
        }  # fmt: skip
        for k, (name, own) in enumerate(curves.items()):
            lines(ax, [(x / 1000, y) for x, y in own], COLOURS[k % 6], name, "-" if k < 6 else "--")
        ax.axhspan(*START, xmax=0.04, color="0.8", linewidth=0)
        ax.axhspan(*MINIMUM[way], color="0.92", linewidth=0)
        ax.axhline(90.0, color=GREY, linewidth=0.8, linestyle=":")
        ax.annotate(f"published minimum within {MINIMUM[way][0]:.0f}–{MINIMUM[way][1]:.0f}°", (0.98, MINIMUM[way][0]),
                    (0, -10), xycoords=("axes fraction", "data"), textcoords="offset points", ha="right", fontsize=7,
                    color=GREY)  # fmt: skip
        ax.set(xlabel="images shown (thousands)", ylim=(0, 120), yticks=range(0, 121, 30), title=f"Feedback by {way}")
        ax.set_xlim(left=0)
    legend(figure, *axes)
    axes[0].set_ylabel("angle to backpropagation (degrees)")


def eigenvalues(runs: list[SavedRun]) -> Section:
    """G5: whether the way back inverts the way forth."""
    title, own = "Does the way back invert the way forth? (Figure 5, supplement 1)", looked(runs)
    if not own:
        return Section("eigenvalues", title, missing=f"no run was looked at while it learned; {LOOK}")
    judged = of_protocol(own, "500")
    with_product = next((run for run in own if len(run.series.get("product", ()))), None)
    text = (
        "Left: the largest eigenvalue of (I − JβJγ)ᵀ(I − JβJγ), which Theorem 1 wants below 1, over the last 100 "
        "looks: of the product of the mean Jacobians, as published (thin: seeds, thick: their median), and of the mean "
        "of their products, as in the authors' program (dotted: the median)."
    )
    numbers: dict[str, Any] = {
        f"{label(r)}, seed {r.seed}": {n: _ends(r, n) for n in ("mu", "mu_of_products", "off_identity")} for r in own
    }
    if with_product is not None:
        text += (
            f" Right: JβJγ of the mean Jacobians, early and late ({label(with_product)}, seed {with_product.seed}); "
            "published: near the identity after one epoch. Rows and columns are the ten output units."
        )
        held = with_product.series
        numbers["product"] = {
            "run": with_product.name, "lessons": held["product_lesson"][[0, -1]], "early": held["product"][0],
            "late": held["product"][-1],
        }  # fmt: skip
    return Section(
        "eigenvalues", title, text, partial(_draw_eigenvalues, own, with_product), 2.7, numbers=numbers,
        verdicts=[eigenvalue_verdict({n: (r.series["lesson"], r.series["mu"]) for n, r in named(judged)})]
        * bool(judged),
        missing="" if with_product else "JβJγ itself: it takes 100 looks, and a version that keeps it.",
    )  # fmt: skip


def _draw_eigenvalues(runs: list[SavedRun], with_product: SavedRun | None, figure: Any) -> None:
    left, *right = figure.subplots(1, 3, width_ratios=(1.9, 1, 1)) if with_product else [figure.subplots()]
    for k, (name, each) in enumerate(grouped(runs, label).items()):
        ways = {s: [(x / 1000, y) for x, y in (means(run, s) for run in each)] for s in ("mu", "mu_of_products")}
        lines(left, ways["mu"], COLOURS[k % 6], name)
        left.plot(*median(ways["mu_of_products"]), ":", color="black", linewidth=1.0, zorder=3)
    left.axhline(1.0, color=GREY, linewidth=0.8)
    left.set(xlabel="images shown (thousands)", ylabel="largest eigenvalue", title="Theorem 1: below 1")
    left.set_xlim(left=0)
    rising(left)
    legend(figure, left)
    if with_product is None:
        return
    held = with_product.series
    pair = held["product"][[0, -1]]
    most = float(np.abs(pair).max())
    for ax, k, product in zip(right, (0, len(held["product"]) - 1), pair, strict=True):
        shown = picture(ax, product, most)
        first, last = held["lesson"][PRODUCTS * k] + 1, held["product_lesson"][k] + 1
        ax.set_title(f"images {first:.0f}–{last:.0f}", fontweight="normal")
        ax.set(xticks=[0, 9], yticks=[0, 9], xlabel="output unit")
    right[0].set_ylabel("output unit")
    figure.colorbar(shown, ax=right, shrink=0.8, pad=0.02).set_label("element of JβJγ")


def correlations(runs: list[SavedRun]) -> Section:
    """G7: whether hidden and output layer do badly on the same images."""
    title = "Losses of hidden and output layer (Figure 5B, C)"
    own = [run for run in looked(runs) if len(run.series.get("losses_lesson", ()))]
    if not own:
        return Section("losses", title, missing=f"losses are looked at in tests of runs that are looked at; {LOOK}")
    found = {
        name: (
            r.series["losses_lesson"] / r.parameters["train_images"],
            r.series["losses"],
            r.series["losses_shuffled"],
        )
        for name, r in named(of_protocol(own, "500"))
    }
    return Section(
        "losses", title,
        "Pearson's correlation of the losses of the last hidden and the output layer over the test images of a class. "
        "A circle is a class, a dash the median over classes; grey: losses paired at random within the class. "
        "Shaded: 0.2 to 0.7; star: the published 0.61 of the 2s after one epoch.",
        partial(_draw_correlations, own), 2.6,
        numbers={f"{label(r)}, seed {r.seed}": {name: r.series[name] for name in ("losses_lesson", "losses",
                 "losses_shuffled")} for r in own},
        verdicts=[correlation_verdict(found)] * bool(found),
    )  # fmt: skip


def _draw_correlations(runs: list[SavedRun], figure: Any) -> None:
    ax = figure.subplots()
    ax.axhspan(*CORRELATION, color="0.93", linewidth=0)
    ax.axhline(0.0, color=GREY, linewidth=0.8)
    when = [run.series["losses_lesson"] / run.parameters["train_images"] for run in runs]
    tested, names = sorted({epoch for own in when for epoch in own}), list(dict.fromkeys(map(label, runs)))
    for k, (run, own) in enumerate(zip(runs, when, strict=True)):
        name = label(run)
        colour, first = COLOURS[names.index(name) % 6], name not in map(label, runs[:k])
        for epoch, classes, chance in zip(own, run.series["losses"], run.series["losses_shuffled"], strict=True):
            at = tested.index(epoch) + 0.7 * ((k + 0.5) / len(runs) - 0.5)
            ax.plot([at + 0.12 / len(runs)] * len(chance), chance, "o", color="0.7", markersize=2.5)
            ax.plot([at - 0.12 / len(runs)] * len(classes), classes, "o", color=colour, markerfacecolor="none",
                    markersize=3.5, label=name if first and epoch == own[0] else "")  # fmt: skip
            if np.isfinite(classes).any():  # of a class with hardly an image there is none
                ax.plot([at - 0.26 / len(runs), at + 0.02], [np.nanmedian(classes)] * 2, color=colour, linewidth=1.8)
    if 1.0 in tested:
        ax.plot(tested.index(1.0), 0.61, "*", color="black", markersize=8, label="2s, published")
    ax.plot([], [], "o", color="0.7", markersize=2.5, label="shuffled")
    ax.set(xlabel="epochs", ylabel="correlation of losses", ylim=(-0.5, 1.0))
    ax.set_xticks(range(len(tested)), [f"{epoch:g}" for epoch in tested])
    legend(figure, ax)
