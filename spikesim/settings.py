"""`--set key=value`: from words on the command line to parameters of what was named there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spikesim.errors import SpikesimError, unknown
from spikesim.parameters import Parameters


def share_out(settings: Sequence[str], owners: Mapping[str, type[Parameters]]) -> dict[str, dict[str, Any]]:
    """owner -> parameter -> value, from words like "tau_plus=16.8" or "rule.tau_plus=16.8".

    `owners` are the things that can be set, by the prefix that tells them apart ("rule", "protocol"). A value is
    read as the type of the parameter. `preset=name` belongs to the one that has presets.

    Raises SpikesimError for a word without "=", an unknown name, one that two owners have, a value that does
    not fit, and a name given twice.
    """
    shares: dict[str, dict[str, Any]] = {owner: {} for owner in owners}
    for word in settings:
        key, equals, text = word.partition("=")
        key, text = key.strip(), text.strip()
        if not (key and equals):
            raise SpikesimError(f"--set takes key=value, not {word!r}.")
        owner, name = _owner(key, owners)
        if name == "preset":
            value: Any = text
        else:
            name, value = _typed(owners[owner], name, text)
        if name in shares[owner]:
            raise SpikesimError(f"--set: {name} is given twice; give it once.")
        shares[owner][name] = value
    return shares


def parameter_values(
    option: str, key: str, texts: Sequence[str], owners: Mapping[str, type[Parameters]]
) -> tuple[str, list[Any]]:
    """("rule.tau_plus", values) of a key like those of `share_out` and several texts to be read as values of it.

    Raises SpikesimError, naming the `option`, for what `share_out` refuses, and for a preset that there is not.
    """
    owner, name = _owner(key, owners, option)
    kind = owners[owner]
    if name == "preset":
        for text in texts:
            if text not in kind.presets:
                raise unknown(kind.__name__, "preset", text, kind.presets)
        return f"{owner}.preset", list(texts)
    typed = [_typed(kind, name, text) for text in texts]
    return f"{owner}.{typed[0][0]}", [value for _, value in typed]


def _owner(key: str, owners: Mapping[str, type[Parameters]], option: str = "--set") -> tuple[str, str]:
    """Which of the owners the key means, and its name there."""
    prefix, dot, name = key.partition(".")
    if dot:
        if prefix not in owners:
            raise unknown(f"{option} {key}: this command", "part", prefix, owners)
        return prefix, name
    having = [owner for owner, kind in owners.items() if _knows(kind, key)]
    if len(having) > 1:
        ways = " or ".join(f"{owner}.{key}" for owner in having)
        raise SpikesimError(f"{option} {key} is ambiguous: write {ways}.")
    if having:
        return having[0], key
    if len(owners) == 1:
        return next(iter(owners)), key  # which tells what it knows
    names = [name for kind in owners.values() for name in kind.parameters]
    raise unknown(" with ".join(kind.__name__ for kind in owners.values()), "parameter", key, names)


def _knows(kind: type[Parameters], name: str) -> bool:
    return name in kind.parameters or name in kind.aliases or (name == "preset" and bool(kind.presets))


def _typed(kind: type[Parameters], name: str, text: str) -> tuple[str, Any]:
    """Our name for the parameter, and the text as a value of it."""
    factor = kind.aliases[name][1] if name in kind.aliases and name not in kind.parameters else 1.0
    name, value = kind.canonical(name, text if factor == 1.0 else _number(kind, name, text))
    return name, kind.checked(name, value)


def _number(kind: type[Parameters], name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SpikesimError(f"{kind.__name__}: {name} is a number, not {text!r}.") from None
