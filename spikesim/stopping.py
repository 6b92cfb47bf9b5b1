"""Ctrl-C during a run: it ends where recorders and files are whole."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def stoppable(interrupt: Callable[[], None]) -> Iterator[list[int]]:
    """Ctrl-C calls `interrupt` and fills the list this yields, in place of raising anywhere; in the main thread."""
    stopped: list[int] = []

    def stop(number: int, frame: Any) -> None:
        stopped.append(number)
        interrupt()

    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)
