"""What a plasticity rule is, and the order in which things happen at a synapse.

A rule is a class with parameters, traces and hooks, each hook one equation of the paper:

    class PairSTDP(Rule):
        tau_plus: float = 20.0        # ms
        ...
        traces = {"x": Trace("pre", tau="tau_plus"), "y": Trace("post", tau="tau_minus")}

        @staticmethod
        def on_pre(w, pre, post, p):  return w - p.a_minus * post.y
        @staticmethod
        def on_post(w, pre, post, p): return w + p.a_plus * pre.x

Hooks are plain Python functions of numbers; the engine compiles them, and protocols and the reference
simulator call them as they are.

A rule may keep variables at the synapse, too: `synapse = {"c": Local(tau="tau_c")}`. Its hooks take them as a
fifth argument `s` and return (w, c). They and the weight are handed on from hook to hook. What the time between
two arrivals does to them is an exponential decay, or what the hook `between(w, s, elapsed, p)` says.
A rule that acts all the time has a hook `drift`, which returns dw/dt (per ms); it may read signals of the
postsynaptic neuron (`spikesim.signals`), and so may the other hooks.

Order of effects at one synapse. Time is that of the synapse: a presynaptic spike gets there after the axonal
part of the delay, a postsynaptic one after the dendritic part. When spikes reach the synapse at time t:

1. every trace and variable is brought to t;
2. all traces are read: a hook sees them as they were just before the spikes of time t, so a pre and a post
   spike that arrive together do not see each other; in every step, whether spikes arrive or not, the weight
   changes by dt times `drift` of what is read now;
3. `on_post`, if there is a post spike, and then `on_pre`, if there is a pre spike, change the weight, and
   the bounds are applied after each;
4. traces that the other side's spikes reset are set to 0, and then the spikes of time t increment theirs;
5. the postsynaptic potential carries the weight as `on_pre` left it.

With no dendritic delay a post spike is known only after the potentials of its own step were delivered; there,
and only there, `on_pre` comes before `on_post` when both arrive together. NEST's synapses do the same.

That is `coincident="exclude"`. With "pre_first" the pre spike of time t goes through all steps before the post
spike of time t begins, so that `on_post` sees it in the traces and `on_pre` does not see the post spike (Brian 2
does so); "post_first" is the mirror image. Spikes of the same side that arrive together never see each other.
A named event (see `Network.trigger`) comes before the spikes of its time, which in a network is, as that of a spike,
the end of the step in which it comes.
"""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from spikesim.errors import SpikesimError, unknown
from spikesim.parameters import Parameters
from spikesim.rule_check import check_declarations
from spikesim.signals import LowPass, Signal

#: Which spikes pair with which (Morrison, Diesmann & Gerstner 2008, doi:10.1007/s00422-008-0233-1, Fig. 7).
PAIRINGS = ("all_to_all", "nearest", "nearest_pre_centered", "nearest_reduced")

#: What a pre and a post spike that reach the synapse together see of each other.
COINCIDENT = ("exclude", "pre_first", "post_first")


@dataclass(frozen=True)
class Trace:
    """An exponentially decaying memory of one side's spikes, kept by the engine.

    side
        "pre" or "post": whose spikes it remembers.
    tau
        the name of the parameter that is its time constant (ms). Two names make a difference of exponentials
        of unit area, (e^(-t/tau1) - e^(-t/tau2)) / (tau1 - tau2): the shape of a postsynaptic potential.
    mean_over
        two names of events (see `Network.trigger`): the hook then sees, not the trace itself, but its mean
        over the steps between the last such two events.
    nearest
        a spike always sets it to its jump, and nothing else resets it, whatever the rule's `pairing` is.
    memory
        the name of the parameter that says how long (ms, whole steps) a spike is remembered at all; only of averaged
        traces.

    A spike adds 1, or what the rule's static method `jump_<trace>(own, p)` says, where `own` are the traces of that
    side as they were just before the spike.
    """

    side: str
    tau: str | tuple[str, str]
    mean_over: tuple[str, str] | None = None
    nearest: bool = False
    memory: str | None = None


@dataclass(frozen=True)
class Local:
    """A variable of the synapse itself, beside its weight.

    tau
        the name of the parameter that is its time constant (ms); without one only hooks change it.
    start
        the value that it begins with: a number, or the name of a parameter.

    `Network.reset` sets those with a time constant back to their start; the others are kept, like weights.
    """

    tau: str | None = None
    start: float | str = 0.0


@dataclass(frozen=True)
class TraceSpec:
    """A `Trace` of one rule with its numbers: what engine, protocols and reference need to know."""

    name: str
    side: str
    taus: tuple[float, ...]  # ms
    keep: float  # what a spike leaves of the old value: 1 all-to-all, 0 nearest spike
    reset_by_other: bool  # set to 0 by the other side's spikes, hence one value per synapse
    mean_over: tuple[str, str] | None
    jump: Callable[[Any, Any], float] | None = None  # (traces of that side, p) -> what a spike adds, in place of 1
    memory: float | None = None  # ms that a spike is remembered at all; None: for ever


