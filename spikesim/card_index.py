"""How the table of rules and data sets is shown: as text, in Markdown, as a page and as a picture, with all cards."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikesim.card import card_of, cost_text, number, write_card
from spikesim.card_table import DEFAULTS, Note, compare, counts, least, made, quiet
from spikesim.errors import SpikesimError
from spikesim.output import check_writable, make_folder
from spikesim.plasticity import Rule

DAGGER = "†"
WHY_NOT = {"not_walked": "Not walked, for two spike trains are not enough", "not_refitted": "Not refitted"}
ABOUT = "E is the mean of ((predicted − measured) / s.e.m.)²: 1 is as good as the data."
PUBLISHED = (
    "With given parameters: the best of a rule's presets, named with E, or else its defaults. The least of a column is "
    "marked."
)
REFITTED = (
    "Refitted here, to one data set at a time, all of the rule's own numbers free: about the least that it can reach. "
    "In brackets, and not counted: with at least as many parameters as points, which says nothing; a dash where such a "
    "fit would have to walk synapses one by one."
)
SECTIONS = {"published": PUBLISHED, "refitted": REFITTED}


def about(table: dict[str, Any], kind: str) -> list[str]:
    """What is to be said of a section."""
    return [SECTIONS[kind], *_by_theory(table, kind), *(_fitted_here(table) if kind == "published" else [])]


def _by_theory(table: dict[str, Any], kind: str) -> list[str]:
    """Which rules are not walked."""
    rules = [rule for rule in table.get("by_theory", ()) if rule in table[kind]]
    return [f"By what its theory expects on average over its noise, not by a walk: {', '.join(rules)}."] * bool(rules)


def _fitted_here(table: dict[str, Any]) -> list[str]:
    """Which presets were fitted here, and to what, if there are any."""
    found = {
        f"{rule} {best['preset']} to {' and '.join(best['fitted_here'])}": None
        for rule, row in table["published"].items()
        for best in row.values()
        if "fitted_here" in best
    }
    if not found:
        return []
    return [f"{DAGGER} not published, but fitted here ({'; '.join(found)}); it does not count for the data it was "
            "fitted to."]  # fmt: skip


def _cell(table: dict[str, Any], kind: str, rule: str, data_set: str) -> str:
    """The error, as it is marked."""
    best = table[kind][rule].get(data_set)
    if best is None:
        return "–"
    text = number(best["error"]) + (DAGGER if "fitted_here" in best else "")
    return text if kind == "published" or counts(table, kind, rule, data_set) else f"({text})"


def _named(best: dict[str, Any], before: str) -> str:
    """The preset, if it is one."""
    return "" if best["preset"] == DEFAULTS else before + best["preset"]


def _titled(rule: str, found: dict[str, Any]) -> str:
    """A rule, with the number of its parameters where they were fitted."""
    numbers = {len(best["parameters"]) for best in found.values() if "parameters" in best}
    return f"{rule}, {max(numbers)} free" if numbers else rule


def _reasons(table: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Heading -> rule -> why it is not there."""
    return {heading: table[key] for key, heading in WHY_NOT.items() if table.get(key)}


