"""Checkpoints of `spikesim run`: a published network by name and parameters, its state, and how far a training is.

A model that is just run for some time has nothing to do. One that overrides `NetworkModel.simulate`, because it is
trained, say, takes part in three lines:

    def simulate(self, options, resumed=None):
        ...                                         # build, in the same way whether it is resumed or not
        keeper = Keeper(self, self.net, options)    # does nothing unless options.checkpoint is set
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
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikesim.as_data import class_of, from_data, reference, to_data
from spikesim.checkpoint import check_place_of, read_checkpoint, write_checkpoint
from spikesim.errors import SpikesimError
from spikesim.experiment import NetworkModel, RunOptions
from spikesim.record import Recorder
from spikesim.state import put_state, state_of

if TYPE_CHECKING:
    from spikesim.network import Network

KIND = "run"
EVERY = 10.0  # minutes


class Keeper(Recorder):
    """Writes checkpoints of a run to `options.checkpoint`, once in `options.checkpoint_every` minutes.

    Among the recorders of a network it looks at the clock while the network runs; else call `look`. Raises
    SpikesimError at once where the file cannot be written.
    """

    def __init__(self, model: NetworkModel, network: Network, options: RunOptions) -> None:
        self.model, self.network, self.options = model, network, options
        self.path = None if options.checkpoint is None else Path(os.path.realpath(options.checkpoint))
        self.every = 60.0 * (EVERY if options.checkpoint_every is None else options.checkpoint_every)  # s
        self.last = time.monotonic()
        if self.path is not None:
            check_place_of(self.path)

    def drain(self, step: int) -> None:
        self.look()

    def look(self) -> None:
        """Write if it is time."""
        if self.path is not None and time.monotonic() - self.last >= self.every:
            self.save()

    def save(self) -> bool:
        """Write now; whether there is a file to write to. Raises SpikesimError for what cannot be kept or written."""
        if self.path is None:
            return False
        arrays: dict[str, Any] = {}
        model, owner = self.model, f"{type(self.model).__name__}.progress_state"
        attrs = {
            "model": reference(type(model)),
            "preset": model.preset,
            "given": {name: getattr(model, name) for name in sorted(model.given)},
            "options": {**dataclasses.asdict(self.options), "seed": self.network.seed, "out": _real(self.options.out),
                        "checkpoint": str(self.path)},
            "state": state_of(self.network, arrays),
            "progress": to_data(dict(model.progress_state()), arrays, owner),
        }  # fmt: skip
        write_checkpoint(self.path, KIND, attrs, arrays)
        self.last = time.monotonic()
        return True


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
    found = read_checkpoint(path, allow_changed=allow_changed)
    if found.kind != KIND:
        raise SpikesimError(f"{path} is a checkpoint of a {found.kind} that was built in Python: go on with it by "
                            "ss.Network.resume; `spikesim resume` is for `spikesim run`.")  # fmt: skip
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
    """Go on with a run to its end, or to a later one; returns what `NetworkModel.simulate` does.

    changed
        options (see `RunOptions`) that are to be others, such as `time` and `threads`.

    Raises SpikesimError for a file that cannot be resumed.
    """
    resumed = read_run(path, allow_changed=allow_changed)
    return resumed.model.simulate(dataclasses.replace(resumed.options, **changed), resumed=resumed)


def check_keeps(model: NetworkModel) -> None:
    """Raise SpikesimError for a model whose own `simulate` does not take part."""
    if "resumed" not in inspect.signature(model.simulate).parameters:
        raise SpikesimError(f"{model.name()} is run in a way of its own, which keeps no checkpoints; leave out "
                            "--checkpoint.")  # fmt: skip


def _real(path: str | None) -> str | None:
    return None if path is None else os.path.realpath(path)
