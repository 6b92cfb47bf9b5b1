"""Is the activity of the cortical microcircuit here that of NEST? Rates, irregularity and correlations, by seed.

    python benchmarks/microcircuit_statistics.py [--seeds 5] [--time 20000] [--precision double] [--threads 2]
        [--peers nest=PYTHON] [--work FOLDER] [--out FOLDER] [--quick]

runs `potjans_2014` (N_scaling 0.1, all synapses of a neuron) for some seeds in both simulators and compares, in every
population, the distributions over neurons of the rate and of the CV of inter-spike intervals, and that over pairs of
neurons of the correlation of spike counts, by the Kolmogorov-Smirnov distance of every two runs. The yardstick is how
far runs of NEST with different seeds are from each other. The p value is that of a permutation test: the share of all
divisions of the runs into two groups that are as far apart as the two simulators. Writes microcircuit_statistics.json
and .png to docs/results; with --quick, a small version to see that all works, only where --out says. With --work the
statistics of each run are kept in that folder, and an interrupted comparison goes on from there. NEST's interpreter may
also be given by $SPIKESIM_PEERS (docs/benchmarks.md).
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import spikesim as ss
from spikesim.bench import choose, facts, programs
from spikesim.jit import source_digest
from spikesim.models.networks.potjans_2014 import POPULATIONS, Potjans2014
from spikesim.output import plain
from spikesim.provenance import provenance

RESULTS = Path(__file__).parents[1] / "docs" / "results"
NAME = "microcircuit_statistics"
STATISTICS = {"rate": "rate (Hz)", "cv": "CV of intervals", "correlation": "correlation coefficient"}
BIN = 2.0  # ms, for spike counts
SAMPLED = 200  # neurons of a population among which pairs are correlated
RELABELLINGS = 5000  # at most; with 5 seeds of each there are 252
COLOURS = {"spikesim": "#0072B2", "nest": "#D55E00"}


def rates(ids: Any, n: int, seconds: float) -> Any:
    """(n,) Hz."""
    return np.bincount(ids, minlength=n) / seconds


def interval_cvs(steps: Any, ids: Any, n: int, least: int) -> Any:
    """Standard deviation over mean of the inter-spike intervals of each neuron with `least` spikes or more (3 do)."""
    order = np.lexsort((steps, ids))
    steps, ids = np.asarray(steps)[order], np.asarray(ids)[order]
    same = ids[1:] == ids[:-1]
    gaps, whose = np.diff(steps)[same].astype(float), ids[1:][same]
    count = np.bincount(whose, minlength=n)
    mean = np.bincount(whose, gaps, n) / np.maximum(count, 1)
    variance = np.bincount(whose, (gaps - mean[whose]) ** 2, n) / np.maximum(count, 1)
    enough = count + 1 >= least
    return np.sqrt(variance[enough]) / mean[enough]


def correlations(steps: Any, ids: Any, span: tuple[int, int], width: int, sampled: int, rng: Any) -> Any:
    """Pearson's coefficient of the spike counts in bins of `width` steps, for all pairs of `sampled` neurons drawn
    from those that spike. `span`: first and last step."""
    spiking = np.unique(ids)
    chosen = np.sort(rng.choice(spiking, min(sampled, len(spiking)), replace=False))
    bins = -(-(span[1] - span[0] + 1) // width)
    counts = np.zeros((len(chosen), bins))
    mine = np.isin(ids, chosen)
    np.add.at(counts, (np.searchsorted(chosen, ids[mine]), (steps[mine] - span[0]) // width), 1.0)
    return np.corrcoef(counts)[np.triu_indices(len(chosen), 1)] if len(chosen) > 1 else np.zeros(0)


def statistics_of(spikes: dict[str, tuple[Any, Any]], model: Potjans2014, given: Any, seed: int) -> dict[str, Any]:
    """ "population/statistic" -> values of one run, after the warm-up. `spikes`: population -> (steps, ids)."""
    first, last = (round(t / model.dt) for t in (given.warmup, given.warmup + given.time))
    found = {}
    for name, n in zip(POPULATIONS, model.sizes, strict=True):
        steps, ids = spikes[name]
        inside = (steps > first) & (steps <= last)
        steps, ids = steps[inside], ids[inside]
        found[f"{name}/rate"] = rates(ids, n, given.time * 1e-3)
        found[f"{name}/cv"] = interval_cvs(steps, ids, n, given.least_spikes)
        rng, width = np.random.default_rng(seed), round(BIN / model.dt)
        found[f"{name}/correlation"] = correlations(steps, ids, (first + 1, last), width, SAMPLED, rng)
    return found


def run_spikesim(model: Potjans2014, seed: int, given: Any) -> tuple[dict[str, tuple[Any, Any]], str]:
    """Spikes, and the version that made them."""
    with ss.Network(dt=model.dt, seed=seed, threads=given.threads, precision=given.precision) as net:
        model.build(net)
        recorders = {p.name: net.record(p, "spikes") for p in net.populations}
        net.run(given.warmup + given.time, progress=True)
    return {name: (recorder.steps, recorder.ids) for name, recorder in recorders.items()}, ss.__version__


def run_nest(model: Potjans2014, seed: int, given: Any) -> tuple[dict[str, tuple[Any, Any]], str]:
    """The same, by the network's own program for NEST."""
    with tempfile.TemporaryDirectory() as folder:
        job = {"parameters": plain(facts(model)), "time": given.warmup + given.time, "seed": seed}
        job |= {"threads": given.threads, "spikes": str(Path(folder) / "spikes.npz")}
        command = [choose(model.name(), given.peers)["nest"], str(programs(model.name())["nest"])]
        done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"NEST failed: {done.stderr}")
        with np.load(job["spikes"]) as held:
            spikes = {name: (held[f"{name}_steps"], held[f"{name}_ids"]) for name in POPULATIONS}
    return spikes, json.loads(done.stdout.strip().splitlines()[-1])["version"]


