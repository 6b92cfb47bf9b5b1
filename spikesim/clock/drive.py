"""The loop: operations, steps, blocks of one minimum delay. One call of `drive` per thread runs many steps."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import njit

from spikesim.jit import cache_for
from spikesim.lowlevel import barrier, call, flush_denormals, restore_denormals

STOP = (16, 24)  # places in `sync` where a thread asks all to stop after this block; even and odd blocks
INTERRUPT = 32  # place where the host asks thread 0 to stop
SYNC_LENGTH = 56


@functools.cache
def drive() -> Any:
    """Compiled function (functions, contexts, first, last, block, thread, n_threads, sync, full) -> step reached.

    Runs the steps from `first` to before `last`. Stops early, all threads at the same step, when a thread's entry
    of `full` is set (a recorder's buffer has no room for another block) or the host asks for it.
    """
    even, odd = STOP
    with cache_for() as cache:

        @njit(nogil=True, cache=cache, error_model="numpy")
        def run(functions, contexts, first, last, block, thread, n_threads, sync, full):
            before = flush_denormals()
            step, parity = first, even
            while step < last:
                end = min(last, step + block)
                for s in range(step, end):
                    for k in range(len(functions)):
                        call(functions[k], contexts[k], s)
                step = end
                if full[thread] != 0 or (thread == 0 and sync[INTERRUPT] != 0):
                    sync[parity] = 1
                if n_threads > 1:
                    barrier(sync, n_threads)
                if sync[parity] != 0:
                    break
                parity = odd if parity == even else even
            restore_denormals(before)
            return step

        nothing = np.zeros(1, dtype=np.int64)
        run(nothing[:0], nothing[:0], 0, 0, 1, 0, 1, nothing, nothing)  # compiles it now
        return run


@functools.cache
def once() -> Any:
    """Compiled function (function, contexts, step): call one operation with each of several contexts."""
    with cache_for() as cache:

        @njit(nogil=True, cache=cache, error_model="numpy")
        def run(function, contexts, step):
            before = flush_denormals()
            for k in range(len(contexts)):
                call(function, contexts[k], step)
            restore_denormals(before)

        run(0, np.zeros(0, dtype=np.int64), 0)  # compiles it now
        return run
