"""The clock-driven simulator in plain Python: slow, short, and the place to begin reading.

    result = simulate(network, 100.0, states=[("exc", "V_m")])
    result.spikes["exc"]            # steps (end of the step, as in recorders) and ids
    result.states["exc", "V_m"]     # (steps, neurons)
    result.weights[0]               # of the network's first projection

It takes a `Network` as it was built, calls the hooks of its models and rules as the plain functions they are,
and leaves the network alone. It shares no table, ring or kernel with the engine: here every spike is an entry
in a diary that says when it reaches which synapse, and every synapse keeps its own traces. The tests hold the
engine to what comes out.

Step k goes from k dt to (k + 1) dt. A presynaptic spike of step k reaches the synapse at k + axonal delay, a
postsynaptic one at k + dendritic delay, and the potential of a presynaptic spike the soma another dendritic
delay later, in time for the update of that step. `spikesim.plasticity` states what happens at the synapse.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikesim.errors import SpikesimError
from spikesim.plasticity import BOUNDS
from spikesim.rng import completed, key, philox4x32, stream_id, uniform
from spikesim.signals import signal_specs

if TYPE_CHECKING:
    from spikesim.network import Network
    from spikesim.population import Population


#: `coincident` -> the sides whose spikes of one time take effect together, or one after the other
ORDERS = {
    "exclude": (("post", "pre"),),
    "pre_first": (("pre",), ("post",)),
    "post_first": (("post",), ("pre",)),
}


@dataclass
class ReferenceResult:
    """What a run left behind.

    spikes
        population -> (steps, ids), sorted by step, then id.
    states
        (population, variable) -> (steps, neurons).
    weights
        one array per projection, in the order of its synapses.
    """

    spikes: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]
    states: dict[tuple[str, str], NDArray[np.float64]]
    weights: list[NDArray[np.float64]]


def simulate(
    network: Network,
    duration: float,
    states: Iterable[tuple[str, str]] = (),
    events: Mapping[str, Iterable[float]] | None = None,
) -> ReferenceResult:
    """Run a network that has not run yet for `duration` ms and trace `states`: (population, variable).

    `events`: name -> times (ms) at which synapses whose rule has a hook `on_<name>` apply it, in the step that follows.
    """
    simulator = Simulator(network)
    triggered: dict[int, list[str]] = defaultdict(list)
    for name, times in (events or {}).items():
        for time in times:
            triggered[round(time / network.dt)].append(name)
    traced: dict[tuple[str, str], list[list[float]]] = {which: [] for which in states}
    for _ in range(round(duration / network.dt)):
        for name in triggered[simulator.now]:
            simulator.trigger(name)
        simulator.step()
        for (name, variable), rows in traced.items():
            rows.append([getattr(s, variable) for s in simulator.groups[name].state])
    return ReferenceResult(
        {name: simulator.spikes(name) for name in simulator.groups},
        {which: np.array(rows) for which, rows in traced.items()},
        [simulator.weights(k) for k in range(len(network.projections))],
    )


class Simulator:
    """A network in double precision, and its diary: what reaches which synapse and which soma when."""

    def __init__(self, network: Network) -> None:
        if network.step:
            raise SpikesimError("the reference begins at time 0; this network has run already.")
        self.now = 0
        self.groups = {p.name: Group(p) for p in network.populations}
        self.synapses = [list(self._synapses(projection)) for projection in network.projections]
        self.at_synapse: dict[int, dict[Synapse, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        self.at_soma: dict[int, list[tuple[Synapse, float]]] = defaultdict(list)
        self.continuous = [s for group in self.synapses for s in group if s.rule is not None and s.rule.continuous()]
        self.drives, self.seed = network.drives, network.seed

    def _synapses(self, projection: Any) -> Iterator[Synapse]:
        pre, post = self.groups[projection.source.name], self.groups[projection.target.name]
        rule, dt = projection.rule, projection.network.dt
        if rule is None or not rule.local() and not rule.synapse:
            rule = None  # nothing that spikes or time could change
        positive, negative = projection.receptors
        steps = np.rint(projection.delays / dt).astype(int).tolist()
        ends = zip(projection.sources.tolist(), projection.targets.tolist(), strict=True)
        for k, ((i, j), weight) in enumerate(zip(ends, projection.weights.tolist(), strict=True)):
            dendritic = 0 if rule is None else int(np.rint(steps[k] * projection.dendritic_delay_fraction))
            receptor = negative if weight < 0 else positive
            synapse = Synapse(
                post, j, receptor, weight, steps[k] - dendritic, dendritic, rule, dt, release=projection.short_term
            )
            if projection.sends == "spikes":
                pre.outgoing[i].append(synapse)
            else:
                pre.sending[i].append((synapse, projection.sends))
            if rule is not None:
                post.incoming[j].append(synapse)
            yield synapse

    def step(self) -> None:
        """From now to now + 1, in the order that `spikesim.clock` states."""
        now, here = self.now, self.at_synapse[self.now]
        for synapse in self.continuous:
            synapse.drift(now)
        for synapse, spikes in here.items():
            if not synapse.dendritic:  # the potential arrives before any postsynaptic spike of now is known
                self._transmit(synapse, spikes)
        for synapse, amount in self.at_soma.pop(now, ()):
            synapse.post.inputs[synapse.j][synapse.receptor] += amount
        for drive in self.drives:
            if now >= drive.delay_steps:
                self._drive(drive)
        for group in self.groups.values():
            for i, emitted in group.step(now):
                self._send(group, i, emitted)
            group.past.append(tuple(group.state))
            for i, sending in group.sending.items():
                for synapse, variable in sending:
                    value = getattr(group.state[i], variable)
                    arrival = now + synapse.axonal + synapse.dendritic
                    self.at_soma[arrival].append((synapse, synapse.weight * value))
        for synapse, spikes in here.items():  # by now all spikes that reach a synapse at this time are known
            self._meet(synapse, spikes)
        del self.at_synapse[now]
        self.now += 1

    def _meet(self, synapse: Synapse, spikes: Counter[str]) -> None:
        for sides in ORDERS[synapse.rule.coincident if synapse.rule is not None else "exclude"]:
            if "post" in sides:
                for _ in range(spikes["post"]):
                    synapse.change("on_post", self.now)
            if "pre" in sides and synapse.dendritic:
                self._transmit(synapse, spikes)
            synapse.remember(Counter({side: spikes[side] for side in sides}), self.now)

    def trigger(self, event: str) -> None:
        """Let every synapse whose rule has a hook for the event apply it, before the spikes of now."""
        for synapse in itertools.chain.from_iterable(self.synapses):
            if synapse.rule is not None and event in synapse.rule.events:
                synapse.change(f"on_{event}", self.now)

    def _drive(self, drive: Any) -> None:
        table, n = drive.table, drive.population.n
        words = _words((n + 1) // 2, self.now, stream_id("DRIVE", drive.index), self.seed)
        whole = _words(n, self.now, stream_id("DRIVE_REST", drive.index), self.seed)
        weights = np.broadcast_to(drive.weight, n)
        for i, inputs in enumerate(self.groups[drive.population.name].inputs):
            r, half = table.row[i], _signed(int(words[i >> 1]) >> 16 * (i & 1), 16)
            count = table.base[r] + (half > table.thresholds[r]).sum()
            if half > table.last[r]:
                count = (_signed(int(whole[i]), 32) > table.rest[r]).sum()
            inputs[drive.receptor] += float(weights[i]) * int(count)

    def _send(self, group: Group, i: int, emitted: float) -> None:
        for synapse in group.outgoing[i]:
            if synapse.release is not None:
                for _ in range(int(emitted)):
                    self.at_soma[self.now + synapse.axonal].append((synapse, synapse.released(self.now)))
            elif group.model.graded:  # felt by the membrane one step after it arrives, as in NEST
                self.at_soma[self.now + synapse.axonal + 1].append((synapse, synapse.weight * emitted))
            else:
                if synapse.lag:
                    self.at_synapse[self.now + synapse.axonal][synapse]["potential"] += int(emitted)
                self.at_synapse[self.now + synapse.axonal + synapse.lag][synapse]["pre"] += int(emitted)
        for synapse in group.incoming[i]:
            self.at_synapse[self.now + synapse.dendritic][synapse]["post"] += int(emitted)

    def _transmit(self, synapse: Synapse, spikes: Counter[str]) -> None:
        for _ in range(spikes["pre"]):
            synapse.change("on_pre", self.now)
            if not synapse.lag:
                self._potential(synapse)
        for _ in range(spikes["potential"]):
            self._potential(synapse)

    def _potential(self, synapse: Synapse) -> None:
        if synapse.post.model.receptors:
            synapse.rest(self.now)
            size = abs(synapse.weight) if synapse.post.model.conductance else synapse.weight
            self.at_soma[self.now + synapse.dendritic].append((synapse, size))

    def spikes(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(steps, ids) of the spikes so far; a spike's step is the end of the one in which it was fired."""
        steps, ids = np.array(self.groups[name].fired, dtype=np.int64).reshape(-1, 2).T
        return steps + 1, ids

    def weights(self, projection: int) -> NDArray[np.float64]:
        """(synapses,) now."""
        return np.array([synapse.rested(self.now - 1)[0] for synapse in self.synapses[projection]])


