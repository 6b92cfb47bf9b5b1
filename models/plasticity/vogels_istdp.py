"""Inhibitory STDP that balances excitation (Vogels, Sprekeler, Zenke, Clopath & Gerstner 2011)."""

from spikesim.plasticity import PAIRINGS, Rule, Trace


class VogelsISTDP(Rule):
    """Symmetric STDP of inhibitory synapses, with a target rate for the postsynaptic neuron.

    x and y are traces of the pre- and postsynaptic spikes with the time constant tau (ms):

        pre spike:   dw = eta (y - alpha),   alpha = 2 rho_0 tau
        post spike:  dw = eta  x

    (Vogels et al. 2011, doi:10.1126/science.1211095.) Near-coincident spikes of either order make inhibition stronger,
    and every presynaptic spike makes it weaker. Between uncorrelated trains the mean drift is
    2 eta tau nu_pre (nu_post - rho_0), so the neuron settles at rho_0 (Hz).

    Weights are conductances, positive: connect with receptor="inhibitory". `eta` is a fraction of w_ref.

    `recurrent_network` (the defaults; weights in nS) and `single_neuron` are the values of the authors' programs for
    either, `nest` those of NEST's vogels_sprekeler_synapse.
    """

    tau: float = 20.0  # ms
    eta: float = 1e-2
    rho_0: float = 3.0  # Hz
    w_max: float = 100.0

    traces = {"x": Trace("pre", tau="tau"), "y": Trace("post", tau="tau")}
    pairings = PAIRINGS
    reference = "doi:10.1126/science.1211095"
    limits = {**Rule.limits, "rho_0": (">= 0",)}
    aliases = {"Wmax": ("w_max", 1.0)}
    presets = {
        "recurrent_network": {"tau": 20.0, "eta": 1e-2, "rho_0": 3.0, "w_max": 100.0},
        "single_neuron": {"tau": 20.0, "eta": 1e-3, "rho_0": 6.25},
        "nest": {"tau": 20.0, "eta": 1e-3, "rho_0": 3.0, "w_max": 1.0},
    }

    @staticmethod
    def on_pre(w, pre, post, p):
        alpha = 2.0 * p.rho_0 * 1e-3 * p.tau
        return w + p.eta * (post.y - alpha)

    @staticmethod
    def on_post(w, pre, post, p):
        return w + p.eta * pre.x
