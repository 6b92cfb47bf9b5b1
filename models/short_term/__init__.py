"""Short-term plasticity, one file each: `from spikesim.models.short_term import TsodyksMarkram`."""

from spikesim.registry import exports

__getattr__, __dir__ = exports("short-term rule", __name__)
