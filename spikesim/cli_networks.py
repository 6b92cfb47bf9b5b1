"""The commands that run networks: run, resume, bench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from spikesim._version import __version__
from spikesim.cli_words import common, readable, show
from spikesim.errors import SpikesimError
from spikesim.guard import MAX_RATE
from spikesim.output import check_writable, plain


@click.command()
@click.argument("network")
@click.option("--time", "duration", type=float, metavar="MS", help="Model time in ms; default: the network's own.")
@click.option("--out", metavar="FILE", help="Stream the spikes to this HDF5 file (SONATA).")
@click.option("--record", multiple=True, metavar="VARIABLE", help="Sample a state variable, such as V_m, too.")
@click.option("--split", multiple=True, type=float, metavar="MS", help="Stop there and go on, which changes nothing.")
@click.option(
    "--max-rate",
    type=click.FloatRange(0),
    default=MAX_RATE,
    show_default=True,
    metavar="HZ",
    help="Stop when a population fires more than this; 0 for no limit.",
)
@click.option("--digest", is_flag=True, help="Report a sha256 of all synapses, too.")
@click.option("--checkpoint", metavar="FILE", help="Keep the run in this file, for `spikesim resume`.")
@click.option("--checkpoint-every", type=click.FloatRange(0), metavar="MINUTES", help="How often; default: 10.")
@click.option("--dry-run", is_flag=True, help="Only tell neurons, synapses and memory, and whether they fit.")
@click.option("--seeds", metavar="1-4", help="Several runs side by side, one a seed: 1-4, or 1,3,5; --out is a folder.")
@click.option("--grid", multiple=True, metavar="KEY=A,B", help="Several runs, one a value; repeated: all combinations.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Of several runs, how many at a time.")
@common("set", "seed", "threads", "precision", "json", "quiet")
def run(
    network: str, duration: float | None, out: str | None, record: tuple[str, ...], split: tuple[float, ...],
    max_rate: float, digest: bool, checkpoint: str | None, checkpoint_every: float | None, dry_run: bool,
    seeds: str | None, grid: tuple[str, ...], jobs: int | None, settings: tuple[str, ...],
    seed: int | None, threads: int, precision: str, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Run the published network NETWORK, or FILE.py:Class."""
    from spikesim import several_cli
    from spikesim.experiment import RunOptions
    from spikesim.registry import find
    from spikesim.settings import share_out

    kind = find("network", network)
    given = share_out(settings, {"network": kind})["network"]
    options = RunOptions(
        time=duration, seed=seed, threads=threads, precision=precision, out=out, progress=not quiet, quiet=quiet,
        record=record, split=split, max_rate=max_rate or None, digest=digest,
        checkpoint=checkpoint, checkpoint_every=checkpoint_every,
    )  # fmt: skip
    if seeds is not None or grid:
        _tell_several(as_json, *several_cli.run(network, given, seeds, grid, options, jobs, dry_run))
        return
    several_cli.refuse(jobs is not None, "--jobs", "is for several runs; give --seeds or --grid, too")
    model = kind(**given)
    if dry_run:
        plan = {"network": model.name(), "preset": model.preset, **model.plan(options)}
        show(as_json, plan, readable(plan))
        if not plan["fits"]:
            raise SpikesimError(
                f"{model.name()} needs {plan['memory_gb']:.1f} GB, but only {plan['available_gb']:.1f} GB are free. "
                "Make it smaller, or use --precision single."
            )
        return
    if out:
        check_writable(Path(out))
    if checkpoint is not None:
        from spikesim.progress import check_keeps

        check_keeps(model)
    elif checkpoint_every is not None:
        raise SpikesimError("--checkpoint-every needs --checkpoint FILE.")
    about = {"network": model.name(), "preset": model.preset, "parameters": model.values(), "threads": threads}
    result = {**about, "precision": precision, "version": __version__, **model.simulate(options)}
    _tell_run(as_json, result)


def _tell_several(as_json: bool, result: dict[str, Any], text: str) -> None:
    from spikesim.several_cli import check_ended

    show(as_json, result, text)
    check_ended(result)


def _tell_run(as_json: bool, result: dict[str, Any]) -> None:
    show(as_json, result, readable(result))
    if result.get("interrupted"):
        raise KeyboardInterrupt("stopped early; the results are those up to there.")


@click.command()
@click.argument("file", metavar="FILE|DIR")
@click.option("--time", "duration", type=float, metavar="MS", help="Where to end; default: where it was to end.")
@click.option("--checkpoint-every", type=click.FloatRange(0), metavar="MINUTES", help="Default: as often as before.")
@click.option("--allow-changed", is_flag=True, help="Also where spikesim or your own model has changed since.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Of several runs, how many at a time.")
@common("threads", "json", "quiet")
def resume(
    file: str, duration: float | None, checkpoint_every: float | None, allow_changed: bool, jobs: int | None,
    threads: int, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Go on with the run in the checkpoint FILE, and keep it there; or with several runs in the folder DIR."""
    from spikesim import several_cli

    if Path(file).is_dir():
        told = several_cli.resume(file, duration, checkpoint_every, allow_changed, jobs, quiet)
        _tell_several(as_json, *told)
        return
    several_cli.refuse(jobs is not None, "--jobs", "is for several runs in a folder")
    from spikesim.progress import resume_run

    given = {"time": duration, "checkpoint_every": checkpoint_every, "threads": threads}
    changed: Any = {name: value for name, value in given.items() if value is not None}
    result = resume_run(file, allow_changed=allow_changed, progress=not quiet, quiet=quiet, **changed)
    _tell_run(as_json, result)


@click.command()
@click.argument("network")
@click.option("--time", "duration", type=float, metavar="MS", help="Model time in ms; default: the network's own.")
@click.option("--peers", metavar="NAME[=PYTHON],...", help="Other simulators to run; default: all that know it.")
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="Runs of each simulator.")
@click.option("--out", metavar="FILE", help="Write the JSON to this file, too.")
@common("set", "seed", "threads", "precision", "json", "quiet")
def bench(
    network: str, duration: float | None, peers: str | None, repeats: int, out: str | None,
    settings: tuple[str, ...], seed: int | None, threads: int, precision: str, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Measure NETWORK, or FILE.py:Class, here and in other simulators."""
    from spikesim.bench import BenchOptions, choose, table
    from spikesim.bench import bench as measure
    from spikesim.registry import find
    from spikesim.settings import share_out
    from spikesim.training import TrainedNetwork
    from spikesim.training_bench import bench_training
    from spikesim.training_bench import table as training_table

    kind = find("network", network)
    model = kind(**share_out(settings, {"network": kind})["network"])
    chosen = choose(network, peers)
    if out:
        check_writable(Path(out))
    note = (lambda line: None) if quiet else (lambda line: click.echo(line, err=True))
    options = BenchOptions(time=duration, repeats=repeats, seed=seed, threads=threads, precision=precision)
    if isinstance(model, TrainedNetwork):
        result, text = bench_training(network, settings, model, options, note), training_table
    else:
        result, text = measure(network, settings, model, chosen, options, note), table
    if out:
        Path(out).write_text(json.dumps(plain(result), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    show(as_json, result, text(result))
