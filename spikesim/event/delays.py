"""Delays as real numbers, in picoseconds."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.event.moments import NEVER, PS, picoseconds
from spikesim.parallel import filled
from spikesim.values import Drawn, Same, Values, extent, values


class RealDelays:
    """The delay of every synapse; what was given to nine decimals of a millisecond is whole.

    shortest, longest
        ps; none lies outside.
    """

    def __init__(self, ms: Values) -> None:
        self.ms = ms
        self.shortest, self.longest = (float(ps) for ps in picoseconds(np.array(ms.limits)))
        self.alike = isinstance(ms, Same)

    def part(self, a: int, b: int) -> np.ndarray:
        """(b - a,) float64 ps of the synapses a to before b, or (1,) where all are alike."""
        return picoseconds(self.ms.part(a, a + 1 if self.alike else b))

    def everything(self, n: int, threads: int) -> np.ndarray:
        """(n,) float64 ps of all synapses."""
        return filled(self.part, n, np.float64, threads)

    def in_ms(self, n: int, threads: int) -> np.ndarray:
        """(n,) float64 ms of all synapses."""
        return self.everything(n, threads) / PS


def real_delays(given: Any, stream: Any, dt: float, n: Any, threads: int, label: str) -> RealDelays:
    """`given` (ms), a number, an array or a distribution, as delays; `n` counts the synapses, `dt` plays no part.

    Raises SpikesimError, naming `label`, for delays that are none.
    """
    ms = values(given, stream, n, f"{label}: delay")
    if isinstance(ms, Drawn) and not 1.0 <= ms.limits[0] * PS:
        ms.limits = extent(ms, n(), threads)  # what may be drawn need not be
    shortest, longest = ms.limits
    if not shortest * PS >= 1.0 - 1e-6:
        raise SpikesimError(f"{label}: a delay of {shortest:g} ms is too short; it must be 1e-9 ms or more.")
    if longest * PS >= NEVER:
        raise SpikesimError(f"{label}: a delay of {longest:g} ms is too long.")
    return RealDelays(ms)
