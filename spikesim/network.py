"""The network: populations, projections, recorders, and time.

    net = Network(dt=0.1, seed=7, threads=2)
    exc = net.add(LIF(), 800, name="exc")
    net.connect(exc, exc, FixedProbability(0.1), weight=45.0, delay=1.5)
    spikes = net.record(exc, "spikes")
    net.run(1000.0)

What happens in one step, and in which order, is stated in `spikesim.clock`; at a plastic synapse, in
`spikesim.plasticity`. Everything that changes while the network runs is a named array of a population or
projection (see `Network.arrays`).
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from spikesim.connecting import make_drive, make_projection
from spikesim.constraints import check_constraints
from spikesim.delays import delays
from spikesim.drive import Drive
from spikesim.errors import SpikesimError, unknown
from spikesim.guard import MAX_RATE, RateGuard, WeightGuard
from spikesim.hook_check import check_neuron_hooks
from spikesim.memory import estimate
from spikesim.neuron import Neuron
from spikesim.plasticity import Rule
from spikesim.population import Population, View
from spikesim.projection import Projection
from spikesim.record import Recorder
from spikesim.recording import make_recorder
from spikesim.rng import fresh_seed
from spikesim.running import run_until
from spikesim.script import Interrupted, Script, as_scripts, different, play_one_by_one, widen
from spikesim.short_term import ShortTermRule
from spikesim.stopping import stoppable, unbroken
from spikesim.streams import open_streams, save_spikes

ENGINES = ("clock", "event")
PRECISIONS = {"double": np.float64, "single": np.float32}
LONGEST = 2**62  # steps


class Network:
    """A network, on a clock unless told otherwise.

    dt
        ms per step; 0.1 unless given.
    seed
        of all random numbers, 0 to 2**63 - 1; without one a fresh one is drawn, printed, and kept in `seed`.
    threads
        worker threads; the result does not depend on their number, to the last bit.
    precision
        "double" (default) or "single".
    max_rate
        Hz; a run stops with RunError when a population that sends spikes to others fires more than that, on average
        over 100 ms: its activity has exploded. None: it goes on.
    engine
        "clock", or "event": spikes at real-valued times, without a step (see `spikesim.event`).

    Raises SpikesimError for values out of range.
    """

    engine = "clock"
    matrices = True  # whether all pairs of two populations are kept as a matrix
    make_delays: Any = staticmethod(delays)
    PACE = 1000, 10**6  # steps between two looks at the world outside: at first, and at most

    def __new__(cls, *, engine: str = "clock", **given: Any) -> Network:
        if engine not in ENGINES:
            raise unknown("Network", "engine", str(engine), ENGINES)
        if engine == "event" and cls is Network:
            from spikesim.event.network import EventNetwork as cls  # late, for who has a clock need not know it
        return super().__new__(cls)

    def __init__(
        self, *, dt: float | None = None, seed: int | None = None, threads: int = 1, precision: str = "double",
        max_rate: float | None = MAX_RATE, engine: str = "clock",
    ) -> None:  # fmt: skip
        dt = 0.1 if dt is None else dt
        if not (isinstance(dt, (int, float)) and 0 < dt < float("inf")):
            raise SpikesimError(f"Network: dt must be a positive number of ms, not {dt!r}.")
        if not (isinstance(threads, (int, np.integer)) and threads >= 1):
            raise SpikesimError(f"Network: threads must be a whole number from 1 on, not {threads!r}.")
        self.guard, self.weight_guard = RateGuard(max_rate), WeightGuard()
        if precision not in PRECISIONS:
            raise unknown("Network", "precision", str(precision), PRECISIONS)
        if seed is None:
            seed = fresh_seed()
            print(f"spikesim: seed {seed}", file=sys.stderr)
        if not (isinstance(seed, (int, np.integer)) and 0 <= seed < 2**63):
            raise SpikesimError(f"Network: seed must be a whole number from 0 to 2**63 - 1, not {seed!r}.")
        self.dt, self.seed, self.threads, self.precision = float(dt), int(seed), int(threads), precision
        self.dtype = PRECISIONS[precision]
        self.step = 0
        self.populations: list[Population] = []
        self.projections: list[Projection] = []
        self.drives: list[Drive] = []
        self.recorders: list[Recorder] = []
        self.description: dict[str, Any] = {}  # what files say of the network: its name, its parameters
        self.seconds = {"build": 0.0, "compile": 0.0, "run": 0.0}
        self._writers: dict[str, Any] = {}
        self.events: set[str] = set()
        self._engine: Any = None
        self._dirty = True

    # Building ---------------------------------------------------------------------------------------------

    def add(self, model: Neuron, n: int, name: str | None = None) -> Population:
        """A new population of `n` neurons of `model`. Raises SpikesimError for a name that is taken."""
        if not isinstance(model, Neuron):
            raise SpikesimError(f"Network.add takes a neuron such as LIF(), not {model!r}.")
        if not (isinstance(n, (int, np.integer)) and n >= 1):
            raise SpikesimError(f"Network.add: the number of neurons is a whole number from 1 on, not {n!r}.")
        name = name or f"{type(model).__name__}_{len(self.populations)}"
        if any(p.name == name for p in self.populations):
            raise SpikesimError(f"Network.add: there is a population {name!r} already; choose another name.")
        population = Population(self, model, int(n), name, len(self.populations))
        check_neuron_hooks(population)
        self.populations.append(population)
        self.changed()
        return population

    def connect(
        self, source: View, target: View, rule: Any, *, weight: Any = 1.0, delay: Any = None,
        plasticity: Rule | ShortTermRule | None = None, constraints: Any = (), receptor: str | None = None,
        dendritic_delay_fraction: float = 1.0, sends: str = "spikes",
    ) -> Projection:  # fmt: skip
        """Connect two populations or views by a connection rule or a SciPy sparse matrix (source, target).

        weight
            a number, an array with one value a synapse, or a distribution, in the unit of the receptor.
        delay
            ms, likewise; default one step. Put on the nearest step; at least one step.
        plasticity
            a `Rule` or `ShortTermRule`, or None for static synapses.
        constraints
            a list of `Constraint`s on plastic weights, such as `Normalisation`, applied in this order.
        receptor
            name of the target's receptor; by default the sign of the weight selects "excitatory" or
            "inhibitory", or it is the target's first.
        dendritic_delay_fraction
            how much of the delay is dendritic: 1 (NEST) to 0 (Brian 2). Matters for plastic synapses.
        sends
            "spikes", or a state variable of the source: then weight times its value, as a step left it, is added to the
            input in the step `delay` after, as the weight of a spike is. One receptor and no plasticity.

        Raises SpikesimError for anything that does not fit, before anything compiles.
        """
        for view in (source, target):
            if not isinstance(view, View) or view.population.network is not self:
                raise SpikesimError(f"Network.connect takes populations or views of this network, not {view!r}.")
        projection = make_projection(
            self, source, target, rule, weight=weight, delay=self.dt if delay is None else delay,
            plasticity=plasticity, receptor=receptor, dendritic_delay_fraction=dendritic_delay_fraction, sends=sends,
        )  # fmt: skip
        projection.constraints = check_constraints(projection, constraints)
        self.projections.append(projection)
        self.changed()
        return projection

    def drive(
        self, target: Population, *, rate: Any, weight: Any, receptor: str | None = None, delay: float | None = None
    ) -> Drive:
        """Give every neuron of a population Poisson input of its own: spikes at `rate` (Hz) of `weight` each.

        rate, weight
            a number, an array with one value a neuron, or a distribution; weight in the unit of the receptor, by
            default the one that its sign selects.
        delay
            ms before the first input arrives; default one step.

        The same as one `PoissonSource` per neuron connected `OneToOne`, only faster, and what the sources fire cannot
        be recorded. Raises SpikesimError for what does not fit.
        """
        if not isinstance(target, Population) or target.network is not self:
            raise SpikesimError(f"Network.drive takes a population of this network, not {target!r}.")
        drive = make_drive(self, target, rate, weight, receptor, self.dt if delay is None else delay)
        self.drives.append(drive)
        self.changed()
        return drive

    def record(
        self, what: View | Projection, variable: str, *, every: float | str | None = None, to: Any = None,
        synapses: Any = None, sample: int | None = None,
    ) -> Any:  # fmt: skip
        """Record "spikes", "rate" or a state variable of a population or view, or "weights" of a projection.

        every
            ms between samples (state: default dt; rate: default 1). Weights: ms between snapshots, or "change" to
            record each change of some synapses, which is the default where they are chosen.
        to
            a file to stream spikes (SONATA in HDF5) or weights (HDF5) to while the network runs.
        synapses, sample
            of a projection, the numbers of the synapses to record, or how many to choose at random; default all.
        """
        recorder = make_recorder(self, what, variable, every, None if to is None else str(to), synapses, sample)
        self.recorders.append(recorder)
        self.changed()
        return recorder

    def whole_steps(self, duration: float, what: str) -> int:
        """`duration` (ms) in whole steps; raises SpikesimError when it is not a positive multiple of dt."""
        steps = duration / self.dt if isinstance(duration, (int, float, np.number)) else float("nan")
        if not (0.5 < steps < LONGEST and abs(steps - round(steps)) < 1e-6 * max(1.0, steps)):
            raise SpikesimError(f"{what} must be a positive multiple of dt = {self.dt:g} ms, not {duration!r}.")
        return round(steps)

    # Time -------------------------------------------------------------------------------------------------

    @property
    def time(self) -> float:
        """ms since the beginning: an integer number of steps times dt, never a running sum."""
        return self.step * self.dt

    def changed(self) -> None:
        """Something was added or laid out anew: the next run builds its tables again. State is kept."""
        self._dirty = True
        self.events = {e for p in self.populations for e in p.model.events}
        self.events |= {e for p in self.projections if p.rule is not None for e in p.rule.named_events()}

    def prepare(self) -> None:
        """Build and compile what `run` needs. `run` does so itself; call it to keep that out of a timing.

        Raises SpikesimError for a network that does not fit into memory.
        """
        if not self._dirty:
            return
        from spikesim.clock.engine import ClockEngine  # late, so that `import spikesim` stays light

        if self._engine is None:
            estimate(self).check(repr(self))
        open_streams(self, self._writers)  # before anything compiles: a path that cannot be written is told at once
        if self._engine is not None:
            self._engine.close()
        self._engine = ClockEngine(self)
        self.weight_guard.begin(self)
        self._dirty = False

    def run(self, duration: float, *, progress: bool = False) -> None:
        """Run for `duration` ms. `progress` shows a bar if stderr is a terminal.

        Ctrl-C stops after the current block of steps: recorders and files hold all up to there, `time` tells
        how far it came, and KeyboardInterrupt is raised.
        """
        steps = self.whole_steps(duration, "run: duration")
        self.prepare()
        with stoppable(lambda: self._engine.interrupt()) as stopped:
            run_until(self, self.step + steps, self._engine.run, stopped, progress)
        if stopped:
            raise KeyboardInterrupt

    def play(self, scripts: Script | Iterable[Script], *, progress: bool = False) -> None:
        """Do what scripts say, one after the other: the same as calling `set`, `run` and `trigger`, only faster.

        After Ctrl-C the script that is being played is played to its end; then Interrupted, a KeyboardInterrupt, is
        raised, which tells how many are over. Raises SpikesimError for scripts of another network, and RunError as
        `run` does.
        """
        from spikesim.clock.playing import Player, playable

        found = as_scripts(self, scripts)
        self.prepare()
        with stoppable(lambda: self._engine.interrupt()) as stopped:
            actions = different(found)
            if playable(self, self._engine, actions):
                widen(self, actions)
                player = Player(self._engine, found, actions, stopped)
                last = self.step + player.steps
                try:
                    run_until(self, last, player.advance, stopped, progress, lambda: player.between)
                    if not stopped:
                        self.step = player.advance(self.step, last)  # what follows the last step
                finally:
                    player.settle()
                played = player.finished
            else:
                played = play_one_by_one(self, found, stopped)
        if stopped:
            raise Interrupted(played)

    def trigger(self, event: str) -> None:
        """Let every neuron model and rule that has a hook `on_<event>` apply it, now, between two steps; synapses whose
        rule has hooks for spikes, too, do so in the step that follows, before the spikes that reach them then."""
        if event not in self.events:
            raise unknown("this network", "event", event, self.events)
        self.prepare()
        self._engine.trigger(event)

    def connectivity_digest(self) -> str:
        """sha256 of all synapses as they were made, by which two networks are compared; plastic ones before they
        learned."""
        return hashlib.sha256(b"".join(p.digest().encode() for p in self.projections)).hexdigest()

    # State ------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Neurons back to their initial state, no spikes in flight, no traces; weights and what neurons learned
        stay, time goes on."""
        self.prepare()
        for projection in self.projections:
            if projection.plastic and not projection.dense:
                projection.runtime.set_weights(projection.runtime.current_weights())
        for population in self.populations:
            population.reset()
        for projection in self.projections:
            for name, array in projection.arrays.items():
                if not name.startswith(projection.kept):
                    array[...] = 0
        self._engine.reset()

    def arrays(self) -> dict[str, Any]:
        """Every array that the network's future depends on, by name."""
        self.prepare()
        owners = [(p.name, p) for p in self.populations] + [(f"projection {p.index}", p) for p in self.projections]
        return {f"{label}/{name}": array for label, owner in owners for name, array in owner.arrays.items()}

    def store(self) -> dict[str, Any]:
        """The state now, to be given to `restore`. Recorders are not part of it."""
        arrays = {name: array.copy() for name, array in self.arrays().items()}
        return {"step": self.step, "arrays": arrays, "weights": [p.weight for p in self.projections]}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to a state that `store` gave, of this network as it is built now.

        Recorders forget what they recorded after that time. Raises SpikesimError if the network was changed since,
        or if anything is being streamed to a file, which cannot forget.
        """
        if self._writers:
            raise SpikesimError("Network.restore: a recorder's data are streamed to a file, where time cannot go back.")
        arrays = self.arrays()
        if {n: a.shape for n, a in arrays.items()} != {n: a.shape for n, a in state["arrays"].items()}:
            raise SpikesimError("Network.restore: the network has been changed since this state was stored.")
        for name, array in arrays.items():
            array[...] = state["arrays"][name]
        self.step = state["step"]
        for projection, weight in zip(self.projections, state["weights"], strict=True):
            if projection.weight is not weight:  # it was set since then, and its sign may select another receptor
                projection.weight = weight
                self.changed()
        for recorder in self.recorders:
            recorder.rewind(self.step)
        for population in self.populations:
            population.refresh()
        self._engine.refill()
        self.guard.begin(self)

    # Files ------------------------------------------------------------------------------------------------

    def checkpoint(self, path: Any, *, every: float | None = None) -> None:
        """Write all that the network's future depends on to an HDF5 file; with `every`, once in so many minutes while
        it runs.

        A checkpoint that is there is replaced when the new one is whole and on disk. Raises SpikesimError for a path
        that cannot be written, and for models or rules that cannot be kept, see docs/files.md.
        """
        from spikesim.resume import Regularly, save

        if every is not None:
            self.recorders.append(Regularly(path, every, lambda where: save(self, where)))
        save(self, path)

    @staticmethod
    def resume(path: Any, *, threads: int | None = None, allow_changed: bool = False) -> Network:
        """The network of a checkpoint, which goes on as if it had not been interrupted, to the last bit.

        threads
            worker threads; default: as many as it had. Does not change the result.
        allow_changed
            go on also where spikesim or a class of yours has changed since; what follows may then differ.

        Raises SpikesimError for a file that is not a whole checkpoint or is of another version, for a class that cannot
        be imported, and for a file with recorded data that is gone.
        """
        from spikesim.resume import load

        return load(path, threads, allow_changed)

    def save_spikes(self, path: Any) -> None:
        """Write all spikes recorded in memory to a SONATA file."""
        save_spikes(self, str(path))

    def close(self, completed: bool = True) -> None:
        """Finish the files that recorders stream to, and let the worker threads go."""
        with unbroken():
            for writer in self._writers.values():
                writer.close(completed, self.time)
            if self._engine is not None:
                self._engine.close()
                self._engine, self._dirty = None, True

    def __enter__(self) -> Network:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        self.close(completed=kind is None)

    def __repr__(self) -> str:
        synapses = sum(p.expected for p in self.projections)
        return (f"<Network of {sum(p.n for p in self.populations)} neurons, {synapses:.0f} synapses, "
                f"dt={self.dt:g} ms, seed={self.seed}, t={self.time:g} ms>")  # fmt: skip
