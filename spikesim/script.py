"""Scripts: what is done to a network, written down beforehand, so that many trials run in one compiled call.

    trial = Script(net)
    trial.set(source, rate=rates)         # Hz, one value a neuron
    trial.run(50.0)                       # ms
    trial.trigger("forward_plateau")
    net.play([trial, ...])

`Network.play` does the same as calling `set`, `run` and `trigger` one after the other, to the last bit; only the time
between them, which for trials of some milliseconds is most of it, is saved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spikesim.errors import SpikesimError, unknown
from spikesim.running import run_until

if TYPE_CHECKING:
    from spikesim.network import Network
    from spikesim.population import Population


# Actions are told apart as objects, which is quick: scripts may share them.


@dataclass(eq=False)
class Reset:
    pass


@dataclass(eq=False)
class Run:
    steps: int


@dataclass(eq=False)
class Trigger:
    event: str


@dataclass(eq=False)
class Set:
    population: Population
    values: dict[str, Any]  # name -> array of length 1 or n


Action = Reset | Run | Trigger | Set


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended `Network.play` between two scripts, of which `played` are over."""

    def __init__(self, played: int) -> None:
        super().__init__(f"stopped after {played} scripts")
        self.played = played


class Script:
    """Actions on one network, in their order. Each is checked as it is written down.

    Raises SpikesimError for what `Network.run`, `Network.trigger` and `Population.set` would refuse.
    """

    def __init__(self, net: Network) -> None:
        self.net = net
        self.actions: list[Action] = []

    @property
    def steps(self) -> int:
        """How many steps it takes."""
        return sum(action.steps for action in self.actions if isinstance(action, Run))

    def run(self, duration: float) -> None:
        """Run for `duration` ms."""
        self.actions.append(Run(self.net.whole_steps(duration, "run: duration")))

    def trigger(self, event: str) -> None:
        """Let the named event come."""
        if event not in self.net.events:
            raise unknown("this network", "event", event, self.net.events)
        self.actions.append(Trigger(event))

    def reset(self) -> None:
        """Neurons, spikes in flight and traces back to how they began; see `Network.reset`."""
        self.actions.append(Reset())

    def set(self, population: Population, **values: Any) -> Set:
        """Set parameters or state variables of all neurons of a population: numbers or arrays. Returns the action,
        which other scripts may `add` as it is."""
        if population.network is not self.net:
            raise SpikesimError(f"Script.set: {population!r} belongs to another network.")
        return self.add(Set(population, population.checked_values(values)))

    def add(self, action: Set) -> Set:
        """An action that another script of this network has, too."""
        self.actions.append(action)
        return action

    def follow(self, other: Script) -> None:
        """Do here all that another script of this network does."""
        if other.net is not self.net:
            raise SpikesimError("Script.follow takes a script for the same network.")
        self.actions += other.actions

    @staticmethod
    def each(population: Population, **values: Any) -> list[Set]:
        """Actions that set the same of a population to something else each, for scripts to `add`: arrays of shape
        (actions, n). They are checked all at once, which for many trials saves most of the time of `set`."""
        rows = {name: np.asarray(value) for name, value in values.items()}
        shapes = {array.shape for array in rows.values()}
        if len(shapes) != 1 or len(shape := shapes.pop()) != 2 or shape[1] != population.n:
            given = ", ".join(f"{name} of shape {array.shape}" for name, array in rows.items()) or "nothing"
            raise SpikesimError(f"Script.each: arrays of one shape (actions, {population.n}), not {given}.")
        if not shape[0]:
            return []
        found = population.checked_values({name: array.ravel() for name, array in rows.items()}, shape[0])
        together = {name: array.reshape(shape) for name, array in found.items()}
        return [Set(population, {name: array[k] for name, array in together.items()}) for k in range(shape[0])]


def as_scripts(net: Network, scripts: Script | Iterable[Script]) -> list[Script]:
    """A list of scripts for this network. Raises SpikesimError for anything else."""
    found = [scripts] if isinstance(scripts, Script) else list(scripts)
    for script in found:
        if not isinstance(script, Script) or script.net is not net:
            raise SpikesimError(f"Network.play takes scripts for this network, not {script!r}.")
    return found


def play_one_by_one(net: Network, scripts: list[Script], stopped: list[int]) -> int:
    """Do what scripts say, action by action, until Ctrl-C has filled `stopped`; returns how many were played."""
    for played, script in enumerate(scripts):
        if stopped:
            return played
        for action in script.actions:
            if isinstance(action, Run):
                net.prepare()
                run_until(net, net.step + action.steps, net._engine.run, [])
            elif isinstance(action, Trigger):
                net.trigger(action.event)
            elif isinstance(action, Reset):
                net.reset()
            else:
                action.population.set(**_plain(action))
    return len(scripts)


def different(scripts: list[Script]) -> dict[Action, None]:
    """The actions of all scripts, each once, in the order in which they come first."""
    return dict.fromkeys(action for script in scripts for action in script.actions)


def widen(net: Network, actions: Iterable[Action]) -> None:
    """Where an action gives neurons of a population parameters of their own for the first time, do so now: it is laid
    out for them once and for all."""
    for action in actions:
        if not isinstance(action, Set) or action.population.constants.shape[1] > 1:
            continue
        population = action.population
        if any(len(v) > 1 for name, v in action.values.items() if name not in population.model.state):
            population.set(**{k: v for k, v in _plain(action).items() if k not in population.model.state})
            net.prepare()


def _plain(action: Set) -> dict[str, Any]:
    return {name: value if len(value) > 1 else value[0] for name, value in action.values.items()}
