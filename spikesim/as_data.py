"""Models, rules, connection rules and distributions as JSON and arrays, and back, for checkpoints.

An object is kept as its class, by module and name, and its attributes. The class itself is not: it is imported again.
Of a class that is not spikesim's own the source is remembered by a digest, and one that has changed since is refused.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from spikesim.connectors import ConnectionRule
from spikesim.distributions import Distribution
from spikesim.errors import SpikesimError
from spikesim.parameters import Parameters

KINDS = (Parameters, ConnectionRule, Distribution)  # what a class is one of, unless it has a `ppf`
PLAIN = (type(None), bool, int, float, str)


def to_data(value: Any, arrays: dict[str, Any], owner: str) -> Any:
    """`value` as JSON can hold it; its arrays are added to `arrays`.

    Raises SpikesimError, naming the `owner`, for what is neither numbers, words, arrays, lists and dictionaries, nor a
    model, rule or distribution with nothing else for attributes.
    """
    inner = functools.partial(to_data, arrays=arrays, owner=owner)
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        name = f"object/{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, list):
        return [inner(each) for each in value]
    if isinstance(value, (tuple, set, frozenset)):
        kind = "tuple" if isinstance(value, tuple) else "set"
        return {kind: [inner(each) for each in (value if kind == "tuple" else sorted(value))]}
    if isinstance(value, dict):
        return {"dict": [[inner(key), inner(each)] for key, each in value.items()]}
    if type(value).__module__.startswith("scipy.stats") and hasattr(value, "dist"):
        return {"scipy": value.dist.name, "args": inner(list(value.args)), "kwds": inner(dict(value.kwds))}
    if _known(type(value)):
        return {"class": reference(type(value)), "attributes": inner(dict(vars(value)))}
    raise SpikesimError(f"{owner}: a checkpoint cannot keep {value!r}, which is a {type(value).__name__}; it keeps "
                        "numbers, arrays, models, rules and distributions.")  # fmt: skip


def from_data(data: Any, arrays: dict[str, Any], allow_changed: bool = False) -> Any:
    """What `to_data` was given. With `allow_changed` also of a class whose source has changed.

    Raises SpikesimError for a class that cannot be imported, or has changed.
    """
    inner = functools.partial(from_data, arrays=arrays, allow_changed=allow_changed)
    if isinstance(data, list):
        return [inner(each) for each in data]
    if not isinstance(data, dict):
        return data
    if "array" in data:
        return np.array(arrays[data["array"]])
    if "tuple" in data:
        return tuple(inner(data["tuple"]))
    if "set" in data:
        return frozenset(inner(data["set"]))
    if "dict" in data:
        return {inner(key): inner(each) for key, each in data["dict"]}
    if "scipy" in data:
        import scipy.stats

        return getattr(scipy.stats, data["scipy"])(*inner(data["args"]), **inner(data["kwds"]))
    cls: Any = class_of(data["class"], allow_changed)
    found = cls.__new__(cls)
    vars(found).update(inner(data["attributes"]))
    return found


def _known(cls: type) -> bool:
    return issubclass(cls, KINDS) or hasattr(cls, "ppf")


def reference(cls: type) -> dict[str, str]:
    """What `class_of` finds a class by."""
    return {"module": cls.__module__, "name": cls.__qualname__, "file": _file(cls), "digest": _digest(cls)}


def _file(cls: type) -> str:
    try:
        return os.path.realpath(inspect.getsourcefile(cls) or "")
    except (TypeError, OSError):  # typed at a prompt
        return ""


def _digest(cls: type) -> str:
    """Of the files of a class and its bases, but for those of spikesim itself, which has a digest as a whole."""
    own = [c for c in cls.__mro__ if c.__module__.partition(".")[0] not in ("spikesim", "builtins")]
    files = sorted({_file(c) for c in own} - {""})
    digest = hashlib.sha256(b"".join(Path(file).read_bytes() for file in files))
    return digest.hexdigest()[:16] if files else ""


def class_of(known: dict[str, str], allow_changed: bool) -> type:
    """The class that is meant. Raises SpikesimError where it cannot be had, or is another now."""
    module, name = known["module"], known["name"]
    cls = _in(sys.modules.get(module), name) or _imported(module, name) or _from_file(known)
    if cls is None:
        cure = ("It was defined in the script itself; put it into a module of its own." if module == "__main__" else
                f"Put the folder of {known['file'] or 'its file'} on the path (PYTHONPATH).")  # fmt: skip
        raise SpikesimError(f"the checkpoint needs the class {name} of module {module!r}, which cannot be imported. "
                            f"{cure}")  # fmt: skip
    if not _known(cls):
        raise SpikesimError(f"the checkpoint names {module}.{name}, which is not a model, rule or distribution.")
    if _digest(cls) != known["digest"] and not allow_changed:
        raise SpikesimError(f"the source of {name} ({_file(cls) or module}) has changed since the checkpoint: "
                            "what follows may differ. Resume it with the old source, or with --allow-changed "
                            "(allow_changed=True).")  # fmt: skip
    return cls


def _in(module: Any, name: str) -> Any:
    """The class of this qualified name in a module, or None."""
    for part in name.split("."):
        module = getattr(module, part, None)
    return module if inspect.isclass(module) else None


def _imported(module: str, name: str) -> Any:
    try:
        return _in(importlib.import_module(module), name)
    except ImportError:
        return None


def _from_file(known: dict[str, str]) -> Any:
    """The class from the file that it was in, as `FILE.py:Class` finds it; a script is not run again for it."""
    path, module = Path(known["file"]), known["module"]
    if module == "__main__" or not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location(module, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(module, found)
    spec.loader.exec_module(found)
    return _in(found, known["name"])
