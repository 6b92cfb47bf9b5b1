"""The figures of Guerguiev, Lillicrap & Richards 2017 (doi:10.7554/eLife.22901), drawn from saved runs.

Verdicts are for runs of the published protocol, of full size and with nothing changed but what is compared; figures are
drawn of others, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from spikesim.card_figure import COLOURS
from spikesim.models.networks.reports.guerguiev_2017_credit import angles, correlations, eigenvalues
from spikesim.models.networks.reports.guerguiev_2017_criteria import (
    BAND,
    EPOCHS,
    ERRORS,
    FEEDBACKS,
    NAMES,
    REGULAR,
    at,
    attenuation_verdicts,
    error_verdicts,
    feedback_verdicts,
)
from spikesim.models.networks.reports.guerguiev_2017_runs import (
    PUBLISHED_SIZES,
    by_seed,
    changed,
    compared,
    epochs,
    grouped,
    hidden,
    label,
    layers,
    of_protocol,
    unique,
    words,
)
from spikesim.receptive_fields import receptive_fields, smoothness, strongest
from spikesim.report import Section
from spikesim.report_figure import bars, legend, lines, mosaic, stacked
from spikesim.saved_runs import ENDED, GOING_ON, SavedRun

COLUMNS, ROWS = 12, 2  # receptive fields of the first hidden layer
SHOWN = 3  # of networks with other layers
SIDE = 28  # pixels


def sections(runs: list[SavedRun]) -> list[Section]:
    """The figures of what has been learned so far."""
    begun = unique(run for run in runs if run.state in (ENDED, GOING_ON))
    return [errors(begun), angles(begun), eigenvalues(begun), correlations(begun), fields(begun), *comparisons(begun)]


# Errors -------------------------------------------------------------------------------------------------------


def errors(runs: list[SavedRun]) -> Section:
    """G1: test error against epochs."""
    title = "Test error while it learns (Figure 6B)"
    own = [run for run in runs if len(run.curve) and not any(map(compared, changed(run)))]
    if not own:
        return Section("errors", title, missing="no run with random feedback and g_a = 0 has been tested.")
    groups = grouped(sorted(own, key=layers), label)
    judged = of_protocol(own, *PUBLISHED_SIZES)
    curves = {k: by_seed(each) for k, each in grouped(judged, layers).items()}
    rows = [
        [name, str(run.seed), f"{epochs(run)[-1, 0]:g} of {run.parameters['epochs']}", f"{run.curve[-1, 1]:.2f} %",
         f"{run.curve[:, 1].min():.2f} %"]
        for name, each in groups.items() for run in each
    ]  # fmt: skip
    return Section(
        "errors", title,
        "Percent of the test images seen wrongly; thin lines are seeds, thick ones their median as "
        "far as half of them have come. At the right what was "
        f"published after {EPOCHS} epochs, ± {BAND} points. A ring marks how far a run is that still goes on.",
        partial(_draw_errors, groups), 3.4, ["layers", "seed", "epochs", "error", "least"], rows,
        {name: {str(r.seed): {"epochs": epochs(r)[-1, 0], "error": r.curve[-1, 1]} for r in each}
         for name, each in groups.items()},
        error_verdicts(curves) if curves else (),
    )  # fmt: skip


def _draw_errors(groups: dict[str, list[SavedRun]], figure: Any) -> None:
    ax = figure.subplots()
    last = max(max(epochs(run)[-1, 0], run.parameters["epochs"]) for each in groups.values() for run in each)
    for k, (name, each) in enumerate(groups.items()):
        depth = layers(each[0])
        colour, style = COLOURS[depth % 3], ("-", "--", ":", "-.")[k % 4] if len(groups) > 3 else "-"
        count = f"{len(each)} seeds" if len(each) > 1 else f"seed {each[0].seed}"
        lines(ax, [epochs(run).T for run in each], colour, f"{name} ({count})", style)
        for run in each:
            if run.state == GOING_ON:
                ax.plot(*epochs(run)[-1], "o", color=colour, markerfacecolor="white", markersize=5, zorder=4)
    step = last / 60.0
    for depth, published in ERRORS.items():  # beside the curves, each in a place of its own
        left = last + (0.8 + 2.2 * depth) * step
        ax.fill_between([left, left + 1.8 * step], published - BAND, published + BAND, color=COLOURS[depth], alpha=0.35,
                        linewidth=0)  # fmt: skip
        ax.plot([left, left + 1.8 * step], [published] * 2, color=COLOURS[depth], linewidth=1.8)
        ax.annotate(f"{NAMES[depth]} {published}", (last + 7.9 * step, published), va="center", fontsize=7,
                    color=COLOURS[depth])  # fmt: skip
    ax.annotate(f"published, {EPOCHS} epochs", (last + 7.9 * step, 11.0), va="center", fontsize=7)
    ax.set(xlabel="epochs", ylabel="test error (%)", yscale="log", xlim=(-0.5 * step, last + 21 * step), ylim=(2, 100))
    ax.set_xticks([tick for tick in ax.get_xticks() if 0 <= tick <= last])
    ax.set_yticks([2, 3, 5, 10, 20, 50, 100], ["2", "3", "5", "10", "20", "50", "100"])
    ax.minorticks_off()
    ax.grid(axis="y", color="0.92", linewidth=0.6)
    legend(figure, ax)


# Receptive fields ---------------------------------------------------------------------------------------------


def weights_of(run: SavedRun) -> list[np.ndarray]:
    """Its matrices (below, above), from the input upwards; none where nothing was kept."""
    sizes = [int(n) for n in hidden(run).split(",") if int(n)] + [10]
    if run.kept is not None:  # the engine keeps rows for its own ends longer than they are
        held = run.kept.arrays
        names = [f"state/projection {k}/weights" for k in range(len(sizes))]
        return [held[name][:, :n] for name, n in zip(names, sizes, strict=True)] if set(names) <= set(held) else []
    held = run.arrays()
    names = [f"layer_{k + 1}/weights" for k in range(len(sizes))]
    return [held[name] for name in names] if set(names) <= set(held) else []


def fields(runs: list[SavedRun]) -> Section:
    """What the units of each layer see."""
    title, blocks, numbers = "Receptive fields (Figure 7C)", [], {}
    plain = [run for run in runs if not any(map(compared, changed(run)))] or runs
    for name, each in list(grouped(sorted(plain, key=layers), label).items())[:SHOWN]:
        run = max(each, key=lambda run: (run.done, -run.seed))
        weights = weights_of(run)
        if not weights:
            continue
        so_far = f"seed {run.seed}, {run.done / run.parameters['train_images']:.3g} epochs"
        for layer in range(1, max(layers(run), 1) + 1):
            seen = receptive_fields(weights, layer)
            units = strongest(seen, COLUMNS * (ROWS if layer == 1 else 1))
            what = f"layer {layer}, the {len(units)} strongest of {len(seen)} units"
            if not layers(run):
                units, what = np.arange(10), "output units 0 to 9"
            smooth = smoothness(seen, (SIDE, SIDE))
            blocks.append((f"{name}: {what} ({so_far})", seen[units].reshape(-1, SIDE, SIDE)))
            numbers[f"{name}, layer {layer}"] = {"run": run.name, "units": units, "smoothness": np.median(smooth)}
    if not blocks:
        return Section("fields", title, missing="no run has kept its weights.")
    return Section(
        "fields", title,
        "Weights from the 28 × 28 pixels: blue below 0, red above, each unit with a scale of its own. Shown are the "
        "units whose fields have the largest norm about their mean, the strongest first. Of a second hidden layer the "
        "field is the product of both matrices of weights, as if the first layer were linear. The edges, where digits "
        "never are, are as they were drawn at first. Smoothness, in the table, is the correlation of weights of pixels "
        "that are neighbours, in the median over all units: 0 before learning.",
        partial(stacked, [(title, partial(mosaic, images=images, columns=COLUMNS)) for title, images in blocks],
                [-(-len(images) // COLUMNS) for _, images in blocks]),
        sum(0.3 + 0.6 * -(-len(images) // COLUMNS) for _, images in blocks),
        ["layer", "smoothness"], [[name, f"{own['smoothness']:.3f}"] for name, own in numbers.items()], numbers,
    )  # fmt: skip


# Comparisons --------------------------------------------------------------------------------------------------


def feedback(run: SavedRun) -> str:
    """The kind of its feedback, as published ones are called."""
    own = {name: value for name, value in changed(run).items() if compared(name) and name != "g_a"}
    density, gain = own.get("feedback_density"), own.get("feedback_gain", 1.0)
    if not own:
        return REGULAR
    if own in ({"feedback": "symmetric"}, {"feedback": "noisy"}):
        return {"symmetric": "symmetric", "noisy": "symmetric, noisy"}[own["feedback"]]
    if density == 0.2 and gain in (1.0, 5.0) and len(own) == (1 if gain == 1.0 else 2):
        return f"sparse ×{gain:.0f}"
    return words(own)


def comparisons(runs: list[SavedRun]) -> list[Section]:
    """G3 and G4: kinds of feedback, and how much of the apical dendrite reaches the soma."""
    tested = [run for run in runs if len(run.curve) and layers(run)]
    tested.sort(key=lambda run: (feedback(run) != REGULAR, _g_a(run)))  # what others are compared with comes first
    plain = [run for run in tested if "g_a" not in changed(run)]
    attenuated = [run for run in tested if feedback(run) == REGULAR]
    kinds = grouped([r for r in plain if hidden(r) == "500" and all(map(compared, changed(r)))], feedback)
    mixed = grouped([r for r in attenuated if hidden(r) == "500,100" and set(changed(r)) <= {"g_a"}], _g_a)
    known = {REGULAR: ERRORS[1], **{kind: error for kind, (error, _) in FEEDBACKS.items() if error}}
    return [
        _comparison(
            "feedback", "Kinds of feedback (Figure 8)", plain, feedback, {"hidden 500": known},
            feedback_verdicts({kind: by_seed(each) for kind, each in kinds.items()}),
            "--grid feedback=random,symmetric,noisy",
        ),
        _comparison(
            "attenuation", "Attenuation of the apical dendrite (Figure 9)", attenuated,
            lambda run: f"g_a = {_g_a(run):g}", {"hidden 500,100": {"g_a = 0": ERRORS[2]}},
            attenuation_verdicts({g_a: by_seed(each) for g_a, each in mixed.items()}), "--grid g_a=0,0.05,0.6",
        ),
    ]  # fmt: skip


def _g_a(run: SavedRun) -> float:
    return float(run.parameters["g_a"])


def _comparison(
    name: str, title: str, runs: list[SavedRun], kind: Callable[[SavedRun], str],
    published: dict[str, dict[str, float]], verdicts: Sequence[Any], how: str,
) -> Section:  # fmt: skip
    """Bars of the errors of each kind, a panel for runs that are alike in all else, whose label has what was published
    of each kind; `how` are the words that make such runs."""
    panels: list[tuple[str, dict[str, list[float]], dict[str, float]]] = []
    numbers, missing = {}, []
    for alike, each in grouped(runs, lambda run: label(run, *filter(compared, run.parameters))).items():
        last, kinds = _last_shared(grouped(each, kind))
        if len(kinds) < 2:
            continue
        missing += [f"{k} has no test after {last:g} epochs" for k in grouped(each, kind) if k not in kinds]
        values = {k: [e for run in own if (e := at(epochs(run), last)) is not None] for k, own in kinds.items()}
        seeds = {k: [run.seed for run in own] for k, own in kinds.items()}
        known = published.get(alike, {}) if last == EPOCHS else {}
        panels.append((f"{alike}, after {last:g} epochs", values, known))
        numbers[alike] = {"epochs": last, "errors": values, "seeds": seeds}
    if not panels:
        return Section(name, title, missing=f"no runs to compare that have a test in common; `{how}` makes such runs.")
    return Section(
        name, title,
        "Percent of the test images seen wrongly, at the last test that the first kind has in common with another. "
        "Published values, after 60 epochs, are shown beside runs of the published protocol.",
        partial(_draw_bars, panels), 2.7 * len(panels), numbers=numbers, verdicts=verdicts,
        missing="; ".join(missing) + "." * bool(missing),
    )  # fmt: skip


def _last_shared(kinds: dict[str, list[SavedRun]]) -> tuple[float, dict[str, list[SavedRun]]]:
    """The last epoch at which the first kind and another have been tested, and the runs that have been, by kind."""
    tests = {k: {e for run in own for e in epochs(run)[:, 0].tolist() if e > 0} for k, own in kinds.items()}
    first, *others = tests.values()
    last = max(first & set().union(*others), default=0.0)
    shared = {k: [run for run in own if at(epochs(run), last) is not None] for k, own in kinds.items()}
    return last, {k: own for k, own in shared.items() if own and last > 0}


def _draw_bars(panels: list[tuple[str, dict[str, list[float]], dict[str, float]]], figure: Any) -> None:
    for ax, (title, values, published) in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
        bars(ax, values, published)
        ax.set(title=title, ylabel="test error (%)")
