"""Neurons with segregated dendrites, and the plateau potentials by which they learn (Guerguiev et al. 2017)."""

import math

import numpy as np

from spikesim.neuron import Neuron
from spikesim.special import COUNTED, exp_ratio, poisson_count, sigmoid


class SegregatedDendrite(Neuron):
    """A soma, a basal dendrite for what comes from below, and an apical one for what comes from above.

    Dendrites are instantaneous sums of postsynaptic potentials (weights w, b a bias that is learned):

        V_b = sum_i w_i s_i(t) + b,  V_a = sum_k y_k s_k(t),
        s(t) = sum_f kappa(t - t_f),  kappa(t) = (e^(-t/tau_L) - e^(-t/tau_s)) / (tau_L - tau_s)        (eqs. 1-3)
        dV_m/dt = -g_L V_m + g_b (V_b - V_m) + g_a (V_a - V_m)                                          (eq. 4)

    and the soma emits Poisson spikes at the rate phi_max sigma(V_m), sigma(v) = 1/(1 + e^-v). Voltages have no
    unit; conductances are per capacitance, in 1/ms.

    At the end of a phase a plateau potential sums up the apical dendrite: alpha = sigma(mean V_a), the mean being
    over the phase since the event "settled". Events: "settled"; "forward_plateau" keeps alpha_f and the mean V_f of
    V_m; "target_plateau" takes alpha_t and sets the error signal that basal synapses learn from (eq. 11):

        delta = k_b (alpha_t - alpha_f) sigma'(V_f),  k_b = g_b / (g_L + g_b + g_a)

    and the bias moves by eta_bias gain delta. Source: doi:10.7554/eLife.22901.
    """

    tau_L: float = 10.0  # ms, slow time constant of a postsynaptic potential
    tau_s: float = 3.0  # ms, fast one
    g_L: float = 0.1  # 1/ms, leak
    g_b: float = 0.6  # 1/ms, basal dendrite to soma
    g_a: float = 0.0  # 1/ms, apical dendrite to soma; 0: perfectly segregated
    phi_max: float = 200.0  # Hz
    eta_bias: float = 0.0  # learning rate of the bias
    gain: float = 20.0  # common factor of all updates
    integrator: str = "euler"  # as published, or exponential

    choices = {"integrator": ("euler", "exponential")}
    limits = {"g_L": (">= 0",), "g_b": (">= 0",), "g_a": (">= 0",), "phi_max": ("> 0",)}
    receptors = ("basal", "apical")
    state = {"V_m": 0.0, "basal_L": 0.0, "basal_s": 0.0, "apical_L": 0.0, "apical_s": 0.0, "V_sum": 0.0,
             "apical_sum": 0.0, "steps": 0.0, "bias": 0.0, "V_f": 0.0, "alpha_f": 0.0, "delta": 0.0}  # fmt: skip
    steady = ("bias", "V_f", "alpha_f", "delta")
    learned = ("bias",)
    constants = ("P_L", "P_s", "height", "P", "P_b", "P_a", "mean_max", "none_at_most", "k_b", "rate_bias")
    events = ("settled", "forward_plateau", "target_plateau")
    random = True
    max_spikes = COUNTED
    reference = "doi:10.7554/eLife.22901"

    @staticmethod
    def derive(p, dt):
        total = p.g_L + p.g_b + p.g_a
        share = dt if p.integrator == "euler" else -np.expm1(-dt * total) / total
        return {
            "P_L": np.exp(-dt / p.tau_L),
            "P_s": np.exp(-dt / p.tau_s),
            "height": 1.0 / (p.tau_L - p.tau_s),
            "P": 1.0 - share * total,
            "P_b": share * p.g_b,
            "P_a": share * p.g_a,
            "mean_max": p.phi_max * 1e-3 * dt,
            "none_at_most": np.exp(-p.phi_max * 1e-3 * dt),
            "k_b": p.g_b / total,
            "rate_bias": p.eta_bias * p.gain,
        }

    @staticmethod
    def advance(s, x, c, free):
        # A spike that arrives now left one step ago, so its potential is one step old.
        basal_L, basal_s = (s.basal_L + x.basal) * c.P_L, (s.basal_s + x.basal) * c.P_s
        apical_L, apical_s = (s.apical_L + x.apical) * c.P_L, (s.apical_s + x.apical) * c.P_s
        V_b = (basal_L - basal_s) * c.height + s.bias
        V_a = (apical_L - apical_s) * c.height
        V_m = c.P * s.V_m + c.P_b * V_b + c.P_a * V_a
        return V_m, basal_L, basal_s, apical_L, apical_s, s.V_sum + V_m, s.apical_sum + V_a, s.steps + 1.0

    @staticmethod
    def may_spike(c, u):
        return u > c.none_at_most  # else there is no spike even at the highest rate

    @staticmethod
    def spikes(s, c, u):
        return poisson_count(u, c.mean_max * sigmoid(s.V_m))

    @staticmethod
    def on_settled(s, c):
        return (s.V_m, s.basal_L, s.basal_s, s.apical_L, s.apical_s,
                0.0, 0.0, 0.0, s.bias, s.V_f, s.alpha_f, s.delta)  # fmt: skip

    @staticmethod
    def on_forward_plateau(s, c):
        alpha_f = sigmoid(s.apical_sum / s.steps)
        return (s.V_m, s.basal_L, s.basal_s, s.apical_L, s.apical_s,
                s.V_sum, s.apical_sum, s.steps, s.bias, s.V_sum / s.steps, alpha_f, s.delta)  # fmt: skip

    @staticmethod
    def on_target_plateau(s, c):
        alpha_t = sigmoid(s.apical_sum / s.steps)
        phi_f = sigmoid(s.V_f)
        delta = c.k_b * (alpha_t - s.alpha_f) * phi_f * (1.0 - phi_f)
        return (s.V_m, s.basal_L, s.basal_s, s.apical_L, s.apical_s,
                s.V_sum, s.apical_sum, s.steps, s.bias + c.rate_bias * delta, s.V_f, s.alpha_f, delta)  # fmt: skip


