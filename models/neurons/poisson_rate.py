"""A rate unit that speaks in Poisson spikes."""

import math

import numpy as np

from spikesim.neuron import Neuron
from spikesim.special import poisson_count, sigmoid


class PoissonRate(Neuron):
    """A leaky sum of spikes, and Poisson spikes at a rate that is a function of it:

        tau_m dV_m/dt = -V_m + bias + sum_i w_i S_i(t),   phi = phi_max f(V_m)

    S_i are the spike trains of its inputs (1/ms), so w is an area (ms): inputs of r spikes per ms hold V_m at w r +
    bias in the mean. A weight W of a network of rate units is w = W/phi_max here, with phi_max of the source in 1/ms. f
    is the logistic function, or what is above 0: activation = "logistic" or "rectified".

    The receptor "feedback" is apart from that. Its spikes add to U, which leaks with tau_U (never, by default), drives
    nothing, and is there for rules to read. Spikes add W, not an area, to U.

    Steps of dt are exact, with inputs spread evenly over the step in which they arrive.
    """

    tau_m: float = 10.0  # ms
    tau_U: float = math.inf  # ms
    phi_max: float = 200.0  # Hz; where rectified, the rate at V_m = 1
    bias: float = 0.0
    activation: str = "logistic"  # or rectified

    choices = {"activation": ("logistic", "rectified")}
    limits = {"phi_max": (">= 0",)}
    receptors = ("drive", "feedback")
    state = {"V_m": "bias", "U": 0.0}
    constants = ("P", "rest", "per_spike", "P_U", "mean", "rectified")
    random = True
    max_spikes = 16
    reference = "doi:10.1038/ncomms13276"

    @staticmethod
    def derive(p, dt):
        P = np.exp(-dt / p.tau_m)
        return {
            "P": P,
            "rest": (1.0 - P) * p.bias,
            "per_spike": (1.0 - P) / dt,
            "P_U": np.exp(-dt / p.tau_U),
            "mean": p.phi_max * 1e-3 * dt,
            "rectified": float(p.activation == "rectified"),
        }

    @staticmethod
    def advance(s, x, c, free):
        return (c.P * s.V_m + c.rest + c.per_spike * x.drive, c.P_U * s.U + x.feedback)

    @staticmethod
    def spikes(s, c, u):
        f = max(s.V_m, 0.0) if c.rectified > 0.5 else sigmoid(s.V_m)
        return poisson_count(u, c.mean * f)
