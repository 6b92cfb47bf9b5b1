"""Which rule explains which experiment: the errors of all rules for all data sets, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spikesim.card import card_of, cost_text, write_card
from spikesim.errors import SpikesimError
from spikesim.fit import Measurements, fit, free_parameters
from spikesim.output import check_writable, make_folder, plain
from spikesim.plasticity import Rule
from spikesim.protocol import Protocol
from spikesim.registry import discover, find

Note = Callable[[str], None]
SLOW = 5.0  # s; a rule whose walk through all data sets takes longer is not refitted
WHY_NOT = ("not_walked", "not_refitted")
DEFAULTS = "defaults"  # stands for the parameters of a rule without a preset
ABOUT = (
    "E is the mean of ((predicted − measured) / s.e.m.)²: 1 is as good as the data, the least of a column is marked."
)
PUBLISHED = "With given parameters: the best of a rule's published presets, named with E, or else its defaults."
REFITTED = (
    "Refitted here, to one data set at a time, all of the rule's own numbers free: about the least that it can reach. "
    "With as many parameters as points that says little."
)


def quiet(line: str) -> None:
    """A note that nobody reads."""


def data_sets() -> dict[str, Protocol]:
    """Protocol -> one with its defaults, of those that have measurements."""
    found = {name: kind() for name, kind in discover("protocol").items()}
    return {n: p for n, p in found.items() if any(c.counts and c.measured is not None for c in p.conditions())}


def rules_named(text: str) -> dict[str, type[Rule]]:
    """Name -> rule of "PairSTDP,my_rule.py:MyRule", or of "all". Raises SpikesimError for an unknown one."""
    if text == "all":
        return dict(discover("rule"))
    kinds = [find("rule", name.strip()) for name in text.split(",")]
    return {kind.__name__: kind for kind in kinds}


def compare(
    rules: Mapping[str, type[Rule]], *, refit: bool = False, seed: int = 0, note: Note = quiet
) -> dict[str, Any]:
    """The table, fit for JSON.

    `points` are those of each data set. `published` and, with `refit`, `refitted` have rule -> data set -> `error` and
    the `preset`, or the `parameters`, that it belongs to. `not_walked` has rule -> why two spike trains are not enough
    for it, `not_refitted` rule -> why it would take too long.
    """
    sets = data_sets()
    points = {name: len(Measurements({name: protocol}).rows) for name, protocol in sets.items()}
    table: dict[str, Any] = {"data_sets": list(sets), "points": points, "seed": seed, "published": {}, "not_walked": {}}
    if refit:
        table |= {"refitted": {}, "not_refitted": {}}
    for name, kind in rules.items():
        note(name)
        began = time.perf_counter()
        try:
            table["published"][name] = {each: _best(kind, each, protocol) for each, protocol in sets.items()}
        except SpikesimError as error:
            table["not_walked"][name] = str(error)
            continue
        seconds = (time.perf_counter() - began) / (len(kind.presets) + 1)
        if refit and seconds > SLOW:
            table["not_refitted"][name] = f"one walk through all data sets takes {seconds:.0f} s"
        elif refit:
            table["refitted"][name] = {each: _refit(kind, each, p, seed, note) for each, p in sets.items()}
    return plain(table)


def _best(kind: type[Rule], name: str, protocol: Protocol) -> dict[str, Any]:
    """The preset that explains a data set best. All are walked side by side."""
    presets = [None, *kind.presets]
    data = Measurements({name: protocol})
    errors = [data.errors(off)[name] for off in data.residuals([kind(preset=preset) for preset in presets])]
    best = min(range(len(errors)), key=errors.__getitem__)
    best = next((k for k in range(1, len(errors)) if errors[k] == errors[best]), best)  # by its name, if it has one
    return {"error": errors[best], "preset": presets[best] or DEFAULTS}


def _refit(kind: type[Rule], name: str, protocol: Protocol, seed: int, note: Note) -> dict[str, Any]:
    """What a fit to one data set reaches, from its best preset."""
    preset = _best(kind, name, protocol)["preset"]
    rule = kind(preset=None if preset == DEFAULTS else preset)
    found = fit(rule, {name: protocol}, free_parameters(rule), seed=seed)
    note(f"  {name}: {found.error_before:.3g} -> {found.error_after:.3g}")
    return {
        "error": found.error_after,
        "preset": preset,
        "parameters": {f.name: getattr(found.after, f.name) for f in found.free},
    }


def least(rows: dict[str, Any], data_set: str) -> str:
    """The rule with the least error for a data set."""
    return min(rows, key=lambda rule: rows[rule][data_set]["error"])


def number(error: float) -> str:
    """An error in few digits."""
    return f"{error:.2f}" if error < 100.0 else f"{error:.0f}" if error < 1e4 else f"{error:.0e}"


def _named(best: dict[str, Any], before: str) -> str:
    """The preset, if it is one."""
    return "" if best["preset"] == DEFAULTS else before + best["preset"]


def _titled(rule: str, found: dict[str, Any]) -> str:
    """A rule, with the number of its parameters where they were fitted."""
    numbers = {len(best["parameters"]) for best in found.values() if "parameters" in best}
    return f"{rule}, {max(numbers)} free" if numbers else rule


def markdown(table: dict[str, Any]) -> str:
    """The table for a text in Markdown."""
    lines = []
    for kind, about in (("published", PUBLISHED), ("refitted", REFITTED)):
        if kind not in table:
            continue
        rows, sets = table[kind], table["data_sets"]
        heads = (f"`{s}`, {table['points'][s]} points" for s in sets)
        lines += [about, "", "| rule | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(sets)]
        for rule, found in rows.items():
            cells = [number(found[s]["error"]) for s in sets]
            cells = [f"**{c}**" if least(rows, s) == rule else c for c, s in zip(cells, sets, strict=True)]
            if kind == "published":
                cells = [c + _named(found[s], "<br>") for c, s in zip(cells, sets, strict=True)]
            lines.append(f"| {_titled(rule, found)} | " + " | ".join(cells) + " |")
        lines.append("")
    lines += [ABOUT, ""]
    if table["not_walked"]:
        lines.append("Not walked, for two spike trains are not enough: " + ", ".join(table["not_walked"]) + ".")
    if table.get("not_refitted"):
        lines.append("Not refitted, for it would take too long: " + ", ".join(table["not_refitted"]) + ".")
    return "\n".join(lines).strip() + "\n"


def to_text(table: dict[str, Any]) -> str:
    """The table for a terminal."""
    lines = []
    for kind, about in (("published", PUBLISHED), ("refitted", REFITTED)):
        if kind not in table:
            continue
        cells = [["rule", *table["data_sets"]]]
        for rule, found in table[kind].items():
            cells.append([_titled(rule, found), *(number(found[s]["error"]) for s in table["data_sets"])])
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines += [about, ""]
        for first, *others in cells:
            aligned = [first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(others, widths[1:], strict=True))]
            lines.append("  ".join(aligned))
        lines.append("")
    lines += [f"{rule}: {why}" for why_not in WHY_NOT for rule, why in table.get(why_not, {}).items()]
    return "\n".join(lines).strip()


def every_card(
    rules: Mapping[str, type[Rule]], folder: Path | None, *, refit: bool = False, seed: int = 0, note: Note = quiet
) -> tuple[dict[str, Any], str, list[Path]]:
    """(table for JSON, text, files written) of the comparison; with a folder, the card of every rule is there, too.

    Raises SpikesimError where the folder cannot be written.
    """
    written = []
    if folder is not None:
        make_folder(folder)
        written = [folder / name for name in ("index.html", "rules.md", "rules.png")]
        for path in written:
            check_writable(path)
    table = compare(rules, refit=refit, seed=seed, note=note)
    costs = {}
    if folder is not None:
        for name in table["published"]:
            note(f"card of {name}")
            card = card_of(rules[name](), cost=True)
            costs[name] = cost_text(card.cost or {})
            written += write_card(card, folder)
        (folder / "rules.md").write_text(markdown(table), encoding="utf-8")
        (folder / "index.html").write_text(_page(table, costs), encoding="utf-8")
        draw(table, folder / "rules.png")
    return table, to_text(table), written


def _page(table: dict[str, Any], costs: dict[str, str]) -> str:
    from spikesim.card_html import page
    from spikesim.card_html import table as html_table

    parts = ["<h1>Which rule explains which experiment</h1>"]
    for kind, about in (("published", PUBLISHED), ("refitted", REFITTED)):
        if kind not in table:
            continue
        rows, sets, cells = table[kind], table["data_sets"], []
        marks: dict[tuple[int, int], str] = {}
        heads = [f"{s}, {table['points'][s]} points" for s in sets]
        for i, (rule, found) in enumerate(rows.items()):
            named = [_named(found[s], " ") if kind == "published" else "" for s in sets]
            cells.append(
                [_titled(rule, found), *(number(found[s]["error"]) + n for s, n in zip(sets, named, strict=True))]
            )
            marks |= {(i, k + 1): "best" for k, s in enumerate(sets) if least(rows, s) == rule}
        parts += [f'<p class="note">{about}</p>', html_table(["rule", *heads], cells, marks)]
    parts.append(f'<p class="note">{ABOUT}</p>\n<h2>Cards</h2>\n<ul>')
    parts += [
        f'<li><a href="{rule}.html">{rule}</a> <span class="note">{cost}</span></li>' for rule, cost in costs.items()
    ]
    for why_not in WHY_NOT:
        if table.get(why_not):
            parts.append(f"</ul>\n<h2>{why_not.replace('_', ' ').capitalize()}</h2>\n<ul>")
            parts += [f'<li>{rule} <span class="note">{why}</span></li>' for rule, why in table[why_not].items()]
    return page("Which rule explains which experiment", "\n".join([*parts, "</ul>"]))


def draw(table: dict[str, Any], path: Path) -> None:
    """The table as a picture; the darker a cell, the better the rule explains the data set."""
    import matplotlib
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    kinds = [kind for kind in ("published", "refitted") if table.get(kind)]
    sets = table["data_sets"]
    rows = len(table["published"])
    with matplotlib.rc_context({"font.size": 8.0}):
        figure = Figure(figsize=(2.0 + 1.25 * len(sets), (1.4 + 0.42 * rows) * len(kinds)), layout="constrained")
        FigureCanvasAgg(figure)
        for ax, kind in zip(figure.subplots(len(kinds), 1, squeeze=False)[:, 0], kinds, strict=True):
            rules = list(table[kind])
            errors = np.array([[table[kind][rule][s]["error"] for s in sets] for rule in rules]).reshape(-1, len(sets))
            shade = np.clip(np.log10(np.maximum(errors, 0.1)), -1.0, 2.0)
            ax.imshow(-shade, cmap="Greens", vmin=-2.0, vmax=2.0, aspect="auto")
            for i, k in np.ndindex(errors.shape):
                best = errors[i, k] == errors[:, k].min()
                text = number(errors[i, k])
                ax.text(k, i, text, ha="center", va="center", fontweight="bold" if best else "normal",
                        color="white" if shade[i, k] < -0.3 else "black")  # fmt: skip
                if kind == "published":
                    preset = _named(table[kind][rules[i]][sets[k]], "").replace("_", " ")
                    ax.text(k, i + 0.42, preset, ha="center", va="bottom", fontsize=3.6,
                            color="white" if shade[i, k] < -0.3 else "0.25")  # fmt: skip
            ax.set_xticks(range(len(sets)), sets, rotation=18, ha="right", rotation_mode="anchor")
            ax.set_yticks(range(len(rules)), [_titled(rule, table[kind][rule]) for rule in rules])
            ax.tick_params(length=0)
            ax.spines[:].set_visible(False)
            title = "presets and defaults" if kind == "published" else "refitted to each data set"
            ax.set_title(f"Error E, {title}", loc="left", fontweight="bold")
        figure.savefig(path, dpi=200)
