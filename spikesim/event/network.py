"""`Network(engine="event")`: the same calls, and no clock."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.event.delays import real_delays
from spikesim.event.moments import PS, STEP, picoseconds
from spikesim.network import LONGEST, Network
from spikesim.neuron import Neuron
from spikesim.population import Population
from spikesim.streams import open_streams


class EventNetwork(Network):
    """A network without a clock: spikes have real-valued times, exact to rounding (see `spikesim.event`).

    Where something is counted, such as the time of a sample, it is counted in picoseconds: `dt` is 1e-9 ms. Delays and
    the intervals of samples have no default. The number of threads plays no part: one works.

    Raises SpikesimError for what this engine does not have.
    """

    engine = "event"
    matrices = False
    make_delays = staticmethod(real_delays)
    PACE = 10**9, 1 << 60

    def __init__(self, *, dt: float | None = None, precision: str = "double", **given: Any) -> None:
        if dt is not None:
            raise SpikesimError("Network: engine 'event' has no step; leave dt out, or use engine='clock'.")
        if precision != "double":
            raise SpikesimError("Network: engine 'event' knows precision='double' only; use engine='clock' for others.")
        super().__init__(dt=STEP, **given)

    # Building -----------------------------------------------------------------------------------------------------

    def add(self, model: Neuron, n: int, name: str | None = None) -> Population:
        if isinstance(model, Neuron) and "event" not in model.engines():
            known = " and ".join(map(repr, model.engines()))
            raise SpikesimError(
                f"Network.add: {type(model).__name__} runs on engine {known}, not on 'event'; make the network with "
                f"engine='clock', or use one of: {', '.join(event_models())}."
            )
        return super().add(model, n, name)

    def connect(self, source: Any, target: Any, rule: Any, **given: Any) -> Any:
        from spikesim.event.plasticity import check_supported

        if given.get("delay") is None:
            raise SpikesimError("Network.connect: engine 'event' has no step for a default delay; give delay= (ms).")
        projection = super().connect(source, target, rule, **given)
        try:
            check_supported(projection)
        except SpikesimError:
            self.projections.pop()
            raise
        return projection

    def drive(self, target: Any, **given: Any) -> Any:
        raise SpikesimError(
            "Network.drive: engine 'event' has none; connect a PoissonSource by OneToOne(), which is the same, or use "
            "engine='clock'."
        )

    def record(self, what: Any, variable: str, *, every: Any = None, **given: Any) -> Any:
        from spikesim.event.recorders import event_recorder

        if every is None and variable not in ("spikes", "rate", "weights"):
            raise SpikesimError(f"Network.record: engine 'event' has no step; give every=, the ms between two "
                                f"samples of {variable}.")  # fmt: skip
        made = super().record(what, variable, every=every, **given)
        self.recorders.pop()
        recorder = event_recorder(self, made)
        self.recorders.append(recorder)
        return recorder

    def whole_steps(self, duration: float, what: str) -> int:
        """`duration` (ms) in picoseconds; raises SpikesimError when it is none or not positive."""
        ps = float(picoseconds(duration)) if isinstance(duration, (int, float, np.number)) else float("nan")
        if not 0.5 < ps < LONGEST:
            raise SpikesimError(f"{what} must be a positive number of ms, not {duration!r}.")
        return round(ps)

    # Time ---------------------------------------------------------------------------------------------------------

    @property
    def time(self) -> float:
        """ms since the beginning: whole picoseconds, in ms."""
        return self.step / PS

    @property
    def event_count(self) -> int:
        """Spikes and arrivals at synapses so far."""
        return 0 if self._engine is None else int(self._engine.events)

    def prepare(self) -> None:
        if not self._dirty:
            return
        from spikesim.event.engine import EventEngine  # late, for it needs the compiler

        open_streams(self, self._writers)
        self._engine = EventEngine(self, self._engine)
        self.weight_guard.begin(self)
        self._dirty = False

    def run(self, duration: float, *, progress: bool = False) -> None:
        self.prepare()
        self._engine.sync()
        try:
            super().run(duration, progress=progress)
        finally:
            self._engine.show()

    def play(self, scripts: Any, *, progress: bool = False) -> None:
        raise SpikesimError("Network.play: engine 'event' plays no scripts; call run and set, or use engine='clock'.")

    def trigger(self, event: str) -> None:
        raise SpikesimError("Network.trigger: engine 'event' has no named events; use engine='clock'.")

    # State --------------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        self.prepare()
        for population in self.populations:
            kept = {name: array.copy() for name, array in population.arrays.items() if name.startswith("event/")}
            population.reset()
            for name, array in kept.items():
                population.arrays[name][...] = array
        for projection in self.projections:
            if projection.plastic:
                projection.runtime.reset()
        self._engine.reset()

    def store(self) -> dict[str, Any]:
        self.prepare()
        self._engine.sync()  # what was set since the last run counts
        state = super().store()
        return {**state, "in_flight": self._engine.in_flight()}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self._engine.restored(state["in_flight"])

    def checkpoint(self, path: Any, *, every: float | None = None) -> None:
        raise SpikesimError("Network.checkpoint: engine 'event' writes no checkpoints yet; store() keeps the state in "
                            "memory, or use engine='clock'.")  # fmt: skip

    def close(self, completed: bool = True) -> None:
        engine = self._engine
        super().close(completed)
        self._engine = engine  # which knows what is in flight

    def __repr__(self) -> str:
        synapses = sum(p.expected for p in self.projections)
        return (f"<Network of {sum(p.n for p in self.populations)} neurons, {synapses:.0f} synapses, "
                f"engine 'event', seed={self.seed}, t={self.time:g} ms>")  # fmt: skip


def event_models() -> list[str]:
    """The names of all models that this engine can run."""
    from spikesim.registry import discover

    return sorted(name for name, model in discover("neuron").items() if model.event is not None)
