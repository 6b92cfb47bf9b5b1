"""Runs in processes of their own, so many at a time.

    side_by_side({"a": Job("brunel_2000", {}, RunOptions(seed=1))}, 2, display, ended)

A process tells by a pipe how far it is and what it found. By the same pipe it learns of Ctrl-C, exactly once,
whether or not the terminal tells it, too, and of the end of the process that began it, which it does not outlive.
"""

from __future__ import annotations

import _thread
import contextlib
import dataclasses
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import connection
from pathlib import Path
from typing import Any

from spikesim._version import __version__
from spikesim.errors import RunError, SpikesimError
from spikesim.experiment import AtItsEnd, NetworkModel, RunOptions
from spikesim.output import plain

DONE, FAILED, STOPPED = "done", "failed", "stopped"
OFTEN = 0.1  # seconds between two reports of a run
LOOK = 0.2  # seconds between two looks whether Ctrl-C was pressed
#: Threads of the libraries beneath; a value that is set already is left alone.
LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclasses.dataclass(frozen=True)
class Job:
    """A run: a network, its parameters, and how it is run. Where there is a checkpoint it goes on from there.

    network
        what `spikesim run` calls it, which may be FILE.py:Class.
    """

    network: str
    given: dict[str, Any]
    options: RunOptions
    allow_changed: bool = False


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a run ended: `DONE` and its result, `FAILED` and why, or `STOPPED` with what it had found, if anything."""

    how: str
    result: dict[str, Any] | None = None
    error: str = ""


def result_of(model: NetworkModel, options: RunOptions, found: dict[str, Any]) -> dict[str, Any]:
    """What `spikesim run` tells of a run in which `simulate` has found this."""
    about = {"network": model.name(), "preset": model.preset, "parameters": model.values(), "threads": options.threads}
    return {**about, "precision": options.precision, "version": __version__, **found}


# In the process -----------------------------------------------------------------------------------------------


def _work(pipe: Any, job: Job) -> None:
    """What the process does."""
    threading.Thread(target=_listen, args=(pipe,), daemon=True).start()
    try:
        try:
            result = plain(_run(job, _reporter(pipe)))
            ended = Ended(STOPPED if result.get("interrupted") else DONE, result)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # too late for Ctrl-C
    except KeyboardInterrupt:
        ended = Ended(STOPPED)
    except (SpikesimError, RunError, OSError) as error:
        ended = Ended(FAILED, error=" ".join(str(error).split()) or type(error).__name__)
    except MemoryError:
        ended = Ended(FAILED, error="not enough memory; make the network smaller, or use fewer --jobs.")
    except Exception as error:  # whatever else goes wrong in a network of the user's
        *_, where = traceback.extract_tb(error.__traceback__)
        what = " ".join(f"{type(error).__name__}: {error}".split())
        ended = Ended(FAILED, error=f"{what} ({where.filename}, line {where.lineno})")
    pipe.send(ended)


def _listen(pipe: Any) -> None:
    while True:
        try:
            pipe.recv()
        except (EOFError, OSError):  # the process that began this one is gone, perhaps killed
            os._exit(1)
        _thread.interrupt_main()  # as Ctrl-C does


def _reporter(pipe: Any) -> Callable[[int, int, str], None]:
    last = -OFTEN

    def report(done: int, total: int, note: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= OFTEN or done >= total:
            last = now
            pipe.send((done, total, note))

    return report


def _run(job: Job, report: Callable[[int, int, str], None]) -> dict[str, Any]:
    from spikesim.progress import read_run
    from spikesim.registry import find

    options = dataclasses.replace(job.options, report=report)
    if options.checkpoint is not None and Path(options.checkpoint).exists():
        resumed = read_run(options.checkpoint, allow_changed=job.allow_changed)
        kept = dataclasses.replace(options, out=resumed.options.out)
        with contextlib.suppress(AtItsEnd):  # it was killed between its end and its result: once more
            return result_of(resumed.model, kept, resumed.model.simulate(kept, resumed=resumed))
        os.unlink(options.checkpoint)  # no longer true as soon as the files begin anew
    model = find("network", job.network)(**job.given)
    return result_of(model, options, model.simulate(options))


# Those that look after them -----------------------------------------------------------------------------------


def side_by_side(jobs: Mapping[str, Job], at_once: int, display: Any, ended: Callable[[str, Ended], Ended]) -> None:
    """Run all jobs, `at_once` of them at a time.

    display
        see `spikesim.run_display`.
    ended
        called with the name of a run and how it ended, as soon as it has; returns what is to be displayed of that.

    After Ctrl-C no run is begun, and those that run keep what they have and end. After another one they are killed.
    """
    waiting, running = list(jobs), dict[Any, tuple[str, Any]]()
    with _ctrl_c() as pressed:
        try:
            told = False
            while running or (waiting and not pressed):
                while waiting and len(running) < at_once and not pressed:
                    name = waiting.pop(0)
                    process, pipe = _begun(jobs[name])
                    running[pipe] = name, process
                    display.begin(name)
                for _, process in running.values() if len(pressed) > 1 else ():
                    process.kill()
                if pressed and not told:
                    told = True
                    display.say("stopping; the runs keep what they have. Ctrl-C again kills them.")
                    for pipe in running:
                        with contextlib.suppress(OSError):
                            pipe.send(True)
                for pipe in connection.wait(list(running), LOOK):
                    name, process = running[pipe]
                    message = _message(pipe, process, bool(pressed))
                    if isinstance(message, Ended):
                        del running[pipe]
                        process.join()
                        pipe.close()  # type: ignore[union-attr]
                        told_of = ended(name, message)
                        display.end(name, told_of.how, told_of.error)
                    else:
                        display.at(name, *message)
        finally:
            for _, process in running.values():
                process.kill()


def _begun(job: Job) -> tuple[Any, Any]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, job), daemon=True)
    with _threads_of_libraries(job.options.threads), _without_ctrl_c():
        process.start()
    theirs.close()
    return process, ours


def _message(pipe: Any, process: Any, stopping: bool) -> Any:
    """What a process tells next, or that it has died."""
    try:
        return pipe.recv()
    except (EOFError, OSError):
        process.join()
    if stopping:
        return Ended(STOPPED)
    code = process.exitcode
    how = f"was killed by signal {-code}; there may be too little memory" if code < 0 else f"ended with status {code}"
    return Ended(FAILED, error=f"its process {how}.")


@contextlib.contextmanager
def _threads_of_libraries(threads: int) -> Iterator[None]:
    """The processes begun now have so many threads in the libraries that read this when they are loaded."""
    fresh = [name for name in LIBRARIES if name not in os.environ]
    os.environ.update(dict.fromkeys(fresh, str(threads)))
    try:
        yield
    finally:
        for name in fresh:
            del os.environ[name]


@contextlib.contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """A process begun now hears of Ctrl-C by its pipe only, where the system can do that."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _ctrl_c() -> Iterator[list[int]]:
    """Yields a list to which every Ctrl-C adds something, in place of raising."""
    pressed: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
