"""A rule's card: what it predicts for every published experiment, beside what was measured, on one page.

Which protocols there are is found by scanning their folder; those that say what they show (`Protocol.shows`) are on the
card. `write_card` makes the page, as a picture to print and as HTML that needs no other file.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikesim.errors import HookError, SpikesimError
from spikesim.output import check_writable, make_folder, plain
from spikesim.plasticity import Rule
from spikesim.protocol import PREDICTED_BY, ProtocolResult
from spikesim.registry import discover

SHOWS = ("window", "frequency", "triplets", "rates")
#: `name: float = 20.0  # ms, of something`
_ONE = r"(?:ms|s|mV|pA|nS|pF|Hz)(?:\^\d)?"
COMMENT = re.compile(
    rf"^    (?P<name>\w+): \w+ = [^#\n]*# (?P<unit>(?:1/)?{_ONE}(?:/{_ONE})?(?: per ms)?)(?=[,;:]|$)", re.MULTILINE
)


@dataclass
class Card:
    """One rule with the results of all protocols that it can be put through.

    results
        protocol -> result, in the order of the panels.
    refused
        protocol -> why the rule cannot be walked through it.
    cost
        what an event costs, if that was measured (`spikesim.event_cost`).
    """

    rule: Rule
    results: dict[str, ProtocolResult]
    refused: dict[str, str] = field(default_factory=dict)
    cost: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The rule's name."""
        return type(self.rule).__name__

    @property
    def stem(self) -> str:
        """What its files are called: RULE, or RULE_preset."""
        return self.name + (f"_{self.rule.preset}" if self.rule.preset else "")

    @property
    def errors(self) -> dict[str, float]:
        """Protocol -> E, of those with measurements."""
        return {name: r.error for name, r in self.results.items() if r.error is not None}

    @property
    def predicted_by(self) -> str:
        """How its predictions were made, a key of `spikesim.protocol.PREDICTED_BY`: the same in all protocols."""
        return next((result.predicted_by for result in self.results.values()), "walk")

    def equations(self) -> str:
        """The rule's own description."""
        return inspect.cleandoc(type(self.rule).__doc__ or "")

    def parameters(self) -> dict[str, Any]:
        """The parameters that the rule declares itself, and what else the preset or the user chose."""
        chosen = self.rule.given | set(self.rule.presets.get(self.rule.preset or "", ()))
        values = self.rule.values().items()
        return {n: v for n, v in values if n not in Rule.parameters or n in chosen or v != getattr(Rule, n)}

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """What is shown -> the rows of the protocols that show it."""
        tables: dict[str, list[dict[str, Any]]] = {shown: [] for shown in SHOWS}
        for name, result in self.results.items():
            rows = ({"protocol": name, **row} for row in result.rows())
            tables.setdefault(type(result.protocol).shows, []).extend(rows)
        return tables

    def notes(self) -> list[str]:
        """What is to be said of predictions, of protocols that refuse the rule, and of the cost of an event."""
        said = [PREDICTED_BY[self.predicted_by]] if self.results else []
        for why in dict.fromkeys(self.refused.values()):
            names = ", ".join(name for name, own in self.refused.items() if own == why)
            said.append(f"{names}: {why}" if self.results else why)
        return said + ([cost_text(self.cost)] if self.cost else [])

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON: `predicted_by`, `errors`, `cost`, tables `window`, `frequency`, `triplets`, `rates`."""
        return plain(
            {
                "rule": self.name,
                "preset": self.rule.preset,
                "parameters": self.rule.values(),
                "units": units(type(self.rule)),
                "reference": self.rule.reference,
                "predicted_by": self.predicted_by,
                "errors": self.errors,
                "refused": self.refused,
                "scalars": {name: r.scalars for name, r in self.results.items() if r.scalars},
                "cost": self.cost,
                **self.tables(),
            }
        )

    def to_text(self) -> str:
        """The rule and its errors."""
        lines = [self.name + (f" ({self.rule.preset})" if self.rule.preset else ""), "", self.equations()]
        width = max(map(len, self.results), default=0)
        if self.results:
            lines += ["", f"{'error E'.ljust(width)}  (mean squared deviation in s.e.m.)"]
        for name, result in self.results.items():
            counted = sum(point.counted for point in result.points)
            shown = "no measurements" if result.error is None else f"{number(result.error)} ({counted} points)"
            lines.append(f"{name.ljust(width)}  {shown}")
        for note in self.notes():
            lines += ["", note]
        return "\n".join(lines)


def units(kind: type[Rule]) -> dict[str, str]:
    """Parameter -> its unit, of those whose declaration is followed by a comment that begins with one."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        try:
            source = inspect.getsource(each)
        except (OSError, TypeError):  # not from a file
            continue
        found |= {m["name"]: m["unit"] for m in COMMENT.finditer(source) if m["name"] in kind.parameters}
    return found


def number(error: float) -> str:
    """An error E, everywhere in one format."""
    return f"{error:.2f}" if error < 1e4 else f"{error:.0e}"


def cost_text(cost: dict[str, Any]) -> str:
    """The cost of an event as a sentence."""
    if cost["ns_per_event"] is None:
        return f"Cost of an event: not measured ({cost['reason']})."
    where = f"{cost['processor']}, {cost['date']}"
    return f"Cost of an event: {cost['ns_per_event']:.3g} ns on {where} ({cost['what']})."


def card_of(rule: Rule, *, cost: bool = False) -> Card:
    """The card of a rule; with `cost` an event's cost is measured, which compiles the rule.

    A rule that spikes change, but not they alone, cannot be walked through any protocol; its card tells why.
    Raises SpikesimError where nothing at all can be told of the rule, or a hook fails on the way through a protocol.
    """
    results, refused = {}, {}
    shown = {name: kind for name, kind in discover("protocol").items() if kind.shows}
    for name, kind in sorted(shown.items(), key=lambda item: SHOWS.index(item[1].shows)):
        try:
            results[name] = kind(**kind.on_card).run(rule)
        except HookError:
            raise  # the rule is wrong, not the experiment
        except SpikesimError as error:
            refused[name] = str(error)
    if not results and not rule.local():
        raise SpikesimError(next(iter(refused.values()), "no protocol is on cards."))
    card = Card(rule, results, refused)
    if cost:
        from spikesim.event_cost import event_cost

        card.cost = event_cost(rule)
    return card


def write_card(card: Card, folder: Path) -> list[Path]:
    """Write the card as html and png into the folder, as `Card.stem`, and return their paths.

    Raises SpikesimError where it cannot.
    """
    from spikesim.card_html import page_of
    from spikesim.card_page import draw_card

    make_folder(folder)
    html, png = (folder / f"{card.stem}{ending}" for ending in (".html", ".png"))
    for path in (html, png):
        check_writable(path)
    html.write_text(page_of(card), encoding="utf-8")
    draw_card(card, png)
    return [html, png]
