"""The Convallis rule: push the postsynaptic potential out of the valley between off and on (Yger & Harris 2013)."""

import numpy as np

from spikesim.models.neurons.clopath_adex import ClopathAdEx
from spikesim.plasticity import Rule, Trace
from spikesim.signals import LowPass


def objective(v_ltp, v_ltd, p):
    """F, of which the rule climbs the integral over time: what two filtered potentials (mV) are worth, in mV.

    F = a_ltp S(v_ltp; theta_ltp, s_ltp) - a_ltd S(v_ltd; theta_ltd, s_ltd) with S = s (q - arctan q),
    q = [v - theta]+ / s. S is 0 up to theta, and far above it grows as v does. Numbers or arrays.
    """

    def soft_threshold(v, theta, s):
        q = np.maximum(v - theta, 0.0) / s
        return s * (q - np.arctan(q))

    ltp = soft_threshold(v_ltp, p.theta_ltp, p.s_ltp)
    return p.a_ltp * ltp - p.a_ltd * soft_threshold(v_ltd, p.theta_ltd, p.s_ltd)


# Fitted by benchmarks/fit_convallis.py: time constants (ms), thresholds and slopes (mV), amplitudes (1/ms).
FITS = {
    "hippocampal_culture": {
        "tau_m": 38.44, "tau_ltp": 1.851, "tau_ltd": 1.001, "theta_ltp": -43.66, "theta_ltd": -69.5,
        "s_ltp": 1.031, "s_ltd": 14.57, "a_ltp": 0.003192, "a_ltd": 0.0005652,
    },
    "visual_cortex": {
        "tau_m": 6.528, "tau_ltp": 9.024, "tau_ltd": 2.276, "theta_ltp": -51.61, "theta_ltd": -69.5,
        "s_ltp": 1.0, "s_ltd": 29.32, "a_ltp": 0.006147, "a_ltd": 0.005854,
    },
}  # fmt: skip


class Convallis(Rule):
    """Unsupervised learning as hill climbing, with two detectors of coincidence, one for LTP and one for LTD.

    A neuron that is informative is clearly off or clearly on, and seldom between: the valley, between theta_ltd and
    theta_ltp, is to be avoided. So the weights climb L = integral of F(V), where F falls in the valley and rises above
    it. V (mV) is the postsynaptic potential, first filtered for either part, with tau_ltp and tau_ltd, because what is
    worth knowing changes slowly; `objective` is F. With a postsynaptic potential w e^(-t/tau_m) for each presynaptic
    spike, x_ltp and x_ltd being the same filters of it at w = 1, the gradient is

        dw/dt = a_ltp f((v_ltp - theta_ltp)/s_ltp) x_ltp - a_ltd f((v_ltd - theta_ltd)/s_ltd) x_ltd,
        f(q) = q^2/(1 + q^2) for q > 0, else 0,

    which is what `drift` is: f is the derivative of F's soft threshold; v_ltp and x_ltp look like the depolarisation
    and the transmitter that the NMDA receptor sees, and v_ltd and x_ltd like what another detector sees. Amplitudes are
    in 1/ms, as fractions of w_ref. A bound on the sum of weights, the other half of the principle, is the constraint
    `Shrinkage`.

    The principle (constrained optimisation), the valley, the two filters and the two thresholds are those of Yger &
    Harris 2013, doi:10.1371/journal.pcbi.1003272. The shape of f is ours, and so is every number: none is taken from
    the paper. The presets were fitted by benchmarks/fit_convallis.py to measurements, with the spikes of `ClopathAdEx`,
    whose shape they go with: `hippocampal_culture` to Bi & Poo 1998 and to the pairs and triplets of Wang et al. 2005,
    `visual_cortex` to Sjöström et al. 2001; docs/results/convallis_fit.json tells how well. Triplets and frequencies
    come out within about two errors; quadruplets were not fitted, and those that begin with the pre-post pair come out
    several times too large. The defaults are those of `hippocampal_culture`.
    """

    tau_m: float = 38.44  # ms, of the postsynaptic potential
    tau_ltp: float = 1.851  # ms
    tau_ltd: float = 1.001  # ms
    theta_ltp: float = -43.66  # mV
    theta_ltd: float = -69.5  # mV
    s_ltp: float = 1.031  # mV
    s_ltd: float = 14.57  # mV
    a_ltp: float = 0.003192  # 1/ms
    a_ltd: float = 0.0005652  # 1/ms

    traces = {
        "psp_ltp": Trace("pre", tau=("tau_m", "tau_ltp")),
        "psp_ltd": Trace("pre", tau=("tau_m", "tau_ltd")),
    }
    signals = {"v_ltp": LowPass("V_m", tau="tau_ltp"), "v_ltd": LowPass("V_m", tau="tau_ltd")}
    cell = ClopathAdEx()
    reference = "doi:10.1371/journal.pcbi.1003272"
    presets = FITS
    fitted_here = {"hippocampal_culture": ("bi_poo_1998", "wang_2005"), "visual_cortex": ("sjostrom_2001",)}
    limits = {**Rule.limits, "s_ltp": ("> 0",), "s_ltd": ("> 0",), "a_ltp": (">= 0",), "a_ltd": (">= 0",)}

    @staticmethod
    def drift(w, pre, post, p):
        q_ltp = (post.v_ltp - p.theta_ltp) / p.s_ltp
        q_ltd = (post.v_ltd - p.theta_ltd) / p.s_ltd
        f_ltp = q_ltp * q_ltp / (1.0 + q_ltp * q_ltp) * (q_ltp > 0.0)
        f_ltd = q_ltd * q_ltd / (1.0 + q_ltd * q_ltd) * (q_ltd > 0.0)
        # the traces have unit area, that of the potential is tau_m
        return p.tau_m * (p.a_ltp * f_ltp * pre.psp_ltp - p.a_ltd * f_ltd * pre.psp_ltd)
