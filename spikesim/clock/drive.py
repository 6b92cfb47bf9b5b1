"""The loop: operations, steps, blocks of one minimum delay. One call of `drive` per thread runs many steps."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import njit

from spikesim.jit import cache_for
from spikesim.lowlevel import arrive, call, flush_denormals, restore_denormals, wait

STOP = (16, 24)  # places in `sync` where a thread asks all to stop after this block; even and odd blocks
INTERRUPT = 32  # place where the host asks thread 0 to stop
SYNC_LENGTH = 56


@functools.cache
def drive() -> Any:
    """Compiled function (functions, contexts, free, first, last, block, thread, n_threads, sync, full) -> step reached.

    Runs the steps from `first` to before `last`. The first `free` operations of a step need no spikes; a thread does
    them before it waits for the others, so that small differences in pace cost nothing. Stops early, all threads at the
    same step, in the block after the one in which a thread's entry of `full` was set (a recorder's buffer has no room
    for two more blocks) or the host asked for it.
    """
    even, odd = STOP
    with cache_for() as cache:

        @njit(nogil=True, cache=cache, error_model="numpy")
        def run(functions, contexts, free, first, last, block, thread, n_threads, sync, full):
            before = flush_denormals()
            step, parity, arrived, stopping = first, even, -1, False
            while step < last and not stopping:
                end = min(last, step + block)
                for s in range(step, end):
                    for k in range(free):
                        call(functions[k], contexts[k], s)
                    if s == step and arrived >= 0:
                        wait(sync, arrived)
                        stopping = sync[even if parity == odd else odd] != 0  # as the last block left it
                    for k in range(free, len(functions)):
                        call(functions[k], contexts[k], s)
                step = end
                if full[thread] != 0 or (thread == 0 and sync[INTERRUPT] != 0):
                    sync[parity] = 1
                if n_threads > 1:
                    arrived = arrive(sync, n_threads)
                else:
                    stopping = sync[parity] != 0
                parity = odd if parity == even else even
            restore_denormals(before)
            return step

        nothing = np.zeros(1, dtype=np.int64)
        run(nothing[:0], nothing[:0], 0, 0, 0, 1, 0, 1, nothing, nothing)  # compiles it now
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
