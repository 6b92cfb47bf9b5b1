"""The engine's state in a form that does not depend on the number of threads, for checkpoints.

Most arrays of populations and projections are laid out by neuron, and are kept as they are. Three kinds are not:

- rings of spikes have a place for each thread: of each row the spikes are listed, and how many there are;
- synapses lie in a table for each thread: they are put in the order in which they were made;
- rules that come apart keep sums for the delays that a thread has: they are put side by side for all delays. So is what
  is known of presynaptic spikes where postsynaptic ones are replayed; those that were served are replayed first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.clock.events import EventRuntime
from spikesim.clock.lazy_synapses import LazyRuntime
from spikesim.clock.local_runtime import LocalRuntime
from spikesim.clock.replay_synapses import ReplayRuntime
from spikesim.clock.static_tables import places
from spikesim.clock.visited import VisitedRuntime
from spikesim.errors import SpikesimError

if TYPE_CHECKING:
    from spikesim.clock.engine import ClockEngine
    from spikesim.population import Population
    from spikesim.projection import Projection

Arrays = dict[str, Any]
RINGS = ("spike_ids", "spike_counts", "short_term/amplitudes")


def gathered(engine: ClockEngine) -> Arrays:
    """name -> array, of all that the network's future depends on but its parameters."""
    found: Arrays = {}
    for p in engine.network.populations:
        _add(found, f"population {p.index}", _whole(p.arrays))
        if "spike_ids" in p.arrays:
            spikes = p.arrays["spike_ids"].ravel()[_occupied(engine, p)]
            _add(found, f"population {p.index}", {"spikes": spikes, "spikes_in_row": _row_counts(p)})
    for projection in engine.network.projections:
        label = f"projection {projection.index}"
        _add(found, label, _whole(projection.arrays))
        if "short_term/amplitudes" in projection.arrays:
            amplitudes = projection.arrays["short_term/amplitudes"].ravel()
            _add(found, label, {"amplitudes": amplitudes[_occupied(engine, projection.source)]})
        if isinstance(projection.runtime, ReplayRuntime):
            projection.runtime.serve()
            _add(found, label, _gathered_rows(projection.runtime))
        if in_tables(projection):
            _add(found, label, _gathered_synapses(projection))
        if isinstance(projection.runtime, LazyRuntime):
            _add(found, label, _gathered_sums(projection.runtime))
    return found


def scattered(engine: ClockEngine, held: Arrays) -> None:
    """Put what `gathered` gave, by whatever number of threads, where this engine has it.

    Raises SpikesimError where the network is not the one that it came from.
    """
    for p in engine.network.populations:
        mine = _Held(f"population {p.index}", repr(p), held)
        mine.fill(_whole(p.arrays))
        if "spike_ids" in p.arrays:
            _scatter_spikes(engine, p, mine)
    for projection in engine.network.projections:
        mine = _Held(f"projection {projection.index}", repr(projection), held)
        mine.fill(_whole(projection.arrays))
        if "short_term/amplitudes" in projection.arrays:
            occupied = _occupied(engine, projection.source)
            projection.arrays["short_term/amplitudes"].ravel()[occupied] = mine.get("amplitudes", occupied.shape)
        if in_tables(projection):
            _scatter_synapses(projection, mine)
        if isinstance(projection.runtime, LazyRuntime):
            _scatter_sums(projection.runtime, mine)
        if isinstance(projection.runtime, ReplayRuntime):
            _scatter_rows(projection.runtime, mine)


class _Held:
    """The arrays of one population or projection."""

    def __init__(self, label: str, owner: str, held: Arrays) -> None:
        self.label, self.owner, self.held = label, owner, held

    def get(self, name: str, shape: Any = None) -> Any:
        array = self.held.get(f"{self.label}/{name}")
        if array is None or shape is not None and array.shape != tuple(shape):
            raise SpikesimError(f"{self.owner} is not the one of the checkpoint: there, {name!r} is "
                                f"{'missing' if array is None else f'of shape {array.shape}'}.")  # fmt: skip
        return array

    def fill(self, arrays: Arrays) -> None:
        for name, array in arrays.items():
            array[...] = self.get(name, array.shape)