def markdown(table: dict[str, Any]) -> str:
    """The table for a text in Markdown."""
    lines: list[str] = []
    for kind in SECTIONS:
        if kind not in table:
            continue
        sets = table["data_sets"]
        heads = (f"`{s}`, {table['points'][s]} points" for s in sets)
        first, *notes = about(table, kind)
        lines += [first, "", "| rule | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(sets)]
        for rule, found in table[kind].items():
            cells = [_cell(table, kind, rule, s) for s in sets]
            cells = [f"**{c}**" if least(table, kind, s) == rule else c for c, s in zip(cells, sets, strict=True)]
            if kind == "published":
                cells = [c + _named(found[s], "<br>") for c, s in zip(cells, sets, strict=True)]
            lines.append(f"| {_titled(rule, found)} | " + " | ".join(cells) + " |")
        lines += ["", *(part for note in notes for part in (note, ""))]
    lines += [ABOUT, ""]
    for heading, rules in _reasons(table).items():
        if heading == WHY_NOT["not_walked"]:
            lines.append(f"{heading}: {', '.join(rules)}.")
            continue
        alike = {why: [rule for rule in rules if rules[rule] == why] for why in rules.values()}
        lines.append(f"{heading}: " + "; ".join(f"{', '.join(own)} ({why})" for why, own in alike.items()) + ".")
    return "\n".join(lines).strip() + "\n"


def to_text(table: dict[str, Any]) -> str:
    """The table for a terminal."""
    lines: list[str] = []
    for kind in SECTIONS:
        if kind not in table:
            continue
        cells = [["rule", *(f"{s}, {table['points'][s]} points" for s in table["data_sets"])]]
        for rule, found in table[kind].items():
            cells.append([_titled(rule, found), *(_cell(table, kind, rule, s) for s in table["data_sets"])])
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines += [*about(table, kind), ""]
        for first, *others in cells:
            aligned = [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(others, widths[1:], strict=True))]
            lines.append("  ".join(aligned))
        lines.append("")
    lines += [f"{rule}: {why}" for rules in _reasons(table).values() for rule, why in rules.items()]
    return "\n".join(lines).strip()


def every_card(
    rules: Mapping[str, type[Rule]], folder: Path | None, *, refit: bool = False, seed: int = 0, note: Note = quiet
) -> tuple[dict[str, Any], str, list[Path]]:
    """(table for JSON, text, files written) of the comparison; with a folder, there is a card, too, of every preset
    that the table names.

    Raises SpikesimError where the folder cannot be written.
    """
    written: list[Path] = []
    if folder is not None:
        make_folder(folder)
        written = [folder / name for name in ("index.html", "rules.md", "rules.png")]
        for path in written:
            check_writable(path)
    table = compare(rules, refit=refit, seed=seed, note=note)
    if not table["published"]:
        raise SpikesimError(next(iter(table["not_walked"].values()), "there are no rules."))
    if folder is None:
        return table, to_text(table), written
    costs: dict[str, dict[str, Any] | None] = {}
    pages: dict[str, dict[str, str]] = {}
    for name, row in table["published"].items():
        for preset in dict.fromkeys(best["preset"] for best in row.values()):
            note(f"card of {name}, {preset}")
            card = card_of(made(rules[name], preset), cost=name not in costs)
            card.cost = costs.setdefault(name, card.cost)  # which hooks a rule has does not depend on its preset
            written += write_card(card, folder)
            pages.setdefault(name, {})[preset] = f"{card.stem}.html"
    (folder / "rules.md").write_text(markdown(table), encoding="utf-8")
    sentences = {name: cost_text(cost) for name, cost in costs.items() if cost}
    (folder / "index.html").write_text(index_page(table, pages, sentences), encoding="utf-8")
    draw(table, folder / "rules.png")
    return table, to_text(table), written


