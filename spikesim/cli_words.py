"""What the commands have in common: options, and how a result is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from spikesim.output import plain


def _cores() -> int:
    from spikesim.parallel import cores

    return cores()


def common(*names: str) -> Callable[[Any], Any]:
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


def show(as_json: bool, data: Any, text: str) -> None:
    click.echo(json.dumps(plain(data), allow_nan=False) if as_json else text)


def readable(result: dict[str, Any], indent: str = "") -> str:
    """A result as lines to read."""
    width = max(map(len, result), default=0)
    lines = []
    for key, value in result.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}", readable(value, indent + "  ")]
        else:
            shown = f"{value:.6g}" if isinstance(value, float) else value
            lines.append(f"{indent}{key.ljust(width)}  {shown}")
    return "\n".join(line for line in lines if line)


def tell_written(paths: list[Path], quiet: bool) -> None:
    if not quiet:
        for path in paths:
            click.echo(f"wrote {path}", err=True)
