"""Populations of neurons, and views of some of their neurons."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikesim.distributions import is_number, numbers, sample
from spikesim.errors import SpikesimError, unknown
from spikesim.memory import available
from spikesim.neuron import Neuron
from spikesim.rng import Stream

if TYPE_CHECKING:
    from spikesim.network import Network

LANES = 16  # neurons are padded to whole groups of this many
NUMBERS = 1 << 14  # of which constants are derived at once: few enough to stay in a processor's nearer caches
WAY = 2048  # bytes: rows this far apart, or a multiple of it, share too few places of a processor's nearest cache


class View:
    """Some neurons of a population, by id. `exc[:10]`, `exc[[3, 5]]` and `exc[mask]` are views."""

    def __init__(self, population: Population, ids: NDArray[np.int64]) -> None:
        self.population = population
        self.ids = ids

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, which: Any) -> View:
        if isinstance(which, (int, np.integer)):
            which = [which]
        try:
            return View(self.population, self.ids[which])
        except IndexError as error:
            raise SpikesimError(f"population {self.population.name!r}: {error}.") from None

    def set(self, **values: Any) -> None:
        """Set parameters or state variables: each a number, an array with one value a neuron, or a distribution."""
        self.population._assign(self.ids, values)

    def get(self, name: str) -> NDArray[np.float64]:
        """One value per neuron of a parameter or state variable."""
        return self.population._lookup(name)[self.ids]

    def __repr__(self) -> str:
        return f"<{len(self)} of {self.population!r}>"


class Population(View):
    """`n` neurons of one model. Made by `Network.add`; `ids` count from 0."""

    def __init__(self, network: Network, model: Neuron, n: int, name: str, index: int) -> None:
        needed = 8.0 * n * (2 * len(model.state) + len(model.parameters) + 2)
        if needed > (free := available()):
            raise SpikesimError(f"population {name!r}: {n:,} neurons need {needed / 1e9:.0f} GB, but only "
                                f"{free / 1e9:.1f} GB are free.")  # fmt: skip
        self.network, self.model, self.name, self.index = network, model, name, index
        self.n = n
        self.n_padded = max(LANES, -(-n // LANES) * LANES)
        if self.n_padded * np.dtype(network.dtype).itemsize % WAY == 0:
            self.n_padded += LANES
        super().__init__(self, np.arange(n))
        self._draws = 0
        model.check(n, network.dt)
        self.emitted = np.zeros(8 * network.threads, dtype=np.int64)  # spikes so far; a cache line for each thread
        self.stale = np.ones(network.threads, dtype=np.int64)  # whose constants each thread has still to take notice of
        self.schedule = model.schedule(n, network.dt) if model.replays else None  # type: ignore[attr-defined]
        self.values: dict[str, Any] = {}
        for parameter in model.parameters:
            value = getattr(model, parameter)
            self.values[parameter] = value if not _numeric(type(model), parameter) else self._expand(parameter, value)
        self.arrays: dict[str, Any] = {
            "state": np.zeros((len(model.state), self.n_padded), dtype=network.dtype),
            "refractory": np.zeros(self.n_padded, dtype=np.int32),
        }
        self.changes = model.changes(network.dt)  # steps at which the constants change by themselves
        self.constants = np.zeros((1, 1), dtype=network.dtype)
        self.refresh()
        for variable, start in model.state.items():
            start = model.initial.get(variable, start)
            value = self.values[start] if isinstance(start, str) else self._expand(variable, start)
            self._row(variable)[: self.n] = value
        self.first_state = self.arrays["state"].copy()

    def reset(self) -> None:
        """Back to the initial state, but for what was learned; nothing refractory, no spikes in flight."""
        for row, variable in enumerate(self.model.state):
            if variable not in self.model.learned:
                self.arrays["state"][row] = self.first_state[row]
        for name, array in self.arrays.items():
            if name != "state":
                array[...] = 0

    def _expand(self, name: str, value: Any, n: int | None = None) -> NDArray[np.float64]:
        """`value` as an array of length 1 (a number) or n (default: one value per neuron of the population)."""
        if value is None or isinstance(value, bool):
            value = float(bool(value))
        if is_number(value):
            type(self.model).within_limits(name, float(value))
            return np.array([float(value)])
        n = self.n if n is None else n
        if hasattr(value, "ppf"):
            self._draws += 1  # each distribution draws numbers of its own
            stream = Stream(self.network.seed, "PARAMETER", self.index * 4096 + self._draws)
            array = sample(value, n, stream, f"population {self.name!r}: {name}")
        else:
            array = numbers(value, n, f"population {self.name!r}: {name}")
        type(self.model).within_limits(name, array)
        return array

    def refresh(self) -> None:
        """Derive the constants of the step from the parameters in force; all or nothing."""
        network = self.network
        values = self.model.at_step(self.values, network.step, network.dt)
        type(self.model).validate(SimpleNamespace(**values), network.dt)
        found = self.model.constants_for(values, network.dt)
        width = self.n_padded if any(len(v) > 1 for v in found.values()) else 1
        constants = np.zeros((max(1, len(found)), width), dtype=network.dtype)
        for row, name in enumerate(self.model.Constants._fields):  # type: ignore[attr-defined]
            constants[row, : self.n if width > 1 else 1] = found[name]
        self.stale[...] = 1
        if constants.shape == self.constants.shape:
            self.constants[...] = constants
        else:
            self.constants = constants
            network.changed()

    def checked_values(self, values: dict[str, Any], times: int = 1) -> dict[str, Any]:
        """Parameters and state variables by their own names, as arrays of length 1 or n, or of as many `times` that.
        Raises SpikesimError for what cannot be set, or is no number."""
        self.model.check_set(values)
        found = {}
        for given, value in values.items():
            name = type(self.model)._state_name(given)
            if name is None:
                name, value = type(self.model).canonical(given, value)
            if name not in self.model.state and not _numeric(type(self.model), name):
                raise SpikesimError(f"population {self.name!r}: a script sets numbers, and {name!r} is none.")
            found[name] = self._expand(name, value, self.n * times)
        parameters = {name: value for name, value in found.items() if name not in self.model.state}
        if parameters:
            others = {name: v for name, v in self.values.items() if name not in parameters}
            if times > 1:
                others = {name: v if np.size(v) == 1 else np.tile(v, times) for name, v in others.items()}
            type(self.model).validate(SimpleNamespace(**{**others, **parameters}), self.network.dt)
        return found

    def constants_of(self, changes: list[dict[str, Any]]) -> Any:
        """(changes, constants, 1 or n_padded): the constants that the parameters in force give with each of `changes`,
        all of the same parameters, laid out as the engine has them. Where these differ from neuron to neuron, those in
        force must do so, too."""
        rows, width = self.constants.shape
        constants = np.zeros((len(changes), rows, width), dtype=self.network.dtype)
        wide = any(len(value) > 1 for change in changes for value in change.values())
        at_once = max(1, NUMBERS // self.n)
        for k in range(0, len(changes), at_once):
            self._constants_of(changes[k : k + at_once], wide, constants[k : k + at_once])
        return constants

    def _constants_of(self, changes: list[dict[str, Any]], wide: bool, constants: Any) -> None:
        """Those of a few changes, which are arrays of more than one number each if any is (wide)."""
        n, names = self.n, list(changes[0])
        values = dict(self.values)
        for name, value in self.values.items():  # one after the other, as if they were so many more neurons
            if name in names:
                values[name] = np.empty((len(changes), n if wide else 1))
                for row, change in zip(values[name], changes, strict=True):
                    row[:] = change[name]
                values[name] = values[name].ravel()
            elif _numeric(type(self.model), name) and len(value) > 1:
                values[name] = np.tile(value, len(changes))
        found = self.model.constants_for(values, self.network.dt)
        for row, name in enumerate(self.model.Constants._fields):  # type: ignore[attr-defined]
            value = found[name]
            if len(value) > 1:
                value = value.reshape(len(changes), -1)
            constants[:, row, : n if constants.shape[2] > 1 else 1] = value

    def _row(self, variable: str) -> Any:
        return self.arrays["state"][list(self.model.state).index(variable)]

    def _lookup(self, name: str) -> NDArray[np.float64]:
        if name in self.model.state:
            return self._row(name)[: self.n].astype(np.float64)
        if name in self.values and _numeric(type(self.model), name):
            return np.broadcast_to(self.values[name], (self.n,)).astype(np.float64)
        raise unknown(f"population {self.name!r} ({type(self.model).__name__})", "parameter or state variable",
                      name, (*self.model.parameters, *self.model.state))  # fmt: skip

    def _assign(self, ids: NDArray[np.int64], values: dict[str, Any]) -> None:
        if self.model.replays:
            if len(ids) < self.n:
                raise SpikesimError(f"population {self.name!r}: set the trains of the whole population at once.")
            model: Any = type(self.model)(**values)
            self.schedule = model.schedule(self.n, self.network.dt)
            model.max_spikes = max(model.max_spikes, self.model.max_spikes)  # room for what is in flight
            self.model = model
            self.network.changed()
            return
        whole, draws = len(ids) == self.n, self._draws
        self.model.check_set(values)
        new_values, new_state = dict(self.values), {}
        for name, value in values.items():
            state = type(self.model)._state_name(name)
            if state is None:
                name, value = type(self.model).canonical(name, value)
            name = state or name
            if state is None and not _numeric(type(self.model), name):
                new_values[name] = type(self.model).checked(name, value)
                continue
            array = self._expand(name, value, len(ids))
            if state is not None:
                new_state[name] = array
            elif whole:
                new_values[name] = array
            else:
                new_values[name] = np.broadcast_to(new_values[name], (self.n,)).copy()
                new_values[name][ids] = array
        if len(new_state) < len(values):  # parameters were set, too
            before, self.values = self.values, new_values
            try:
                self.refresh()
            except SpikesimError:
                self.values, self._draws = before, draws
                raise
        for name, array in new_state.items():
            self._row(name)[ids] = array

    def __repr__(self) -> str:
        return f"<{self.name!r}: {self.n} {type(self.model).__name__}>"


def _numeric(model: type[Neuron], name: str) -> bool:
    default = getattr(model, name)
    return not isinstance(default, (str, tuple))
