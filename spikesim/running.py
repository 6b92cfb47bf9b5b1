"""How a network gets from one step to a later one: in pieces, between which others have their turn.

A piece ends where constants change, where a constraint or a recorder has to be served, and after about `PATIENCE`
seconds, for the progress bar and for Ctrl-C. Where pieces end changes no result.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from spikesim.progress_bar import progress_bar

if TYPE_CHECKING:
    from spikesim.network import Network

PATIENCE = 0.2  # seconds between looks at the progress bar and at Ctrl-C


def run_until(
    net: Network, last: int, advance: Callable[[int, int], int], stopped: list[int], progress: bool = False,
    may_stop: Callable[[], bool] = lambda: True,
) -> None:  # fmt: skip
    """Run `net` up to step `last` by `advance(step, limit)`, which gives the step reached; and look after recorders,
    files and guards on the way."""
    began, steps = time.perf_counter(), last - net.step
    with progress_bar(steps, net.dt, progress) as bar:
        pace, most = net.PACE
        while net.step < last and not (stopped and may_stop()):
            limit = min(
                [
                    last,
                    net.step + pace,
                    _next_change(net),
                    net.guard.limit(net),
                    net.weight_guard.limit(net),
                    *(c.limit(net.step) for c in net._engine.constraints),
                    *(r.limit(net.step) for r in net.recorders),
                ]
            )
            at, clock = net.step, time.perf_counter()
            net.step = advance(net.step, limit)
            for constraint in net._engine.constraints:
                constraint.look(net.step)
            for recorder in net.recorders:
                recorder.drain(net.step)
            for writer in net._writers.values():
                writer.flush(net.time)
            net.guard.look(net)
            net.weight_guard.look(net, last)
            bar(net.step - at)
            spent = time.perf_counter() - clock
            pace = max(1, min(most, int((net.step - at) * PATIENCE / max(spent, 1e-6))))
    net.seconds["run"] += time.perf_counter() - began


def _next_change(net: Network) -> int:
    """The step up to which all constants hold; refreshes those that change now."""
    nearest = 1 << 62
    for population in net.populations:
        changes = population.changes
        if not len(changes):
            continue
        if net.step in changes:
            population.refresh()
            if net._dirty:
                net.prepare()
        later = changes[changes > net.step]
        nearest = min(nearest, int(later[0])) if len(later) else nearest
    return nearest
