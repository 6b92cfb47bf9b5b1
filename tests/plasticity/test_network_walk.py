"""Every rule that needs but spikes does in a network what the exact walk does with the same two trains."""

import numpy as np
import pytest

import spikesim as ss
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.registry import discover
from spikesim.timeline import weight_change

DT, LENGTH = 0.1, 400.0  # ms
RULES = {name: rule for name, rule in discover("rule").items()
         if (rule.on_pre or rule.on_post) and not rule.post_state and not rule.signals}  # fmt: skip
#: So that nothing moves before the first spike, where the walk begins.
GIVEN = {"Zenke2015": {"w_tilde": 0.5}}


@pytest.mark.parametrize("name", RULES)
def test_network_and_walk(name):
    """Six synapses with delays of their own; half of each delay is dendritic. All spikes on the grid, some together."""
    rule = RULES[name](**{"w_max": 1.0, **GIVEN.get(name, {})})
    draws = np.random.default_rng(12)
    times = np.arange(1, 700) * 5 * DT
    trains = [[np.sort(draws.choice(times, 25, replace=False)) for _ in range(6)] for _ in range(2)]
    delays = 2 * np.array([1, 3, 5, 10, 20, 40]) * DT
    events = {event: [150.0, 300.0] for event in rule.events}
    net = ss.Network(dt=DT, seed=1)
    ends = [net.add(SpikeSource(np.concatenate(side), np.repeat(np.arange(6), 25)), 6) for side in trains]
    synapses = net.connect(*ends, ss.OneToOne(), weight=0.5, delay=delays, plasticity=rule,
                           dendritic_delay_fraction=0.5)  # fmt: skip
    for until in (150.0, 300.0, LENGTH):
        net.run(until - net.time)
        for event, times in events.items():
            if until in times:
                net.trigger(event)
    changes = synapses.weights - 0.5
    assert (np.abs(changes) > 1e-6).all()
    # An event counts from the end of the step that follows.
    events = {event: [time + DT for time in times] for event, times in events.items()}
    for pre, post, delay, change in zip(*trains, delays, changes, strict=True):
        half = delay / 2
        last = max(
            [pre[-1] + half + rule.pre_lag_time(), post[-1] + half, *(t for times in events.values() for t in times)]
        )
        walked = weight_change(rule, pre, post, w0=0.5, axonal_delay=half, dendritic_delay=half, bounded=True,
                               events=events, after=LENGTH - last)  # fmt: skip
        # Traces decay step by step here and in one go there.
        assert change == pytest.approx(walked, rel=1e-10, abs=1e-13)
