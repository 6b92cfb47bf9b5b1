"""Everything that a network's future depends on and that changes while it runs, for checkpoints.

`state_of` gives it as JSON and arrays, `put_state` brings a network of the same make to it, whatever its number of
threads. How a network is made is not part of it; `spikesim.resume` keeps that, or a published network's name does.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from spikesim.as_data import from_data, to_data
from spikesim.change_recorder import ChangeRecorder
from spikesim.checkpoint import to_disk
from spikesim.continued import Continued
from spikesim.errors import SpikesimError
from spikesim.record import RateRecorder, Recorder, SpikeRecorder, StateRecorder, WeightRecorder
from spikesim.rng import Stream
from spikesim.values import Drawn, Given, Same, Values

if TYPE_CHECKING:
    from spikesim.network import Network
    from spikesim.population import Population

Arrays = dict[str, Any]
RECORDERS = (SpikeRecorder, StateRecorder, RateRecorder, WeightRecorder, ChangeRecorder)


def recorders(network: Network) -> list[Recorder]:
    """Those that `Network.record` made."""
    return [recorder for recorder in network.recorders if isinstance(recorder, RECORDERS)]


def state_of(network: Network, arrays: Arrays) -> dict[str, Any]:
    """The state of a network between two runs; its arrays are added to `arrays`.

    What its recorders stream to files is brought to disk. Raises SpikesimError for what cannot be kept.
    """
    network.prepare()
    from spikesim.clock.portable import gathered

    for writer in network._writers.values():
        if not writer.closed:
            writer.flush(network.time)
        to_disk(writer.path)
    arrays.update((f"state/{name}", array) for name, array in gathered(network._engine).items())
    guard = network.guard
    return {
        "step": network.step,
        "guards": [guard._since, guard._before, network.weight_guard._since],
        "populations": [_population(p, arrays) for p in network.populations],
        "weights": [values_to_data(p.weight, arrays, repr(p)) for p in network.projections],
        "recorders": [to_data(r.held(), arrays, f"{type(r).__name__}") for r in recorders(network)],
        "streams": sorted(os.fspath(writer.path) for writer in network._writers.values()),
    }


def put_state(network: Network, state: dict[str, Any], arrays: Arrays, allow_changed: bool = False) -> None:
    """Bring a network that was made alike, and has not run, to a state that `state_of` gave.

    Files that recorders stream to are gone on with. Raises SpikesimError where the network does not fit.
    """
    network.step = state["step"]
    made: dict[str, list[Any]] = {
        "populations": network.populations,
        "weights": network.projections,
        "recorders": recorders(network),
    }
    for what, found in made.items():
        if len(found) != len(state[what]):
            raise SpikesimError(f"the checkpoint has {len(state[what])} {what}, not {len(found)}: the network is "
                                "made differently now.")  # fmt: skip
    for population, held in zip(network.populations, state["populations"], strict=True):
        _put_population(population, from_data(held, arrays, allow_changed))
    for projection, held in zip(network.projections, state["weights"], strict=True):
        stream = Stream(network.seed, "WEIGHT", projection.index)
        projection.weight = values_from_data(held, arrays, stream, allow_changed)
    for recorder, held in zip(recorders(network), state["recorders"], strict=True):
        recorder.take(from_data(held, arrays))
    _go_on_with_files(network, state["streams"])
    network.changed()
    network.prepare()
    from spikesim.clock.portable import scattered

    scattered(network._engine, {n.removeprefix("state/"): a for n, a in arrays.items() if n.startswith("state/")})
    network._engine.refill()
    network.guard._since, network.guard._before, network.weight_guard._since = state["guards"]
    network.guard.look(network)  # which was still to come where the network was kept while it ran
    network.weight_guard.look(network, -1)


def _population(p: Population, arrays: Arrays) -> Any:
    model = p.model
    held = {"draws": p._draws, "emitted": int(p.emitted.sum()), "first_state": p.first_state,
            "most": model.max_spikes, "model": model if model.replays else None,
            "values": {} if model.replays else p.values}  # fmt: skip
    return to_data(held, arrays, f"population {p.name!r} ({type(model).__name__})")


def _put_population(p: Population, held: dict[str, Any]) -> None:
    if held["model"] is not None:  # trains that were set later
        p.model = held["model"]
        p.schedule = p.model.schedule(p.n, p.network.dt)  # type: ignore[attr-defined]
        p.model.max_spikes = held["most"]  # room for what is in flight
    p._draws, p.values = held["draws"], {**p.values, **held["values"]}
    p.emitted[0] = held["emitted"]
    if p.first_state.shape != held["first_state"].shape:
        raise SpikesimError(f"{p!r} has other state variables, or another size, than in the checkpoint.")
    p.first_state = held["first_state"]
    p.refresh()


def _go_on_with_files(network: Network, streams: list[str]) -> None:
    by_path: dict[str, list[Any]] = {}
    for recorder in recorders(network):
        if getattr(recorder, "to", None) is not None:
            by_path.setdefault(recorder.to, []).append(recorder)  # type: ignore[attr-defined]
    for path, streaming in by_path.items():
        if os.path.realpath(path) in streams:
            writer = Continued(os.path.realpath(path), streaming, network.step, network.dt, network.seed)
            network._writers[path] = writer
            for recorder in streaming:
                recorder.writer = writer


def values_to_data(values: Values, arrays: Arrays, owner: str) -> Any:
    """A number for every synapse, as data."""
    if isinstance(values, Same):
        return {"same": values.value}
    if isinstance(values, Given):
        return {"given": to_data(values.array, arrays, owner)}
    assert isinstance(values, Drawn)
    return {"drawn": to_data(values.distribution, arrays, owner), "limits": list(values.limits)}


def values_from_data(data: Any, arrays: Arrays, stream: Stream, allow_changed: bool = False) -> Values:
    """What `values_to_data` was given; what is drawn is drawn from `stream`."""
    if "same" in data:
        return Same(data["same"])
    if "given" in data:
        return Given(from_data(data["given"], arrays))
    drawn = Drawn(from_data(data["drawn"], arrays, allow_changed), stream)
    drawn.limits = tuple(data["limits"])
    return drawn
