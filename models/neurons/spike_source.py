"""Replays recorded or prescribed spike trains."""

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.event.describe import Replay
from spikesim.neuron import Neuron


class SpikeSource(Neuron):
    """Neuron ids[k] fires at times[k] (ms). Times may come in any order and are put on the nearest step.

    A spike's time is the end of its step, as everywhere, so the earliest possible is dt.
    """

    times: tuple = ()  # ms
    ids: tuple = ()  # of the population, from 0

    replays = True
    event = Replay()

    def __init__(self, times=(), ids=(), **given):
        super().__init__(**given)
        self.times = np.asarray(times, dtype=np.float64).ravel()
        self.ids = np.asarray(ids).ravel()
        if len(self.times) != len(self.ids):
            raise SpikesimError(f"SpikeSource: {len(self.times)} times for {len(self.ids)} ids.")
        if self.ids.size and not np.issubdtype(self.ids.dtype, np.integer):
            raise SpikesimError("SpikeSource: ids must be whole numbers.")
        if not np.isfinite(self.times).all():
            raise SpikesimError("SpikeSource: times must be finite.")
        self.ids = self.ids.astype(np.int64)

    def schedule(self, n, dt):
        """(steps, ids) sorted by step, then id, for a population of n; step k ends at (k + 1) dt.

        Sets `max_spikes` to the most spikes that one neuron has in a step.
        """
        if self.ids.size and not (0 <= self.ids.min() and self.ids.max() < n):
            raise SpikesimError(f"SpikeSource: ids must be from 0 to {n - 1}, the population's size less one.")
        steps = np.rint(self.times / dt).astype(np.int64) - 1
        if steps.size and steps.min() < 0:
            raise SpikesimError(
                f"SpikeSource: a spike at {self.times.min():g} ms is too early; "
                f"the first possible time is dt = {dt:g} ms."
            )
        order = np.lexsort((self.ids, steps))
        steps, ids = steps[order], self.ids[order]
        starts = np.flatnonzero(np.diff(steps, prepend=-1) | np.diff(ids, prepend=-1))
        self.max_spikes = int(np.diff(starts, append=len(ids)).max(initial=1))
        return steps, ids.astype(np.int32)