class Group:
    """A population: one record of state variables per neuron."""

    def __init__(self, population: Population) -> None:
        self.population, self.model, n = population, population.model, population.n
        self.dt, self.seed = population.network.dt, population.network.seed
        columns = population.arrays["state"][:, :n].T.tolist()
        self.state = [self.model.State(*column) for column in columns]  # type: ignore[attr-defined]
        self.past = [tuple(self.state)]  # at the beginning, and after each step
        self.held = [0] * n  # steps for which the neuron is still refractory
        self.inputs = [[0.0] * len(self.model.receptors) for _ in range(n)]
        self.outgoing: list[list[Synapse]] = [[] for _ in range(n)]
        self.sending: dict[int, list[tuple[Synapse, str]]] = defaultdict(list)  # and which variable
        self.incoming: list[list[Synapse]] = [[] for _ in range(n)]
        self.fired: list[tuple[int, int]] = []
        self.changes = {0, *self.model.changes(self.dt).tolist()}
        self.replayed: dict[int, list[int]] = defaultdict(list)
        if self.model.replays:
            for t, i in zip(self.model.times, self.model.ids, strict=True):  # type: ignore[attr-defined]
                self.replayed[round(t / self.dt) - 1].append(int(i))

    def step(self, now: int) -> Iterator[tuple[int, float]]:
        """One step of every neuron; yields (id, spikes or current emitted) of those that emit something."""
        if now in self.changes:
            self.constants = self._constants(now)
        uniforms = self._uniforms(now) if self.model.random else [0.5] * len(self.state)
        for i, u in enumerate(uniforms):
            emitted = self._neuron(i, u, now)
            if not self.model.graded:
                self.fired += [(now, i)] * int(emitted)
            if emitted:
                yield i, emitted

    def _neuron(self, i: int, u: float, now: int) -> float:
        model, c, free = self.model, self.constants[i], self.held[i] == 0
        if model.replays:
            return self.replayed[now].count(i)
        if model.graded:
            self.state[i] = model.State(model.current(self.state[i], c, u, now))
            return self.state[i][0]
        if model.advance is not None:
            x = model.Input(*self.inputs[i])
            new = model.advance(self.state[i], x, c, free)
            self.state[i] = model.State(*new, *self.state[i][len(new) :])
            self.inputs[i] = [0.0] * len(self.inputs[i])
        self.held[i] = max(0, self.held[i] - 1)
        fired = int(model.spikes(self.state[i], c, u)) if model.spikes is not None and free else 0
        if fired and model.reset is not None:
            self.state[i] = model.State(*model.reset(self.state[i], c))
        if fired and model.refracts():
            self.held[i] = int(c.t_ref_steps)
        return fired

    def _constants(self, now: int) -> list[Any]:
        found = self.model.constants_for(self.model.at_step(self.population.values, now, self.dt), self.dt)
        fields = [np.broadcast_to(found[f], self.population.n) for f in self.model.Constants._fields]
        return [self.model.Constants(*(float(v[i]) for v in fields)) for i in range(self.population.n)]

    def _uniforms(self, now: int) -> list[float]:
        n, index = self.population.n, self.population.index
        if self.model.graded or self.model.may_spike is None:
            stream = stream_id("NOISE" if self.model.graded else "SPIKE", index)
            return [float(uniform(word)) for word in _words(n, now, stream, self.seed)]
        halves = _half_words(n, now, stream_id("SPIKE", index), self.seed)
        words = _words(n, now, stream_id("SPIKE_REST", index), self.seed)
        return [float(completed(half, word)) for half, word in zip(halves, words, strict=True)]


