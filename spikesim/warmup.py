"""Compiles every neuron, rule and network that is found into the cache on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from spikesim.connectors import OneToOne
from spikesim.experiment import RunOptions
from spikesim.network import Network
from spikesim.registry import discover


def compile_all(precision: str, note: Callable[[str], None]) -> float:
    """Compile; `note` is told each name before. Returns the seconds it took."""
    began = time.perf_counter()
    for name, compile_one in _jobs(precision):
        note(name)
        compile_one()
    return time.perf_counter() - began


def _jobs(precision: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    options = RunOptions(time=10.0, seed=0, precision=precision, quiet=True)
    for name, network in discover("network").items():
        if network.small:  # type: ignore[attr-defined]
            yield name, partial(_network, network, options)
    for name, neuron in discover("neuron").items():
        yield name, partial(_neuron, neuron, precision)
    for name, rule in discover("rule").items():
        if rule.on_pre or rule.on_post:  # type: ignore[attr-defined]
            yield name, partial(_rule, rule, rule.w_start, precision)  # type: ignore[attr-defined]
    for name, rule in discover("short-term rule").items():
        yield name, partial(_rule, rule, 1.0, precision)


def _network(network: Any, options: RunOptions) -> None:
    network(**network.small).simulate(options)


def _neuron(model: Any, precision: str) -> None:
    """One neuron with its spikes and its first state variable recorded."""
    with Network(seed=0, precision=precision) as net:
        population = net.add(model(), 1)
        if not model.graded:
            net.record(population, "spikes")
        for variable in list(model.state)[:1]:
            net.record(population, variable)
        net.prepare()


def _rule(rule: Any, weight: float, precision: str) -> None:
    """Synapses with the rule between neurons of its cell or else of the first model that can end one."""
    first = next(n for n in discover("neuron").values() if n.receptors and not n.conductance)  # type: ignore
    cell = getattr(rule, "cell", None)
    target = first if cell is None else type(cell)
    with Network(seed=0, precision=precision) as net:
        population = net.add(target(), 2)
        net.connect(population, population, OneToOne(), weight=weight, plasticity=rule())
        net.prepare()
