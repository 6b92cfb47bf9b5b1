"""Additive pair-based STDP (Song, Miller & Abbott 2000)."""

from spikesim.plasticity import PAIRINGS, Rule, Trace


class PairSTDP(Rule):
    """Additive pair STDP.

    At a presynaptic spike  dw = -a_minus y,  at a postsynaptic spike  dw = +a_plus x,  where x and y are traces
    of the pre- and postsynaptic spikes with time constants tau_plus and tau_minus (ms). A single pair with
    dt = t_post - t_pre gives dw = a_plus exp(-dt/tau_plus) for dt > 0 and -a_minus exp(dt/tau_minus) for dt < 0.
    Amplitudes are fractions of w_ref.
    """

    tau_plus: float = 20.0      # ms
    tau_minus: float = 20.0     # ms
    a_plus: float = 0.005
    a_minus: float = 0.00525

    traces = {"x": Trace("pre", tau="tau_plus"), "y": Trace("post", tau="tau_minus")}
    pairings = PAIRINGS
    reference = "doi:10.1038/78829"

    @staticmethod
    def on_pre(w, pre, post, p):
        return w - p.a_minus * post.y

    @staticmethod
    def on_post(w, pre, post, p):
        return w + p.a_plus * pre.x
