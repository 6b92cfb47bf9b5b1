"""Compiled code that is found again on disk by the next process, and never when it is out of date.

A kernel is made by a function that closes over the *plain* functions of a model or rule, marked by `hook`.
Numba pickles such functions by name, so another process finds the kernel in its cache on disk; but a name
tells nothing about the body behind it. So the folder of the cache is named after everything a kernel may have
been made of: the sources of the simulator and its models, and the plug-ins' own files and loaded bytecode.

    with cache_for(rule) as cache:
        @njit(cache=cache, error_model="numpy")
        def kernel(...): ...
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any, TypeVar

import numba
from numba.core.errors import NumbaError, UnsupportedBytecodeError
from numba.extending import register_jitable

from spikesim.hook_check import not_compilable

Function = TypeVar("Function", bound=Callable[..., Any])

COMPILE_ERRORS = (NumbaError, UnsupportedBytecodeError)
_NOT_COMPILED = ("models", "protocols", "data")  # below spikesim/ in a wheel; models are walked by themselves
#: wall seconds that this process has spent on kernels, compiling them or loading them from disk
spent = {"compile": 0.0}

_KEPT, _KEPT_INSIDE = 4, 256  # states of the sources; sets of plug-ins in each, of some 0.4 MB
_DIGEST = re.compile(r"[0-9a-f]{16}")
_config_in_use = threading.RLock()  # CACHE_DIR is one variable for the whole process


@functools.cache
def hook(function: Function) -> Function:
    """Let compiled code call this plain function; the function itself is returned. Twice is once."""
    return register_jitable(function)


def source_digest(*extra_files: str | os.PathLike[str]) -> str:
    """16 hex digits that change with Numba, Python, the sources of simulator and models, and `extra_files`.

    The simulator's own sources are read once per process, the extra files each time. Raises OSError where
    one of those cannot be read.
    """
    if not extra_files:
        return _package_digest()
    digest = hashlib.sha256(_package_digest().encode())
    for path in sorted(os.fspath(file) for file in extra_files):
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def _package_digest() -> str:
    import spikesim
    import spikesim.models

    digest = hashlib.sha256(f"numba {numba.__version__} python {sys.version_info[:2]}".encode())
    for package, skipped in ((spikesim, _NOT_COMPILED), (spikesim.models, ())):
        for root in map(Path, package.__path__):
            for path in sorted(root.rglob("*.py")):
                inside = path.relative_to(root)
                if inside.parts[0] not in skipped:
                    digest.update(f"\0{package.__name__}/{inside.as_posix()}\0".encode())
                    digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def cache_for(*plugins: type) -> Iterator[bool]:
    """Kernels decorated in this block, with the `cache` it yields, are kept on disk where their sources say.

    Yields False, meaning no cache on disk, where a plug-in has no source file (it was typed at a prompt) and
    where the folder cannot be written. The folder is $SPIKESIM_CACHE, or else ~/.cache/spikesim. A hook that Numba
    cannot compile is told as a SpikesimError.
    """
    began = time.perf_counter()
    folder = _folder(plugins)
    config: Any = numba.config  # its variables are made at run time
    with _config_in_use:
        before = config.CACHE_DIR
        config.CACHE_DIR = before if folder is None else str(folder)
        try:
            yield folder is not None
        except COMPILE_ERRORS as error:
            if not plugins:
                raise
            raise not_compilable(plugins, error) from error
        finally:
            config.CACHE_DIR = before
            spent["compile"] += time.perf_counter() - began


def prune(home: Path, keep: int = _KEPT) -> None:
    """Delete the digest folders in `home` but for the `keep` last used. Nothing else there is touched."""
    used: dict[Path, float] = {}
    for path in home.iterdir():
        with contextlib.suppress(OSError):  # another process may be pruning too
            if _DIGEST.fullmatch(path.name) and path.is_dir():
                used[path] = path.stat().st_mtime
    for path in sorted(used, key=lambda p: used[p], reverse=True)[keep:]:
        shutil.rmtree(path, ignore_errors=True)


def _folder(plugins: tuple[type, ...]) -> Path | None:
    """The folder of kernels made of these plug-ins, ready to be written; None where there can be none."""
    home = Path(os.environ.get("SPIKESIM_CACHE") or "~/.cache/spikesim")
    try:
        home = home.expanduser()
        state = home / source_digest()
        folder = state / _plugin_digest(plugins)
        fresh = not folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        os.utime(state)
        if fresh:
            prune(state, _KEPT_INSIDE)
            prune(home)
    except (OSError, TypeError, RuntimeError):  # TypeError: inspect finds no file; RuntimeError: no home
        return None
    return folder


def _plugin_digest(plugins: tuple[type, ...]) -> str:
    """What the plug-ins are made of, in their files and in memory.

    Both, because either may be newer: a file may be edited after its import, and kernels compiled from the
    old functions must not be taken for the new ones. Functions that a plug-in imports by name from other
    files count as they are in memory; those it reaches through a module (`helpers.f`) do not count.
    """
    family = {cls: None for plugin in plugins for cls in plugin.__mro__ if cls is not object}
    files = {inspect.getsourcefile(cls) or "" for cls in family if cls.__module__ != "builtins"}
    digest = hashlib.sha256(source_digest(*files).encode())
    for cls in family:
        module = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
        for space in (vars(cls), module):
            for name, value in list(space.items()):
                digest.update(f"{name}={_stamp(value)}\0".encode())
    return digest.hexdigest()[:16]


def _stamp(value: Any) -> str:
    """A function's bytecode or a number as text that is the same in every process; other things are empty."""
    value = getattr(value, "__func__", value)
    value = getattr(value, "__code__", value)
    if isinstance(value, CodeType):
        return f"{value.co_code.hex()} {value.co_names} [{','.join(map(_stamp, value.co_consts))}]"
    if isinstance(value, tuple):
        return f"({','.join(map(_stamp, value))})"
    return repr(value) if isinstance(value, (int, float, complex)) else ""
