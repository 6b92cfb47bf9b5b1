"""One parameter, of a rule or of a protocol, tried at many values: what the rule predicts at each.

All synapses of a sweep, conditions times values, are walked side by side (`spikesim.side_by_side`; rules that read the
postsynaptic neuron, `spikesim.voltage_side_by_side`).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikesim.errors import SpikesimError
from spikesim.output import plain
from spikesim.parameters import Parameters
from spikesim.plasticity import Rule
from spikesim.protocol import LABELS, Point, Protocol, ProtocolResult
from spikesim.settings import parameter_values
from spikesim.side_by_side import relative_changes

#: Conditions that get a column of their own in the text.
COLUMNS = 8


def sweep(protocol: Protocol, rule: Rule, parameter: str, values: Sequence[Any]) -> Sweep:
    """Predictions for each value of `parameter`, "rule.tau_plus" or "protocol.frequency" for instance.

    "rule.preset" tries published sets of parameters. Raises SpikesimError for a parameter or a value that there is not.
    """
    part, _, name = parameter.partition(".")
    if part not in ("rule", "protocol") or not name:
        raise SpikesimError(f"a sweep is over rule.NAME or protocol.NAME, not {parameter!r}.")
    if part == "rule":
        protocols, rules = [protocol], [_with(rule, name, value) for value in values]
    else:
        protocols, rules = [_with(protocol, name, value) for value in values], [rule]
    rows = [(each, condition) for each in protocols for condition in each.conditions()]
    changes = relative_changes(rules, rows)
    results = []
    for i, one in enumerate(rules):
        for each in protocols:
            points = [Point(c, float(changes[i, k])) for k, (owner, c) in enumerate(rows) if owner is each]
            result = ProtocolResult(each, one, points)
            each.finish(result)
            results.append(result)
    return Sweep(protocol, rule, parameter, list(values), results)


def _with(thing: Any, name: str, value: Any) -> Any:
    """A copy with one parameter changed."""
    if name == "preset":
        return type(thing)(preset=value, **{given: getattr(thing, given) for given in thing.given})
    return thing.replace(**{name: value})


def sweep_of_word(word: str, owners: dict[str, type[Parameters]]) -> tuple[str, list[Any]]:
    """(parameter, values) of "rule.tau_plus=5:50:10": from, to, how many; or of a list, "rule.tau_plus=5,10,20".

    Raises SpikesimError for what is neither.
    """
    key, equals, text = word.partition("=")
    if not (key.strip() and equals and text.strip()):
        raise SpikesimError(f"--sweep takes NAME=START:STOP:NUMBER or NAME=A,B,C, not {word!r}.")
    parts = text.split(":")
    values: list[str] = [part.strip() for part in text.split(",")]
    if len(parts) == 3:
        try:
            start, stop, number = float(parts[0]), float(parts[1]), int(parts[2])
        except ValueError:
            raise SpikesimError(f"--sweep {key}: START:STOP:NUMBER are numbers, not {text!r}.") from None
        if number < 2 or not (math.isfinite(start) and math.isfinite(stop)):
            raise SpikesimError(f"--sweep {key}: a range needs finite ends and 2 values or more, not {text!r}.")
        values = [repr(start + (stop - start) * k / (number - 1)) for k in range(number)]
    elif len(parts) > 1:
        raise SpikesimError(f"--sweep {key}: a range is START:STOP:NUMBER, not {text!r}.")
    return parameter_values("--sweep", key.strip(), values, owners)


@dataclass
class Sweep:
    """What one rule predicts for one protocol at each value of one parameter."""

    protocol: Protocol
    rule: Rule
    parameter: str
    values: list[Any]
    results: list[ProtocolResult]

    def rows(self) -> list[dict[str, Any]]:
        """A dict for each value and condition: the value, the row of the protocol's own table, and `scalars`."""
        pairs = zip(self.values, self.results, strict=True)
        return [{self.parameter: value, **row, **result.scalars} for value, result in pairs for row in result.rows()]

    @property
    def errors(self) -> list[float | None]:
        """The error E at each value."""
        return [result.error for result in self.results]

    @property
    def scalars(self) -> dict[str, list[float | None]]:
        """The single numbers that the protocol adds (`Protocol.finish`) at each value; None where there is none."""
        names = dict.fromkeys(name for result in self.results for name in result.scalars)
        return {name: [result.scalars.get(name) for result in self.results] for name in names}

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        errors = self.errors
        known = [(error, value) for error, value in zip(errors, self.values, strict=True) if error is not None]
        return plain(
            {
                "protocol": self.protocol.name(),
                "rule": type(self.rule).__name__,
                "preset": self.rule.preset,
                "parameters": {"protocol": self.protocol.values(), "rule": self.rule.values()},
                "sweep": self.parameter,
                "values": self.values,
                "errors": errors,
                "scalars": self.scalars,
                "best": min(known, key=lambda pair: pair[0])[1] if known else None,
                "points": self.rows(),
            }
        )

    def to_text(self) -> str:
        """A line for each value: the error, single numbers, and the predictions where there are few conditions."""
        labels = [point.condition.label for point in self.results[0].points]
        shown = [] if len(labels) > COLUMNS or self._labels_differ() else labels
        erring = any(error is not None for error in self.errors)
        scalars = self.scalars
        table = [[self.parameter, *(["E"] if erring else []), *scalars, *shown]]
        for value, result in zip(self.values, self.results, strict=True):
            predicted = [f"{point.predicted:+.6f}" for point in result.points] if shown else []
            error = ["" if result.error is None else f"{result.error:.4g}"] if erring else []
            single = [f"{result.scalars[name]:.6g}" if name in result.scalars else "" for name in scalars]
            table.append([f"{value:.6g}" if isinstance(value, float) else str(value), *error, *single, *predicted])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [f"{self.protocol.title} ({self.protocol.reference})", f"rule: {self.rule!r}", ""]
        lines += ["  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in table]
        lines += ["", "Changes are fractions of the weight before."]
        if not shown:
            lines.append(f"--out takes the predictions of all conditions ({len(labels)} at the first value).")
        return "\n".join(lines)

    def _labels_differ(self) -> bool:
        first, *others = ([p.condition.label for p in result.points] for result in self.results)
        return any(len(labels) != len(first) for labels in others)

    def to_csv(self, path: str | Path) -> None:
        """Write `rows`."""
        rows = self.rows()
        names = list(dict.fromkeys(name for row in rows for name in row))
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=names)
            writer.writeheader()
            writer.writerows(rows)

    def plot(self, path: str | Path) -> None:
        """Predictions, closed forms dashed, and the error where there is one, against the parameter."""
        from matplotlib import colormaps
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        has_error = any(error is not None for error in self.errors)
        figure = Figure(figsize=(10.0 if has_error else 6.0, 4.5), layout="constrained")
        FigureCanvasAgg(figure)
        left, *right = figure.subplots(1, 2 if has_error else 1, squeeze=False)[0]
        numbers = all(isinstance(value, (int, float)) for value in self.values)
        x = self.values if numbers else list(range(len(self.values)))
        n = max(len(result.points) for result in self.results)
        for k in range(n):
            points = [result.points[k] if k < len(result.points) else None for result in self.results]
            y = [math.nan if point is None else point.predicted for point in points]
            label = next(point.condition.label for point in points if point is not None)
            colour = colormaps["viridis"](k / max(n - 1, 1))
            left.plot(x, y, ".-", color=colour, label=label, markersize=3)
            formula = [None if point is None else point.closed_form for point in points]
            if any(value is not None for value in formula):
                left.plot(x, [math.nan if v is None else v for v in formula], "--", color=colour, linewidth=0.8)
        left.axhline(0.0, color="grey", linewidth=0.8, zorder=0)
        left.set_ylabel("relative weight change Δw / w0")
        if n <= 2 * COLUMNS:
            left.legend(frameon=False, fontsize="x-small")
        for ax in right:
            ax.plot(x, [math.nan if error is None else error for error in self.errors], ".-", color="black")
            ax.set(ylabel="error E", yscale="log")
        for ax in (left, *right):
            ax.set_xlabel(LABELS.get(self.parameter.partition(".")[2], self.parameter))
            ax.spines[["top", "right"]].set_visible(False)
            if not numbers:
                ax.set_xticks(x, [str(v) for v in self.values], rotation=45, ha="right", rotation_mode="anchor")
        figure.suptitle(f"{self.protocol.title}\n{type(self.rule).__name__}", fontsize="medium")
        figure.savefig(path, dpi=200)
