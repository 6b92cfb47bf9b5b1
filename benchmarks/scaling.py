"""How the time of a step grows with neurons, synapses, rate and threads, and what that says of larger machines.

    python benchmarks/scaling.py [--repeats 7] [--seconds 0.3] [--precision double] [--out FOLDER] [--quick]

measures a network of LIF neurons whose recurrent weights are nearly nothing, so that the rate is that which the drive
and a current impose, along each axis, with 1, 2, ... threads, and with spikes kept nowhere, in memory, or in a file.
It fits a model of the time of a step, predicts the full microcircuit (potjans_2014) on more cores, and holds the same
prediction for a tenth of it against a measurement. Writes scaling.json and .png to docs/results and the numbers into
docs/scaling.md; with --quick, a small version to see that all works, result and figure only where --out says.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.optimize import nnls

import spikesim as ss
from spikesim.models.networks.potjans_2014 import RATES, SIZES, Potjans2014, full_synapses
from spikesim.models.neurons import LIF
from spikesim.provenance import provenance

RESULTS = Path(__file__).parents[1] / "docs" / "results"
PAGE = RESULTS.parent / "scaling.md"
BLOCK = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.DOTALL)
SEED, DT, WARMUP = 1, 0.1, 100.0  # ms
BASE = {"neurons": 10_000, "indegree": 1000, "rate": 3.0}
AXES: dict[str, tuple[float, ...]] = {
    "neurons": (1000, 3000, 10_000, 30_000), "indegree": (100, 300, 1000, 3000), "rate": (0.0, 1.0, 3.0, 10.0, 30.0)
}  # fmt: skip
QUICK_BASE = {"neurons": 2000, "indegree": 200, "rate": 3.0}
QUICK_AXES: dict[str, tuple[float, ...]] = {
    "neurons": (500, 2000, 4000), "indegree": (50, 200, 800), "rate": (0.0, 3.0, 30.0)
}  # fmt: skip
RECORDINGS = ("memory", "none", "file")  # in memory first: nobody counts spikes that are not recorded
PHASES = ("neurons", "drive", "synapses", "memory", "file")  # the last two: recording there
MAIN = "memory"  # the recording that predictions are made for
DRAWS = 200  # of rows, for the intervals
AXIS_LABELS = {"neurons": "neurons", "indegree": "synapses per neuron", "rate": "rate (Hz)"}
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
CORES = (1, 2, 16, 64, 128)
TERMS = ("ns_per_neuron", "ns_per_event", "ns_per_spike", "ns_per_population", "ns_per_barrier")
GROWTH = {"log2": np.log2, "linear": lambda threads: threads - 1.0}  # of the cost of a barrier; both 1 at 2 threads
ONE = Potjans2014()  # its neurons, drive, weights and delays

Row = dict[str, Any]


def network(neurons: int, indegree: int, current: Any, threads: int, precision: str, driven: bool = True) -> ss.Network:
    """The microcircuit's neurons and drive; delays as random as there, from one step on."""
    net = ss.Network(dt=DT, seed=SEED, threads=threads, precision=precision)
    neuron = LIF(E_L=ONE.E_L, C_m=ONE.C_m, tau_m=ONE.tau_m, t_ref=ONE.t_ref, V_th=ONE.V_th, V_reset=ONE.V_reset,
                 tau_syn_ex=ONE.tau_syn, tau_syn_in=ONE.tau_syn, I_e=current, V_m=ss.Normal(-63.0, 5.0))  # fmt: skip
    cells = net.add(neuron, neurons, name="cells")
    if driven:
        net.drive(cells, rate=2000 * ONE.bg_rate, weight=ONE.weight_ext, delay=ONE.delay_ex)
    if indegree:
        delay = ss.TruncatedNormal(ONE.delay_ex, ONE.delay_ex * ONE.delay_rel_sd, low=DT)
        weight = ss.TruncatedNormal(1e-6, 1e-7, low=0.0)  # pA
        net.connect(cells, cells, ss.FixedIndegree(indegree), weight=weight, delay=delay)
    return net


