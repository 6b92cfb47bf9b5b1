"""The command line. Each command reads its words, calls the library, and prints; the work is done elsewhere.

What a command computes goes to stdout, everything else to stderr. Modules that take time to load are imported
inside the commands that need them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from spikesim._version import __version__
from spikesim.cli_networks import bench, resume, run
from spikesim.cli_words import common, show, tell_written
from spikesim.console import Spikesim
from spikesim.errors import SpikesimError
from spikesim.output import check_writable, make_folder, plain

FIGURES = (".png", ".pdf", ".svg")


@click.group(cls=Spikesim, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="spikesim", message="%(prog)s %(version)s")
def main() -> None:
    """Spiking neural networks that learn: exact, fast, reproducible to the bit."""


for command in (run, resume, bench):
    main.add_command(command)


@main.command()
@click.option("--out", default="spikesim-demo", show_default=True, metavar="DIR", help="Folder for the results.")
@click.option("--images", type=click.IntRange(1), help="MNIST digits to train on; fewer take less time.")
@common("seed", "threads", "json", "quiet")
def demo(out: str, images: int | None, seed: int | None, threads: int, as_json: bool, quiet: bool) -> None:
    """Triplets of spikes, digits learned with plateau potentials, and the files that result."""
    from spikesim.demo import run_demo

    result = run_demo(Path(out), images=images, seed=seed, threads=threads, quiet=quiet, to_stderr=as_json)
    if as_json:
        show(True, result, "")


@main.command(name="list")
@click.argument("name", required=False)
@common("json")
def list_(name: str | None, as_json: bool) -> None:
    """All neurons, rules, protocols and networks; or the parameters and presets of NAME."""
    from spikesim import catalogue

    if name is not None:
        found = [catalogue.describe(kind, name, cls) for kind, cls in catalogue.lookup(name)]
        show(as_json, found[0], "\n\n".join(map(catalogue.describe_text, found)))
        return
    everything = catalogue.catalogue()
    lines = []
    for kind, each in everything.items():
        width = max(map(len, each), default=0)
        lines += [f"{kind}s", *(f"  {known.ljust(width)}  {line}" for known, line in each.items()), ""]
    show(as_json, everything, "\n".join(lines + ["spikesim list NAME tells the parameters of one of them."]))


@main.command()
@click.argument("name")
@click.option("--rule", "rule_name", required=True, metavar="RULE", help="A plasticity rule, or FILE.py:Class.")
@click.option("--out", metavar="PATH", help="A .csv, .json, .png, .pdf or .svg file, or a folder for csv and png.")
@click.option("--sweep", "swept", metavar="KEY=VALUES", help="Try values START:STOP:NUMBER or A,B,C of a parameter.")
@click.option(
    "--engine",
    type=click.Choice(["walk", "event"]),
    default="walk",
    show_default=True,
    help="Walk each synapse by itself, or run all as a network on the event-driven engine: the same to rounding.",
)
@common("set", "json", "quiet")
def protocol(
    name: str, rule_name: str, out: str | None, swept: str | None, engine: str,
    settings: tuple[str, ...], as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Put a plasticity rule through the published experiment NAME."""
    from spikesim.registry import find
    from spikesim.settings import share_out
    from spikesim.sweep import sweep, sweep_of_word

    owners = {"protocol": find("protocol", name), "rule": find("rule", rule_name)}
    given = share_out(settings, owners)
    experiment, rule = (owners[owner](**given[owner]) for owner in ("protocol", "rule"))
    if swept is not None and engine != "walk":
        raise SpikesimError("--sweep walks its synapses; leave out --engine.")
    experiment.engine = engine
    over = sweep_of_word(swept, owners) if swept is not None else None
    write = _protocol_files(out, f"{experiment.name()}_{type(rule).__name__}") if out else []
    result = experiment.run(rule) if over is None else sweep(experiment, rule, *over)
    for path in write:
        _write_result(result, path)
    show(as_json, result.as_dict(), result.to_text())
    tell_written(write, quiet)


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
@common("set", "seed", "json", "quiet")
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
    show(as_json, result.as_dict(), result.to_text())


@main.command()
@click.argument("rule_name", metavar="RULE")
@click.option("--out", metavar="DIR", help="Folder for the page: html and png.")
@click.option("--refit", is_flag=True, help="With several rules: what a fit of each to each data set can reach, too.")
@common("set", "seed", "json", "quiet")
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
    show(as_json, result, text)
    tell_written(written, quiet)


