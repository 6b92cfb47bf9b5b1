"""Cell-type specific cortical microcircuit, at any scale (Potjans & Diesmann 2014)."""

import numpy as np

import spikesim as ss
from spikesim.errors import SpikesimError
from spikesim.experiment import NetworkModel
from spikesim.models.neurons.lif import LIF

POPULATIONS = ("L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I")
SIZES = np.array([20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948])  # neurons below 1 mm^2
INDEGREES_EXT = np.array([1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100])  # background synapses of a neuron

#: probability that a pair has one synapse or more; a row for each target, a column for each source
PROBABILITIES = np.array(
    [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0],
        [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0],
        [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
        [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
    ]
)

# From the model's NEST implementation (pynest/examples/Potjans_2014): rates of the network at full scale, which the
# compensation for fewer synapses takes as given, and initial potentials without a burst of spikes at the beginning.
RATES = np.array([0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829])  # Hz
V_INIT = {  # mV: means and standard deviations
    "optimized": (
        np.array([-68.28, -63.16, -63.33, -63.45, -63.11, -61.66, -66.72, -61.43]),
        np.array([5.36, 4.57, 4.74, 4.94, 4.94, 4.55, 5.46, 4.48]),
    ),
    "original": (np.full(8, -58.0), np.full(8, 10.0)),
}


def full_synapses():
    """(target, source) synapses at full scale, real numbers: n draws with replacement from all N_pre N_post pairs
    leave a pair without a synapse with probability (1 - 1/(N_pre N_post))^n = 1 - p."""
    pairs = np.outer(SIZES, SIZES).astype(float)
    return np.log(1.0 - PROBABILITIES) / np.log((pairs - 1.0) / pairs)


class Potjans2014(NetworkModel):
    """Four cortical layers below 1 mm^2, each an excitatory and an inhibitory population (Potjans & Diesmann 2014).

    77,169 neurons and 298,880,968 synapses at full scale, drawn with replacement between populations that are
    connected with the published probabilities. Weights and delays are Gaussian, weights cut so that they keep their
    sign and delays at half a step, from where they round to a step; synapses from L4E to L23E are twice as strong as
    other excitatory ones. The background is Poisson input of its own for each neuron, bg_rate Hz at each of its
    background synapses, or (`drive=dc`) a constant current of the same mean.

    `N_scaling` is a factor on the numbers of neurons with the in-degrees kept, `K_scaling` one on the in-degrees;
    `scale` sets those of the two that are not given themselves. With K_scaling below 1 weights grow by
    1/sqrt(K_scaling), which keeps the variance of the input, and a constant current makes up for the part
    1 - sqrt(K_scaling) of the mean input that is lost (van Albada, Helias & Diesmann 2015,
    doi:10.1371/journal.pcbi.1004490), assuming the rates of the full network. What it makes up for is inhibition on
    the whole, so with `drive=dc` the current of some populations is below threshold from K_scaling = 0.4 down, and at
    0.1 nearly all neurons are silent. Few neurons with many synapses share inputs and synchronise: of two networks with
    as many synapses, the one with more neurons is closer to the full one.
    """

    N_scaling: float = 1.0  # factor on the number of neurons
    K_scaling: float = 1.0  # factor on the number of synapses of a neuron, background included
    scale: float = 1.0  # N_scaling and K_scaling, unless they are given
    drive: str = "poisson"  # or dc
    V_init: str = "optimized"  # initial potentials; or original: the same distribution for all populations
    bg_rate: float = 8.0  # Hz, rate of each background synapse
    PSP: float = 0.15  # mV, height of an excitatory potential
    PSP_rel_sd: float = 0.1  # standard deviation of a weight relative to its mean
    g: float = -4.0  # inhibitory weights relative to excitatory ones
    L4E_L23E: float = 2.0  # weights from L4E to L23E relative to other excitatory ones
    delay_ex: float = 1.5  # ms, mean; also of the background
    delay_in: float = 0.75  # ms, mean
    delay_rel_sd: float = 0.5  # standard deviation of a delay relative to its mean
    C_m: float = 250.0  # pF
    tau_m: float = 10.0  # ms
    tau_syn: float = 0.5  # ms
    t_ref: float = 2.0  # ms
    E_L: float = -65.0  # mV
    V_th: float = -50.0  # mV
    V_reset: float = -65.0  # mV

    title = "Potjans & Diesmann 2014: the cortical microcircuit"
    reference = "doi:10.1093/cercor/bhs358"
    choices = {"drive": ("poisson", "dc"), "V_init": tuple(V_INIT)}
    limits = {
        **NetworkModel.limits, "N_scaling": (">= 0.001",), "K_scaling": ("> 0",), "scale": (">= 0.001",),
        "bg_rate": (">= 0",), "PSP": ("> 0",), "PSP_rel_sd": ("> 0",), "g": ("< 0",), "L4E_L23E": ("> 0",),
        "delay_ex": ("> 0",), "delay_in": ("> 0",), "delay_rel_sd": ("> 0",), "t_ref": (">= 0",),
    }  # fmt: skip
    small = {"scale": 0.02}

    def __init__(self, **given):
        super().__init__(**given)
        if self.tau_syn == self.tau_m:
            raise SpikesimError("Potjans2014: tau_syn and tau_m must differ.")
        for name in ("N_scaling", "K_scaling"):
            if name not in self.given:
                setattr(self, name, self.scale)

    @property
    def sizes(self):
        """Neurons of each population."""
        return np.rint(SIZES * self.N_scaling).astype(int)

    @property
    def synapses(self):
        """(target, source) number of synapses."""
        return np.rint(full_synapses() * self.N_scaling * self.K_scaling).astype(int)

    @property
    def weight_ext(self):
        """pA: weight of a background synapse, and the mean of all excitatory ones but those from L4E to L23E.

        V_m is highest where leak and current cancel, at t = ln(tau_m/tau_syn) / (1/tau_syn - 1/tau_m); there a
        potential of 1 mV takes C_m/tau_m e^(t/tau_syn) pA, 585 pA by default.
        """
        peak = (self.tau_m / self.tau_syn) ** (self.tau_m / (self.tau_m - self.tau_syn))
        return self.PSP * self.C_m / self.tau_m * peak / np.sqrt(self.K_scaling)

    @property
    def weights(self):
        """(target, source) mean weights (pA)."""
        weights = np.tile([self.weight_ext, self.g * self.weight_ext], (8, 4))
        weights[POPULATIONS.index("L23E"), POPULATIONS.index("L4E")] *= self.L4E_L23E
        return weights

    @property
    def currents(self):
        """pA: the constant current of each population, in place of the Poisson drive and of missing synapses.

        A synapse of weight w with spikes at rate r adds w tau_syn r to the mean input. Weights hold the factor
        1/sqrt(K_scaling) already.
        """
        root = np.sqrt(self.K_scaling)
        background = INDEGREES_EXT * self.weight_ext * root * self.bg_rate
        recurrent = (self.weights * root * full_synapses() / SIZES[:, None]) @ RATES
        share = 1.0 if self.drive == "dc" else 1.0 - root
        return 1e-3 * self.tau_syn * ((1.0 - root) * recurrent + share * background)

    def build(self, net):
        neuron = dict(C_m=self.C_m, tau_m=self.tau_m, tau_syn_ex=self.tau_syn, tau_syn_in=self.tau_syn,
                      t_ref=self.t_ref, E_L=self.E_L, V_th=self.V_th, V_reset=self.V_reset)  # fmt: skip
        populations = []
        for name, n, current, mean, sd in zip(
            POPULATIONS, self.sizes, self.currents, *V_INIT[self.V_init], strict=True
        ):
            populations.append(net.add(LIF(I_e=current, V_m=ss.Normal(mean, sd), **neuron), n, name=name))
        if self.drive == "poisson":
            for population, indegree in zip(populations, INDEGREES_EXT * self.K_scaling, strict=True):
                net.drive(population, rate=indegree * self.bg_rate, weight=self.weight_ext, delay=self.delay_ex)
        synapses, weights = self.synapses, self.weights
        for i, target in enumerate(populations):
            for j, source in enumerate(populations):
                if synapses[i, j]:
                    net.connect(source, target, ss.FixedTotalNumber(synapses[i, j]), weight=self._weight(weights[i, j]),
                                delay=self._delay(weights[i, j]))  # fmt: skip

    def _weight(self, mean):
        low, high = (0.0, np.inf) if mean > 0 else (-np.inf, 0.0)
        return ss.TruncatedNormal(mean, abs(mean) * self.PSP_rel_sd, low=low, high=high)

    def _delay(self, weight):
        mean = self.delay_ex if weight > 0 else self.delay_in
        return ss.TruncatedNormal(mean, mean * self.delay_rel_sd, low=self.dt / 2)  # and then rounded
