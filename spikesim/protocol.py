"""What an induction protocol is: spike trains, and what the experiment measured.

A protocol is a class with parameters and one method that lists its conditions, each a pair of spike trains:

    class Window(Protocol):
        \"\"\"...\"\"\"
        pairs: int = 60
        axis = "delta_t"

        def conditions(self):
            for delta_t in (-10.0, 10.0):
                pre = [1000.0 * k for k in range(self.pairs)]
                yield Condition(f"{delta_t:+g} ms", {"delta_t": delta_t}, pre, [t + delta_t for t in pre])

`run(rule)` walks every condition exactly (`spikesim.timeline`, `spikesim.side_by_side`), or asks the rule's own theory
(`Rule.expected`), and sets prediction beside measurement.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from spikesim.errors import SpikesimError
from spikesim.parameters import Parameters
from spikesim.plasticity import Rule
from spikesim.timeline import expected_change, start_weight, weight_change

#: Protocol variable -> its name and unit in tables and on axes.
LABELS = {
    "delta_t": "Δt (ms)",
    "delta_t1": "Δt1 (ms)",
    "delta_t2": "Δt2 (ms)",
    "frequency": "frequency (Hz)",
    "separation": "T (ms)",
    "V": "V (mV)",
    "pre_rate": "presynaptic rate (Hz)",
    "post_rate": "postsynaptic rate (Hz)",
    "closed_form": "closed form",
}

#: How a prediction is made -> what to say of it.
PREDICTED_BY = {
    "walk": "Predictions are walks of one synapse through the spike trains.",
    "theory": "Predictions are what the rule's theory expects on average over its noise.",
}

#: Column -> how `ProtocolResult.to_text` prints it.
FORMATS = {"label": "{}", "predicted": "{:+.6f}", "closed_form": "{:+.6f}", "measured": "{:+.3f}", "sem": "{:.3f}"}


@dataclass(frozen=True, eq=False)
class Condition:
    """One row of an experiment: two spike trains (ms) and, where there is one, the measured change.

    variables
        the protocol variables of this row, name -> number.
    measured, sem
        the relative weight change and its standard error, as fractions of the weight before.
    counts
        whether the row enters `ProtocolResult.error`.
    series
        the curve that the row belongs to in a plot.
    trials
        further pairs of trains (pre, post); the prediction is the mean over all pairs.
    axonal_delay, dendritic_delay
        how long (ms) pre- and postsynaptic spikes need to reach the synapse.
    """

    label: str
    variables: Mapping[str, float]
    pre: Iterable[float]
    post: Iterable[float]
    measured: float | None = None
    sem: float | None = None
    counts: bool = True
    series: str = ""
    trials: Sequence[tuple[Iterable[float], Iterable[float]]] = ()
    axonal_delay: float = 0.0
    dendritic_delay: float = 0.0

    def trains(self) -> list[tuple[Iterable[float], Iterable[float]]]:
        """All pairs of spike trains (ms)."""
        return [(self.pre, self.post), *self.trials]


class Protocol(Parameters):
    """Base of all protocols. Spike times are those at the synapse; weights are free of bounds unless the user
    gave the rule some (see `spikesim.timeline.trajectory`).

    Class attributes of a protocol: `title`, `reference` (a DOI), and `axis`, the variable that its plot has
    on the x axis; rows that lack it are drawn one beside the other. `shows` ("window", "frequency", "triplets",
    "rates") puts it on the cards of rules (`spikesim.card`), with the parameters `on_card`; with `second_axis`, another
    variable, it is drawn there as a map, too.
    """

    w0: float = 0.0  # weight before, in units of the weights, from where to walk; 0 for what the rule says

    limits = {"w0": (">= 0",)}

    title: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    axis: ClassVar[str] = ""
    second_axis: ClassVar[str] = ""
    shows: ClassVar[str] = ""
    on_card: ClassVar[Mapping[str, Any]] = {}
    engine = "walk"  # or "event": as a network on the event-driven engine, which is the same to rounding

    @classmethod
    def name(cls) -> str:
        """The name it is found by: that of its file."""
        return cls.__module__.rpartition(".")[2]

    def conditions(self) -> Iterable[Condition]:
        """The rows of the experiment."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its conditions are.")

    @classmethod
    def takes(cls, rule: type[Rule]) -> bool:
        """Whether rules of this kind can go through it, as far as the protocol is concerned."""
        return True

    def start(self, rule: Rule) -> float:
        """The weight before induction, in units of the weights."""
        start = self.w0 or start_weight(rule)
        if not start > 0.0:
            raise SpikesimError(f"{type(self).__name__}: a relative change needs a weight w0 > 0 to start from.")
        return start

    def by_theory(self, rule: Rule) -> bool:
        """Whether the rule is judged by the change that it expects over its noise (`Rule.expected`), not by a walk."""
        return rule.expected is not None and not self.w0

    def cell(self, rule: Rule, condition: Condition) -> Any:
        """The postsynaptic neuron beside the synapse, of a rule that reads it: the one that the rule names."""
        return rule.cell

    def induce(self, rule: Rule, condition: Condition) -> float:
        """The weight change under one condition, as a fraction of the weight before."""
        cell = self.cell(rule, condition)
        delays: Any = {"axonal_delay": condition.axonal_delay, "dendritic_delay": condition.dendritic_delay}
        if self.by_theory(rule):
            changes = [expected_change(rule, pre, post, **delays) for pre, post in condition.trains()]
            return math.fsum(changes) / len(changes)
        start = self.start(rule)
        changes = [weight_change(rule, pre, post, w0=start, cell=cell, **delays) for pre, post in condition.trains()]
        return math.fsum(changes) / len(changes) / start

    def run(self, rule: Rule) -> ProtocolResult:
        """Every condition with what the rule predicts and what was measured, and what `finish` adds."""
        if not isinstance(rule, Rule):
            raise SpikesimError(f"{type(self).__name__}.run needs a plasticity rule, not {rule!r}.")
        conditions = list(self.conditions())
        predicted = self._changes(rule, conditions)
        result = ProtocolResult(self, rule, [Point(*each) for each in zip(conditions, predicted.tolist(), strict=True)])
        self.finish(result)
        return result

    def _changes(self, rule: Rule, conditions: Sequence[Condition]) -> Any:
        """(conditions,) what `induce` gives for each."""
        if self.engine == "event":
            from spikesim.event.induction import relative_changes as run_as_network

            return run_as_network(self, rule, conditions)
        from spikesim.side_by_side import relative_changes

        return relative_changes([rule], [(self, condition) for condition in conditions])[0]

    def finish(self, result: ProtocolResult) -> None:
        """Add to the predictions what follows from them or from a formula: `closed_form`, `scalars`. A sweep does the
        same at each of its values."""


