"""What a published network is: parameters, and a method that builds it.

    class Brunel2000(NetworkModel):
        \"\"\"...\"\"\"
        N_E: int = 10_000
        title = "..."
        reference = "doi:..."

        def build(self, net):
            exc = net.add(LIFDelta(...), self.N_E, name="excitatory")
            ...

`simulate` does the rest: it records the spikes, runs, and returns what `spikesim run` prints, and with it what the
network's own method `findings` tells. A network that is not just run for some time, because it is trained, say,
overrides `simulate`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from spikesim._version import __version__
from spikesim.errors import SpikesimError, unknown
from spikesim.guard import MAX_RATE
from spikesim.memory import estimate
from spikesim.network import Network
from spikesim.parameters import Parameters
from spikesim.record import Recorder

if TYPE_CHECKING:
    from spikesim.progress import Resumed

EVENT_STEP = 1e-9  # ms; the times of an event-driven network are counted in picoseconds
SAMPLED = 10  # neurons of each population whose state variables `RunOptions.record` samples
EVERY = 1.0  # ms between two such samples, or dt if that is longer


@dataclass(frozen=True)
class RunOptions:
    """How to run a network, as distinct from what it is. None of it changes a spike but `time`, `seed` and
    `precision`.

    time
        ms; None for the network's own `duration`.
    seed
        of all random numbers; None for a fresh one.
    out
        the file that spikes are streamed to, or None.
    progress
        show a bar if stderr is a terminal.
    quiet
        no messages but errors.
    record
        state variables, such as "V_m", to sample from some neurons of each population that has them.
    split
        times (ms) at which one call of `Network.run` ends and the next begins.
    max_rate
        Hz above which activity has exploded, see `Network`; None for no limit.
    digest
        report a sha256 of the synapses, too; it takes as long as making them.
    checkpoint
        the file to keep the run in, so that it can be resumed, or None.
    checkpoint_every
        minutes between two checkpoints while it runs; None for 10. There is one after Ctrl-C and at the end, too.
    report
        called while it runs with how far it is, how far it is to go (ms of model time, or lessons), and a note.
    """

    time: float | None = None
    seed: int | None = None
    threads: int = 1
    precision: str = "double"
    out: str | None = None
    progress: bool = False
    quiet: bool = False
    record: tuple[str, ...] = ()
    split: tuple[float, ...] = ()
    max_rate: float | None = MAX_RATE
    digest: bool = False
    checkpoint: str | None = None
    checkpoint_every: float | None = None
    report: Callable[[int, int, str], None] | None = None


class AtItsEnd(SpikesimError):
    """There is nothing left to be done in a run that is to be resumed."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C ended a run; the message says how far it came and what was kept."""


