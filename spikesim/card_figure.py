"""Draws a rule's card: one panel for each thing that a protocol shows, and the page that holds them all."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.protocol import LABELS, Point, ProtocolResult

if TYPE_CHECKING:
    from spikesim.card import Card

#: Colours that the colour-blind tell apart (Okabe & Ito), and black for what was measured.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
PAGE = (8.27, 11.69)  # inches, A4
COLUMNS, ROWS = 3, 4
TEXT_LINES, TEXT_WIDTH = 22, 124  # of the description on the page
HEAD, LINE = 48.0, 7.9  # points, above the description and for each line of it
MARGIN, NAMES = 0.045, 0.075  # for the ticks of an axis, and for the names of rows, of the width
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
CHANGE = "Δw / w0"


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
        swept = [p for p in result.points if protocol.axis and protocol.axis in p.condition.variables]
        single = [p for p in result.points if p not in swept]
        if protocol.second_axis:
            found.append(_panel(f"{protocol.title}: map", swept, partial(_draw_map, result)))
        if single:
            found.append(_panel(protocol.title, single, partial(_draw_groups, single)))
        if swept:
            title = protocol.title
            if single and swept[0].condition.series:
                title = f"{protocol.title.partition(':')[0]}: {swept[0].condition.series}"
            found.append(_panel(title, swept, partial(_draw_curves, result, swept)))
    return found


def _panel(title: str, points: Sequence[Point], draw: Callable[[Any], None]) -> Panel:
    off = [
        ((p.predicted - c.measured) / c.sem) ** 2 for p in points if (c := p.condition).measured is not None and c.sem
    ]
    if off:
        apart = "" if any(p.counted for p in points) else ", apart"
        title += f"\nE = {math.fsum(off) / len(off):.3g} ({len(off)} points{apart})"
    return Panel(title, draw)


def _draw_curves(result: ProtocolResult, points: Sequence[Point], ax: Any) -> None:
    """Predictions as lines, measurements as circles, a colour for each series."""
    axis = result.protocol.axis
    for number, series in enumerate(dict.fromkeys(p.condition.series for p in points)):
        own = sorted((p for p in points if p.condition.series == series), key=lambda p: p.condition.variables[axis])
        colour = COLOURS[number % len(COLOURS)]
        x = [p.condition.variables[axis] for p in own]
        dense = len(own) > 8
        ax.plot(x, [p.predicted for p in own], "-" if dense else ".-", color=colour, markersize=4, label=series)
        formula = [p.closed_form for p in own]
        if None not in formula:
            ax.plot(x, formula, ":", color="black", linewidth=0.9, label="" if number else "closed form")
        _measured(ax, x, own, colour)
    ax.set(xlabel=LABELS.get(axis, axis), ylabel=CHANGE)
    _tidy(ax)
    if axis in ("delta_t", "separation"):
        ax.axvline(0.0, color="0.8", linewidth=0.6, zorder=0)


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
    ax.axvline(0.0, color="grey", linewidth=0.6)
    ax.spines[["top", "right", "left"]].set_visible(False)


def _draw_map(result: ProtocolResult, ax: Any) -> None:
    """The change as a colour over two variables; white is no change."""
    names = result.protocol.axis, result.protocol.second_axis
    x, y = (sorted({p.condition.variables[name] for p in result.points}) for name in names)
    found = {tuple(p.condition.variables[name] for name in names): p.predicted for p in result.points}
    table = np.array([[found[a, b] for a in x] for b in y])
    most = np.abs(table[np.isfinite(table)]).max(initial=1e-12)
    image = ax.pcolormesh(x, y, table, cmap="RdBu_r", vmin=-most, vmax=most, shading="nearest", rasterized=True)
    if len(x) > 1 and len(y) > 1 and table.min() < 0.0 < table.max():
        ax.contour(x, y, table, levels=[0.0], colors="black", linewidths=0.8)
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02, aspect=25)
    bar.set_label(CHANGE, fontsize=6)
    bar.ax.tick_params(labelsize=5.5, width=0.4)
    bar.outline.set_linewidth(0.4)
    ax.set(xlabel=LABELS.get(names[0], names[0]), ylabel=LABELS.get(names[1], names[1]))


def _measured(ax: Any, x: Sequence[float], points: Sequence[Point], colour: str) -> None:
    known = [(place, p.condition) for place, p in zip(x, points, strict=True) if p.condition.measured is not None]
    if known:
        places, values, errors = zip(*((place, c.measured, c.sem or 0.0) for place, c in known), strict=True)
        ax.errorbar(places, values, errors, **_circle(colour))


def _circle(colour: str) -> dict[str, Any]:
    return {"fmt": "o", "color": colour, "markerfacecolor": "white", "markersize": 3.5, "capsize": 1.5,
            "elinewidth": 0.8, "markeredgewidth": 0.8, "zorder": 3}  # fmt: skip


def _tidy(ax: Any) -> None:
    ax.axhline(0.0, color="grey", linewidth=0.6, zorder=0)
    ax.spines[["top", "right"]].set_visible(False)
    handles, labels = ax.get_legend_handles_labels()
    named = [(h, label) for h, label in zip(handles, labels, strict=True) if label]
    if len(named) > 1:
        ax.legend(*zip(*named, strict=True), frameon=False, handlelength=1.4, borderaxespad=0.2, labelspacing=0.3)


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


def draw_card(card: Card, path: Path) -> None:
    """The page as a picture; its ending chooses the format (png, pdf, svg)."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=PAGE)
        FigureCanvasAgg(figure)
        share = _text_share(card)
        halves: Any = figure.subfigures(2, 1, height_ratios=(share, 1.0 - share))
        text, bottom = halves
        _write_text(text, card)
        drawn = panels(card)
        rows = max(ROWS, -(-(len(drawn) + 1) // COLUMNS))
        grid = bottom.add_gridspec(
            rows, COLUMNS, left=0.085, right=0.965, top=0.955, bottom=0.055, hspace=0.66, wspace=0.36
        )
        for k, panel in enumerate(drawn):
            ax = bottom.add_subplot(grid[divmod(k, COLUMNS)])
            place = ax.get_position()
            panel.draw(ax)
            if not ax.get_ylabel():  # the names of rows reach into the panel's own place, not into the neighbour's
                ax.set_position((place.x0 + NAMES, place.y0, place.width - NAMES, place.height))
            bottom.text(place.x0 - MARGIN, place.y1 + 0.012, "\n".join(_wrapped(panel.title, 50)), fontsize=6.3,
                        fontweight="bold", va="bottom", linespacing=1.25)  # fmt: skip
        _table(bottom.add_subplot(grid[divmod(len(drawn), COLUMNS)[0], len(drawn) % COLUMNS :]), card)
        figure.savefig(path, dpi=200)


def _text_share(card: Card) -> float:
    """What the text needs of the height of the page."""
    return (HEAD + LINE * (len(_description(card)) + 1 + len(_parameters(card))) + 14.0) / (72.0 * PAGE[1])


def _description(card: Card) -> list[str]:
    lines = [part for line in card.equations().splitlines() for part in _wrapped(line, TEXT_WIDTH)]
    return lines if len(lines) <= TEXT_LINES else [*lines[: TEXT_LINES - 1], "…"]


def _parameters(card: Card) -> list[str]:
    values = ", ".join(
        f"{name} = {value:.6g}" if isinstance(value, float) else f"{name} = {value}"
        for name, value in card.parameters().items()
    )
    return _wrapped(values, TEXT_WIDTH + 10)


def _wrapped(line: str, width: int) -> list[str]:
    lead = line[: len(line) - len(line.lstrip())]
    return [
        part
        for piece in line.split("\n")
        for part in textwrap.wrap(piece, width, subsequent_indent=lead, drop_whitespace=True) or [""]
    ]


def _write_text(figure: Any, card: Card) -> None:
    from spikesim._version import __version__

    name = card.name + (f"   {card.rule.preset}" if card.rule.preset else "")
    height = figure.bbox.height / figure.dpi * 72.0  # points
    put = {"x": 0.045, "va": "top"}

    def at(points: float) -> float:
        return 1.0 - points / height

    figure.text(y=at(26), s=name, fontsize=13, fontweight="bold", **put)
    figure.text(0.96, at(32), f"{card.rule.reference}   spikesim {__version__}", fontsize=6.5, ha="right", va="top",
                color="0.35")  # fmt: skip
    description = _description(card)
    # A dollar in a description is a dollar.
    figure.text(y=at(HEAD), s="\n".join(description).replace("$", r"\$"), fontsize=6.2, family="monospace",
                linespacing=1.25, **put)  # fmt: skip
    below = HEAD + LINE * (len(description) + 1)
    figure.text(y=at(below), s="\n".join(_parameters(card)), fontsize=6.3, color=COLOURS[0], linespacing=1.25, **put)


def _table(ax: Any, card: Card) -> None:
    """Errors of all data sets and the cost of an event, in the last place of the page."""
    from spikesim.card import cost_text

    ax.axis("off")
    lines = [f"{'data set':<24}{'E':>9}{'points':>8}"]
    for name, result in card.results.items():
        if result.error is not None:
            lines.append(f"{name:<24}{result.error:>9.3g}{sum(p.counted for p in result.points):>8}")
    ax.text(0.0, 1.0, "\n".join(lines), family="monospace", fontsize=6.5, va="top", transform=ax.transAxes)
    notes = [
        "E is the mean of ((predicted - measured) / s.e.m.)². Circles: measured ± s.e.m.; lines and bars: the rule."
    ]
    notes += [f"{name}: {why}" for name, why in card.refused.items()]
    notes += [cost_text(card.cost)] if card.cost else []
    text = "\n".join(part for note in notes for part in textwrap.wrap(note, 88))
    below = 1.0 - 0.105 * (len(lines) + 0.7)
    ax.text(0.0, below, text, fontsize=5.6, va="top", transform=ax.transAxes, color="0.25", linespacing=1.3)
