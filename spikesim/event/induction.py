"""The conditions of a protocol as one network on the event-driven engine: a plastic synapse for each pair of trains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.connectors import OneToOne
from spikesim.errors import SpikesimError
from spikesim.event.moments import PS, picoseconds
from spikesim.event.plasticity import check_rule_supported
from spikesim.network import Network
from spikesim.registry import discover
from spikesim.timeline import SETTLED

if TYPE_CHECKING:
    from spikesim.plasticity import Rule
    from spikesim.protocol import Condition, Protocol

LEAD = 10**9  # ps: presynaptic neurons fire that much earlier, and their axons take that much longer, so that every
#               synapse has a delay; at the synapse all is as prescribed


def relative_changes(protocol: Protocol, rule: Rule, conditions: Sequence[Condition]) -> np.ndarray:
    """(conditions,) weight changes as fractions of the weight before, as `Protocol.induce` gives them.

    Raises SpikesimError for rules that the engine cannot run, and for those that a protocol judges by their theory.
    """
    if protocol.by_theory(rule):
        raise SpikesimError(
            f"{type(rule).__name__} is judged by the change that its theory expects, which no engine walks; "
            "set w0 to walk a synapse from there."
        )
    check_rule_supported(rule)
    start = protocol.start(rule)
    if not rule.given & {"w_min", "w_max", "bounds"}:
        rule = rule.replace(bounds="none")
    walks = [(condition, pair) for condition in conditions for pair in condition.trains()]
    net = Network(engine="event", seed=0, max_rate=None)
    groups: dict[tuple[float, float], list[int]] = {}
    for number, (condition, _) in enumerate(walks):
        groups.setdefault((condition.axonal_delay, condition.dendritic_delay), []).append(number)
    ends, synapses, firsts = np.zeros(len(walks)), dict[Any, Any](), dict[Any, Any]()
    for (axonal, dendritic), members in groups.items():
        pairs = [[np.sort(picoseconds(list(train))) for train in walks[number][1]] for number in members]
        earliest = min((float(train[0]) for pair in pairs for train in pair if len(train)), default=0.0)
        origin = 2 * LEAD - math.floor(earliest)
        axon, dendrite = float(picoseconds(axonal)), float(picoseconds(dendritic))
        lag = float(picoseconds(rule.pre_lag_time()))
        for number, (pre, post) in zip(members, pairs, strict=True):
            arrivals = [*(pre[-1:] + axon + lag), *(post[-1:] + dendrite)]
            ends[number] = origin + max(arrivals, default=0.0)
        sources = _source(net, [pre for pre, _ in pairs], origin - LEAD), _source(net, [q for _, q in pairs], origin)
        delay = axon + LEAD + dendrite
        synapses[axonal, dendritic] = net.connect(
            *sources, OneToOne(), weight=start, delay=delay / PS, dendritic_delay_fraction=dendrite / delay,
            plasticity=rule,
        )  # fmt: skip
        firsts[axonal, dendritic] = np.array([
            origin + min([*(pre[:1] + axon + lag), *(post[:1] + dendrite), np.inf]) for pre, post in pairs
        ])  # fmt: skip
    net.prepare()
    for key, connected in synapses.items():  # a walk begins with the first arrival
        begin = np.minimum(firsts[key], ends[groups[key]]) + connected.runtime.dendritic
        connected.arrays["last"][:], connected.arrays["last_rest"][:] = np.floor(begin), begin % 1.0
    changes = np.zeros(len(walks))
    ends = np.ceil(ends + (SETTLED * PS if rule.between is not None else 0.0))
    for end in np.unique(ends):
        net.run((end - net.step) / PS)
        for key, members in groups.items():
            own = np.flatnonzero(ends[members] == end)
            changes[np.array(members)[own]] = synapses[key].weights[own] - start
    sizes = np.cumsum([0, *(len(condition.trains()) for condition in conditions)])
    return np.array([math.fsum(changes[a:b]) / (b - a) / start for a, b in zip(sizes, sizes[1:], strict=False)])


def _source(net: Any, trains: list[Any], origin: int) -> Any:
    """Neurons that fire these trains (ps), each shifted by `origin`."""
    times, ids = np.concatenate([*trains, []]), np.repeat(np.arange(len(trains)), [len(train) for train in trains])
    return net.add(discover("neuron")["SpikeSource"](times=(times + origin) / PS, ids=ids), len(trains))
