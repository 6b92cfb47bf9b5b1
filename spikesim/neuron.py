"""What a neuron or a source is: parameters, state, and hooks that read like the model's equations.

    class LIFDelta(Neuron):
        tau_m: float = 10.0                          # ms
        ...
        receptors = ("membrane",)
        state = {"V_m": "E_L"}                       # starts at the value of the parameter E_L
        constants = ("P33", "V_inf", "V_th", "V_reset")

        @staticmethod
        def derive(p, dt): ...                       # constants from parameters, once; NumPy arrays
        @staticmethod
        def advance(s, x, c, free): ...              # one step: state, input that arrives now, constants
        @staticmethod
        def spikes(s, c, u): return s.V_m >= c.V_th
        @staticmethod
        def reset(s, c): return (c.V_reset,)

`advance` and `reset` return the new state in the order of `state`, `advance` without the variables in `steady`. `free`
is False while the neuron is refractory, which the engine counts if the model has a parameter `t_ref`. Hooks are plain
Python functions of numbers; the engine compiles them, and the reference simulator calls them as they are.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from spikesim.aliases import PYNN
from spikesim.distributions import Distribution
from spikesim.errors import SpikesimError
from spikesim.parameters import Parameters

#: What makes a model another one when it is defined anew.
EQUATIONS = frozenset("receptors state derive advance spikes reset current schedule at_step".split())


class Neuron(Parameters):
    """Base of neurons and sources. A parameter is a number, an array with one value a neuron, or a distribution;
    the same goes for the initial value of a state variable, given by its name.

    Class attributes of a model:

    receptors
        names of the inputs; an input is summed over the step and seen as a field of `x` in `advance`.
    state
        variable -> initial value: a number, or the name of the parameter that holds it.
    steady
        the last of the state variables, if only events and the user change them; `advance` does not return them.
    constants
        names of what `derive` returns, seen as fields of `c`.
    sign_selects
        True: without an explicit receptor a weight >= 0 goes to "excitatory" and one < 0 to "inhibitory".
    conductance
        True: inputs are conductances, so the size of the weight is added whatever its sign.
    random
        True: `spikes` and `current` get a uniform random number u in (0, 1) as well.
    may_spike
        a hook (c, u) of random models, or None: False where `spikes` returns 0 whatever the state. The larger u, the
        rather it is True, and the more spikes there are; u may be 0 and 1, too, for the engine asks at both ends of
        what it knows of u. It saves most neurons the work of `spikes`, and sources that are silent everything.
    max_spikes
        the most spikes one neuron can emit in a step (`spikes` returns how many).
    graded
        True: emits a current, given by `current(s, c, u, step)`, and no spikes; state must be {"I": ...}.
    events
        names of events for which there is a hook `on_<event>(s, c)`, see `Network.trigger`.
    learned
        state variables that `Network.reset` leaves as they are.
    event
        what the event-driven engine is to know of it, see `spikesim.event.describe`; None where that cannot run it.
    """

    receptors: ClassVar[tuple[str, ...]] = ()
    state: ClassVar[Mapping[str, float | str]] = {}
    steady: ClassVar[tuple[str, ...]] = ()
    constants: ClassVar[tuple[str, ...]] = ()
    sign_selects: ClassVar[bool] = False
    conductance: ClassVar[bool] = False
    random: ClassVar[bool] = False
    graded: ClassVar[bool] = False
    replays: ClassVar[bool] = False
    max_spikes = 1
    events: ClassVar[tuple[str, ...]] = ()
    learned: ClassVar[tuple[str, ...]] = ()
    event: ClassVar[Any] = None
    reference: ClassVar[str] = ""
    aliases = PYNN

    State: ClassVar[Any]
    Constants: ClassVar[Any]
    Input: ClassVar[Any]
    advance: ClassVar[Any] = None
    spikes: ClassVar[Any] = None
    may_spike: ClassVar[Any] = None
    reset: ClassVar[Any] = None
    current: ClassVar[Any] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.steady != tuple(cls.state)[len(cls.state) - len(cls.steady) :]:
            raise SpikesimError(f"{cls.__name__}: steady names the last variables of state, in their order.")
        if "event" not in vars(cls) and EQUATIONS & set(vars(cls)):
            cls.event = None  # it was said of other equations
        constants = cls.constants + (("t_ref_steps",) if cls.refracts() else ())
        # Named by module and qualified name, so that compiled code that uses it is found again in the cache.
        for name, fields in (("State", tuple(cls.state)), ("Constants", constants), ("Input", cls.receptors)):
            record: Any = namedtuple(name, fields, module=cls.__module__)  # type: ignore[misc]
            record.__qualname__ = f"{cls.__qualname__}.{name}"
            setattr(cls, name, record)

    def __init__(self, *, preset: str | None = None, **given: Any) -> None:
        self.initial: dict[str, Any] = {}
        for name in list(given):
            known = self._state_name(name)
            if known is not None:
                self.initial[known] = given.pop(name)
        super().__init__(preset=preset, **given)

    @classmethod
    def _state_name(cls, name: str) -> str | None:
        ours = name if name in cls.state else cls.aliases.get(name, (name, 1.0))[0]
        return ours if ours in cls.state and ours not in cls.parameters else None

    @classmethod
    def engines(cls) -> tuple[str, ...]:
        """The engines that can run it, see `Network`."""
        return ("clock",) if cls.event is None else ("clock", "event")

    @classmethod
    def refracts(cls) -> bool:
        """Whether the engine counts a refractory period for this model."""
        return "t_ref" in cls.parameters

    @classmethod
    def checked(cls, name: str, value: Any) -> Any:
        """As `Parameters.checked`, and arrays and distributions pass."""
        if isinstance(value, Distribution) or isinstance(getattr(cls, name), (str, bool)):
            return value if isinstance(value, Distribution) else super().checked(name, value)
        if value is None or isinstance(getattr(cls, name), tuple) or np.ndim(value) == 0:
            return super().checked(name, value)
        try:
            array = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise SpikesimError(
                f"{cls.__name__}: {name} is a number, an array of numbers or a distribution, not {value!r}."
            ) from None
        cls.within_limits(name, array)
        return array

    @classmethod
    def constants_for(cls, values: Mapping[str, Any], dt: float) -> dict[str, np.ndarray]:
        """What `derive` makes of the parameter arrays (each of length 1 or n), with the refractory steps."""
        found = dict(cls.derive(SimpleNamespace(**values), dt)) if cls.constants else {}
        if cls.refracts():
            found["t_ref_steps"] = np.rint(np.asarray(values["t_ref"]) / dt)
        return {name: np.atleast_1d(np.asarray(value, dtype=np.float64)) for name, value in found.items()}

    @staticmethod
    def derive(p: Any, dt: float) -> Mapping[str, Any]:
        """Constants of the step from the parameters `p` (fields are arrays of length 1 or n) and dt (ms)."""
        return {}

    @classmethod
    def validate(cls, p: Any, dt: float) -> None:
        """Raise SpikesimError for parameters that make no sense together or at this dt (ms)."""

    def check(self, n: int, dt: float) -> None:
        """Raise SpikesimError for parameters that do not fit a population of `n` neurons at this dt (ms)."""

    def check_set(self, names: Iterable[str]) -> None:
        """Raise SpikesimError if one of these parameters must not be set any more."""

    def changes(self, dt: float) -> np.ndarray:
        """The steps at which the constants change by themselves; `at_step` then gives the parameters."""
        return np.empty(0, dtype=np.int64)

    def at_step(self, values: dict[str, Any], step: int, dt: float) -> dict[str, Any]:
        """The parameter arrays in force from `step` on, given those that the user set."""
        return values
