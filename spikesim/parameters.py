"""Parameters declared once, as annotated class attributes, and checked before anything runs.

A subclass of `Parameters` reads like the table in a paper:

    class PairSTDP(Rule):
        tau_plus: float = 20.0        # ms

Neurons, rules, protocols and networks all are declared so. Values are given by keyword only; an unknown
name, a NaN or a value out of range is refused with a message that names the object and the nearest right name.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np

from spikesim.errors import SpikesimError, unknown

Self = TypeVar("Self", bound="Parameters")

_BOUNDS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Parameters:
    """Base of everything that has named parameters.

    Class attributes a subclass may set (without annotation, so that they are not parameters themselves):

    presets
        name -> parameter values; chosen by `preset="name"`, and overridden by what else is given.
    choices
        parameter -> tuple of the strings it may be.
    limits
        parameter -> ("> 0",) or (">= 0", "<= 1"). Names that begin with `tau` and `C_m` must be positive
        unless said otherwise.
    aliases
        other simulators' name -> (our name, factor to our unit).
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    choices: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    limits: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    aliases: ClassVar[Mapping[str, tuple[str, float]]] = {}
    parameters: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = [n for n, kind in cls.__dict__.get("__annotations__", {}).items() if "ClassVar" not in str(kind)]
        cls.parameters = tuple(dict.fromkeys((*cls.parameters, *own)))

    def __init__(self, *, preset: str | None = None, **given: Any) -> None:
        label = type(self).__name__
        if preset is not None and preset not in self.presets:
            raise unknown(label, "preset", preset, self.presets)
        self.preset = preset
        chosen = dict(self.presets[preset]) if preset is not None else {}
        named: dict[str, Any] = {}
        for name, value in given.items():
            name, value = self.canonical(name, value)
            if name in named:
                raise SpikesimError(f"{label}: {name} is given twice (once by another simulator's name).")
            named[name] = value
        self.given = frozenset(named)
        for name in self.parameters:
            value = named.get(name, chosen.get(name, getattr(type(self), name)))
            setattr(self, name, self.checked(name, value))

    @classmethod
    def canonical(cls, name: str, value: Any) -> tuple[str, Any]:
        """Our name and unit for a name given by the user, who may use another simulator's."""
        if name in cls.parameters:
            return name, value
        if name in cls.aliases:
            ours, factor = cls.aliases[name]
            if ours in cls.parameters:
                return ours, (value if factor == 1.0 else value * factor)
        raise unknown(cls.__name__, "parameter", name, cls.parameters)

    @classmethod
    def checked(cls, name: str, value: Any) -> Any:
        """`value` as the type of the parameter's default, or a SpikesimError that says what is allowed."""
        default, where = getattr(cls, name), f"{cls.__name__}: {name}"
        if isinstance(default, bool):
            return cls._boolean(where, value)
        if isinstance(default, str):
            return cls._choice(where, name, value)
        if isinstance(default, (int, float)):
            number = cls._number(where, value, whole=isinstance(default, int))
            cls.within_limits(name, number)
            return number
        return value

    @classmethod
    def within_limits(cls, name: str, values: Any) -> None:
        """Raise unless every one of `values` is a number within the declared limits."""
        where, values = f"{cls.__name__}: {name}", np.asarray(values)
        if np.isnan(values).any():
            raise SpikesimError(f"{where} is NaN; give a number.")
        positive = name.startswith("tau") or name == "C_m"
        for limit in cls.limits.get(name, ("> 0",) if positive else ()):
            sign, bound = limit.split()
            bad = ~_BOUNDS[sign](values, float(bound))
            if bad.any():
                raise SpikesimError(f"{where} must be {limit}, not {values[bad].flat[0]:g}.")

    @classmethod
    def _choice(cls, where: str, name: str, value: Any) -> str:
        allowed = cls.choices.get(name)
        if allowed is not None and value not in allowed:
            raise unknown(where, "choice", str(value), allowed)
        return str(value)

    @staticmethod
    def _boolean(where: str, value: Any) -> bool:
        text = str(value).lower()
        if text not in _TRUE + _FALSE:
            raise SpikesimError(f"{where} is true or false, not {value!r}.")
        return text in _TRUE

    @staticmethod
    def _number(where: str, value: Any, whole: bool) -> int | float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise SpikesimError(f"{where} is a number, not {value!r}.") from None
        if not whole:
            return number
        if not math.isfinite(number) or number != int(number):
            raise SpikesimError(f"{where} is a whole number, not {value!r}.")
        return int(number)

    def values(self) -> dict[str, Any]:
        """Every parameter with its value, in the order of declaration."""
        return {name: getattr(self, name) for name in self.parameters}

    def replace(self: Self, **given: Any) -> Self:
        """A copy with some parameters changed."""
        kept = {name: getattr(self, name) for name in self.given}
        return type(self)(preset=self.preset, **{**kept, **dict(self.canonical(n, v) for n, v in given.items())})

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.parameters if name in self.given)
        preset = f"preset={self.preset!r}" + (", " if shown else "") if self.preset else ""
        return f"{type(self).__name__}({preset}{shown})"
