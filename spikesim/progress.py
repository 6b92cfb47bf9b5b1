"""Checkpoints of `spikesim run`: a published network by name and parameters, its state, and how far a training is.

A model that is just run for some time has nothing to do. One that overrides `NetworkModel.simulate`, because it is
trained, say, takes part in three lines:

    def simulate(self, options, resumed=None):
        ...                                         # build, in the same way whether it is resumed or not
        keeper = Keeper(self, self.net, options, within=False)  # does nothing unless options.checkpoint is set
        if resumed is not None:
            resumed.put(self.net)                   # state of the network; calls self.continue_from(progress)
        for lesson in the_lessons_that_are_left:
            ...
            keeper.look()                           # writes when it is time; after Ctrl-C: keeper.save()

    def progress_state(self):                       # what else there is to know; arrays, numbers, words, lists
        return {"done": self.done, "curve": self.curve}

    def continue_from(self, state):
        self.done, self.curve = state["done"], state["curve"]

Drawn numbers need not be kept: they are functions of the seed, which is that of the interrupted run in `options`.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikesim._version import __version__
from spikesim.as_data import class_of, from_data, reference, to_data
from spikesim.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from spikesim.errors import SpikesimError
from spikesim.experiment import NetworkModel, RunOptions, Stopped
from spikesim.record import SpikeRecorder
from spikesim.resume import Regularly, network_of, save
from spikesim.state import put_state, state_of

if TYPE_CHECKING:
    from spikesim.network import Network

KIND = "run"
EVERY = 10.0  # minutes


class Keeper:
    """Writes checkpoints of a run to `options.checkpoint`, once in `options.checkpoint_every` minutes.

    While the network runs the clock is looked at by itself; a training calls `look` in its loop, too, or instead.
    Without `options.checkpoint` nothing happens. Raises SpikesimError at once where the file cannot be written.
    """

    def __init__(self, model: NetworkModel, network: Network, options: RunOptions, within: bool = True) -> None:
        """`within`: also write in the middle of a call of `Network.run`; False where `progress_state` and the network
        do not go together then."""
        self.model, self.network, self.options = model, network, options
        self.regularly: Regularly | None = None
        if options.checkpoint is not None:
            minutes = EVERY if options.checkpoint_every is None else options.checkpoint_every
            self.regularly = Regularly(options.checkpoint, minutes, self._write)
            if within:
                network.recorders.append(self.regularly)

    def look(self) -> None:
        """Write if it is time."""
        if self.regularly is not None:
            self.regularly.look()

    def save(self) -> bool:
        """Write now; whether there is a file to write to. Raises SpikesimError for what cannot be kept or written."""
        if self.regularly is not None:
            self.regularly.save()
        return self.regularly is not None

    def _write(self, path: Path) -> None:
        arrays: dict[str, Any] = {}
        model, owner = self.model, f"{type(self.model).__name__}.progress_state"
        attrs = {
            "model": reference(type(model)),
            "preset": model.preset,
            "given": {name: getattr(model, name) for name in sorted(model.given)},
            "options": {**_kept(self.options), "seed": self.network.seed, "out": _real(self.options.out),
                        "checkpoint": str(path)},
            "state": state_of(self.network, arrays),
            "progress": to_data(dict(model.progress_state()), arrays, owner),
        }  # fmt: skip
        write_checkpoint(path, KIND, attrs, arrays)


@dataclasses.dataclass(frozen=True)
class Resumed:
    """A run in a checkpoint: the model as it was at first, how it was run, and its state."""

    model: NetworkModel
    options: RunOptions
    state: dict[str, Any]
    progress: dict[str, Any]
    arrays: dict[str, Any]
    allow_changed: bool

    def put(self, network: Network) -> None:
        """Bring the model's network, built and with its recorders, to where it was, and the model, too."""
        put_state(network, self.state, self.arrays, self.allow_changed)
        self.model.continue_from(self.progress)