RUNS = {"spikesim": run_spikesim, "nest": run_nest}


def statistics(simulator: str, model: Potjans2014, seed: int, given: Any) -> dict[str, Any]:
    """Statistics of one run, from --work if they are there already."""
    which = f"{given.precision}_{source_digest()}" if simulator == "spikesim" else f"threads{given.threads}"
    scale = f"N{model.N_scaling:g}_K{model.K_scaling:g}"
    name = f"{simulator}_{which}_{scale}_{given.warmup:g}+{given.time:g}ms_{given.least_spikes}_seed{seed}.npz"
    kept = None if given.work is None else given.work / name
    if kept is not None and kept.exists():
        with np.load(kept) as held:
            return dict(held)
    print(f"{simulator}, seed {seed}", flush=True)
    spikes, version = RUNS[simulator](model, seed, given)
    found = {**statistics_of(spikes, model, given, seed), "version": np.array(version)}
    if kept is not None:
        given.work.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part.npz")
        np.savez(part, **found)
        part.replace(kept)
    return found


def ks_distance(a: Any, b: Any) -> float:
    """The largest difference of the two samples' distribution functions; nan if one is empty."""
    if not len(a) or not len(b):
        return math.nan
    both = np.concatenate([a, b])
    below = [np.searchsorted(np.sort(sample), both, side="right") / len(sample) for sample in (a, b)]
    return float(np.abs(below[0] - below[1]).max())


def distances(samples: list[Any]) -> Any:
    """(runs, runs) Kolmogorov-Smirnov distances."""
    found = np.zeros((len(samples), len(samples)))
    for i, j in itertools.combinations(range(len(samples)), 2):
        found[i, j] = found[j, i] = ks_distance(samples[i], samples[j])
    return found


