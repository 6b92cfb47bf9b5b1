"""Voltage-based plasticity with homeostasis (Clopath, Büsing, Vasilaki & Gerstner 2010)."""

from spikesim.models.neurons.clopath_adex import ClopathAdEx
from spikesim.plasticity import Rule, Trace
from spikesim.signals import LowPass, Signal


class ClopathSTDP(Rule):
    """Presynaptic spikes depress where they meet a depolarisation, and potentiate where it is stronger and lasts.

        dw/dt = -a_ltd X [u_minus - theta_minus]+  +  a_ltp x [u - theta_plus]+ [u_plus - theta_minus]+

    X is the train of presynaptic spikes, and x its low-pass with tau_x, which a spike makes jump by 1/tau_x. u is the
    postsynaptic potential (mV); u_minus and u_plus are its low-passes with tau_minus and tau_plus, read `delay` ms
    earlier so that a spike does not see itself in them. (Clopath et al. 2010, doi:10.1038/nn.2479, eqs. 1 to 3; the
    delay is in the authors' program, 3 ms for a spike of 2 ms.) a_ltd is in 1/mV, a_ltp in ms/mV^2 per ms, both as
    fractions of w_ref.

    Homeostasis: with `homeostasis` = 1 the amplitude of depression is a_ltd u2_mean/u2_ref, where u2_mean is the
    low-pass of ([u - theta_minus]+)^2 with tau_mean, theta_minus being the resting potential; 0, the default, leaves
    a_ltd as it is, and what is between mixes the two.

    The preset `visual_cortex` holds the published parameters of that tissue, which are the defaults. tau_mean is that
    of the authors' program. In protocols the postsynaptic neuron is `ClopathAdEx`; other neurons must have a V_m that
    shows the spike, or nothing is ever potentiated. Weights of a protocol start at 0.5, as the authors' do.
    """

    a_ltd: float = 14e-5  # 1/mV
    a_ltp: float = 8e-5  # ms/mV^2 per ms
    theta_minus: float = -70.6  # mV
    theta_plus: float = -45.3  # mV
    tau_minus: float = 10.0  # ms
    tau_plus: float = 7.0  # ms
    tau_x: float = 15.0  # ms
    delay: float = 3.0  # ms
    homeostasis: float = 0.0
    u2_ref: float = 60.0  # mV^2
    tau_mean: float = 1200.0  # ms

    traces = {"x": Trace("pre", tau="tau_x")}
    signals = {
        "u": Signal("V_m"),
        "u_minus": LowPass("V_m", tau="tau_minus", delay="delay"),
        "u_plus": LowPass("V_m", tau="tau_plus", delay="delay"),
        "u2_mean": LowPass("V_m", tau="tau_mean", delay="delay", squared_above="theta_minus"),
    }
    cell = ClopathAdEx()
    reference = "doi:10.1038/nn.2479"
    presets = {
        "visual_cortex": {
            "a_ltd": 14e-5, "a_ltp": 8e-5, "theta_minus": -70.6, "theta_plus": -45.3,
            "tau_minus": 10.0, "tau_plus": 7.0, "tau_x": 15.0, "u2_ref": 60.0,
        }
    }  # fmt: skip
    limits = {
        **Rule.limits,
        "a_ltd": (">= 0",),
        "a_ltp": (">= 0",),
        "delay": (">= 0",),
        "homeostasis": (">= 0", "<= 1"),
        "u2_ref": ("> 0",),
    }
    aliases = {
        "A_LTD": ("a_ltd", 1.0),
        "A_LTP": ("a_ltp", 1.0),
        "tau_u_bar_minus": ("tau_minus", 1.0),
        "tau_u_bar_plus": ("tau_plus", 1.0),
        "tau_u_bar_bar": ("tau_mean", 1.0),
        "delay_u_bars": ("delay", 1.0),
        "u_ref_squared": ("u2_ref", 1.0),
        "Wmax": ("w_max", 1.0),
    }
    w_start = 0.5

    @staticmethod
    def on_pre(w, pre, post, p):
        a_ltd = p.a_ltd * (1.0 - p.homeostasis + p.homeostasis * post.u2_mean / p.u2_ref)
        return w - a_ltd * max(post.u_minus - p.theta_minus, 0.0)

    @staticmethod
    def drift(w, pre, post, p):
        ltp = max(post.u - p.theta_plus, 0.0) * max(post.u_plus - p.theta_minus, 0.0)
        return p.a_ltp * pre.x / p.tau_x * ltp
