"""What goes wrong, said so that the reader can mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SpikesimError(ValueError):
    """Something that was given cannot be used; the message names it and the cure. CLI exit status 2."""


class HookError(SpikesimError):
    """A hook that reads, raises or returns amiss; the message names rule or neuron, hook, file and line."""


class RunError(RuntimeError):
    """A run that had begun could not go on. CLI exit status 1."""


def unknown(owner: str, what: str, name: str, allowed: Iterable[str], note: str = "") -> SpikesimError:
    """The error for a name that `owner` does not know, with a note on it or else the nearest one that it does."""
    names = sorted(allowed)
    folded = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.5)
    hint = f"; {note}." if note else f"; did you mean {folded[near[0]]!r}?" if near else "."
    listed = ", ".join(names) if names else "none"
    return SpikesimError(f"{owner} has no {what} {name!r}{hint} It knows: {listed}.")
