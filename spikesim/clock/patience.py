"""How long a thread waits for the others before it sleeps: long on cores of its own, briefly on shared ones."""

from __future__ import annotations

import sys
import time

LONG, BRIEF = 50_000, 2_000  # tries at a barrier, some 10 ns each
MANY = 30.0  # times a second that the threads are taken from their cores when others want them, too


def _interruptions() -> int:
    """How often the system has taken a core from a thread of this process that wanted to go on."""
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


class Patience:
    """Told by how often the threads were interrupted lately."""

    def __init__(self, crowded: bool) -> None:
        self.crowded = crowded  # more threads than cores
        self.spins = BRIEF if crowded else LONG
        self._before, self._since = _interruptions(), time.perf_counter()

    def look(self) -> int:
        """The tries to be made from now on."""
        now, count = time.perf_counter(), _interruptions()
        if now - self._since > 0.05 and not self.crowded:
            self.spins = BRIEF if (count - self._before) / (now - self._since) > MANY else LONG
            self._before, self._since = count, now
        return self.spins
