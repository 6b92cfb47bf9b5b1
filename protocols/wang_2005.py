"""Pairs, triplets and quadruplets in hippocampal culture (Wang, Gerkin, Nauen & Bi 2005)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from spikesim.data.tables import load
from spikesim.protocol import Condition, Protocol

HALF_PAIR = 2.5  # ms; the two spikes of each pair of a quadruplet are 5 ms apart


class Wang2005(Protocol):
    """Two pairs, four post-pre-post and four pre-post-pre triplets, and quadruplets, each repeated at 1 Hz.

    Triplets are named by Δt1 and Δt2, the times of the first and second pair they contain. A quadruplet is a
    post-pre pair and a pre-post pair, each with |Δt| = 5 ms, whose centres are T apart; T < 0 puts the
    pre-post pair first.

    The error is taken over pairs and triplets, as in Pfister & Gerstner 2006 (Table 2), from which the
    default measurements are. `measurements="digitised"` takes the triplets as read off the figures by others,
    without pairs. A `separation_step` above 0 adds predicted quadruplets at its multiples from T = -100 to
    100 ms.
    """

    repetitions: int = 60
    frequency: float = 1.0  # Hz
    measurements: str = "table"
    separation_step: float = 0.0  # ms

    title = "Wang et al. 2005: pairs, triplets and quadruplets"
    reference = "doi:10.1038/nn1387"
    axis = "separation"
    shows = "triplets"
    on_card = {"separation_step": 5.0}
    choices = {"measurements": ("table", "digitised")}
    limits = {
        **Protocol.limits,
        "repetitions": (">= 1",),
        "frequency": ("> 0",),
        "separation_step": (">= 0",),
    }

    def conditions(self) -> Iterator[Condition]:
        table = "table" if self.measurements == "table" else "triplets_digitised"
        for row in load("wang_2005", table):
            yield self._group(row)
        for row in load("wang_2005", "quadruplets"):
            yield self._quadruplet(row["separation"], measured=row["change"], sem=row["sem"])
        if self.separation_step > 0.0:
            steps = int(100.0 / self.separation_step + 1e-9)
            for k in range(-steps, steps + 1):
                T = k * self.separation_step
                if T not in (-2 * HALF_PAIR, 0.0, 2 * HALF_PAIR):  # there spikes would coincide
                    yield self._quadruplet(T)

    def _group(self, row: dict) -> Condition:
        kind, first, second = row["kind"], row["delta_t1"], row["delta_t2"]
        if kind == "pair":
            label, variables, pre, post = f"pair {first:+g}", {"delta_t1": first}, [0.0], [first]
        else:
            label, variables = f"{kind} ({first:g}, {second:g})", {"delta_t1": first, "delta_t2": second}
            pre, post = ([0.0], [first, second]) if kind == "post-pre-post" else ([-first, -second], [0.0])
        return Condition(label, variables, self._repeat(pre), self._repeat(post), row["change"], row["sem"])

    def _quadruplet(self, T: float, **measured: Any) -> Condition:
        pre = self._repeat([-T / 2 + HALF_PAIR, T / 2 - HALF_PAIR])
        post = self._repeat([-T / 2 - HALF_PAIR, T / 2 + HALF_PAIR])
        return Condition(
            f"quadruplet T = {T:g}",
            {"separation": T},
            pre,
            post,
            counts=False,
            series="quadruplets",
            **measured,
        )

    def _repeat(self, times: Sequence[float]) -> np.ndarray:
        """The same spikes (ms) in every repetition."""
        return np.add.outer(np.arange(self.repetitions) * 1000.0 / self.frequency, times).ravel()
