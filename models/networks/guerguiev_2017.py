"""Deep learning with segregated dendrites on MNIST (Guerguiev, Lillicrap & Richards 2017)."""

from __future__ import annotations

import functools
import math

import h5py
import numpy as np

from spikesim import AllToAll, Network, OneToOne, Script
from spikesim.alignment import STRATEGIES
from spikesim.credit import CreditMeter, sigma
from spikesim.errors import SpikesimError
from spikesim.learned_feedback import LearnedFeedback
from spikesim.models.neurons.dated_dendrite import DatedDendrite
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.neurons.segregated_dendrite import DendriticOutput, SegregatedDendrite
from spikesim.models.plasticity.plateau import PlateauRule
from spikesim.rng import Stream
from spikesim.script import Interrupted
from spikesim.training import TrainedNetwork

PIXELS, CLASSES = 784, 10
#: hidden layers -> learning rates from the first hidden layer to the output, as published
PUBLISHED_RATES = {0: (0.19,), 1: (0.21, 0.21), 2: (0.23, 0.23, 0.12)}
BIAS_MEAN, BIAS_SD = 0.8, 0.001
V_MEAN, V_SD = 3.0, 3.0  # what initial weights make of the dendritic voltages
SETTLE = 30.0  # ms before averages begin
ALIGNED = tuple(name for name, strategy in STRATEGIES.items() if strategy.coefficients)
TEST_SEED = 1 << 62  # tests draw from another seed than training does


