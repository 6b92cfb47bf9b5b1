"""Sources of current: constant and noisy."""

from spikesim.event.describe import Constant
from spikesim.neuron import Neuron
from spikesim.special import normal_quantile


class DCSource(Neuron):
    """A constant current of I (pA). Connect it to a neuron's "current" receptor; the weight multiplies it."""

    I: float = 0.0  # noqa: E741  pA

    state = {"I_out": 0.0}
    constants = ("I",)
    graded = True
    event = Constant()

    @staticmethod
    def derive(p, dt):
        return {"I": p.I}

    @staticmethod
    def current(s, c, u, step):
        return c.I


class NoiseSource(Neuron):
    """Gaussian white-noise current of `mean` and `std` (pA), drawn anew every `interval` ms and held between.

    Each neuron of the population draws its own; all targets of one neuron get the same current.
    """

    mean: float = 0.0  # pA
    std: float = 0.0  # pA
    interval: float = 1.0  # ms

    state = {"I_out": 0.0}
    constants = ("mean", "std", "hold")
    limits = {"std": (">= 0",), "interval": ("> 0",)}
    graded = True
    random = True

    @staticmethod
    def derive(p, dt):
        return {"mean": p.mean, "std": p.std, "hold": (p.interval / dt).round().clip(1)}

    @staticmethod
    def current(s, c, u, step):
        if step % int(c.hold) != 0:
            return s.I_out
        return c.mean + c.std * normal_quantile(u)
