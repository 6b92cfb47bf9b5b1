"""What `spikesim run` and `spikesim resume` do with several runs."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from spikesim.errors import RunError, SpikesimError
from spikesim.experiment import RunOptions
from spikesim.registry import find
from spikesim.rng import fresh_seed
from spikesim.several import grid_of, plan_of, resume_several, run_several, seeds_of, table

Told = tuple[dict[str, Any], str]  # a result, and the same to be read


def run(
    network: str, given: dict[str, Any], seeds: str | None, grid: tuple[str, ...], options: RunOptions,
    jobs: int | None, dry_run: bool,
) -> Told:  # fmt: skip
    """Run `network` for all seeds and points of the grid; `options` are those of a single run."""
    refuse(dry_run, "--dry-run", "is for a single run")
    refuse(options.checkpoint is not None, "--checkpoint", "is for a single run; several have theirs in --out DIR")
    refuse(seeds is not None and options.seed is not None, "--seed", "is for a single seed; leave out it or --seeds")
    refuse(options.checkpoint_every is not None and not options.out, "--checkpoint-every", "needs --out DIR")
    points = grid_of(grid, find("network", network))
    if seeds is not None:
        chosen = seeds_of(seeds)
    else:
        chosen = [fresh_seed() if options.seed is None else options.seed]
    common = dataclasses.replace(options, seed=None, out=None, threads=_threads() or 1)
    return _told(run_several(plan_of(network, given, points, chosen, common, options.out), jobs, options.quiet))


def resume(
    folder: str, duration: float | None, checkpoint_every: float | None, allow_changed: bool, jobs: int | None,
    quiet: bool,
) -> Told:  # fmt: skip
    """Go on with the runs in a folder."""
    refuse(duration is not None, "--time", "is for a single run")
    given = {"threads": _threads(), "checkpoint_every": checkpoint_every}
    changed = {name: value for name, value in given.items() if value is not None}
    return _told(resume_several(folder, jobs=jobs, quiet=quiet, allow_changed=allow_changed, **changed))


def refuse(given: bool, option: str, why: str) -> None:
    """Raise SpikesimError if an option is given."""
    if given:
        raise SpikesimError(f"{option} {why}.")


def check_ended(result: dict[str, Any]) -> None:
    """Raise KeyboardInterrupt after Ctrl-C, and RunError where a run has failed."""
    if result["interrupted"]:
        raise KeyboardInterrupt("stopped before all runs were done; without --out DIR there is nothing to go on from.")
    failed = [f"{run['name']}: {run['error']}" for run in result["runs"] if run["error"]]
    if failed:
        raise RunError(f"{len(failed)} of {len(result['runs'])} runs failed. {' '.join(failed)}")


def _told(result: dict[str, Any]) -> Told:
    return result, table(result)


def _threads() -> int | None:
    """What --threads says; None where it is the default."""
    context = click.get_current_context()
    given = context.get_parameter_source("threads") is not click.core.ParameterSource.DEFAULT
    return context.params["threads"] if given else None
