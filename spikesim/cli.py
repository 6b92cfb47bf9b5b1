"""The command line. Each command reads its words, calls the library, and prints; the work is done elsewhere.

What a command computes goes to stdout, everything else to stderr. Modules that take time to load are imported
inside the commands that need them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from spikesim._version import __version__
from spikesim.console import Spikesim
from spikesim.errors import SpikesimError
from spikesim.guard import MAX_RATE
from spikesim.output import check_writable, make_folder, plain

FIGURES = (".png", ".pdf", ".svg")


def _cores() -> int:
    from spikesim.parallel import cores

    return cores()


def _options(*names: str) -> Callable[[Any], Any]:
    """The options of these names, which mean the same in every command."""
    known = {
        "set": click.option(
            "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter; may be repeated."
        ),
        "seed": click.option("--seed", type=click.IntRange(0), help="Of all random numbers; default: a fresh one."),
        "threads": click.option(
            "--threads", type=click.IntRange(1), default=_cores, help="Default: all cores. Changes no result."
        ),
        "precision": click.option(
            "--precision", type=click.Choice(["double", "single"]), default="double", show_default=True
        ),
        "json": click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout."),
        "quiet": click.option("--quiet", is_flag=True, help="No progress bar and no notes."),
    }

    def add(command: Any) -> Any:
        for name in reversed(names):
            command = known[name](command)
        return command

    return add


def _print(as_json: bool, data: Any, text: str) -> None:
    click.echo(json.dumps(plain(data), allow_nan=False) if as_json else text)


@click.group(cls=Spikesim, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="spikesim", message="%(prog)s %(version)s")
def main() -> None:
    """Spiking neural networks that learn: exact, fast, reproducible to the bit."""


@main.command()
@click.option("--out", default="spikesim-demo", show_default=True, metavar="DIR", help="Folder for the results.")
@click.option("--images", type=click.IntRange(1), help="MNIST digits to train on; fewer take less time.")
@_options("seed", "threads", "json", "quiet")
def demo(out: str, images: int | None, seed: int | None, threads: int, as_json: bool, quiet: bool) -> None:
    """Triplets of spikes, digits learned with plateau potentials, and the files that result."""
    from spikesim.demo import run_demo

    result = run_demo(Path(out), images=images, seed=seed, threads=threads, quiet=quiet, to_stderr=as_json)
    if as_json:
        _print(True, result, "")


@main.command(name="list")
@click.argument("name", required=False)
@_options("json")
def list_(name: str | None, as_json: bool) -> None:
    """All neurons, rules, protocols and networks; or the parameters and presets of NAME."""
    from spikesim import catalogue

    if name is not None:
        found = [catalogue.describe(kind, name, cls) for kind, cls in catalogue.lookup(name)]
        _print(as_json, found[0], "\n\n".join(map(catalogue.describe_text, found)))
        return
    everything = catalogue.catalogue()
    lines = []
    for kind, each in everything.items():
        width = max(map(len, each), default=0)
        lines += [f"{kind}s", *(f"  {known.ljust(width)}  {line}" for known, line in each.items()), ""]
    _print(as_json, everything, "\n".join(lines + ["spikesim list NAME tells the parameters of one of them."]))


@main.command()
@click.argument("name")
@click.option("--rule", "rule_name", required=True, metavar="RULE", help="A plasticity rule, or FILE.py:Class.")
@click.option("--out", metavar="PATH", help="A .csv, .json, .png, .pdf or .svg file, or a folder for csv and png.")
@click.option("--sweep", "swept", metavar="KEY=VALUES", help="Try values START:STOP:NUMBER or A,B,C of a parameter.")
@_options("set", "json", "quiet")
def protocol(
    name: str, rule_name: str, out: str | None, swept: str | None, settings: tuple[str, ...], as_json: bool, quiet: bool
) -> None:
    """Put a plasticity rule through the published experiment NAME."""
    from spikesim.registry import find
    from spikesim.settings import share_out
    from spikesim.sweep import sweep, sweep_of_word

    owners = {"protocol": find("protocol", name), "rule": find("rule", rule_name)}
    given = share_out(settings, owners)
    experiment, rule = (owners[owner](**given[owner]) for owner in ("protocol", "rule"))
    over = sweep_of_word(swept, owners) if swept is not None else None
    write = _protocol_files(out, f"{experiment.name()}_{type(rule).__name__}") if out else []
    result = experiment.run(rule) if over is None else sweep(experiment, rule, *over)
    for path in write:
        _write_result(result, path)
    _print(as_json, result.as_dict(), result.to_text())
    _wrote(write, quiet)


def _wrote(paths: list[Path], quiet: bool) -> None:
    if not quiet:
        for path in paths:
            click.echo(f"wrote {path}", err=True)


def _protocol_files(out: str, stem: str) -> list[Path]:
    """The files to write, which can be written. Raises SpikesimError where they cannot."""
    path = Path(out)
    known = (".csv", ".json", *FIGURES)
    if path.suffix in known and not path.is_dir():
        paths = [path]
    elif path.suffix and not path.is_dir():
        raise SpikesimError(f"--out {path}: the ending is one of {', '.join(known)}, or give a folder.")
    else:
        make_folder(path)
        paths = [path / f"{stem}.csv", path / f"{stem}.png"]
    for each in paths:
        check_writable(each)
    return paths


def _write_result(result: Any, path: Path) -> None:
    if path.suffix == ".csv":
        result.to_csv(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(plain(result.as_dict()), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    else:
        result.plot(path)


@main.command()
@click.argument("rule_name", metavar="RULE")
@click.option("--data", required=True, metavar="PROTOCOL,...", help="The measurements to fit to.")
@click.option("--free", metavar="NAME[=LOW:HIGH],...", help="What may change; default: all numbers not --set.")
@click.option("--out", metavar="FILE", help="Write the JSON to this file, too.")
@_options("set", "seed", "json", "quiet")
def fit(
    rule_name: str, data: str, free: str | None, out: str | None,
    settings: tuple[str, ...], seed: int | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Fit a plasticity rule, or FILE.py:Class, to the measurements of protocols."""
    from spikesim.fit import choose_data, free_parameters
    from spikesim.fit import fit as adjust
    from spikesim.registry import find
    from spikesim.rng import fresh_seed
    from spikesim.settings import share_out

    kinds = choose_data(data, lambda name: find("protocol", name))
    owners = {"rule": find("rule", rule_name), **kinds}
    given = share_out(settings, owners)
    rule = owners["rule"](**given["rule"])
    chosen = free_parameters(rule, None if free is None else free.split(","))
    if out:
        check_writable(Path(out))
    note = (lambda line: None) if quiet else (lambda line: click.echo(line, err=True))
    protocols: Any = {name: kind(**given[name]) for name, kind in kinds.items()}
    result = adjust(rule, protocols, chosen, seed=fresh_seed() if seed is None else seed, note=note)
    if out:
        Path(out).write_text(json.dumps(result.as_dict(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    _print(as_json, result.as_dict(), result.to_text())


@main.command()
@click.argument("rule_name", metavar="RULE")
@click.option("--out", metavar="DIR", help="Folder for the page: html and png.")
@click.option("--refit", is_flag=True, help="With several rules: what a fit of each to each data set can reach, too.")
@_options("set", "seed", "json", "quiet")
def card(
    rule_name: str, out: str | None, refit: bool,
    settings: tuple[str, ...], seed: int | None, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """What RULE, or FILE.py:Class, explains, on one page; RULE,RULE or all for several and a table of them."""
    from spikesim.card import card_of, write_card
    from spikesim.card_index import every_card
    from spikesim.card_table import rules_named
    from spikesim.registry import find
    from spikesim.rng import fresh_seed
    from spikesim.settings import share_out

    note = (lambda line: None) if quiet else (lambda line: click.echo(line, err=True))
    folder = Path(out) if out else None
    seed = fresh_seed() if seed is None else seed
    if rule_name == "all" or "," in rule_name:
        if settings:
            raise SpikesimError("spikesim card of several rules takes no --set; it compares published parameters.")
        result, text, written = every_card(rules_named(rule_name), folder, refit=refit, seed=seed, note=note)
    else:
        if refit:
            raise SpikesimError("--refit belongs to several rules, or to all; spikesim fit fits one rule.")
        kind = find("rule", rule_name)
        rule = kind(**share_out(settings, {"rule": kind})["rule"])
        if folder:
            make_folder(folder)
        found = card_of(rule, cost=folder is not None)
        result, text, written = found.as_dict(), found.to_text(), write_card(found, folder) if folder else []
    _print(as_json, result, text)
    _wrote(written, quiet)


@main.command()
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
@_options("set", "seed", "threads", "precision", "json", "quiet")
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
        _print(as_json, plan, _lines(plan))
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

    _print(as_json, result, text)
    check_ended(result)


def _tell_run(as_json: bool, result: dict[str, Any]) -> None:
    _print(as_json, result, _lines(result))
    if result.get("interrupted"):
        raise KeyboardInterrupt("stopped early; the results are those up to there.")


@main.command()
@click.argument("file", metavar="FILE|DIR")
@click.option("--time", "duration", type=float, metavar="MS", help="Where to end; default: where it was to end.")
@click.option("--checkpoint-every", type=click.FloatRange(0), metavar="MINUTES", help="Default: as often as before.")
@click.option("--allow-changed", is_flag=True, help="Also where spikesim or your own model has changed since.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Of several runs, how many at a time.")
@_options("threads", "json", "quiet")
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


def _lines(result: dict[str, Any], indent: str = "") -> str:
    """A result as lines to read."""
    width = max(map(len, result), default=0)
    lines = []
    for key, value in result.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}", _lines(value, indent + "  ")]
        else:
            shown = f"{value:.6g}" if isinstance(value, float) else value
            lines.append(f"{indent}{key.ljust(width)}  {shown}")
    return "\n".join(line for line in lines if line)


@main.command()
@click.argument("network")
@click.option("--time", "duration", type=float, metavar="MS", help="Model time in ms; default: the network's own.")
@click.option("--peers", metavar="NAME[=PYTHON],...", help="Other simulators to run; default: all that know it.")
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="Runs of each simulator.")
@click.option("--out", metavar="FILE", help="Write the JSON to this file, too.")
@_options("set", "seed", "threads", "precision", "json", "quiet")
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
    _print(as_json, result, text(result))


@main.command()
@click.argument("file")
@_options("json")
def info(file: str, as_json: bool) -> None:
    """What the spike file FILE holds: populations, rates, seed, and a sha256 to compare runs by."""
    from spikesim.info import file_info, format_info

    about = file_info(file)
    _print(as_json, about, format_info(about))


@main.command()
@click.argument("file")
@click.option("--out", metavar="FIGURE", help="A .png, .pdf or .svg file; default: FILE with the ending .png.")
@click.option("--neurons", type=click.IntRange(1), default=1000, show_default=True, help="The most to be shown.")
@click.option("--start", type=float, default=0.0, show_default=True, metavar="MS", help="Where the window begins.")
@click.option("--stop", type=float, metavar="MS", help="Where the window ends; default: with the run.")
@_options("json", "quiet")
def plot(
    file: str, out: str | None, neurons: int, start: float, stop: float | None, as_json: bool, quiet: bool
) -> None:
    """Draw the spikes of FILE: a raster with the rates of its populations."""
    from spikesim.plot import plot_raster

    figure = Path(out) if out else Path(file).with_suffix(".png")
    plot_raster(file, figure, max_neurons=neurons, t_start=start, t_stop=stop)
    if as_json or not quiet:
        _print(as_json, {"file": file, "figure": figure}, f"wrote {figure}")


@main.command()
@click.argument("network")
@click.argument("folders", nargs=-1, metavar="[FOLDER]...")
@click.option(
    "--out", metavar="DIR", help="Folder for the page and its figures; the runs are there, too, if no FOLDER."
)
@_options("json", "quiet")
def report(network: str, folders: tuple[str, ...], out: str | None, as_json: bool, quiet: bool) -> None:
    """What saved runs of NETWORK show, in FOLDERs of `spikesim run --out`, beside what was published."""
    from spikesim.report import report_of, write_report

    if not (folders or out):
        raise SpikesimError("spikesim report needs a FOLDER that `spikesim run --seeds --out FOLDER` has kept runs in.")
    found = report_of(network, folders or [str(out)])
    written = write_report(found, Path(out)) if out else []
    _print(as_json, {**found.as_dict(), "files": written}, found.to_text())
    _wrote(written, quiet)


@main.command()
@click.argument("name", default="spikesim")
@_options("json")
def cite(name: str, as_json: bool) -> None:
    """The source of a rule, neuron, protocol or network NAME; without one, spikesim's own."""
    from spikesim import catalogue

    if name == "spikesim":
        entry = f"@software{{spikesim, title = {{spikesim}}, version = {{{__version__}}}}}"
        _print(as_json, {"kind": "software", "name": "spikesim", "version": __version__}, entry)
        return
    found = [catalogue.citation(kind, name, cls) for kind, cls in catalogue.lookup(name)]
    _print(as_json, found[0], "\n".join(map(catalogue.citation_text, found)))


@main.command()
@_options("precision", "json", "quiet")
def warmup(precision: str, as_json: bool, quiet: bool) -> None:
    """Compile what networks are made of, so that later runs start at once."""
    from spikesim.warmup import compile_all

    note = (lambda name: None) if quiet else (lambda name: click.echo(f"compiling {name}", err=True))
    seconds = compile_all(precision, note)
    _print(as_json, {"seconds": seconds, "precision": precision}, f"compiled in {seconds:.1f} s")
