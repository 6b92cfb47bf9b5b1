"""Rate networks whose backward weights learn to be of use (Kunin et al. 2020)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import h5py
import numpy as np

from spikesim import __version__
from spikesim.alignment import STRATEGIES, Strategy, align, coefficients_of
from spikesim.angles import projection_angles, teaching_angles, weight_angle
from spikesim.errors import SpikesimError
from spikesim.experiment import NetworkModel
from spikesim.memory import available
from spikesim.output import check_writable
from spikesim.rate_layers import RateLayers
from spikesim.rng import Stream, fresh_seed

PIXELS, CLASSES = 784, 10
PROBED = 1000  # test images on which angles are measured
BACKPROP = "backprop"
INK_MEAN, INK_SD = 0.1307, 0.3081  # of all pixels of the training set


class Kunin2020(NetworkModel):
    """MNIST in layers of rate units: W learns by the errors that B brings, and B learns by a strategy of
    `spikesim.alignment`, both in every mini-batch.

    Hidden units are tanh, rectified or logistic, outputs logistic with the cross-entropy as loss; learning is by plain
    gradient descent. The coefficients of the strategies are those of the authors' program. All else is our choice, as
    the paper has ResNets on ImageNet: they learned in some 450,000 updates, and eta_B makes up for the fewer ones here.
    kolen_pollack takes no eta_B: B and W share their updates, decay and all, and so their eta.

    There is no time in it, so dt (ms) is of no use. Matrix products are NumPy's: the same seed gives the same bits with
    the same BLAS and number of its threads, and else the same to within rounding.

    JSON of a run: `test_error` (%), `seconds` (training, without tests), `diverged` if the weights ran away, which ends
    the run, and `curve`: for each epoch, 0 being before any, `epoch`, `test_error` and three angles (degrees) between
    the ways of W and B, for each matrix from the second on: of W and B^T themselves, `weight_angle`, of what they make
    of the activities below, `projection_angle`, and of the errors above, `gradient_angle`. With `out` the weights are
    kept in an HDF5 file.
    """

    hidden: str = "500,500"  # units per hidden layer
    activation: str = "tanh"  # of hidden units
    strategy: str = "symmetric_alignment"
    coefficients: str = ""  # in place of the strategy's: decay=2e-3,amp=1e-3
    spread: float = 0.1  # of the initial W, normal, in units of what keeps the variance from layer to layer
    spread_B: float = 0.1  # of the initial B, in the same units
    eta: float = 0.2  # of W, at first
    decline: float = 0.9  # share of eta that is gone at the end; it goes in equal steps
    eta_B: float = 10.0  # of B
    epochs: int = 10
    ahead: int = 0  # epochs before these in which B learns and W does not
    batch: int = 100
    mirror: str = "activity"  # what B learns from: activity, or noise below each layer
    mirror_var: float = 1.0  # variance of that noise
    centre: bool = False  # B learns from activities less their means over the mini-batch
    noise: float = 0.0  # variance; each update of the weights has sqrt(noise) eta times a normal number added
    noise_on: str = "W"  # W, B or both
    train_images: int = 60000  # per epoch, in a new order each
    test_images: int = 10000  # the first ones of the test set
    mnist_folder: str = ""  # a folder with the four IDX files; empty: those that come along

    title = "Backward weights learn to align with the forward weights"
    reference = "doi:10.48550/arXiv.2003.01513"
    choices = {"strategy": (BACKPROP, *STRATEGIES), "activation": ("tanh", "relu", "logistic"),
               "mirror": ("activity", "noise"), "noise_on": ("W", "B", "both")}  # fmt: skip
    limits = {**NetworkModel.limits, "eta": ("> 0",), "eta_B": (">= 0",), "epochs": (">= 0",), "ahead": (">= 0",),
              "decline": (">= 0", "<= 1"), "batch": (">= 1",), "noise": (">= 0",), "mirror_var": ("> 0",),
              "spread": ("> 0",), "spread_B": ("> 0",), "train_images": (">= 1", "<= 60000"),
              "test_images": (">= 1", "<= 10000")}  # fmt: skip

    def __init__(self, **given):
        super().__init__(**given)
        self.sizes = (PIXELS, *self._layers(), CLASSES)
        known = STRATEGIES.get(self.strategy, Strategy({}))
        own = coefficients_of(self.coefficients) if self.coefficients else known.coefficients
        self.plan_of_B = known._replace(coefficients=own)
        if self.strategy == BACKPROP and (self.coefficients or self.noise and self.noise_on != "W"):
            raise SpikesimError(f"{type(self).__name__}: backprop has no B of its own; "
                                "give no coefficients, and noise_on=W.")  # fmt: skip

    def _layers(self):
        """Units of the hidden layers, from `hidden`."""
        try:
            units = [int(part) for part in self.hidden.split(",")]
        except ValueError:
            units = []
        if not units or min(units) < 1:
            raise SpikesimError(f"{type(self).__name__}: hidden is numbers of units separated by commas, "
                                f"not {self.hidden!r}.")  # fmt: skip
        return units

    def widths(self):
        """Standard deviations of the initial W and B of each layer."""
        return [np.sqrt((2.0 if self.activation == "relu" else 1.0) / below) for below in self.sizes[:-1]]

    # Learning ---------------------------------------------------------------------------------------------

    def make(self, seed, precision="double"):
        """The layers with their initial weights, and the random numbers of mirroring and of noise."""
        widths = np.array(self.widths())
        activations = [self.activation] * (len(self.sizes) - 2) + ["logistic"]
        self.net = RateLayers(self.sizes, activations, omega=self.spread * widths, beta=self.spread_B * widths,
                              transport="transpose" if self.strategy == BACKPROP else "fixed", loss="cross_entropy",
                              distribution="normal", seed=seed,
                              dtype=np.float32 if precision == "single" else np.float64)  # fmt: skip
        self.mirrored, self.jitter = Stream(seed, "NOISE", 0), Stream(seed, "NOISE", 1)

    def learn(self, x, target, eta, task=True):
        """One mini-batch: x (n, 784), target (n, 10). B learns from W as it was before; without `task` B alone does."""
        net, (coefficients, shared) = self.net, self.plan_of_B
        a = net.forward(x)
        delta = net.backward(a, target - a[-1])
        if self.strategy != BACKPROP and (task or not shared):
            for k in range(1, net.layers):
                below, above = self._seen(a[k], k)
                B = align(net.B[k], net.W[k], below, above, coefficients, eta if shared else self.eta_B)
                net.B[k] = B + eta * (a[k].T @ delta[k]) / len(x) if shared else B
        if task:
            net.update(a, delta, eta, decay=coefficients.get("decay", 0.0) if shared else 0.0)
        if self.noise:
            self._shake(eta)

    def _seen(self, a, k):
        """The activities below and above the k-th matrix that its B learns from."""
        if self.mirror == "noise":
            a = self._normal(self.mirrored, a.shape, self.mirror_var)
        if self.centre:
            a = a - a.mean(axis=0)
        return a, a @ self.net.W[k].T

    def _shake(self, eta):
        """Noise on this update of W, B or both."""
        for matrix in (
            *(self.net.W if self.noise_on != "B" else ()),
            *(self.net.B[1:] if self.noise_on != "W" else ()),
        ):
            matrix += self._normal(self.jitter, matrix.shape, self.noise * eta**2)

    def _normal(self, stream, shape, variance):
        drawn = np.sqrt(variance) * stream.normal(shape[0] * shape[1])
        return drawn.reshape(shape).astype(self.net.dtype)

    # Training ---------------------------------------------------------------------------------------------

    def simulate(self, options):
        """Train and test. Raises SpikesimError for broken image files. See the class for what is returned."""
        if options.out:
            check_writable(Path(options.out))  # before the work, not after it
        seed = fresh_seed() if options.seed is None else options.seed
        self.make(seed, options.precision)
        images, labels = self._images("train", 60000)
        self.test_set = self._images("test", self.test_images)
        curve, seconds, interrupted = [self.measure(-self.ahead)], 0.0, False
        epochs = range(1 - self.ahead, self.epochs + 1)
        with (
            _bar(len(epochs) * self.train_images, options.progress) as bar,
            np.errstate(over="ignore", invalid="ignore"),
        ):
            try:
                for epoch in epochs:
                    began = time.perf_counter()
                    order = Stream(seed, "TASK", epoch + self.ahead).permutation(len(images))[: self.train_images]
                    for done in range(0, len(order), self.batch):
                        chosen = order[done : done + self.batch]
                        gone = max(0.0, epoch - 1 + done / len(order)) / max(1, self.epochs)
                        eta = self.eta * (1.0 - self.decline * gone)
                        self.learn(images[chosen], labels[chosen], eta, task=epoch > 0)
                        bar.update(len(chosen))
                    seconds += time.perf_counter() - began
                    curve.append(self.measure(epoch))
                    bar.set_postfix_str(f"test error {curve[-1]['test_error']:.2f} %")
                    if self.diverged:
                        break
            except KeyboardInterrupt:
                interrupted = True
                curve.append(self.measure(epoch - 1 + done / len(order)))
        found = {
            "test_error": curve[-1]["test_error"], "curve": curve, "seconds": seconds, "interrupted": interrupted,
            "diverged": self.diverged, "seed": seed, "threads": 1, "precision": options.precision,
            "network": self.name(), "parameters": self.values(), "out": options.out, "version": __version__,
        }  # fmt: skip
        if options.out:
            self.save(options.out, found)
        return found

    @property
    def diverged(self):
        """Whether some weight is no number any more."""
        return not all(np.isfinite(W).all() for W in (*self.net.W, *self.net.B[1:]))

    def measure(self, epoch):
        """Test error and the three angles of the network as it is, see the class."""
        net, (images, labels) = self.net, self.test_set
        a = net.forward(images)
        wrong = a[-1].argmax(axis=1) != labels.argmax(axis=1)
        a = [each[:PROBED] for each in a]
        delta = net.backward(a, labels[:PROBED] - a[-1])
        pairs = list(zip(net.W, net.carriers(), a, delta, strict=False))[1:]
        return {
            "epoch": epoch,
            "test_error": 100.0 * float(wrong.mean()),
            "weight_angle": [weight_angle(W, B) for W, B, _, _ in pairs],
            "projection_angle": [_mean(projection_angles(x, W, B)) for W, B, x, _ in pairs],
            "gradient_angle": [_mean(teaching_angles(d, W, B)) for W, B, _, d in pairs],
        }

    def _images(self, split, most):
        """(n, 784) inks of mean 0 and variance 1, and (n, 10) targets of 0 and 1."""
        from spikesim.data.mnist import load_mnist

        images, labels = load_mnist(split, self.mnist_folder or None)
        inks = (images[:most].reshape(-1, PIXELS) / 255 - INK_MEAN) / INK_SD
        return inks.astype(self.net.dtype), np.eye(CLASSES, dtype=self.net.dtype)[labels[:most]]

    def plan(self, options):
        """Units, weights, and the memory for them and the images; nothing is made."""
        pairs = list(zip(self.sizes, self.sizes[1:], strict=False))
        weights = sum((below + 1) * above for below, above in pairs) + sum(below * above for below, above in pairs[1:])
        needed, free = (4 if options.precision == "single" else 8) * (3 * weights + 2 * 70_000 * PIXELS), available()
        return {"neurons": sum(self.sizes), "synapses": weights, "memory_gb": needed / 1e9, "available_gb": free / 1e9,
                "fits": needed < free, "threads": 1, "precision": options.precision}  # fmt: skip

    def save(self, path, found):
        """W, b, B of every layer and the test errors as HDF5. Raises OSError where the file cannot be written."""
        with h5py.File(path, "w") as file:
            file.attrs.update({**self.values(), "seed": found["seed"]})
            file["test_error"] = [point["test_error"] for point in found["curve"]]
            for k, (W, b, B) in enumerate(zip(self.net.W, self.net.b, self.net.B, strict=True)):
                for name, array in (("W", W), ("b", b), *([] if B is None else [("B", B)])):
                    file[f"layer_{k + 1}/{name}"] = array


def _mean(angles):
    """Mean of the angles that there are: a row of zeros has none."""
    return float(angles[~np.isnan(angles)].mean()) if not np.isnan(angles).all() else float("nan")


def _bar(total, shown):
    from tqdm import tqdm

    return tqdm(total=total, unit=" images", desc="training", file=sys.stderr,
                disable=not (shown and sys.stderr.isatty()))  # fmt: skip
