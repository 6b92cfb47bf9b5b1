"""Who is connected to whom: rules that turn two sets of neurons into synapses.

    net.connect(a, b, FixedIndegree(100))

`rule.wire(source_ids, target_ids, same_population, stream)` says how the ends of every synapse are made (see
`spikesim.wiring`). The names are NEST's, and so are the defaults: unless told otherwise a neuron may be connected to
itself (`autapses`) and a pair of neurons more than once (`multapses`). Both are about neurons, not places in a view:
neuron 3 of a population is itself in every view of it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim import choices
from spikesim.errors import SpikesimError
from spikesim.parallel import pieces, shared_out
from spikesim.wiring import BySource, ByTarget, Listed, Wiring

if TYPE_CHECKING:
    from spikesim.rng import Stream

Ids = np.ndarray


class ConnectionRule:
    """Base of all connection rules."""

    def wire(self, source_ids: Ids, target_ids: Ids, same_population: bool, stream: Stream, threads: int = 1) -> Wiring:
        """How to make the ends of every synapse.

        source_ids, target_ids: the ids, each once, of the neurons to connect; `same_population` says that
        equal ids mean the same neuron. Random rules draw from `stream` and depend on nothing else.
        Raises SpikesimError where there is no neuron or where what the rule asks for is impossible.
        """
        sources, targets = np.asarray(source_ids, dtype=np.int32), np.asarray(target_ids, dtype=np.int32)
        for side, ids in (("source", sources), ("target", targets)):
            if ids.size == 0:
                raise SpikesimError(f"{self}: there is no {side} neuron to connect.")
        return self._wire(sources, targets, same_population, stream, threads)

    def pairs(self, source_ids: Ids, target_ids: Ids, same_population: bool, stream: Stream) -> tuple[Ids, Ids]:
        """The ends (sources, targets) of every synapse, two int32 arrays of the same length; else as `wire`."""
        return self.wire(source_ids, target_ids, same_population, stream).everything()

    def _wire(self, sources: Ids, targets: Ids, same: bool, stream: Stream, threads: int) -> Wiring:
        raise NotImplementedError

    def _count(self, name: str) -> None:
        """Make sure that an argument is a whole number, not negative."""
        value = getattr(self, name)
        try:
            number = operator.index(value)
        except TypeError:
            number = -1
        if number < 0 or isinstance(value, bool):
            raise SpikesimError(f"{type(self).__name__}: {name} is a whole number >= 0, not {value!r}.")
        object.__setattr__(self, name, number)

    def _require(self, wanted: int, available: int, what: str) -> None:
        if wanted > available:
            raise SpikesimError(f"{self}: {wanted} asked for, but there are only {available} {what}.")


@dataclass(frozen=True)
class OneToOne(ConnectionRule):
    """The i-th source to the i-th target; there must be as many of one as of the other."""

    def _wire(self, sources: Ids, targets: Ids, same: bool, stream: Stream, threads: int) -> Wiring:
        if sources.size != targets.size:
            raise SpikesimError(
                f"{self} needs as many sources as targets, but there are {sources.size} and {targets.size}."
            )
        return Listed(sources, targets)


@dataclass(frozen=True)
class AllToAll(ConnectionRule):
    """Every source to every target; synapses are numbered source by source."""

    autapses: bool = field(default=True, kw_only=True)

    def _wire(self, sources: Ids, targets: Ids, same: bool, stream: Stream, threads: int) -> Wiring:
        selves = choices.selves_among(targets, sources, same and not self.autapses)
        degrees = targets.size - (selves < targets.size).astype(np.int64)

        def partners(begin: int, end: int) -> Ids:
            every = np.tile(targets, end - begin)
            own = selves[begin:end]
            places = np.flatnonzero(own < targets.size)
            return np.delete(every, places * targets.size + own[places]) if places.size else every

        return BySource(sources, degrees, partners, float(degrees.sum()), threads)


@dataclass(frozen=True)
class FixedProbability(ConnectionRule):
    """Each pair with probability p, independently of the others; never twice."""

    p: float
    autapses: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        if not (isinstance(self.p, (int, float, np.number)) and 0.0 <= self.p <= 1.0):
            raise SpikesimError(f"FixedProbability: p must be from 0 to 1, not {self.p!r}.")

    def _wire(self, sources: Ids, targets: Ids, same: bool, stream: Stream, threads: int) -> Wiring:
        """The gaps between the chosen sources of a target are geometric, so that the work grows with what is chosen
        and not with what there is to choose from."""
        selves = choices.selves_among(sources, targets, same and not self.autapses)
        n, log_q = sources.size, float(np.log1p(-self.p)) if self.p < 1.0 else -np.inf
        stream = stream.reserve(targets.size * (n + 1))  # a target chooses all its sources at the most

        def walk(begin: int, end: int, out: Ids, counting: bool) -> Ids:
            if self.p > 0.0:
                draw = stream.at(begin * (n + 1))
                choices.compiled().bernoulli(
                    out, counting, n, log_q, selves[begin:end], draw.position, draw.stream, *draw.key
                )
            return out

        def count(begin: int, end: int) -> Ids:
            return walk(begin, end, np.zeros(end - begin, np.int32), True)

        def degrees(threads: int) -> Ids:
            return np.concatenate(shared_out(count, targets.size, threads, wiring.expected))

        def partners(begin: int, end: int) -> Ids:
            return sources[walk(begin, end, np.empty(wiring.firsts[end] - wiring.firsts[begin], np.int32), False)]

        pairs = sources.size * targets.size - np.count_nonzero(selves < n)
        wiring = ByTarget(targets, degrees, partners, pairs * float(self.p), threads)
        return wiring


@dataclass(frozen=True)
class _FixedDegree(ConnectionRule):
    k: int
    autapses: bool = field(default=True, kw_only=True)
    multapses: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        self._count("k")

    def _partners(self, candidates: Ids, neurons: Ids, same: bool, stream: Stream, what: str) -> Callable[..., Ids]:
        """The function that gives k candidates for the first neuron, k for the second, and so on."""
        forbidden = choices.selves_among(candidates, neurons, same and not self.autapses)
        available = candidates.size - int((forbidden < candidates.size).any())
        self._require(min(self.k, 1) if self.multapses else self.k, available, what)
        stream = stream.reserve(neurons.size * self.k)

        def partners(begin: int, end: int) -> Ids:
            draw = stream.at(begin * self.k)
            return candidates[choices.choose(candidates.size, self.k, forbidden[begin:end], not self.multapses, draw)]

        return partners


@dataclass(frozen=True)
class FixedIndegree(_FixedDegree):
    """`k` random sources for every target."""

    def _wire(self, sources: Ids, targets: Ids, same: bool, stream: Stream, threads: int) -> Wiring:
        partners = self._partners(sources, targets, same, stream, "sources for a target")
        return ByTarget(targets, self.k, partners, float(self.k * targets.size), threads)


@dataclass(frozen=True)
class FixedOutdegree(_FixedDegree):
    """`k` random targets for every source."""

    def _wire(self, sources: Ids, targets: Ids, same: bool, stream: Stream, threads: int) -> Wiring:
        partners = self._partners(targets, sources, same, stream, "targets for a source")
        return BySource(sources, self.k, partners, float(self.k * sources.size), threads)


@dataclass(frozen=True)
class FixedTotalNumber(ConnectionRule):
    """`n` synapses in all, each end drawn at random."""

    n: int
    autapses: bool = field(default=True, kw_only=True)
    multapses: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        self._count("n")

    def _wire(self, sources: Ids, targets: Ids, same: bool, stream: Stream, threads: int) -> Wiring:
        selves = choices.selves_among(sources, targets, same and not self.autapses)
        n_selves = int(np.count_nonzero(selves < sources.size))
        available = sources.size * targets.size - n_selves
        self._require(min(self.n, 1) if self.multapses else self.n, available, "pairs")
        if not self.multapses:
            return Listed(
                *choices.ends_of(
                    choices.distinct_cells(self.n, available, selves, sources.size, stream), sources, targets
                )
            )
        if 0 < n_selves < targets.size:  # targets differ in how many sources they may have
            return Listed(*self._redrawn(sources, targets, selves, stream))
        ends = stream.reserve(2 * self.n)

        def degrees(threads: int) -> Ids:
            """Targets are equally likely: how often each is drawn."""

            def count(begin: int, end: int) -> Ids:
                counts = np.zeros(targets.size, np.int64)
                for a, b in pieces(begin, end, choices.CHUNK):
                    counts += np.bincount(ends.at(a).integers(targets.size, b - a, np.int32), minlength=targets.size)
                return counts

            return np.sum(shared_out(count, self.n, threads), axis=0)

        def partners(begin: int, end: int) -> Ids:
            first, last = wiring.firsts[begin], wiring.firsts[end]
            draw = ends.at(self.n + first)
            if not n_selves:
                return sources[draw.integers(sources.size, last - first, np.int32)]
            picks = draw.integers(sources.size - 1, last - first, np.int32)
            picks += picks >= np.repeat(selves[begin:end], np.diff(wiring.firsts[begin : end + 1]))
            return sources[picks]

        wiring = ByTarget(targets, degrees, partners, float(self.n), threads)
        return wiring

    def _redrawn(self, sources: Ids, targets: Ids, selves: Ids, stream: Stream) -> tuple[Ids, Ids]:
        """Both ends of each synapse at random; neurons connected to themselves are drawn again."""
        i = stream.integers(sources.size, self.n, np.int32)
        j = stream.integers(targets.size, self.n, np.int32)
        while (again := np.flatnonzero(i == selves[j])).size:
            i[again] = stream.integers(sources.size, again.size)
            j[again] = stream.integers(targets.size, again.size)
        return sources[i], targets[j]


class Pairs(ConnectionRule):
    """The pairs (sources[i], targets[i]), by the ids of the neurons in their populations.

    Raises SpikesimError for ids that are not whole numbers, for lists of unequal lengths and, when
    connecting, for neurons that are not among those connected.
    """

    def __init__(self, sources: Any, targets: Any) -> None:
        self.sources, self.targets = self._ids("sources", sources), self._ids("targets", targets)
        if self.sources.size != self.targets.size:
            raise SpikesimError(
                f"Pairs needs as many sources as targets, not {self.sources.size} and {self.targets.size}."
            )

    @staticmethod
    def _ids(name: str, given: Any) -> Ids:
        try:
            ids = np.asarray(given)
            if ids.ndim != 1 or (ids.dtype.kind not in "iu" and ids.size):
                raise TypeError
        except (TypeError, ValueError):  # ValueError: lists of unequal lengths
            raise SpikesimError(f"Pairs: {name} is a list of ids, which are whole numbers, not {given!r}.") from None
        return ids.astype(np.int64)

    def _wire(self, sources: Ids, targets: Ids, same: bool, stream: Stream, threads: int) -> Wiring:
        for side, wanted, known in (("source", self.sources, sources), ("target", self.targets, targets)):
            strange = wanted[~np.isin(wanted, known)]
            if strange.size:
                raise SpikesimError(
                    f"{self}: {side} {strange[0]} is not among the neurons connected, "
                    f"which are {known.size} with ids from {known.min()} to {known.max()}."
                )
        return Listed(self.sources, self.targets)

    def __repr__(self) -> str:
        return f"Pairs({self.sources.size} pairs)"


class SparsePairs(ConnectionRule):
    """A synapse for every stored element of a sparse matrix: row i is the i-th source connected, column j the
    j-th target. `weights` (float64) belong to the pairs, which are sorted by row and then by column."""

    def __init__(self, matrix: Any) -> None:
        from scipy import sparse

        if not sparse.issparse(matrix) or len(matrix.shape) != 2:
            raise SpikesimError(
                f"from_sparse takes a two-dimensional SciPy sparse matrix, not {type(matrix).__name__}."
            )
        rows = sparse.csr_array(matrix, copy=True)
        rows.sum_duplicates()  # sorts too
        elements = rows.tocoo()
        self.shape, self.weights = matrix.shape, elements.data.astype(np.float64)
        self._rows, self._columns = elements.row, elements.col
        bad = np.flatnonzero(~np.isfinite(self.weights))
        if bad.size:
            i, j = self._rows[bad[0]], self._columns[bad[0]]
            raise SpikesimError(f"from_sparse: element ({i}, {j}) is {self.weights[bad[0]]}; weights must be finite.")

    def _wire(self, sources: Ids, targets: Ids, same: bool, stream: Stream, threads: int) -> Wiring:
        if self.shape != (sources.size, targets.size):
            raise SpikesimError(
                f"{self}: {sources.size} sources and {targets.size} targets need a matrix of shape "
                f"({sources.size}, {targets.size})."
            )
        return Listed(sources[self._rows], targets[self._columns])

    def __repr__(self) -> str:
        return f"from_sparse(matrix of shape {self.shape})"


def from_sparse(matrix: Any) -> SparsePairs:
    """The rule and, as its `weights`, the weights in a SciPy sparse matrix of shape (n_source, n_target).

    Elements stored twice are added, as SciPy does; a stored zero is a synapse of weight 0. Raises
    SpikesimError for anything that is not a sparse matrix of finite real numbers.
    """
    return SparsePairs(matrix)