def _add(found: Arrays, label: str, arrays: Arrays) -> None:
    found.update({f"{label}/{name}": array for name, array in arrays.items()})


def _whole(arrays: Arrays) -> Arrays:
    """Those that do not depend on threads."""
    return {name: a for name, a in arrays.items() if name not in RINGS and not name.rpartition("/")[2].isdigit()}


# Spikes -------------------------------------------------------------------------------------------------------


def _row_counts(population: Population) -> Any:
    return population.arrays["spike_counts"].sum(axis=1, dtype=np.int64)


def _occupied(engine: ClockEngine, population: Population) -> Any:
    """The places in a ring, seen as one row, that have a spike; by row, and in a row by id."""
    counts = population.arrays["spike_counts"]
    row_size = population.arrays["spike_ids"].shape[1]
    begins = (np.arange(len(counts))[:, None] * row_size + engine.starts[population.index]).ravel()
    counts = counts.ravel().astype(np.int64)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(begins, counts) + within


def _scatter_spikes(engine: ClockEngine, population: Population, mine: _Held) -> None:
    counts = population.arrays["spike_counts"]
    in_row, ids = mine.get("spikes_in_row", counts.shape[:1]), mine.get("spikes")
    ends = [hi for _, hi in engine.ranges[population.index]]
    threads = np.searchsorted(ends, ids, side="right")  # a spike belongs to the first thread whose range ends after it
    cells = np.repeat(np.arange(len(counts)), in_row) * engine.n_threads + threads
    counts[...] = np.bincount(cells, minlength=counts.size).reshape(counts.shape)
    population.arrays["spike_ids"].ravel()[_occupied(engine, population)] = ids


# Synapses -----------------------------------------------------------------------------------------------------


def in_tables(projection: Projection) -> bool:
    """Whether plastic synapses lie in a table for each thread."""
    return projection.runtime is not None and not isinstance(projection.runtime, EventRuntime)


def _columns(projection: Projection) -> tuple[str, ...]:
    """Arrays of each thread that have a column for each synapse."""
    if isinstance(projection.runtime, LazyRuntime):
        return ("weights", "seen")
    if isinstance(projection.runtime, LocalRuntime):
        return ("weights", "x_here", "y_here", "variables", "last")
    return ("weights",)


def _numbered(runtime: Any, t: int) -> Iterator[tuple[Any, Any]]:
    """(numbers, places in the table of thread t) of its synapses, some at a time."""
    table = runtime.tables[t]
    if not isinstance(runtime, VisitedRuntime):
        yield table.created, slice(None)
        return
    for first, where, there in places(runtime.shares[t], table):
        yield first + np.flatnonzero(there), where[there]


def _gathered_synapses(projection: Projection) -> Arrays:
    own, runtime, names = projection.arrays, projection.runtime, _columns(projection)
    kinds = {name: own[f"{name}/0"] for name in names}
    found = {name: np.empty((*kind.shape[:-1], len(projection)), kind.dtype) for name, kind in kinds.items()}
    for t in range(len(runtime.tables)):
        for numbers, where in _numbered(runtime, t):
            for name in names:
                found[name][..., numbers] = own[f"{name}/{t}"][..., where]
    return found


def _scatter_synapses(projection: Projection, mine: _Held) -> None:
    own, runtime, names = projection.arrays, projection.runtime, _columns(projection)
    held = {name: mine.get(name, (*own[f"{name}/0"].shape[:-1], len(projection))) for name in names}
    for t in range(len(runtime.tables)):
        for numbers, where in _numbered(runtime, t):
            for name in names:
                own[f"{name}/{t}"][..., where] = held[name][..., numbers]


# Sums ---------------------------------------------------------------------------------------------------------


