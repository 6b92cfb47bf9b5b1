"""A neuron whose inhibitory inputs learn to mirror the excitatory ones (Vogels, Sprekeler, Zenke et al. 2011)."""

import numpy as np

import spikesim as ss
from spikesim.experiment import NetworkModel
from spikesim.models.neurons.lif_cond import LIFCond
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.models.plasticity.vogels_istdp import VogelsISTDP
from spikesim.rng import Stream


class Vogels2011Cell(NetworkModel):
    """`channels` signals, each carried by excitatory and by inhibitory Poisson inputs to one neuron. Excitatory weights
    are tuned to the fifth channel and stay; inhibitory ones are all alike at first and learn (VogelsISTDP), until they
    have the same tuning and the neuron fires at rho_0.

    A signal is white noise, even between -1/2 and 1/2 in every `grain`, filtered with tau_signal; where it is positive
    it adds peak / norm times its value to the background rate. The numbers are those of the authors' program for the
    single neuron (ModelDB 143751, `inhib_plasticity.m`). There an input is silent for 5 ms after each of its spikes;
    here inputs are Poisson, with rates lowered to what that leaves of them, r / (1 + r t_input). Input ends after
    `length` ms. Weights of the program are in units of the leak, which is g_L here and cancels.
    """

    channels: int = 8
    N_E: int = 100  # excitatory inputs of a channel
    N_I: int = 25  # inhibitory inputs of a channel
    length: float = 150_000.0  # ms of input
    background: float = 5.0  # Hz
    peak: float = 500.0  # Hz
    norm: float = 0.03  # about the greatest value of a signal
    tau_signal: float = 50.0  # ms
    grain: float = 0.1  # ms, for which the noise and the rates stay as they are
    t_input: float = 5.0  # ms
    g_ex: float = 0.014  # units of the leak
    g_in: float = 0.035  # units of the leak
    start: float = 0.1  # inhibitory weights at first, units of g_in
    eta: float = 1e-3  # units of g_in
    tau: float = 20.0  # ms, of the traces
    rho_0: float = 6.25  # Hz
    tau_m: float = 20.0  # ms
    tau_ex: float = 5.0  # ms
    tau_in: float = 10.0  # ms
    E_L: float = -60.0  # mV, also where the neuron is reset to
    E_ex: float = 0.0  # mV
    E_in: float = -80.0  # mV
    V_th: float = -50.0  # mV
    t_ref: float = 5.0  # ms
    g_L: float = 10.0  # nS

    title = "Vogels et al. 2011: inhibition learns the tuning of excitation"
    reference = "doi:10.1126/science.1211095"
    duration = 150_000.0  # ms
    limits = {
        **NetworkModel.limits, "channels": (">= 1",), "N_E": (">= 1",), "N_I": (">= 1",), "length": ("> 0",),
        "background": (">= 0",), "peak": (">= 0",), "norm": ("> 0",), "tau_signal": ("> 0",), "grain": ("> 0",),
        "t_input": (">= 0",), "g_ex": (">= 0",), "g_in": ("> 0",), "start": (">= 0",), "rho_0": (">= 0",),
        "t_ref": (">= 0",), "g_L": ("> 0",),
    }  # fmt: skip
    small = {"length": 300.0}

    def rates(self, stream):
        """(channels, grains) Hz."""
        from scipy.signal import lfilter  # late, for it takes half a second to import

        n, kept = round(self.length / self.grain), np.exp(-self.grain / self.tau_signal)
        noise = stream.uniform(self.channels * n).reshape(self.channels, n) - 0.5
        rate = self.background + self.peak / self.norm * np.maximum(0.0, lfilter([1.0 - kept], [1.0, -kept], noise))
        return rate / (1.0 + rate * 1e-3 * self.t_input)

    def trains(self, rates, n, stream):
        """(times, ids) of n inputs of every channel, in which input k n + i belongs to channel k: one Poisson train of
        rate 1 is laid along the expected counts of the inputs, one after the other."""
        times, ids = [], []
        for k, rate in enumerate(rates):
            expected = np.append(0.0, np.cumsum(rate * 1e-3 * self.grain))
            total = n * expected[-1]
            events = np.cumsum(-np.log(stream.uniform(round(total + 10.0 * total**0.5 + 20.0))))
            which, within = np.divmod(events[events < total], expected[-1])
            times.append(np.interp(within, expected, self.grain * np.arange(len(expected))))
            ids.append(k * n + np.minimum(which.astype(np.int64), n - 1))
        times = np.maximum(np.ceil(np.concatenate(times) / self.dt), 1.0) * self.dt
        return times, np.concatenate(ids)

    def tuning(self, stream):
        """(channels N_E,) weights of the excitatory inputs, in units of g_ex."""
        channel = np.repeat(np.arange(1.0, self.channels + 1.0), self.N_E)
        return 0.3 + 1.1 / (1.0 + (channel - 5.0) ** 4) + 0.1 * stream.uniform(len(channel))

    def build(self, net):
        stream = Stream(net.seed, "TASK")
        rates = self.rates(stream)
        sources = []
        for name, n in (("excitatory", self.N_E), ("inhibitory", self.N_I)):
            times, ids = self.trains(rates, n, stream)
            sources.append(net.add(SpikeSource(times=times, ids=ids), self.channels * n, name=name))
        neuron = LIFCond(C_m=self.tau_m * self.g_L, g_L=self.g_L, E_L=self.E_L, V_reset=self.E_L, V_th=self.V_th,
                         E_ex=self.E_ex, E_in=self.E_in, t_ref=self.t_ref, tau_syn_ex=self.tau_ex,
                         tau_syn_in=self.tau_in)  # fmt: skip
        cell = net.add(neuron, 1, name="neuron")
        weights = self.g_ex * self.g_L * self.tuning(stream)
        net.connect(sources[0], cell, ss.AllToAll(), weight=weights[:, None], delay=self.dt)
        w_ref = self.g_in * self.g_L
        rule = VogelsISTDP(eta=self.eta, tau=self.tau, rho_0=self.rho_0, w_max=float("inf"), w_ref=w_ref)
        net.connect(sources[1], cell, ss.AllToAll(), weight=self.start * w_ref, delay=self.dt, receptor="inhibitory",
                    plasticity=rule, dendritic_delay_fraction=0.0)  # fmt: skip
