"""Frequency dependence of pairing in visual cortex (Sjöström, Turrigiano & Nelson 2001)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from spikesim.data.tables import load
from spikesim.protocol import Condition, Protocol

BURSTS, PAIRS_PER_BURST, BURST_EVERY = 15, 5, 10_000.0  # the last in ms
SINGLE_PAIRS = 50  # where a burst would not fit between two bursts


class Sjostrom2001(Protocol):
    """Pairs at Δt = +10 and -10 ms, at frequencies from 0.1 to 50 Hz.

    As in Pfister & Gerstner 2006, who fitted their rule to it, `pairs` pairs follow one another at the given
    frequency. With `bursts` they come as in the experiment: 15 bursts of 5 pairs, one every 10 s, and 50
    single pairs every 10 s where the frequency is too low for a burst (0.1 Hz). The two differ a lot for
    rules with slow traces. A `frequency_step` above 0 adds predictions at its multiples up to 50 Hz.
    """

    pairs: int = 60
    bursts: bool = False
    frequency_step: float = 0.0  # Hz

    title = "Sjöström, Turrigiano & Nelson 2001: pairing frequency"
    reference = "doi:10.1016/S0896-6273(01)00542-6"
    axis = "frequency"
    shows = "frequency"
    on_card = {"frequency_step": 2.0}
    limits = {**Protocol.limits, "pairs": (">= 1",), "frequency_step": (">= 0",)}

    def conditions(self) -> Iterator[Condition]:
        rows = load("sjostrom_2001", "frequency")
        for row in rows:
            yield self._pairing(row["delta_t"], row["frequency"], measured=row["change"], sem=row["sem"])
        if self.frequency_step > 0.0:
            for delta_t in dict.fromkeys(row["delta_t"] for row in rows):
                for k in range(1, int(50.0 / self.frequency_step + 1e-9) + 1):
                    yield self._pairing(delta_t, k * self.frequency_step)

    def _pairing(self, delta_t: float, frequency: float, **measured: Any) -> Condition:
        pre = burst_times(frequency) if self.bursts else np.arange(self.pairs) * 1000.0 / frequency
        series = f"Δt = {delta_t:+g} ms"
        return Condition(
            f"{series}, {frequency:g} Hz",
            {"delta_t": delta_t, "frequency": frequency},
            pre,
            pre + delta_t,
            series=series,
            **measured,
        )


def burst_times(frequency: float) -> np.ndarray:
    """Spike times (ms) of one side in the experiment: bursts of 5 at `frequency` (Hz), or 50 single spikes."""
    period = 1000.0 / frequency
    if PAIRS_PER_BURST * period > BURST_EVERY:
        return np.arange(SINGLE_PAIRS) * BURST_EVERY
    return np.add.outer(np.arange(BURSTS) * BURST_EVERY, np.arange(PAIRS_PER_BURST) * period).ravel()
