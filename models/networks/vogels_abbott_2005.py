"""Networks that keep themselves active, with current or conductance synapses (Vogels & Abbott 2005)."""

import spikesim as ss
from spikesim.errors import SpikesimError
from spikesim.experiment import NetworkModel
from spikesim.models.neurons.lif import LIF
from spikesim.models.neurons.lif_cond import LIFCond
from spikesim.models.neurons.poisson import PoissonSource

#: what differs between the forms: Brette et al. 2007, benchmarks 2 and 1
FORMS = {
    "cuba": {"E_L": -49.0, "w_ex": 1.62, "w_in": 9.0, "stimulated": 0},
    "coba": {"E_L": -60.0, "w_ex": 6.0, "w_in": 67.0, "stimulated": 50},
}


class VogelsAbbott2005(NetworkModel):
    """Excitatory and inhibitory neurons, sparsely connected, which keep each other active (Vogels & Abbott 2005).

    Size and parameters are those of the benchmarks 2 and 1 of Brette et al. 2007 (doi:10.1007/s10827-007-0038-6).
    `synapses` says what a spike adds, decaying with tau_ex or tau_in:

    `cuba`: a current. Its weight is given as the potential (mV) that the current would hold if it did not decay:
    w mV are w C_m/tau_m pA, so 1.62 and 9 mV are 16.2 and 90 pA. E_L lies above V_th, so neurons fire by
    themselves.

    `coba`: a conductance, in nS; the leak is C_m/tau_m = 10 nS. E_L lies below V_th, so activity must be started:
    for the first 50 ms Poisson spikes at 300 Hz reach each of 50 excitatory neurons, with the weight of their other
    inputs (NEST's version of the benchmark). The preset `coba_driven` needs no start: it is the form that Auryn (Zenke
    & Gerstner 2014, doi:10.3389/fninf.2014.00076) is measured with, weights of 0.4 and 5.1 times the leak and a
    constant current worth 20 mV.

    E_L, w_ex, w_in and `stimulated` are those of the form unless given. Initial potentials are random between V_reset
    and V_th. The delay is one step of 0.1 ms, the shortest there is. Rates differ between seeds by some per cent,
    because the numbers of synapses do.
    """

    synapses: str = "cuba"  # or coba
    N_E: int = 3200  # excitatory neurons
    N_I: int = 800  # inhibitory neurons
    p: float = 0.02  # probability that one neuron is connected to another
    w_ex: float = 1.62  # mV (cuba) or nS (coba)
    w_in: float = 9.0  # mV (cuba) or nS (coba)
    delay: float = 0.1  # ms
    C_m: float = 200.0  # pF
    tau_m: float = 20.0  # ms
    tau_ex: float = 5.0  # ms
    tau_in: float = 10.0  # ms
    t_ref: float = 5.0  # ms
    E_L: float = -49.0  # mV
    V_th: float = -50.0  # mV
    V_reset: float = -60.0  # mV
    E_ex: float = 0.0  # mV, coba
    E_in: float = -80.0  # mV, coba
    I_e: float = 0.0  # pA, constant current
    stimulated: int = 0  # excitatory neurons that are stimulated to start the activity; 50 with coba
    stimulus_rate: float = 300.0  # Hz
    stimulus_time: float = 50.0  # ms

    title = "Vogels & Abbott 2005: self-sustained activity (CUBA and COBA benchmarks)"
    reference = "doi:10.1523/JNEUROSCI.3508-05.2005"
    presets = {
        "cuba": {"synapses": "cuba"},
        "coba": {"synapses": "coba"},
        "coba_driven": {"synapses": "coba", "w_ex": 4.0, "w_in": 51.0, "I_e": 200.0, "stimulated": 0},
    }
    choices = {"synapses": tuple(FORMS)}
    limits = {
        **NetworkModel.limits, "N_E": (">= 1",), "N_I": (">= 1",), "p": (">= 0", "<= 1"), "w_ex": (">= 0",),
        "w_in": (">= 0",), "delay": ("> 0",), "t_ref": (">= 0",), "stimulated": (">= 0",),
        "stimulus_rate": (">= 0",), "stimulus_time": ("> 0",),
    }  # fmt: skip
    small = {"N_E": 320, "N_I": 80, "p": 0.2}

    def __init__(self, **given):
        super().__init__(**given)
        if self.delay < self.dt:
            raise SpikesimError(
                f"VogelsAbbott2005: delay ({self.delay:g} ms) is shorter than one step dt = {self.dt:g} ms; "
                "give dt or more."
            )
        named = self.given.union(self.presets.get(self.preset, {}))
        for name, value in FORMS[self.synapses].items():
            if name not in named:
                setattr(self, name, value)

    def build(self, net):
        leak = self.C_m / self.tau_m  # nS, or pA/mV
        shared = dict(C_m=self.C_m, tau_syn_ex=self.tau_ex, tau_syn_in=self.tau_in, t_ref=self.t_ref, E_L=self.E_L,
                      V_th=self.V_th, V_reset=self.V_reset, I_e=self.I_e,
                      V_m=ss.Uniform(self.V_reset, self.V_th))  # fmt: skip
        if self.synapses == "cuba":
            neuron, unit = LIF(tau_m=self.tau_m, **shared), leak
        else:
            neuron, unit = LIFCond(g_L=leak, E_ex=self.E_ex, E_in=self.E_in, **shared), 1.0
        exc = net.add(neuron, self.N_E, name="excitatory")
        inh = net.add(neuron, self.N_I, name="inhibitory")
        for source, weight in ((exc, self.w_ex * unit), (inh, -self.w_in * unit)):
            for target in (exc, inh):
                net.connect(source, target, ss.FixedProbability(self.p), weight=weight, delay=self.delay)
        if self.stimulated:
            started = exc[: self.stimulated]
            spikes = PoissonSource(rate=[self.stimulus_rate, 0.0], times=[0.0, self.stimulus_time])
            stimulus = net.add(spikes, len(started), name="stimulus")
            net.connect(stimulus, started, ss.OneToOne(), weight=self.w_ex * unit, delay=self.delay)
