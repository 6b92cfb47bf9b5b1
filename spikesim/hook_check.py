"""Looks at the hooks of rules and neurons before anything compiles, and says in a line what is wrong with one.

Hooks are plain Python functions, so they are called as such on a few ordinary numbers. What Python can do and Numba
cannot is found when a kernel is compiled; `not_compilable` then finds out which hook it was.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import inspect
import math
import numbers
import random
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.errors import HookError

if TYPE_CHECKING:
    from spikesim.plasticity import Rule
    from spikesim.population import Population

SAMPLES = 12  # calls of each hook of a rule
LARGEST = 3.0  # a trace in these calls; the first ones have all traces at 0, as they are before any spike
POTENTIALS = (-80.0, 20.0)  # mV
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_CHATTER = re.compile(r"Failed in \w+ mode|During:|File |def |return |<source|\^|Enable logging|$")


@dataclass(frozen=True)
class Hook:
    """One hook of a class.

    returns
        what it returns, in words.
    size
        how many numbers there are in the tuple that it returns; 0 for a number.
    truth
        whether a truth value will do for a number.
    """

    owner: Any
    name: str
    arguments: tuple[str, ...]
    returns: str
    size: int = 0
    truth: bool = False

    @property
    def function(self) -> Callable[..., Any]:
        return getattr(self.owner, self.name)

    def where(self, line: int | None = None) -> str:
        """The hook and its place, as messages name it."""
        code = self.function.__code__
        return f"{self.owner.__name__}.{self.name} ({code.co_filename}, line {line or code.co_firstlineno})"

    def check_arguments(self) -> None:
        """Raise HookError unless the hook can be called with its arguments."""
        signature = inspect.signature(self.function)
        try:
            signature.bind(*self.arguments)
        except TypeError:
            raise HookError(
                f"{self.where()} is a function of {signature}, but is called with ({', '.join(self.arguments)}); "
                "make it a @staticmethod of just these."
            ) from None

    def try_on(self, values: tuple[Any, ...]) -> None:
        """Call the hook. Raises HookError for what it reads, raises or returns amiss."""
        try:
            result = self.function(*values)
        except AttributeError as error:
            line = self._line(error)
            for name, record in zip(self.arguments, values, strict=True):
                if error.obj is record and hasattr(record, "_fields"):
                    raise self._undeclared(name, str(error.name), values, line) from None
            raise self._raised(error, values) from None
        except Exception as error:
            raise self._raised(error, values) from None
        self._check_result(result, values)

    def _check_result(self, result: Any, values: tuple[Any, ...]) -> None:
        right = f"{self.returns}, " + (f"a tuple of {self.size} numbers" if self.size else "a number")
        parts = result if self.size else (result,)
        if not isinstance(parts, tuple) or len(parts) != max(1, self.size) or not all(map(self._is_number, parts)):
            raise HookError(f"{self.where(self._last_line(values))} returns {result!r}; it must return {right}.")
        if not all(map(math.isfinite, parts)):
            raise HookError(
                f"{self.where(self._last_line(values))} returns {result!r} for {self._shown(values)}; "
                f"it must return {right}, finite."
            )

    def _is_number(self, value: Any) -> bool:
        truth = isinstance(value, (bool, np.bool_))
        return self.truth if truth else isinstance(value, numbers.Real)

    def _undeclared(self, argument: str, name: str, values: tuple[Any, ...], line: int | None) -> HookError:
        """The error for a field that a record such as `pre` does not have."""
        fields = {f"{a}.{field}": a for a, record in zip(self.arguments, values, strict=True)
                  for field in getattr(record, "_fields", ())}  # fmt: skip
        own = [field for field, a in fields.items() if a == argument]
        elsewhere = [field for field, a in fields.items() if a != argument and field.endswith(f".{name}")]
        near = elsewhere or difflib.get_close_matches(f"{argument}.{name}", own, n=1, cutoff=0.0)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        shown = own if argument == "p" else [field for field, a in fields.items() if a != "p"]
        what = "parameter" if argument == "p" else "trace" if argument in ("pre", "post") else "field"
        return HookError(
            f"{self.where(line)} reads {argument}.{name}, but {self.owner.__name__} declares no such {what}{hint} "
            f"It declares: {', '.join(shown) or 'none'}."
        )

    def _raised(self, error: Exception, values: tuple[Any, ...]) -> HookError:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return HookError(f"{self.where(self._line(error))} raises {what} for {self._shown(values)}.")

    def _line(self, error: BaseException) -> int | None:
        """The line of the hook's own file that the error came from."""
        found, trace = None, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.function.__code__.co_filename:
                found = trace.tb_lineno
            trace = trace.tb_next
        return found

    def _last_line(self, values: tuple[Any, ...]) -> int | None:
        """The line that the hook returns from with these arguments, which is the last one that Python comes to."""
        found, before = None, sys.gettrace()

        def follow(frame: Any, event: str, argument: Any) -> Any:
            nonlocal found
            if frame.f_code is self.function.__code__:
                found = frame.f_lineno
            return follow

        sys.settrace(follow)
        try:
            self.function(*values)
        finally:
            sys.settrace(before)
        return found

    def _shown(self, values: tuple[Any, ...]) -> str:
        """The arguments but for the parameters, as `w = 0.5, pre.x = 0`."""
        shown = []
        for name, value in zip(self.arguments, values, strict=True):
            if name in ("p", "c"):
                continue
            fields = getattr(value, "_fields", None)
            pairs = [(name, value)] if fields is None else [(f"{name}.{f}", getattr(value, f)) for f in fields]
            shown += [f"{label} = {number:.6g}" for label, number in pairs]
        return ", ".join(shown)


