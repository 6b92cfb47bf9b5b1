"""The network of Brunel 2000 with a constant drive, made to measure simulators by their synapses."""

import spikesim as ss
from spikesim.experiment import NetworkModel
from spikesim.models.neurons.lif_delta import LIFDelta
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.models.plasticity.triplet_stdp import TripletSTDP


class Brunel10k(NetworkModel):
    """Brunel's asynchronous state, held up by a constant current in place of Poisson input.

    So nearly all the work is in the synapses, 12.5 million of them: every neuron has C_E excitatory ones of J mV and
    C_I inhibitory ones of -g J mV, drawn at random. All neurons get the drive, and start at potentials drawn evenly
    between rest (0 mV) and threshold. It fires at about 13.7 Hz.

    `plasticity` makes the synapses among excitatory neurons plastic, with weights between 0 and 2 J: `pair` is additive
    STDP, `triplet` the minimal all-to-all model of visual cortex. learning_rate scales the amplitudes, in units of 2 J,
    and is so small that weights, and with them rates, stay what they are while every update is computed.
    """

    N_E: int = 8000  # excitatory neurons
    N_I: int = 2000  # inhibitory neurons
    C_E: int = 1000  # excitatory synapses of a neuron
    C_I: int = 250  # inhibitory synapses of a neuron
    J: float = 0.1  # mV, height of an excitatory potential
    g: float = 5.0  # inhibitory weights are -g J
    drive: float = 24.0  # mV, where the potential would settle without synapses and threshold
    delay: float = 1.5  # ms
    tau_m: float = 20.0  # ms
    theta: float = 20.0  # mV, threshold
    V_reset: float = 10.0  # mV
    t_ref: float = 2.0  # ms
    plasticity: str = "static"
    learning_rate: float = 1e-9

    title = "Brunel 2000 with a constant drive: a benchmark of static and plastic synapses"
    reference = "doi:10.1023/A:1008925309027"
    choices = {"plasticity": ("static", "pair", "triplet")}
    limits = {
        **NetworkModel.limits, "N_E": (">= 1",), "N_I": (">= 1",), "C_E": (">= 1",), "C_I": (">= 0",),
        "J": ("> 0",), "g": (">= 0",), "delay": ("> 0",), "theta": ("> 0",), "t_ref": (">= 0",),
        "learning_rate": (">= 0",),
    }  # fmt: skip
    small = {"N_E": 400, "N_I": 100, "C_E": 100, "C_I": 25, "J": 1.0}

    def plastic_rule(self):
        """The rule of the synapses among excitatory neurons, or None."""
        w_max, rate = 2 * self.J, self.learning_rate
        if self.plasticity == "pair":
            return PairSTDP(a_plus=rate, a_minus=1.05 * rate, w_max=w_max, w_ref=w_max)
        if self.plasticity == "triplet":
            return TripletSTDP(a3_plus=6.5e-3 * rate, a2_minus=7.1e-3 * rate, w_max=w_max, w_ref=w_max)
        return None

    def build(self, net):
        neuron = LIFDelta(
            E_L=0.0, V_m=ss.Uniform(0.0, self.theta), V_th=self.theta, V_reset=self.V_reset, tau_m=self.tau_m,
            t_ref=self.t_ref, C_m=250.0, I_e=250.0 * self.drive / self.tau_m,
        )  # fmt: skip
        exc = net.add(neuron, self.N_E, name="excitatory")
        inh = net.add(neuron, self.N_I, name="inhibitory")
        for target in (exc, inh):
            rule = self.plastic_rule() if target is exc else None
            net.connect(exc, target, ss.FixedIndegree(self.C_E), weight=self.J, delay=self.delay, plasticity=rule)
            net.connect(inh, target, ss.FixedIndegree(self.C_I), weight=-self.g * self.J, delay=self.delay)