def _gathered_sums(runtime: LazyRuntime) -> Arrays:
    """What is kept for rows and neurons, for all delays that some thread has. Threads know the same of a row; and what
    a thread does not keep for a delay, for it has no such synapse, nobody will ask for."""
    own, n_sums, n_source, n_target = _shape(runtime)
    delays = np.unique(np.concatenate([table.delays for table in runtime.tables]))
    epochs, dtype = own["sums/0"].shape[1], own["sums/0"].dtype
    visited, factors = np.zeros((len(delays), n_source), np.int64), np.zeros((n_sums, len(delays), n_source), dtype)
    sums = np.zeros((len(delays), epochs, n_sums, n_target), dtype)
    for t, table in enumerate(runtime.tables):
        rows, share = np.searchsorted(delays, table.delays), runtime.shares[t]
        visited[rows] = own[f"visited/{t}"].reshape(-1, n_source)
        factors[:, rows] = own[f"factors/{t}"].reshape(n_sums, -1, n_source)
        sums[rows, ..., share.lo : share.hi] = own[f"sums/{t}"]
    return {"delays": delays, "visited": visited, "factors": factors, "sums": sums}


def _scatter_sums(runtime: LazyRuntime, mine: _Held) -> None:
    own, n_sums, n_source, n_target = _shape(runtime)
    delays = mine.get("delays")
    visited, factors = (
        mine.get("visited", (len(delays), n_source)),
        mine.get("factors", (n_sums, len(delays), n_source)),
    )
    sums = mine.get("sums", (len(delays), own["sums/0"].shape[1], n_sums, n_target))
    for t, table in enumerate(runtime.tables):
        here, share = np.isin(table.delays, delays), runtime.shares[t]  # a thread without synapses may name others
        rows = np.searchsorted(delays, table.delays[here])
        own[f"visited/{t}"].reshape(-1, n_source)[here] = visited[rows]
        own[f"factors/{t}"].reshape(n_sums, -1, n_source)[:, here] = factors[:, rows]
        own[f"sums/{t}"][here] = sums[rows, ..., share.lo : share.hi]


def _shape(runtime: LazyRuntime) -> tuple[Arrays, int, int, int]:
    projection = runtime.projection
    return projection.arrays, runtime.n_sums, projection.source.n, projection.target.n


# Rows ---------------------------------------------------------------------------------------------------------

ROWS = ("fired", "after", "before")


def _gathered_rows(runtime: ReplayRuntime) -> Arrays:
    """What rows know of the last presynaptic spike, for all delays that some thread has."""
    own, n_source = runtime.projection.arrays, runtime.projection.source.n
    delays = np.unique(np.concatenate([table.delays for table in runtime.tables]))
    found = {name: np.zeros((*own[f"{name}/0"].shape[:-1], len(delays), n_source), own[f"{name}/0"].dtype)
             for name in ROWS}  # fmt: skip
    for t, table in enumerate(runtime.tables):
        rows = np.searchsorted(delays, table.delays)
        # A thread takes notice only where it has synapses: who knows of the latest spike is right.
        later = own[f"fired/{t}"].reshape(-1, n_source) > found["fired"][rows]
        for name, array in found.items():
            mine = own[f"{name}/{t}"].reshape(*array.shape[:-2], -1, n_source)
            array[..., rows, :] = np.where(later, mine, array[..., rows, :])
    return {"delays": delays, **found}


def _scatter_rows(runtime: ReplayRuntime, mine: _Held) -> None:
    own, n_source, delays = runtime.projection.arrays, runtime.projection.source.n, mine.get("delays")
    for t, table in enumerate(runtime.tables):
        here = np.isin(table.delays, delays)  # a thread without synapses may name others
        rows = np.searchsorted(delays, table.delays[here])
        for name in ROWS:
            array = own[f"{name}/{t}"]
            held = mine.get(name, (*array.shape[:-1], len(delays), n_source))
            array.reshape(*array.shape[:-1], -1, n_source)[..., here, :] = held[..., rows, :]
    runtime.take_up(runtime.projection.network.step)
