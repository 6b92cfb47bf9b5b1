"""From what the user says about a recording to its recorder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spikesim.change_recorder import ChangeRecorder
from spikesim.errors import SpikesimError, unknown
from spikesim.population import View
from spikesim.projection import Projection
from spikesim.record import (
    RateRecorder,
    Recorder,
    SpikeRecorder,
    StateRecorder,
    WeightRecorder,
    chosen_synapses,
)

if TYPE_CHECKING:
    from spikesim.network import Network


def make_recorder(
    network: Network, what: Any, variable: str, every: Any, to: str | None, synapses: Any, sample: Any
) -> Recorder:
    """The recorder that `Network.record` describes. Raises SpikesimError for what does not fit."""
    if isinstance(what, Projection) and what.network is network:
        return _of_weights(network, what, variable, every, to, synapses, sample)
    if to is not None and variable != "spikes":
        raise SpikesimError(f"Network.record: only spikes and weights are streamed to a file, not {variable!r}.")
    if synapses is not None or sample is not None:
        raise SpikesimError("Network.record: synapses and sample are for the weights of a projection.")
    if not isinstance(what, View) or what.population.network is not network:
        raise SpikesimError(f"Network.record takes a population, a view or a projection of this network, not {what!r}.")
    return _of_neurons(network, what, variable, every, to)


def _of_weights(
    network: Network, projection: Projection, variable: str, every: Any, to: str | None, synapses: Any, sample: Any
) -> Recorder:
    if variable != "weights":
        raise unknown(f"projection {projection!r}", "recordable variable", variable, ["weights"])
    chosen = chosen_synapses(projection, synapses, sample)
    if every is None and chosen is None:
        raise SpikesimError('Network.record: weights need every=, the ms between two snapshots, or every="change".')
    if every is None or isinstance(every, str) and every == "change":
        return ChangeRecorder(projection, chosen, to)
    return WeightRecorder(projection, network.whole_steps(every, "every"), network.step, chosen, to)


def _of_neurons(network: Network, view: View, variable: str, every: Any, to: str | None) -> Recorder:
    population = view.population
    if variable in ("spikes", "rate") and population.model.graded:
        raise SpikesimError(f"population {population.name!r} emits a current and no spikes.")
    if variable == "spikes":
        return SpikeRecorder(view, to)
    if variable == "rate":
        return RateRecorder(view, network.whole_steps(1.0 if every is None else every, "every"), network.step)
    known = list(population.model.state)
    if variable not in known:
        raise unknown(f"population {population.name!r}", "recordable variable", variable, [*known, "spikes", "rate"])
    return StateRecorder(
        view, variable, network.whole_steps(network.dt if every is None else every, "every"), network.step
    )
