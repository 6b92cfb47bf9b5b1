"""Calcium-based plasticity (Graupner & Brunel 2012)."""

import math
from collections import namedtuple

import numpy as np

from spikesim.jit import hook
from spikesim.plasticity import Local, Rule

UNSTABLE = 0.5  # rho_star, where the two wells of the potential meet; 0.5 in all of the paper

#: What the paper's theory predicts of a protocol: fractions of time above the thresholds, the mean of rho that they
#: lead to, the probabilities U (D) of going up (down) from the DOWN (UP) state, and the strength after over before.
Prediction = namedtuple("Prediction", "alpha_d alpha_p rho_mean U D change")


def _parameters(tau_Ca, C_pre, C_post, theta_d, theta_p, gamma_d, gamma_p, sigma, tau, D, beta, b):
    """A column of the paper's table of parameters; tau in seconds there and in ms here."""
    return {
        "tau_Ca": tau_Ca,
        "C_pre": C_pre,
        "C_post": C_post,
        "theta_d": theta_d,
        "theta_p": theta_p,
        "gamma_d": gamma_d,
        "gamma_p": gamma_p,
        "sigma": sigma,
        "tau": tau * 1e3,
        "D": D,
        "beta": beta,
        "b": b,
    }


# name -> tau_Ca (ms), C_pre, C_post, theta_d, theta_p, gamma_d, gamma_p, sigma, tau (s), D (ms), beta, b
SETS = {
    "dp": _parameters(20.0, 1.0, 2.0, 1.0, 1.3, 200.0, 321.808, 2.8284, 150.0, 13.7, 0.5, 5.0),
    "dpd": _parameters(20.0, 0.9, 0.9, 1.0, 1.3, 250.0, 550.0, 2.8284, 150.0, 4.6, 0.5, 5.0),
    "dpd_prime": _parameters(20.0, 1.0, 2.0, 1.0, 2.5, 50.0, 600.0, 2.8284, 150.0, 2.2, 0.5, 5.0),
    "p": _parameters(20.0, 2.0, 2.0, 1.0, 1.3, 160.0, 257.447, 2.8284, 150.0, 0.0, 0.5, 5.0),
    "d": _parameters(20.0, 0.6, 0.6, 1.0, 1.3, 500.0, 550.0, 5.6568, 150.0, 0.0, 0.5, 5.0),
    "d_prime": _parameters(20.0, 1.0, 2.0, 1.0, 3.5, 60.0, 600.0, 2.8284, 150.0, 0.0, 0.5, 5.0),
    "hippocampal_slices": _parameters(
        48.8373, 1.0, 0.275865, 1.0, 1.3, 313.0965, 1645.59, 9.1844, 688.355, 18.8008, 0.7, 5.28145
    ),
    "hippocampal_cultures": _parameters(
        11.9536, 0.58156, 1.76444, 1.0, 1.3, 61.141, 113.6545, 2.5654, 33.7596, 10.0, 0.5, 36.0263
    ),
    "cortical_slices": _parameters(
        22.6936, 0.5617539, 1.23964, 1.0, 1.3, 331.909, 725.085, 3.3501, 346.3615, 4.6098, 0.5, 5.40988
    ),
}


@hook
def time_above(c, theta, tau_Ca, elapsed):
    """For how much of `elapsed` ms calcium that begins at c and decays is above theta."""
    if c <= theta:
        return 0.0
    return min(tau_Ca * math.log(c / theta), elapsed)


@hook
def in_wells(rho, t, p):
    """rho after t ms of tau drho/dt = -wells rho (1 - rho) (1/2 - rho): for y = (2 rho - 1)^2 a logistic equation."""
    if p.wells == 0.0 or rho == UNSTABLE:
        return rho
    y = (2.0 * rho - 1.0) ** 2
    root = math.sqrt(y / (y + (1.0 - y) * math.exp(-p.wells * t / (2.0 * p.tau))))
    return 0.5 + math.copysign(0.5 * root, rho - UNSTABLE)


@hook
def driven(rho, t, gamma_p, gamma_d, p):
    """rho after t ms of tau drho/dt = gamma_p (1 - rho) - gamma_d rho, half of the wells' effect before and after."""
    total = gamma_p + gamma_d
    if t <= 0.0 or total <= 0.0:
        return in_wells(rho, t, p)
    goal = gamma_p / total
    rho = goal + (in_wells(rho, 0.5 * t, p) - goal) * math.exp(-total * t / p.tau)
    return in_wells(rho, 0.5 * t, p)


