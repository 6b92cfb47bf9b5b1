"""Where the input of every neuron is summed: for the step that runs now, and for the next few.

Each thread has a part of its own, with a row for each of these steps; in a row, receptor by receptor, the neurons that
the thread owns, population by population. A part is small enough to stay in the cache of its core, and places in it
are small numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from spikesim.population import Population

APART = 1024  # numbers between the parts of two threads, so that no page belongs to both


def _padded(n: int) -> int:
    return -(-n // 16) * 16


class Inputs:
    """The input array of a network.

    rows
        of each part: steps that input is kept for; step s has the row s % rows.
    widths
        numbers in a row, for each thread.
    strides
        numbers from one receptor to the next, for each thread.
    """

    def __init__(self, populations: list[Population], ranges: dict[int, Any], n_threads: int, rows: int, dtype: Any):
        self.rows, self.dtype = rows, np.dtype(dtype)
        receptors = max([1, *(len(p.model.receptors) for p in populations)])
        self.strides, self.widths, self._firsts, self._places = [], [], [], []
        total = 0
        for t in range(n_threads):
            places, stride = {}, 0
            for p in populations:
                lo, hi = ranges[p.index][t]
                places[p.index] = (stride, lo)
                stride += _padded(hi - lo) if p.model.receptors else 0
            self._places.append(places)
            self._firsts.append(total)
            self.strides.append(stride)
            self.widths.append(stride * receptors)
            total += rows * stride * receptors + APART
        self.array = np.zeros(total, dtype=self.dtype)

    def place(self, thread: int, population: Population, receptor: int) -> int:
        """Where in a row the first neuron is that the thread owns."""
        return self._places[thread][population.index][0] + receptor * self.strides[thread]

    def first(self, thread: int) -> int:
        """Address of the thread's part."""
        return self.array.ctypes.data + self._firsts[thread] * self.dtype.itemsize

    def fields(self, thread: int, population: Population, receptor: int = 0) -> dict[str, int]:
        """Context fields by which an operation finds the input of this population: in the first row, where neuron 0
        would be if the thread owned it."""
        place = self.place(thread, population, receptor) - self._places[thread][population.index][1]
        return {"inputs": self.first(thread) + place * self.dtype.itemsize, **self.ring(thread)}

    def none(self) -> dict[str, Any]:
        """Context fields for a population that takes no input."""
        return {"inputs": self.array, "input_rows": 1, "row_bytes": 0}

    def clear(self, step: int) -> None:
        """No input for this step."""
        for first, width in zip(self._firsts, self.widths, strict=True):
            begin = first + step % self.rows * width
            self.array[begin : begin + width] = 0.0

    def ring(self, thread: int) -> dict[str, int]:
        """Context fields that tell where the row of a step is."""
        return {"input_rows": self.rows, "row_bytes": self.widths[thread] * self.dtype.itemsize}
