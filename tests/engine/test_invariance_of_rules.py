"""What each rule learns does not depend on threads, nor on how `run` is split: to the last bit. Rules are found."""

import pytest

import spikesim as ss
from spikesim.models.neurons.lif_delta import LIFDelta
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.neurons.segregated_dendrite import SegregatedDendrite
from spikesim.registry import discover

DT = 0.5
DURATION = 200.0
RULES = discover("rule")
#: Rules that learn from the state of a neuron of their own kind, in phases.
PHASED = {name for name, rule in RULES.items() if rule.post_state}
#: Single precision is another compilation of each; these three have a power, variables at the synapse, and signals.
ALSO_SINGLE = ("GuetigSTDP", "GraupnerBrunel", "ClopathSTDP")


def spiking(net, rule):
    """Random weights and delays, part of them dendritic, onto neurons that excite each other; one reward."""
    source = net.add(PoissonSource(rate=ss.Uniform(20.0, 120.0)), 29, name="source")
    reads = {signal.variable for signal in rule.signals.values()}
    model = LIFDelta(V_m=ss.Uniform(-70.0, -60.0))
    if not reads <= LIFDelta.state.keys():
        model = type(rule.cell)(**{**rule.cell.values(), "I_e": ss.Uniform(450.0, 600.0)})
    cells = net.add(model, 53, name="cells")
    synapses = net.connect(source, cells, ss.FixedProbability(0.4), weight=ss.Uniform(1.0, 4.0),
                           delay=ss.Uniform(1.0, 6.0), plasticity=rule(w_min=0.0, w_max=6.0, w_ref=3.0),
                           dendritic_delay_fraction=0.4, receptor=model.receptors[0])  # fmt: skip
    net.connect(cells, cells, ss.FixedIndegree(3), weight=1.0, delay=1.5, receptor=model.receptors[0])
    return cells, synapses, {100.0: rule.events} if rule.events else {}


def phased(net, rule):
    """Neurons that are driven at both dendrites, through one forward and one target phase."""
    source = net.add(PoissonSource(rate=ss.Uniform(20.0, 120.0)), 29, name="source")
    cells = net.add(SegregatedDendrite(bias=ss.Uniform(-1.0, 1.0), eta_bias=0.1), 53, name="cells")
    synapses = net.connect(source, cells, ss.AllToAll(), weight=ss.Uniform(-0.5, 1.0), delay=1.0, receptor="basal",
                           plasticity=rule())  # fmt: skip
    net.connect(source, cells, ss.AllToAll(), weight=ss.Uniform(-0.5, 1.0), delay=1.0, receptor="apical")
    return cells, synapses, {30.0: ("settled",), 90.0: ("forward_plateau",), 120.0: ("settled",), 180.0: rule.events}


def learned(name, threads=1, stops=(), precision="double"):
    """Weights and spikes as bytes."""
    with ss.Network(dt=DT, seed=7, threads=threads, precision=precision) as net:
        cells, synapses, events = (phased if name in PHASED else spiking)(net, RULES[name])
        spikes, before = net.record(cells, "spikes"), synapses.weights
        for time in sorted({*stops, *events, DURATION}):
            net.run(time - net.time)
            for event in events.get(time, ()):
                net.trigger(event)
        assert net.time == DURATION
        assert len(spikes) > 50
        assert (synapses.weights != before).mean() > 0.1
        return [array.tobytes() for array in (synapses.weights, spikes.steps, spikes.ids)]


@pytest.mark.parametrize(
    ("name", "precision"), [*((name, "double") for name in RULES), *((name, "single") for name in ALSO_SINGLE)]
)
def test_threads_and_split_runs(name, precision):
    """The pieces end within, before and after the delays, and on and off the millisecond."""
    expected = learned(name, precision=precision)
    for threads, stops in ((2, ()), (3, (33.5, 100.0)), (1, (50.0, 100.0, 100.5)), (2, (0.5, 1.0, 6.5, 199.5))):
        assert learned(name, threads, stops, precision) == expected, (threads, stops)
