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

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikesim.errors import SpikesimError
from spikesim.plasticity import BOUNDS
from spikesim.rng import key, philox4x32, stream_id, uniform

if TYPE_CHECKING:
    from spikesim.network import Network
    from spikesim.population import Population


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


def simulate(network: Network, duration: float, states: Iterable[tuple[str, str]] = ()) -> ReferenceResult:
    """Run a network that has not run yet for `duration` ms and trace `states`: (population, variable)."""
    simulator = Simulator(network)
    traced: dict[tuple[str, str], list[list[float]]] = {which: [] for which in states}
    for _ in range(round(duration / network.dt)):
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
        self.drives, self.seed = network.drives, network.seed

    def _synapses(self, projection: Any) -> Iterator[Synapse]:
        pre, post = self.groups[projection.source.name], self.groups[projection.target.name]
        rule, dt = projection.rule, projection.network.dt
        if rule is None or rule.on_pre is None and rule.on_post is None:
            rule = None  # nothing that a spike could change
        positive, negative = projection.receptors
        steps = np.rint(projection.delays / dt).astype(int).tolist()
        ends = zip(projection.sources.tolist(), projection.targets.tolist(), strict=True)
        for k, ((i, j), weight) in enumerate(zip(ends, projection.weights.tolist(), strict=True)):
            dendritic = 0 if rule is None else int(np.rint(steps[k] * projection.dendritic_delay_fraction))
            receptor = negative if weight < 0 else positive
            synapse = Synapse(
                post, j, receptor, weight, steps[k] - dendritic, dendritic, rule, dt, release=projection.short_term
            )
            pre.outgoing[i].append(synapse)
            if rule is not None:
                post.incoming[j].append(synapse)
            yield synapse

    def step(self) -> None:
        """From now to now + 1, in the order that `spikesim.clock` states."""
        now, here = self.now, self.at_synapse[self.now]
        for synapse, spikes in here.items():
            if not synapse.dendritic:  # the potential arrives before any postsynaptic spike of now is known
                self._transmit(synapse, spikes["pre"])
        for synapse, amount in self.at_soma.pop(now, ()):
            synapse.post.inputs[synapse.j][synapse.receptor] += amount
        for drive in self.drives:
            if now >= drive.delay_steps:
                self._drive(drive)
        for group in self.groups.values():
            for i, emitted in group.step(now):
                self._send(group, i, emitted)
        for synapse, spikes in here.items():  # by now all spikes that reach a synapse at this time are known
            for _ in range(spikes["post"]):
                synapse.change("on_post", now)
            if synapse.dendritic:
                self._transmit(synapse, spikes["pre"])
            synapse.remember(spikes, now)
        del self.at_synapse[now]
        self.now += 1

    def _drive(self, drive: Any) -> None:
        (thresholds, row), n = drive.thresholds, drive.population.n
        words = _words(n, self.now, stream_id("DRIVE", drive.index), self.seed).astype(np.uint32).view(np.int32)
        weights = np.broadcast_to(drive.weight, n)
        for i, inputs in enumerate(self.groups[drive.population.name].inputs):
            inputs[drive.receptor] += float(weights[i]) * int((words[i] > thresholds[row[i]]).sum())

    def _send(self, group: Group, i: int, emitted: float) -> None:
        for synapse in group.outgoing[i]:
            if synapse.release is not None:
                for _ in range(int(emitted)):
                    self.at_soma[self.now + synapse.axonal].append((synapse, synapse.released(self.now)))
            elif group.model.graded:
                self.at_soma[self.now + synapse.axonal].append((synapse, synapse.weight * emitted))
            else:
                self.at_synapse[self.now + synapse.axonal][synapse]["pre"] += int(emitted)
        for synapse in group.incoming[i]:
            self.at_synapse[self.now + synapse.dendritic][synapse]["post"] += int(emitted)

    def _transmit(self, synapse: Synapse, spikes: int) -> None:
        for _ in range(spikes):
            synapse.change("on_pre", self.now)
            if synapse.post.model.receptors:
                size = abs(synapse.weight) if synapse.post.model.conductance else synapse.weight
                self.at_soma[self.now + synapse.dendritic].append((synapse, size))

    def spikes(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(steps, ids) of the spikes so far; a spike's step is the end of the one in which it was fired."""
        steps, ids = np.array(self.groups[name].fired, dtype=np.int64).reshape(-1, 2).T
        return steps + 1, ids

    def weights(self, projection: int) -> NDArray[np.float64]:
        """(synapses,) now."""
        return np.array([synapse.weight for synapse in self.synapses[projection]])


class Group:
    """A population: one record of state variables per neuron."""

    def __init__(self, population: Population) -> None:
        self.population, self.model, n = population, population.model, population.n
        self.dt, self.seed = population.network.dt, population.network.seed
        columns = population.arrays["state"][:, :n].T.tolist()
        self.state = [self.model.State(*column) for column in columns]  # type: ignore[attr-defined]
        self.held = [0] * n  # steps for which the neuron is still refractory
        self.inputs = [[0.0] * len(self.model.receptors) for _ in range(n)]
        self.outgoing: list[list[Synapse]] = [[] for _ in range(n)]
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
            self.state[i] = model.State(*model.advance(self.state[i], x, c, free))
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
        stream = stream_id("NOISE" if self.model.graded else "SPIKE", self.population.index)
        return [float(uniform(word)) for word in _words(self.population.n, now, stream, self.seed)]


def _words(n: int, now: int, stream: int, seed: int) -> NDArray[Any]:
    """(n,) random 32-bit words of a step, one per neuron; four neurons draw from one block of Philox."""
    blocks = np.arange(-(-n // 4))
    return np.stack(philox4x32(blocks, now & 0xFFFFFFFF, now >> 32, stream, *key(seed)), axis=1).ravel()[:n]


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

    def __post_init__(self) -> None:
        if self.release is not None:
            self.release_state = self.release.initial()
        if self.rule is not None:
            self.specs, self.p = self.rule.trace_specs(), self.rule.hook_params()
            self.traces = {spec.name: [0.0] * len(spec.taus) for spec in self.specs}

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

    def change(self, hook: str, now: int) -> None:
        """Let the rule's `on_pre` or `on_post` change the weight; it sees no spike of this time."""
        rule = self.rule
        if rule is not None and getattr(rule, hook) is not None:
            pre, post = rule.Pre(*self._seen("pre", now)), rule.Post(*self._seen("post", now))
            after = getattr(rule, hook)(self.weight / rule.w_ref, pre, post, self.p) * rule.w_ref
            self.weight = BOUNDS[rule.bounds](self.weight, after, rule.w_min, rule.w_max)

    def remember(self, spikes: Counter[str], now: int) -> None:
        """Take the spikes of this time up into the traces."""
        for spec in self.specs if self.rule is not None else ():
            z = self._decayed(spec, now)
            other = "post" if spec.side == "pre" else "pre"
            if spec.reset_by_other and spikes[other]:
                z = [0.0] * len(z)
            for _ in range(spikes[spec.side]):
                z = [value * spec.keep + 1.0 for value in z]
            self.traces[spec.name] = z
        self.since = now
