"""spikesim: spiking neural networks that learn, exact, fast and reproducible to the bit."""

from __future__ import annotations

import importlib
from typing import Any

from spikesim._version import __version__ as __version__

#: public name -> module it lives in; loaded when first asked for, so that `import spikesim` takes no time
_HOMES = {
    "Network": "network",
    "Script": "script",
    "SpikesimError": "errors",
    "RunError": "errors",
    "Rule": "plasticity",
    "Trace": "plasticity",
    "Signal": "signals",
    "LowPass": "signals",
    "Neuron": "neuron",
    "OneToOne": "connectors",
    "AllToAll": "connectors",
    "FixedProbability": "connectors",
    "FixedIndegree": "connectors",
    "FixedOutdegree": "connectors",
    "FixedTotalNumber": "connectors",
    "Pairs": "connectors",
    "Normal": "distributions",
    "TruncatedNormal": "distributions",
    "Lognormal": "distributions",
    "Uniform": "distributions",
    "Exponential": "distributions",
    "read_spikes": "sonata",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'spikesim' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"spikesim.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