def hooks_of(owner: Any) -> Iterator[tuple[Hook, tuple[Any, ...]]]:
    """Each hook of a rule, short-term rule or neuron class, with arguments of the types that it is compiled for."""

    def ones(record: Any) -> Any:
        return record(*[1.0] * len(record._fields))

    events = [f"on_{event}" for event in getattr(owner, "events", ())]
    if hasattr(owner, "Pre"):
        found = _rule_hooks(owner, ones, events)
    elif hasattr(owner, "Constants"):
        s, x, c, n, new = ones(owner.State), ones(owner.Input), ones(owner.Constants), len(owner.state), "the new state"
        found = [
            (Hook(owner, "advance", ("s", "x", "c", "free"), new, n - len(owner.steady)), (s, x, c, True)),
            (Hook(owner, "spikes", ("s", "c", "u"), "how many spikes", truth=True), (s, c, 0.5)),
            (Hook(owner, "may_spike", ("c", "u"), "whether it may spike", truth=True), (c, 0.5)),
            (Hook(owner, "reset", ("s", "c"), new, n), (s, c)),
            (Hook(owner, "current", ("s", "c", "u", "step"), "the current"), (s, c, 0.5, 0)),
            *((Hook(owner, name, ("s", "c"), new, n), (s, c)) for name in events),
        ]
    else:
        found = []
    return ((hook, values) for hook, values in found if getattr(owner, hook.name, None) is not None)


def _rule_hooks(owner: Any, ones: Callable[[Any], Any], events: list[str]) -> list[tuple[Hook, tuple[Any, ...]]]:
    records = {"w": 1.0, "pre": ones(owner.Pre), "post": ones(owner.Post), "p": ones(owner.Params),
               "s": ones(owner.Synapse), "elapsed": 1.0}  # fmt: skip
    kept = len(owner.synapse)  # variables of the synapse, which hooks get and return beside the weight
    spikes = ("w", "pre", "post", "p", *(("s",) if kept else ()))
    new, size = ("the new weight and variables", 1 + kept) if kept else ("the new weight", 0)
    found = [
        *(Hook(owner, name, spikes, new, size) for name in ("on_pre", "on_post", *events)),
        Hook(owner, "drift", ("w", "pre", "post", "p"), "dw/dt"),
        Hook(owner, "between", ("w", "s", "elapsed", "p"), new, size),
        *(Hook(owner, f"jump_{name}", (trace.side, "p"), "the jump") for name, trace in owner.traces.items()),
    ]
    return [(hook, tuple(records[argument] for argument in hook.arguments)) for hook in found]


def check_rule_hooks(rule: Rule) -> None:
    """Raise HookError if this rule has no hook, or one that reads, raises or returns amiss for ordinary numbers."""
    owner: Any = type(rule)
    _check_rule_hooks(owner, rule.hook_params())


