"""What a plastic synapse costs: nanoseconds per event, measured in a small network on this machine."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.plasticity import Rule

PRE, POST, RATE = 1000, 100, 20.0  # Poisson sources on either side, all connected to all, Hz
PIECES, PIECE = 5, 200.0  # how often, and for how many ms of model time

WHAT = (
    f"{PRE} x {POST} synapses, both sides firing at random with {RATE:g} Hz, clock-driven at 0.1 ms, one thread, "
    "double precision; an event is one spike of either side at one synapse, delivery included"
)


def event_cost(rule: Rule, seed: int = 1) -> dict[str, Any]:
    """`ns_per_event` (the median of several pieces of a run), `events`, and `what` was measured.

    Where the rule needs more than two trains of spikes, `ns_per_event` is None and `reason` tells what.
    """
    import spikesim as ss
    from spikesim.registry import find
    from spikesim.timeline import start_weight

    if rule.events:
        return {"ns_per_event": None, "reason": f"needs the events {', '.join(rule.events)}", "what": WHAT}
    net = ss.Network(dt=0.1, seed=seed, threads=1)
    rng, duration = np.random.default_rng(seed), (PIECES + 1) * PIECE
    n_spikes = round(POST * RATE * duration / 1000.0)
    times, ids = rng.uniform(1.0, duration, n_spikes), rng.integers(POST, size=n_spikes)
    try:
        pre = net.add(find("neuron", "PoissonSource")(rate=RATE), PRE, name="pre")
        post = net.add(find("neuron", "SpikeSource")(times=times, ids=ids), POST, name="post")
        net.connect(pre, post, ss.AllToAll(), weight=start_weight(rule), delay=1.0, plasticity=rule)
        spikes = [net.record(population, "spikes") for population in (pre, post)]
        with net:
            net.run(PIECE)  # compiles
            costs, counted = [], 0
            for _ in range(PIECES):
                before, spent = [len(each) for each in spikes], net.seconds["run"]
                net.run(PIECE)
                fired = [len(each) - known for each, known in zip(spikes, before, strict=True)]
                events = fired[0] * POST + fired[1] * PRE
                costs.append((net.seconds["run"] - spent) / events * 1e9)
                counted += events
    except SpikesimError as error:
        return {"ns_per_event": None, "reason": str(error), "what": WHAT}
    return {"ns_per_event": statistics.median(costs), "events": counted, "what": WHAT}
