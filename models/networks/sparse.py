"""A sparse network in which little happens: what an event-driven engine is for."""

import numpy as np

import spikesim as ss
from spikesim.experiment import NetworkModel
from spikesim.models.neurons.lif import LIF
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.rng import Stream


class Sparse(NetworkModel):
    """N neurons that fire at `rate` Hz, each when a train of its own says so, and hear `indegree` others (J pA, below
    threshold).

    The trains are drawn once and replayed, so nothing is random while the network runs, and nothing goes on between
    spikes: a clock has N updates to make in every step, an event-driven engine `rate` N (indegree + 2) events a second.
    """

    N: int = 1000
    indegree: int = 100
    rate: float = 0.1  # Hz
    J: float = 20.0  # pA, between neurons; one in five is inhibitory, four times as strong
    KICK: float = 8000.0  # pA; makes a neuron at rest fire within a ms
    delay: float = 1.5  # ms, of kicks; those between neurons are uniform from 0.5 to 3 ms
    engine: str = "event"

    choices = {"engine": ("clock", "event")}
    title = "A sparse network in which little happens"
    reference = "doi:10.1162/neco.2007.19.1.47"
    duration = 100_000.0
    small = {"N": 20, "indegree": 5, "rate": 20.0}

    LONGEST = 2e5  # ms that trains are drawn for

    def trains(self, seed: int):
        """(times in ms, ids), of a Poisson process on the grid of 0.1 ms, from 1 ms on."""
        stream = Stream(seed, "TASK", 1)
        n = int(self.LONGEST * 1e-3 * self.rate * self.N)
        times = (np.ceil(np.sort(stream.uniform(n)) * self.LONGEST * 10.0) + 10.0) / 10.0
        return times, stream.integers(self.N, n)

    def build(self, net):
        times, ids = self.trains(net.seed)
        triggers = net.add(SpikeSource(times, ids), self.N, name="triggers")
        neurons = net.add(LIF(), self.N, name="neurons")
        net.connect(triggers, neurons, ss.OneToOne(), weight=self.KICK, delay=self.delay)
        cut = 4 * self.N // 5
        rule = ss.FixedIndegree(4 * self.indegree // 5), ss.FixedIndegree(self.indegree - 4 * self.indegree // 5)
        net.connect(neurons[:cut], neurons, rule[0], weight=self.J, delay=ss.Uniform(0.5, 3.0))
        net.connect(neurons[cut:], neurons, rule[1], weight=-4.0 * self.J, delay=ss.Uniform(0.5, 3.0))

    def findings(self, net):
        return {"events": net.event_count} if self.engine == "event" else {}
