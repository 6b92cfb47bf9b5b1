"""Presynaptic activity times the rate of change of postsynaptic activity (Bengio et al. 2017)."""

from spikesim.errors import SpikesimError
from spikesim.plasticity import Rule, Trace


class TemporalDerivative(Rule):
    """dw/dt = eta x(t) da/dt: gradient descent wherever postsynaptic activity moves down an objective.

    x remembers the presynaptic spikes with tau_x (ms). The postsynaptic activity a is the spike train through a filter
    of unit area,

        kappa(s) = (e^(-s/tau_decay) - e^(-s/tau_rise)) / (tau_decay - tau_rise),

    so da/dt is the train through kappa', which is first positive and then negative and has no area: with y_decay and
    y_rise the traces of postsynaptic spikes, da/dt = (y_rise/tau_rise - y_decay/tau_decay) / (tau_decay - tau_rise).

    What one pair does follows by integration. A post spike Delta >= 0 after the pre spike sees x = e^(-Delta/tau_x) at
    its arrival, and by parts the integral of e^(-s/tau_x) kappa'(s) is 1/tau_x times that of e^(-s/tau_x) kappa(s):

        dw = +eta tau_x e^(-Delta/tau_x) / ((tau_x + tau_decay) (tau_x + tau_rise)).

    A post spike D before the pre spike leaves what is then to come of kappa', D being counted from the post spike:

        dw = eta tau_x / (tau_decay - tau_rise) [e^(-D/tau_rise) / (tau_x + tau_rise)
                                                 - e^(-D/tau_decay) / (tau_x + tau_decay)].

    So the window potentiates for pre before post and, but for the short rise of a, depresses for post before pre; both
    sides have the same area, and steady presynaptic activity changes nothing on the whole. The faster the rise, the
    more does the window look like the two exponentials of pair STDP, as a spike-timing rule must that follows the
    derivative of a rate.

    eta is in ms times w_ref; it is negative for the anti-Hebbian form. The rule is that of Bengio et al. 2017,
    doi:10.1162/NECO_a_00934, with spikes for rates; tau_x = tau_decay = 20 ms, tau_rise = 2 ms and eta are ours. With
    them 60 pairs change a weight of 0.5 by up to half of it, about as much as Bi & Poo 1998 measured.
    """

    tau_x: float = 20.0  # ms
    tau_rise: float = 2.0  # ms
    tau_decay: float = 20.0  # ms
    eta: float = 0.2  # ms

    traces = {
        "x": Trace("pre", tau="tau_x"),
        "y_rise": Trace("post", tau="tau_rise"),
        "y_decay": Trace("post", tau="tau_decay"),
    }
    reference = "doi:10.1162/NECO_a_00934"
    w_start = 0.5

    def __init__(self, *, preset=None, **given):
        super().__init__(preset=preset, **given)
        if self.tau_rise == self.tau_decay:
            raise SpikesimError(f"TemporalDerivative: tau_rise and tau_decay must differ; both are {self.tau_rise:g}.")

    @staticmethod
    def drift(w, pre, post, p):
        return p.eta * pre.x * (post.y_rise / p.tau_rise - post.y_decay / p.tau_decay) / (p.tau_decay - p.tau_rise)
