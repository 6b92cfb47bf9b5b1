"""Who owns what, and the rings in which the last steps of every neuron are kept."""

from __future__ import annotations

from typing import Any

import numpy as np


def ranges(n: int, n_threads: int) -> list[tuple[int, int]]:
    """The neurons each thread owns: whole groups of sixteen, so that vectors never straddle two threads."""
    groups = -(-n // 16)
    cuts = [16 * (groups * t // n_threads) for t in range(n_threads + 1)]
    return [(min(a, n), min(b, n)) for a, b in zip(cuts, cuts[1:], strict=False)]


def widened_ring(old: Any, width: int, n: int, ranges: list[tuple[int, int]]) -> Any:
    """A ring of spikes with more room per neuron: each thread's part of a row moves to its new place."""
    new = np.zeros((len(old), width), dtype=old.dtype)
    before, after = old.shape[1] // n, width // n
    for lo, hi in ranges:
        new[:, lo * after : lo * after + (hi - lo) * before] = old[:, lo * before : hi * before]
    return new


def resized_ring(old: Any, rows: int, step: int) -> Any:
    """A ring of `rows` rows that holds, for every step both can hold, what `old` held. Row of step s: s % rows."""
    new = np.zeros((rows, *old.shape[1:]), dtype=old.dtype)
    for s in range(max(0, step + 1 - min(rows, len(old))), step + 1):
        new[s % rows] = old[s % len(old)]
    return new