class DendriticOutput(Neuron):
    """An output neuron: a soma and one dendrite, and conductances g_E, g_I by which a teacher drives it.

        dV_m/dt = -g_L V_m + g_d (V_d - V_m) + g_E (E_E - V_m) + g_I (E_I - V_m)                        (eqs. 6, 7)

    The state variables g_E and g_I (1/ms) are set by the experimenter: 0 in the forward phase; in the target phase
    g_E = 1 for the right unit, g_I = 1 for the others. Teaching currents act on dV_m/dt undivided by the membrane
    time constant, which is what silences the wrong units. Events as for SegregatedDendrite; the error signal is

        delta = k_d (phi_t / phi_max - sigma(V_f)) sigma'(V_f),  k_d = g_d / (g_L + g_d)                (eq. 9)

    with phi_t the mean rate of the target phase since "settled". The state variable `expected`, phi_max sigma(V_m) dt,
    is the number of spikes to be expected in a step: what feedback by rates sends. `memory` and "basal_gone" are as
    for `DatedDendrite`. Source: doi:10.7554/eLife.22901.
    """

    tau_L: float = 10.0  # ms
    tau_s: float = 3.0  # ms
    memory: float = math.inf  # ms, of postsynaptic potentials
    g_L: float = 0.1  # 1/ms
    g_d: float = 0.6  # 1/ms
    E_E: float = 8.0  # reversal of the exciting teacher
    E_I: float = -8.0  # reversal of the inhibiting teacher
    phi_max: float = 200.0  # Hz
    eta_bias: float = 0.0
    gain: float = 20.0
    integrator: str = "euler"  # as published, or exponential

    choices = {"integrator": ("euler", "exponential")}
    limits = {"g_L": (">= 0",), "g_d": (">= 0",), "phi_max": ("> 0",)}
    receptors = ("basal", "basal_gone")
    state = {"V_m": 0.0, "basal_L": 0.0, "basal_s": 0.0, "basal_in": 0.0, "expected": 0.0, "V_sum": 0.0, "phi_sum": 0.0,
             "steps": 0.0, "g_E": 0.0, "g_I": 0.0, "bias": 0.0, "V_f": 0.0, "delta": 0.0}  # fmt: skip
    steady = ("g_E", "g_I", "bias", "V_f", "delta")
    learned = ("bias",)
    constants = ("P_L", "P_s", "height", "dt", "g_L", "g_d", "E_E", "E_I", "mean_max", "none_at_most", "k_d",
                 "rate_bias", "exponential", "gone_L", "gone_s")  # fmt: skip
    events = ("settled", "forward_plateau", "target_plateau")
    random = True
    max_spikes = COUNTED
    reference = "doi:10.7554/eLife.22901"

    @staticmethod
    def derive(p, dt):
        return {
            "P_L": np.exp(-dt / p.tau_L),
            "P_s": np.exp(-dt / p.tau_s),
            "height": 1.0 / (p.tau_L - p.tau_s),
            "dt": dt, "g_L": p.g_L, "g_d": p.g_d, "E_E": p.E_E, "E_I": p.E_I,
            "mean_max": p.phi_max * 1e-3 * dt,
            "none_at_most": np.exp(-p.phi_max * 1e-3 * dt),
            "k_d": p.g_d / (p.g_L + p.g_d),
            "rate_bias": p.eta_bias * p.gain,
            "exponential": float(p.integrator == "exponential"),
            "gone_L": left_over(p.tau_L, p.memory, dt),
            "gone_s": left_over(p.tau_s, p.memory, dt),
        }  # fmt: skip

    @staticmethod
    def advance(s, x, c, free):
        basal_L = (s.basal_L + x.basal) * c.P_L - x.basal_gone * c.gone_L
        basal_s = (s.basal_s + x.basal) * c.P_s - x.basal_gone * c.gone_s
        V_d = (basal_L - basal_s) * c.height + s.bias
        taught = s.g_E * (c.E_E - s.V_m) + s.g_I * (c.E_I - s.V_m)
        slope = -c.g_L * s.V_m + c.g_d * (V_d - s.V_m) + taught
        total = c.g_L + c.g_d + s.g_E + s.g_I
        a, b = exp_ratio(c.dt * total)
        share = (b - a) / (b * total) if c.exponential > 0.5 else c.dt  # (1 - e^(-dt total)) / total
        V_m = s.V_m + share * slope
        phi = sigmoid(V_m)
        return V_m, basal_L, basal_s, x.basal, c.mean_max * phi, s.V_sum + V_m, s.phi_sum + phi, s.steps + 1.0

    @staticmethod
    def may_spike(c, u):
        return u > c.none_at_most

    @staticmethod
    def spikes(s, c, u):
        return poisson_count(u, c.mean_max * sigmoid(s.V_m))

    @staticmethod
    def on_settled(s, c):
        return (s.V_m, s.basal_L, s.basal_s, s.basal_in, s.expected, 0.0, 0.0, 0.0,
                s.g_E, s.g_I, s.bias, s.V_f, s.delta)  # fmt: skip

    @staticmethod
    def on_forward_plateau(s, c):
        return (s.V_m, s.basal_L, s.basal_s, s.basal_in, s.expected, s.V_sum, s.phi_sum, s.steps,
                s.g_E, s.g_I, s.bias, s.V_sum / s.steps, s.delta)  # fmt: skip

    @staticmethod
    def on_target_plateau(s, c):
        phi_f = sigmoid(s.V_f)
        delta = c.k_d * (s.phi_sum / s.steps - phi_f) * phi_f * (1.0 - phi_f)
        return (s.V_m, s.basal_L, s.basal_s, s.basal_in, s.expected, s.V_sum, s.phi_sum, s.steps,
                s.g_E, s.g_I, s.bias + c.rate_bias * delta, s.V_f, delta)  # fmt: skip


def left_over(tau, memory, dt):
    """What is left of a spike's exponential in the step after `memory` (ms), to be taken away then."""
    steps = np.where(np.isinf(memory), np.inf, np.rint(memory / dt) + 1.0)
    return np.exp(-steps * dt / tau)
