"""Parameters of a rule fitted to measurements, as the published ones were: by the least error E.

E is the mean over all points that count, in all data sets together, of ((predicted - measured) / sem)^2 (Pfister &
Gerstner 2006, doi:10.1523/JNEUROSCI.1425-06.2006). The search draws candidates from the whole box that the parameters
are confined to, walks them side by side (`spikesim.side_by_side`), and goes downhill from the best few and from where
the rule stands (`scipy.optimize.least_squares`). It is the same for the same seed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim.errors import SpikesimError, unknown
from spikesim.output import plain
from spikesim.parameters import Parameters
from spikesim.plasticity import Rule
from spikesim.protocol import Condition, Protocol
from spikesim.side_by_side import relative_changes, together

CANDIDATES, DESCENTS, STEPS = 256, 4, 30  # drawn; followed downhill; the most steps of each
FEW = (16, 1, 10)  # the same where synapses are walked one by one
REACH = 10.0  # the box goes this many times further than any published value
STEP = 1e-6  # of a coordinate, for derivatives
LOST = 1e6  # s.e.m.; a prediction that is no number is that far off


@dataclass(frozen=True)
class Free:
    """A parameter to be fitted and the values between which it is looked for; on a logarithmic scale from low > 0."""

    name: str
    low: float
    high: float

    def value(self, x: float) -> float:
        """The value at the coordinate x, which goes from 0 to 1."""
        if self.low > 0.0:
            return min(max(self.low * (self.high / self.low) ** x, self.low), self.high)
        return min(max(self.low + (self.high - self.low) * x, self.low), self.high)

    def coordinate(self, value: float) -> float:
        """Where a value lies, between 0 and 1."""
        value = min(max(value, self.low), self.high)
        if self.low > 0.0:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def at_edge(self, value: float) -> bool:
        """Whether the value lies at an end of the box, so that one beyond it may be better; 0 is an end like others."""
        return not 1e-4 < self.coordinate(value) < 1.0 - 1e-4


@dataclass
class Fit:
    """The rule before and after, and how well either explains each data set: protocol -> E."""

    before: Rule
    after: Rule
    free: list[Free]
    errors_before: dict[str, float]
    errors_after: dict[str, float]
    error_before: float
    error_after: float
    points: int
    tried: int
    seed: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        sets = self.errors_before
        return plain(
            {
                "rule": type(self.before).__name__,
                "preset": self.before.preset,
                "parameters": self.after.values(),
                "free": {
                    f.name: {
                        "before": getattr(self.before, f.name),
                        "after": getattr(self.after, f.name),
                        "low": f.low,
                        "high": f.high,
                        "at_edge": f.at_edge(getattr(self.after, f.name)),
                    }
                    for f in self.free
                },
                "error_before": self.error_before,
                "error": self.error_after,
                "errors": {name: {"before": sets[name], "after": self.errors_after[name]} for name in sets},
                "points": self.points,
                "tried": self.tried,
                "seed": self.seed,
                "seconds": self.seconds,
            }
        )

    def to_text(self) -> str:
        """Parameters and errors, before and after."""
        rows = [["parameter", "before", "after", "looked for in"]]
        for f in self.free:
            values = [getattr(rule, f.name) for rule in (self.before, self.after)]
            edge = ", at the edge" if f.at_edge(values[1]) else ""
            rows.append([f.name, *(f"{value:.6g}" for value in values), f"{f.low:.3g} to {f.high:.3g}{edge}"])
        rows += [[""] * 4, ["error E", "before", "after", ""]]
        for name, error in self.errors_before.items():
            rows.append([name, f"{error:.4g}", f"{self.errors_after[name]:.4g}", ""])
        if len(self.errors_before) > 1:
            rows.append(["all points", f"{self.error_before:.4g}", f"{self.error_after:.4g}", ""])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        settings = " ".join(f"--set {f.name}={getattr(self.after, f.name):.6g}" for f in self.free)
        lines += ["", f"{self.points} points, {len(self.free)} free parameters, {self.tried} parameter sets tried in"]
        lines[-1] += f" {self.seconds:.1f} s (seed {self.seed})"
        return "\n".join([f"rule: {self.before!r}", "", *lines, "", settings])


def free_parameters(rule: Rule, words: Sequence[str] | None = None) -> list[Free]:
    """The parameters to fit, of words like "tau_plus" or "tau_plus=5:50", which gives the box.

    Without words: all numbers that the rule declares itself, but for those that the user gave it or that the rule says
    are left alone (`Rule.unfitted`). A box that is not
    given is that of the limits of the parameter, or else reaches from a tenth to ten times the published values, of
    amplitudes from 0 on.

    Raises SpikesimError for a name that there is not, or that no number is, and for an empty box.
    """
    kind = type(rule)
    own = [n for n in kind.numeric if n not in Rule.parameters and isinstance(getattr(kind, n), float)]
    own = [n for n in own if math.isfinite(getattr(rule, n))]
    if words is None:
        found = [_free(rule, name, None) for name in own if name not in rule.given and name not in rule.unfitted]
        if not found:
            raise SpikesimError(f"{kind.__name__}: no parameter is left to fit; name some with --free.")
        return found
    boxes = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = kind.canonical(name.strip(), 0.0)[0]
        if name not in own:
            raise unknown(kind.__name__, "free parameter", name, own)
        if name in boxes:
            raise SpikesimError(f"--free: {name} is given twice; give it once.")
        boxes[name] = _box(word, text) if equals else None
    return [_free(rule, name, box) for name, box in boxes.items()]


def _box(word: str, text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        raise SpikesimError(f"--free takes NAME or NAME=LOW:HIGH, not {word!r}.") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise SpikesimError(f"--free {word}: LOW and HIGH are finite, LOW below HIGH.")
    return low, high


def _free(rule: Rule, name: str, box: tuple[float, float] | None) -> Free:
    kind = type(rule)
    if box is not None:
        kind.within_limits(name, np.array(box))
        return Free(name, *box)
    known_values = [getattr(kind, name), getattr(rule, name), *(p[name] for p in kind.presets.values() if name in p)]
    sizes = [abs(value) for value in known_values if value != 0.0 and math.isfinite(value)] or [1.0]
    signs = {math.copysign(1.0, value) for value in known_values if value != 0.0} or {1.0}
    reach = REACH * max(sizes)
    low, high = (-reach if -1.0 in signs else 0.0), (reach if 1.0 in signs else 0.0)
    if name.startswith("tau"):
        low = min(sizes) / REACH
    lowest, highest = -math.inf, math.inf
    for limit in kind.limits.get(name, ()):
        sign, bound = limit.split()
        inside = 0.0 if "=" in sign else 1e-9 * reach
        if ">" in sign:
            lowest = max(lowest, float(bound) + inside)
        else:
            highest = min(highest, float(bound) - inside)
    if math.isfinite(lowest) and math.isfinite(highest):
        return Free(name, lowest, highest)
    return Free(name, max(low, lowest), min(high, highest))


def fit(
    rule: Rule,
    protocols: Mapping[str, Protocol],
    free: Sequence[Free] | None = None,
    *,
    seed: int = 0,
    note: Callable[[str], None] = lambda line: None,
) -> Fit:
    """Fit `free` parameters (default: `free_parameters`) of a rule to the measurements of all `protocols`, by name.

    `note` is told how far it is. Raises SpikesimError for a protocol without measurements that count, and for a rule
    that cannot be walked.
    """
    from scipy.optimize import least_squares

    began = time.perf_counter()
    free = free_parameters(rule) if free is None else list(free)
    data = Measurements(protocols)
    tried = 0

    def residuals(points: np.ndarray) -> np.ndarray:
        """(candidates, rows) of (predicted - measured) / sem, for coordinates (candidates, parameters)."""
        nonlocal tried
        tried += len(points)
        return data.residuals([_moved(rule, free, x) for x in points], lost=True)

    def jacobian(x: np.ndarray) -> np.ndarray:
        steps = np.where(x > 0.5, -STEP, STEP)
        at, *beside = residuals(np.vstack([x, x + np.diag(steps)]))
        return (np.array(beside) - at).T / steps

    quick = together(rule) or rule.expected is not None
    candidates, descents, most_steps = (CANDIDATES, DESCENTS, STEPS) if quick else FEW
    rng = np.random.default_rng(seed)
    begin = np.array([f.coordinate(getattr(rule, f.name)) for f in free])
    drawn = np.vstack([begin, rng.uniform(size=(candidates, len(free)))])
    order = np.argsort((residuals(drawn) ** 2).sum(axis=1), kind="stable")
    starts = [begin, *drawn[order[order > 0][:descents]]]
    best, least = begin, math.inf
    for k, start in enumerate(starts):
        found = least_squares(
            lambda x: residuals(x[None])[0], np.clip(start, 1e-6, 1.0 - 1e-6), jac=jacobian, bounds=(0.0, 1.0),
            max_nfev=most_steps,
        )  # fmt: skip
        if found.cost < least:
            best, least = found.x, found.cost
        note(f"descent {k + 1} of {len(starts)}: E = {2.0 * least / len(data.rows):.4g}")
    after = _moved(rule, free, best)
    both = data.residuals([rule, after], lost=True)
    if (both[0] ** 2).sum() <= (both[1] ** 2).sum():
        after, both = rule, both[[0, 0]]
    data.residuals([after])  # raises if no candidate was better than one whose hooks fail
    errors_before, errors_after = (data.errors(off) for off in both)
    error_before, error_after = (float((off**2).mean()) for off in both)
    return Fit(
        rule, after, free, errors_before, errors_after, error_before, error_after,
        len(data.rows), tried, seed, time.perf_counter() - began,
    )  # fmt: skip


def _moved(rule: Rule, free: Sequence[Free], x: np.ndarray) -> Rule:
    return rule.replace(**{f.name: f.value(float(xi)) for f, xi in zip(free, x, strict=True)})


class Measurements:
    """The conditions that count of several protocols, by name. Raises SpikesimError for one that has none."""

    def __init__(self, protocols: Mapping[str, Protocol]) -> None:
        self.rows: list[tuple[Protocol, Condition]] = []
        self.owners: list[str] = []
        for name, protocol in protocols.items():
            own = [c for c in protocol.conditions() if c.counts and c.measured is not None and c.sem]
            if not own:
                raise SpikesimError(f"{name} has no measurements to fit to.")
            self.rows += [(protocol, condition) for condition in own]
            self.owners += [name] * len(own)
        self.measured = np.array([condition.measured for _, condition in self.rows], float)
        self.sem = np.array([condition.sem for _, condition in self.rows], float)

    def residuals(self, rules: Sequence[Rule], *, lost: bool = False) -> np.ndarray:
        """(rules, rows) of (predicted - measured) / sem, `LOST` for what is far off; with `lost`, for NaN, too, which
        else is an error that tells why."""
        off = (relative_changes(rules, self.rows, lost=lost) - self.measured) / self.sem
        return np.where(np.isfinite(off), np.clip(off, -LOST, LOST), LOST)

    def errors(self, off: np.ndarray) -> dict[str, float]:
        """Protocol -> E."""
        owners = np.array(self.owners)
        return {name: float((off[owners == name] ** 2).mean()) for name in dict.fromkeys(self.owners)}


def choose_data(text: str, find: Callable[[str], type[Parameters]]) -> dict[str, type[Parameters]]:
    """Name -> protocol class of "sjostrom_2001,wang_2005". Raises SpikesimError for an empty or unknown name."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise SpikesimError(f"--data takes protocols with commas between, not {text!r}.")
    if len(set(names)) < len(names):
        raise SpikesimError("--data: a protocol is given twice; give it once.")
    return {name: find(name) for name in names}
