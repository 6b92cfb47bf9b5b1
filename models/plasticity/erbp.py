"""Event-driven random backpropagation (Neftci, Augustine, Paul & Detorakis 2017)."""

from spikesim.models.neurons.dendrite_lif import DendriteLIF
from spikesim.plasticity import Rule
from spikesim.signals import Signal


class ERBP(Rule):
    """At each presynaptic spike

        dw = -eta U   if b_min < I_syn < b_max,   else 0

    I_syn is the synaptic current (pA) and U the dendrite of the postsynaptic neuron (DendriteLIF), as they are when the
    spike arrives. U gathers error spikes: of populations that fire where the output is too high (weights G) and where
    it is too low (weights -G), with G fixed and random. The box from b_min to b_max stands for the slope of the
    neuron's activation, so a synapse needs one addition and two comparisons at a spike, and nothing otherwise. For
    neurons of the output G is 1 from the own error.

    Bounds of the box and of the weights depend on the neurons; the defaults are ours and suit DendriteLIF, which fires
    steadily from 375 pA on. In protocols an error of U = 1 is held. Source: doi:10.3389/fnins.2017.00324.
    """

    eta: float = 1e-3  # change of w, in units of w_ref, at a spike per unit of U
    b_min: float = -750.0  # pA
    b_max: float = 750.0  # pA
    w_min: float = -1.0
    w_max: float = 1.0

    signals = {"I_syn": Signal("I_syn"), "U": Signal("U")}
    cell = DendriteLIF(U_e=1.0)
    reference = "doi:10.3389/fnins.2017.00324"
    w_start = 0.5

    @staticmethod
    def on_pre(w, pre, post, p):
        return w - p.eta * post.U if p.b_min < post.I_syn < p.b_max else w
