"""A report as one HTML file that needs no other: its figures are in it."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

from spikesim._version import __version__
from spikesim.card_html import page, source, table
from spikesim.report import SAID, how_far

if TYPE_CHECKING:
    from spikesim.report import Report, Section

MARKS = {True: "best", False: "miss", None: "few"}


def page_of(report: Report, pictures: Mapping[str, bytes]) -> str:
    """The page; `pictures` are the figures as png, by the name of their section."""
    title = f"{report.network}: {report.kind.title}"
    parts = [
        f"<h1>{html.escape(report.kind.title)} <small>{html.escape(report.network)}</small></h1>",
        f'<p class="note">{source(report.kind.reference)}spikesim {__version__}</p>',
        "<h2>Verdicts</h2>",
        _verdicts(report),
    ]
    for section in report.sections:
        if section.draw:
            parts += _section(section, pictures[section.name])
    missing = [section for section in report.sections if section.missing]
    if missing:
        parts.append("<h2>Not in these runs</h2>\n<ul>")
        parts += [f"<li>{html.escape(s.title)} {_small(s.missing)}</li>" for s in missing]
        parts.append("</ul>")
    rows = [[run.name, str(run.seed), _changed(run.as_dict()["parameters"]), how_far(run)] for run in report.runs]
    parts += ["<h2>Runs</h2>", table(["run", "seed", "parameters that are not the defaults", "how far"], rows)]
    return page(title, "\n".join(parts))


def _verdicts(report: Report) -> str:
    verdicts = report.verdicts
    if not verdicts:
        return '<p class="note">These runs decide none.</p>'
    rows = [[v.name, v.criterion, v.published, v.found, SAID[v.passed], v.why] for v in verdicts]
    marks = {(i, 4): MARKS[v.passed] for i, v in enumerate(verdicts)}
    return f'<div class="words">{table(["", "criterion", "published", "here", "verdict", "why"], rows, marks)}</div>'


def _section(section: Section, picture: bytes) -> list[str]:
    title = html.escape(section.title)
    data = "data:image/png;base64," + base64.b64encode(picture).decode()
    parts = [f"<h2>{title}</h2>", f'<figure><img alt="{title}" src="{data}"></figure>']
    parts += [f"<p>{html.escape(section.text)}</p>"] * bool(section.text)
    if section.rows:
        parts.append(table(section.heads, section.rows))
    return parts


def _small(text: str) -> str:
    return f'<span class="note">{html.escape(text)}</span>'


def _changed(parameters: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in parameters.items())