def _hard(w: float, w_new: float, w_min: float, w_max: float) -> float:
    return min(max(w_new, w_min), w_max)


def _soft(w: float, w_new: float, w_min: float, w_max: float) -> float:
    room = w_max - w if w_new > w else w - w_min
    return min(max(w + (w_new - w) * room / (w_max - w_min), w_min), w_max)


def _none(w: float, w_new: float, w_min: float, w_max: float) -> float:
    return w_new


#: bounds -> function (w before, w after the hook, w_min, w_max) -> w kept
BOUNDS: dict[str, Callable[[float, float, float, float], float]] = {
    "hard": _hard,
    "soft": _soft,
    "none": _none,
}


class Rule(Parameters):
    """Base of all plasticity rules. Weights reach the hooks divided by `w_ref`, so that amplitudes published
    as fractions work for weights in pA; `w_min`, `w_max` are in the units of the weights.

    Class attributes of a rule: `traces`, `on_pre`, `on_post`, `reference` (a DOI), `pairings` (those of
    `PAIRINGS` it is defined for), `post_state` (state variables of the postsynaptic neuron that the hooks read
    as fields of `post`), and one hook `on_<event>` for each name in `events` (see `Network.trigger`).

    Of rules with memory at the synapse: `synapse` (name -> `Local`), and `between(w, s, elapsed, p)`, which returns
    (w, *variables) after `elapsed` ms without spikes, in place of their exponential decay.

    `pre_lag` names a parameter, a time (ms) by which presynaptic spikes act later on the rule than they reach the
    synapse; their potentials are not delayed by it.
    `drift` is dw/dt per ms; `signals` are what hooks read of the postsynaptic neuron at every step, as fields
    of `post` (see `spikesim.signals`), and `cell` is the neuron that stands for it in protocols.

    `expected(self, pre, post)`, of a rule with noise of its own: the change, as a fraction of the weight before, that
    its theory expects of two spike trains (lists of ms, sorted, as they reach the synapse) on average over that noise,
    which the hooks leave out. Protocols then judge the rule by it, and so do cards, tables, sweeps and fits; a protocol
    that is given a weight `w0` walks one synapse from there.

    `unfitted` names parameters that `spikesim fit` leaves alone unless told.
    `fitted_here` tells of presets that are not published but ours: preset -> the protocols to whose data it was fitted.
    """

    w_min: float = 0.0  # lower bound, in units of the weights
    w_max: float = 1.0  # upper bound, in units of the weights
    w_ref: float = 1.0  # the weight that amplitudes are fractions of
    bounds: str = "hard"  # hard, soft (changes scale with the room left) or none
    pairing: str = "all_to_all"  # which spikes pair with which
    coincident: str = "exclude"  # what spikes that reach the synapse together see of each other

    choices = {"bounds": tuple(BOUNDS), "pairing": PAIRINGS, "coincident": COINCIDENT}
    limits = {"w_ref": ("> 0",)}

    traces: ClassVar[Mapping[str, Trace]] = {}
    pairings: ClassVar[tuple[str, ...]] = ("all_to_all",)
    post_state: ClassVar[tuple[str, ...]] = ()
    events: ClassVar[tuple[str, ...]] = ()
    synapse: ClassVar[Mapping[str, Local]] = {}
    between: ClassVar[Any] = None
    pre_lag: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    w_start: ClassVar[float] = 1.0  # the weight that protocols start from unless told
    signals: ClassVar[Mapping[str, Signal | LowPass]] = {}
    cell: ClassVar[Any] = None
    expected: ClassVar[Any] = None
    unfitted: ClassVar[tuple[str, ...]] = ()
    fitted_here: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    on_pre: ClassVar[Any] = None
    on_post: ClassVar[Any] = None
    drift: ClassVar[Any] = None
    Params: ClassVar[Any]
    Pre: ClassVar[Any]
    Post: ClassVar[Any]
    Synapse: ClassVar[Any]
    numeric: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.numeric = tuple(n for n in cls.parameters if not isinstance(getattr(cls, n), str))
        # Named by module and qualified name, so that compiled code that uses it is found again in the cache.
        sides = cls.side("pre"), cls.side("post")
        for name, fields in zip(("Params", "Pre", "Post", "Synapse"), (cls.numeric, *sides, cls.synapse), strict=True):
            record: Any = namedtuple(name, tuple(fields), module=cls.__module__)  # type: ignore[misc]
            record.__qualname__ = f"{cls.__qualname__}.{name}"
            setattr(cls, name, record)
        for name in dir(cls):
            if name.startswith("jump_") and name.removeprefix("jump_") not in cls.traces:
                raise unknown(cls.__name__, "trace (of a jump_ method)", name.removeprefix("jump_"), cls.traces)
        if cls.between is not None and not cls.synapse:
            raise SpikesimError(f"{cls.__name__}: `between` needs a variable in `synapse`.")

    def __init__(self, *, preset: str | None = None, **given: Any) -> None:
        super().__init__(preset=preset, **given)
        check_declarations(self)
        label = type(self).__name__
        if self.pairing not in self.pairings:
            raise SpikesimError(
                f"{label}: pairing {self.pairing!r} is not defined for this rule; it knows: {', '.join(self.pairings)}."
            )
        if not self.w_min < self.w_max:
            raise SpikesimError(f"{label}: w_min ({self.w_min:g}) must be below w_max ({self.w_max:g}).")
        if self.bounds == "soft" and not math.isfinite(self.w_max - self.w_min):
            raise SpikesimError(f"{label}: soft bounds need finite w_min and w_max.")

    @classmethod
    def side(cls, side: str) -> tuple[str, ...]:
        """The fields of `pre` or `post` in the hooks: the traces of that side, for `post` then the signals and its
        `post_state`."""
        names = tuple(name for name, trace in cls.traces.items() if trace.side == side)
        return names + ((*cls.signals, *cls.post_state) if side == "post" else ())

    @classmethod
    def local(cls) -> bool:
        """Whether spikes or time change weights, and not named events alone."""
        return any(hook is not None for hook in (cls.on_pre, cls.on_post, cls.drift))

    @classmethod
    def continuous(cls) -> bool:
        """Whether each step matters, spikes or not."""
        return bool(cls.drift is not None or cls.signals)

    def named_events(self) -> set[str]:
        """The events that this rule or its averaged traces react to."""
        means = (trace.mean_over for trace in self.traces.values() if trace.mean_over is not None)
        return {*self.events, *(event for pair in means for event in pair)}

    def pre_lag_time(self) -> float:
        """ms by which presynaptic spikes act later than they reach the synapse."""
        return float(getattr(self, self.pre_lag)) if self.pre_lag else 0.0

    def synapse_start(self) -> Any:
        """The variables of a synapse as they begin."""
        starts = (local.start for local in self.synapse.values())
        return self.Synapse(*(float(getattr(self, s) if isinstance(s, str) else s) for s in starts))

    def synapse_taus(self) -> tuple[float, ...]:
        """Their time constants (ms); infinite for those that only hooks change."""
        return tuple(math.inf if v.tau is None else float(getattr(self, v.tau)) for v in self.synapse.values())

    def applied(self, hook: Any, w: float, pre: Any, post: Any, s: Any, p: Any) -> tuple[float, Any]:
        """(w, s) as a hook leaves them, whichever of the two kinds it is."""
        if not self.synapse:
            return hook(w, pre, post, p), s
        w, *after = hook(w, pre, post, p, s)
        return w, self.Synapse(*after)

    def rested(self, w: float, s: Any, elapsed: float, p: Any) -> tuple[float, Any]:
        """(w, s) after `elapsed` ms in which no spike reached the synapse."""
        if self.between is not None:
            w, *after = self.between(w, s, elapsed, p)
        else:
            after = [v * math.exp(-elapsed / tau) for v, tau in zip(s, self.synapse_taus(), strict=True)]
        return w, self.Synapse(*after)

    def trace_specs(self) -> tuple[TraceSpec, ...]:
        """The traces of this rule with their time constants and with what the pairing makes of them."""
        return tuple(self._spec(name, trace) for name, trace in self.traces.items())

    def _spec(self, name: str, trace: Trace) -> TraceSpec:
        taus = (trace.tau,) if isinstance(trace.tau, str) else trace.tau
        pre_centered = self.pairing == "nearest_pre_centered"
        nearest = self.pairing in ("nearest", "nearest_reduced") or (pre_centered and trace.side == "post")
        reset = self.pairing == "nearest_reduced" or (pre_centered and trace.side == "pre")
        return TraceSpec(
            name,
            trace.side,
            tuple(getattr(self, tau) for tau in taus),
            0.0 if nearest or trace.nearest else 1.0,
            reset and not trace.nearest,
            trace.mean_over,
            getattr(self, f"jump_{name}", None),
            self._memory_of(trace),
        )

    def _memory_of(self, trace: Trace) -> float | None:
        memory = math.inf if trace.memory is None else getattr(self, trace.memory)
        return memory if math.isfinite(memory) else None

    def local_sides(self) -> tuple[bool, bool]:
        """Whether pre- and postsynaptic traces are the synapse's own: where the other side resets them, and where the
        other side's hook sees the spike that arrives together with its own."""
        sides = {spec.side for spec in self.trace_specs() if spec.reset_by_other}
        return "pre" in sides or self.coincident == "pre_first", "post" in sides or self.coincident == "post_first"

    def has_memory(self) -> bool:
        """Whether synapses with this rule have more to remember than their weight, or act at times of their own."""
        return any(self.local_sides()) or bool(self.synapse or self.events or self.pre_lag)

    def hook_params(self) -> Any:
        """The numbers that hooks see as `p`: every numeric parameter, the bounds in units of `w_ref`."""
        numbers = {name: float(getattr(self, name)) for name in self.numeric}
        numbers["w_min"] /= self.w_ref
        numbers["w_max"] /= self.w_ref
        return self.Params(**numbers)
