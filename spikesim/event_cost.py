"""What a plastic synapse costs: nanoseconds per event, measured in a small network on this machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.plasticity import Rule
from spikesim.provenance import provenance

PRE, POST, RATE = 1000, 100, 20.0  # Poisson sources on either side, all connected to all, Hz
PIECES, PIECE = 10, 100.0  # how often, and for how many ms of model time
KICK, SMALL = 1e3, 1e-6  # a weight with which a cell fires, and the unit of those that leave it alone

WHAT = (
    f"{PRE} x {POST} synapses, both sides firing at random with about {RATE:g} Hz, clock-driven at 0.1 ms, one thread, "
    "double precision; an event is one spike of either side at one synapse, delivery included; what the same neurons "
    "need without synapses is subtracted"
)


def event_cost(rule: Rule, seed: int = 1) -> dict[str, Any]:
    """`ns_per_event` (the least of several pieces of a run, for what else the machine does only adds), `events`, `what`
    was measured, on which `processor` and `date`.

    A rule that reads the postsynaptic neuron gets its `cell`, which kicks make fire. Named events do not happen. Where
    they alone change weights, or the rule needs something else, `ns_per_event` is None and `reason` tells what.
    """
    found: dict[str, Any] = {"ns_per_event": None, "what": WHAT}
    if rule.signals and rule.cell is not None:
        found["what"] += f"; the postsynaptic neuron is {type(rule.cell).__name__}, and what the rule does in every "
        found["what"] += "step is shared out among the events"
    if rule.events:
        found["what"] += f"; no {' or '.join(rule.events)} comes"
    if not rule.local():
        return {**found, "reason": f"needs the events {', '.join(rule.events)}"}
    try:
        spent, events = _pieces(rule, seed, connected=True)
        alone, _ = _pieces(rule, seed, connected=False)
    except SpikesimError as error:
        return {**found, "reason": str(error)}
    if min(post for _, post in events) == 0:
        return {**found, "reason": f"{type(rule.cell).__name__} does not fire when kicked"}
    counts = [pre * POST + post * PRE for pre, post in events]
    idle = min(alone)
    about = provenance()
    return {
        **found,
        "ns_per_event": min((s - idle) / n * 1e9 for s, n in zip(spent, counts, strict=True)),
        "events": sum(counts),
        "processor": about["processor"],
        "date": about["finished"][:10],
    }


def _pieces(rule: Rule, seed: int, *, connected: bool) -> tuple[list[float], list[tuple[int, int]]]:
    """Seconds of each piece of a run, and spikes (pre, post) in it, with the plastic synapses or without."""
    import spikesim as ss
    from spikesim.registry import find
    from spikesim.timeline import start_weight

    net = ss.Network(dt=0.1, seed=seed, threads=1, max_rate=None)
    rng, duration = np.random.default_rng(seed), (PIECES + 1) * PIECE
    n_spikes = round(POST * RATE * duration / 1000.0)
    times, ids = rng.uniform(1.0, duration, n_spikes), rng.integers(POST, size=n_spikes)
    pre = net.add(find("neuron", "PoissonSource")(rate=RATE), PRE, name="pre")
    post = source = net.add(find("neuron", "SpikeSource")(times=times, ids=ids), POST, name="post")
    if rule.signals and rule.cell is not None:
        post = net.add(rule.cell, POST, name="cell")
        net.connect(source, post, ss.OneToOne(), weight=KICK, receptor=rule.cell.receptors[0])
        # All weights in a smaller unit: hooks see the same numbers, and the cell fires when it is kicked alone.
        rule = rule.replace(**{name: SMALL * getattr(rule, name) for name in ("w_min", "w_max", "w_ref")})
    if connected:
        net.connect(pre, post, ss.AllToAll(), weight=start_weight(rule), delay=1.0, plasticity=rule)
    spikes = [net.record(population, "spikes") for population in (pre, post)]
    seconds, events = [], []
    with net:
        net.run(PIECE)  # compiles
        for _ in range(PIECES):
            before, spent = [len(each) for each in spikes], net.seconds["run"]
            net.run(PIECE)
            n_pre, n_post = (len(each) - known for each, known in zip(spikes, before, strict=True))
            events.append((n_pre, n_post))
            seconds.append(net.seconds["run"] - spent)
    return seconds, events
