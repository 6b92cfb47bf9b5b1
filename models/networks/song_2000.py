"""One neuron whose many inputs compete by additive STDP (Song, Miller & Abbott 2000)."""

import spikesim as ss
from spikesim.experiment import NetworkModel
from spikesim.models.neurons.lif_cond import LIFCond
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.plasticity.pair_stdp import PairSTDP


class Song2000(NetworkModel):
    """N Poisson trains of `rate` Hz reach one neuron through synapses with additive STDP (PairSTDP), whose weights
    begin anywhere between 0 and g_max. They end up near one bound or the other, and the neuron fires irregularly.

    Numbers are those of the example of Brian 2 that is adapted from the paper (`examples/synapses/STDP.py`); they
    differ from the paper's, which also has inhibition. Conductances are there in units of the leak; here the leak is
    g_L nS, which cancels. C_m is tau_m g_L. Potentials are in mV.
    """

    N: int = 1000  # inputs
    rate: float = 15.0  # Hz, of each
    g_max: float = 0.01  # units of the leak
    a_plus: float = 0.01  # units of g_max
    a_minus: float = 0.0105  # units of g_max
    tau_plus: float = 20.0  # ms
    tau_minus: float = 20.0  # ms
    tau_m: float = 10.0  # ms
    tau_ex: float = 5.0  # ms
    E_L: float = -74.0  # mV
    V_th: float = -54.0  # mV
    V_reset: float = -60.0  # mV
    E_ex: float = 0.0  # mV
    g_L: float = 10.0  # nS

    title = "Song, Miller & Abbott 2000: inputs compete by additive STDP"
    reference = "doi:10.1038/78829"
    duration = 100_000.0  # ms
    limits = {
        **NetworkModel.limits, "N": (">= 1",), "rate": (">= 0",), "g_max": ("> 0",), "a_plus": (">= 0",),
        "a_minus": (">= 0",), "g_L": ("> 0",),
    }  # fmt: skip
    small = {"N": 50, "g_max": 0.2}

    def build(self, net):
        inputs = net.add(PoissonSource(rate=self.rate), self.N, name="inputs")
        neuron = LIFCond(C_m=self.tau_m * self.g_L, g_L=self.g_L, E_L=self.E_L, V_th=self.V_th, V_reset=self.V_reset,
                         E_ex=self.E_ex, tau_syn_ex=self.tau_ex, t_ref=0.0)  # fmt: skip
        cell = net.add(neuron, 1, name="neuron")
        w_max = self.g_max * self.g_L  # nS
        rule = PairSTDP(a_plus=self.a_plus, a_minus=self.a_minus, tau_plus=self.tau_plus, tau_minus=self.tau_minus,
                        w_max=w_max, w_ref=w_max)  # fmt: skip
        net.connect(inputs, cell, ss.AllToAll(), weight=ss.Uniform(0.0, w_max), delay=self.dt, plasticity=rule,
                    dendritic_delay_fraction=0.0)  # fmt: skip