def p_value(apart: Any, n: int) -> float | None:
    """How often a division of the runs into n and the others puts the two groups as far apart on average as the first n
    and the others are: small where the simulators differ. None where a distance is unknown."""
    runs = len(apart)
    if np.isnan(apart).any():
        return None
    if math.comb(runs, n) <= RELABELLINGS:
        groups = list(itertools.combinations(range(runs), n))
    else:
        rng = np.random.default_rng(0)
        groups = [tuple(range(n)), *(tuple(rng.permutation(runs)[:n]) for _ in range(RELABELLINGS - 1))]
    member = np.zeros((len(groups), runs))
    for row, group in zip(member, groups, strict=True):
        row[list(group)] = 1.0
    across = np.einsum("gi,ij,gj->g", member, apart, 1.0 - member)
    observed = across[groups.index(tuple(range(n)))]
    return float(np.mean(across >= observed * (1.0 - 1e-9)))


def compare(apart: Any, n: int) -> dict[str, Any]:
    """What is said of one statistic of one population; the first `n` runs are ours."""
    cross, among = apart[:n, n:].ravel(), apart[n:, n:][np.triu_indices(len(apart) - n, 1)]
    middle = float(np.median(cross))
    if np.isnan(apart).any():
        verdict = "unknown"
    else:
        verdict = "further" if middle > among.max() else "closer" if middle < among.min() else "within"
    return {
        "verdict": verdict,
        "p": p_value(apart, n),
        **{f"spikesim_nest_{name}": float(f(cross)) for name, f in (("median", np.median), ("max", np.max))},
        **{
            f"nest_nest_{name}": float(f(among))
            for name, f in (("median", np.median), ("min", np.min), ("max", np.max))
        },
        "spikesim_nest": cross.round(5).tolist(),
        "nest_nest": among.round(5).tolist(),
    }


def mean_distance(matrices: list[Any]) -> Any:
    """The mean of several distance matrices, each in units of its own mean, by which one p value covers them all."""
    return np.mean([each / (each.mean() or 1.0) for each in matrices], axis=0)


