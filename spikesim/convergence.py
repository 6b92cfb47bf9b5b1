"""Whether the clock-driven engine comes to the exact spikes as its step gets shorter.

The same network, without random numbers while it runs, is run on the event-driven engine and on the clock at several
dt. A clock puts input, delays and spikes on its grid, so the k-th spike of a neuron should be off by a time that is
proportional to dt: order 1. Only spikes up to the first at which two runs differ in more than time can be compared;
these are the neurons that fire as often in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spikesim.errors import SpikesimError
from spikesim.experiment import NetworkModel
from spikesim.network import Network

STEPS = (0.5, 0.1, 0.02, 0.004)  # ms


@dataclass
class Convergence:
    """Rows have `dt` (ms), `spikes`, `compared` (the share of neurons that fire as often as they should) and `error`,
    the mean distance (ms) of their spikes from the exact ones; `order` is the slope of log error over log dt."""

    network: str
    seed: int
    time_ms: float
    spikes: int
    rows: list[dict[str, float]]

    @property
    def order(self) -> float:
        known = [(row["dt"], row["error"]) for row in self.rows if row["error"] > 0.0]
        if len(known) < 2:
            return float("nan")
        steps, errors = np.log(np.array(known)).T
        return float(np.polyfit(steps, errors, 1)[0])

    def as_dict(self) -> dict[str, Any]:
        return {"network": self.network, "seed": self.seed, "time_ms": self.time_ms, "spikes": self.spikes,
                "steps": self.rows, "order": self.order}  # fmt: skip

    def to_text(self) -> str:
        lines = [f"{self.network}, {self.time_ms:g} ms, seed {self.seed}: {self.spikes} spikes, exact", "",
                 "dt (ms)  spikes  neurons compared  mean error (ms)"]  # fmt: skip
        for row in self.rows:
            lines.append(f"{row['dt']:7g}  {row['spikes']:6d}  {row['compared']:16.1%}  {row['error']:15.3g}")
        return "\n".join([*lines, "", f"order {self.order:.2f}"])

    def plot(self, path: Any) -> None:
        """Draw the error over dt into a file."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5.0, 4.0), layout="constrained")
        FigureCanvasAgg(figure)
        ax = figure.subplots()
        steps, errors = ([row[key] for row in self.rows] for key in ("dt", "error"))
        ax.loglog(steps, errors, "o-", label=self.network)
        ax.loglog(steps, [0.5 * dt for dt in steps], "k--", linewidth=0.8, label="dt / 2")
        ax.set(xlabel="dt (ms)", ylabel="mean distance from the exact spike (ms)", title=f"order {self.order:.2f}")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)
        figure.savefig(path, dpi=200)


def convergence(model: NetworkModel, *, time: float | None = None, seed: int = 1, threads: int = 1) -> Convergence:
    """Run `model` for `time` ms (its own duration unless given) on both engines.

    Raises SpikesimError for a network that draws random numbers while it runs, or that engine 'event' cannot run.
    """
    duration = model.duration if time is None else time
    exact, names = _run(model, Network(engine="event", seed=seed), duration)
    rows = []
    for dt in STEPS:
        found, _ = _run(model, Network(dt=dt, seed=seed, threads=threads), duration)
        neurons = [(name, k) for name, n in names.items() for k in range(n) if exact[name][k].size]
        same = [(name, k) for name, k in neurons if found[name][k].size == exact[name][k].size]
        off = np.concatenate([np.abs(found[name][k] - exact[name][k]) for name, k in same] or [np.zeros(0)])
        spikes = sum(train.size for trains in found.values() for train in trains)
        rows.append({"dt": dt, "spikes": spikes, "compared": len(same) / max(1, len(neurons)),
                     "error": float(off.mean()) if off.size else float("nan")})  # fmt: skip
    total = sum(train.size for trains in exact.values() for train in trains)
    return Convergence(model.name(), seed, duration, total, rows)


def _run(model: NetworkModel, net: Network, duration: float) -> tuple[dict[str, list[Any]], dict[str, int]]:
    """name -> the train (ms) of each neuron, and name -> their number, of the populations that receive something."""
    model.build(net)
    for p in net.populations:
        if p.model.random:
            raise SpikesimError(
                f"{model.name()}: population {p.name!r} ({type(p.model).__name__}) draws random numbers while it runs, "
                "and the two engines draw different ones; only networks without such can be compared."
            )
    neurons = [p for p in net.populations if p.model.receptors]
    recorders = {p.name: net.record(p, "spikes") for p in neurons}
    with net:
        net.run(duration)
    trains = {}
    for p in neurons:
        ids, times = recorders[p.name].ids, recorders[p.name].times
        order = np.lexsort((times, ids))
        trains[p.name] = np.split(times[order], np.searchsorted(ids[order], np.arange(1, p.n)))
    return trains, {p.name: p.n for p in neurons}