def read_run(path: str | os.PathLike[str], *, allow_changed: bool = False) -> Resumed:
    """The run that a `Keeper` kept. Raises SpikesimError where it cannot be had."""
    return _run_of(read_checkpoint(path, KIND, allow_changed=allow_changed), allow_changed)


def _run_of(found: Checkpoint, allow_changed: bool) -> Resumed:
    attrs = found.attrs
    kind: Any = class_of(attrs["model"], allow_changed)
    options = {
        **attrs["options"],
        "record": tuple(attrs["options"]["record"]),
        "split": tuple(attrs["options"]["split"]),
    }
    progress = from_data(attrs["progress"], found.arrays, allow_changed)
    model = kind(preset=attrs["preset"], **attrs["given"])
    return Resumed(model, RunOptions(**options), attrs["state"], progress, found.arrays, allow_changed)


def resume_run(path: str | os.PathLike[str], *, allow_changed: bool = False, **changed: Any) -> dict[str, Any]:
    """Go on with a run to its end, or to a later one, and keep it where it was.

    changed
        options (see `RunOptions`) that are to be others, such as `time` and `threads`.

    Returns what `NetworkModel.simulate` does; of a network that was built in Python, how far it is, how many spikes it
    has recorded and how fast it was. Raises SpikesimError for a file that cannot be resumed, and for a network that was
    built in Python without a `time`.
    """
    found = read_checkpoint(path, allow_changed=allow_changed)
    if found.kind != KIND:
        return _go_on(found, allow_changed, RunOptions(checkpoint=os.fspath(path), **changed))
    resumed = _run_of(found, allow_changed)
    options = dataclasses.replace(resumed.options, checkpoint=os.fspath(path), **changed)
    return resumed.model.simulate(options, resumed=resumed)


def _go_on(found: Checkpoint, allow_changed: bool, options: RunOptions) -> dict[str, Any]:
    """Go on with a network that was built in Python."""
    if options.time is None:
        raise SpikesimError(f"{found.path} is of a network that was built in Python: say by --time where it is to end.")
    network = network_of(found, options.threads, allow_changed)
    begin, left = network.time, options.time - network.time
    if not left > 0:
        raise SpikesimError(f"the network has come to {begin:g} ms, so it cannot end at {options.time:g}: give it "
                            "a longer --time.")  # fmt: skip
    minutes = EVERY if options.checkpoint_every is None else options.checkpoint_every
    keeper = Regularly(found.path, minutes, lambda where: save(network, where))
    network.recorders.append(keeper)
    with network:
        try:
            network.run(left, progress=options.progress and not options.quiet)
        except KeyboardInterrupt:
            keeper.save()
            raise Stopped(f"stopped at {network.time:g} of {options.time:g} ms; `spikesim resume {found.path}` goes on "
                          "from there.") from None  # fmt: skip
        keeper.save()
    return {
        "realtime_factor": network.seconds["run"] / ((network.time - begin) * 1e-3),
        "build_s": network.seconds["build"], "compile_s": network.seconds["compile"], "run_s": network.seconds["run"],
        "spikes": sum(r.count for r in network.recorders if isinstance(r, SpikeRecorder)),
        "seed": network.seed, "threads": network.threads, "precision": network.precision, "dt_ms": network.dt,
        "time_ms": network.time, "version": __version__,
    }  # fmt: skip


def check_keeps(model: NetworkModel) -> None:
    """Raise SpikesimError for a model whose own `simulate` does not take part."""
    if "resumed" not in inspect.signature(model.simulate).parameters:
        raise SpikesimError(f"{model.name()} is run in a way of its own, which keeps no checkpoints; leave out "
                            "--checkpoint.")  # fmt: skip


def _kept(options: RunOptions) -> dict[str, Any]:
    return {f.name: getattr(options, f.name) for f in dataclasses.fields(options) if f.name != "report"}


def _real(path: str | None) -> str | None:
    return None if path is None else os.path.realpath(path)
