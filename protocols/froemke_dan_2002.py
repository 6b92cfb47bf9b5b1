"""Triplets in layer 2/3 of visual cortex, where the first pair decides (Froemke & Dan 2002)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from spikesim.protocol import Condition, Protocol, ProtocolResult


class FroemkeDan2002(Protocol):
    """Pairs and triplets at 0.2 Hz, without measured values.

    The paper's finding is that a spike is weakened by the one before it of the same neuron. In a triplet the pair that
    comes first decides, then: post-pre-post depresses and pre-post-pre potentiates, the opposite of hippocampal culture
    (`wang_2005`). `first_pair_decides` in the result is the share of triplets whose predicted change has the sign of
    their first pair. The intervals are ours, and number and rate of the repetitions were not checked.
    """

    repetitions: int = 60
    frequency: float = 0.2  # Hz

    title = "Froemke & Dan 2002: the first pair of a triplet decides"
    reference = "doi:10.1038/416433a"
    shows = "triplets"
    limits = {**Protocol.limits, "repetitions": (">= 1",), "frequency": ("> 0", "<= 5")}

    def conditions(self) -> Iterator[Condition]:
        for delta_t in (10.0, -10.0):
            yield self._group(f"pair {delta_t:+g}", {"delta_t1": delta_t}, [0.0], [delta_t])
        for first, second in ((-10.0, 10.0), (-5.0, 5.0), (-10.0, 5.0)):
            timing = {"delta_t1": first, "delta_t2": second}
            yield self._group(f"post-pre-post ({first:g}, {second:g})", timing, [0.0], [first, second])
        for first, second in ((10.0, -10.0), (5.0, -5.0), (10.0, -5.0)):
            timing = {"delta_t1": first, "delta_t2": second}
            yield self._group(f"pre-post-pre ({first:g}, {second:g})", timing, [-first, -second], [0.0])

    def finish(self, result: ProtocolResult) -> None:
        """Add the share of triplets in which the first pair decides."""
        triplets = [p for p in result.points if "delta_t2" in p.condition.variables]
        right = sum(p.predicted * p.condition.variables["delta_t1"] > 0.0 for p in triplets)
        result.scalars["first_pair_decides"] = right / len(triplets)

    def _group(self, label: str, variables: dict, pre: Sequence[float], post: Sequence[float]) -> Condition:
        return Condition(label, variables, self._repeat(pre), self._repeat(post))

    def _repeat(self, times: Sequence[float]) -> np.ndarray:
        """The same spikes (ms) in every repetition."""
        return np.add.outer(np.arange(self.repetitions) * 1000.0 / self.frequency, times).ravel()
