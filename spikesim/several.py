"""Several runs of a published network side by side: one for each seed and each point of a grid of parameters.

    plan = plan_of("brunel_2000", {"g": 5.0}, {"J": [0.1, 0.2]}, [1, 2, 3], RunOptions(), "runs")
    result = run_several(plan, jobs=2)

With a folder everything is kept there, and `resume_several` goes on with what has not ended:

    runs.json       which runs there are and how they are run; written first
    NAME.h5         what a run writes to its --out
    NAME.ckpt.h5    its checkpoint
    NAME.json       its result, as soon as it has ended
    results.csv     a row a run, when all have ended

What is in a folder does not depend on how often the runs were interrupted, but for the times they took.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spikesim._version import __version__
from spikesim.checkpoint import to_disk
from spikesim.errors import SpikesimError
from spikesim.experiment import NetworkModel, RunOptions, Stopped
from spikesim.jit import source_digest
from spikesim.output import make_folder
from spikesim.own_process import DONE, FAILED, STOPPED, Ended, Job, side_by_side
from spikesim.parallel import cores
from spikesim.progress import check_keeps
from spikesim.registry import find
from spikesim.run_display import display_of
from spikesim.settings import parameter_values

MANIFEST, TABLE = "runs.json", "results.csv"
FORMAT = 1
MOST = 10_000  # runs
LONGEST = 120  # characters of a name
OWN = ("seed", "out", "checkpoint", "report", "progress", "quiet")  # options that the manifest does not hold


@dataclasses.dataclass(frozen=True)
class Run:
    """One of the runs: its name, its seed, its point of the grid, and all parameters that are given."""

    name: str
    seed: int
    grid: dict[str, Any]
    given: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Plan:
    """All runs, and what they have in common.

    network
        a name, or FILE.py:Class.
    options
        but for `seed`, `out` and `checkpoint`, which each run has of its own.
    folder
        where all is kept, or None.
    """

    network: str
    runs: list[Run]
    options: RunOptions
    folder: Path | None = None

    def path(self, run: Run, ending: str) -> Path:
        """The file of a run in the folder."""
        assert self.folder is not None
        return self.folder / f"{run.name}{ending}"


# What is to be run --------------------------------------------------------------------------------------------


def seeds_of(text: str) -> list[int]:
    """[1, 2, 3, 7] of "1-3,7". Raises SpikesimError for anything else, and for a seed that is given twice."""
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part, re.ASCII)
        if match is None:
            raise SpikesimError(f"--seeds takes whole numbers such as 1-4 or 1,3,5, not {text!r}.")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise SpikesimError(f"--seeds: {part.strip()} has no seeds in it; write {last}-{first}.")
        if last - first >= MOST or last >= 2**63:
            raise SpikesimError(f"--seeds: {part.strip()} is too much; {MOST} runs at most, and seeds below 2**63.")
        seeds += range(first, last + 1)
    twice = [seed for k, seed in enumerate(seeds) if seed in seeds[:k]] if len(set(seeds)) < len(seeds) else []
    if twice:
        raise SpikesimError(f"--seeds: {twice[0]} is given twice; give it once.")
    return seeds


def grid_of(words: Sequence[str], kind: type[NetworkModel]) -> dict[str, list[Any]]:
    """{"g_a": [0.0, 0.1]} of ["g_a=0,0.1"]. Where values have commas in them, ";" separates them: "eta=2,1;4,3".

    Raises SpikesimError for what is not of this form, for names and values that the network does not know, and for
    those that are given twice.
    """
    grid: dict[str, list[Any]] = {}
    for word in words:
        key, equals, text = word.partition("=")
        texts = [part.strip() for part in text.split(";" if ";" in text else ",")]
        if not (key.strip() and equals and all(texts)):
            raise SpikesimError(f"--grid takes KEY=VALUE,VALUE,..., not {word!r}.")
        name, values = parameter_values("--grid", key.strip(), texts, {"network": kind})
        name = name.partition(".")[2]
        if name in grid:
            raise SpikesimError(f"--grid: {name} is given twice; give it once.")
        twice = [value for k, value in enumerate(values) if value in values[:k]]
        if twice:
            raise SpikesimError(f"--grid: {name} is to be {twice[0]} twice; give each value once.")
        grid[name] = values
    return grid


def plan_of(
    network: str, given: Mapping[str, Any], grid: Mapping[str, Sequence[Any]], seeds: Sequence[int],
    options: RunOptions, folder: str | os.PathLike[str] | None = None,
) -> Plan:  # fmt: skip
    """The runs of `network` with the parameters `given`, for each point of the `grid` and each seed.

    Raises SpikesimError for what the network refuses.
    """
    both = sorted(set(given) & set(grid))
    if both:
        raise SpikesimError(f"--grid: {both[0]} is given by --set, too; give it once.")
    points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    if len(points) * len(seeds) > MOST:
        raise SpikesimError(f"these are {len(points) * len(seeds)} runs; {MOST} at most.")
    kind = find("network", network)
    models = [kind(**given, **point) for point in points]
    for model in models:
        if type(model).simulate is NetworkModel.simulate:
            model.ends(options)
        if options.checkpoint_every is not None:
            check_keeps(model)
    path, colon, cls = network.rpartition(":")
    runs = [
        Run(f"{model.name()}{label}_seed_{seed}", seed, point, {**given, **point})
        for model, point, label in zip(models, points, _labels(points), strict=True)
        for seed in seeds
    ]
    where = None if folder is None else Path(os.path.realpath(folder))
    return Plan(f"{os.path.realpath(path)}:{cls}" if colon else network, runs, options, where)


def _labels(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """What tells the points of a grid apart in names of files."""
    labels = ["".join(f"_{name}_{value}" for name, value in point.items()) for point in points]
    labels = [re.sub(r"[^\w.+-]", "-", label, flags=re.ASCII) for label in labels]
    if len({label.lower() for label in labels}) < len(labels) or max(map(len, labels)) > LONGEST:
        return [f"_grid_{k + 1}" for k in range(len(labels))]
    return labels


# Running ------------------------------------------------------------------------------------------------------


def run_several(plan: Plan, jobs: int | None = None, quiet: bool = False) -> dict[str, Any]:
    """Run all that is planned, `jobs` at a time: by default as many as there are cores for their threads.

    Returns `network`, `out` (the folder), `interrupted`, and `runs`: for each its `name`, `seed`, `grid`, `result`
    (what `NetworkModel.simulate` found, or None) and `error` (why it failed, or None). Raises SpikesimError where the
    folder cannot be used or holds runs already, and Stopped after Ctrl-C where there is a folder.
    """
    if plan.folder is None:
        return _run(plan, jobs, quiet, {}, False)
    make_folder(plan.folder)
    with _alone(plan.folder):
        if (plan.folder / MANIFEST).exists():
            raise SpikesimError(f"{plan.folder} holds runs already: `spikesim resume {plan.folder}` goes on with them; "
                                "for others choose another folder.")  # fmt: skip
        for path in (plan.path(run, ending) for run in plan.runs for ending in (".h5", ".ckpt.h5", ".json")):
            if path.exists():
                raise SpikesimError(f"{path} is there already; choose another folder.")
        _write_manifest(plan)
        return _run(plan, jobs, quiet, {}, False)


def resume_several(
    folder: str | os.PathLike[str], *, jobs: int | None = None, quiet: bool = False, allow_changed: bool = False,
    **changed: Any,
) -> dict[str, Any]:  # fmt: skip
    """Go on with the runs in a folder that have not ended: from their checkpoints, or from the beginning.

    changed
        options that are to be others: `threads`, `checkpoint_every`.

    Returns and raises what `run_several` does, and SpikesimError for a folder without runs, for one that was moved, and
    where spikesim or the network's own file has changed since, unless that is allowed.
    """
    plan = _read_manifest(Path(os.path.realpath(folder)), allow_changed)
    plan = dataclasses.replace(plan, options=dataclasses.replace(plan.options, **changed))
    with _alone(Path(os.path.realpath(folder))):
        over = {}
        for run in plan.runs:
            with contextlib.suppress(FileNotFoundError):
                over[run.name] = Ended(DONE, json.loads(plan.path(run, ".json").read_text(encoding="utf-8")))
        return _run(plan, jobs, quiet, over, allow_changed)


def _run(plan: Plan, jobs: int | None, quiet: bool, over: dict[str, Ended], allow_changed: bool) -> dict[str, Any]:
    left = {run.name: run for run in plan.runs if run.name not in over}
    at_once = min(jobs or max(1, cores() // plan.options.threads), max(len(left), 1))
    kind, display = find("network", plan.network), display_of(list(left), at_once, quiet)

    def ended(name: str, how: Ended) -> Ended:
        if plan.folder is not None and how.how == DONE:
            try:
                _write_whole(plan.path(left[name], ".json"), json.dumps(how.result, indent=2, allow_nan=False) + "\n")
            except OSError as error:
                how = Ended(FAILED, error=f"its result cannot be written ({error.strerror}).")
        over[name] = how
        return how

    try:
        side_by_side({n: _job(plan, run, kind, allow_changed) for n, run in left.items()}, at_once, display, ended)
    finally:
        display.close()
    ends = [over.get(run.name, Ended(STOPPED)) for run in plan.runs]
    interrupted = any(end.how == STOPPED for end in ends)
    if interrupted and plan.folder is not None:
        done = sum(end.how == DONE for end in ends)
        raise Stopped(f"stopped when {done} of {len(ends)} runs were done; `spikesim resume {plan.folder}` goes on "
                      "with the others.")  # fmt: skip
    runs = [
        {"name": run.name, "seed": run.seed, "grid": run.grid, "result": end.result, "error": end.error or None}
        for run, end in zip(plan.runs, ends, strict=True)
    ]
    result = {"network": plan.network, "out": plan.folder, "interrupted": interrupted, "runs": runs}
    if plan.folder is not None:
        _write_whole(plan.folder / TABLE, _csv(rows_of(result)))
    return result


def _job(plan: Plan, run: Run, kind: type[NetworkModel], allow_changed: bool) -> Job:
    own: dict[str, Any] = {"seed": run.seed, "quiet": True, "progress": False}
    if plan.folder is not None:
        own["out"] = str(plan.path(run, ".h5"))
        with contextlib.suppress(SpikesimError):  # of a model that keeps no checkpoints
            check_keeps(kind(**run.given))
            own["checkpoint"] = str(plan.path(run, ".ckpt.h5"))
    return Job(plan.network, run.given, dataclasses.replace(plan.options, **own), allow_changed)


# The folder ---------------------------------------------------------------------------------------------------


def _digest(network: str) -> str:
    path, colon, _ = network.rpartition(":")
    return source_digest(*([path] if colon else []))


def _write_manifest(plan: Plan) -> None:
    options = {f.name: getattr(plan.options, f.name) for f in dataclasses.fields(RunOptions) if f.name not in OWN}
    manifest = {
        "format": FORMAT, "version": __version__, "source_digest": _digest(plan.network), "network": plan.network,
        "folder": str(plan.folder), "options": options, "runs": [dataclasses.asdict(run) for run in plan.runs],
    }  # fmt: skip
    assert plan.folder is not None
    _write_whole(plan.folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")


def read_plan(folder: Path) -> tuple[Plan, str]:
    """What is to be run in a folder, as its manifest has it, and the digest of the source that began it.

    Raises SpikesimError where there is no manifest, or none that can be read.
    """
    path = folder / MANIFEST
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        if held["format"] != FORMAT:
            raise SpikesimError(f"{path} is of format {held['format']}, and this is spikesim {__version__}, which "
                                f"reads format {FORMAT}.")  # fmt: skip
        options: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in held["options"].items()}
        plan = Plan(held["network"], [Run(**run) for run in held["runs"]], RunOptions(**options), Path(held["folder"]))
        return plan, held["source_digest"]
    except FileNotFoundError:
        raise SpikesimError(f"{folder} holds no runs: there is no {MANIFEST} in it.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, SpikesimError):
            raise
        raise SpikesimError(f"{path} cannot be read ({error}).") from None


def _read_manifest(folder: Path, allow_changed: bool) -> Plan:
    plan, digest = read_plan(folder)
    if plan.folder != folder:
        raise SpikesimError(f"these runs belong to the folder {plan.folder}; put {folder} back there.")
    if not allow_changed and digest != _digest(plan.network):
        raise SpikesimError(f"spikesim, Numba, Python or the network's own file has changed since the runs in {folder} "
                            "were begun: what follows may differ. Resume them with what began them, or with "
                            "--allow-changed (allow_changed=True).")  # fmt: skip
    return plan


def _write_whole(path: Path, text: str) -> None:
    """The file is there with all of the text, or not at all."""
    new = path.with_name(f".{path.name}.new")  # nobody else writes to this folder
    with open(new, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    to_disk(new)
    os.replace(new, path)
    to_disk(path.parent)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Raise SpikesimError while another process runs what is in the folder, where the system can tell."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SpikesimError(f"the runs in {folder} are going on at this moment, in another process.") from None
        yield
    finally:
        os.close(handle)


# The table ----------------------------------------------------------------------------------------------------


def rows_of(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each run: its name, seed and parameters of the grid, every single number or word of its result, and
    its error. What is within a dictionary is named "rates_hz.excitatory", say; lists and parameters are left out."""
    rows = []
    for run in result["runs"]:
        found = {key: value for key, value in (run["result"] or {}).items() if key not in ("parameters", "seed")}
        row = {"name": run["name"], "seed": run["seed"], **run["grid"]}
        rows.append(row | {f"result.{k}" if k in row else k: v for k, v in _single(found)} | {"error": run["error"]})
    return rows


def _single(found: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in found.items():
        if isinstance(value, dict):
            yield from _single(value, f"{prefix}{key}.")
        elif not isinstance(value, (list, tuple)):
            yield f"{prefix}{key}", value


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for row in rows for name in row if name != "error")
    return [*names, "error"]


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _columns(rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def table(result: Mapping[str, Any]) -> str:
    """The rows to be read: seed, grid, and the numbers in which runs differ."""
    rows, grid = rows_of(result), result["runs"][0]["grid"]

    def shown(name: str) -> bool:
        values = [row[name] for row in rows if row.get(name) is not None]
        numbers = bool(values) and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
        return numbers and (len(rows) == 1 or any(value != values[0] for value in values))

    failed = any(row["error"] for row in rows)
    names = [n for n in _columns(rows) if n in ("seed", *grid) or (n == "error" and failed) or shown(n)]
    lines = [names] + [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
