"""Where results may be written, and what of them JSON can say."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from spikesim.errors import SpikesimError


def plain(value: Any) -> Any:
    """The same with nothing in it that JSON does not know; infinities become the string "inf"."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def make_folder(path: Path) -> None:
    """Make a folder for results. Raises SpikesimError where that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpikesimError(f"{path}: no folder can be made there ({error.strerror}); choose another place.") from None


def check_writable(path: Path) -> None:
    """Raise SpikesimError unless a file can be written at `path`. Leaves what is there as it is."""
    new = not path.exists()
    try:
        path.open("ab").close()
        if new:
            path.unlink()
    except OSError as error:
        raise SpikesimError(f"{path} cannot be written ({error.strerror}); choose another place.") from None
