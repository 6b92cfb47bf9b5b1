"""Rows, the synapses of one source with one delay, as operations see them that visit them at presynaptic spikes."""

from __future__ import annotations

from numba import int64
from numba.extending import register_jitable

from spikesim.lowlevel import prefetch

LINE = 64  # bytes that come from memory at a time
AHEAD = 2  # how many spikes before its use a row is asked for


@register_jitable
def row_of(begins, i, n_delays, k):
    """(begin, end) of the synapses that source i has with the k-th delay."""
    return int64(begins[i * n_delays + k]), int64(begins[i * n_delays + k + 1])


@register_jitable
def ask_for(slots, weights, begin, end):
    """Bring a row nearer that is visited soon."""
    for a in range(begin, end, LINE // weights.itemsize):
        prefetch(slots, a)
        prefetch(weights, a)


@register_jitable
def add_weights(inputs, slots, weights, begin, end):
    """What the synapses of a row give to their targets when a spike arrives."""
    for a in range(begin, end):
        inputs[slots[a]] += weights[a]
