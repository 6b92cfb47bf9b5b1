"""Feedback alignment told in spikes: a Poisson forward pass, and errors that two populations fire back."""

from __future__ import annotations

import sys

import numpy as np

from spikesim import AllToAll, Network, OneToOne, __version__
from spikesim.angles import row_angles
from spikesim.errors import SpikesimError
from spikesim.experiment import NetworkModel
from spikesim.models.networks.lillicrap_2016 import Lillicrap2016
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.neurons.poisson_rate import PoissonRate

PIXELS, CLASSES = 784, 10


class Lillicrap2016Spiking(NetworkModel):
    """The rate network of `lillicrap_2016`, 784-hidden-10, when its units are Poisson neurons with the same weights.

    Pixels are Poisson trains of up to phi_max. Output spikes inhibit ten neurons E+ and excite ten neurons E-, which
    the teacher drives to y* and -y*: they fire at phi_error [y* - y]+ and phi_error [y - y*]+, an error in two
    rectified halves. Through B and -B these spikes add up in a variable U of each hidden neuron, so that U -> B e.
    Every image is shown from rest for `presentation` ms; error spikes count once `settle` ms are over.

    A run trains the rate network with feedback alignment on `examples` digits and shows `images` test digits to the
    spiking one. JSON: rate_error (% wrong of the rate network on these images), error_by_time ([[ms, % wrong], ...],
    the answer being the output unit with most spikes until then, a tie shared out evenly), angles ([[number n of error
    spikes, images that had as many, mean angle of U after n spikes to B e, and to W^T e], ...], in degrees, with the
    error e of the rate network), alignment (mean angle of B e to W^T e), n0_expected and images_per_second. If n error
    spikes are Poisson at rates p = |e|/sum |e|, what is random about their sum has (1 - sum p^3/sum p^2)/sum p^2 = n0
    of the power, over n, across e of what it has along e: tan^2(angle) = n0/n. n0_expected is its mean over images.
    """

    hidden: int = 1000
    examples: int = 360_000  # for the rate network to learn from; 0: none
    images: int = 200  # the first ones of the test set
    presentation: float = 500.0  # ms
    settle: float = 50.0  # ms before error spikes count
    phi_max: float = 200.0  # Hz, highest rate of pixels, hidden and output neurons
    phi_error: float = 200.0  # Hz, of an error neuron at an error of 1
    tau_m: float = 10.0  # ms, of hidden and output neurons
    tau_error: float = 50.0  # ms, of error neurons
    dt: float = 1.0  # ms
    mnist_folder: str = ""  # a folder with the four IDX files; empty: those that come along

    title = "Feedback alignment in Poisson spikes"
    reference = "doi:10.1038/ncomms13276"
    small = {"hidden": 20, "examples": 20, "images": 2, "presentation": 60.0}
    limits = {"hidden": (">= 1",), "examples": (">= 0",), "images": (">= 1", "<= 10000"), "presentation": ("> 0",),
              "settle": (">= 0",), "phi_max": ("> 0",), "phi_error": (">= 0",), "dt": ("> 0",)}  # fmt: skip

    #: ms after which the answer is read, and numbers of error spikes after which U is
    TIMES = (5, 10, 20, 50, 100, 150, 200, 250, 300, 400, 500, 700, 1000)
    COUNTS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)

    def train(self, seed):
        """The rate network, `self.rates`, having learned from `examples` digits; without them as it begins."""
        model = Lillicrap2016(task="mnist", hidden=str(self.hidden), examples=max(self.examples, 1),
                              mnist_folder=self.mnist_folder)  # fmt: skip
        model.begin(seed, np.float32)
        self.rates, self.images_and_targets = model.net, model.lessons.test
        return model.learn() if self.examples else iter(())

    def build(self, net):
        """Add the layers with the weights of the rate network, as trained so far; untrained where there is none."""
        if not hasattr(self, "rates"):
            self.train(net.seed)
        (W0, W1), (b0, b1), B = self.rates.W, self.rates.b, self.rates.B[1]
        area = 1e3 / self.phi_max  # ms: what a weight of 1 is for PoissonRate
        unit = dict(phi_max=self.phi_max, tau_m=self.tau_m)
        error = dict(phi_max=self.phi_error, tau_m=self.tau_error, activation="rectified")
        self.input = net.add(PoissonSource(), PIXELS, name="input")
        self.hidden_layer = net.add(PoissonRate(bias=b0.astype(float), **unit), self.hidden, name="hidden")
        self.output = net.add(PoissonRate(bias=b1.astype(float), **unit), CLASSES, name="output")
        self.halves = [net.add(PoissonRate(**error), CLASSES, name=name) for name in ("E+", "E-")]
        wires = [(self.input, self.hidden_layer, area * W0.T), (self.hidden_layer, self.output, area * W1.T)]
        for below, above, weights in wires:
            net.connect(below, above, AllToAll(), weight=weights.astype(float).ravel(), delay=net.dt, receptor="drive")
        for half, sign in zip(self.halves, (1.0, -1.0), strict=True):
            net.connect(self.output, half, OneToOne(), weight=-sign * area, delay=net.dt, receptor="drive")
            net.connect(half, self.hidden_layer, AllToAll(), weight=sign * B.T.astype(float).ravel(), delay=net.dt,
                        receptor="feedback")  # fmt: skip

    def show(self, net, pixels, target):
        """Present one image (784 numbers from 0 to 1) from rest, with its target (10,)."""
        for half, sign in zip(self.halves, (1.0, -1.0), strict=True):
            half.set(bias=sign * np.asarray(target, float), V_m=0.0)
        net.reset()
        self.input.set(rate=self.phi_max * np.asarray(pixels, float))
        net.run(self.presentation)

    def simulate(self, options):
        """Train, then present. See the class for what is returned; after Ctrl-C, that of the images shown so far."""
        from tqdm import tqdm

        if options.out:
            raise SpikesimError("lillicrap_2016_spiking writes no file; leave --out away.")
        net = Network(dt=self.dt, seed=options.seed, precision=options.precision, max_rate=options.max_rate)
        off = not (options.progress and sys.stderr.isatty())
        shown, interrupted = [], False
        try:
            with tqdm(total=self.examples, unit=" examples", desc="learning", file=sys.stderr, disable=off) as bar:
                for done, *_ in self.train(net.seed):
                    bar.update(done - bar.n)
            self.build(net)
            spikes = [net.record(each, "spikes") for each in (self.output, *self.halves)]
            images, targets = (each[: self.images] for each in self.images_and_targets)
            for image, target in zip(tqdm(images, unit=" images", file=sys.stderr, disable=off), targets, strict=True):
                begin = round(net.time / self.dt)
                self.show(net, image, target)
                shown.append([((each.steps - begin) * self.dt, each.ids) for each in spikes])
                for each in spikes:
                    each.clear()
        except KeyboardInterrupt:
            interrupted = True
        n, seconds = len(shown), net.seconds["run"]
        return {
            **(self.findings_of(shown) if n else {}), "images": n, "images_per_second": n / max(seconds, 1e-9),
            "interrupted": interrupted, "seed": net.seed, "threads": 1, "precision": net.precision,
            "network": self.name(), "parameters": self.values(), "out": None, "version": __version__,
        }  # fmt: skip

    def findings_of(self, shown):
        """What the class promises, from ((times, ids) of output, E+ and E-) of each image, times from its onset."""
        images, targets = (each[: len(shown)] for each in self.images_and_targets)
        a = self.rates.forward(images)
        errors, labels = targets - a[-1], targets.argmax(axis=1)
        (Be,), (WTe,) = (self.rates.signals(a, errors, way) for way in ("fixed", "transpose"))
        by_count = {n: [] for n in self.COUNTS}
        for k, (_, *halves) in enumerate(shown):
            for n, U in self._sums(halves):
                by_count[n].append(row_angles(U[None], np.stack([Be[k], WTe[k]])))
        times = [t for t in self.TIMES if t <= self.presentation]
        wrong = [
            np.mean([_wrong(*each[0], t, label) for each, label in zip(shown, labels, strict=True)]) for t in times
        ]
        return {
            "rate_error": 100.0 * float((a[-1].argmax(axis=1) != labels).mean()),
            "error_by_time": [[t, 100.0 * float(w)] for t, w in zip(times, wrong, strict=True)],
            "angles": [[n, len(each), *np.mean(each, axis=0).tolist()] for n, each in by_count.items() if each],
            "alignment": float(row_angles(Be, WTe).mean()),
            "n0_expected": float(noise_across(errors).mean()),
        }

    def _sums(self, halves):
        """(n, U after n error spikes) for the n of COUNTS that were reached, from the (times, ids) of E+ and E-."""
        times = np.concatenate([t for t, _ in halves])
        signed = np.concatenate(
            [sign * np.eye(CLASSES)[ids] for sign, (_, ids) in zip((1.0, -1.0), halves, strict=True)]
        )
        late = times > self.settle
        order = np.argsort(times[late], kind="stable")
        sums = np.cumsum(signed[late][order], axis=0)
        for n in self.COUNTS:
            if n <= len(sums) and sums[n - 1].any():
                yield n, self.rates.B[1] @ sums[n - 1]


def noise_across(errors):
    """(n,) of each row of errors (n, units): n0 of the class's text."""
    p = np.abs(errors) / np.abs(errors).sum(axis=1, keepdims=True)
    square = (p**2).sum(axis=1)
    return (1.0 - (p**3).sum(axis=1) / square) / square


def _wrong(times, ids, until, label):
    """How wrong the answer is: 0, 1, or between the two where several units are first."""
    counts = np.bincount(ids[times <= until], minlength=CLASSES)
    first = counts == counts.max()
    return 1.0 - first[label] / first.sum()
