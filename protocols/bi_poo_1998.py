"""The STDP window of hippocampal culture (Bi & Poo 1998)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from spikesim.data.tables import load
from spikesim.protocol import Condition, Protocol


class BiPoo1998(Protocol):
    """Pairs at 1 Hz, one Δt after another: the weight change against Δt.

    `pairs` pre spikes at 1000 k / frequency (ms), each with a post spike Δt later. Δt runs over the means of
    the measured bins and, from -delta_t_max to delta_t_max, over the multiples of delta_t_step without 0.
    """

    pairs: int = 60
    frequency: float = 1.0  # Hz
    delta_t_max: float = 100.0  # ms
    delta_t_step: float = 5.0  # ms; 0 for the measured bins alone

    title = "Bi & Poo 1998: spike timing window"
    reference = "doi:10.1523/JNEUROSCI.18-24-10464.1998"
    axis = "delta_t"
    shows = "window"
    limits = {
        **Protocol.limits,
        "pairs": (">= 1",),
        "frequency": ("> 0",),
        "delta_t_max": (">= 0",),
        "delta_t_step": (">= 0",),
    }

    def conditions(self) -> Iterator[Condition]:
        for row in load("bi_poo_1998", "window"):
            label = f"bin {row['from_ms']:+g} to {row['to_ms']:+g} ms"
            yield self._pairs(label, row["delta_t"], measured=row["change"], sem=row["sem"])
        for delta_t in self._sweep():
            yield self._pairs(f"{delta_t:+g} ms", delta_t)

    def _sweep(self) -> Iterator[float]:
        if self.delta_t_step > 0.0:
            steps = int(self.delta_t_max / self.delta_t_step + 1e-9)
            yield from (k * self.delta_t_step for k in range(-steps, steps + 1) if k != 0)

    def _pairs(self, label: str, delta_t: float, **measured: Any) -> Condition:
        pre = np.arange(self.pairs) * 1000.0 / self.frequency
        series = "pre before post" if delta_t > 0 else "post before pre"
        return Condition(label, {"delta_t": delta_t}, pre, pre + delta_t, series=series, **measured)
