"""The rule of Bienenstock, Cooper & Munro (1982) by spikes: triplets with a sliding threshold."""

from spikesim.plasticity import Rule, Trace


class BCMRule(Rule):
    """Minimal triplet STDP whose depression grows with the mean square of the postsynaptic rate.

    r remembers the presynaptic spikes (tau_plus, ms), o1 and o2 the postsynaptic ones (tau_minus, tau_y):

        pre spike at t:   dw = -a2_minus <nu^2>/rho_0^2  o1(t-)
        post spike at t:  dw = +a3_plus  r(t-) o2(t-)

    (Pfister & Gerstner 2006, doi:10.1523/JNEUROSCI.1425-06.2006.) For independent Poisson trains the mean drift is that
    of the BCM rule (Bienenstock, Cooper & Munro 1982, doi:10.1523/JNEUROSCI.02-01-00032.1982),

        dw/dt = a3_plus tau_plus tau_y nu_x nu_y (nu_y - theta),
        theta = <nu_y^2>/rho_0^2  a2_minus tau_minus / (a3_plus tau_plus tau_y),

    so that the threshold is that of the fit, 19.2 Hz, where the neuron has fired at rho_0 (Hz), and a lasting rate is
    stable at rho_0^2/19.2 Hz. <nu^2> is a trace over tau_theta (ms) to which every postsynaptic spike adds the rate
    that o2 shows.

    `visual_cortex` (the defaults) is Pfister & Gerstner's fit to that tissue. rho_0 and tau_theta are our choice.
    """

    tau_plus: float = 16.8  # ms
    tau_minus: float = 33.7  # ms
    tau_y: float = 114.0  # ms
    tau_theta: float = 10e3  # ms
    a3_plus: float = 6.5e-3
    a2_minus: float = 7.1e-3
    rho_0: float = 10.0  # Hz

    traces = {
        "r": Trace("pre", tau="tau_plus"),
        "o1": Trace("post", tau="tau_minus"),
        "o2": Trace("post", tau="tau_y"),
        "square": Trace("post", tau="tau_theta"),
    }
    reference = "doi:10.1523/JNEUROSCI.02-01-00032.1982"
    presets = {
        "visual_cortex": {"tau_plus": 16.8, "tau_minus": 33.7, "tau_y": 114.0, "a3_plus": 6.5e-3, "a2_minus": 7.1e-3},
    }
    limits = {**Rule.limits, "rho_0": ("> 0",)}

    @staticmethod
    def jump_square(own, p):
        return own.o2 / p.tau_y

    @staticmethod
    def on_pre(w, pre, post, p):
        slide = post.square / p.tau_theta / (p.rho_0 * 1e-3) ** 2  # <nu^2>/rho_0^2
        return w - p.a2_minus * slide * post.o1

    @staticmethod
    def on_post(w, pre, post, p):
        return w + p.a3_plus * pre.r * post.o2
