"""Balanced random network with power-law STDP, NEST's benchmark (Morrison, Aertsen & Diesmann 2007)."""

import math

import spikesim as ss
from spikesim.errors import SpikesimError
from spikesim.experiment import NetworkModel
from spikesim.models.neurons.lif_alpha import LIFAlpha
from spikesim.models.plasticity.power_law_stdp import PowerLawSTDP


class HpcBenchmark(NetworkModel):
    """Excitatory and inhibitory neurons with alpha-shaped currents, and power-law STDP among the excitatory ones.

    9000 excitatory and 2250 inhibitory neurons times `scale`, in the form and with the parameters of NEST's example
    `hpc_benchmark` (Helias et al. 2012, doi:10.3389/fninf.2012.00026; Kunkel et al. 2014,
    doi:10.3389/fninf.2014.00078). Whatever the scale, every neuron has 9000 excitatory synapses and 2250 inhibitory
    ones, from other neurons drawn at random with repetition. As many excitatory ones come from outside, with Poisson
    spikes at the rate eta nu_thr; nu_thr is the rate that just brings the mean potential to threshold. Potentials are
    in mV with rest at 0. An excitatory potential is JE mV high; weights among excitatory neurons begin there and then
    follow `PowerLawSTDP`, unless `plasticity` is `none`.

    It is meant for a scale above 10. Few neurons share much of their input, so at a scale around 1 and below they
    synchronise, weights grow, and in the end all fire together; NEST's example runs for 50 and then 250 ms at scale 1.

    For a smaller network lower `K_scaling`, a factor on in-degrees. Weights grow by 1/K_scaling, and w_ref of the rule
    with them: the mean input and where weights settle relative to JE stay as they were, while fluctuations grow.
    """

    scale: float = 1.0  # factor on the number of neurons
    K_scaling: float = 1.0  # factor on the number of synapses of a neuron, those from outside included
    plasticity: str = "stdp"  # or none
    JE: float = 0.14  # mV, height of an excitatory potential
    g: float = -5.0  # inhibitory weights relative to excitatory ones
    eta: float = 1.685  # outside rate in units of nu_thr
    delay: float = 1.5  # ms
    C_m: float = 250.0  # pF
    tau_m: float = 10.0  # ms
    tau_syn: float = 0.32582722403722841  # ms, with which a potential is highest after 1.700759 ms
    t_ref: float = 0.5  # ms
    V_th: float = 20.0  # mV
    V_reset: float = 0.0  # mV
    V_mean: float = 5.7  # mV, mean of the initial potentials
    V_sd: float = 7.2  # mV, their standard deviation
    lambda_: float = 0.1  # learning rate
    alpha: float = 0.0513  # depression relative to potentiation
    mu: float = 0.4  # exponent of the weight in potentiation
    tau_plus: float = 15.0  # ms
    tau_minus: float = 30.0  # ms

    title = "NEST's hpc_benchmark: a balanced random network with power-law STDP"
    reference = "doi:10.1162/neco.2007.19.6.1437"
    duration = 250.0
    choices = {"plasticity": ("stdp", "none")}
    limits = {
        **NetworkModel.limits, "scale": ("> 0",), "K_scaling": ("> 0",), "JE": ("> 0",), "g": ("< 0",),
        "eta": (">= 0",), "delay": ("> 0",), "t_ref": (">= 0",), "V_th": ("> 0",), "V_sd": (">= 0",),
    }  # fmt: skip
    aliases = {"lambda": ("lambda_", 1.0)}
    small = {"scale": 0.02, "K_scaling": 0.02}

    def __init__(self, **given):
        super().__init__(**given)
        if self.tau_syn >= self.tau_m:
            raise SpikesimError(
                f"HpcBenchmark: tau_syn ({self.tau_syn:g} ms) must be shorter than tau_m ({self.tau_m:g} ms)."
            )

    @property
    def N_E(self):
        """Excitatory neurons."""
        return max(2, round(9000 * self.scale))

    @property
    def N_I(self):
        """Inhibitory neurons."""
        return max(2, round(2250 * self.scale))

    @property
    def C_E(self):
        """Excitatory synapses of a neuron from the network, and as many from outside."""
        return max(1, round(9000 * self.K_scaling))

    @property
    def C_I(self):
        """Inhibitory synapses of a neuron."""
        return max(1, round(2250 * self.K_scaling))

    @property
    def weight_ex(self):
        """pA: with it a potential is JE / K_scaling high, 45.6 pA by default.

        A current that begins with t/tau_syn raises the potential as e^(-t/tau_m) - (1 + b t) e^(-t/tau_syn) with
        b = 1/tau_syn - 1/tau_m. Its slope is 0 where e^(b t) = 1 + (tau_m/tau_syn) b t, whose solution beyond 0 is on
        the lower branch of Lambert's W. There leak and current cancel: V_m = tau_m/C_m I.
        """
        from scipy.special import lambertw  # late, for it takes a quarter of a second to import

        ratio = self.tau_m / self.tau_syn
        b = 1.0 / self.tau_syn - 1.0 / self.tau_m
        t = -(float(lambertw(-math.exp(-1.0 / ratio) / ratio, -1).real) + 1.0 / ratio) / b
        current = t / self.tau_syn * math.exp(1.0 - t / self.tau_syn)
        return self.JE / self.K_scaling * self.C_m / self.tau_m / current

    @property
    def rate_ext(self):
        """Hz: the rate of all outside synapses of a neuron together.

        A spike brings the charge e tau_syn weight_ex, so at C_E nu_thr the mean current holds V_m at V_th.
        """
        per_ms = self.V_th * self.C_m / (self.tau_m * math.e * self.tau_syn * self.weight_ex)
        return 1e3 * self.eta * per_ms

    def rule(self):
        """The rule of the synapses among excitatory neurons, or None."""
        if self.plasticity == "none":
            return None
        names = ("lambda_", "alpha", "mu", "tau_plus", "tau_minus")
        return PowerLawSTDP(w_ref=1.0 / self.K_scaling, **{name: getattr(self, name) for name in names})

    def build(self, net):
        neuron = LIFAlpha(
            E_L=0.0, C_m=self.C_m, tau_m=self.tau_m, t_ref=self.t_ref, V_th=self.V_th, V_reset=self.V_reset,
            tau_syn_ex=self.tau_syn, tau_syn_in=self.tau_syn, V_m=ss.Normal(self.V_mean, self.V_sd),
        )  # fmt: skip
        exc = net.add(neuron, self.N_E, name="excitatory")
        inh = net.add(neuron, self.N_I, name="inhibitory")
        from_exc, from_inh = (ss.FixedIndegree(k, autapses=False) for k in (self.C_E, self.C_I))
        for target in (exc, inh):
            rule = self.rule() if target is exc else None
            net.drive(target, rate=self.rate_ext, weight=self.weight_ex, delay=self.delay)
            net.connect(exc, target, from_exc, weight=self.weight_ex, delay=self.delay, plasticity=rule)
            net.connect(inh, target, from_inh, weight=self.g * self.weight_ex, delay=self.delay)