def draw(runs: dict[str, list[dict[str, Any]]], found: dict[str, Any], path: Path, title: str, step: float) -> None:
    """A row for each statistic, a column for each population; the band is the range over seeds. `step`: between two
    rates (Hz)."""
    figure = Figure(figsize=(17.0, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(STATISTICS), len(POPULATIONS))
    for row, (statistic, label) in enumerate(STATISTICS.items()):
        for ax, population in zip(axes[row], POPULATIONS, strict=True):
            key = f"{population}/{statistic}"
            pooled = np.concatenate([run[key] for each in runs.values() for run in each])
            low, high = np.percentile(pooled, [0.5, 99.5]) if len(pooled) else (0.0, 1.0)
            edges = np.linspace(low, max(high, low + 1e-9), 26)
            if statistic == "rate":  # as many possible rates in every bin
                edges = np.arange(-0.5 * step, high + step, step * max(1, round(high / step / 25)))
            for simulator, each in runs.items():
                heights = np.array([np.histogram(run[key], edges)[0] / max(1, len(run[key])) for run in each])
                heights = heights / np.diff(edges)
                ax.stairs(heights.mean(axis=0), edges, color=COLOURS[simulator], label=simulator, linewidth=1.3)
                ax.fill_between(edges, *(np.append(h, h[-1]) for h in (heights.min(axis=0), heights.max(axis=0))),
                                step="post", color=COLOURS[simulator], alpha=0.25, linewidth=0)  # fmt: skip
            said = found[statistic][population]
            ax.set_title(f"KS {said['spikesim_nest_median']:.3f} (NEST {said['nest_nest_median']:.3f})", fontsize=8)
            ax.set(xlabel=label, yticks=[], ylim=(0.0, None))
            ax.spines[["top", "right", "left"]].set_visible(False)
            if row == 0:
                ax.annotate(population, (0.5, 1.22), xycoords="axes fraction", ha="center", weight="bold")
    axes[0, -1].legend(frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=120)


def summary(found: dict[str, Any], apart: dict[str, Any], n: int) -> dict[str, Any]:
    """How many verdicts of each kind, and p values over all populations, by statistic and altogether."""
    each = [one for by in found.values() for one in by.values()]
    matrices = {statistic: list(by.values()) for statistic, by in apart.items()}
    return {
        "verdicts": dict(Counter(one["verdict"] for one in each)),
        "p_below_0.05": sum(one["p"] is not None and one["p"] < 0.05 for one in each),
        "p_by_statistic": {statistic: p_value(mean_distance(some), n) for statistic, some in matrices.items()},
        "p": p_value(mean_distance(list(itertools.chain(*matrices.values()))), n),
    }


def table(found: dict[str, Any]) -> str:
    """A line for each statistic of each population."""
    lines = [f"{'':18}{'spikesim':>10}{'NEST':>10}{'KS':>8}{'max':>8}{'NEST-NEST':>18}{'p':>7}"]
    for statistic, name in itertools.product(STATISTICS, POPULATIONS):
        e = found[statistic][name]
        spread = f"{e['nest_nest_min']:.3f} to {e['nest_nest_max']:.3f}"
        p = "" if e["p"] is None else f"{e['p']:.3f}"
        lines.append(
            f"{statistic:12}{name:6}{e['spikesim_mean']:10.4f}{e['nest_mean']:10.4f}{e['spikesim_nest_median']:8.3f}"
            f"{e['spikesim_nest_max']:8.3f}{spread:>18}{p:>7}  {e['verdict']}"
        )
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, run, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="runs of each simulator, with seeds from 1 on")
    parser.add_argument("--time", type=float, default=20000.0, help="ms, after the warm-up")
    parser.add_argument("--warmup", type=float, default=500.0, help="ms")
    parser.add_argument("--least-spikes", type=int, default=10, help="of a neuron, for its CV to count")
    parser.add_argument("--precision", choices=("double", "single"), default="double", help="of spikesim")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", default="nest", metavar="nest=PYTHON")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    model = Potjans2014(N_scaling=0.1)
    if given.quick:
        given.seeds, given.time, given.least_spikes = 3, 1000.0, 3
        model = Potjans2014(N_scaling=0.02, K_scaling=0.2)
    if given.seeds < 2:
        parser.error("--seeds must be 2 or more: the yardstick is how far seeds are apart")
    seeds = range(1, given.seeds + 1)
    runs = {simulator: [statistics(simulator, model, seed, given) for seed in seeds] for simulator in RUNS}
    everything = [run for each in runs.values() for run in each]
    apart = {
        statistic: {name: distances([run[f"{name}/{statistic}"] for run in everything]) for name in POPULATIONS}
        for statistic in STATISTICS
    }
    found = {s: {name: compare(each, given.seeds) for name, each in by.items()} for s, by in apart.items()}
    for statistic, name, simulator in itertools.product(STATISTICS, POPULATIONS, RUNS):
        values = np.concatenate([run[f"{name}/{statistic}"] for run in runs[simulator]])
        found[statistic][name][f"{simulator}_mean"] = float(np.mean(values)) if len(values) else math.nan
    said = summary(found, apart, given.seeds)
    print(table(found), "\n", said, sep="")
    out = given.out or (None if given.quick else RESULTS)
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    told = {
        "network": model.name(), "parameters": model.values(), "warmup_ms": given.warmup, "time_ms": given.time,
        "seeds": list(seeds), "threads": given.threads, "precision": given.precision, "bin_ms": BIN,
        "neurons_correlated": SAMPLED, "least_spikes": given.least_spikes,
        "versions": {simulator: str(each[0]["version"]) for simulator, each in runs.items()},
        "summary": said, "statistics": found, "provenance": provenance(),
    }  # fmt: skip
    path = out / f"{NAME}.json"
    path.write_text(json.dumps(plain(told), indent=2) + "\n", encoding="utf-8")
    title = f"N_scaling {model.N_scaling:g}, {given.time:g} ms, {given.seeds} seeds of each; bands: their range"
    draw(runs, found, path.with_suffix(".png"), f"potjans_2014, {title}", 1e3 / given.time)
    print(f"wrote {path} and .png")


if __name__ == "__main__":
    main()
