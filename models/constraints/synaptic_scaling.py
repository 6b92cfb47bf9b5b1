"""Weights onto a neuron grow while it fires too little, and shrink while too much (Turrigiano et al. 1998)."""

import numpy as np

from spikesim.constraints import Constraint


class SynapticScaling(Constraint):
    """dw/dt = (w / tau_scaling) (1 - (nu / kappa)^power),  nu = z / tau_nu,

    where z is a trace of the target's spikes with time constant tau_nu, so that nu estimates its rate (Hz). The factor
    is the same for all weights onto a neuron, so their ratios stay.

    With power = 1 it is the linear form dw/dt = beta w (kappa - nu), beta = 1 / (kappa tau_scaling), of van Rossum, Bi
    & Turrigiano 2000 (doi:10.1523/JNEUROSCI.20-23-08812.2000); with power = 3 the cubic one of Auryn (Zenke & Gerstner
    2014, doi:10.3389/fninf.2014.00076). It is applied once in `every` ms, and then exactly for a rate that was nu all
    the time: w -> w exp(every / tau_scaling (1 - (nu / kappa)^power)). No weight changes its sign. The defaults are
    round numbers, no one's measurements.
    """

    kappa: float = 5.0  # Hz, the rate it works towards
    tau_scaling: float = 100_000.0  # ms
    tau_nu: float = 10_000.0  # ms
    power: int = 1

    traces = {"z": "tau_nu"}
    limits = {**Constraint.limits, "kappa": ("> 0",), "power": (">= 1",)}
    reference = "doi:10.1038/36103"

    def apply(self, w, synapses):
        nu = synapses.trace("z") / (self.tau_nu * 1e-3)
        return w * np.exp(synapses.elapsed / self.tau_scaling * (1.0 - (nu / self.kappa) ** self.power))
