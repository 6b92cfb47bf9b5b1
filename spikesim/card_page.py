"""The page of a rule's card, as a picture to print: the rule in words and numbers above, its panels below."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikesim.card_figure import COLOURS, STYLE, panels

if TYPE_CHECKING:
    from spikesim.card import Card

PAGE = (8.27, 11.69)  # inches, A4
EDGE, WIDTH = 0.045, 0.915  # where text begins, and how wide it is, of the width of the page
COLUMNS, ROWS = 3, 4
MARGIN, NAMES = 0.045, 0.075  # for the ticks of an axis, and for the names of rows, of the width
HEAD, GAP, SPACING = 48.0, 8.0, 1.27  # points above the description and below it; a line's height over its size
DESCRIPTION, LEAST, ROOM = 6.2, 5.0, 200.0  # points: size of the description, the least, and the height it should fit
PARAMETERS = 6.3  # points
NOTES = 60.0  # points: the height of what follows the description where there are no panels
BROKEN = 76  # characters: a line of prose that the first word of the next would make longer goes on there


def draw_card(card: Card, path: Path) -> None:
    """Write the page; the ending chooses the format (png, pdf, svg)."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size, lines = _description(card)
    numbers = _parameters(card)
    text_height = HEAD + SPACING * size * len(lines) + GAP + SPACING * PARAMETERS * len(numbers) + 14.0
    drawn = panels(card)
    height = PAGE[1] if drawn else (text_height + NOTES) / 72.0
    share = text_height / (72.0 * height)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(PAGE[0], height))
        FigureCanvasAgg(figure)
        halves: Any = figure.subfigures(2, 1, height_ratios=(share, 1.0 - share))
        text, bottom = halves
        _write_text(text, card, size, lines, numbers)
        rows = max(ROWS, -(-(len(drawn) + 1) // COLUMNS)) if drawn else 1
        grid = bottom.add_gridspec(
            rows, COLUMNS, left=0.085 if drawn else EDGE, right=0.965, top=0.955, bottom=0.055, hspace=0.68, wspace=0.36
        )
        for k, panel in enumerate(drawn):
            ax = bottom.add_subplot(grid[divmod(k, COLUMNS)])
            place = ax.get_position()
            panel.draw(ax)
            if not ax.get_ylabel():  # the names of rows reach into the panel's own place, not into the neighbour's
                ax.set_position((place.x0 + NAMES, place.y0, place.width - NAMES, place.height))
            title = "\n".join(part for line in panel.title.split("\n") for part in textwrap.wrap(line, 54))
            bottom.text(place.x0 - MARGIN, place.y1 + 0.012, title, fontsize=6.3, fontweight="bold", va="bottom",
                        linespacing=1.2)  # fmt: skip
        row, column = divmod(len(drawn), COLUMNS)
        _table(bottom.add_subplot(grid[row, column:]), card, COLUMNS - column)
        figure.savefig(path, dpi=200)


def _description(card: Card) -> tuple[float, list[str]]:
    """(size in points, lines) of the description: smaller where it is long, and never cut."""
    size = DESCRIPTION
    while True:
        lines = reflowed(card.equations(), int(72.0 * PAGE[0] * WIDTH / (0.602 * size)))
        if SPACING * size * len(lines) <= ROOM or size <= LEAST:
            return size, lines
        size -= 0.1


def reflowed(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters: prose runs on, what is indented stays as it is."""
    lines: list[str] = []
    last = ""  # the line of the text before
    for line in text.splitlines():
        lead = line[: len(line) - len(line.lstrip())]
        prose = line and last and not lead and not last.startswith(" ")
        if prose and len(last) + len(line.split()[0]) >= BROKEN:
            lines += textwrap.wrap(f"{lines.pop()} {line}", width)
        else:
            lines += textwrap.wrap(line, width, subsequent_indent=lead, drop_whitespace=True) or [""]
        last = line
    return lines


def _parameters(card: Card) -> list[str]:
    from spikesim.card import units

    unit = units(type(card.rule))
    told = [
        (f"{name} = {value:.6g}" if isinstance(value, float) else f"{name} = {value}")
        + f" {unit.get(name, '')}".rstrip()
        for name, value in card.parameters().items()
    ]
    kept = ",  ".join(each.replace(" ", "\N{NO-BREAK SPACE}") for each in told)  # a value stays with its name
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in textwrap.wrap(kept, 150)]


def _write_text(figure: Any, card: Card, size: float, lines: list[str], numbers: list[str]) -> None:
    from spikesim._version import __version__

    name = card.name + (f"   {card.rule.preset}" if card.rule.preset else "")
    height = figure.bbox.height / figure.dpi * 72.0  # points
    put = {"x": EDGE, "va": "top", "linespacing": SPACING}

    def at(points: float) -> float:
        return 1.0 - points / height

    figure.text(y=at(26), s=name, fontsize=13, fontweight="bold", **put)
    figure.text(EDGE + WIDTH, at(32), f"{card.rule.reference}   spikesim {__version__}", fontsize=6.5, ha="right",
                va="top", color="0.35")  # fmt: skip
    # A dollar in a description is a dollar.
    figure.text(y=at(HEAD), s="\n".join(lines).replace("$", r"\$"), fontsize=size, family="monospace", **put)
    below = HEAD + SPACING * size * len(lines) + GAP
    figure.text(y=at(below), s="\n".join(numbers), fontsize=PARAMETERS, color=COLOURS[0], **put)


def _table(ax: Any, card: Card, columns: int) -> None:
    """Errors of all data sets and the cost of an event, in the last place of the page, so many columns wide."""
    from spikesim.card import number

    ax.axis("off")
    lines = [f"{'data set':<22}{'E':>9}{'points':>8}"] * bool(card.results)
    for name, result in card.results.items():
        if result.error is not None:
            lines.append(f"{name:<22}{number(result.error):>9}{sum(p.counted for p in result.points):>8}")
    height = ax.bbox.height / ax.figure.dpi * 72.0  # points
    ax.text(0.0, 1.0, "\n".join(lines), family="monospace", fontsize=6.5, va="top", transform=ax.transAxes)
    notes = [
        "E is the mean of ((predicted - measured) / s.e.m.)². Circles: measured ± s.e.m.; lines and bars: the rule."
    ]
    notes = notes * bool(card.results) + card.notes()
    text = "\n".join(part for note in notes for part in textwrap.wrap(note, (48, 108, 170)[columns - 1]))
    below = 1.0 - 6.5 * 1.22 * (len(lines) + 0.9) / height
    ax.text(0.0, below, text, fontsize=5.6, va="top", transform=ax.transAxes, color="0.25", linespacing=1.3)
