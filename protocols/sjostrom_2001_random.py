"""Firing without a fixed timing in visual cortex (Sjöström, Turrigiano & Nelson 2001)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spikesim.data.tables import load
from spikesim.protocol import Condition, Protocol
from spikesim.protocols.sjostrom_2001 import BURST_EVERY, BURSTS, PAIRS_PER_BURST

CLOSEST = 0.2  # ms; two spikes of a neuron are never closer


class Sjostrom2001Random(Protocol):
    """Both neurons fire at the same rate with no timing in common, in 15 bursts, one every 10 s.

    In a burst either neuron fires 5 spikes: with `firing="phase"` regularly, the post spikes shifted against the pre
    spikes by up to half a period either way, anew in every burst; with "poisson" at times that are uniform over five
    periods. The prediction is the mean over `repeats` experiments, drawn from `seed`. How exactly the experiment chose
    its times was not checked; the phase is our reading of it.
    """

    firing: str = "phase"
    repeats: int = 20
    seed: int = 1

    title = "Sjöström, Turrigiano & Nelson 2001: random firing"
    reference = "doi:10.1016/S0896-6273(01)00542-6"
    axis = "frequency"
    shows = "frequency"
    choices = {"firing": ("phase", "poisson")}
    limits = {**Protocol.limits, "repeats": (">= 1",), "seed": (">= 0",)}

    def conditions(self) -> Iterator[Condition]:
        for k, row in enumerate(load("sjostrom_2001", "random_firing")):
            rng = np.random.default_rng([self.seed, k])
            first, *others = (self._trains(row["frequency"], rng) for _ in range(self.repeats))
            label, variables = f"random, {row['frequency']:g} Hz", {"frequency": row["frequency"]}
            yield Condition(label, variables, *first, row["change"], row["sem"], series="random firing", trials=others)

    def _trains(self, frequency: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Pre and post spike times (ms) of one experiment."""
        period, begins = 1000.0 / frequency, np.arange(BURSTS)[:, None] * BURST_EVERY
        if self.firing == "poisson":
            pre, post = (self._scattered(PAIRS_PER_BURST * period, rng) for _ in range(2))
        else:
            pre = np.tile(np.arange(PAIRS_PER_BURST) * period, (BURSTS, 1))
            post = pre + rng.uniform(-0.5, 0.5, (BURSTS, 1)) * period
        return np.ravel(begins + pre), np.ravel(begins + post)

    def _scattered(self, duration: float, rng: np.random.Generator) -> np.ndarray:
        """Spike times of every burst, uniform over `duration` (ms), none closer than `CLOSEST`."""
        drawn = np.sort(rng.uniform(0.0, duration, (BURSTS, PAIRS_PER_BURST)))
        while (np.diff(drawn) < CLOSEST).any():
            drawn = np.sort(rng.uniform(0.0, duration, (BURSTS, PAIRS_PER_BURST)))
        return drawn