@main.command()
@click.argument("what", type=click.Choice(["convergence"]))
@click.argument("network")
@click.option("--time", "duration", type=float, metavar="MS", help="Model time in ms; default: the network's own.")
@click.option("--out", metavar="FIGURE", help="Draw the error over dt into this .png, .pdf or .svg file.")
@common("set", "seed", "threads", "json", "quiet")
def check(
    what: str, network: str, duration: float | None, out: str | None, settings: tuple[str, ...],
    seed: int | None, threads: int, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Whether NETWORK on a clock comes to the exact spikes of the event-driven engine as dt gets shorter."""
    from spikesim.convergence import convergence
    from spikesim.registry import find
    from spikesim.rng import fresh_seed
    from spikesim.settings import share_out

    kind = find("network", network)
    model = kind(**share_out(settings, {"network": kind})["network"])
    if out is not None:
        if Path(out).suffix not in FIGURES:
            raise SpikesimError(f"--out {out}: the ending is one of {', '.join(FIGURES)}.")
        check_writable(Path(out))
    seed = fresh_seed() if seed is None else seed
    result = convergence(model, time=duration, seed=seed, threads=threads)
    if out is not None:
        result.plot(out)
    show(as_json, result.as_dict(), result.to_text())
    tell_written([Path(out)] if out is not None else [], quiet)


@main.command()
@click.argument("file")
@common("json")
def info(file: str, as_json: bool) -> None:
    """What the spike file FILE holds: populations, rates, seed, and a sha256 to compare runs by."""
    from spikesim.info import file_info, format_info

    about = file_info(file)
    show(as_json, about, format_info(about))


@main.command()
@click.argument("file")
@click.option("--out", metavar="FIGURE", help="A .png, .pdf or .svg file; default: FILE with the ending .png.")
@click.option("--neurons", type=click.IntRange(1), default=1000, show_default=True, help="The most to be shown.")
@click.option("--start", type=float, default=0.0, show_default=True, metavar="MS", help="Where the window begins.")
@click.option("--stop", type=float, metavar="MS", help="Where the window ends; default: with the run.")
@common("json", "quiet")
def plot(
    file: str, out: str | None, neurons: int, start: float, stop: float | None, as_json: bool, quiet: bool
) -> None:
    """Draw the spikes of FILE: a raster with the rates of its populations."""
    from spikesim.plot import plot_raster

    figure = Path(out) if out else Path(file).with_suffix(".png")
    plot_raster(file, figure, max_neurons=neurons, t_start=start, t_stop=stop)
    if as_json or not quiet:
        show(as_json, {"file": file, "figure": figure}, f"wrote {figure}")


@main.command()
@click.argument("network")
@click.argument("folders", nargs=-1, metavar="[FOLDER]...")
@click.option(
    "--out", metavar="DIR", help="Folder for the page and its figures; the runs are there, too, if no FOLDER."
)
@common("json", "quiet")
def report(network: str, folders: tuple[str, ...], out: str | None, as_json: bool, quiet: bool) -> None:
    """What saved runs of NETWORK show, in FOLDERs of `spikesim run --out`, beside what was published."""
    from spikesim.report import report_of, write_report

    if not (folders or out):
        raise SpikesimError("spikesim report needs a FOLDER that `spikesim run --seeds --out FOLDER` has kept runs in.")
    found = report_of(network, folders or [str(out)])
    written = write_report(found, Path(out)) if out else []
    show(as_json, {**found.as_dict(), "files": written}, found.to_text())
    tell_written(written, quiet)


@main.command()
@click.argument("name", default="spikesim")
@common("json")
def cite(name: str, as_json: bool) -> None:
    """The source of a rule, neuron, protocol or network NAME; without one, spikesim's own."""
    from spikesim import catalogue

    if name == "spikesim":
        entry = f"@software{{spikesim, title = {{spikesim}}, version = {{{__version__}}}}}"
        show(as_json, {"kind": "software", "name": "spikesim", "version": __version__}, entry)
        return
    found = [catalogue.citation(kind, name, cls) for kind, cls in catalogue.lookup(name)]
    show(as_json, found[0], "\n".join(map(catalogue.citation_text, found)))


@main.command()
@common("precision", "json", "quiet")
def warmup(precision: str, as_json: bool, quiet: bool) -> None:
    """Compile what networks are made of, so that later runs start at once."""
    from spikesim.warmup import compile_all

    note = (lambda name: None) if quiet else (lambda name: click.echo(f"compiling {name}", err=True))
    seconds = compile_all(precision, note)
    show(as_json, {"seconds": seconds, "precision": precision}, f"compiled in {seconds:.1f} s")
