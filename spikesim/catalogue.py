"""What there is: neurons, rules, protocols and networks, described from their own classes."""

from __future__ import annotations

import inspect
import re
from typing import Any

from spikesim.errors import unknown
from spikesim.factors import visits
from spikesim.registry import FOLDERS, discover

_DOI = re.compile(r"\b10\.\d{4,}/[^\s,;)]*[^\s,;).:]")


def catalogue() -> dict[str, dict[str, str]]:
    """kind -> name -> one line, of everything that is found."""
    return {kind: {name: _line(kind, cls) for name, cls in discover(kind).items()} for kind in FOLDERS}


def _line(kind: str, cls: Any) -> str:
    """The first line, and of a rule when the engine visits its synapses, which is what it costs."""
    return f"{first_line(cls)} [visited {visits(cls())}]" if kind == "rule" else first_line(cls)


def lookup(name: str) -> list[tuple[str, Any]]:
    """(kind, class) of everything called `name`. Raises SpikesimError where there is nothing."""
    found = [(kind, discover(kind)[name]) for kind in FOLDERS if name in discover(kind)]
    if not found:
        names = [name for kind in FOLDERS for name in discover(kind)]
        raise unknown("spikesim", "neuron, rule, constraint, protocol or network", name, names)
    return found


def first_line(cls: type) -> str:
    """What a class is, in a line: its title, or the first sentence of its file, which names the paper too."""
    title = getattr(cls, "title", "")
    module = inspect.getmodule(cls)
    text = title or (module and module.__doc__) or cls.__doc__ or ""
    return " ".join(text.strip().split("\n\n")[0].split()).rstrip(".")


def describe(kind: str, name: str, cls: Any) -> dict[str, Any]:
    """Everything about one of them, fit for JSON."""
    return {
        "kind": kind,
        "name": name,
        "description": inspect.cleandoc(cls.__doc__ or ""),
        "reference": cls.reference,
        "parameters": {parameter: getattr(cls, parameter) for parameter in cls.parameters},
        "limits": {parameter: list(limits) for parameter, limits in cls.limits.items()},
        "choices": {parameter: list(choices) for parameter, choices in cls.choices.items()},
        "presets": {preset: dict(values) for preset, values in cls.presets.items()},
        "other_names": {other: ours for other, (ours, _) in cls.aliases.items() if ours in cls.parameters},
    }


def describe_text(about: dict[str, Any]) -> str:
    """`describe` as lines to read."""
    lines = [f"{about['name']} ({about['kind']})", "", about["description"], ""]
    if about["reference"]:
        lines += [f"reference: {about['reference']}", ""]
    width = max((len(name) for name in about["parameters"]), default=0)
    lines.append("parameters (defaults)")
    for name, default in about["parameters"].items():
        notes = [*about["limits"].get(name, ())]
        if name in about["choices"]:
            notes.append(" | ".join(about["choices"][name]))
        others = [other for other, ours in about["other_names"].items() if ours == name]
        notes += [f"also {', '.join(others)}"] if others else []
        lines.append(f"  {name.ljust(width)} = {default}".ljust(width + 20) + "  " + "; ".join(notes))
    if about["presets"]:
        lines += ["", "presets (--set preset=NAME)"]
        for preset, values in about["presets"].items():
            lines.append(f"  {preset}: " + ", ".join(f"{name}={value}" for name, value in values.items()))
    return "\n".join(line.rstrip() for line in lines)


def citation(kind: str, name: str, cls: Any) -> dict[str, Any]:
    """Where it is from: its reference, and other sources that its description names."""
    dois = list(dict.fromkeys(_DOI.findall(f"{cls.reference} {cls.__doc__}")))
    return {"kind": kind, "name": name, "title": first_line(cls), "dois": dois}


def citation_text(about: dict[str, Any]) -> str:
    """`citation` as a BibTeX entry for each source, or a line where there is none."""
    if not about["dois"]:
        return f"{about['name']} ({about['kind']}) has no source of its own; cite spikesim."
    lines = [f"% {about['name']} ({about['kind']}): {about['title']}"]
    for number, doi in enumerate(about["dois"]):
        key = about["name"] if number == 0 else f"{about['name']}_{number + 1}"
        lines.append(f"@misc{{{key}, doi = {{{doi}}}, url = {{https://doi.org/{doi}}}}}")
    return "\n".join(lines)
