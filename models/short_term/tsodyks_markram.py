"""Short-term depression and facilitation (Tsodyks & Markram 1997; Tsodyks, Pawelzik & Markram 1998)."""

import math

from spikesim.short_term import ShortTermRule


class TsodyksMarkram(ShortTermRule):
    """A spike uses the share u of the resources x that are left; x recovers to 1 with tau_rec, u to U with tau_fac:

        dx/dt = (1 - x)/tau_rec - u x delta(t - t_spike),    du/dt = (U - u)/tau_fac + U (1 - u) delta(t - t_spike)

    u is raised before it is used and u x of the weight is released (Tsodyks et al. 1998,
    doi:10.1162/089976698300017502, eqs. 3 and 4, solved from one spike to the next). Here u is its value at a spike, so
    at the first one x = 1 and u = U. With tau_fac = 0 there is only depression. This is NEST's `tsodyks2_synapse`; the
    defaults are its own.
    """

    U: float = 0.5  # share that is used after a long rest
    tau_rec: float = 800.0  # ms, recovery of the resources
    tau_fac: float = 0.0  # ms, decay of facilitation; 0 for none

    state = {"x": 1.0, "u": "U"}
    limits = {"U": (">= 0", "<= 1"), "tau_rec": ("> 0",), "tau_fac": (">= 0",)}
    reference = "doi:10.1162/089976698300017502"

    @staticmethod
    def release(s, h, p):
        recovery = math.exp(-h / p.tau_rec)
        memory = math.exp(-h / p.tau_fac) if p.tau_fac > 0.0 else 0.0
        x = 1.0 + (s.x - s.x * s.u - 1.0) * recovery
        u = p.U + s.u * (1.0 - p.U) * memory
        return (x, u), u * x

    @staticmethod
    def first(s, p):
        return (s.x, s.u), s.u * s.x