class Guerguiev2017(TrainedNetwork):
    """784 Poisson inputs, hidden layers of neurons with segregated dendrites, 10 output units.

    An image is shown for a forward phase and, while a teacher drives the output, a target phase. Each ends with a
    plateau potential in every hidden neuron, and from the difference of the two each basal synapse learns. Output
    spikes reach every hidden layer's apical dendrites through fixed random weights. Nothing is reset between images.
    dt = 1 ms.

    Presets say how the paper and the authors' program differ, point by point in docs/guerguiev_2017.md: `paper` (the
    defaults, with the teacher as strong as in the program), `code16` (the first public version), `head_spiking` (the
    last one, with spikes).

    feedback
        "random"; "symmetric": the product of the forward weights from there to the output, after every image anew;
        "noisy": that, with normal noise of s.d. `feedback_noise` on each weight, drawn anew after every image; a
        strategy of `spikesim.alignment`, such as "activation_alignment": random at first, and learned after every image
        by `spikesim.learned_feedback` from means over the forward phase: of the potentials that a hidden layer's spikes
        evoke, and of the output's dendrites. For W is taken what "symmetric" transposes.
    alignment_rate
        eta of feedback weights that are learned.
    feedback_density, feedback_gain
        the share of the random feedback weights that are not 0, and what those are multiplied by: 0.2 and 5 for the
        published sparse feedback.

    feedback_by
        "spikes" of the output, or "rates": what would come in the mean, the expected number of spikes in each step.
    feedback_init
        random feedback begins with mean 0 straight from the output to each hidden layer ("direct"); as the product of
        random matrices, layer by layer ("product"); or with the mean of the forward weights ("biased").
    weight_spread
        factor of the standard deviation of initial weights, forward and feedback.
    memory
        ms that a spike acts; 0: for ever, which is the full postsynaptic potential.
    teacher
        1/ms, the conductance g_E or g_I by which the teacher drives an output unit; the equations as printed have 0.1.
    average
        ms at the end of a training phase over which potentials are averaged; 0: all from 30 ms on.
    plateau_jitter
        s.d. (ms) of a normal number of which the absolute value says how long before the end of a phase a hidden neuron
        has its plateau; sqrt(3) in the paper, 3 in the program. 0: all at the end. The plateau sums up the last
        `plateau_window` ms before it. Numbers beyond `plateau_latest` are drawn anew (plateau_tail="truncated") or set
        to it ("clipped").

    look_every
        images between two looks at how credit is assigned (see `spikesim.credit.CreditMeter`), whose series are kept
        with `out`; 0: none. A look at every image takes about as long as the image. Every test then also tells how the
        losses of hidden and output layer correlate, and takes a fifth longer.

    A run uses one thread, whatever is asked for: with delays of one step there is too little to share between two
    meetings of the threads. Several networks side by side use all cores.

    JSON of a run: see `TrainedNetwork.simulate`. With `out` the weights, biases and the curve are kept in an HDF5 file.
    """

    hidden: str = "500"  # neurons per hidden layer, e.g. 500 or 500,100; 0: no hidden layer
    train_images: int = 60000  # per epoch, drawn without replacement in a new order each epoch
    test_images: int = 10000  # the first ones of the test set
    epochs: int = 1
    eta: str = "published"  # or learning rates from the first hidden layer to the output: 0.21,0.21; or reversed
    phase: float = 50.0  # ms, shortest forward and target phase
    extra_mean: float = 2.0  # ms, mean of the inverse-Gaussian extra length
    extra_shape: float = 1.0  # its shape parameter (ms)
    test_phase: float = 500.0  # ms
    phi_max: float = 200.0  # Hz, highest rate of inputs and neurons
    g_a: float = 0.0  # 1/ms, apical dendrite to soma
    feedback: str = "random"  # symmetric, noisy, or a strategy by which it is learned
    feedback_density: float = 1.0
    feedback_gain: float = 1.0
    feedback_noise: float = 0.05
    alignment_rate: float = 0.5
    feedback_by: str = "spikes"  # rates
    feedback_init: str = "direct"  # product, biased
    weight_spread: float = 1.0
    memory: float = 0.0  # ms
    integrator: str = "euler"  # exponential
    teacher: float = 1.0  # 1/ms
    average: float = 0.0  # ms
    plateau_jitter: float = 0.0  # ms
    plateau_window: float = 30.0  # ms
    plateau_latest: float = 5.0  # ms
    plateau_tail: str = "truncated"  # clipped
    look_every: int = 0
    dt: float = 1.0  # ms
    mnist_folder: str = ""  # a folder with the four IDX files; empty: those that come along

    title = "Segregated dendrites learn MNIST"
    reference = "doi:10.7554/eLife.22901"
    small = {"hidden": "20", "train_images": 2, "test_images": 2}
    choices = {"feedback": ("random", "symmetric", "noisy", *ALIGNED), "feedback_by": ("spikes", "rates"),
               "feedback_init": ("direct", "product", "biased"), "integrator": ("euler", "exponential"),
               "plateau_tail": ("truncated", "clipped")}  # fmt: skip
    presets = {
        "paper": {},
        "code16": {"memory": 9.0, "feedback_init": "product", "plateau_window": 20.0, "plateau_tail": "clipped"},
        "head_spiking": {"memory": 10.0, "feedback_init": "biased", "weight_spread": 2.0, "average": 20.0,
                         "test_phase": 250.0, "plateau_window": 20.0, "plateau_tail": "clipped"},
    }  # fmt: skip
    limits = {"train_images": (">= 1", "<= 60000"), "test_images": (">= 1", "<= 10000"), "epochs": (">= 1",),
              "test_every": (">= 0",), "phase": ("> 30",), "test_phase": ("> 30",), "dt": ("> 0",),
              "feedback_density": ("> 0", "<= 1"), "feedback_noise": (">= 0",), "look_every": (">= 0",),
              "weight_spread": ("> 0",), "memory": (">= 0",), "teacher": ("> 0",), "average": (">= 0",),
              "plateau_jitter": (">= 0",), "plateau_window": ("> 0",), "plateau_latest": ("> 0",),
              "alignment_rate": (">= 0",)}  # fmt: skip

    def __init__(self, **given):
        super().__init__(**given)
        self.layers = [n for n in self._numbers("hidden", int) if n]
        if any(n < 1 for n in self.layers):
            raise SpikesimError(f"Guerguiev2017: hidden layers have 1 neuron or more, not {self.hidden!r}.")
        named, published = self.eta in ("published", "reversed"), PUBLISHED_RATES.get(len(self.layers))
        if named and published is None:
            raise SpikesimError(f"Guerguiev2017: no published learning rates for {len(self.layers)} hidden layers; "
                                "give eta, one rate a layer from the first hidden one to the output.")  # fmt: skip
        if named:
            self.rates = published if self.eta == "published" else published[::-1]
        else:
            self.rates = tuple(self._numbers("eta", float))
        if len(self.rates) != len(self.layers) + 1:
            raise SpikesimError(f"Guerguiev2017: eta has {len(self.rates)} rates for {len(self.layers) + 1} layers.")
        if self.feedback != "random" and (self.feedback_density, self.feedback_gain) != (1.0, 1.0):
            raise SpikesimError(f"Guerguiev2017: feedback_density and feedback_gain are for random feedback, "
                                f"not for feedback={self.feedback!r}.")  # fmt: skip
        if self.average > self.phase or self.plateau_jitter and self.plateau_window + self.plateau_latest > self.phase:
            raise SpikesimError(f"Guerguiev2017: average and plateau_window + plateau_latest are at most "
                                f"phase = {self.phase:g} ms.")  # fmt: skip
        #: whether hidden neurons are those that forget spikes or have plateaus at times of their own
        self.dated = self.plateau_jitter > 0 or self.memory > 0
        if self.feedback == "kolen_pollack" and len(self.layers) > 1:
            raise SpikesimError("Guerguiev2017: feedback='kolen_pollack' shares the updates of the weights from a "
                                "hidden layer to the output; only with one hidden layer are there such.")  # fmt: skip
        self.aligned = self._followers()

    def _followers(self):
        """How the feedback weights of each hidden layer are learned, if they are."""
        layers = self.layers if self.feedback in ALIGNED else []
        return [LearnedFeedback(self.feedback, self.alignment_rate, n, CLASSES) for n in layers]

    def _numbers(self, name, kind):
        try:
            return [kind(part) for part in getattr(self, name).split(",")]
        except ValueError:
            raise SpikesimError(f"Guerguiev2017: {name} is numbers separated by commas, "
                                f"not {getattr(self, name)!r}.") from None  # fmt: skip

    # The network ------------------------------------------------------------------------------------------

    def build(self, net):
        """Add the layers and connect them; initial weights as published, from the network's seed."""
        self.net, neurons = net, dict(phi_max=self.phi_max, integrator=self.integrator)
        self.phases = {}  # scripts of phases, by what `_phase` is told
        memory = self.memory or math.inf
        hidden = dict(neurons, g_a=self.g_a)
        if self.dated:
            hidden.update(memory=memory, window=self.plateau_window if self.plateau_jitter else 0.0)
        kind = DatedDendrite if self.dated else SegregatedDendrite
        self.input = net.add(PoissonSource(), PIXELS, name="input")
        self.hidden_layers = [
            net.add(kind(eta_bias=rate, bias=_normal(net, k, n), **hidden), n, name=f"hidden_{k + 1}")
            for k, (n, rate) in enumerate(zip(self.layers, self.rates, strict=False))
        ]  # fmt: skip
        bias = _normal(net, len(self.layers), CLASSES)
        output = DendriticOutput(eta_bias=self.rates[-1], bias=bias, memory=memory, **neurons)
        self.output = net.add(output, CLASSES, name="output")
        chain = [self.input, *self.hidden_layers, self.output]
        self.forward = []
        for k, (below, above) in enumerate(zip(chain, chain[1:], strict=False)):
            mean, spread = weight_range(below.n, self.phi_max)
            weights = mean + self.weight_spread * spread * _between(net, 2 * k, below.n * above.n)
            rule = PlateauRule(eta=self.rates[k], memory=memory)
            self.forward.append(
                net.connect(below, above, AllToAll(), weight=weights, delay=net.dt, receptor="basal", plasticity=rule)
            )
        self.backward = [
            net.connect(self.output, layer, AllToAll(), weight=self._feedback_weights(net, k), delay=net.dt,
                        receptor="apical", sends="expected" if self.feedback_by == "rates" else "spikes")
            for k, layer in enumerate(self.hidden_layers)
        ]  # fmt: skip
        for layer in chain[1:] if self.memory else []:
            for side in ("basal", "apical") if layer is not self.output else ("basal",):
                net.connect(layer, layer, OneToOne(), delay=self.memory, sends=f"{side}_in", receptor=f"{side}_gone")
        k_d = self.output.model.g_d / (self.output.model.g_L + self.output.model.g_d)
        self.meter = CreditMeter(len(self.layers), self.phi_max * 1e-3, k_d)
        self.taught = [self._taught(label) for label in (*range(CLASSES), None)]
        self.aligned = self._followers()

    def _feedback_weights(self, net, k):
        """(10 n,) initial weights from the output to the k-th hidden layer, which has n neurons."""
        n = self.layers[k]
        if self.feedback in ("symmetric", "noisy"):
            return self._transposed(k, 0)
        weights = self._dense_feedback(net, k).ravel()
        kept = Stream(net.seed, "CONNECT", 1_000_000 + k).uniform(CLASSES * n) < self.feedback_density
        return self.feedback_gain * weights * kept

    def _dense_feedback(self, net, k):
        """(10, n) random weights from the output to the k-th hidden layer, before any are left out."""
        mean, spread = weight_range(self.layers[k], self.phi_max)
        last = self.feedback_init != "product" or k + 1 == len(self.layers)
        above = CLASSES if last else self.layers[k + 1]
        weights = self.weight_spread * spread * _between(net, 2 * k + 1, above * self.layers[k])
        weights = weights.reshape(above, -1) + (mean if self.feedback_init == "biased" else 0.0)
        return weights if last else self._dense_feedback(net, k + 1) @ weights

    def _transposed(self, k, lesson):
        """(10 n,) the weights from the k-th hidden layer to the output, transposed, as they are before a lesson; with
        noise, where that is asked for."""
        weights = self._to_output(k).T.ravel()
        if self.feedback == "noisy":
            noise = Stream(self.net.seed, "NOISE", 1_000_000 + k).at(lesson * weights.size)
            weights = weights + self.feedback_noise * noise.normal(weights.size)
        return weights

    def _to_output(self, k):
        """(n, 10) the weights from the k-th hidden layer to the output: of several layers, their product."""
        return functools.reduce(np.matmul, map(self._matrix, self.forward[k + 1 :]))

    def _follow(self, k, lesson, before):
        """Let the k-th feedback weights follow the forward weights after a lesson, before which these were `before`."""
        if not self.aligned:
            self.backward[k].weights = self._transposed(k, lesson)
            return
        aligned, above, W = self.aligned[k], self.forward[k + 1], self._to_output(k)
        x, y = above.arrays["pre/mean"][0, : len(W)], self.output.get("V_f") / self.meter.k_d
        change = W - before[k] if aligned.shared else None
        B = aligned.learn(self._matrix(self.backward[k]).T, W.T, x, y, change)
        self.backward[k].weights = B.T.ravel()
        if aligned.shared:
            above.weights = (aligned.left_of(before[k]) + change).ravel()

    def _taught(self, label):
        """The action by which the teacher drives the output towards `label`, or lets go of it."""
        right = np.arange(CLASSES) == label
        taught = label is not None
        g = self.teacher
        return Script(self.net).set(self.output, g_E=g * (taught & right), g_I=g * (taught & ~right))

    def lesson(self, pixels, label, lengths, number=0):
        """The script that shows an image (784 pixels, 0-255) in both phases (ms); synapses learn at its end. Times of
        plateaus depend on the number of the lesson."""
        return self.several([(pixels, label, lengths)], number)[0]

    def several(self, lessons, number=0):
        """The scripts of lessons, given as in `lesson`, of which the first has this number."""
        pixels = np.array([pixels for pixels, _, _ in lessons])
        shown = Script.each(self.input, rate=self.phi_max / 255.0 * pixels)
        return [self._lesson(each, *lesson[1:], k)
                for k, (lesson, each) in enumerate(zip(lessons, shown, strict=True), start=number)]  # fmt: skip

    def _lesson(self, shown, label, lengths, number):
        script = Script(self.net)
        script.add(self.taught[-1])
        script.add(shown)
        for k, (length, plateau) in enumerate(zip(lengths, ("forward_plateau", "target_plateau"), strict=True)):
            if k:
                script.add(self.taught[label])
            self._wait(script, length, 2 * number + k)
            script.follow(self._phase(length, plateau, length - self.average if self.average else SETTLE))
        return script

    def _wait(self, script, length, phase):
        """Tell hidden neurons when, in the phase of this number, they begin to sum up their apical dendrite."""
        if not self.plateau_jitter:
            return
        for k, layer in enumerate(self.hidden_layers):
            early = plateau_times(Stream(self.net.seed, "TASK", 64 + k).at(phase * layer.n), layer.n,
                                  self.plateau_jitter, self.plateau_latest, self.plateau_tail)  # fmt: skip
            script.set(layer, wait=np.rint(length / self.dt) - np.rint(self.plateau_window / self.dt)
                       - np.rint(early / self.dt))  # fmt: skip

    def _phase(self, length, plateau, settle=SETTLE):
        """Let the network settle, average, end in the plateau."""
        kind = length, plateau, settle
        if kind not in self.phases:
            script = self.phases[kind] = Script(self.net)
            script.run(settle)
            script.trigger("settled")
            script.run(length - settle)
            script.trigger(plateau)
        return self.phases[kind]

    def answer(self, pixels):
        """The class that the network sees in an image: the output unit of the highest mean voltage, from silence."""
        script = Script(self.net)
        script.reset()
        script.add(self.taught[-1])
        script.set(self.input, rate=self.phi_max / 255.0 * pixels)
        script.follow(self._phase(self.test_phase, "forward_plateau"))
        self.net.play(script)
        return int(np.argmax(self.output.get("V_f")))

    def twin(self):
        """A network with the same weights and other random numbers: tests leave no trace in the training."""
        other = self.replace()
        other.build(Network(dt=self.dt, seed=self.net.seed ^ TEST_SEED, precision=self.net.precision, max_rate=None))
        other.take_after(self)
        return other

    def take_after(self, other):
        """Copy what another network of the same shape has learned."""
        for mine, theirs in zip(self.forward, other.forward, strict=True):
            mine.weights = theirs.weights
            mine.target.set(bias=theirs.target.get("bias"))
        for mine, theirs in zip(self.backward, other.backward, strict=True):
            mine.weights = theirs.weights

    # Training ---------------------------------------------------------------------------------------------

    def prepare(self, options):
        """Read the images, build the network and its twin for tests. Raises SpikesimError for broken image files."""
        self.images, self.labels = self._images("train", 60000)
        self.test_set = self._images("test", self.test_images)
        # No guard against explosions: no neuron can fire at more than phi_max.
        self.build(Network(dt=self.dt, seed=options.seed, precision=options.precision, max_rate=None))
        self.tester = self.twin()
        self.tester_at_first = self.tester.net.store()

    @classmethod
    def variants(cls, settings):
        given = any(setting.startswith("hidden=") for setting in settings)
        return [[]] if given else [["hidden=0"], ["hidden=500"], ["hidden=500,100"]]

    @classmethod
    def few(cls, lessons, settings):
        return [f"train_images={lessons}", "epochs=1", "test_images=1"]

    def lessons(self):
        return self.epochs * self.train_images

    def learn(self, n):
        if self.feedback == "random" and not self.look_every:
            self.net.play(self.several(list(self.given_in_lessons(self.done, n)), self.done))
            return
        for k, given in enumerate(self.given_in_lessons(self.done, n), start=self.done):
            looks = self.look_every and self.hidden_layers and k % self.look_every == 0
            before = [self._matrix(p) for p in self.forward[1:]] if looks or self.aligned else []
            stopped = None
            try:
                self.net.play(self.lesson(*given, number=k))
            except Interrupted as stop:
                stopped = Interrupted(k - self.done + stop.played)
                if not stop.played:
                    raise stopped from None
            if looks:
                layers = [*self.hidden_layers, self.output]
                potentials, deltas = ([layer.get(name) for layer in layers] for name in ("V_f", "delta"))
                self.meter.look(k, before, self._matrix(self.backward[-1]).T, potentials, deltas)
            if self.feedback != "random":
                for layer in range(len(self.backward)):
                    self._follow(layer, k + 1, before)
            if stopped is not None:
                raise stopped

    @staticmethod
    def _matrix(projection):
        return projection.weights.reshape(projection.source.n, projection.target.n)

    def progress_state(self):
        aligned = [each.state() for each in self.aligned]
        return {**super().progress_state(), "series": self.meter.series, "aligned": aligned}

    def continue_from(self, state):
        super().continue_from(state)
        self.meter.series = state["series"]
        for each, kept in zip(self.aligned, state["aligned"], strict=True):
            each.go_on(kept)

    def given_in_lessons(self, first, n):
        """(pixels, label, phase lengths in ms) of lessons first to first + n; each epoch has an order of its own."""
        draws = Stream(self.net.seed, "TASK", 1).at(4 * first)
        lengths = self.phase + inverse_gaussian(draws, n, self.extra_mean, self.extra_shape)
        for k, length in zip(range(first, first + n), (np.floor(lengths / self.dt) * self.dt).tolist(), strict=True):
            image = self._order(k // self.train_images)[k % self.train_images]
            yield self.images[image], self.labels[image], length

    def _order(self, epoch):
        if getattr(self, "_epoch", None) != epoch:
            n = len(self.images)
            self._epoch, self._shuffled = epoch, Stream(self.net.seed, "TASK", 0).at(n * epoch).permutation(n)
        return self._shuffled

    def error(self):
        """Percent of the test images that the network as trained so far sees wrongly."""
        self.tester.net.restore(self.tester_at_first)
        self.tester.take_after(self)
        images, labels = self.test_set
        wrong = sum(self.tester.answer(image) != label for image, label in zip(images, labels, strict=True))
        if self.look_every and self.hidden_layers:
            self.meter.correlate(self.done, labels, self.losses, self.net.seed)
        return 100.0 * int(wrong) / len(labels)

    def losses(self, images):
        """(hidden, output) losses, (images,) each: ||alpha_t - alpha_f||^2 of the last hidden layer and
        ||phi_t - phi_max sigma(V_f)||^2, in (spikes/ms)^2, of both phases with test images, given by number, as they
        are shown in training; nothing is learned. doi:10.7554/eLife.22901, Figure 5."""
        other = self.replace(eta=",".join("0" for _ in self.rates))
        other.build(Network(dt=self.dt, seed=self.net.seed ^ TEST_SEED, precision="double", max_rate=None))
        other.take_after(self)
        found = []
        for image in images:
            length = np.array([self.phase, self.phase])
            other.net.play(other.lesson(self.test_set[0][image], self.test_set[1][image], length, number=image))
            hidden, output = other.hidden_layers[-1], other.output
            steps = hidden.get("steps") if not self.plateau_jitter else np.rint(self.plateau_window / self.dt)
            plateaus = sigma(hidden.get("apical_sum") / steps) - hidden.get("alpha_f")
            rates = output.get("phi_sum") / output.get("steps") - sigma(output.get("V_f"))
            found.append([np.sum(plateaus**2), np.sum((self.phi_max * 1e-3 * rates) ** 2)])
        return np.array(found).T

    def learned(self):
        forward = [array for p in self.forward for array in (p.weights, p.target.get("bias"))]
        return forward + [p.weights for p in self.backward if self.aligned]

    def _images(self, split, most):
        from spikesim.data.mnist import load_mnist

        images, labels = load_mnist(split, self.mnist_folder or None)
        return images[:most].reshape(-1, PIXELS), labels[:most]

    def save(self, path, found):
        """Weights, biases and the error curve as HDF5. Raises OSError where the file cannot be written."""
        with h5py.File(path, "w") as file:
            file.attrs.update({**self.values(), "seed": self.net.seed})
            file["error_curve"] = np.array(found["error_curve"])
            for k, projection in enumerate(self.forward):
                file[f"layer_{k + 1}/weights"] = self._matrix(projection)
                file[f"layer_{k + 1}/bias"] = projection.target.get("bias")
            for k, projection in enumerate(self.backward):
                file[f"layer_{k + 1}/feedback"] = self._matrix(projection)
            if self.look_every:
                for name, values in self.meter.series.items():
                    file[f"looks/{name}"] = np.array(values)

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
    """(n, 2) inverse-Gaussian numbers, each row from the next four draws of the stream (Michael, Schucany & Haas 1976,
    doi:10.1080/00031305.1976.10479147)."""
    y = stream.at(0).normal(4 * n).reshape(n, 4)[:, :2] ** 2
    x = mean + mean**2 * y / (2 * shape) - mean / (2 * shape) * np.sqrt(4 * mean * shape * y + (mean * y) ** 2)
    return np.where(stream.uniform(4 * n).reshape(n, 4)[:, 2:] <= mean / (mean + x), x, mean**2 / x)


def plateau_times(stream, n, sd, latest, tail):
    """(n,) how long (ms) before the end of a phase neurons have their plateaus: |x| of normal x, at most `latest`."""
    from scipy.special import ndtr, ndtri  # late, for it takes a quarter of a second to import

    most = ndtr(latest / sd) if tail == "truncated" else 1.0
    return np.minimum(sd * ndtri(0.5 + stream.uniform(n) * (most - 0.5)), latest)


def _between(net, index, n):
    """(n,) uniform numbers from -1/2 to 1/2 for the weights of one projection."""
    return Stream(net.seed, "WEIGHT", 1_000_000 + index).uniform(n) - 0.5


def _normal(net, index, n):
    """(n,) initial biases of one layer."""
    return BIAS_MEAN + BIAS_SD * Stream(net.seed, "STATE", index).normal(n)
