"""Segregated dendrites whose plateau comes at a time of its own, and which forget spikes that are long past."""

import math

import numpy as np

from spikesim.models.neurons.segregated_dendrite import SegregatedDendrite, left_over
from spikesim.special import sigmoid


class DatedDendrite(SegregatedDendrite):
    """A `SegregatedDendrite` with what was varied: when each neuron has its plateau, and how long spikes act.

    Plateau. The plateau potential is alpha = sigma(mean V_a) with the mean over `window` ms, which begin `wait` steps
    from now: a state variable, set by the experimenter at the beginning of a phase, for each neuron, and counted down.
    The window is to be over when the plateau's event comes. With window = 0 it is from "settled" to that event.
    Source: doi:10.7554/eLife.22901, Methods and Figure 6, supplement 1.

    Memory. A spike acts for `memory` ms and no longer, in the authors' program for 9 or 10. What a neuron got in a step
    it sends to itself, to be taken away: connect it one to one with sends="basal_in", delay=memory,
    receptor="basal_gone", and likewise "apical_in". With an infinite memory there is nothing to connect.
    """

    window: float = 0.0  # ms
    memory: float = math.inf  # ms

    limits = {**SegregatedDendrite.limits, "window": (">= 0",), "memory": ("> 0",)}
    receptors = ("basal", "apical", "basal_gone", "apical_gone")
    state = {"V_m": 0.0, "basal_L": 0.0, "basal_s": 0.0, "apical_L": 0.0, "apical_s": 0.0, "V_sum": 0.0,
             "apical_sum": 0.0, "steps": 0.0, "wait": 0.0, "basal_in": 0.0, "apical_in": 0.0,
             "bias": 0.0, "V_f": 0.0, "alpha_f": 0.0, "delta": 0.0}  # fmt: skip
    constants = (*SegregatedDendrite.constants, "window", "gone_L", "gone_s")

    @staticmethod
    def derive(p, dt):
        return {
            **SegregatedDendrite.derive(p, dt),
            "window": np.rint(p.window / dt),
            "gone_L": left_over(p.tau_L, p.memory, dt),
            "gone_s": left_over(p.tau_s, p.memory, dt),
        }

    @staticmethod
    def advance(s, x, c, free):
        basal_L = (s.basal_L + x.basal) * c.P_L - x.basal_gone * c.gone_L
        basal_s = (s.basal_s + x.basal) * c.P_s - x.basal_gone * c.gone_s
        apical_L = (s.apical_L + x.apical) * c.P_L - x.apical_gone * c.gone_L
        apical_s = (s.apical_s + x.apical) * c.P_s - x.apical_gone * c.gone_s
        V_b, V_a = (basal_L - basal_s) * c.height + s.bias, (apical_L - apical_s) * c.height
        V_m = c.P * s.V_m + c.P_b * V_b + c.P_a * V_a
        apical_sum = s.apical_sum if s.wait < 0.0 or c.window == 0.0 else 0.0
        if c.window == 0.0 or 0.0 >= s.wait > -c.window:
            apical_sum = apical_sum + V_a
        return (V_m, basal_L, basal_s, apical_L, apical_s, s.V_sum + V_m, apical_sum, s.steps + 1.0, s.wait - 1.0,
                x.basal, x.apical)  # fmt: skip

    @staticmethod
    def on_settled(s, c):
        kept = s.apical_sum if c.window > 0.0 else 0.0
        return (s.V_m, s.basal_L, s.basal_s, s.apical_L, s.apical_s, 0.0, kept, 0.0, s.wait,
                s.basal_in, s.apical_in, s.bias, s.V_f, s.alpha_f, s.delta)  # fmt: skip

    @staticmethod
    def on_forward_plateau(s, c):
        alpha_f = sigmoid(s.apical_sum / (c.window if c.window > 0.0 else s.steps))
        return (s.V_m, s.basal_L, s.basal_s, s.apical_L, s.apical_s, s.V_sum, s.apical_sum, s.steps, s.wait,
                s.basal_in, s.apical_in, s.bias, s.V_sum / s.steps, alpha_f, s.delta)  # fmt: skip

    @staticmethod
    def on_target_plateau(s, c):
        alpha_t = sigmoid(s.apical_sum / (c.window if c.window > 0.0 else s.steps))
        phi_f = sigmoid(s.V_f)
        delta = c.k_b * (alpha_t - s.alpha_f) * phi_f * (1.0 - phi_f)
        return (s.V_m, s.basal_L, s.basal_s, s.apical_L, s.apical_s, s.V_sum, s.apical_sum, s.steps, s.wait,
                s.basal_in, s.apical_in, s.bias + c.rate_bias * delta, s.V_f, s.alpha_f, delta)  # fmt: skip
