"""Poisson spike source with a rate that is constant, per neuron, or a table over time."""

from types import SimpleNamespace

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.event.describe import Poisson
from spikesim.neuron import Neuron


class PoissonSource(Neuron):
    """Each neuron of the population fires its own Poisson train, which all its targets receive.

    rate
        Hz: a number, one value a neuron, or with `times` a table of shape (times,) or (times, n).
    times
        ms, ascending: from times[k] on rate[k] holds; before times[0] the source is silent.

    A step of dt holds k spikes with the Poisson probability of mean rate dt, so high rates are exact too.
    """

    rate: float = 0.0  # Hz
    times: tuple = ()  # ms

    limits = {"rate": (">= 0",)}
    constants = ("mean", "none")
    random = True
    event = Poisson()

    #: rate dt above which the spikes of a step could outgrow the space the engine keeps for them
    MOST = 8.0
    max_spikes = 48

    def __init__(self, **given):
        super().__init__(**given)
        self.table = None
        self.times = np.asarray(self.times, dtype=np.float64)
        if self.times.size:
            self.table = np.atleast_1d(np.asarray(self.rate, dtype=np.float64))
            if len(self.table) != len(self.times):
                raise SpikesimError(f"PoissonSource: rate has {len(self.table)} rows for {len(self.times)} times.")
            if not np.isfinite(self.times).all() or (np.diff(self.times) <= 0).any():
                raise SpikesimError("PoissonSource: times must be finite and ascend.")
            self.rate = 0.0

    @classmethod
    def validate(cls, p, dt):
        worst = float(np.max(p.rate)) * 1e-3 * dt
        if worst > cls.MOST:
            raise SpikesimError(
                f"PoissonSource: a rate of {worst / dt * 1e3:g} Hz gives {worst:g} spikes in one "
                f"step of {dt:g} ms; at most {cls.MOST:g} are allowed. Use a smaller dt or more sources."
            )

    def check(self, n, dt):
        if self.table is not None:
            if self.table.ndim > 2 or self.table[0].size not in (1, n):
                raise SpikesimError(
                    f"PoissonSource: a row of the rate table has {self.table[0].size} values for {n} neurons."
                )
            self.validate(SimpleNamespace(rate=self.table), dt)

    def check_set(self, names):
        if self.table is not None and "rate" in names:
            raise SpikesimError("PoissonSource: its rate follows a table over time; add a new source to change it.")

    def changes(self, dt):
        return np.maximum(np.rint(self.times / dt).astype(np.int64), 0)

    def at_step(self, values, step, dt):
        if self.table is None:
            return values
        row = int(np.searchsorted(self.changes(dt), step, side="right")) - 1
        rate = np.atleast_1d(self.table[row]) if row >= 0 else np.zeros(1)
        return {**values, "rate": rate}

    @staticmethod
    def derive(p, dt):
        mean = p.rate * 1e-3 * dt
        none = np.exp(-mean, out=np.ones_like(mean), where=mean > 0.0)  # most pixels of an image, say, are silent
        return {"mean": mean, "none": none}

    @staticmethod
    def may_spike(c, u):
        return u > c.none

    @staticmethod
    def spikes(s, c, u):
        """How many spikes the step holds: the inverse of the Poisson distribution function at u."""
        count, probability = 0, c.none
        below = probability
        while u > below and count < 48:
            count += 1
            probability *= c.mean / count
            below += probability
        return count
