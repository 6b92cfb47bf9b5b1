"""Plasticity rules, one file each: `from spikesim.models.plasticity import PairSTDP`."""

from spikesim.registry import exports

__getattr__, __dir__ = exports("rule", __name__)
