"""Learning from plateau potentials in segregated dendrites (Guerguiev, Lillicrap & Richards 2017)."""

import math

from spikesim.plasticity import Rule, Trace


class PlateauRule(Rule):
    """At the end of the target phase, the event "target_plateau",

        dw = eta gain delta_j s_i

    (Guerguiev, Lillicrap & Richards 2017, doi:10.7554/eLife.22901, eqs. 9 to 11) where delta_j is the error signal of
    the postsynaptic neuron (SegregatedDendrite, DendriticOutput) and s_i the postsynaptic potential that presynaptic
    neuron i evokes, kappa * spikes, averaged over the forward phase from the event "settled" to "forward_plateau".
    Everything is local to the synapse and its neuron. Spikes older than `memory` do not count, as in the authors'
    program, where it is 9 or 10 ms. `guerguiev_2017` (the defaults) are the values for one hidden layer.
    """

    eta: float = 0.21  # learning rate
    gain: float = 20.0  # common factor, 20 in the published profile
    tau_L: float = 10.0  # ms, slow time constant of the postsynaptic potential
    tau_s: float = 3.0  # ms, fast one
    memory: float = math.inf  # ms, of postsynaptic potentials
    w_min: float = -math.inf
    w_max: float = math.inf
    bounds: str = "none"

    traces = {"s": Trace("pre", tau=("tau_L", "tau_s"), mean_over=("settled", "forward_plateau"), memory="memory")}
    limits = {**Rule.limits, "memory": ("> 0",)}
    post_state = ("delta",)
    events = ("target_plateau",)
    reference = "doi:10.7554/eLife.22901"
    presets = {"guerguiev_2017": {"eta": 0.21, "gain": 20.0, "tau_L": 10.0, "tau_s": 3.0}}

    @staticmethod
    def on_target_plateau(w, pre, post, p):
        return w + p.eta * p.gain * post.delta * pre.s
