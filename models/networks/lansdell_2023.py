"""Two neurons with correlated noise learn what each does for the reward (Lansdell & Kording 2023)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import h5py
import numpy as np

from spikesim import Network, OneToOne, SpikesimError, __version__
from spikesim.discontinuity import MODELS, OnlineDiscontinuity, constant_effect, linear_effect
from spikesim.experiment import NetworkModel
from spikesim.models.neurons.current_sources import NoiseSource
from spikesim.models.neurons.lif_drive import LIFDrive
from spikesim.output import check_writable

SETTLE = 10  # windows before the first that counts
NEAR = 0.05  # of the threshold: drives at which interventions tell what a spike does there
POINTS = 50  # of the course of on-line learning


class Lansdell2023(NetworkModel):
    """Pairs of integrate-and-fire neurons whose noise has the correlation c, and a reward R that depends on both.

        dv_i/dt = -v_i/tau_m + w xi_i,  xi_i = sqrt(c) common + sqrt(1 - c) own
        s_i = spikes of i through e^(-t/tau_s)/tau_s
        R = (a s_1 + b s_2 - x^2)^2 at the end of a window of T ms

    with threshold 1, reset 0 and no potential below 0. Noise has the s.d. sigma/sqrt(tau_m), tau_m in s and xi in 1/s,
    is drawn anew in every step of 1 ms and not scaled with it, as in the authors' program; s_i counts in spikes a step.
    The first neuron's effect on R is estimated from its highest drive Z in each window, with both models of
    `spikesim.discontinuity` and bands p, and compared with interventions: each window is lived through three times
    from the same state and with the same noise, as it is, with the neuron silent, and with a spike of it for certain
    (`LIFDrive`), where its drive was highest if it would not have fired. `pairs` such pairs run for the time given.

    JSON of a run, for each c: observed_dependence (R with a spike less R without); do_at_threshold, do_treated and
    do_all, the mean of R(do spike) - R(do no spike) over windows with Z near the threshold, over those with a spike,
    and over all; do_error, the standard error of the first; constant and linear, the estimates over `bands` from
    all windows, and constant_range, linear_range, in which two thirds of those from the windows of one pair are;
    online, the course of the on-line estimates with band `p`, median over pairs and range; rate_hz; spike_probability;
    windows. null: too few windows to say. `run_s` and `cpu_s` are seconds. With `out` Z and R of all windows are kept
    as HDF5. Ctrl-C keeps the correlations that are done.
    """

    pairs: int = 100
    c: str = "0,0.01,0.5,0.99"  # correlations of the noise; 0: nothing is confounded
    bands: str = "0.02,0.03,0.05,0.07,0.1,0.15,0.2,0.3,0.5,0.7,1"
    p: float = 0.1  # band of the on-line estimates
    w: float = 10.0  # weight of the noise
    sigma: float = 10.0
    tau_m: float = 1000.0  # ms
    t_ref: float = 3.0  # ms
    T: float = 50.0  # ms, a window
    a: float = -30.0
    b: float = 20.0
    x: float = -4.0
    tau_s: float = 200.0  # ms, as in the authors' program; 20 in their paper
    dt: float = 1.0  # ms

    title = "Lansdell & Kording 2023: causal effects of spikes on a reward"
    reference = "doi:10.1371/journal.pcbi.1011005"
    duration = 100_000.0  # ms
    small = {"pairs": 4, "c": "0.5", "bands": "0.5,1", "T": 5.0}
    limits = {
        "pairs": (">= 1",), "p": ("> 0",), "w": ("> 0",), "sigma": ("> 0",), "t_ref": (">= 0",), "T": ("> 0",),
        "dt": ("> 0",),
    }  # fmt: skip

    def __init__(self, **given):
        super().__init__(**given)
        self.correlations, self.widths = self._numbers("c"), self._numbers("bands")
        if not all(0.0 <= c <= 1.0 for c in self.correlations):
            raise SpikesimError(f"Lansdell2023: c is correlations from 0 to 1, not {self.c!r}.")
        if not all(p > 0.0 for p in self.widths):
            raise SpikesimError(f"Lansdell2023: bands must be positive, not {self.bands!r}.")

    def _numbers(self, name):
        try:
            return [float(part) for part in getattr(self, name).split(",")]
        except ValueError:
            raise SpikesimError(f"Lansdell2023: {name} is numbers separated by commas, "
                                f"not {getattr(self, name)!r}.") from None  # fmt: skip

    # The network ------------------------------------------------------------------------------------------

    def build(self, net, c=None):
        """The pairs, with noise of correlation c, by default the first of the correlations."""
        c = self.correlations[0] if c is None else c
        neuron = LIFDrive(tau_m=self.tau_m, t_ref=self.t_ref, V_min=0.0)
        self.net, self.cells = net, [net.add(neuron, self.pairs, name=name) for name in ("first", "second")]
        noise = NoiseSource(std=self.sigma / np.sqrt(self.tau_m * 1e-3) * 1e-3)  # 1/ms
        common, *own = (net.add(noise, self.pairs, name=name) for name in ("common", "own_1", "own_2"))
        for cell, private in zip(self.cells, own, strict=True):
            for source, share in ((common, c), (private, 1.0 - c)):
                net.connect(source, cell, OneToOne(), weight=self.w * np.sqrt(share), delay=net.dt, receptor="current")
        self.spikes = [net.record(cell, "spikes") for cell in self.cells]
        self.s = np.zeros((2, self.pairs))  # s_i at the beginning of the window

    def reward(self, s):
        """(pairs,) R."""
        return (self.a * s[0] + self.b * s[1] - self.x**2) ** 2

    def _live(self):
        """Run through one window. Returns s_i at its end and spikes, both (2, pairs)."""
        for recorder in self.spikes:
            recorder.clear()
        self.net.run(self.T)
        s, counts = self.s * np.exp(-self.T / self.tau_s), np.zeros((2, self.pairs), dtype=np.int64)
        for k, recorder in enumerate(self.spikes):
            heights = self.net.dt / self.tau_s * np.exp((recorder.times - self.net.time) / self.tau_s)
            s[k] += np.bincount(recorder.ids, heights, minlength=self.pairs)
            counts[k] = np.bincount(recorder.ids, minlength=self.pairs)
        return s, counts

    def window(self):
        """One window, three times. Returns (pairs,) arrays: Z, R, R(do spike), R(do no spike), spikes of the first.

        The drive does not depend on spikes, so the silent neuron tells its Z and where it was highest. A neuron that
        fires of itself does the same under do(spike).
        """
        first, net = self.cells[0], self.net
        net.trigger("window")
        state = net.store()
        first.set(mute=1.0)
        silent, _ = self._live()
        Z, when = first.get("Z"), first.get("Z_step")
        net.restore(state)
        first.set(force=np.where(Z < first.get("V_th"), when, 0.0))
        forced, _ = self._live()
        net.restore(state)
        self.s, counts = self._live()
        return Z, self.reward(self.s), self.reward(forced), self.reward(silent), counts[0]

    # Windows ----------------------------------------------------------------------------------------------

    def simulate(self, options):
        """Run each correlation. Raises SpikesimError for a time that is not a whole number of windows, and for what
        `out` cannot be. See the class for what is returned."""
        if options.out:
            check_writable(Path(options.out))
        duration = self.duration if options.time is None else options.time
        n = round(duration / self.T)
        if n < 1 or abs(n * self.T - duration) > 1e-6 * duration:
            raise SpikesimError(f"Lansdell2023: time is a multiple of the window T = {self.T:g} ms, not {duration:g}.")
        settings = dict(dt=self.dt, threads=options.threads, precision=options.precision, max_rate=options.max_rate)
        seed = Network(seed=options.seed, **settings).seed
        began, cpu, found, self.seen, interrupted = time.perf_counter(), time.process_time(), {}, {}, False
        try:
            for c in self.correlations:
                with Network(seed=seed, **settings) as net:
                    self.build(net, c)
                    found[f"{c:g}"] = self._estimate(c, n, options.progress and not options.quiet)
        except KeyboardInterrupt:
            interrupted = True
        result = {
            "correlations": found, "bands": self.widths, "run_s": time.perf_counter() - began,
            "cpu_s": time.process_time() - cpu, "time_ms": duration, "interrupted": interrupted, "seed": seed,
            "threads": options.threads, "precision": options.precision, "network": self.name(),
            "parameters": self.values(), "out": options.out, "version": __version__,
        }  # fmt: skip
        if options.out:
            self.save(options.out, result)
        return result

    def _estimate(self, c, n, progress):
        """Live through n windows and tell what the class says of one correlation."""
        online = {model: OnlineDiscontinuity(1.0, self.p, model=model, n=self.pairs) for model in MODELS}
        course = {"seconds": [], **{f"{model}{of}": [] for model in MODELS for of in ("", "_range")}}
        report = {max(1, round(k * n / POINTS)) for k in range(1, POINTS + 1)}
        rows = []
        for _ in range(SETTLE):
            self.s, _ = self._live()
        with _bar(n * self.T * 1e-3, c, progress) as bar:
            for k in range(1, n + 1):
                rows.append(self.window())
                for estimate in online.values():
                    estimate.learn(*rows[-1][:2])
                if k in report:
                    course["seconds"].append(k * self.T * 1e-3)
                    for model, estimate in online.items():
                        course[model].append(_known(np.median(estimate.effect)))
                        course[f"{model}_range"].append(_middle(estimate.effect))
                bar.update(self.T * 1e-3)
        Z, R, R_spike, R_silent, spikes = self.seen[c] = np.swapaxes(rows, 0, 1)  # each (windows, pairs)
        effect, fired, near = R_spike - R_silent, spikes > 0, np.abs(Z - 1.0) < NEAR
        found = {
            "observed_dependence": _known(constant_effect(Z.ravel(), R.ravel(), 1.0, np.inf)),
            "do_at_threshold": _mean(effect[near]), "do_error": _error(effect[near]),
            "do_treated": _mean(effect[fired]), "do_all": _mean(effect), "spike_probability": float(fired.mean()),
            "rate_hz": float(spikes.mean() / self.T * 1e3), "windows": int(Z.size), "online": course,
        }  # fmt: skip
        for model, estimate in (("constant", constant_effect), ("linear", linear_effect)):
            found[model] = [_known(estimate(Z.ravel(), R.ravel(), 1.0, p)) for p in self.widths]
            single = [[estimate(z, r, 1.0, p) for z, r in zip(Z.T, R.T, strict=True)] for p in self.widths]
            found[f"{model}_range"] = [_middle(values) for values in single]
        return found

    def save(self, path, result):
        """For each c a group with Z, R, R_spike, R_silent and spikes, (windows, pairs)."""
        with h5py.File(path, "w") as file:
            file.attrs.update({**self.values(), "seed": result["seed"]})
            for c, rows in self.seen.items():
                for name, values in zip(("Z", "R", "R_spike", "R_silent", "spikes"), rows, strict=True):
                    file[f"{c:g}/{name}"] = values


def _known(value):
    return float(value) if np.isfinite(value) else None


def _mean(values):
    return float(values.mean()) if values.size else None


def _error(values):
    """Standard error of the mean."""
    return float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else None


def _middle(values):
    """[16th, 84th] percentile, between which two thirds are; None where one of them is not known."""
    return [float(q) for q in np.percentile(values, [16, 84])] if np.isfinite(values).all() else None


def _bar(total, c, shown):
    from tqdm import tqdm

    layout = "{desc} {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of model time [{elapsed}<{remaining}]"
    return tqdm(total=total, desc=f"c = {c:g}", bar_format=layout, file=sys.stderr,
                disable=not (shown and sys.stderr.isatty()))  # fmt: skip
