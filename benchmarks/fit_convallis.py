"""Fits the free parameters of the Convallis rule to measurements; its presets are what comes out.

    python benchmarks/fit_convallis.py

writes docs/results/convallis_fit.json: for each preset the parameters, rounded as they are in
models/plasticity/convallis.py, and what the rule predicts with them for each measurement.

The potential of the postsynaptic neuron does not depend on the rule, so it is simulated once for each condition. The
search is over the thresholds, slopes and time constants; for each choice of them the best two amplitudes follow from
linear least squares. Deviations count in units of the s.e.m., those of the three sets of measurements by their number.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import differential_evolution, least_squares, nnls
from scipy.signal import lfilter

import spikesim as ss
from spikesim.models.neurons import SpikeSource
from spikesim.models.plasticity.convallis import Convallis
from spikesim.protocol import Condition, Protocol
from spikesim.protocols.bi_poo_1998 import BiPoo1998
from spikesim.protocols.sjostrom_2001 import BURSTS, SINGLE_PAIRS, Sjostrom2001
from spikesim.protocols.wang_2005 import Wang2005
from spikesim.provenance import provenance

RESULTS = Path(__file__).parents[1] / "docs" / "results"
SEED = 1
DT = 0.1  # ms
BEFORE, AFTER = 5.0, 300.0  # ms simulated before the first and after the last spike of a condition
KICK = 200.0  # mV, to make the neuron fire
MORE = 1.05  # a_ltp / a_ltd at the least, so that a strong depolarisation potentiates

#: what is searched, in which bounds: time constants (ms), thresholds and slopes (mV), `gap` is theta_ltp - theta_ltd
SEARCH = {
    "tau_m": (5.0, 40.0),
    "tau_ltp": (1.0, 60.0),
    "tau_ltd": (1.0, 100.0),
    "theta_ltd": (-69.5, -50.0),
    "gap": (0.5, 40.0),
    "s_ltp": (1.0, 40.0),
    "s_ltd": (0.5, 40.0),
}


@dataclass
class Trial:
    """One repetition of one condition: presynaptic spikes (steps), the potential (mV), and what was measured."""

    pre: np.ndarray
    V_m: np.ndarray
    repetitions: int
    measured: float
    sem: float


def trials(conditions: Sequence[tuple[Condition, int]]) -> list[Trial]:
    """Simulate the neuron under one repetition of each (condition, repetitions in the experiment)."""
    trains = []
    for condition, _ in conditions:
        begin = min(*condition.pre, *condition.post) - BEFORE
        trains.append([np.rint((np.sort(side) - begin) / DT).astype(int) for side in (condition.pre, condition.post)])
    n, last = len(trains), max(int(t[-1]) for pair in trains for t in pair)
    times = np.concatenate([post for _, post in trains]) * DT
    ids = np.repeat(np.arange(n), [len(post) for _, post in trains])
    with ss.Network(dt=DT, seed=SEED) as net:
        source, cells = net.add(SpikeSource(times=times, ids=ids), n), net.add(Convallis.cell, n)
        net.connect(source, cells, ss.OneToOne(), weight=KICK, delay=DT)
        V_m = net.record(cells, "V_m")
        net.run(last * DT + AFTER)
    # as in the engine, a synapse sees at step k the potential as it was at k dt
    V = np.vstack([np.full(n, Convallis.cell.E_L), V_m.values]).T
    return [
        Trial(pre, v, repetitions, float(c.measured), float(c.sem))  # type: ignore[arg-type]
        for (pre, _), v, (c, repetitions) in zip(trains, V, conditions, strict=True)
    ]


def rule_with(values: Sequence[float], a_ltp: float = 1.0, a_ltd: float = 1.0) -> Convallis:
    """The rule at a point of the search."""
    named = dict(zip(SEARCH, map(float, values), strict=True))
    named["theta_ltp"] = named["theta_ltd"] + named.pop("gap")
    return Convallis(a_ltp=a_ltp, a_ltd=a_ltd, **named)


def changes(rule: Convallis, found: Sequence[Trial]) -> np.ndarray:
    """(trials,) relative weight change by `drift`, step by step."""
    p, kind = rule.hook_params(), type(rule)
    return np.array([t.repetitions * DT * _drift(rule, p, kind, t).sum() for t in found])


def _drift(rule: Convallis, p: Any, kind: Any, trial: Trial) -> np.ndarray:
    spikes = np.zeros(len(trial.V_m))
    spikes[trial.pre] = 1.0

    def trace(tau: float) -> np.ndarray:
        k = np.exp(-DT / tau)
        return lfilter([0.0, k], [1.0, -k], spikes)

    def psp(tau: float) -> np.ndarray:
        return (trace(rule.tau_m) - trace(tau)) / (rule.tau_m - tau)

    def low_pass(tau: float) -> np.ndarray:
        k, first = np.exp(-DT / tau), trial.V_m[0]
        return first + lfilter([1.0 - k], [1.0, -k], trial.V_m - first)

    pre = kind.Pre(psp(rule.tau_ltp), psp(rule.tau_ltd))
    return kind.drift(1.0, pre, kind.Post(low_pass(rule.tau_ltp), low_pass(rule.tau_ltd)), p)


class Fit:
    """Residuals in s.e.m. as a function of the searched parameters, the amplitudes being the best ones."""

    def __init__(self, found: list[Trial], weights: Sequence[float]) -> None:
        self.found, self.weights = found, np.asarray(weights)
        self.measured, self.sem = (np.array([getattr(t, k) for t in found]) for k in ("measured", "sem"))

    def best(self, values: Sequence[float]) -> tuple[tuple[float, float], np.ndarray]:
        """(a_ltp, a_ltd) of the least squares, with a_ltp >= MORE a_ltd >= 0, and the residuals with them."""
        ltp, ltd = (changes(rule_with(values, *a), self.found) for a in ((1.0, 0.0), (0.0, 1.0)))
        scale = self.weights / self.sem
        # a_ltp = surplus + MORE a_ltd makes the condition one of sign
        columns = np.column_stack([ltp, MORE * ltp + ltd]) * scale[:, None]
        (surplus, a_ltd), _ = nnls(columns, self.measured * scale)
        return (surplus + MORE * a_ltd, a_ltd), columns @ (surplus, a_ltd) - self.measured * scale

    def residuals(self, values: Sequence[float]) -> np.ndarray:
        return self.best(values)[1]

    def search(self) -> np.ndarray:
        """Globally, with a fixed seed, then downhill."""
        bounds = list(SEARCH.values())
        rough = differential_evolution(
            lambda v: float((self.residuals(v) ** 2).sum()), bounds, seed=SEED, popsize=8, maxiter=50, polish=False
        )
        low, high = np.array(bounds).T
        start = np.clip(rough.x, low + 1e-6, high - 1e-6)
        return least_squares(self.residuals, start, bounds=(low, high), x_scale=high - low).x


def measured(protocol: Protocol, repetitions: int) -> list[tuple[Condition, int]]:
    """The conditions of a protocol that were measured and enter its error."""
    return [(c, repetitions) for c in protocol.conditions() if c.measured is not None and c.counts]


def preset(fit: Fit) -> dict[str, float]:
    """The best parameters, to four digits."""
    values = fit.search()
    rule = rule_with(values, *fit.best(values)[0])
    names = ("tau_m", "tau_ltp", "tau_ltd", "theta_ltp", "theta_ltd", "s_ltp", "s_ltd", "a_ltp", "a_ltd")
    return {name: float(f"{getattr(rule, name):.4g}") for name in names}


def sjostrom() -> list[tuple[Condition, int]]:
    """One burst of each condition, or one pair where there are no bursts."""
    found = []
    for c, _ in measured(Sjostrom2001(bursts=True), 1):
        n, repetitions = (1, SINGLE_PAIRS) if c.variables["frequency"] < 1.0 else (5, BURSTS)
        pre, post = list(c.pre)[:n], list(c.post)[:n]
        found.append((Condition(c.label, c.variables, pre, post, c.measured, c.sem), repetitions))
    return found


def main() -> None:
    """Fit, compare with the protocols, and write."""
    windows, triplets = measured(BiPoo1998(pairs=1, delta_t_step=0.0), 60), measured(Wang2005(repetitions=1), 60)
    weights = [len(windows) ** -0.5] * len(windows) + [len(triplets) ** -0.5] * len(triplets)
    found = {
        "hippocampal_culture": preset(Fit(trials(windows + triplets), weights)),
        "visual_cortex": preset(Fit(trials(sjostrom()), [1.0] * 10)),
    }
    protocols = {
        "hippocampal_culture": [BiPoo1998(delta_t_step=0.0), Wang2005()],
        "visual_cortex": [Sjostrom2001(), Sjostrom2001(bursts=True)],
    }
    result: dict[str, Any] = {"seed": SEED, "presets": {}, "provenance": provenance()}
    for name, values in found.items():
        runs = [protocol.run(Convallis(**values)) for protocol in protocols[name]]
        result["presets"][name] = {
            "parameters": values,
            "protocols": [
                {"protocol": run.protocol.name(), "parameters": run.protocol.values(), "error": run.error,
                 "points": run.rows()} for run in runs
            ],
        }  # fmt: skip
        print(name, json.dumps(values, indent=2), *(run.to_text() for run in runs), sep="\n")
    path = RESULTS / "convallis_fit.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
