"""How a number came to be: version, machine and time, to be kept beside every result."""

from __future__ import annotations

import datetime
import os
import platform
from typing import Any

from spikesim._version import __version__


def provenance() -> dict[str, Any]:
    """What to write beside a result: versions, machine, load and time of day (JSON-able)."""
    import numba
    import numpy
    import psutil

    return {
        "spikesim": __version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "numba": numba.__version__,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "load_1min": round(psutil.getloadavg()[0], 2),
        "finished": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    """The processor's name as the system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown"
