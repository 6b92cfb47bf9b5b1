"""Networks in checkpoints: how they are made, so that they can be made again, and their state.

`Network.checkpoint` and `Network.resume` come here. A network that was built in Python is kept as what was said of it:
models and their parameters, connection rules, weights, delays, rules, constraints, drives, recorders. Random numbers
are functions of the seed, so synapses that were drawn are drawn again; those that were listed are kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.as_data import from_data, to_data
from spikesim.checkpoint import Checkpoint, check_place_of, read_checkpoint, write_checkpoint
from spikesim.connecting import check_rule
from spikesim.delays import Delays
from spikesim.drive import Drive
from spikesim.errors import SpikesimError
from spikesim.projection import Projection
from spikesim.record import Recorder, WeightRecorder
from spikesim.rng import Stream
from spikesim.state import Arrays, put_state, recorders, state_of, values_from_data, values_to_data
from spikesim.stopping import unbroken
from spikesim.wiring import Listed

if TYPE_CHECKING:
    from spikesim.network import Network
    from spikesim.population import Population, View

KIND = "network"


def save(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a checkpoint of a network. Raises SpikesimError for what cannot be kept or written."""
    arrays: Arrays = {}
    state = state_of(network, arrays)
    write_checkpoint(path, KIND, {"network": described(network, arrays), "state": state}, arrays)


class Regularly(Recorder):
    """Keeps what runs in the file `path`, once in so many `minutes`. It is among the recorders of a network, for these
    are asked for what they have several times a second. Raises SpikesimError where the file cannot be written."""

    def __init__(self, path: str | os.PathLike[str], minutes: float, write: Callable[[Path], None]) -> None:
        if not (isinstance(minutes, (int, float)) and minutes >= 0):
            raise SpikesimError(f"checkpoints: every is a number of minutes, not {minutes!r}.")
        self.path, self.every, self.write = Path(os.path.realpath(path)), 60.0 * minutes, write
        self.last = time.monotonic()
        check_place_of(self.path)

    def drain(self, step: int) -> None:
        self.look()

    def look(self) -> None:
        """Write if it is time."""
        if time.monotonic() - self.last >= self.every:
            self.save()

    def save(self) -> None:
        """Write now. Raises SpikesimError for what cannot be kept or written."""
        with unbroken():
            self.write(self.path)
        self.last = time.monotonic()


def load(path: str | os.PathLike[str], threads: int | None, allow_changed: bool) -> Network:
    """The network that `save` wrote. Raises SpikesimError where it cannot be had."""
    return network_of(read_checkpoint(path, allow_changed=allow_changed), threads, allow_changed)


def network_of(found: Checkpoint, threads: int | None, allow_changed: bool) -> Network:
    """The network in a checkpoint that has been read."""
    if found.kind != KIND:
        raise SpikesimError(f"{found.path} is a checkpoint of a {found.kind}: give it to `spikesim resume`.")
    network = made(found.attrs["network"], found.arrays, threads, allow_changed)
    put_state(network, found.attrs["state"], found.arrays, allow_changed)
    return network


# How it is made -----------------------------------------------------------------------------------------------


def described(network: Network, arrays: Arrays) -> dict[str, Any]:
    """What has to be known to make the network again, as data."""
    return {
        "dt": network.dt, "seed": network.seed, "threads": network.threads, "precision": network.precision,
        "max_rate": network.guard.max_rate,
        "description": to_data(network.description, arrays, "Network.description"),
        "populations": [
            {"name": p.name, "n": p.n, "model": to_data(p.model, arrays, f"population {p.name!r}")}
            for p in network.populations
        ],
        "projections": [_projection(p, arrays) for p in network.projections],
        "drives": [_drive(d, arrays) for d in network.drives],
        "recorders": [_recorder(r, network, arrays) for r in recorders(network)],
    }  # fmt: skip


def made(data: dict[str, Any], arrays: Arrays, threads: int | None, allow_changed: bool = False) -> Network:
    """The network that is described, as it was at first."""
    from spikesim.network import Network

    network = Network(dt=data["dt"], seed=data["seed"], threads=threads or data["threads"],
                      precision=data["precision"], max_rate=data["max_rate"])  # fmt: skip
    network.description = from_data(data["description"], arrays)
    for each in data["populations"]:
        network.add(from_data(each["model"], arrays, allow_changed), each["n"], name=each["name"])
    for each in data["projections"]:
        network.projections.append(_made_projection(network, each, arrays, allow_changed))
    for each in data["drives"]:
        given = {**each, "rate": arrays[each["rate"]], "weight": arrays[each["weight"]]}
        population = network.populations[given.pop("population")]
        network.drives.append(Drive(population, len(network.drives), **given))
    for each in data["recorders"]:
        _record(network, from_data(each, arrays))
    network.changed()
    return network


