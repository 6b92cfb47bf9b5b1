"""Ctrl-C: a run ends where recorders and files are whole, and files are not left half written."""

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


@contextlib.contextmanager
def unbroken() -> Iterator[None]:
    """Ctrl-C waits until what is done here has been done; in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, waiting = signal.getsignal(signal.SIGINT), list[Any]()
    if not callable(before):  # ignored, or not ours to call
        yield
        return
    signal.signal(signal.SIGINT, lambda number, frame: waiting.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if waiting:
        before(*waiting[0])
