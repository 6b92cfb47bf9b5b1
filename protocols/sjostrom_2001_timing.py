"""The timing window at high frequencies in visual cortex (Sjöström, Turrigiano & Nelson 2001)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from spikesim.data.tables import load
from spikesim.protocol import Condition, Protocol
from spikesim.protocols.sjostrom_2001 import burst_times


class Sjostrom2001Timing(Protocol):
    """Pairs at 20 and 50 Hz, one Δt after another, in 15 bursts of 5 pairs, one every 10 s.

    At high frequencies depression gives way: at 50 Hz pairs potentiate whichever side leads. The points at ±10 ms come
    from the same kind of experiment as those of `sjostrom_2001`, so the two errors are not independent. A
    `delta_t_step` above 0 adds predictions at its multiples, as far as half a period either way.
    """

    delta_t_step: float = 0.0  # ms

    title = "Sjöström, Turrigiano & Nelson 2001: timing and frequency"
    reference = "doi:10.1016/S0896-6273(01)00542-6"
    axis = "delta_t"
    shows = "window"
    on_card = {"delta_t_step": 1.0}
    limits = {**Protocol.limits, "delta_t_step": (">= 0",)}

    def conditions(self) -> Iterator[Condition]:
        rows = load("sjostrom_2001", "timing")
        for row in rows:
            yield self._pairing(row["delta_t"], row["frequency"], measured=row["change"], sem=row["sem"])
        if self.delta_t_step > 0.0:
            for frequency in dict.fromkeys(row["frequency"] for row in rows):
                steps = int(500.0 / frequency / self.delta_t_step - 1e-9)
                for k in range(-steps, steps + 1):
                    yield self._pairing(k * self.delta_t_step, frequency)

    def _pairing(self, delta_t: float, frequency: float, **measured: Any) -> Condition:
        pre, series = burst_times(frequency), f"{frequency:g} Hz"
        variables = {"delta_t": delta_t, "frequency": frequency}
        return Condition(f"{series}, Δt = {delta_t:+g} ms", variables, pre, pre + delta_t, series=series, **measured)
