"""The files to which a network's recorders stream, and the one to which spikes held in memory are saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spikesim.change_recorder import ChangeRecorder
from spikesim.errors import RunError, SpikesimError
from spikesim.record import SpikeRecorder, WeightRecorder

if TYPE_CHECKING:
    from spikesim.network import Network


def open_streams(network: Network, writers: dict[str, Any]) -> None:
    """Open the files that recorders stream to, each with all that goes there; `writers`, by path, gets the new ones.

    Raises SpikesimError for recordings that cannot share a file, RunError for one that comes after the first run.
    """
    streams: dict[str, list[Any]] = {}
    for recorder in network.recorders:
        if isinstance(recorder, (SpikeRecorder, WeightRecorder, ChangeRecorder)) and recorder.to is not None:
            streams.setdefault(recorder.to, []).append(recorder)
    for path, recorders in streams.items():
        spikes = [r.population.name for r in recorders if isinstance(r, SpikeRecorder)]
        if len(set(spikes)) < len(spikes):
            raise SpikesimError(f"{path}: one population has two spike recorders for this file; keep one of them.")
        if 0 < len(spikes) < len(recorders):
            raise SpikesimError(f"{path}: spikes and weights are streamed to different files; give two names.")
        if path not in writers:
            writers[path] = _writer(network, path, recorders)
        elif any(r.writer is None for r in recorders):
            raise RunError(f"{path} is being written already; record all that goes there before the first run.")
        for recorder in recorders:
            recorder.writer = writers[path]


def save_spikes(network: Network, path: str) -> None:
    """What `Network.save_spikes` does."""
    held = [r for r in network.recorders if isinstance(r, SpikeRecorder) and r.to is None]
    if not held:
        raise SpikesimError('Network.save_spikes: no spikes are recorded in memory; call record(..., "spikes") first.')
    if len({r.population.name for r in held}) < len(held):
        raise SpikesimError("Network.save_spikes: one population has two spike recorders; keep one of them.")
    with _writer(network, path, held) as writer:
        for recorder in held:
            writer.append(recorder.population.name, recorder.steps, recorder.ids)
        writer.flush(network.time)


def _writer(network: Network, path: str, recorders: list[Any]) -> Any:
    """The file at `path`, opened for these recorders."""
    from spikesim.jit import source_digest
    from spikesim.spike_writer import SpikeWriter
    from spikesim.weight_writer import WeightWriter

    about = {
        "parameters": {**network.description, "threads": network.threads, "precision": network.precision},
        "source_digest": source_digest(),
    }
    if not isinstance(recorders[0], SpikeRecorder):
        return WeightWriter(path, recorders, network.dt, network.seed, about)
    sizes = {r.population.name: r.population.n for r in recorders}
    return SpikeWriter(path, sizes, network.dt, network.seed, about)
