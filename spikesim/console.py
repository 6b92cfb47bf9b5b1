"""How the command line fails: one line on stderr, and a status that tells whose fault it was.

0 done; 1 the run failed; 2 bad arguments or unreadable input; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import difflib
import sys
from typing import Any

import click

from spikesim.errors import RunError, SpikesimError, unknown

FAILED, REFUSED, STOPPED = 1, 2, 130


class Spikesim(click.Group):
    """A group of commands whose errors are one line each."""

    def main(self, args: Any = None, prog_name: str | None = None, **extra: Any) -> Any:  # type: ignore[override]
        extra["standalone_mode"] = False
        try:
            status = super().main(args, prog_name or "spikesim", **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            status = 0
        except (click.Abort, KeyboardInterrupt) as error:
            status = _fail(str(error.__cause__ or error) or "stopped before the end.", STOPPED)
        except click.NoSuchOption as error:
            status = _fail(_no_such_option(error), REFUSED)
        except click.ClickException as error:
            status = _fail(error.format_message(), REFUSED)
        except SpikesimError as error:
            status = _fail(str(error), REFUSED)
        except (RunError, OSError) as error:
            status = _fail(str(error) or type(error).__name__, FAILED)
        except MemoryError:
            status = _fail("not enough memory; make the network smaller.", FAILED)
        sys.exit(status if isinstance(status, int) else 0)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise unknown("spikesim", "command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)


def _fail(message: str, status: int) -> int:
    click.echo(f"spikesim: {' '.join(message.split())}", err=True)
    return status


def _no_such_option(error: click.NoSuchOption) -> str:
    known = [o for p in (error.ctx.command.params if error.ctx else ()) for o in p.opts if o.startswith("--")]
    near = difflib.get_close_matches(error.option_name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"there is no option {error.option_name}; {hint}It knows: {', '.join(sorted(known))}."
