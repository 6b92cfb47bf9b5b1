"""Neurons find their own forward weights by regression discontinuity (Guerguiev, Kording & Richards 2020)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import h5py
import numpy as np

from spikesim import AllToAll, Network, OneToOne, __version__
from spikesim.causal_feedback import ESTIMATES, CausalFeedback
from spikesim.experiment import NetworkModel
from spikesim.models.neurons.lif import LIF
from spikesim.models.neurons.lif_drive import LIFDrive
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.output import check_writable
from spikesim.rng import Stream

POINTS = 40  # of the course


class Guerguiev2020(NetworkModel):
    """N_in neurons, each with a Poisson input, send to N_out neurons and estimate what their own spikes do there.

    In every stimulus of `stimulus` ms a fraction `active` of the inputs, chosen anew, fires at `rate` Hz; others are
    silent. All are `LIFDrive` neurons, tau_m dV/dt = -V + I with tau_m = 10 ms, threshold 1 and reset -1: a membrane
    of 20 ms that a dendritic conductance as large as the leak makes twice as fast. A spike of weight w adds w kappa(t)
    to tau dV/dt, with tau = 20 ms and kappa a difference of exponentials of 10 and 3 ms and of unit area; w = w_in for
    the inputs, and for forward synapses

        w_ij = scale (z_ij / (2 sqrt(n)) + 1/n),  z_ij normal,  n = active N_in.

    What a sender sees of a receiver is its spikes through kappa, the postsynaptic potential in the feedback synapse.
    Estimates are those of `spikesim.causal_feedback`: "online" with `eta`, and with all windows so far weighted alike
    "linear", by least squares, and "constant", the difference of means. Network and numbers are those of Ahmad et al.
    2020, who compare this rule with theirs (arXiv:2003.03988); the rule is that of arXiv:1910.01689.

    JSON of a run: course [{seconds, estimate: {correlation, sign_agreement}}, ...], `final` (its last), windows below
    and above the threshold, rates_hz, run_s and cpu_s. Estimates are B, correlation is that with the forward weights W
    and sign_agreement the fraction of synapses whose sign is right; `always_positive` is what a guess would get. With
    `out` W, all B and the course are kept as HDF5. Ctrl-C ends the run with what there is. It uses one thread, whatever
    is asked for: with delays of one step two threads would mostly wait for each other.
    """

    N_in: int = 100
    N_out: int = 10
    active: float = 0.2
    rate: float = 200.0  # Hz, of an active input
    stimulus: float = 100.0  # ms
    w_in: float = 10.0
    scale: float = 75.0  # of the forward weights
    alpha: float = 0.025  # below the threshold, where a window opens
    window: float = 35.0  # ms
    eta: float = 1e-4
    cap: float = 10.0  # farthest drive from the threshold that counts
    dt: float = 0.25  # ms

    title = "Guerguiev, Kording & Richards 2020: feedback weights by regression discontinuity"
    reference = "doi:10.48550/arXiv.1910.01689"
    duration = 4_000_000.0  # ms
    small = {"N_in": 10, "N_out": 2, "stimulus": 10.0, "window": 5.0}
    limits = {
        "N_in": (">= 1",), "N_out": (">= 1",), "active": ("> 0", "<= 1"), "rate": (">= 0",), "stimulus": ("> 0",),
        "alpha": ("> 0",), "window": ("> 0",), "eta": ("> 0", "<= 1"), "cap": ("> 0",), "dt": ("> 0",),
    }  # fmt: skip

    tau = 20.0  # ms, what weights are divided by

    def build(self, net):
        """The layers; forward weights from the network's seed."""
        neuron = dict(tau_m=self.tau / 2.0, V_reset=-1.0)
        self.stimuli = net.add(PoissonSource(), self.N_in, name="stimuli")
        self.senders = net.add(LIFDrive(**neuron), self.N_in, name="senders")
        self.receivers = net.add(LIFDrive(**neuron), self.N_out, name="receivers")
        n = self.active * self.N_in
        z = Stream(net.seed, "WEIGHT", 1_000_000).normal(self.N_in * self.N_out)
        self.W = self.scale * (z / (2.0 * np.sqrt(n)) + 1.0 / n)
        to = dict(delay=net.dt, receptor="synaptic")
        net.connect(self.stimuli, self.senders, OneToOne(), weight=self.w_in / self.tau, **to)
        net.connect(self.senders, self.receivers, AllToAll(), weight=self.W / self.tau, **to)
        # A membrane that never fires is the filter kappa: an exponential current of 3 ms on a time constant of 10 ms.
        kappa = LIF(E_L=0.0, V_th=1e30, V_reset=0.0, C_m=1.0, tau_m=10.0, tau_syn_ex=3.0)
        self.feedback = net.add(kappa, self.N_out, name="feedback")
        net.connect(self.receivers, self.feedback, OneToOne(), weight=1.0 / (10.0 * 3.0), delay=net.dt)

    def simulate(self, options):
        """Show stimuli and learn. Raises SpikesimError for a time that is no multiple of dt and for what `out` cannot
        be. See the class for what is returned."""
        if options.out:
            check_writable(Path(options.out))
        net = Network(dt=self.dt, seed=options.seed, precision=options.precision, max_rate=options.max_rate)
        duration = self.duration if options.time is None else options.time
        lengths = self._lengths(net, duration)
        self.build(net)
        rule = CausalFeedback(self.senders, self.feedback, alpha=self.alpha, window=self.window, eta=self.eta,
                              cap=self.cap)  # fmt: skip
        counts = {p.name: net.record(p, "rate", every=duration) for p in (self.senders, self.receivers)}
        self.course, choice, interrupted = [], Stream(net.seed, "TASK", 0), False
        n_active = max(1, round(self.active * self.N_in))
        report = {round(k * len(lengths) / POINTS) for k in range(1, POINTS + 1)}
        began, cpu = time.perf_counter(), time.process_time()
        with net, _bar(duration * 1e-3, options.progress and not options.quiet) as bar:
            try:
                for k, length in enumerate(lengths, 1):
                    self.stimuli.set(rate=self.rate * (choice.permutation(self.N_in) < n_active))
                    net.run(length)
                    if k in report:
                        self.course.append(self._compared(net, rule))
                    bar.update(length * 1e-3)
            except KeyboardInterrupt:
                interrupted = True
                self.course.append(self._compared(net, rule))
        found = {
            "final": self.course[-1], "course": self.course, "always_positive": float((self.W >= 0).mean()),
            "windows": {"below": int(rule.windows[0].sum()), "above": int(rule.windows[1].sum())},
            "rates_hz": {name: float(r.rates.mean()) if len(r.rates) else None for name, r in counts.items()},
            "run_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu, "time_ms": net.time,
            "interrupted": interrupted, "seed": net.seed, "threads": net.threads, "precision": net.precision,
            "network": self.name(), "parameters": self.values(), "out": options.out, "version": __version__,
        }  # fmt: skip
        self.B = {estimate: rule.weights(estimate) for estimate in ESTIMATES}
        if options.out:
            self.save(options.out, found)
        return found

    def _lengths(self, net, duration):
        """ms of each stimulus; the last one may be cut short."""
        steps, each = net.whole_steps(duration, "time"), net.whole_steps(self.stimulus, "stimulus")
        full, rest = divmod(steps, each)
        return [each * net.dt] * full + ([rest * net.dt] if rest else [])

    def _compared(self, net, rule):
        return {"seconds": net.time * 1e-3, **{e: alignment(rule.weights(e), self.W) for e in ESTIMATES}}

    def save(self, path, found):
        """W and the estimates (N_in, N_out), and the course (points, seconds and two numbers an estimate), as HDF5."""
        with h5py.File(path, "w") as file:
            file.attrs.update({**self.values(), "seed": found["seed"]})
            file["W"] = self.W.reshape(self.N_in, self.N_out)
            for name, B in self.B.items():
                file[f"B/{name}"] = B
                file[f"course/{name}"] = np.array([list(row[name].values()) for row in self.course], dtype=float)
            file["course/seconds"] = np.array([row["seconds"] for row in self.course])


def alignment(B, W):
    """How well B, of which entries may be NaN, tells W: {"correlation", "sign_agreement"}; None where nothing can be
    said. NaN has no sign that is right."""
    B, W = np.ravel(B), np.ravel(W)
    known = np.isfinite(B)
    varies = known.sum() > 1 and np.ptp(B[known]) > 0.0 and np.ptp(W[known]) > 0.0
    correlation = float(np.corrcoef(B[known], W[known])[0, 1]) if varies else None
    return {"correlation": correlation, "sign_agreement": float((known & ((B >= 0) == (W >= 0))).mean())}


def _bar(total, shown):
    from tqdm import tqdm

    layout = "{percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of model time [{elapsed}<{remaining}]"
    return tqdm(total=total, bar_format=layout, file=sys.stderr, disable=not (shown and sys.stderr.isatty()))
