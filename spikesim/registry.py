"""Finds the models, protocols and networks by scanning their folders: a new one is one new file."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from spikesim.errors import SpikesimError, unknown

FOLDERS = {
    "neuron": "spikesim.models.neurons",
    "rule": "spikesim.models.plasticity",
    "short-term rule": "spikesim.models.short_term",
    "constraint": "spikesim.models.constraints",
    "network": "spikesim.models.networks",
    "protocol": "spikesim.protocols",
}


def _base(kind: str) -> Any:
    base: Any
    if kind == "neuron":
        from spikesim.neuron import Neuron as base
    elif kind == "rule":
        from spikesim.plasticity import Rule as base
    elif kind == "short-term rule":
        from spikesim.short_term import ShortTermRule as base
    elif kind == "constraint":
        from spikesim.constraints import Constraint as base
    elif kind == "network":
        from spikesim.experiment import NetworkModel as base
    else:
        from spikesim.protocol import Protocol as base
    return base


def _classes(module: ModuleType, base: Any) -> list[Any]:
    return [
        c
        for c in vars(module).values()
        if inspect.isclass(c)
        and issubclass(c, base)
        and c is not base
        and c.__module__ == module.__name__
        and not c.__name__.startswith("_")
    ]


@contextlib.contextmanager
def _importing(path: Path) -> Iterator[None]:
    """What goes wrong in a file that was added is told in a line, with the file and its line."""
    try:
        yield
    except SpikesimError:
        raise
    except SyntaxError as error:
        raise SpikesimError(f"{error.filename or path}, line {error.lineno}: SyntaxError: {error.msg}.") from None
    except Exception as error:
        own = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line = f", line {own[-1]}" if own else ""
        raise SpikesimError(f"{path}{line}: {type(error).__name__}: {' '.join(str(error).split())}.") from None


@functools.cache
def discover(kind: str) -> dict[str, Any]:
    """Name -> class for every `kind` (a key of `FOLDERS`) in its folder.

    Neurons and rules go by their class names; networks and protocols by their file names (`wang_2005`).
    """
    package = importlib.import_module(FOLDERS[kind])
    found: dict[str, Any] = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        with _importing(Path(info.module_finder.path) / f"{info.name}.py"):  # type: ignore[union-attr]
            module = importlib.import_module(f"{package.__name__}.{info.name}")
        for cls in _classes(module, _base(kind)):
            name = info.name if kind in ("network", "protocol") else cls.__name__
            if name in found:
                raise SpikesimError(f"two {kind}s are named {name}: {found[name].__module__} and {cls.__module__}.")
            found[name] = cls
    return found


def exports(kind: str, module: str) -> tuple[Any, Any]:
    """`__getattr__` and `__dir__` of a folder's `__init__`: its classes by name, found when they are asked for."""

    def get(name: str) -> Any:
        if name[0].isupper() and name in discover(kind):
            return discover(kind)[name]
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return get, lambda: sorted(discover(kind))


def find(kind: str, name: str) -> Any:
    """The class called `name`, or the one in the user's own file given as `path.py:Class`, or `path.py` if it has one.

    Raises SpikesimError where there is none of that kind; a name of another kind is told as such.
    """
    if ".py:" in name:
        path, _, wanted = name.rpartition(":")
        return _from_file(kind, path, wanted)
    if name.endswith(".py"):
        return _from_file(kind, name, "")
    known = discover(kind)
    if name not in known:
        others = (other for other in FOLDERS if other != kind and name in discover(other))
        raise unknown("spikesim", kind, name, known, next((f"{name} is a {other}" for other in others), ""))
    return known[name]


def module_in(path: Path, name: str) -> ModuleType:
    """The file as a module of that name. Raises SpikesimError, with file and line, where it cannot be imported."""
    module_spec = importlib.util.spec_from_file_location(name, path)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules.setdefault(module_spec.name, module)
    with _importing(path):
        module_spec.loader.exec_module(module)
    return module


def _from_file(kind: str, path: str, wanted: str) -> type:
    if not Path(path).is_file():
        raise SpikesimError(f"no file {path!r} to take the {kind}{f' {wanted!r}' if wanted else ''} from.")
    module = module_in(Path(path), Path(path).stem)
    named = {c.__name__: c for c in _classes(module, _base(kind))}
    if not wanted and len(named) == 1:
        return next(iter(named.values()))
    if not wanted:
        choice = f"several {kind}s; choose one: " + ", ".join(f"{path}:{n}" for n in named) if named else f"no {kind}"
        raise SpikesimError(f"{path} has {choice}.")
    if wanted not in named:
        raise unknown(path, kind, wanted, named)
    return named[wanted]
