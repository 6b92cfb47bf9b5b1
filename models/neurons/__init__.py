"""Neurons and sources, one file each: `from spikesim.models.neurons import LIF`."""

from spikesim.registry import exports

__getattr__, __dir__ = exports("neuron", __name__)
