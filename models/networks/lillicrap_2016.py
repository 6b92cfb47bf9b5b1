"""Errors carried back by random weights teach deep layers, too (Lillicrap, Cownden, Tweed & Akerman 2016)."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from spikesim import __version__
from spikesim.angles import folded, row_angles
from spikesim.errors import RunError, SpikesimError
from spikesim.experiment import NetworkModel
from spikesim.memory import available
from spikesim.output import check_writable
from spikesim.rate_layers import LOSSES, RateLayers
from spikesim.rng import Stream, fresh_seed

#: What a task is run with unless told otherwise: as published where the paper says, else chosen here.
OWN: dict[str, dict[str, Any]] = {
    "linear": dict(loss="squared", hidden="20", examples=20_000, batch=1, eta="1e-3", omega="0.01", beta=0.5),
    "nonlinear": dict(loss="squared", hidden="20,10", examples=400_000, batch=10, eta="0.1", omega="0.3", beta=0.5),
    "mnist": dict(loss="cross_entropy", hidden="1000", examples=360_000, batch=20, eta="5,0.05", omega="0.1,0.05",
                  beta=0.3),
}  # fmt: skip
#: The same where the algorithm asks for it.
OWN_OF_ALGORITHM: dict[tuple[str, str], dict[str, Any]] = {
    ("linear", "node_perturbation"): dict(eta="4e-4"),
    ("nonlinear", "node_perturbation"): dict(eta="3e-3"),
    ("nonlinear", "pseudo_backprop"): dict(eta="0.01"),
    ("mnist", "backprop"): dict(eta="20,0.05"),
    ("mnist", "shallow"): dict(eta="1", omega="0.05", batch=50, loss="squared", examples=1_800_000),
}
#: algorithm -> how the error travels (`spikesim.rate_layers`)
TRANSPORT = {
    "backprop": "transpose",
    "feedback_alignment": "fixed",
    "sparse_feedback": "fixed",
    "pseudo_backprop": "pseudo_inverse",
    "broadcast": "broadcast",
    "node_perturbation": "transpose",  # which it does not use
    "shallow": "transpose",
}
TEACHER_SEED = 1 << 62  # the network that is to be imitated draws its weights from another seed
BELOW_ROUNDING = 1e-20  # of the normalised squared error: angles of such errors are noise
CHUNK = 1000  # examples drawn at a time


@dataclass
class Task:
    """What is to be learned: `batches()` yields (x, target), rows are examples; `test` has them unseen (and, for
    digits, `labels`, in which case the error is the percentage of wrong answers)."""

    batches: Callable[[], Iterator[tuple[Any, Any]]]
    test: tuple[Any, Any]
    labels: Any = None


class Lillicrap2016(NetworkModel):
    """A network of rate units learns by backpropagation, or by feedback alignment: through fixed random weights.

        h = f(W0 x),  y = g(W h),  e = y* - y,  dW = eta e h^T,  dW0 = eta (dh o f') x^T

    with dh = W^T e (algorithm backprop), B e (feedback_alignment), W^+ e (pseudo_backprop, the Moore-Penrose inverse),
    B e with a share `deleted` of the synapses of W and B missing (sparse_feedback), B_l e straight to each hidden layer
    l (broadcast). shallow has no hidden layer; node_perturbation learns from what noise in each unit does to the loss.

    Tasks. linear: 30-20-10 linear units learn y* = T x, T from U[-1, 1], x normal. nonlinear: 30-20-10-10 (or
    hidden=20), tanh and linear outputs, learn what a random network of that shape does. mnist: 784-1000-10 logistic
    units with biases; with dW = eta e h^T at the output, as in the other tasks, the loss is the cross-entropy.

    Empty and 0 stand for the task's own value. dt and time (ms) and threads mean nothing here.

    JSON of a run: error (of `error_measure`: "normalised squared error", |e|^2 / |y*|^2 summed over fresh inputs, or
    "percent wrong"), curve (a list of dicts, on the way: examples and error; for every hidden layer that an error is
    carried to, angle_bp and angle_pbp, the mean angle in degrees of dh to W^T e and to W^+ e, angle_bp_folded and
    angle_pbp_folded, the same without the sign of the cosine, as the paper has them, and sign_condition, the share of
    inputs with (W^T e) . dh > 0, which is e^T W B e > 0), examples_per_second, seconds. With `out` weights and curve
    are kept in an HDF5 file.
    """

    task: str = "linear"
    algorithm: str = "feedback_alignment"
    loss: str = ""  # squared, or for digits cross_entropy
    hidden: str = ""  # units per hidden layer, e.g. 20,10
    examples: int = 0  # to learn from; digits come in a new order each epoch of 60,000
    batch: int = 0  # examples per update, which is along their mean
    eta: str = ""  # learning rate, or one for each matrix, from the first on: 20,0.05
    omega: str = ""  # half-width of the initial forward weights, or one for each matrix
    beta: float = 0.0  # half-width of the feedback weights
    decay: float = 0.0  # of the weights
    deleted: float = 0.5  # share of synapses of W and B that sparse_feedback does without
    sigma: float = 1e-3  # standard deviation of the noise of node_perturbation
    measured: int = 1000  # fresh inputs on which angles are measured
    test_every: int = 0  # examples between tests; 0: after 1, 2, 5, 10 ... x 100, digits after each epoch
    mnist_folder: str = ""  # a folder with the four IDX files; empty: those that come along

    title = "Random feedback weights teach hidden layers"
    reference = "doi:10.1038/ncomms13276"
    choices = {"task": tuple(OWN), "algorithm": tuple(TRANSPORT), "loss": ("", *LOSSES)}
    limits = {**dict.fromkeys(("examples", "batch", "beta", "decay", "test_every"), (">= 0",)), "dt": ("> 0",),
              "deleted": (">= 0", "< 1"), "sigma": ("> 0",), "measured": (">= 1", "<= 10000")}  # fmt: skip

    def __init__(self, **given):
        super().__init__(**given)
        shallow = self.algorithm == "shallow"
        if shallow and self.hidden:
            raise SpikesimError(f"Lillicrap2016: shallow has no hidden layer; hidden={self.hidden!r} does not fit.")
        for name, value in {**OWN[self.task], **OWN_OF_ALGORITHM.get((self.task, self.algorithm), {})}.items():
            if not getattr(self, name):
                setattr(self, name, "" if shallow and name == "hidden" else value)
        n_in, n_out = (784, 10) if self.task == "mnist" else (30, 10)
        hidden = self._numbers("hidden", int) if self.hidden else []
        if any(n < 1 for n in hidden):
            raise SpikesimError(f"Lillicrap2016: hidden layers have 1 unit or more, not {self.hidden!r}.")
        if not (hidden or shallow):
            raise SpikesimError(f"Lillicrap2016: {self.algorithm} needs a hidden layer.")
        self.sizes = (n_in, *hidden, n_out)
        self.etas, self.omegas = (self._one_a_matrix(name) for name in ("eta", "omega"))

    def _numbers(self, name, kind):
        try:
            return [kind(part) for part in getattr(self, name).split(",")]
        except ValueError:
            raise SpikesimError(f"Lillicrap2016: {name} is numbers separated by commas, "
                                f"not {getattr(self, name)!r}.") from None  # fmt: skip

    def _one_a_matrix(self, name):
        matrices, values = len(self.sizes) - 1, self._numbers(name, float)
        if not all(0.0 < value < np.inf for value in values):
            raise SpikesimError(f"Lillicrap2016: {name} must be > 0, not {getattr(self, name)!r}.")
        if len(values) not in (1, matrices):
            raise SpikesimError(f"Lillicrap2016: {name} has {len(values)} numbers for {matrices} matrices of weights.")
        return values if len(values) == matrices else values * matrices

    # The network and its task -----------------------------------------------------------------------------------

    def begin(self, seed, dtype=np.float64):
        """A network that has learned nothing yet, `self.net`, and what it is to learn, `self.lessons`."""
        f, g = {"linear": ("linear", "linear"), "nonlinear": ("tanh", "linear"), "mnist": ("logistic", "logistic")}[
            self.task
        ]
        digits, layers = self.task == "mnist", len(self.sizes) - 1
        self.seed = seed
        self.net = RateLayers(self.sizes, (f,) * (layers - 1) + (g,), omega=self.omegas, beta=self.beta, seed=seed,
                              transport=TRANSPORT[self.algorithm], loss=self.loss,
                              biases=self.task != "linear", dtype=dtype)  # fmt: skip
        if self.algorithm == "sparse_feedback":
            self.net.prune(self.deleted, seed)
        self.noise = Stream(seed, "NOISE", 0)
        self.lessons = self._digits() if digits else self._regression()

    def _regression(self):
        """Inputs of normal numbers, and what a matrix or another network makes of them."""
        n_in, n_out = self.sizes[0], self.sizes[-1]
        inputs, fresh = (Stream(self.seed, "TASK", k) for k in (1, 2))
        if self.task == "linear":
            teacher = RateLayers((n_in, n_out), ("linear",), omega=1.0, biases=False, seed=self.seed ^ TEACHER_SEED)
        else:
            teacher = RateLayers((n_in, 20, 10, n_out), ("tanh", "tanh", "linear"), omega=(0.5, 0.5, 1.0),
                                 seed=self.seed ^ TEACHER_SEED)  # fmt: skip

        def drawn(stream, n):
            x = stream.normal(n * n_in).reshape(n, n_in)
            return x, teacher.forward(x)[-1]

        def batches():
            left = self.examples
            while left:
                x, target = drawn(inputs, min(left, CHUNK * self.batch))
                left -= len(x)
                for k in range(0, len(x), self.batch):
                    yield x[k : k + self.batch], target[k : k + self.batch]

        return Task(batches, drawn(fresh, max(self.measured, 5000 if self.task == "nonlinear" else 0)))

    def _digits(self):
        from spikesim.data.mnist import load_mnist

        (images, labels), (unseen, answers) = (
            load_mnist(split, self.mnist_folder or None) for split in ("train", "test")
        )
        images, unseen = (each.reshape(len(each), -1).astype(self.net.dtype) / 255 for each in (images, unseen))
        targets = np.eye(10, dtype=self.net.dtype)
        order = Stream(self.seed, "TASK", 1)

        def batches():
            left = self.examples
            while left:
                epoch = order.permutation(len(images))[:left]
                left -= len(epoch)
                for k in range(0, len(epoch), self.batch):
                    chosen = epoch[k : k + self.batch]
                    yield images[chosen], targets[labels[chosen]]

        return Task(batches, (unseen, targets[answers]), answers)

    # Learning ---------------------------------------------------------------------------------------------------

    def learn(self):
        """Learn from all examples; after each update, yields (how many were seen, their activities, their errors)."""
        done = 0
        for x, target in self.lessons.batches():
            a = self.net.forward(x)
            error = self._finite(target - a[-1])
            delta = self._perturb(a, target) if self.algorithm == "node_perturbation" else self.net.backward(a, error)
            self.net.update(a, delta, self.etas, self.decay)
            done += len(x)
            yield done, a, error

    def _perturb(self, a, target):
        """What stands for -dL/d(drive): noise in the drive of every unit, times what it takes from the loss
        (Werfel, Xie & Seung 2005, doi:10.1162/089976605774320539)."""
        net, noisy, noise = self.net, a[0], []
        for k in range(net.layers):
            noise.append(self.sigma * self.noise.normal(a[k + 1].size).reshape(a[k + 1].shape))
            noisy = net.activate(net.drive(noisy, k) + noise[k], k + 1)
        gain = (net.losses(a[-1], target) - net.losses(noisy, target)) / self.sigma**2
        return [(gain[:, None] * xi).astype(net.dtype) for xi in noise]

    def measure(self):
        """Error on unseen inputs, and how each hidden layer's teaching signal lies to those of W^T and W^+."""
        net, (x, target) = self.net, self.lessons.test
        a = net.forward(x)
        error, labels = self._finite(target - a[-1]), self.lessons.labels
        if labels is not None:
            found = {"error": 100.0 * float((a[-1].argmax(axis=1) != labels).mean())}
        else:
            found = {"error": float((error**2).sum() / (target**2).sum())}
        if net.layers == 1 or self.algorithm == "node_perturbation":
            return found
        return {**found, **self.alignment([each[: self.measured] for each in a], error[: self.measured])}

    def alignment(self, a, error):
        """Means over the rows of a and error; nan where a signal is zero."""
        own, bp, pbp = (self.net.signals(a, error, way) for way in (None, "transpose", "pseudo_inverse"))
        to_bp, to_pbp = ([row_angles(u, v) for u, v in zip(own, other, strict=True)] for other in (bp, pbp))
        found = {}
        for name, angles in (("angle_bp", to_bp), ("angle_pbp", to_pbp)):
            found[name] = [float(each.mean()) for each in angles]
            found[f"{name}_folded"] = [float(folded(each).mean()) for each in angles]
        found["sign_condition"] = [float((each < 90.0).mean()) for each in to_bp]
        return found

    def _finite(self, error):
        if not np.isfinite(np.square(error).sum()):
            raise RunError(f"Lillicrap2016: the error grew without bound; choose an eta below {self.eta}.")
        return error

    def marks(self):
        """When to measure, in examples."""
        step = self.test_every or (60_000 if self.task == "mnist" else 0)
        if step:
            return [*range(step, self.examples, step), self.examples]
        series = [m * 10**k for k in range(2, 19) for m in (1, 2, 5)]
        return [*(m for m in series if m < self.examples), self.examples]

    def simulate(self, options):
        """Learn and test. Raises RunError where the error grows without bound. See the class for what is returned."""
        if options.out:
            check_writable(Path(options.out))  # before the work, not after it
        seed = fresh_seed() if options.seed is None else options.seed
        self.begin(seed, np.float32 if options.precision == "single" else np.float64)
        curve, marks, done = [{"examples": 0, **self.measure()}], iter(self.marks()), 0
        began, seconds, interrupted, mark = time.perf_counter(), 0.0, False, next(marks)
        with _bar(self.examples, options.progress) as bar, np.errstate(over="ignore", invalid="ignore"):
            try:
                for done, *_ in self.learn():  # noqa: B007
                    if done < mark:
                        continue
                    seconds += time.perf_counter() - began
                    curve.append({"examples": done, **self.measure()})
                    bar.update(done - curve[-2]["examples"])
                    bar.set_postfix_str(f"error {curve[-1]['error']:.3g}")
                    if self.task != "mnist" and curve[-1]["error"] < BELOW_ROUNDING:
                        break
                    mark = next((m for m in marks if m > done), self.examples)
                    began = time.perf_counter()
            except KeyboardInterrupt:
                interrupted = True
                seconds += time.perf_counter() - began
                if curve[-1]["examples"] != done:
                    curve.append({"examples": done, **self.measure()})
        found = {
            "error": curve[-1]["error"], "error_before": curve[0]["error"], "error_measure": self.error_measure,
            "curve": curve, "examples": done, "examples_per_second": done / max(seconds, 1e-9), "seconds": seconds,
            "interrupted": interrupted, "seed": seed, "threads": 1, "precision": options.precision,
            "network": self.name(), "layers": list(self.sizes), "parameters": self.values(), "out": options.out,
            "version": __version__,
        }  # fmt: skip
        if options.out:
            self.save(options.out, found)
        return found

    @property
    def error_measure(self):
        """What `error` is."""
        return "percent wrong" if self.task == "mnist" else "normalised squared error"

    def save(self, path, found):
        """Weights, biases, feedback and the error curve as HDF5. Raises OSError where the file cannot be written."""
        with h5py.File(path, "w") as file:
            file.attrs.update({**self.values(), "seed": found["seed"]})
            file["curve"] = np.array([[at["examples"], at["error"]] for at in found["curve"]])
            for k in range(self.net.layers):
                for name in ("W", "b", "B"):
                    if getattr(self.net, name)[k] is not None:
                        file[f"layer_{k + 1}/{name}"] = getattr(self.net, name)[k]

    def plan(self, options):
        """Units, weights with biases, and the memory for them; nothing is made."""
        pairs = list(zip(self.sizes, self.sizes[1:], strict=False))
        weights = sum((below + 1) * above for below, above in pairs) + sum(np.prod(pair) for pair in pairs[1:])
        data = 70_000 * 784 if self.task == "mnist" else 10_000 * self.sizes[0]
        needed, free = (4 if options.precision == "single" else 8) * (4 * int(weights) + 2 * data), available()
        return {"neurons": sum(self.sizes), "synapses": int(weights), "memory_gb": needed / 1e9,
                "available_gb": free / 1e9, "fits": needed < free, "threads": 1,
                "precision": options.precision}  # fmt: skip


def _bar(total, shown):
    from tqdm import tqdm

    return tqdm(total=total, unit=" examples", desc="learning", file=sys.stderr,
                disable=not (shown and sys.stderr.isatty()))  # fmt: skip