def _projection(p: Projection, arrays: Arrays) -> dict[str, Any]:
    owner = repr(p)
    if p.index != p.network.projections.index(p):
        raise SpikesimError(f"{owner}: the network is not as `connect` made it, so it cannot be made again.")
    data = {
        "source": p.source.index, "target": p.target.index, "receptor": p.receptor,
        "dendritic_delay_fraction": p.dendritic_delay_fraction, "wiring": None, "sends": p.sends,
        "weight": values_to_data(p.weight, arrays, owner), "delay": values_to_data(p.delay.ms, arrays, owner),
        "rule": to_data(p.rule or p.short_term, arrays, owner),
        "constraints": to_data(list(p.constraints), arrays, owner),
    }  # fmt: skip
    if isinstance(p.wiring, Listed):
        data["wiring"] = to_data({"sources": p.wiring.sources, "targets": p.wiring.targets}, arrays, owner)
    elif p.wiring is not None:
        rule, sources, targets = p.made_by
        made_by = {"rule": rule, "sources": _ids(p.source, sources), "targets": _ids(p.target, targets)}
        data["wiring"] = to_data(made_by, arrays, owner)
    return data


def _made_projection(network: Network, data: dict[str, Any], arrays: Arrays, allow_changed: bool) -> Projection:
    index = len(network.projections)
    source, target = network.populations[data["source"]], network.populations[data["target"]]
    wiring = from_data(data["wiring"], arrays, allow_changed)
    if wiring is not None and "rule" not in wiring:
        wiring = Listed(**wiring)
    elif wiring is not None:
        ends = _view(source, wiring["sources"]).ids, _view(target, wiring["targets"]).ids
        rule, stream = wiring["rule"], Stream(network.seed, "CONNECT", index)
        wiring = rule.wire(*ends, source is target, stream, network.threads)
    weight, delay = (
        values_from_data(data[name], arrays, Stream(network.seed, name.upper(), index), allow_changed)
        for name in ("weight", "delay")
    )
    projection = Projection(
        network, index, source, target, wiring=wiring, weight=weight, delay=Delays(delay, network.dt),
        rule=from_data(data["rule"], arrays, allow_changed), receptor=data["receptor"],
        dendritic_delay_fraction=data["dendritic_delay_fraction"], sends=data["sends"],
    )  # fmt: skip
    if wiring is None:
        projection.arrays["weights"] = np.zeros((source.n, target.n_padded), dtype=network.dtype)
    elif not isinstance(wiring, Listed):
        projection.made_by = rule, *ends
    if projection.rule is not None:
        check_rule(projection)
    projection.constraints = tuple(from_data(data["constraints"], arrays, allow_changed))
    return projection


def _drive(drive: Drive, arrays: Arrays) -> dict[str, Any]:
    names = {name: f"drive {drive.index}/{name}" for name in ("rate", "weight")}
    arrays.update({names[name]: getattr(drive, name) for name in names})
    return {"population": drive.population.index, "receptor": drive.receptor, "delay_steps": drive.delay_steps, **names}


def _recorder(recorder: Recorder, network: Network, arrays: Arrays) -> Any:
    """What `Network.record` is to be given."""
    r: Any = recorder
    to = network._writers[r.to].path if getattr(r, "to", None) is not None else None
    data = {"every": getattr(r, "every", None), "to": to}
    if hasattr(r, "projection"):
        snapshots = isinstance(r, WeightRecorder)
        data |= {"projection": r.projection.index, "variable": "weights"}
        data |= {"synapses": r._chosen if snapshots else r.chosen}
    else:
        variable = {"SpikeRecorder": "spikes", "RateRecorder": "rate"}.get(type(r).__name__) or r.variable
        data |= {"population": r.population.index, "ids": _ids(r.population, r.view.ids), "variable": variable}
    return to_data(data, arrays, type(r).__name__)


def _record(network: Network, data: dict[str, Any]) -> None:
    every = None if data["every"] is None else data["every"] * network.dt
    if "projection" in data:
        what: Any = network.projections[data["projection"]]
        network.record(what, "weights", every="change" if every is None else every, to=data["to"],
                       synapses=data["synapses"])  # fmt: skip
    else:
        view = _view(network.populations[data["population"]], data["ids"])
        network.record(view, data["variable"], every=every, to=data["to"])


def _ids(population: Population, ids: Any) -> Any:
    """The ids of a view; None for a whole population."""
    return None if len(ids) == population.n and (ids == population.ids).all() else ids


def _view(population: Population, ids: Any) -> View:
    return population if ids is None else population[ids]