def held(rate, noise, t, tau):
    """What is left of rho after t ms of tau drho/dt = -rate rho, and the variance that noise, a square, adds to it."""
    left = np.exp(-rate * t / tau)
    return left, noise * (t / tau if rate == 0.0 else (1.0 - left**2) / (2.0 * rate))


def above_unstable(mean, variance):
    """The probability that a Gaussian rho is above the unstable point, from where it falls into the UP state."""
    if variance <= 0.0:
        return 0.5 * (1.0 + math.copysign(1.0, mean - UNSTABLE)) if mean != UNSTABLE else 0.5
    return 0.5 * math.erfc((UNSTABLE - mean) / math.sqrt(2.0 * variance))


class GraupnerBrunel(Rule):
    """Calcium that is above a threshold moves the synapse: rho up above theta_p, and down above theta_d.

        dc/dt = -c/tau_Ca + C_pre sum delta(t - t_pre - D) + C_post sum delta(t - t_post)
        tau drho/dt = -wells rho (1 - rho) (1/2 - rho) + gamma_p (1 - rho) H(c - theta_p) - gamma_d rho H(c - theta_d)
                      + sigma sqrt(tau) sqrt(H(c - theta_p) + H(c - theta_d)) eta(t)

    (Graupner & Brunel 2012, doi:10.1073/pnas.1109359109; wells = 1.)

    Protocols ask for the change that the paper's theory expects over the white noise eta (`expected`): of many
    synapses, a fraction beta of which is DOWN (rho = 0) before and the others UP (rho = 1), b times as strong. The
    wells pull too weakly to matter until the spikes are over, when each synapse falls into the nearer one.

    In a network, and in a protocol that is given a w0, there is no noise: the weight goes from w_min, the DOWN state,
    to w_max, the UP state, so these must be finite. rho is walked in closed form from threshold to threshold; while
    calcium is above one, the pull of the wells (`wells` = 0 leaves it out), which is a thousand times weaker there, is
    taken half before and half after the rest.

    A presynaptic spike acts D ms later than it reaches the synapse, in a network on the nearest step.

    The presets are the paper's parameter sets: the six kinds of spike-timing curve `dp` (the default) to `d_prime`, and
    the fits to hippocampal slices, hippocampal cultures and cortical slices.
    """

    tau_Ca: float = 20.0  # ms
    C_pre: float = 1.0
    C_post: float = 2.0
    theta_d: float = 1.0
    theta_p: float = 1.3
    gamma_d: float = 200.0
    gamma_p: float = 321.808
    sigma: float = 2.8284  # noise, for `expected`
    tau: float = 150e3  # ms
    D: float = 13.7  # ms
    beta: float = 0.5  # fraction of synapses that are DOWN before, for `expected`
    b: float = 5.0  # strength UP over strength DOWN, for `expected`
    wells: float = 1.0  # depth of the two wells, as a fraction of the paper's; `expected` asks whether there are any

    synapse = {"c": Local(tau="tau_Ca")}
    pre_lag = "D"
    reference = "doi:10.1073/pnas.1109359109"
    limits = {
        **Rule.limits,
        "w_min": ("> -inf",),
        "w_max": ("< inf",),
        "tau_Ca": ("> 0",),
        "theta_d": ("> 0",),
        "theta_p": ("> 0",),
        "gamma_d": (">= 0",),
        "gamma_p": (">= 0",),
        "sigma": (">= 0",),
        "tau": ("> 0",),
        "D": (">= 0",),
        "beta": (">= 0", "<= 1"),
        "b": ("> 0",),
        "wells": (">= 0",),
    }
    unfitted = ("wells",)
    presets = SETS
    w_start = 0.5

    @staticmethod
    def between(w, s, elapsed, p):
        rho = (w - p.w_min) / (p.w_max - p.w_min)
        above_p, above_d = (
            time_above(s.c, p.theta_p, p.tau_Ca, elapsed),
            time_above(s.c, p.theta_d, p.tau_Ca, elapsed),
        )
        both, either = min(above_p, above_d), max(above_p, above_d)
        rho = driven(rho, both, p.gamma_p, p.gamma_d, p)
        if above_d > above_p:
            rho = driven(rho, either - both, 0.0, p.gamma_d, p)
        else:
            rho = driven(rho, either - both, p.gamma_p, 0.0, p)
        rho = in_wells(rho, elapsed - either, p)
        return p.w_min + rho * (p.w_max - p.w_min), s.c * math.exp(-elapsed / p.tau_Ca)

    @staticmethod
    def on_pre(w, pre, post, p, s):
        return w, s.c + p.C_pre

    @staticmethod
    def on_post(w, pre, post, p, s):
        return w, s.c + p.C_post

    def fraction_above(self, theta, pre, post, period):
        """The fraction of time that calcium is above theta where the spikes `pre` and `post` (ms) come again and again,
        every `period` ms, once its course repeats, too."""
        jumps = [((t + self.D) % period, self.C_pre) for t in pre] + [(t % period, self.C_post) for t in post]
        c = sum(size * math.exp(-(period - t) / self.tau_Ca) for t, size in jumps) / (
            1.0 - math.exp(-period / self.tau_Ca)
        )
        above = now = 0.0
        for t, size in [*sorted(jumps), (period, 0.0)]:
            above += time_above(c, theta, self.tau_Ca, t - now)
            c, now = c * math.exp(-(t - now) / self.tau_Ca) + size, t
        return above / period

    def predict(self, pre, post, period, repetitions):
        """What the paper's theory says of spikes `pre` and `post` (ms) repeated every `period` ms: a `Prediction`.

        rho diffuses about rho_mean; wells are left out until the end, where the synapse falls into the nearer one. This
        is what the program that goes with the paper computes; `change` is that of the mean strength of many synapses.
        """
        alpha_d, alpha_p = (self.fraction_above(theta, pre, post, period) for theta in (self.theta_d, self.theta_p))
        rate_d, rate_p = self.gamma_d * alpha_d, self.gamma_p * alpha_p
        total = rate_p + rate_d
        if total == 0.0:  # nothing moves
            return Prediction(alpha_d, alpha_p, math.nan, 0.0, 0.0, 1.0)
        rho_mean = rate_p / total
        left, variance = held(total, self.sigma**2 * (alpha_p + alpha_d), repetitions * period, self.tau)
        up = above_unstable(rho_mean * (1.0 - left), variance)
        down = 1.0 - above_unstable(rho_mean * (1.0 - left) + left, variance)
        return Prediction(alpha_d, alpha_p, rho_mean, up, down, self.strength(up, down))

    def strength(self, up, down):
        """Mean strength after over before, of synapses that went up from DOWN, and down from UP, in such fractions."""
        beta, b = self.beta, self.b
        after = beta * (1.0 - up + b * up) + (1.0 - beta) * (down + b * (1.0 - down))
        return after / (beta + (1.0 - beta) * b)

    def moments(self, pre, post):
        """(drift, left, variance): after all that the spikes `pre` and `post` (ms) set off, a rho that was rho_0 before
        is Gaussian with the mean drift + left rho_0 and this variance; wells left out."""
        times = np.concatenate((np.asarray(pre, float) + self.D, np.asarray(post, float)))
        order = np.argsort(times, kind="stable")
        sizes = np.repeat((self.C_pre, self.C_post), (len(pre), len(post)))[order]
        elapsed = np.diff(times[order], append=math.inf)
        c, peaks = 0.0, []
        for size, kept in zip(sizes.tolist(), np.exp(-elapsed / self.tau_Ca).tolist(), strict=True):
            peaks.append(c + size)
            c = peaks[-1] * kept
        above_p, above_d = (
            np.minimum(self.tau_Ca * np.log(np.maximum(peaks, theta) / theta), elapsed)
            for theta in (self.theta_p, self.theta_d)
        )
        both, up, down, noise = np.minimum(above_p, above_d), self.gamma_p, self.gamma_d, self.sigma**2
        # After a spike calcium is above both thresholds and then above one: pull up, pull down, noise, for how long.
        stretches = (up, down, 2 * noise, both), (up, 0.0, noise, above_p - both), (0.0, down, noise, above_d - both)
        goal = np.array([up / (up + down) if up else 0.0 for up, down, _, _ in stretches])
        kept, added = np.array([held(up + down, noise, t, self.tau) for up, down, noise, t in stretches]).swapaxes(0, 1)
        gained = (goal[:, None] * (1.0 - kept)).T.ravel()  # in the order of time
        kept, added = kept.T.ravel(), added.T.ravel()
        left, *later = np.cumprod(np.append(1.0, kept[::-1]))[::-1]  # what is left of rho_0, and of what a stretch adds
        return float(gained @ later), float(left), float(added @ np.square(later))

    def expected(self, pre, post):
        """The change of the mean strength after any spikes `pre` and `post` (ms), as a fraction of that before.

        What `predict` says of repeated spikes, but with calcium and rho followed from threshold to threshold, where
        `predict` has them averaged over a period. Without wells rho stays where it is, and the mean strength with it.
        """
        drift, left, variance = self.moments(pre, post)
        if self.wells == 0.0:
            return self.strength(drift, 1.0 - drift - left) - 1.0
        up, down = above_unstable(drift, variance), 1.0 - above_unstable(drift + left, variance)
        return self.strength(up, down) - 1.0