def index_page(table: dict[str, Any], pages: Mapping[str, Mapping[str, str]], costs: Mapping[str, str]) -> str:
    """The table as a page; each cell with a preset leads to the card of it."""
    from spikesim.card_html import page
    from spikesim.card_html import table as html_table

    parts = ["<h1>Which rule explains which experiment</h1>"]
    for kind in SECTIONS:
        if kind not in table:
            continue
        sets, cells = table["data_sets"], []
        marks: dict[tuple[int, int], str] = {}
        links: dict[tuple[int, int], str] = {}
        for i, (rule, found) in enumerate(table[kind].items()):
            published = kind == "published"
            texts = [_cell(table, kind, rule, s) + (_named(found[s], " ") if published else "") for s in sets]
            cells.append([_titled(rule, found), *texts])
            for k, s in enumerate(sets, 1):
                if least(table, kind, s) == rule:
                    marks[i, k] = "best"
                elif not counts(table, kind, rule, s):
                    marks[i, k] = "few"
                if published:
                    links[i, k] = pages[rule][found[s]["preset"]]
        first, *notes = about(table, kind)
        heads = ["rule", *(f"{s}, {table['points'][s]} points" for s in sets)]
        parts += [_note(first), html_table(heads, cells, marks, links), *map(_note, notes)]
    parts += [_note(ABOUT), "<h2>Cards</h2>\n<ul>"]
    for rule, places in pages.items():
        named = ", ".join(f'<a href="{html.escape(at)}">{html.escape(preset)}</a>' for preset, at in places.items())
        parts.append(f'<li>{html.escape(rule)}: {named} <span class="note">{html.escape(costs[rule])}</span></li>')
    parts.append("</ul>")
    for heading, rules in _reasons(table).items():
        items = (f'<li>{html.escape(r)} <span class="note">{html.escape(why)}</span></li>' for r, why in rules.items())
        parts += [f"<h2>{html.escape(heading)}</h2>\n<ul>", *items, "</ul>"]
    return page("Which rule explains which experiment", "\n".join(parts))


def _note(text: str) -> str:
    return f'<p class="note">{html.escape(text)}</p>'


def draw(table: dict[str, Any], path: Path) -> None:
    """The table as a picture; the darker a cell, the better the rule explains the data set."""
    import textwrap

    import matplotlib
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    kinds = [kind for kind in SECTIONS if table.get(kind)]
    sets, rows = table["data_sets"], [len(table[kind]) for kind in kinds]
    with matplotlib.rc_context({"font.size": 8.0}):
        size = 2.0 + 1.35 * len(sets), 1.1 * len(kinds) + 0.48 * sum(rows)
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(len(kinds), 1, squeeze=False, height_ratios=rows)[:, 0]
        for ax, kind in zip(axes, kinds, strict=True):
            rules = list(table[kind])
            rows_of = [table[kind][rule] for rule in rules]
            errors = np.array([[row.get(s, {"error": math.inf})["error"] for s in sets] for row in rows_of])
            told = np.array([[counts(table, kind, rule, s) for s in sets] for rule in rules])
            shade = np.where(told, np.clip(np.log10(np.maximum(errors, 0.1)), -1.0, 2.0), 2.0)
            ax.imshow(-shade, cmap="Greens", vmin=-2.0, vmax=2.0, aspect="auto")
            for i, k in np.ndindex(errors.shape):
                dark = shade[i, k] < -0.3
                best, preset = least(table, kind, sets[k]) == rules[i], ""
                if kind == "published":
                    preset = _named(table[kind][rules[i]][sets[k]], "").replace("_", " ")
                colour = "white" if dark else "black" if told[i, k] else "0.5"
                ax.text(k, i - (0.16 if preset else 0.0), _cell(table, kind, rules[i], sets[k]), ha="center",
                        va="center", fontweight="bold" if best else "normal", color=colour)  # fmt: skip
                ax.text(k, i + 0.2, textwrap.fill(preset, 20), ha="center", va="center", fontsize=6.0, linespacing=1.0,
                        color="white" if dark else "0.25")  # fmt: skip
            names = [f"{s}\n{table['points'][s]} points" for s in sets]
            ax.set_xticks(range(len(sets)), names, fontsize=7.0)
            ax.set_yticks(range(len(rules)), [_titled(rule, table[kind][rule]) for rule in rules])
            ax.tick_params(length=0, labeltop=True, labelbottom=False)
            ax.spines[:].set_visible(False)
            title = "presets and defaults" if kind == "published" else "refitted to each data set"
            ax.set_title(f"Error E, {title}", loc="left", fontweight="bold")
            said = "\n".join(part for note in about(table, kind) for part in textwrap.wrap(note, 150))
            ax.set_xlabel(said, loc="left", fontsize=6.5, color="0.25")
        figure.savefig(path, dpi=200)