class NetworkModel(Parameters):
    """Base of all networks.

    Class attributes of a network: `title`, `reference` (a DOI), `duration` (ms, how long it runs unless told),
    and `small`, parameter values of a version so small that it runs in a moment, for tests and `spikesim warmup`.
    """

    dt: float = 0.1  # ms

    limits = {"dt": ("> 0",)}

    title: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    duration: ClassVar[float] = 1000.0
    small: ClassVar[Mapping[str, Any]] = {}
    engine = "clock"  # a network that can run on either has a parameter `engine`

    @classmethod
    def name(cls) -> str:
        """The name it is found by: that of its file."""
        return cls.__module__.rpartition(".")[2]

    def build(self, net: Network) -> None:
        """Add the populations and projections to an empty network."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is built.")

    def findings(self, net: Network) -> dict[str, Any]:
        """What `simulate` is to tell beyond speed and rates, of the network as the run left it."""
        return {}

    def progress_state(self) -> dict[str, Any]:
        """What a checkpoint is to keep beside the network: arrays, numbers, words, lists (see `spikesim.progress`)."""
        return {}

    def continue_from(self, state: dict[str, Any]) -> None:
        """Go on from a `progress_state`."""

    def _network(self, options: RunOptions) -> Network:
        return Network(dt=None if self.engine == "event" else self.dt, seed=options.seed, threads=options.threads,
                       precision=options.precision, max_rate=options.max_rate, engine=self.engine)  # fmt: skip

    def plan(self, options: RunOptions) -> dict[str, Any]:
        """What a run would need: `neurons`, `synapses` (expected, where their number is drawn), `memory_gb` and
        `available_gb`, and whether it `fits`. Makes no synapse. Raises SpikesimError for what cannot be built."""
        net = self._network(options)
        self.build(net)
        needs = estimate(net)
        return {"neurons": needs.neurons, "synapses": round(needs.synapses), "memory_gb": needs.bytes / 1e9,
                "available_gb": needs.available / 1e9, "fits": needs.fits, "threads": net.threads,
                "precision": net.precision}  # fmt: skip

    def ends(self, options: RunOptions) -> list[int]:
        """The steps at which a run stops, for a moment or for good. Raises SpikesimError for times that do not fit."""
        return _ends(
            EVENT_STEP if self.engine == "event" else self.dt,
            self.duration if options.time is None else options.time,
            options.split,
        )

    def simulate(self, options: RunOptions, resumed: Resumed | None = None) -> dict[str, Any]:
        """Build, run, and say how fast it was and how much each population fired; the keys are those of
        `spikesim run --json`, see docs/command-line.md. `resumed` is a checkpoint to go on from.

        Raises SpikesimError for options that do not fit, RunError when the run cannot go on, and Stopped after
        Ctrl-C.
        """
        from spikesim.checkpoint import check_place_of
        from spikesim.progress import Keeper

        duration = self.duration if options.time is None else options.time
        ends = self.ends(options)
        if options.out is not None:
            from spikesim.spike_writer import check_place

            check_place(Path(os.path.realpath(options.out)))  # before the work, not after it
        if options.checkpoint is not None:
            check_place_of(Path(os.path.realpath(options.checkpoint)))
        net = self._network(options)
        net.description = {"network": self.name(), "preset": self.preset, **self.values()}
        began = time.perf_counter()
        self.build(net)
        neurons = [p for p in net.populations if p.model.receptors]
        spikes = {p.name: net.record(p, "spikes", to=options.out) for p in neurons}
        samples = _sample(net, neurons, options.record)
        keeper = Keeper(self, net, options)
        if options.report is not None:
            net.recorders.append(_Report(net, options.report, ends[-1]))
        net.seconds["build"] += time.perf_counter() - began
        if resumed is not None:
            resumed.put(net)
        if net.step >= ends[-1]:
            raise AtItsEnd(f"the run has come to {net.time:g} ms, where it was to end; give it a longer --time.")
        begin = net.time
        with net:
            try:
                for end in ends:
                    if end > net.step:
                        net.run((end - net.step) * net.dt, progress=options.progress and not options.quiet)
            except KeyboardInterrupt:
                kept = f"{options.out} holds all spikes" if options.out else "no --out was given, so no spikes are kept"
                if keeper.save():
                    kept += f"; `spikesim resume {options.checkpoint}` goes on from there"
                raise Stopped(f"stopped at {net.time:g} of {duration:g} ms; {kept}.") from None
            keeper.save()
        seconds = duration * 1e-3
        result = {
            "network": self.name(),
            "preset": self.preset,
            "parameters": self.values(),
            "realtime_factor": net.seconds["run"] / ((net.time - begin) * 1e-3),
            "build_s": net.seconds["build"],
            "compile_s": net.seconds["compile"],
            "run_s": net.seconds["run"],
            "peak_rss_gb": peak_rss_gb(),
            "rates_hz": {p.name: spikes[p.name].count / (p.n * seconds) for p in neurons},
            "spikes": sum(recorder.count for recorder in spikes.values()),
            "seed": net.seed,
            "threads": net.threads,
            "precision": net.precision,
            "dt_ms": net.dt,
            "time_ms": net.time,
            "out": options.out,
            "version": __version__,
            **self.findings(net),
        }
        if options.digest:
            result["connectivity_sha256"] = net.connectivity_digest()
        if samples:
            result["recorded"] = {
                variable: {name: _summary(recorder) for name, recorder in recorders.items()}
                for variable, recorders in samples.items()
            }
        return result


class _Report(Recorder):
    """Tells how far a run is. It is among the recorders, for these are called several times a second."""

    def __init__(self, net: Network, report: Callable[[int, int, str], None], last: int) -> None:
        self.report, self.dt, self.total = report, net.dt, max(1, round(last * net.dt))

    def drain(self, step: int) -> None:
        self.report(min(round(step * self.dt), self.total), self.total, "ms")


def peak_rss_gb() -> float:
    """The most memory this process has held so far, in GB (1e9 bytes)."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 1e9
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e9


def _ends(dt: float, duration: float, split: tuple[float, ...]) -> list[int]:
    """The steps at which the calls of `run` end. Raises SpikesimError unless the times ascend on the grid of dt."""
    ends = []
    for end in (*split, duration):
        steps = end / dt
        if not (0.5 < steps < 2**62 and abs(steps - round(steps)) < 1e-6 * max(1.0, steps)):
            raise SpikesimError(f"time must be a positive multiple of dt = {dt:g} ms, not {end:g}.")
        ends.append(round(steps))
    if ends != sorted(set(ends)):
        raise SpikesimError(f"split: the times must ascend and lie before the end of the run at {duration:g} ms.")
    return ends


def _sample(net: Network, neurons: list[Any], variables: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """variable -> population -> recorder."""
    every = net.dt * max(1, round(EVERY / net.dt))
    samples: dict[str, dict[str, Any]] = {}
    for variable in variables:
        known = {name for p in neurons for name in p.model.state}
        if variable not in known:
            raise unknown("this network", "state variable", variable, known)
        samples[variable] = {
            p.name: net.record(p[:SAMPLED], variable, every=every) for p in neurons if variable in p.model.state
        }
    return samples


def _summary(recorder: Any) -> dict[str, float]:
    values = recorder.values
    if not values.size:
        return {"neurons": len(recorder.view), "samples": 0}
    return {
        "neurons": values.shape[1],
        "samples": values.shape[0],
        "mean": float(values.mean()),
        "std": float(values.std()),
    }
