"""Sparsely connected excitatory and inhibitory integrate-and-fire neurons (Brunel 2000)."""

import spikesim as ss
from spikesim.errors import SpikesimError
from spikesim.experiment import NetworkModel
from spikesim.models.neurons.lif_delta import LIFDelta


class Brunel2000(NetworkModel):
    """Random network of excitatory and inhibitory neurons that all get the same mean input (Brunel 2000).

    Every neuron has C_E excitatory synapses of J mV and C_I inhibitory ones of -g J mV from the network, drawn at
    random, and C_E excitatory ones from outside, each with Poisson spikes at the rate eta nu_thr. nu_thr =
    theta / (J C_E tau_m) is the outside rate that just brings the mean potential to threshold, 10 Hz by default.
    Potentials are in mV with rest at 0; delays and time constants in ms.

    The presets are the four states of the paper's Fig. 8: `synchronous_regular` (A), `synchronous_irregular_fast`
    (B), `asynchronous_irregular` (C; the defaults) and `synchronous_irregular_slow` (D).

    For a smaller network lower N_E, N_I, C_E and C_I together and raise J by as much: J C_E, and with it the mean
    input, then stays as it was, while its fluctuations grow.
    """

    N_E: int = 10_000  # excitatory neurons
    N_I: int = 2_500  # inhibitory neurons
    C_E: int = 1_000  # excitatory synapses of a neuron from the network, and as many from outside
    C_I: int = 250  # inhibitory synapses of a neuron
    J: float = 0.1  # mV, height of an excitatory potential
    g: float = 5.0  # inhibitory weights are -g J
    eta: float = 2.0  # outside rate in units of nu_thr
    delay: float = 1.5  # ms
    tau_m: float = 20.0  # ms
    theta: float = 20.0  # mV, threshold
    V_reset: float = 10.0  # mV
    t_ref: float = 2.0  # ms

    title = "Brunel 2000: sparsely connected excitatory and inhibitory neurons"
    reference = "doi:10.1023/A:1008925309027"
    presets = {
        "synchronous_regular": {"g": 3.0, "eta": 2.0},
        "synchronous_irregular_fast": {"g": 6.0, "eta": 4.0},
        "asynchronous_irregular": {"g": 5.0, "eta": 2.0},
        "synchronous_irregular_slow": {"g": 4.5, "eta": 0.9},
    }
    limits = {
        **NetworkModel.limits, "N_E": (">= 1",), "N_I": (">= 1",), "C_E": (">= 1",), "C_I": (">= 0",),
        "J": ("> 0",), "g": (">= 0",), "eta": (">= 0",), "delay": ("> 0",), "theta": ("> 0",), "t_ref": (">= 0",),
    }  # fmt: skip
    small = {"N_E": 400, "N_I": 100, "C_E": 100, "C_I": 25, "J": 1.0}

    def __init__(self, **given):
        super().__init__(**given)
        if self.delay < self.dt:
            raise SpikesimError(
                f"Brunel2000: delay ({self.delay:g} ms) is shorter than one step dt = {self.dt:g} ms; give dt or more."
            )

    @property
    def nu_thr(self):
        """Hz: the rate of each outside synapse at which the mean potential reaches threshold."""
        return 1e3 * self.theta / (self.J * self.C_E * self.tau_m)

    def build(self, net):
        neuron = LIFDelta(E_L=0.0, V_m=0.0, V_th=self.theta, V_reset=self.V_reset, tau_m=self.tau_m, t_ref=self.t_ref)
        # C_E independent Poisson trains onto one neuron are one train of C_E times the rate.
        outside = self.C_E * self.eta * self.nu_thr
        exc = net.add(neuron, self.N_E, name="excitatory")
        inh = net.add(neuron, self.N_I, name="inhibitory")
        for target in (exc, inh):
            net.drive(target, rate=outside, weight=self.J, delay=self.delay)
            net.connect(exc, target, ss.FixedIndegree(self.C_E), weight=self.J, delay=self.delay)
            net.connect(inh, target, ss.FixedIndegree(self.C_I), weight=-self.g * self.J, delay=self.delay)
