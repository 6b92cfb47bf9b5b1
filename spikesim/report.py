"""What a published network's saved runs show, beside the published values: figures, verdicts, one page.

The report of NETWORK is `reports/NETWORK.py` beside the network's file, found by its name. It has one function,

    def sections(runs: list[SavedRun]) -> list[Section]

which draws and judges what the runs hold, and says of the rest that they do not hold it. How runs are read is in
`spikesim.saved_runs`, how curves and bars are drawn in `spikesim.report_figure`, the page in `spikesim.report_html`.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikesim._version import __version__
from spikesim.errors import SpikesimError, unknown
from spikesim.output import check_writable, make_folder, plain
from spikesim.registry import FOLDERS, discover, find, module_in
from spikesim.saved_runs import GOING_ON, SavedRun, read_runs

if TYPE_CHECKING:
    from types import ModuleType

PLACE = "reports"  # the folder beside a network's file
SAID = {True: "pass", False: "miss", None: "open"}


@dataclass(frozen=True)
class Verdict:
    """A criterion, and whether it is met.

    name, criterion, published
        what is asked, and what was published.
    found
        what came out, in words; "" for nothing.
    passed
        None where the runs do not decide it, and then `why` they do not.
    numbers
        what `found` is made of, for JSON.
    """

    name: str
    criterion: str
    published: str
    found: str = ""
    passed: bool | None = None
    why: str = ""
    numbers: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"criterion": self.criterion, "published": self.published, "found": self.found, "pass": self.passed,
                "why": self.why, **self.numbers}  # fmt: skip


@dataclass(frozen=True)
class Section:
    """A figure, with what it shows.

    name
        of its file, NAME.png, and in the JSON.
    title, text
        its headline, and what is drawn and was published.
    draw
        draws on an empty matplotlib figure of the page's width and this `height` (inches); None where there is nothing
        to be drawn.
    heads, rows
        a table beneath.
    numbers
        for JSON.
    missing
        what the runs do not hold of it, and how they would come to hold it.
    """

    name: str
    title: str
    text: str = ""
    draw: Callable[[Any], None] | None = None
    height: float = 3.0
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    numbers: dict[str, Any] = field(default_factory=dict)
    verdicts: Sequence[Verdict] = ()
    missing: str = ""


@dataclass(frozen=True)
class Report:
    """The sections of a network's report on some runs."""

    network: str
    kind: Any
    runs: list[SavedRun]
    sections: list[Section]

    @property
    def verdicts(self) -> list[Verdict]:
        """Those of all sections."""
        return [verdict for section in self.sections for verdict in section.verdicts]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON: `runs`, `verdicts` by name, `figures` with the numbers of each, `missing` by figure."""
        return plain(
            {
                "network": self.network,
                "reference": self.kind.reference,
                "version": __version__,
                "runs": [run.as_dict() for run in self.runs],
                "verdicts": {verdict.name: verdict.as_dict() for verdict in self.verdicts},
                "figures": {section.name: section.numbers for section in self.sections if section.draw},
                "missing": {section.name: section.missing for section in self.sections if section.missing},
            }
        )

    def to_text(self) -> str:
        """Runs, verdicts and what is missing."""
        lines = [f"{self.network}: {len(self.runs)} runs", *(f"  {run.name}: {how_far(run)}" for run in self.runs), ""]
        for verdict in self.verdicts:
            told = "; ".join(part for part in (verdict.found, verdict.why) if part)
            lines.append(f"{verdict.name} {SAID[verdict.passed]}: {verdict.criterion}. {told}".rstrip(". ") + ".")
        lines += ["", *(f"{s.title}: {s.missing}" for s in self.sections if s.missing)]
        return "\n".join(lines).strip()


def how_far(run: SavedRun) -> str:
    """How far a run is, and its error."""
    said = run.state
    if run.done or run.state == GOING_ON:
        said += f", {run.done} of {run.total} lessons"
    if len(run.curve):
        said += f", {run.curve[-1, 1]:.2f} % errors after {run.curve[-1, 0]:.0f}"
    return said + (f" ({run.note})" if run.note else "")


def known() -> list[str]:
    """The networks that have a report."""
    folder = Path(importlib.import_module(FOLDERS["network"]).__path__[0]) / PLACE
    return sorted(path.stem for path in folder.glob("*.py") if path.stem in discover("network"))


def _module(network: str) -> ModuleType:
    """The report of a network: a name, or FILE.py:Class. Raises SpikesimError where there is none."""
    if ".py" in network:
        file = Path(network.rpartition(":")[0] or network)
        path = file.parent / PLACE / file.name
        find("network", network)  # which says it if there is no such network
        if not path.is_file():
            raise SpikesimError(f"{network} has no report: there is no {path}.")
        return module_in(path, f"{PLACE}.{file.stem}")
    names = known()
    if network not in names:
        note = f"{network} is a network without one" if network in discover("network") else ""
        raise unknown("spikesim", "report", network, names, note)
    return importlib.import_module(f"{FOLDERS['network']}.{PLACE}.{network}")


def report_of(network: str, folders: Sequence[str | os.PathLike[str]]) -> Report:
    """The report of a network (a name, or FILE.py:Class) on the runs in these folders.

    Raises SpikesimError for a network that has none, and for folders and files that cannot be read.
    """
    module = _module(network)
    kind = find("network", network)
    runs = read_runs(folders, network)
    if not inspect.isfunction(getattr(module, "sections", None)):
        raise SpikesimError(f"{module.__file__} has no function `sections` of the runs.")
    return Report(kind.name(), kind, runs, module.sections(runs))


def write_report(report: Report, folder: Path) -> list[Path]:
    """Write the figures as png, and the page with all of them in it as NETWORK.html. Returns their paths.

    Raises SpikesimError where the folder cannot be written.
    """
    from spikesim.report_figure import draw_png
    from spikesim.report_html import page_of

    make_folder(folder)
    html = folder / f"{report.network}.html"
    pictures = {s.name: folder / f"{report.network}_{s.name}.png" for s in report.sections if s.draw}
    for path in (html, *pictures.values()):
        check_writable(path)
    drawn = {section.name: draw_png(section) for section in report.sections if section.draw}
    for name, data in drawn.items():
        pictures[name].write_bytes(data)
    html.write_text(page_of(report, drawn), encoding="utf-8")
    return [html, *pictures.values()]
