"""Two groups of inputs compete for one neuron by any plasticity rule (Song, Miller & Abbott 2000)."""

import numpy as np

import spikesim as ss
from spikesim.models.networks.song_2000 import Song2000
from spikesim.models.neurons.lif_cond import LIFCond
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.registry import find
from spikesim.rng import Stream


class Song2000Pathways(Song2000):
    """The neuron and the inputs of `song_2000` in two halves of N/2, of which the first fires together.

    Inputs are Poisson given their rate. That of the first half is the same for all of them and fluctuates: it is
    rate (1 + y) Hz, with y even between -fluctuation and +fluctuation and drawn again after intervals that are
    exponential with mean tau_c. The second half, with `second`

        "steady"    has the rate `rate`, so that its inputs are independent, as the first half is of it;
        "late"      has the rate that the first half had `latency` ms before.

    Two inputs of a half that fluctuates have a covariance rate^2 fluctuation^2 / 3 e^(-|s|/tau_c) at lag s: about a
    spike of one there are 0.2 spikes of the other more than by chance, with the defaults. Fluctuations go on for
    `length` ms, then a half keeps its last rate. How the paper correlates its inputs was not checked: this way to do it
    and the numbers are ours.

    Weights (nS) are between 0 and w_max = g_max g_L, amplitudes are fractions of w_max, and all weights begin at half
    of w_max. `PairSTDP` has the a_plus, a_minus, tau_plus and tau_minus given here, any other rule its defaults. The
    result has the mean weight of either half, as a fraction of w_max, in `mean_weights`, and their difference in
    `contrast`.
    """

    rule: str = "PairSTDP"  # any rule; a user's own is FILE.py:Class
    second: str = "steady"
    fluctuation: float = 1.0  # of the rate
    tau_c: float = 20.0  # ms
    latency: float = 10.0  # ms
    length: float = 100_000.0  # ms, of the fluctuations

    title = "Song, Miller & Abbott 2000: two groups of inputs compete"
    choices = {"second": ("steady", "late")}
    limits = {
        **Song2000.limits, "N": (">= 2",), "fluctuation": (">= 0", "<= 1"), "latency": (">= 0",), "length": ("> 0",),
    }  # fmt: skip
    small = {"N": 50, "g_max": 0.2, "length": 500.0}

    def __init__(self, **given):
        super().__init__(**given)
        find("rule", self.rule)  # a wrong name fails here

    def plastic_rule(self):
        """The rule of all synapses."""
        w_max, kind = self.g_max * self.g_L, find("rule", self.rule)
        names = ("a_plus", "a_minus", "tau_plus", "tau_minus") if self.rule == "PairSTDP" else ()
        return kind(w_min=0.0, w_max=w_max, w_ref=w_max, **{name: getattr(self, name) for name in names})

    def fluctuations(self, stream):
        """(times, rates): the rate (Hz) of the first half from each time (ms) on."""
        n = round(self.length / self.tau_c + 10.0 * (self.length / self.tau_c) ** 0.5 + 20.0)
        ends = np.cumsum(-self.tau_c * np.log(stream.uniform(n)))
        # an interval that ends in the step in which it began would be none
        times = np.unique(np.rint(ends[ends < self.length] / self.dt) * self.dt)
        times = np.append(0.0, times[times > 0.0])
        return times, self.rate * (1.0 + self.fluctuation * (2.0 * stream.uniform(len(times)) - 1.0))

    def sources(self, stream):
        """The two halves."""
        times, rates = self.fluctuations(stream)
        first = PoissonSource(rate=rates, times=times)
        if self.second == "steady":
            return first, PoissonSource(rate=self.rate)
        begin = [0.0] if self.latency > 0.0 else []  # at the mean rate until the first fluctuation reaches it
        late = np.append(begin, times + self.latency)
        return first, PoissonSource(rate=np.append(np.full(len(begin), self.rate), rates), times=late)

    def build(self, net):
        neuron = LIFCond(C_m=self.tau_m * self.g_L, g_L=self.g_L, E_L=self.E_L, V_th=self.V_th, V_reset=self.V_reset,
                         E_ex=self.E_ex, tau_syn_ex=self.tau_ex, t_ref=0.0)  # fmt: skip
        cell = net.add(neuron, 1, name="neuron")
        sizes = self.N // 2, self.N - self.N // 2
        for name, source, n in zip(("first", "second"), self.sources(Stream(net.seed, "TASK")), sizes, strict=True):
            inputs, rule = net.add(source, n, name=name), self.plastic_rule()
            net.connect(inputs, cell, ss.AllToAll(), weight=0.5 * rule.w_max, delay=self.dt, plasticity=rule,
                        dendritic_delay_fraction=0.0)  # fmt: skip

    def findings(self, net):
        first, second = (float(p.weights.mean() / p.rule.w_max) for p in net.projections)
        return {"mean_weights": {"first": first, "second": second}, "contrast": first - second}
