"""A recurrent network that inhibitory plasticity balances (Vogels, Sprekeler, Zenke, Clopath & Gerstner 2011)."""

import spikesim as ss
from spikesim.experiment import NetworkModel
from spikesim.models.neurons.lif_cond import LIFCond
from spikesim.models.plasticity.vogels_istdp import VogelsISTDP


class Vogels2011(NetworkModel):
    """Excitatory and inhibitory neurons with conductance synapses, sparsely connected; those from inhibitory to
    excitatory neurons learn (VogelsISTDP) and begin with no weight at all.

    A constant current makes every neuron fire by itself. For the first second nothing learns, and excitatory neurons
    fire fast and together; then inhibition grows until they fire at rho_0, irregularly and asynchronously.

    Numbers are those of the authors' program for the recurrent network (ModelDB 143751, `isp_brian.py`). Conductances
    are in nS. Other than there, spikes take one step of 0.1 ms, and the step is exponential Euler (see LIFCond).
    """

    N_E: int = 8000  # excitatory neurons
    N_I: int = 2000  # inhibitory neurons
    p: float = 0.02  # probability that one neuron is connected to another
    w_ex: float = 0.3  # nS, onto all neurons
    w_in: float = 3.0  # nS, from inhibitory onto inhibitory neurons
    w_start: float = 1e-10  # nS, from inhibitory onto excitatory neurons, before they learn
    w_max: float = 100.0  # nS
    eta: float = 1e-2  # nS
    tau: float = 20.0  # ms, of the traces
    rho_0: float = 3.0  # Hz, the rate that excitatory neurons are brought to
    learn_from: float = 1000.0  # ms
    C_m: float = 200.0  # pF
    g_L: float = 10.0  # nS
    E_L: float = -60.0  # mV, also where neurons are reset to
    E_ex: float = 0.0  # mV
    E_in: float = -80.0  # mV
    V_th: float = -50.0  # mV
    t_ref: float = 5.0  # ms
    tau_ex: float = 5.0  # ms
    tau_in: float = 10.0  # ms
    I_e: float = 200.0  # pA

    title = "Vogels et al. 2011: inhibitory plasticity balances a recurrent network"
    reference = "doi:10.1126/science.1211095"
    duration = 10_000.0  # ms
    limits = {
        **NetworkModel.limits, "N_E": (">= 1",), "N_I": (">= 1",), "p": (">= 0", "<= 1"), "w_ex": (">= 0",),
        "w_in": (">= 0",), "w_start": (">= 0",), "rho_0": (">= 0",), "learn_from": (">= 0",), "t_ref": (">= 0",),
    }  # fmt: skip
    small = {"N_E": 320, "N_I": 80, "p": 0.2, "learn_from": 50.0}

    def build(self, net):
        neuron = LIFCond(C_m=self.C_m, g_L=self.g_L, E_L=self.E_L, V_reset=self.E_L, V_th=self.V_th, E_ex=self.E_ex,
                         E_in=self.E_in, t_ref=self.t_ref, tau_syn_ex=self.tau_ex, tau_syn_in=self.tau_in,
                         I_e=self.I_e)  # fmt: skip
        exc = net.add(neuron, self.N_E, name="excitatory")
        inh = net.add(neuron, self.N_I, name="inhibitory")
        rule = VogelsISTDP(eta=self.eta, tau=self.tau, rho_0=self.rho_0, w_max=self.w_max)
        sparsely = ss.FixedProbability(self.p)
        for target in (exc, inh):
            net.connect(exc, target, sparsely, weight=self.w_ex, delay=self.dt)
        net.connect(inh, inh, sparsely, weight=-self.w_in, delay=self.dt)
        plastic = net.connect(inh, exc, sparsely, weight=self.w_start, delay=self.dt, receptor="inhibitory",
                              plasticity=rule, dendritic_delay_fraction=0.0)  # fmt: skip
        plastic.learn_from(self.learn_from)
