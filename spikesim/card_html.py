"""A rule's card as one HTML file that needs no other: pictures are in it, and the tables open at a click."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spikesim._version import __version__

if TYPE_CHECKING:
    from spikesim.card import Card

STYLE = """
body { font: 14px/1.45 sans-serif; max-width: 1080px; margin: 2em auto; padding: 0 1em; color: #222; }
h1 { margin-bottom: 0; } h1 small { font-size: 0.5em; font-weight: normal; color: #666; }
pre { background: #f6f6f6; padding: 1em; overflow-x: auto; font-size: 12px; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 1em; }
figure { margin: 0; break-inside: avoid; } figure img { width: 100%; }
figcaption { font-weight: bold; font-size: 12px; white-space: pre-line; min-height: 3.6em; }
table { border-collapse: collapse; font-size: 12px; margin: 0.5em 0; }
td, th { padding: 2px 8px; border-bottom: 1px solid #ddd; text-align: right; }
td:first-child, th:first-child { text-align: left; }
td a { color: inherit; } .words td, .words th { text-align: left; vertical-align: top; } .few { color: #999; }
.note { color: #555; font-size: 12px; } .best { background: #e3f0e3; font-weight: bold; }
.miss { background: #f8e3d4; font-weight: bold; }
@media print { details { display: none; } body { margin: 0; max-width: none; } }
"""


def page(title: str, body: str) -> str:
    """A whole document."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def page_of(card: Card) -> str:
    """The card of one rule."""
    from spikesim.card import units

    unit = units(type(card.rule))
    preset = f" <small>{html.escape(card.rule.preset)}</small>" if card.rule.preset else ""
    parts = [
        f"<h1>{card.name}{preset}</h1>",
        f'<p class="note">{source(card.rule.reference)}spikesim {__version__}</p>',
        f"<pre>{html.escape(card.equations())}</pre>",
        table(
            ["parameter", "value", "unit"],
            [[name, _cell(value), unit.get(name, "")] for name, value in card.parameters().items()],
        ),
    ]
    if card.results:
        parts += [
            "<h2>Errors</h2>",
            table(["data set", "error E", "points"], list(_error_rows(card))),
            '<p class="note">E is the mean of ((predicted − measured) / s.e.m.)² over the points that count.</p>',
        ]
    parts += [f'<p class="note">{html.escape(note)}</p>' for note in card.notes()]
    if card.results:
        parts += _predictions(card)
    return page(f"{card.name}: what it explains", "\n".join(parts))


def _predictions(card: Card) -> list[str]:
    """All panels, and the tables behind them."""
    from spikesim.card_figure import panels

    parts = ['<h2>Predictions and measurements</h2>\n<div class="panels">']
    for panel in panels(card):
        title = html.escape(panel.title)
        parts.append(f'<figure><figcaption>{title}</figcaption><img alt="{title}" src="{_picture(panel)}"></figure>')
    parts.append("</div>\n<h2>Tables</h2>")
    parts.append('<p class="note">Circles are measured, with their s.e.m.; lines and bars are the rule. Changes are')
    parts.append("fractions of the weight before.</p>")
    for name, result in card.results.items():
        rows = result.rows()
        heads = list(rows[0])
        cells = [[_cell(row[head]) for head in heads] for row in rows]
        parts.append(f"<details><summary>{name} ({len(rows)} rows)</summary>{table(heads, cells)}</details>")
    return parts


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    marks: Mapping[tuple[int, int], str] | None = None,
    links: Mapping[tuple[int, int], str] | None = None,
) -> str:
    """An HTML table; `marks` and `links` give cells, by row and column, a class and a place to go to."""
    marks, links = marks or {}, links or {}
    lines = ["<table>", "<tr>" + "".join(f"<th>{html.escape(head)}</th>" for head in heads) + "</tr>"]
    for i, row in enumerate(rows):
        lines.append("<tr>")
        for k, cell in enumerate(row):
            text = html.escape(cell)
            if (i, k) in links:
                text = f'<a href="{html.escape(links[i, k])}">{text}</a>'
            lines[-1] += f"<td{f' class={marks[i, k]}' if (i, k) in marks else ''}>{text}</td>"
        lines[-1] += "</tr>"
    return "\n".join([*lines, "</table>"])


def _error_rows(card: Card) -> Iterable[list[str]]:
    from spikesim.card import number

    for name, result in card.results.items():
        counted = sum(point.counted for point in result.points)
        yield [name, "no measurements" if result.error is None else number(result.error), str(counted or "")]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def source(reference: str) -> str:
    """Where a rule is from, as a link if it has a DOI."""
    text, doi = html.escape(reference), html.escape(reference.removeprefix("doi:"))
    link = f'<a href="https://doi.org/{doi}">{text}</a>' if reference.startswith("doi:") else text
    return f"{link} · " if text else ""


def _picture(panel: Any) -> str:
    from spikesim.card_figure import panel_svg

    return "data:image/svg+xml;base64," + base64.b64encode(panel_svg(panel).encode()).decode()
