"""Deep learning with segregated dendrites on MNIST (Guerguiev, Lillicrap & Richards 2017)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import h5py
import numpy as np

from spikesim import AllToAll, Network, __version__
from spikesim.errors import SpikesimError
from spikesim.experiment import NetworkModel
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.neurons.segregated_dendrite import DendriticOutput, SegregatedDendrite
from spikesim.models.plasticity.plateau import PlateauRule
from spikesim.output import check_writable
from spikesim.rng import Stream

PIXELS, CLASSES = 784, 10
#: hidden layers -> learning rates from the first hidden layer to the output, as published
PUBLISHED_RATES = {0: (0.19,), 1: (0.21, 0.21), 2: (0.23, 0.23, 0.12)}
BIAS_MEAN, BIAS_SD = 0.8, 0.001
V_MEAN, V_SD = 3.0, 3.0  # what initial weights make of the dendritic voltages
SETTLE = 30.0  # ms before averages begin
TEST_SEED = 1 << 62  # tests draw from another seed than training does


class Guerguiev2017(NetworkModel):
    """784 Poisson inputs, hidden layers of neurons with segregated dendrites, 10 output units.

    An image is shown for a forward phase and, while a teacher drives the output, a target phase. Each ends with a
    plateau potential in every hidden neuron, and from the difference of the two each basal synapse learns. Output
    spikes reach every hidden layer's apical dendrites through fixed random weights. Profile: full postsynaptic
    potentials, zero-mean feedback, teaching currents as in the authors' program. dt = 1 ms.

    A run uses one thread, whatever is asked for: with delays of one step there is too little to share between two
    meetings of the threads, and on two cores it gets slower.

    JSON of a run: test_error_before, test_error (%), error_curve [[images, %], ...], images_per_second (training),
    seconds (training). With `out` the weights, biases and the curve are kept in an HDF5 file.
    """

    hidden: str = "500"  # neurons per hidden layer, e.g. 500 or 500,100; 0: no hidden layer
    train_images: int = 60000  # per epoch, drawn without replacement in a new order each epoch
    test_images: int = 10000  # the first ones of the test set
    epochs: int = 1
    test_every: int = 0  # images between tests on the way; 0: only before and after
    eta: str = "published"  # or learning rates from the first hidden layer to the output: 0.21,0.21
    phase: float = 50.0  # ms, shortest forward and target phase
    extra_mean: float = 2.0  # ms, mean of the inverse-Gaussian extra length
    extra_shape: float = 1.0  # its shape parameter (ms)
    test_phase: float = 500.0  # ms
    phi_max: float = 200.0  # Hz, highest rate of inputs and neurons
    g_a: float = 0.0  # 1/ms, apical dendrite to soma
    dt: float = 1.0  # ms
    mnist_folder: str = ""  # a folder with the four IDX files; empty: those that come along

    title = "Segregated dendrites learn MNIST"
    reference = "doi:10.7554/eLife.22901"
    small = {"hidden": "20", "train_images": 2, "test_images": 2}
    limits = {"train_images": (">= 1", "<= 60000"), "test_images": (">= 1", "<= 10000"), "epochs": (">= 1",),
              "test_every": (">= 0",), "phase": ("> 30",), "test_phase": ("> 30",), "dt": ("> 0",)}  # fmt: skip

    def __init__(self, **given):
        super().__init__(**given)
        self.layers = [n for n in self._numbers("hidden", int) if n]
        if any(n < 1 for n in self.layers):
            raise SpikesimError(f"Guerguiev2017: hidden layers have 1 neuron or more, not {self.hidden!r}.")
        published = PUBLISHED_RATES.get(len(self.layers))
        if self.eta == "published" and published is None:
            raise SpikesimError(f"Guerguiev2017: no published learning rates for {len(self.layers)} hidden layers; "
                                "give eta, one rate a layer from the first hidden one to the output.")  # fmt: skip
        self.rates = published if self.eta == "published" else tuple(self._numbers("eta", float))
        if len(self.rates) != len(self.layers) + 1:
            raise SpikesimError(f"Guerguiev2017: eta has {len(self.rates)} rates for {len(self.layers) + 1} layers.")

    def _numbers(self, name, kind):
        try:
            return [kind(part) for part in getattr(self, name).split(",")]
        except ValueError:
            raise SpikesimError(f"Guerguiev2017: {name} is numbers separated by commas, "
                                f"not {getattr(self, name)!r}.") from None  # fmt: skip

    # The network ------------------------------------------------------------------------------------------

    def build(self, net):
        """Add the layers and connect them; initial weights as published, from the network's seed."""
        self.net, neurons = net, dict(phi_max=self.phi_max)
        self.input = net.add(PoissonSource(), PIXELS, name="input")
        self.hidden_layers = [
            net.add(SegregatedDendrite(g_a=self.g_a, eta_bias=rate, bias=_normal(net, k, n), **neurons), n,
                    name=f"hidden_{k + 1}")
            for k, (n, rate) in enumerate(zip(self.layers, self.rates, strict=False))
        ]  # fmt: skip
        bias = _normal(net, len(self.layers), CLASSES)
        self.output = net.add(DendriticOutput(eta_bias=self.rates[-1], bias=bias, **neurons), CLASSES, name="output")
        chain = [self.input, *self.hidden_layers, self.output]
        self.forward, self.feedback = [], []
        for k, (below, above) in enumerate(zip(chain, chain[1:], strict=False)):
            mean, spread = weight_range(below.n, self.phi_max)
            weights = mean + spread * _between(net, 2 * k, below.n * above.n)
            self.forward.append(net.connect(below, above, AllToAll(), weight=weights, delay=net.dt,
                                            receptor="basal", plasticity=PlateauRule(eta=self.rates[k])))  # fmt: skip
        for k, layer in enumerate(self.hidden_layers):
            _, spread = weight_range(layer.n, self.phi_max)
            weights = spread * _between(net, 2 * k + 1, CLASSES * layer.n)
            self.feedback.append(net.connect(self.output, layer, AllToAll(), weight=weights, delay=net.dt,
                                             receptor="apical"))  # fmt: skip

    def _show(self, pixels, length, plateau):
        """One phase with an image: let the network settle, average, end in the plateau."""
        self.input.set(rate=self.phi_max / 255.0 * pixels)
        self._phase(length, plateau)

    def _phase(self, length, plateau):
        self.net.run(SETTLE)
        self.net.trigger("settled")
        self.net.run(length - SETTLE)
        self.net.trigger(plateau)

    def _teach(self, label=None):
        """Let the teacher drive the output towards `label`, or let go of it."""
        right = np.arange(CLASSES) == label
        taught = label is not None
        self.output.set(g_E=1.0 * (taught & right), g_I=1.0 * (taught & ~right))

    def learn(self, pixels, label, lengths):
        """Show one image (784 pixels, 0-255) in both phases (ms); synapses learn at the end of the second."""
        self._teach()
        self._show(pixels, lengths[0], "forward_plateau")
        self._teach(label)
        self._phase(lengths[1], "target_plateau")

    def answer(self, pixels):
        """The class that the network sees in an image: the output unit of the highest mean voltage, from silence."""
        self.net.reset()
        self._show(pixels, self.test_phase, "forward_plateau")
        return int(np.argmax(self.output.get("V_f")))

    def twin(self):
        """A network with the same weights and other random numbers: tests leave no trace in the training."""
        other = type(self)(**{name: getattr(self, name) for name in self.given})
        other.build(Network(dt=self.dt, seed=self.net.seed ^ TEST_SEED, precision=self.net.precision))
        other.take_after(self)
        return other

    def take_after(self, other):
        """Copy what another network of the same shape has learned."""
        for mine, theirs in zip(self.forward, other.forward, strict=True):
            mine.weights = theirs.weights
            mine.target.set(bias=theirs.target.get("bias"))
        for mine, theirs in zip(self.feedback, other.feedback, strict=True):
            mine.weights = theirs.weights

    # Training ---------------------------------------------------------------------------------------------

    def simulate(self, options):
        """Train and test. Raises SpikesimError for broken image files. See the class for what is returned."""
        if options.out:
            check_writable(Path(options.out))  # before the work, not after it
        images, labels = self._images("train", 60000)
        self.test_set = self._images("test", self.test_images)
        self.build(Network(dt=self.dt, seed=options.seed, precision=options.precision, max_rate=options.max_rate))
        self.tester = self.twin()
        curve, seconds, done, interrupted = [[0, self.error()]], 0.0, 0, False
        with _bar(self.epochs * self.train_images, options.progress) as bar:
            try:
                for image, label, lengths in self._lessons(images, labels):
                    began = time.perf_counter()
                    self.learn(image, label, lengths)
                    seconds += time.perf_counter() - began
                    done += 1
                    bar.update(1)
                    if self.test_every and done % self.test_every == 0:
                        curve.append([done, self.error()])
                        bar.set_postfix_str(f"test error {curve[-1][1]:.2f} %")
            except KeyboardInterrupt:
                interrupted = True
        if curve[-1][0] != done and not interrupted:
            curve.append([done, self.error()])
        found = {
            "test_error_before": curve[0][1], "test_error": curve[-1][1], "error_curve": curve,
            "images_per_second": done / max(seconds, 1e-9), "seconds": seconds, "images": done,
            "interrupted": interrupted, "seed": self.net.seed, "threads": 1, "precision": self.net.precision,
            "network": self.name(), "parameters": self.values(), "out": options.out, "version": __version__,
        }  # fmt: skip
        if options.out:
            self.save(options.out, found)
        return found

    def error(self):
        """Percent of the test images that the network as trained so far sees wrongly."""
        self.tester.take_after(self)
        images, labels = self.test_set
        wrong = sum(self.tester.answer(image) != label for image, label in zip(images, labels, strict=True))
        return 100.0 * int(wrong) / len(labels)

    def _images(self, split, most):
        from spikesim.data.mnist import load_mnist

        images, labels = load_mnist(split, self.mnist_folder or None)
        return images[:most].reshape(-1, PIXELS).astype(np.float64), labels[:most]

    def _lessons(self, images, labels):
        """(pixels, label, phase lengths) of every training image, each epoch in an order of its own."""
        order, lengths = (Stream(self.net.seed, "TASK", k) for k in (0, 1))
        for _ in range(self.epochs):
            for k in order.permutation(len(images))[: self.train_images]:
                extra = inverse_gaussian(lengths, 2, self.extra_mean, self.extra_shape)
                yield images[k], labels[k], np.floor((self.phase + extra) / self.dt) * self.dt

    def save(self, path, found):
        """Weights, biases and the error curve as HDF5. Raises OSError where the file cannot be written."""
        with h5py.File(path, "w") as file:
            file.attrs.update({**self.values(), "seed": self.net.seed})
            file["error_curve"] = np.array(found["error_curve"])
            for k, projection in enumerate(self.forward):
                shape = (projection.source.n, projection.target.n)
                file[f"layer_{k + 1}/weights"] = projection.weights.reshape(shape)
                file[f"layer_{k + 1}/bias"] = projection.target.get("bias")

    def record_presentation(self, path, index=0):
        """Show test image `index` to the trained network from silence and stream all spikes to a SONATA file.

        Returns (label, answer). Call `simulate` first.
        """
        images, labels = self.test_set
        viewer = self.twin()
        viewer.net.description = {
            "network": "guerguiev_2017",
            "image": int(index),
            "label": int(labels[index]),
            "trained_with_seed": self.net.seed,
        }
        for population in viewer.net.populations:
            viewer.net.record(population, "spikes", to=path)
        with viewer.net:
            return int(labels[index]), viewer.answer(images[index])


