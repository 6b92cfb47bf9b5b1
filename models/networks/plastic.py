"""The network of `brunel_10k` with any plasticity rule among its excitatory neurons: a benchmark of rules."""

from spikesim.models.networks.brunel_10k import Brunel10k
from spikesim.registry import find

PEERS = {"PairSTDP": "pair", "TripletSTDP": "triplet"}  # what the rules are called in `brunel_10k`


class Plastic(Brunel10k):
    """`brunel_10k` where the eight million synapses among excitatory neurons follow `rule`.

    Weights lie between 0 and 2 J (mV), start at J, and amplitudes are in units of 2 J. Those of `PairSTDP` and
    `TripletSTDP` are learning_rate times those of `brunel_10k`; by default so small that every update is computed while
    the activity stays what it is. Other rules have their default amplitudes, and weights move. What one plastic event
    costs is reported as ns_per_plastic_event: the time of all threads over the presynaptic spikes that reach a plastic
    synapse, with everything else that the run did, neurons and static synapses, charged to them.
    """

    rule: str = "PairSTDP"  # any rule; a user's own is FILE.py:Class

    title = "Brunel 2000 with a constant drive and any plasticity rule: a benchmark"

    def __init__(self, **given):
        super().__init__(**given)
        find("rule", self.rule)  # a wrong name fails here
        self.plasticity = PEERS.get(self.rule, self.rule)

    def plastic_rule(self):
        """The rule of the synapses among excitatory neurons."""
        if self.rule in PEERS:
            return super().plastic_rule()
        return find("rule", self.rule)(w_min=0.0, w_max=2 * self.J, w_ref=2 * self.J)

    def simulate(self, options, resumed=None):
        result = super().simulate(options, resumed)
        events = result["rates_hz"]["excitatory"] * self.N_E * self.C_E  # per second of model time
        return {
            **result,
            "ns_per_plastic_event": 1e9 * result["realtime_factor"] * result["threads"] / events if events else None,
        }
