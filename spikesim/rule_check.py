"""Looks at what a rule declares, before anything asks for its numbers: the names in it must be those of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spikesim.errors import SpikesimError, unknown

if TYPE_CHECKING:
    from spikesim.plasticity import Rule

#: Attribute of a rule -> what it declares there.
DECLARED = {"traces": "trace", "synapse": "variable", "signals": "signal"}
#: Fields that name a parameter, or two.
NAMES = ("tau", "start", "delay", "squared_above")


def check_declarations(rule: Rule) -> None:
    """Raise SpikesimError for a trace, variable or signal with a side or a parameter that there is not, and for a time
    constant that nothing can decay with."""
    label = type(rule).__name__
    for attribute, what in DECLARED.items():
        for name, declared in getattr(rule, attribute).items():
            where = f"the {what} {name!r}"
            for field in NAMES:
                _check_parameters(rule, where, field, getattr(declared, field, None))
            if what == "trace":
                _check_trace(rule, where, declared)
    if rule.pre_lag:
        _check_parameters(rule, label, "pre_lag", rule.pre_lag)


def _check_parameters(rule: Rule, where: str, field: str, given: Any) -> None:
    for word in given if isinstance(given, tuple) else (given,):
        if isinstance(word, str) and word not in rule.numeric:
            raise unknown(f"{type(rule).__name__} ({field} of {where})", "parameter", word, rule.numeric)
        if not (word is None or isinstance(word, str) or field == "start"):
            raise SpikesimError(f"{type(rule).__name__}: {field} of {where} is the name of a parameter, not {word!r}.")


def _check_trace(rule: Rule, where: str, trace: Any) -> None:
    label = f"{type(rule).__name__} ({where})"
    if trace.side not in ("pre", "post"):
        raise unknown(label, "side", str(trace.side), ("pre", "post"))
    taus = [getattr(rule, tau) for tau in (trace.tau if isinstance(trace.tau, tuple) else (trace.tau,))]
    if not all(tau > 0.0 for tau in taus):
        raise SpikesimError(f"{label}: its time constant must be > 0 ms, not {min(taus):g}.")
    if len(set(taus)) < len(taus):
        raise SpikesimError(f"{label}: its two time constants must differ; both are {taus[0]:g} ms.")