def weight_range(fan_in, phi_max):
    """(mean, full width) of the uniform weights that give dendritic voltages of mean and s.d. V_MEAN, V_SD when
    `fan_in` neurons fire at a quarter of phi_max (Hz). doi:10.7554/eLife.22901, Methods."""
    nu = 0.25 * phi_max * 1e-3
    mean = (V_MEAN - BIAS_MEAN) / (nu * fan_in * V_MEAN)
    second = V_MEAN**2 + V_SD**2
    spread = second + nu**2 * (fan_in - fan_in**2) * mean**2 * V_MEAN**2
    spread -= 2.0 * fan_in * nu * V_MEAN * BIAS_MEAN * mean + BIAS_MEAN**2
    variance = spread / (fan_in * nu**2 * second) - mean**2
    return mean, np.sqrt(12.0 * variance)


def inverse_gaussian(stream, n, mean, shape):
    """(n,) inverse-Gaussian numbers (Michael, Schucany & Haas 1976, doi:10.1080/00031305.1976.10479147)."""
    y = stream.normal(n) ** 2
    x = mean + mean**2 * y / (2 * shape) - mean / (2 * shape) * np.sqrt(4 * mean * shape * y + (mean * y) ** 2)
    return np.where(stream.uniform(n) <= mean / (mean + x), x, mean**2 / x)


def _between(net, index, n):
    """(n,) uniform numbers from -1/2 to 1/2 for the weights of one projection."""
    return Stream(net.seed, "WEIGHT", 1_000_000 + index).uniform(n) - 0.5


def _normal(net, index, n):
    """(n,) initial biases of one layer."""
    return BIAS_MEAN + BIAS_SD * Stream(net.seed, "STATE", index).normal(n)


def _bar(total, shown):
    from tqdm import tqdm

    return tqdm(total=total, unit=" images", desc="training", file=sys.stderr,
                disable=not (shown and sys.stderr.isatty()))  # fmt: skip
