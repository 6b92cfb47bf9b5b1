"""The synapses of one projection, numbered from 0, without a list of them.

What is drawn at random is a function of the synapse's number (see `spikesim.rng`), so the ends of any stretch of
synapses can be made again whenever they are wanted, and nothing but the count of each neuron is kept. Where every
target draws its own inputs, a thread makes the synapses onto its own neurons and no others.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from spikesim.parallel import pieces, shared_out

Ids = np.ndarray
CHUNK = 1 << 16  # synapses made at a time: they stay in the cache

#: (first, sources, targets): the ends, int32, of the synapses from number `first` on
Chunk = tuple[int, Ids, Ids]


class Wiring:
    """Base: `n` synapses and their ends.

    expected
        how many synapses there should be, without making any.
    """

    def __init__(self, expected: float) -> None:
        self.expected = expected

    @property
    def n(self) -> int:
        raise NotImplementedError

    def chunks(self, lo: int, hi: int) -> Iterator[Chunk]:
        """The synapses, in the order of their numbers, that end on neurons from lo to before hi; there may be others
        among them."""
        raise NotImplementedError

    def everything(self) -> tuple[Ids, Ids]:
        """(sources, targets) of all synapses."""
        raise NotImplementedError


class Listed(Wiring):
    """Synapses as they are listed: two arrays of ids."""

    def __init__(self, sources: Ids, targets: Ids) -> None:
        super().__init__(len(sources))
        self.sources, self.targets = sources.astype(np.int32, copy=False), targets.astype(np.int32, copy=False)

    @property
    def n(self) -> int:
        return len(self.sources)

    def chunks(self, lo: int, hi: int) -> Iterator[Chunk]:
        for a, b in pieces(0, self.n, CHUNK):
            yield a, self.sources[a:b], self.targets[a:b]

    def everything(self) -> tuple[Ids, Ids]:
        return self.sources, self.targets


#: (begin, end) places of neurons -> the other ends of their synapses, neuron by neuron
Draw = Callable[[int, int], Ids]


class _ByNeuron(Wiring):
    """Synapses numbered neuron by neuron of one side, each of which has a `degree` and draws its partners.

    neurons
        their ids.
    degrees
        of each; or a function of a number of threads, when they are to be counted on demand.
    partners
        a `Draw`, called for few neurons at a time.
    """

    def __init__(self, neurons: Ids, degrees: Any, partners: Draw, expected: float, threads: int) -> None:
        super().__init__(expected)
        self.neurons, self._degrees, self.partners, self.threads = neurons, degrees, partners, threads

    @functools.cached_property
    def firsts(self) -> np.ndarray:
        """(neurons + 1,) number of each neuron's first synapse."""
        firsts = np.zeros(len(self.neurons) + 1, np.int64)
        degrees = self._degrees(self.threads) if callable(self._degrees) else self._degrees
        np.cumsum(np.broadcast_to(degrees, self.neurons.shape), out=firsts[1:])
        return firsts

    @property
    def n(self) -> int:
        return int(self.firsts[-1])

    def _pieces(self, begin: int, end: int) -> Iterator[tuple[int, Ids, Ids]]:
        """(number of the first synapse, neurons, partners) of the neurons at the places from begin to before end."""
        firsts = self.firsts
        while begin < end:
            stop = int(np.searchsorted(firsts, firsts[begin] + CHUNK, side="right")) - 1
            stop = min(end, max(stop, begin + 1))
            if firsts[stop] > firsts[begin]:
                own = np.repeat(self.neurons[begin:stop], np.diff(firsts[begin : stop + 1]))
                yield int(firsts[begin]), own, self.partners(begin, stop)
            begin = stop

    @staticmethod
    def _oriented(own: Ids, partners: Ids) -> tuple[Ids, Ids]:
        """(sources, targets) of the neurons themselves and their partners."""
        raise NotImplementedError

    def everything(self) -> tuple[Ids, Ids]:
        own, partners = np.empty(self.n, np.int32), np.empty(self.n, np.int32)

        def make(begin: int, end: int) -> None:
            begin, end = (int(np.searchsorted(self.firsts, at)) for at in (begin, end))
            for first, neurons, theirs in self._pieces(begin, end):
                own[first : first + len(neurons)], partners[first : first + len(neurons)] = neurons, theirs

        shared_out(make, self.n, self.threads)
        return self._oriented(own, partners)


class BySource(_ByNeuron):
    """Every source draws its targets."""

    @staticmethod
    def _oriented(own: Ids, partners: Ids) -> tuple[Ids, Ids]:
        return own, partners

    def chunks(self, lo: int, hi: int) -> Iterator[Chunk]:
        yield from self._pieces(0, len(self.neurons))


class ByTarget(_ByNeuron):
    """Every target draws its sources."""

    @staticmethod
    def _oriented(own: Ids, partners: Ids) -> tuple[Ids, Ids]:
        return partners, own

    def chunks(self, lo: int, hi: int) -> Iterator[Chunk]:
        within = np.zeros(len(self.neurons) + 2, bool)
        within[1:-1] = (self.neurons >= lo) & (self.neurons < hi)
        edges = np.flatnonzero(within[1:] != within[:-1]).tolist()
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            for first, targets, sources in self._pieces(begin, end):
                yield first, sources, targets
