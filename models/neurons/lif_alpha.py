"""Leaky integrate-and-fire neuron with alpha-shaped synaptic currents (NEST's iaf_psc_alpha)."""

import math

import numpy as np

from spikesim.event.describe import Alpha, Leaky
from spikesim.models.neurons.lif import check_membrane
from spikesim.neuron import Neuron
from spikesim.propagators import constant_current, exponential_current, ramp_current


class LIFAlpha(Neuron):
    """As LIF, but a spike of weight w (pA) evokes the current w (t/tau_syn) e^(1 - t/tau_syn), which peaks at w.

    Source: Rotter & Diesmann 1999, doi:10.1007/s004220050570.
    """

    E_L: float = -70.0  # mV
    C_m: float = 250.0  # pF
    tau_m: float = 10.0  # ms
    t_ref: float = 2.0  # ms
    V_th: float = -55.0  # mV
    V_reset: float = -70.0  # mV
    tau_syn_ex: float = 2.0  # ms
    tau_syn_in: float = 2.0  # ms
    I_e: float = 0.0  # pA

    receptors = ("excitatory", "inhibitory", "current")
    state = {
        "V_m": "E_L",
        "dI_syn_ex": 0.0,
        "I_syn_ex": 0.0,
        "dI_syn_in": 0.0,
        "I_syn_in": 0.0,
    }
    constants = ("E_L", "V_th", "V_reset", "I_e", "P11_ex", "P11_in", "P21_ex", "P21_in", "P31_ex", "P31_in",
                 "P32_ex", "P32_in", "P33", "P30", "jump_ex", "jump_in")  # fmt: skip
    limits = {"t_ref": (">= 0",)}
    sign_selects = True
    event = Leaky(
        excitatory=Alpha("dI_syn_ex", "I_syn_ex", "tau_syn_ex"), inhibitory=Alpha("dI_syn_in", "I_syn_in", "tau_syn_in")
    )
    reference = "doi:10.1007/s004220050570"

    @classmethod
    def validate(cls, p, dt):
        check_membrane(cls.__name__, p)

    @staticmethod
    def derive(p, dt):
        found = {"E_L": p.E_L, "V_th": p.V_th, "V_reset": p.V_reset, "I_e": p.I_e}
        for kind, tau_syn in (("ex", p.tau_syn_ex), ("in", p.tau_syn_in)):
            found[f"P11_{kind}"] = np.exp(-dt / tau_syn)
            found[f"P21_{kind}"] = dt * np.exp(-dt / tau_syn)
            found[f"P31_{kind}"] = ramp_current(tau_syn, p.tau_m, p.C_m, dt)
            found[f"P32_{kind}"] = exponential_current(tau_syn, p.tau_m, p.C_m, dt)
            found[f"jump_{kind}"] = math.e / tau_syn
        found["P33"] = np.exp(-dt / p.tau_m)
        found["P30"] = constant_current(p.tau_m, p.C_m, dt)
        return found

    @staticmethod
    def advance(s, x, c, free):
        driven = (
            s.dI_syn_ex * c.P31_ex + s.I_syn_ex * c.P32_ex
            + s.dI_syn_in * c.P31_in + s.I_syn_in * c.P32_in
            + (c.I_e + x.current) * c.P30
        )  # fmt: skip
        V_m = c.E_L + (s.V_m - c.E_L) * c.P33 + driven
        return (
            V_m if free else s.V_m,
            s.dI_syn_ex * c.P11_ex + x.excitatory * c.jump_ex,
            s.dI_syn_ex * c.P21_ex + s.I_syn_ex * c.P11_ex,
            s.dI_syn_in * c.P11_in + x.inhibitory * c.jump_in,
            s.dI_syn_in * c.P21_in + s.I_syn_in * c.P11_in,
        )

    @staticmethod
    def spikes(s, c, u):
        return s.V_m >= c.V_th

    @staticmethod
    def reset(s, c):
        return (c.V_reset, s.dI_syn_ex, s.I_syn_ex, s.dI_syn_in, s.I_syn_in)
