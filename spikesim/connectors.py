"""Who is connected to whom: rules that turn two sets of neurons into pairs.

    net.connect(a, b, FixedIndegree(100))

`rule.pairs(source_ids, target_ids, same_population, stream)` returns the ids of both ends of every synapse.
The names are NEST's, and so are the defaults: unless told otherwise a neuron may be connected to itself
(`autapses`) and a pair of neurons more than once (`multapses`). Both are about neurons, not places in a view:
neuron 3 of a population is itself in every view of it.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.errors import SpikesimError

if TYPE_CHECKING:
    from spikesim.rng import Stream

Ids = np.ndarray
_CHUNK = 1 << 20  # random numbers held at a time


class ConnectionRule:
    """Base of all connection rules."""

    def pairs(self, source_ids: Ids, target_ids: Ids, same_population: bool, stream: Stream) -> tuple[Ids, Ids]:
        """The ends (sources, targets) of every synapse, two int32 arrays of the same length.

        source_ids, target_ids: the ids, each once, of the neurons to connect; `same_population` says that
        equal ids mean the same neuron. Random rules draw from `stream` and depend on nothing else.
        Raises SpikesimError where there is no neuron or where what the rule asks for is impossible.
        """
        sources, targets = np.asarray(source_ids), np.asarray(target_ids)
        for side, ids in (("source", sources), ("target", targets)):
            if ids.size == 0:
                raise SpikesimError(f"{self}: there is no {side} neuron to connect.")
        chosen_sources, chosen_targets = self._pairs(sources, targets, same_population, stream)
        return chosen_sources.astype(np.int32, copy=False), chosen_targets.astype(np.int32, copy=False)

    def _pairs(self, sources: Ids, targets: Ids, same: bool, stream: Stream) -> tuple[Ids, Ids]:
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

    def _pairs(self, sources: Ids, targets: Ids, same: bool, stream: Stream) -> tuple[Ids, Ids]:
        if sources.size != targets.size:
            raise SpikesimError(
                f"{self} needs as many sources as targets, but there are {sources.size} and {targets.size}."
            )
        return sources, targets


@dataclass(frozen=True)
class AllToAll(ConnectionRule):
    """Every source to every target."""

    autapses: bool = field(default=True, kw_only=True)

    def _pairs(self, sources: Ids, targets: Ids, same: bool, stream: Stream) -> tuple[Ids, Ids]:
        every = np.repeat(sources, targets.size), np.tile(targets, sources.size)
        return every if self.autapses or not same else _no_autapses(*every)


@dataclass(frozen=True)
class FixedProbability(ConnectionRule):
    """Each pair with probability p, independently of the others; never twice."""

    p: float
    autapses: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        if not (isinstance(self.p, (int, float, np.number)) and 0.0 <= self.p <= 1.0):
            raise SpikesimError(f"FixedProbability: p must be from 0 to 1, not {self.p!r}.")

    def _pairs(self, sources: Ids, targets: Ids, same: bool, stream: Stream) -> tuple[Ids, Ids]:
        if self.p == 1.0:
            return AllToAll(autapses=self.autapses)._pairs(sources, targets, same, stream)
        parts = []
        for chosen in _bernoulli(sources.size * targets.size, float(self.p), stream):
            part = _ends(chosen, sources, targets)
            parts.append(part if self.autapses or not same else _no_autapses(*part))
        return np.concatenate([s for s, _ in parts]), np.concatenate([t for _, t in parts])


@dataclass(frozen=True)
class _FixedDegree(ConnectionRule):
    k: int
    autapses: bool = field(default=True, kw_only=True)
    multapses: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        self._count("k")

    def _partners(self, candidates: Ids, neurons: Ids, same: bool, stream: Stream, what: str) -> Ids:
        """k candidates for the first neuron, k for the second, and so on."""
        forbidden = _selves(candidates, neurons, same and not self.autapses)
        available = candidates.size - int((forbidden < candidates.size).any())
        self._require(min(self.k, 1) if self.multapses else self.k, available, what)
        return candidates[_choose(candidates.size, self.k, forbidden, not self.multapses, stream)]


@dataclass(frozen=True)
class FixedIndegree(_FixedDegree):
    """`k` random sources for every target."""

    def _pairs(self, sources: Ids, targets: Ids, same: bool, stream: Stream) -> tuple[Ids, Ids]:
        return self._partners(sources, targets, same, stream, "sources for a target"), np.repeat(targets, self.k)


@dataclass(frozen=True)
class FixedOutdegree(_FixedDegree):
    """`k` random targets for every source."""

    def _pairs(self, sources: Ids, targets: Ids, same: bool, stream: Stream) -> tuple[Ids, Ids]:
        return np.repeat(sources, self.k), self._partners(targets, sources, same, stream, "targets for a source")


@dataclass(frozen=True)
class FixedTotalNumber(ConnectionRule):
    """`n` synapses in all, each end drawn at random."""

    n: int
    autapses: bool = field(default=True, kw_only=True)
    multapses: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        self._count("n")

    def _pairs(self, sources: Ids, targets: Ids, same: bool, stream: Stream) -> tuple[Ids, Ids]:
        selves = _selves(sources, targets, same and not self.autapses)
        available = sources.size * targets.size - np.count_nonzero(selves < sources.size)
        self._require(min(self.n, 1) if self.multapses else self.n, available, "pairs")
        if not self.multapses:
            return _ends(_distinct(self.n, available, selves, sources.size, stream), sources, targets)
        i, j = (
            stream.integers(sources.size, self.n, np.int32),
            stream.integers(targets.size, self.n, np.int32),
        )
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

    def _pairs(self, sources: Ids, targets: Ids, same: bool, stream: Stream) -> tuple[Ids, Ids]:
        for side, wanted, known in (("source", self.sources, sources), ("target", self.targets, targets)):
            strange = wanted[~np.isin(wanted, known)]
            if strange.size:
                raise SpikesimError(
                    f"{self}: {side} {strange[0]} is not among the neurons connected, "
                    f"which are {known.size} with ids from {known.min()} to {known.max()}."
                )
        return self.sources, self.targets

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

    def _pairs(self, sources: Ids, targets: Ids, same: bool, stream: Stream) -> tuple[Ids, Ids]:
        if self.shape != (sources.size, targets.size):
            raise SpikesimError(
                f"{self}: {sources.size} sources and {targets.size} targets need a matrix of shape "
                f"({sources.size}, {targets.size})."
            )
        return sources[self._rows], targets[self._columns]

    def __repr__(self) -> str:
        return f"from_sparse(matrix of shape {self.shape})"


def from_sparse(matrix: Any) -> SparsePairs:
    """The rule and, as its `weights`, the weights in a SciPy sparse matrix of shape (n_source, n_target).

    Elements stored twice are added, as SciPy does; a stored zero is a synapse of weight 0. Raises
    SpikesimError for anything that is not a sparse matrix of finite real numbers.
    """
    return SparsePairs(matrix)


def _ends(cells: np.ndarray, sources: Ids, targets: Ids) -> tuple[Ids, Ids]:
    """The pairs at these cells of the (source, target) matrix, counted row by row."""
    rows, columns = np.divmod(cells, targets.size)
    return sources[rows], targets[columns]


def _no_autapses(sources: Ids, targets: Ids) -> tuple[Ids, Ids]:
    other = sources != targets
    return sources[other], targets[other]


def _selves(candidates: Ids, neurons: Ids, forbid: bool) -> np.ndarray:
    """Where each neuron itself is among the candidates; len(candidates) if nowhere, and unless `forbid`."""
    n = candidates.size
    if not forbid:
        return np.full(neurons.size, n)
    order = np.argsort(candidates, kind="stable")
    at = order[np.minimum(np.searchsorted(candidates, neurons, sorter=order), n - 1)]
    return np.where(candidates[at] == neurons, at, n)


def _bernoulli(n: int, p: float, stream: Stream):
    """The numbers below n that are chosen with probability p each, in rising order, as a series of arrays.

    Draws the gaps between them, which are geometric: the work grows with what is chosen, not with n.
    """
    yield np.empty(0, np.int64)
    after = -1.0  # float64: exact below 2**53, and it cannot overflow beyond
    while p > 0.0 and after < n - 1:
        expected = (n - 1 - after) * p
        u = stream.uniform(int(min(_CHUNK, expected + 4.0 * expected**0.5 + 16.0)))
        with np.errstate(over="ignore"):  # infinite gaps, for p below 1e-306
            chosen = after + np.cumsum(np.floor(np.log(u) / np.log1p(-p)) + 1.0)
        after = chosen[-1]
        yield chosen[: np.searchsorted(chosen, n)].astype(np.int64)


def _distinct(n: int, available: int, selves: np.ndarray, n_sources: int, stream: Stream) -> np.ndarray:
    """`n` different cells of the (source, target) matrix in rising order, no neuron with itself."""
    n_cells = n_sources * selves.size
    if 2 * n > available:  # few are left out: choose those
        free = np.ones((n_sources, selves.size), dtype=bool)
        own = np.flatnonzero(selves < n_sources)
        free[selves[own], own] = False
        free.ravel()[_distinct(available - n, available, selves, n_sources, stream)] = False
        return np.flatnonzero(free)
    chosen = np.empty(0, np.int64)
    while chosen.size < n:  # never draws more than are missing, so that every set is equally likely
        drawn = stream.integers(n_cells, n - chosen.size)
        rows, columns = np.divmod(drawn, selves.size)
        drawn = np.sort(drawn[rows != selves[columns]])
        # Merges two sorted arrays. (np.unique hashes, and is a hundred times slower.)
        chosen = np.sort(np.concatenate((chosen, drawn)), kind="stable")
        chosen = np.concatenate((chosen[:1], chosen[1:][chosen[1:] != chosen[:-1]]))
    return chosen


def _choose(n: int, k: int, forbidden: np.ndarray, distinct: bool, stream: Stream) -> np.ndarray:
    """For every entry of `forbidden`, k of the numbers below n but for that one: int32, row after row."""
    out = np.empty(forbidden.size * k, np.int32)
    marks = np.full(n, -1)
    rows = max(1, _CHUNK // max(k, 1))
    for first in range(0, forbidden.size, rows):
        block = forbidden[first : first + rows]
        part = out[first * k : (first + block.size) * k]
        _chooser()(stream.uniform(part.size), n, k, block, first, distinct, marks, part)
    return out


@functools.cache
def _chooser() -> Callable[..., None]:
    from numba import njit

    from spikesim.jit import cache_for

    with cache_for() as cache:

        @njit(cache=cache, error_model="numpy", nogil=True)
        def choose(u, n, k, forbidden, first, distinct, marks, out):
            """marks[i] is the last row that chose i. Without repetition this is Floyd's algorithm (Bentley &
            Floyd 1987, doi:10.1145/30401.315746): k draws, none in vain, every set of k equally likely."""
            for row in range(forbidden.shape[0]):
                own = forbidden[row]
                m = n - 1 if own < n else n
                for i in range(k):
                    last = m - k + i if distinct else m - 1
                    pick = np.int64(u[row * k + i] * (last + 1))
                    if distinct:
                        if marks[pick] == first + row:
                            pick = last
                        marks[pick] = first + row
                    out[row * k + i] = pick + (pick >= own)

    return choose
