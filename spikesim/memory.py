"""How much memory a network needs, told before any synapse is made.

A static synapse takes the place of its target, 2 bytes (4 where a thread owns more than 65,536 receptors), and its
weight, 4 bytes in single and 8 in double precision, or none where all synapses of a projection weigh the same. For
each source, thread, and delay that there is, 4 bytes more tell where its synapses begin. So does a plastic synapse
whose rule comes apart, with another number like its weight for each exponential that it is potentiated by, and one for
which spikes are replayed, with a byte or two for a history of them. Others take 20 bytes and their weight, and as much
again several times over while they are put in their place; with variables or traces of their own they take a number for
each of them, and 8 or 40 bytes to tell what came last.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.factors import replayed
from spikesim.values import Same

if TYPE_CHECKING:
    from spikesim.network import Network
    from spikesim.plasticity import Rule
    from spikesim.projection import Projection

PROGRAM = 0.25e9  # bytes of Python, its libraries and compiled code, as measured
PLASTIC, PLACING = 20, 64  # bytes of a plastic synapse beside its weight, and while it is put in its place
LEAVE = 0.9  # share of what is free that may be taken
LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container, on Linux


@dataclass
class Estimate:
    """What a network will need.

    bytes: of everything at the time when most is held; the rest says of what.
    """

    neurons: int
    synapses: float  # expected; connection rules may draw their number
    neuron_bytes: float
    synapse_bytes: float
    available: float  # bytes that this machine has left

    @property
    def bytes(self) -> float:
        return PROGRAM + self.neuron_bytes + self.synapse_bytes

    @property
    def fits(self) -> bool:
        return self.neuron_bytes + self.synapse_bytes <= self.available  # the program is there already

    def check(self, name: str) -> None:
        """Raise SpikesimError unless it fits."""
        if not self.fits:
            raise SpikesimError(
                f"{name}: {self.neurons:,} neurons and {self.synapses:,.0f} synapses need about "
                f"{self.bytes / 1e9:.1f} GB, but only {self.available / 1e9:.1f} GB are free. "
                "Make the network smaller, or use precision='single'."
            )


def estimate(network: Network) -> Estimate:
    """What the network will need when it runs. Makes no synapse."""
    receptors = max([1, *(len(p.model.receptors) for p in network.populations)])
    places = sum(p.n_padded for p in network.populations) * receptors / network.threads
    place = 2 if places <= 1 << 16 else 4
    return Estimate(
        neurons=sum(p.n for p in network.populations),
        synapses=sum(p.expected for p in network.projections),
        neuron_bytes=_neurons(network),
        synapse_bytes=sum(_synapses(p, place) for p in network.projections),
        available=available(),
    )


def _neurons(network: Network) -> float:
    longest = max([1, *(p.delay.longest for p in network.projections)])
    number = np.dtype(network.dtype).itemsize
    rings = sum(4.0 * (longest + 64) * p.n_padded * p.model.max_spikes for p in network.populations)
    rings += sum(float(number) * (longest + 64) * p.source.n_padded * p.source.model.max_spikes
                 for p in network.projections if p.short_term is not None)  # fmt: skip
    rings += sum(float(number) * (longest + 64) * p.source.n_padded for p in network.projections if p.sends != "spikes")
    return rings + sum(sum(a.nbytes for a in p.arrays.values()) for p in network.populations)


def _synapses(p: Projection, place: int) -> float:
    number = np.dtype(p.network.dtype).itemsize
    if p.dense:
        return float(p.source.n * p.target.n_padded * number)
    begins = 4.0 * p.source.n * (p.delay.longest - p.delay.shortest + 1) * p.network.threads
    if p.plastic:
        from spikesim.clock.lazy_synapses import comes_apart
        from spikesim.clock.replay import ENTRY
        from spikesim.clock.replay_synapses import SHARE

        assert p.rule is not None
        sums, specs = comes_apart(p), p.rule.trace_specs()
        if sums is None and replayed(p.rule):
            sides = [spec.side for spec in specs]
            entry, row = 4 * ENTRY + number * sides.count("post"), 8 + 2 * number * sides.count("pre")
            return p.expected * (place + number + entry / SHARE) + begins * (1.0 + row / 4.0)
        if sums is None:
            return p.expected * (PLASTIC + number + PLACING + _memory_of(p.rule, number))
        held = 1 + sum(len(spec.taus) for spec in specs if spec.name in sums)
        return p.expected * (place + number * held) + begins * (1.0 + number)
    return p.expected * (place + (0 if isinstance(p.weight, Same) else number)) + begins


def _memory_of(rule: Rule | None, number: int) -> int:
    """Bytes that a plastic synapse keeps beside its weight: traces and variables of its own, and what came last."""
    assert rule is not None
    local = rule.local_sides()
    traces = sum(local[trace.side == "post"] for trace in rule.traces.values())
    steps = 5 if any(local) else 1
    return 8 * steps * rule.has_memory() + number * (traces + len(rule.synapse))


def available() -> float:
    """Bytes of memory that this process may still take; some are left for the rest of the machine."""
    import psutil

    free = LEAVE * psutil.virtual_memory().available
    try:
        limit = LIMIT.read_text().strip()
        used = float(LIMIT.with_name("memory.current").read_text())
    except OSError:
        return free
    return min(free, LEAVE * (float(limit) - used)) if limit.isdigit() else free
