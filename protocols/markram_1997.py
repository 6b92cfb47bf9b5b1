"""Pairing at several frequencies in somatosensory cortex (Markram, Lübke, Frotscher & Sakmann 1997)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from spikesim.data.tables import load
from spikesim.protocol import Condition, Protocol

PAIRS_PER_BURST = 5


class Markram1997(Protocol):
    """Pairs of layer 5 neurons: Δt = +5 ms from 2 to 40 Hz, and Δt = -10 ms at 10 Hz.

    Pairs come in `bursts` bursts of 5, one every `burst_interval` ms. A `frequency_step` above 0 adds predictions at
    its multiples from 2 to 50 Hz, for either Δt.
    """

    bursts: int = 10
    burst_interval: float = 4000.0  # ms
    frequency_step: float = 0.0  # Hz

    title = "Markram et al. 1997: pairing frequency"
    reference = "doi:10.1126/science.275.5297.213"
    axis = "frequency"
    shows = "frequency"
    on_card = {"frequency_step": 2.0}
    limits = {
        **Protocol.limits,
        "bursts": (">= 1",),
        "burst_interval": ("> 2500",),  # five pairs at 2 Hz
        "frequency_step": (">= 0",),
    }

    def conditions(self) -> Iterator[Condition]:
        rows = load("markram_1997", "frequency")
        for row in rows:
            yield self._pairing(row["delta_t"], row["frequency"], measured=row["change"], sem=row["sem"])
        if self.frequency_step > 0.0:
            multiples = np.arange(1, int(50.0 / self.frequency_step + 1e-9) + 1) * self.frequency_step
            for delta_t in dict.fromkeys(row["delta_t"] for row in rows):
                for frequency in multiples[multiples >= 2.0]:
                    yield self._pairing(delta_t, float(frequency))

    def _pairing(self, delta_t: float, frequency: float, **measured: Any) -> Condition:
        bursts, within = np.arange(self.bursts) * self.burst_interval, np.arange(PAIRS_PER_BURST) * 1000.0 / frequency
        pre, series = np.add.outer(bursts, within).ravel(), f"Δt = {delta_t:+g} ms"
        variables = {"delta_t": delta_t, "frequency": frequency}
        return Condition(f"{series}, {frequency:g} Hz", variables, pre, pre + delta_t, series=series, **measured)
