"""Stops a run whose activity explodes, or whose weights are no numbers, before it fills the disk and the night."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.errors import RunError, SpikesimError
from spikesim.hook_search import failing_hook

if TYPE_CHECKING:
    from spikesim.network import Network
    from spikesim.projection import Projection

WINDOW = 100.0  # ms over which rates are averaged
MAX_RATE = 300.0  # Hz
LOOKED_AT = 64  # plastic weights per step, on the whole, that are looked at: below a per cent of what a step takes
#: Said of a rule whose hooks return numbers for all that was tried.
NO_HOOK = "None of its hooks was found to do so by itself; look at its parameters and at the neurons' potentials."


class RateGuard:
    """Looks at the mean rate of each population that sends spikes to others, once in `WINDOW` ms of model time.

    max_rate
        Hz; above it a run stops. None: never. Raises SpikesimError for anything else that is not a positive number.
    """

    def __init__(self, max_rate: float | None) -> None:
        if max_rate is not None and not (isinstance(max_rate, (int, float)) and max_rate > 0):
            raise SpikesimError(f"Network: max_rate must be a positive number of Hz, or None, not {max_rate!r}.")
        self.max_rate = max_rate
        self._since = 0
        self._before: dict[str, int] = {}

    def begin(self, network: Network) -> None:
        """Count from here: time has jumped, and what was before does not matter."""
        self._since, self._before = network.step, self._counts(network)

    def limit(self, network: Network) -> int:
        """The step at which to look again; always the same steps, however runs are split."""
        window = max(1, round(WINDOW / network.dt))
        return (network.step // window + 1) * window if self.max_rate is not None else 1 << 62

    def look(self, network: Network) -> None:
        """Raise RunError if a population has fired too much. Stretches shorter than `WINDOW` tell too little."""
        if self.max_rate is None or (network.step - self._since) * network.dt < WINDOW * (1.0 - 1e-9):
            return
        counts, seconds = self._counts(network), (network.step - self._since) * network.dt * 1e-3
        before, self._since, self._before = self._before, network.step, counts
        for population in network.populations:
            name = population.name
            rate = (counts.get(name, 0) - before.get(name, 0)) / population.n / seconds
            if name in counts and rate > self.max_rate:
                raise RunError(
                    f"activity explodes: population {name!r} fired at {rate:.0f} Hz on the whole in the last "
                    f"{seconds * 1e3:g} ms, more than max_rate = {self.max_rate:g} Hz. The run stopped at "
                    f"{network.time:g} ms; what was recorded up to there is kept. If the activity is meant, give a "
                    "higher max_rate, or none."
                )

    @staticmethod
    def _counts(network: Network) -> dict[str, Any]:
        senders = {p.source.index for p in network.projections}
        return {p.name: int(p.emitted.sum()) for p in network.populations if p.index in senders and p.model.receptors}


class WeightGuard:
    """Looks whether plastic weights are finite: after a run, and every so often during a long one, the more seldom the
    more of them there are."""

    def __init__(self) -> None:
        self._since = 0  # the step of the last look
        self._weights: list[tuple[Projection, Any]] = []
        self._count, self._window = 0, 1 << 62

    def begin(self, network: Network) -> None:
        """Look at the plastic weights as they are laid out now."""
        self._weights = [(projection, array) for projection in network.projections if projection.plastic
                         for name, array in projection.arrays.items() if name.startswith("weights")]  # fmt: skip
        self._count = sum(array.size for _, array in self._weights)
        if self._count:
            self._window = max(1, round(WINDOW / network.dt), -(-self._count // LOOKED_AT))

    def limit(self, network: Network) -> int:
        """The step at which to look again; always the same steps, however runs are split."""
        return (network.step // self._window + 1) * self._window

    def look(self, network: Network, last: int) -> None:
        """Raise RunError if a weight is NaN or infinite. `last` is the step that the run ends at."""
        if network.step != last and network.step % self._window:
            return
        if 0 <= (network.step - self._since) * LOOKED_AT < self._count:
            return
        self._since = network.step
        for projection, weights in self._weights:
            if not np.isfinite(weights.sum()) and not np.isfinite(weights).all():
                rule = projection.rule
                assert rule is not None
                raise RunError(
                    f"{projection!r}: {type(rule).__name__} has made weights NaN or infinite. "
                    f"{failing_hook(rule) or NO_HOOK} The run stopped at {network.time:g} ms; what was "
                    "recorded up to there is kept. Record the weights to see when it begins."
                )
