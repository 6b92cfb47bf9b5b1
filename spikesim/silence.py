"""Whether `drift` is 0 wherever all presynaptic traces are: found out by calling it once with symbols.

A rule whose drift has a presynaptic trace in every term, as a product, does nothing between the last of one
presynaptic spike and the next, and those who walk a synapse need not ask it there. The hook is called with what it
would get, but for two kinds of symbol: a presynaptic trace is `Nothing`, the weight and what is postsynaptic are
`Something`, which may be any finite number. Nothing times something is nothing; what else they become is something. A
hook that wants to know more of a symbol, to branch for instance, cannot be called so, and counts as never silent.
"""

from __future__ import annotations

import math
from types import FunctionType
from typing import Any

import numpy as np

from spikesim.plasticity import Rule


def silent(rule: type[Rule], p: Any) -> bool:
    """Whether dw/dt is 0 without presynaptic traces, at the parameters `p`: numbers, or arrays of those of rules."""
    if rule.drift is None:
        return True
    pre, post = rule.Pre(*[Nothing()] * len(rule.Pre._fields)), rule.Post(*[Something()] * len(rule.Post._fields))
    try:
        return isinstance(_for_symbols(rule.drift)(Something(), pre, post, p), Nothing)
    except Exception:  # it looks into a symbol
        return False


def _something(*numbers: Any) -> Something:
    return Something()


class Something:
    """A finite number that is not known."""

    __array_ufunc__ = None  # arrays leave it to the symbol what a sum or product with it is
    __add__ = __radd__ = __sub__ = __rsub__ = __rtruediv__ = __pow__ = __rpow__ = __mod__ = __abs__ = _something
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _something  # type: ignore[assignment]
    __neg__ = __pos__ = __truediv__ = _something
    __hash__ = None  # type: ignore[assignment]

    def __mul__(self, other: Any) -> Something:
        return Nothing() if isinstance(other, Nothing) else Something()

    __rmul__ = __mul__

    def __bool__(self) -> bool:
        raise TypeError("a number that is not known is neither true nor false")


class Nothing(Something):
    """0."""

    def __add__(self, other: Any) -> Something:
        return Nothing() if isinstance(other, Nothing) else Something()

    __radd__ = __sub__ = __rsub__ = __add__

    def __mul__(self, other: Any) -> Something:
        return Nothing() if isinstance(other, Something) or np.all(np.isfinite(other)) else Something()

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Something:
        known = not isinstance(other, Something) and np.all(np.isfinite(other)) and np.all(other != 0)
        return Nothing() if known else Something()

    def __neg__(self) -> Something:
        return Nothing()

    __pos__ = __abs__ = __neg__


class _Functions:
    """A module of which every function gives something."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        return _something if callable(value) else value


def _for_symbols(hook: Any) -> Any:
    """The same code, in which `max`, `min` and what is from `math` and NumPy take symbols."""
    names: dict[str, Any] = {"max": _something, "min": _something, **hook.__globals__}
    for name, value in hook.__globals__.items():
        if value is math or value is np:
            names[name] = _Functions(value)
        elif getattr(value, "__module__", None) in ("math", "numpy"):
            names[name] = _something
    return FunctionType(hook.__code__, names, hook.__name__, hook.__defaults__, hook.__closure__)