def _words(n: int, now: int, stream: int, seed: int) -> NDArray[Any]:
    """(n,) random 32-bit words of a step, one per neuron; four neurons draw from one block of Philox."""
    blocks = np.arange(-(-n // 4))
    return np.stack(philox4x32(blocks, now & 0xFFFFFFFF, now >> 32, stream, *key(seed)), axis=1).ravel()[:n]


def _half_words(n: int, now: int, stream: int, seed: int) -> list[int]:
    """(n,) half words of a step, signed; a block of Philox serves one neuron for eight steps."""
    eighth, place = now >> 3, now & 7
    words = philox4x32(np.arange(n), eighth & 0xFFFFFFFF, eighth >> 32, stream, *key(seed))[place >> 1]
    return [_signed(int(word) >> 16 * (place & 1), 16) for word in words]


def _signed(bits: int, n: int) -> int:
    """The lowest n bits as a signed number."""
    return (bits + (1 << n - 1)) % (1 << n) - (1 << n - 1)


@dataclass(eq=False)
class Synapse:
    """A weight, and the traces as they are at the synapse: name -> one exponential per time constant."""

    post: Group
    j: int
    receptor: int
    weight: float
    axonal: int
    dendritic: int
    rule: Any
    dt: float
    traces: dict[str, list[float]] = field(default_factory=dict)
    release: Any = None  # short-term rule
    last: int | None = None  # when a spike was released
    since: int = 0  # when the traces had these values, just after the spikes of that time
    s: Any = None  # the variables of the synapse
    rested_at: int = -1  # when they and the weight had these values

    def __post_init__(self) -> None:
        self.lag = 0
        if self.release is not None:
            self.release_state = self.release.initial()
        if self.rule is not None:
            self.specs, self.p = self.rule.trace_specs(), self.rule.hook_params()
            self.traces = {spec.name: [0.0] * len(spec.taus) for spec in self.specs}
            self.lag = round(self.rule.pre_lag_time() / self.dt)
            self.s = self.rule.synapse_start() if self.rule.synapse else None
            self.signals = [(spec, self._sensed(spec, 0)) for spec in signal_specs(self.rule)]

    def released(self, now: int) -> float:
        """What a spike that is fired now will add."""
        rule, p, s = self.release, self.release.hook_params(), self.release_state
        after, amplitude = rule.first(s, p) if self.last is None else rule.release(s, (now - self.last) * self.dt, p)
        self.release_state, self.last = rule.State(*after), now
        return amplitude * (abs(self.weight) if self.post.model.conductance else self.weight)

    def _decayed(self, spec: Any, now: int) -> list[float]:
        passed = (now - self.since) * self.dt
        return [z * math.exp(-passed / tau) for z, tau in zip(self.traces[spec.name], spec.taus, strict=True)]

    def _seen(self, side: str, now: int) -> Iterator[float]:
        for spec in self.specs:
            if spec.side == side:
                z = self._decayed(spec, now)
                yield z[0] if len(z) == 1 else (z[0] - z[1]) / (spec.taus[0] - spec.taus[1])

    def rested(self, now: int) -> tuple[float, Any]:
        """(weight, variables) as the time since the last arrival leaves them."""
        passed = (now - self.rested_at) * self.dt
        if self.s is None or not passed:
            return self.weight, self.s
        after, s = self.rule.rested(self.weight / self.rule.w_ref, self.s, passed, self.p)
        return self._bounded(self.weight, after), s

    def rest(self, now: int) -> None:
        """Let time pass until now."""
        (self.weight, self.s), self.rested_at = self.rested(now), now

    def _bounded(self, before: float, after: float) -> float:
        """The weight after a hook proposed `after` w_ref."""
        rule = self.rule
        return BOUNDS[rule.bounds](before, after * rule.w_ref, rule.w_min, rule.w_max)

    def _sensed(self, spec: Any, now: int) -> float:
        """What a signal takes from the neuron as the synapse sees it: as it was just before, and after its delay."""
        then = max(0, now - self.dendritic - round(spec.delay / self.dt))
        return float(spec.input(getattr(self.post.past[then][self.j], spec.variable)))

    def _records(self, now: int) -> tuple[Any, Any]:
        """What a hook sees of either side; no spike that was not remembered yet."""
        post = (*self._seen("post", now), *(value for _, value in self.signals))
        return self.rule.Pre(*self._seen("pre", now)), self.rule.Post(*post)

    def drift(self, now: int) -> None:
        """Let a step pass: signals come in, and the weight drifts."""
        sensed = [(spec, self._sensed(spec, now), value) for spec, value in self.signals]
        self.signals = [(s, v + (z - v) * (math.exp(-self.dt / s.tau) if s.tau else 0.0)) for s, v, z in sensed]
        rule = self.rule
        if rule.drift is not None:
            w = self.weight / rule.w_ref
            self.weight = self._bounded(self.weight, w + self.dt * rule.drift(w, *self._records(now), self.p))

    def change(self, hook: str, now: int) -> None:
        """Let a hook of the rule change weight and variables; it sees no spike that was not remembered yet."""
        rule = self.rule
        if rule is not None and getattr(rule, hook) is not None:
            self.rest(now)
            pre, post = self._records(now)
            after, self.s = rule.applied(getattr(rule, hook), self.weight / rule.w_ref, pre, post, self.s, self.p)
            self.weight = self._bounded(self.weight, after)

    def remember(self, spikes: Counter[str], now: int) -> None:
        """Take the spikes of this time up into the traces."""
        if self.rule is None:
            return
        seen = dict(zip(("pre", "post"), self._records(now), strict=True))
        for spec in self.specs:
            z = self._decayed(spec, now)
            other = "post" if spec.side == "pre" else "pre"
            if spec.reset_by_other and spikes[other]:
                z = [0.0] * len(z)
            jump = 1.0 if spec.jump is None else spec.jump(seen[spec.side], self.p)
            for _ in range(spikes[spec.side]):
                z = [value * spec.keep + jump for value in z]
            self.traces[spec.name] = z
        self.since = now
