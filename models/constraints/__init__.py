"""Constraints on weights, one file each: `from spikesim.models.constraints import Normalisation`."""

from spikesim.registry import exports

__getattr__, __dir__ = exports("constraint", __name__)