@functools.cache
def _check_rule_hooks(owner: Any, p: Any) -> None:
    if not any(hook.arguments[0] == "w" for hook, _ in hooks_of(owner)):
        raise _hookless(owner)
    draw = random.Random(1)
    low = p.w_min if math.isfinite(p.w_min) else min(0.0, p.w_max - 1.0)
    high = p.w_max if math.isfinite(p.w_max) else low + 2.0 * (owner.w_start or 1.0)
    weights = [low, high] + [draw.uniform(low, high) for _ in range(SAMPLES - 2)]
    for hook, typical in hooks_of(owner):
        hook.check_arguments()
        for k, w in enumerate(weights):
            largest = 0.0 if k < SAMPLES // 3 else LARGEST
            pre, post = (side(*(ordinary(draw, owner, name, largest) for name in side._fields))
                         for side in (owner.Pre, owner.Post))  # fmt: skip
            given = {"w": w, "pre": pre, "post": post, "p": p}
            hook.try_on(tuple(given.get(a, v) for a, v in zip(hook.arguments, typical, strict=True)))


def _hookless(owner: Any) -> HookError:
    """The error for a rule in which nothing changes a weight, with a function of it whose name is nearly a hook's."""
    hooks = ["on_pre", "on_post", "drift", *(f"on_{event}" for event in owner.events)]
    found = {name: difflib.get_close_matches(name, hooks, n=1) for name in vars(owner) if not name.startswith("_")}
    hint = next((f"{name!r} may be meant for {near[0]!r}. " for name, near in found.items() if near), "")
    return HookError(
        f"{owner.__name__} has no hook, so nothing would change its weights. {hint}A rule has at least one of "
        f"{', '.join(hooks)}."
    )


def ordinary(draw: random.Random, owner: Any, field: str, largest: float) -> float:
    """A value as a trace or a signal, which is a potential mostly, may have."""
    return draw.uniform(*POTENTIALS) if field in owner.signals else draw.uniform(0.0, largest)


def ask(rule: Rule, name: str, values: tuple[Any, ...]) -> Any:
    """What a hook of a rule returns, looked at as quickly as Python can: walks through spike trains ask often.

    Raises HookError where that is not what it must be.
    """
    with contextlib.suppress(Exception):
        result = getattr(rule, name)(*values)
        if all(map(math.isfinite, result)) if isinstance(result, tuple) else math.isfinite(result):
            return result
    for hook, _ in hooks_of(type(rule)):
        if hook.name == name:
            hook.try_on(values)
    return getattr(rule, name)(*values)


def check_neuron_hooks(population: Population) -> None:
    """Raise HookError if a hook of the population's model fails for its first neuron, with and without input."""
    owner: Any = type(population.model)
    s = owner.State(*(float(row[0]) for row in population.arrays["state"]))
    c = owner.Constants(*population.constants[: len(owner.Constants._fields), 0].tolist())
    for hook, typical in hooks_of(owner):
        hook.check_arguments()
        for size in (0.0, 1.0):
            given = {"s": s, "c": c, "x": owner.Input(*[size] * len(owner.Input._fields))}
            if hook.name.startswith("on_"):
                del given["s"]  # an event comes after some steps, and may divide by their number
            hook.try_on(tuple(given.get(a, v) for a, v in zip(hook.arguments, typical, strict=True)))


def not_compilable(owners: tuple[Any, ...], error: Exception) -> HookError:
    """The error for hooks that Numba cannot compile: which hook, which line, and Numba's reason in a line."""
    import numba

    from spikesim.jit import COMPILE_ERRORS

    for owner in owners:
        for hook, values in hooks_of(owner):
            try:
                numba.njit(hook.function).compile(tuple(numba.typeof(value) for value in values))
            except COMPILE_ERRORS as own:
                line = _line_named(str(own), hook.function.__code__.co_filename)
                return HookError(f"{hook.where(line)} is Python that Numba cannot compile: {_reason(own)}.")
    names = ", ".join(owner.__name__ for owner in owners)
    return HookError(f"{names}: Numba can compile the hooks one by one, but not what calls them: {_reason(error)}.")


def _line_named(text: str, path: str) -> int | None:
    """The last line of a file that a message of Numba's names."""
    lines = re.findall(rf'{re.escape(Path(path).name)}(?:", line | \()(\d+)', _ESCAPES.sub("", text))
    return int(lines[-1]) if lines else None


def _reason(error: Exception) -> str:
    """Numba's message without the pages around it."""
    lines = [line.strip() for line in _ESCAPES.sub("", str(error)).splitlines()]
    told = [line for line in lines if not _CHATTER.match(line)]
    return " ".join((told or lines or [type(error).__name__])[0].partition(" Raised from ")[0].split()).rstrip(".:")
