"""Which rule explains which experiment: the errors of all rules for all data sets, side by side.

How the table is shown, as text and as pages, is in `spikesim.card_index`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from spikesim.errors import SpikesimError
from spikesim.fit import Measurements, fit, free_parameters
from spikesim.output import plain
from spikesim.plasticity import Rule
from spikesim.protocol import Protocol
from spikesim.registry import discover, find
from spikesim.side_by_side import known

Note = Callable[[str], None]
DEFAULTS = "defaults"  # stands for the parameters of a rule without a preset


def quiet(line: str) -> None:
    """A note that nobody reads."""


def data_sets() -> dict[str, Protocol]:
    """Protocol -> one with its defaults, of those that have measurements."""
    found = {name: kind() for name, kind in discover("protocol").items()}
    return {n: p for n, p in found.items() if any(c.counts and c.measured is not None for c in p.conditions())}


def rules_named(text: str) -> dict[str, type[Rule]]:
    """Name -> rule of "PairSTDP,my_rule.py:MyRule", or of "all". Raises SpikesimError for an unknown one."""
    if text == "all":
        return dict(discover("rule"))
    kinds = [find("rule", name.strip()) for name in text.split(",")]
    return {kind.__name__: kind for kind in kinds}


def compare(
    rules: Mapping[str, type[Rule]], *, refit: bool = False, seed: int = 0, note: Note = quiet
) -> dict[str, Any]:
    """The table, fit for JSON.

    `points` are those of each data set, `by_theory` the rules that are not walked (`Rule.expected`). `published` and,
    with `refit`, `refitted` have rule -> data set -> `error` and the `preset`, or the `parameters`, that it belongs to;
    `fitted_here` are the data sets that a preset of ours was fitted to. `not_walked` has rule -> why two spike trains
    are not enough for it, `not_refitted` rule -> why not. Of a rule that is refitted, data sets for which it is not
    worth while are left out.
    """
    sets = data_sets()
    points = {name: len(Measurements({name: protocol}).rows) for name, protocol in sets.items()}
    by_theory = [name for name, kind in rules.items() if kind.expected is not None]
    table: dict[str, Any] = {"data_sets": list(sets), "points": points, "seed": seed, "by_theory": by_theory}
    table |= {"published": {}, "not_walked": {}}
    if refit:
        table |= {"refitted": {}, "not_refitted": {}}
    for name, kind in rules.items():
        note(name)
        try:
            table["published"][name] = {each: _best(kind, each, protocol) for each, protocol in sets.items()}
        except SpikesimError as error:
            table["not_walked"][name] = str(error)
            continue
        if refit and kind.signals:  # by what the rule is, for how long a fit takes differs from machine to machine
            table["not_refitted"][name] = "a neuron is walked beside the synapse, in steps, which takes long"
        elif refit:
            told = {each: p for each, p in sets.items() if _worth_it(kind, points[each])}
            if told:
                table["refitted"][name] = {each: _refit(kind, each, p, seed, note) for each, p in told.items()}
            else:
                table["not_refitted"][name] = "it has at least as many free parameters as any data set has points"
    return plain(table)


def _worth_it(kind: type[Rule], points: int) -> bool:
    """Whether a refit is made: it says nothing with as many parameters as points, and takes long where synapses are
    walked one by one."""
    rule = kind()
    return known(rule) or len(free_parameters(rule)) < points


def _best(kind: type[Rule], name: str, protocol: Protocol) -> dict[str, Any]:
    """The preset that explains a data set best. All are walked side by side."""
    presets = [None, *kind.presets]
    data = Measurements({name: protocol})
    errors = [data.errors(off)[name] for off in data.residuals([kind(preset=preset) for preset in presets])]
    best = min(range(len(errors)), key=errors.__getitem__)
    best = next((k for k in range(1, len(errors)) if errors[k] == errors[best]), best)  # by its name, if it has one
    chosen = presets[best] or DEFAULTS
    found = {"error": errors[best], "preset": chosen}
    return {**found, "fitted_here": list(kind.fitted_here[chosen])} if chosen in kind.fitted_here else found


def _refit(kind: type[Rule], name: str, protocol: Protocol, seed: int, note: Note) -> dict[str, Any]:
    """What a fit to one data set reaches, from its best preset."""
    preset = _best(kind, name, protocol)["preset"]
    rule = made(kind, preset)
    found = fit(rule, {name: protocol}, free_parameters(rule), seed=seed)
    note(f"  {name}: {found.error_before:.3g} -> {found.error_after:.3g}")
    return {
        "error": found.error_after,
        "preset": preset,
        "parameters": {f.name: getattr(found.after, f.name) for f in found.free},
    }


def made(kind: type[Rule], preset: str) -> Rule:
    """A rule with a preset of the table, which may be its defaults."""
    return kind(preset=None if preset == DEFAULTS else preset)


def counts(table: dict[str, Any], kind: str, rule: str, data_set: str) -> bool:
    """Whether a cell tells something: a rule fitted to as many points as it has free parameters tells nothing, and of
    presets fitted here not those data sets that they were fitted to are compared with published ones."""
    best = table[kind][rule].get(data_set)
    if best is None:
        return False
    few = len(best.get("parameters", ())) >= table["points"][data_set]
    return not few and data_set not in best.get("fitted_here", ())


def least(table: dict[str, Any], kind: str, data_set: str) -> str | None:
    """The rule with the least error for a data set, of those that count."""
    rows = table[kind]
    rules = [rule for rule in rows if counts(table, kind, rule, data_set)]
    return min(rules, key=lambda rule: rows[rule][data_set]["error"], default=None)
