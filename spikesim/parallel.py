"""Work shared out among threads: compiled code and NumPy let go of Python's lock, so that threads run side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

MUCH = 10**5  # numbers that are worth a thread
PIECE = 1 << 17  # numbers made at a time: they stay in the cache


def cores() -> int:
    """The cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def cuts(n: int, parts: int) -> list[tuple[int, int]]:
    """(begin, end) of `parts` stretches, nearly equal, of n items."""
    ends = [n * k // parts for k in range(parts + 1)]
    return list(zip(ends, ends[1:], strict=False))


def pieces(begin: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """(begin, end) of one piece of at most `size` items after the other."""
    for first in range(begin, end, size):
        yield first, min(first + size, end)


def shared_out(work: Callable[[int, int], Any], n: int, threads: int, load: float | None = None) -> list[Any]:
    """`work(begin, end)` for a stretch of n items in each thread; in this thread where little is to be done: `load`
    numbers, by default n."""
    if threads == 1 or (n if load is None else load) < MUCH:
        return [work(0, n)]
    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(work, *cut) for cut in cuts(n, threads)]]


def filled(part: Callable[[int, int], Any], n: int, dtype: Any, threads: int) -> np.ndarray:
    """(n,) array of `dtype` of which `part(a, b)` gives the numbers a to before b, made by several threads."""
    out = np.empty(n, dtype)

    def make(begin: int, end: int) -> None:
        for a, b in pieces(begin, end, PIECE):
            out[a:b] = part(a, b)

    shared_out(make, n, threads)
    return out
