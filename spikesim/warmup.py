"""Compiles every neuron, rule and network that is found into the cache on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from spikesim.connectors import FixedIndegree, OneToOne
from spikesim.errors import SpikesimError
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
    for name, kind in discover("network").items():
        if kind.small:
            yield (
                name,
                lambda kind=kind: kind(**kind.small).simulate(
                    RunOptions(time=10.0, seed=0, precision=precision, quiet=True)
                ),
            )
    for name, neuron in discover("neuron").items():
        yield name, lambda neuron=neuron: _neuron(neuron, precision)
    for name, rule in discover("rule").items():
        if not rule.events and not rule.post_state:
            yield name, lambda rule=rule: _rule(rule, precision)


def _neuron(model: Any, precision: str) -> None:
    net = Network(seed=0, precision=precision)
    population = net.add(model(), 1)
    if not model.graded:
        net.record(population, "spikes")
    for variable in list(model.state)[:1]:
        net.record(population, variable)
    with net:
        net.prepare()


def _rule(rule: Any, precision: str) -> None:
    """Synapses with the rule between neurons of the first model that can end one."""
    net = Network(seed=0, precision=precision)
    target = next(n for n in discover("neuron").values() if n.receptors and not n.conductance)
    population = net.add(target(), 2)
    start = rule.w_start
    net.connect(population, population, OneToOne(), weight=start, plasticity=rule())
    try:
        net.connect(population, population, FixedIndegree(1), weight=start)
        with net:
            net.prepare()
    except SpikesimError:
        pass