@dataclass(eq=False)
class Point:
    """One condition and the relative weight change that the rule predicts for it."""

    condition: Condition
    predicted: float
    closed_form: float | None = None  # the same from a formula, where there is one

    @property
    def counted(self) -> bool:
        """Whether the error is taken over this point, too."""
        c = self.condition
        return c.counts and c.measured is not None and bool(c.sem)


@dataclass
class ProtocolResult:
    """Predictions of one rule for one protocol, beside the measurements. Changes are fractions of the weight
    before. `scalars` holds single numbers under their names, `course` the times (ms) and weights of a run.
    """

    protocol: Protocol
    rule: Rule
    points: list[Point]
    scalars: dict[str, float] = field(default_factory=dict)
    course: tuple[Any, Any] | None = None

    @property
    def error(self) -> float | None:
        """E = mean of ((predicted - measured) / sem)^2 over the points that count; None where there are none.

        Pfister & Gerstner 2006 (doi:10.1523/JNEUROSCI.1425-06.2006) fitted their rule to it.
        """
        rows = [row for row in self.rows() if row["counted"]]
        if not rows:
            return None
        return math.fsum(((r["predicted"] - r["measured"]) / r["sem"]) ** 2 for r in rows) / len(rows)

    @property
    def predicted_by(self) -> str:
        """How the predictions were made, a key of `PREDICTED_BY`."""
        return "theory" if self.protocol.by_theory(self.rule) else "walk"

    def rows(self) -> list[dict[str, Any]]:
        """The table: one dict per point, all with the same keys; None where a row has no such value."""
        names = dict.fromkeys(name for p in self.points for name in p.condition.variables)
        closed = any(p.closed_form is not None for p in self.points)
        return [
            {
                "label": p.condition.label,
                **{name: p.condition.variables.get(name) for name in names},
                "predicted": p.predicted,
                **({"closed_form": p.closed_form} if closed else {}),
                "measured": p.condition.measured,
                "sem": p.condition.sem,
                "counted": p.counted,
            }
            for p in self.points
        ]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON. An infinite bound is written as the string "inf", which parameters accept."""
        return {
            "protocol": self.protocol.name(),
            "rule": type(self.rule).__name__,
            "preset": self.rule.preset,
            "parameters": {"protocol": _plain(self.protocol.values()), "rule": _plain(self.rule.values())},
            "reference": {"protocol": self.protocol.reference, "rule": self.rule.reference},
            "predicted_by": self.predicted_by,
            "points": [_plain(row) for row in self.rows()],
            "error": self.error,
            **_plain(self.scalars),
        }

    def to_text(self) -> str:
        """The table with its heading and the error, aligned for a terminal."""
        rows = self.rows()
        keys = [key for key in rows[0] if key != "counted" and any(row[key] is not None for row in rows)]
        cells = [
            ["" if row[key] is None else FORMATS.get(key, "{:g}").format(row[key]) for key in keys] for row in rows
        ]
        head = [LABELS.get(key, key) for key in keys]
        widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
        lines = [f"{self.protocol.title} ({self.protocol.reference})", f"rule: {self.rule!r}", ""]
        for line in (head, ["-" * width for width in widths], *cells):
            first, *others = zip(line, widths, strict=True)
            aligned = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
            lines.append("  ".join(aligned).rstrip())
        by_theory = f" {PREDICTED_BY['theory']}" if self.predicted_by == "theory" else ""
        lines += ["", f"Changes are fractions of the weight before.{by_theory}"]
        if self.error is not None:
            count = sum(p.counted for p in self.points)
            lines.append(f"error E = {self.error:.4g} (mean squared deviation in s.e.m. over {count} points)")
        lines += [f"{name} = {value:.6f}" for name, value in self.scalars.items()]
        return "\n".join(lines)

    def to_csv(self, path: str | Path) -> None:
        """Write the table, one line per point; empty where a row has no such value."""
        rows = self.rows()
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    def plot(self, path: str | Path) -> None:
        """Draw predictions and measurements into a file; its ending chooses the format (png, pdf, svg)."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        swept = [p for p in self.points if self.protocol.axis in p.condition.variables]
        single = [p for p in self.points if self.protocol.axis not in p.condition.variables]
        panels: list[tuple[float, Callable[[Any, Any], None], Any]] = []
        if self.course is not None:
            panels.append((5.0, self._plot_course, self.course))
        elif single:
            panels.append((2.0 + 0.35 * len(single), self._plot_single, single))
        if swept:
            panels.append((5.0, self._plot_swept, swept))
        widths = [width for width, _, _ in panels]
        figure = Figure(figsize=(sum(widths) + 1.0, 4.5), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(1, len(panels), squeeze=False, width_ratios=widths)[0]
        for ax, (_, draw, content) in zip(axes, panels, strict=True):
            draw(ax, content)
            ax.spines[["top", "right"]].set_visible(False)
        error = "" if self.error is None else f", E = {self.error:.3g}"
        model = type(self.rule).__name__ + (f" ({self.rule.preset})" if self.rule.preset else "")
        figure.suptitle(f"{self.protocol.title}\n{model}{error}", fontsize="medium")
        figure.savefig(path, dpi=200)

    def _plot_single(self, ax: Any, points: list[Point]) -> None:
        places = range(len(points))
        ax.plot(places, [p.predicted for p in points], "s", color="tab:blue", label=type(self.rule).__name__)
        _plot_measured(ax, list(places), points, "black", "measured ± s.e.m.")
        ax.set_xticks(places, [p.condition.label for p in points], rotation=45, ha="right", rotation_mode="anchor")
        _finish(ax, "")

    def _plot_swept(self, ax: Any, points: list[Point]) -> None:
        axis = self.protocol.axis
        for number, series in enumerate(dict.fromkeys(p.condition.series for p in points)):
            own = [p for p in points if p.condition.series == series]
            own.sort(key=lambda p: p.condition.variables[axis])
            x, y = [p.condition.variables[axis] for p in own], [p.predicted for p in own]
            colour, name = f"C{number}", f"{series}: " if series else ""
            ax.plot(x, y, ".-", color=colour, label=name + type(self.rule).__name__)
            formula = [p.closed_form for p in own]
            if None not in formula:
                ax.plot(x, formula, "--", color=colour, linewidth=1.0, label=f"{name}closed form")
            _plot_measured(ax, x, own, colour, f"{name}measured ± s.e.m.")
        _finish(ax, LABELS.get(axis, axis))

    def _plot_course(self, ax: Any, course: tuple[Any, Any]) -> None:
        times, weights = course
        start = self.protocol.start(self.rule)
        ax.step([t / 1000.0 for t in times], [w / start - 1.0 for w in weights], where="post", color="tab:blue")
        _finish(ax, "time (s)")


def _plot_measured(ax: Any, x: Sequence[float], points: list[Point], colour: str, label: str) -> None:
    known = [(place, p.condition) for place, p in zip(x, points, strict=True) if p.condition.measured is not None]
    if known:
        places, values, errors = zip(*((place, c.measured, c.sem or 0.0) for place, c in known), strict=True)
        style = {"fmt": "o", "color": colour, "markerfacecolor": "white", "capsize": 3}
        ax.errorbar(places, values, errors, label=label, **style)


def _finish(ax: Any, x_label: str) -> None:
    ax.axhline(0.0, color="grey", linewidth=0.8, zorder=0)
    ax.set(xlabel=x_label, ylabel="relative weight change Δw / w0")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False, fontsize="small")


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same with nothing in it that JSON does not know."""
    return {name: _plain_value(value) for name, value in values.items()}


def _plain_value(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain_value(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
