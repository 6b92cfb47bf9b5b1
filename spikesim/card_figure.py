"""Draws a rule's card: one panel for each thing that a protocol shows."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.protocol import LABELS, Point, ProtocolResult

if TYPE_CHECKING:
    from spikesim.card import Card

#: Colours that the colour-blind tell apart (Okabe & Ito), and black for what was measured.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
SIGNED = ("delta_t", "separation")  # variables whose two signs are two kinds of experiment
NOISE = 2.0  # standard deviations; what is less may be chance
STYLE: Any = {
    "font.size": 7.0,
    "axes.titlesize": 7.0,
    "axes.labelsize": 7.0,
    "legend.fontsize": 5.5,
    "xtick.labelsize": 6.0,
    "ytick.labelsize": 6.0,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "svg.hashsalt": "spikesim",
}
CHANGE, FORMULA = "Δw / w0", "closed form"
AUTHORS = re.compile(r"^(\w+), [^:]* & \w+ (\d{4})")


@dataclass
class Panel:
    """A title and how the rest is drawn on axes."""

    title: str
    draw: Callable[[Any], None]


def panels(card: Card) -> list[Panel]:
    """The panels of a card."""
    found = []
    for result in card.results.values():
        protocol = result.protocol
        name = AUTHORS.sub(r"\1 et al. \2", protocol.title)
        swept = [p for p in result.points if protocol.axis and protocol.axis in p.condition.variables]
        single = [p for p in result.points if p not in swept]
        if protocol.second_axis:
            found.append(_panel(f"{name.partition(':')[0]}: map", swept, partial(_draw_map, result)))
        if single:
            found.append(_panel(name, single, partial(_draw_groups, single)))
        if swept:
            title = name
            if single and swept[0].condition.series:
                title = f"{name.partition(':')[0]}: {swept[0].condition.series}"
            found.append(_panel(title, swept, partial(_draw_curves, result, swept)))
    return found


def _panel(title: str, points: Sequence[Point], draw: Callable[[Any], None]) -> Panel:
    from spikesim.card import number

    off = [
        ((p.predicted - c.measured) / c.sem) ** 2 for p in points if (c := p.condition).measured is not None and c.sem
    ]
    if off:
        apart = "" if any(p.counted for p in points) else ", apart"
        title += f"\nE = {number(math.fsum(off) / len(off))} ({len(off)} points{apart})"
    return Panel(title, draw)


def _draw_curves(result: ProtocolResult, points: Sequence[Point], ax: Any) -> None:
    """Predictions as lines, measurements as circles, a colour for each series."""
    axis = result.protocol.axis
    for number, series in enumerate(dict.fromkeys(p.condition.series for p in points)):
        own = sorted((p for p in points if p.condition.series == series), key=lambda p: p.condition.variables[axis])
        colour = COLOURS[number % len(COLOURS)]
        x = [p.condition.variables[axis] for p in own]
        label = series
        for part in _parts(axis, own):
            at = [p.condition.variables[axis] for p in part]
            style = "-" if len(own) > 8 and at[0] < at[-1] else ".-"
            over = 4 if len(part) < len(own) and style == ".-" else 2  # a lone dot lies on the circle measured there
            ax.plot(at, [p.predicted for p in part], style, color=colour, markersize=4, label=label, zorder=over)
            label = ""
        formula = [p.closed_form for p in own]
        if None not in formula:
            ax.plot(x, formula, ":", color="black", linewidth=0.9, label="" if number else FORMULA)
        _measured(ax, x, own, colour)
    ax.set(xlabel=LABELS.get(axis, axis), ylabel=CHANGE)
    free = _tidy(ax)
    if axis in SIGNED:
        ax.axvline(0.0, ymax=free, color="0.8", linewidth=0.6, zorder=0)


def _parts(axis: str, points: Sequence[Point]) -> list[list[Point]]:
    """What is joined by a line: nothing across 0, where the order of the spikes changes."""
    if axis not in SIGNED:
        return [list(points)]
    signs = [float(np.sign(p.condition.variables[axis])) for p in points]
    parts = [[p for p, own in zip(points, signs, strict=True) if own == sign] for sign in (-1.0, 1.0, 0.0)]
    return [part for part in parts if part]


def _draw_groups(points: Sequence[Point], ax: Any) -> None:
    """One row for each condition, from top to bottom: prediction and measurement."""
    places = np.arange(len(points))[::-1]
    ax.barh(places, [p.predicted for p in points], height=0.6, color=COLOURS[0], alpha=0.75)
    for place, p in zip(places, points, strict=True):
        c = p.condition
        if c.measured is not None:
            ax.errorbar(c.measured, place, xerr=c.sem, **_circle("black"))
    ax.set_yticks(places, [p.condition.label for p in points], fontsize=5.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(CHANGE)
    ax.locator_params(axis="x", nbins=5)
    ax.axvline(0.0, color="grey", linewidth=0.6)
    ax.spines[["top", "right", "left"]].set_visible(False)


def _draw_map(result: ProtocolResult, ax: Any) -> None:
    """The change as a colour over two variables; white is no change."""
    names = result.protocol.axis, result.protocol.second_axis
    x, y = (sorted({p.condition.variables[name] for p in result.points}) for name in names)
    found = {tuple(p.condition.variables[name] for name in names): p for p in result.points}
    table = np.array([[found[a, b].predicted for a in x] for b in y])
    most = np.abs(table[np.isfinite(table)]).max(initial=1e-12)
    image = ax.pcolormesh(x, y, table, cmap="RdBu_r", vmin=-most, vmax=most, shading="nearest", rasterized=True)
    formula = np.array([[found[a, b].closed_form for a in x] for b in y], dtype=float)  # NaN where there is none
    for name, values, style in (("no change", _beyond_noise(table), "-"), (FORMULA, formula, ":")):
        if min(table.shape) > 1 and np.nanmin(values, initial=0.0) < 0.0 < np.nanmax(values, initial=0.0):
            ax.contour(x, y, values, levels=[0.0], colors="black", linewidths=0.9, linestyles=style)
            ax.plot([], [], style, color="black", linewidth=0.9, label=name)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="upper left", framealpha=0.8, handlelength=1.6, borderpad=0.3, labelspacing=0.2)
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02, aspect=25)
    bar.set_label(CHANGE, fontsize=6)
    bar.ax.tick_params(labelsize=5.5, width=0.4, pad=1.0)
    bar.ax.locator_params(axis="y", nbins=4)  # few digits, for little room
    bar.outline.set_linewidth(0.4)
    ax.set(xlabel=LABELS.get(names[0], names[0]), ylabel=LABELS.get(names[1], names[1]))
    if len(y) <= 6:
        ax.set_yticks(y)


def _beyond_noise(table: np.ndarray) -> np.ndarray:
    """The table, NaN where the values around do not have both signs but by chance.

    How far values are from the mean of those on their left and right tells how much is chance.
    """
    bent = table[:, 1:-1] - (table[:, :-2] + table[:, 2:]) / 2.0
    noise = NOISE * math.sqrt(float((bent**2).mean()) / 1.5) if bent.size else math.inf
    near = np.lib.stride_tricks.sliding_window_view(np.pad(table, 1, mode="edge"), (3, 3))
    return np.where((near.max(axis=(2, 3)) > noise) & (near.min(axis=(2, 3)) < -noise), table, np.nan)


def _measured(ax: Any, x: Sequence[float], points: Sequence[Point], colour: str) -> None:
    known = [(place, p.condition) for place, p in zip(x, points, strict=True) if p.condition.measured is not None]
    if known:
        places, values, errors = zip(*((place, c.measured, c.sem or 0.0) for place, c in known), strict=True)
        ax.errorbar(places, values, errors, **_circle(colour))


def _circle(colour: str) -> dict[str, Any]:
    return {"fmt": "o", "color": colour, "markerfacecolor": "white", "markersize": 3.5, "capsize": 1.5,
            "elinewidth": 0.8, "markeredgewidth": 0.8, "zorder": 3}  # fmt: skip


def _tidy(ax: Any) -> float:
    """Lines and legend; returns what the legend, above all that is drawn, leaves of the height."""
    ax.axhline(0.0, color="grey", linewidth=0.6, zorder=0)
    ax.spines[["top", "right"]].set_visible(False)
    named = [(h, label) for h, label in zip(*ax.get_legend_handles_labels(), strict=True) if label]
    named.sort(key=lambda item: item[1] == FORMULA)  # last
    room = 0.0
    if len(named) > 1:
        columns = 2 if len(named) == 4 else min(3, len(named))
        height = ax.bbox.height / ax.figure.dpi * 72.0
        low, high = ax.get_ylim()
        room = (2.0 + 1.45 * STYLE["legend.fontsize"] * -(-len(named) // columns)) / height
        ax.set_ylim(low, low + (high - low) / (1.0 - room))
        ax.legend(*zip(*named, strict=True), loc="upper left", ncols=columns, frameon=False, handlelength=1.4,
                  borderaxespad=0.2, borderpad=0.1, labelspacing=0.25, columnspacing=1.2)  # fmt: skip
    return 1.0 - room


def panel_svg(panel: Panel) -> str:
    """One panel as a picture of its own, without its title."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**STYLE, "svg.fonttype": "path"}):
        figure = Figure(figsize=(3.3, 2.3))
        FigureCanvasAgg(figure)
        ax = figure.add_axes((0.16, 0.18, 0.80, 0.79))
        panel.draw(ax)
        if not ax.get_ylabel():  # rows have names
            ax.set_position((0.34, 0.18, 0.62, 0.79))
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