def current_for(rates: Sequence[float]) -> dict[float, float]:
    """rate (Hz) -> the current (pA) beside the drive that gives it, read off a population with many currents."""
    currents, each, seconds = np.linspace(-700.0, 300.0, 51), 100, 4.0
    with network(len(currents) * each, 0, np.repeat(currents, each), 1, "double") as net:
        spikes = net.record(net.populations[0], "spikes")
        net.run(seconds * 1e3)
    found = np.bincount(spikes.ids // each, minlength=len(currents)) / (each * seconds)
    found = np.maximum.accumulate(found) + 1e-9 * np.arange(len(currents))
    return {rate: float(np.interp(rate, found, currents)) if rate else -2000.0 for rate in rates}


def measure(net: ss.Network, recording: str, given: argparse.Namespace) -> tuple[float, Any]:
    """(median ns of a step, spikes of each population in a step, if anybody counts them); closes the network."""
    with tempfile.TemporaryDirectory() as folder, net:
        to = str(Path(folder) / "spikes.h5") if recording == "file" else None
        recorders = [] if recording == "none" else [net.record(p, "spikes", to=to) for p in net.populations]
        net.run(WARMUP)
        steps = max(1000, round(given.seconds / net.seconds["run"] * WARMUP / DT))  # of a stretch
        already, seconds = np.array([r.count for r in recorders]), []
        for _ in range(given.repeats):
            before = net.seconds["run"]
            net.run(steps * DT)
            seconds.append(net.seconds["run"] - before)
        counted = np.array([r.count for r in recorders]) - already
    return statistics.median(seconds) / steps * 1e9, counted / (steps * given.repeats)


def study(
    base: Mapping[str, float], axes: Mapping[str, Sequence[float]], currents: Mapping[float, float],
    given: argparse.Namespace,
) -> list[Row]:  # fmt: skip
    """One row for each point of each axis, number of threads and way of recording."""
    points = [dict(base), *({**base, axis: value} for axis, values in axes.items() for value in values)]
    points.append({**base, "indegree": axes["indegree"][-1], "rate": axes["rate"][-1]})  # as many events as can be
    rows: list[Row] = []
    for point in {tuple(point.items()): point for point in points}.values():
        neurons, indegree, current = int(point["neurons"]), int(point["indegree"]), currents[point["rate"]]
        for threads in given.threads:
            same: list[Row] = []
            for recording in RECORDINGS:
                net = network(neurons, indegree, current, threads, given.precision)
                step, counted = measure(net, recording, given)
                spikes = float(counted.sum()) if len(counted) else same[0]["spikes"]
                work = {"populations": 1, "spikes": spikes, "events": spikes * indegree}
                same.append({**point, **work, "threads": threads, "recording": recording, "ns": step})
            rows += same
            said = ", ".join(f"{row['ns'] / 1e3:.1f} us {row['recording']}" for row in same)
            where = f"{neurons:6} neurons, {indegree:4} synapses, {point['rate']:4g} Hz"
            print(f"{where}, {threads} threads: {said}", flush=True)
    return rows


def phases(rows: Sequence[Row], base: Mapping[str, float], current: float, given: argparse.Namespace) -> list[Row]:
    """The base network put together bit by bit: what each phase adds to a step (ns)."""
    found = []
    for threads in given.threads:
        step = {
            row["recording"]: row["ns"] for row in rows if row["threads"] == threads and base.items() <= row.items()
        }
        for phase, driven in (("neurons", False), ("drive", True)):
            net = network(int(base["neurons"]), 0, current, threads, given.precision, driven)
            step[phase] = measure(net, "none", given)[0]
        step["synapses"] = step["none"]
        below = {"neurons": 0.0, "drive": step["neurons"], "synapses": step["drive"]}
        found.append({phase: step[phase] - below.get(phase, step["none"]) for phase in PHASES} | {"threads": threads})
    return found


def columns(row: Mapping[str, float], growth: str = "log2") -> list[float]:
    """What TERMS are multiplied by. Neurons and events are shared out; each thread looks at every spike and at every
    population."""
    threads = row["threads"]
    shared = [row["neurons"] / threads, row["events"] / threads]
    return [*shared, row["spikes"], row["populations"], float(GROWTH[growth](threads))]


def fit(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Coefficients (ns), none negative, with the least squares of relative deviations."""
    times = np.array([row["ns"] for row in rows])
    matrix = np.array([columns(row) for row in rows]) / times[:, None]
    scale = np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
    found, _ = nnls(matrix / scale, np.ones(len(rows)))
    return dict(zip(TERMS, (found / scale).tolist(), strict=True))


def predict(coefficients: Mapping[str, float], row: Mapping[str, float], growth: str = "log2") -> float:
    """ns of a step."""
    return float(np.dot([coefficients[term] for term in TERMS], columns(row, growth)))


def interval(values: Sequence[float]) -> list[float]:
    """From the 5th to the 95th percentile."""
    return np.percentile(values, [5, 95]).tolist()


def redrawn(rows: Sequence[Row]) -> list[dict[str, float]]:
    """The fits to rows drawn again and again from these, by which it is judged how far a fit can be trusted."""
    rng = np.random.default_rng(SEED)
    return [fit([rows[i] for i in rng.integers(len(rows), size=len(rows))]) for _ in range(DRAWS)]


def regimes(rows: Sequence[Row], threads: Sequence[int]) -> dict[str, Any]:
    """A fit for each way of recording, and one for each number of threads, and how far it is off."""
    by = {f"spikes: {kind}": [r for r in rows if r["recording"] == kind] for kind in RECORDINGS}
    by |= {f"threads: {n}": [r for r in rows if r["threads"] == n and r["recording"] == "memory"] for n in threads}
    found = {}
    for name, some in by.items():
        if not some:  # SciPy's nnls would crash
            continue
        ns, again = fit(some), redrawn(some)
        off = np.abs([predict(ns, row) / row["ns"] - 1.0 for row in some])
        intervals = {term: interval([each[term] for each in again]) for term in TERMS}
        found[name] = {"rows": len(some), "ns": ns, "ns_interval": intervals}
        found[name] |= {"median_off": float(np.median(off)), "most_off": float(off.max())}
    return found


def microcircuit(scale: float = 1.0, rates: Any = RATES) -> dict[str, float]:
    """What potjans_2014 has to do in a step at this N_scaling and these rates (Hz)."""
    spikes = np.asarray(rates) * SIZES * scale * DT * 1e-3
    events = spikes @ (full_synapses().sum(axis=0) / SIZES)
    return {"populations": len(SIZES), "neurons": float(SIZES.sum() * scale), "spikes": float(spikes.sum()),
            "events": float(events)}  # fmt: skip


def predictions(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Realtime factors of the full microcircuit by cores."""
    found, ns, again = [], fit(rows), redrawn(rows)
    for cores in CORES:
        row, each = {**microcircuit(), "threads": cores}, {"cores": cores}
        for growth in GROWTH:
            one, *several = (predict(which, row, growth) / (DT * 1e6) for which in (ns, *again))
            each |= {growth: one, f"{growth}_interval": interval(several)}
        found.append(each)
    return found


def check(ns: Mapping[str, float], scale: float, given: argparse.Namespace) -> list[dict[str, float]]:
    """A part of the microcircuit itself, which the fit has not seen: realtime factors measured and predicted."""
    found = []
    for threads in given.threads:
        net = ss.Network(dt=DT, seed=SEED, threads=threads, precision=given.precision)
        Potjans2014(N_scaling=scale).build(net)
        step, spikes = measure(net, "memory", given)
        work = microcircuit(scale, spikes / (SIZES * scale * DT * 1e-3))
        predicted = predict(ns, {**work, "threads": threads})
        found.append({"threads": threads, "measured": step / (DT * 1e6), "predicted": predicted / (DT * 1e6)})
    return found


def draw(told: Mapping[str, Any], path: Path) -> None:
    """Time of a step along each axis, measured and modelled; what each phase adds; and the prediction."""
    figure = Figure(figsize=(17.0, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes, base, model = figure.subplots(1, 5), told["base"], told["models"][f"spikes: {MAIN}"]["ns"]
    rows = [row for row in told["rows"] if row["recording"] == MAIN]
    for ax, (axis, label) in zip(axes, AXIS_LABELS.items(), strict=False):
        for threads, colour in zip(told["threads"], COLOURS, strict=False):
            some = [r for r in rows if r["threads"] == threads and all(r[k] == base[k] for k in base if k != axis)]
            some.sort(key=lambda row: row[axis])
            x, said = [row[axis] for row in some], f"{threads} thread" + "s" * (threads > 1)
            ax.plot(x, [row["ns"] / 1e3 for row in some], "o", color=colour, label=said)
            ax.plot(x, [predict(model, row) / 1e3 for row in some], "-", color=colour, linewidth=1)
        ax.set(xlabel=label, xscale="symlog" if axis == "rate" else "log", yscale="log")
    bottom = np.zeros(len(told["phases"]))
    for phase, colour in zip(PHASES[:4], COLOURS, strict=False):
        height = np.maximum(0.0, [each[phase] / 1e3 for each in told["phases"]])
        label = "recording" if phase == "memory" else phase
        axes[3].bar([str(each["threads"]) for each in told["phases"]], height, bottom=bottom, color=colour, label=label)
        bottom += height
    axes[3].set(xlabel="threads", ylim=(0.0, 1.5 * bottom.max()))
    cores = [each["cores"] for each in told["predictions"]]
    for growth, colour in zip(GROWTH, COLOURS, strict=False):
        low, high = zip(*(each[f"{growth}_interval"] for each in told["predictions"]), strict=True)
        middle = [each[growth] for each in told["predictions"]]
        axes[4].plot(cores, middle, "o-", color=colour, label=f"barrier {growth}")
        axes[4].fill_between(cores, low, high, color=colour, alpha=0.2, linewidth=0)
    axes[4].set(xscale="log", yscale="log", xlabel="cores", title="full microcircuit, predicted", ylabel="s per s")
    axes[4].set_xticks(cores, cores)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    for ax in (axes[0], *axes[3:]):
        ax.legend(frameon=False, fontsize=8)
    axes[0].set_ylabel("us per step")
    figure.savefig(path, dpi=130)


def ranged(value: float, ends: Sequence[float]) -> str:
    """A number, and in brackets where it may lie."""
    return "{:.3g} ({:.3g} to {:.3g})".format(value, *ends)


def table(head: Sequence[Any], rows: Sequence[Sequence[Any]]) -> list[str]:
    """The lines of a table."""
    first, *others = (f"| {' | '.join(map(str, cells))} |" for cells in (head, *rows))
    return ["", first, "|---|" + "---:|" * (len(head) - 1), *others, ""]


def block(told: Mapping[str, Any]) -> str:
    """What stands between the markers of docs/scaling.md."""
    models, machine = told["models"], told["provenance"]
    terms = [
        [term.replace("_", " "), *(ranged(model["ns"][term], model["ns_interval"][term]) for model in models.values())]
        for term in TERMS
    ]
    for key, what in (("median_off", "off by, median"), ("most_off", "off by, most")):
        terms.append([what, *(f"{100 * model[key]:.0f} %" for model in models.values())])
    full = [
        [each["cores"], *(ranged(each[growth], each[f"{growth}_interval"]) for growth in GROWTH)]
        for each in told["predictions"]
    ]
    held = [[each["threads"], f"{each['predicted']:.3g}", f"{each['measured']:.3g}"] for each in told["check"]]
    added = [[each["threads"], *(f"{each[phase] / 1e3:.1f}" for phase in PHASES)] for each in told["phases"]]
    lines = [
        f"{machine['processor']}, {told['precision']} precision, spikesim {machine['spikesim']}, seed {told['seed']}, "
        f"{machine['finished'][:10]}",
        "([numbers](results/scaling.json)). In brackets: where 90 % of the fits to redrawn measurements lie.",
        *table(["", *models], terms),
        "Predicted wall seconds per second of model time of the full microcircuit, the cost of a barrier growing with",
        "the number of threads as the logarithm or as the number itself:",
        *table(["cores", *GROWTH], full),
        f"The microcircuit at N_scaling {told['check_scale']:g}, which the fit has not seen, with the rates it has:",
        *table(["threads", "predicted", "measured"], held),
        "What each phase adds to a step of the network in the middle of all axes (us):",
        *table(["threads", *PHASES[:3], "recording in memory", "in a file"], added),
        "![Time of a step along each axis, and the prediction](results/scaling.png)",
    ]
    return "\n".join(lines) + "\n"


def rewritten(text: str, new: str) -> str:
    """`text` with `new` between its markers."""
    return BLOCK.sub(lambda found: found[1] + new + found[2], text)


def main() -> None:
    """Read the arguments, measure, fit, predict, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7, help="stretches, of which the median counts")
    parser.add_argument("--seconds", type=float, default=0.3, help="that a stretch takes, about")
    parser.add_argument("--precision", choices=("double", "single"), default="double")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    load = round(psutil.getloadavg()[0], 2)
    given.threads = [2**k for k in range(32) if 2**k < os.cpu_count()] + [os.cpu_count()]
    base, axes, check_scale = BASE, AXES, 0.1
    if given.quick:
        base, axes, check_scale, given.repeats, given.seconds = QUICK_BASE, QUICK_AXES, 0.02, 3, 0.03
    currents = current_for(sorted({base["rate"], *axes["rate"]}))
    rows = study(base, axes, currents, given)
    models = regimes(rows, given.threads)
    told = {
        "base": base, "axes": axes, "threads": given.threads, "precision": given.precision, "dt_ms": DT, "seed": SEED,
        "microcircuit": microcircuit(), "models": models,
        "predictions": predictions([row for row in rows if row["recording"] == MAIN]), "check_scale": check_scale,
        "check": check(models[f"spikes: {MAIN}"]["ns"], check_scale, given),
        "phases": phases(rows, base, currents[base["rate"]], given), "rows": rows,
        "provenance": {**provenance(), "load_1min_before": load},
    }  # fmt: skip
    print(block(told))
    out = given.out or (None if given.quick else RESULTS)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        path = out / "scaling.json"
        path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        draw(told, path.with_suffix(".png"))
        print(f"wrote {path} and .png")
    if out == RESULTS:
        PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), block(told)), encoding="utf-8")


if __name__ == "__main__":
    main()
