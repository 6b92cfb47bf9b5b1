"""Networks whose backward weights learn: one mini-batch against the equations, noise, presets, files, mistakes."""

import json

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from spikesim import SpikesimError
from spikesim.cli import main
from spikesim.experiment import RunOptions
from spikesim.models.networks.akrout_2019 import Akrout2019
from spikesim.models.networks.kunin_2020 import Kunin2020
from spikesim.rng import Stream

SMALL = dict(hidden="30,20", train_images=500, test_images=200, epochs=1)


def batch(n=50):
    x = Stream(5, "TASK", 0).normal(n * 784).reshape(n, 784)
    return x, np.eye(10)[Stream(5, "TASK", 1).integers(10, n)]


def made(seed=3, **given):
    model = Kunin2020(**{**SMALL, **given})
    model.make(seed)
    return model


def test_one_mini_batch_equals_the_equations():
    model, (x, target) = made(strategy="activation_alignment", eta_B=4.0, spread=1.0, spread_B=1.0), batch()
    net = model.net
    W, B, b = [w.copy() for w in net.W], [None, *(w.copy() for w in net.B[1:])], [v.copy() for v in net.b]
    model.learn(x, target, 0.3)
    a = [x]
    for k in range(2):
        a.append(np.tanh(a[k] @ W[k].T))
    out = 1.0 / (1.0 + np.exp(-a[2] @ W[2].T))
    delta = [None, None, target - out]
    for k in (1, 0):
        delta[k] = (delta[k + 1] @ B[k + 1].T) * (1.0 - a[k + 1] ** 2)
    for k in range(3):
        np.testing.assert_allclose(net.W[k], W[k] + 0.3 * delta[k].T @ a[k] / 50, atol=1e-13)
        np.testing.assert_allclose(net.b[k], b[k] + 0.3 * delta[k].mean(axis=0), atol=1e-13)
    for k in (1, 2):
        grown, held = a[k].T @ (a[k] @ W[k].T) / 50, a[k].T @ a[k] @ B[k] / 50
        np.testing.assert_allclose(net.B[k], B[k] + 4.0 * 2e-3 * (grown - held), atol=1e-13)
        assert np.abs(net.B[k] - B[k]).max() > 1e-3


def test_kolen_pollack_brings_both_together_as_a_power_of_time():
    """W - B^T shrinks by 1 - eta decay in every update, whatever the task does (Kolen & Pollack 1994)."""
    model, (x, target) = made(strategy="kolen_pollack", coefficients="decay=0.1"), batch()
    net = model.net
    apart = [w - b.T for w, b in zip(net.W[1:], net.B[1:], strict=True)]
    for _ in range(20):
        model.learn(x, target, 0.2)
    for k in (1, 2):
        np.testing.assert_allclose(net.W[k] - net.B[k].T, (1.0 - 0.02) ** 20 * apart[k - 1], atol=1e-13)


def test_before_the_task_only_backward_weights_learn():
    model, (x, target) = made(strategy="weight_mirror", mirror="noise"), batch()
    W, B = [w.copy() for w in model.net.W], model.net.B[1].copy()
    for _ in range(300):
        model.learn(x, target, 0.2, task=False)
    assert all((w == old).all() for w, old in zip(model.net.W, W, strict=True))
    assert (model.net.B[1] != B).all()
    together, before = made(strategy="kolen_pollack"), made(strategy="kolen_pollack").net.B[1]
    together.learn(x, target, 0.2, task=False)  # which have nothing to share then
    assert (together.net.B[1] == before).all()
    model.test_set = batch(100)
    assert max(model.measure(0)["weight_angle"]) < 10.0  # from 90; 3.2 to 4.8 for ten seeds


@pytest.mark.parametrize(("where", "moved"), [("W", (True, False)), ("B", (False, True)), ("both", (True, True))])
def test_noise_has_the_variance_that_was_asked_for(where, moved):
    quiet, noisy = (made(strategy="feedback_alignment", noise=noise, noise_on=where) for noise in (0.0, 0.04))
    for model in (quiet, noisy):
        model.learn(*batch(), 0.5)
    for name, expected in zip("WB", moved, strict=True):
        change = getattr(noisy.net, name)[1] - getattr(quiet.net, name)[1]
        # sqrt(0.04) * 0.5 = 0.1; three standard errors of 600 numbers
        assert change.std() == pytest.approx(0.1 if expected else 0.0, abs=0.1 * 3 / np.sqrt(2 * 600))


def test_centring_takes_the_mean_away():
    model = made(centre=True)
    below, above = model._seen(2.0 + Stream(1, "TASK", 0).normal(50 * 30).reshape(50, 30), 1)
    np.testing.assert_allclose(below.mean(axis=0), 0.0, atol=1e-14)
    np.testing.assert_allclose(above, below @ model.net.W[1].T)


@pytest.mark.parametrize("strategy", ["backprop", "symmetric_alignment", "activation_alignment", "kolen_pollack"])
def test_it_learns_real_digits(strategy):
    found = Kunin2020(strategy=strategy, hidden="100", train_images=5000, test_images=1000, epochs=2).simulate(
        RunOptions(seed=1, precision="single")
    )
    assert found["curve"][0]["test_error"] > 75.0
    assert found["test_error"] < 18.0  # 11.9 to 16.3 for four seeds of each
    if strategy == "symmetric_alignment":
        assert found["curve"][-1]["weight_angle"][0] < 10.0 < 80.0 < found["curve"][0]["weight_angle"][0]
    if strategy == "backprop":
        assert found["curve"][-1]["gradient_angle"] == [0.0]


def test_a_run_is_reproduced_and_kept(tmp_path):
    path = tmp_path / "weights.h5"
    runs = [
        Kunin2020(mirror="noise", noise=1e-3, **SMALL).simulate(RunOptions(seed=4, out=out))
        for out in (None, str(path))
    ]
    assert runs[0]["curve"] == runs[1]["curve"]
    with h5py.File(path) as file:
        assert file["layer_2/B"].shape == file["layer_2/W"].shape[::-1] == (30, 20)
        assert file.attrs["seed"] == 4
        assert file["test_error"][-1] == runs[0]["test_error"]


def test_backward_weights_may_learn_without_any_task():
    found = Kunin2020(**{**SMALL, "epochs": 0, "ahead": 1}).simulate(RunOptions(seed=1))
    assert [at["epoch"] for at in found["curve"]] == [-1, 0]
    assert found["curve"][1]["test_error"] == found["curve"][0]["test_error"]
    assert found["curve"][1]["weight_angle"] < found["curve"][0]["weight_angle"]


def test_weights_that_run_away_end_the_run():
    found = Kunin2020(coefficients="null=100", batch=10, **{**SMALL, "epochs": 3}).simulate(RunOptions(seed=1))
    assert found["diverged"]
    assert found["curve"][-1]["epoch"] == 1


def test_ctrl_c_keeps_what_there_is(monkeypatch):
    model, learn, calls = Kunin2020(**{**SMALL, "epochs": 4}), Kunin2020.learn, []

    def interrupted(self, *given, **named):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        learn(self, *given, **named)

    monkeypatch.setattr(Kunin2020, "learn", interrupted)
    found = model.simulate(RunOptions(seed=1))
    assert found["interrupted"]
    assert [at["epoch"] for at in found["curve"]] == [0, 1, 1.4]


def test_the_command_line():
    words = ["run", "kunin_2020", "--seed", "1", "--json", "--quiet"]
    settings = [f"{key}={value}" for key, value in {**SMALL, "strategy": "activation_alignment"}.items()]
    result = CliRunner().invoke(main, [*words, *(word for each in settings for word in ("--set", each))])
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert len(found["curve"][-1]["weight_angle"]) == 2
    plan = json.loads(CliRunner().invoke(main, [*words, "--dry-run"]).stdout)
    assert plan["neurons"] == 784 + 500 + 500 + 10
    assert plan["synapses"] == 785 * 500 + 501 * 500 + 501 * 10 + 500 * 500 + 500 * 10


def test_akrout_2019_mirrors_its_weights():
    model = Akrout2019(train_images=2000, test_images=500, epochs=2, ahead=1)
    found = model.simulate(RunOptions(seed=1, precision="single"))
    assert [at["epoch"] for at in found["curve"]] == [-1, 0, 1, 2]
    assert found["curve"][0]["weight_angle"][0] > 80.0
    assert found["curve"][-1]["weight_angle"][0] < 45.0
    assert model.net.W[0].std() == pytest.approx((784 + 500) ** -0.5, rel=0.3)


@pytest.mark.parametrize("preset", Akrout2019.presets)
def test_published_runs_of_akrout_2019(preset):
    model = Akrout2019(preset=preset)
    model.make(3)
    before = model.net.B[1].copy()
    model.learn(*batch(128), model.eta)
    assert (model.net.B[1] != before).any() == (preset in ("kolen_pollack", "weight_mirror"))
    assert model.epochs == 400


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (dict(strategy="symetric_alignment"), "'symmetric_alignment'"),
        (dict(coefficients="decay=1,slef=1"), "'self'"),
        (dict(coefficients="decay"), "coefficients"),
        (dict(strategy="backprop", coefficients="decay=1"), "backprop has no B"),
        (dict(strategy="backprop", noise=0.1, noise_on="both"), "backprop has no B"),
        (dict(hidden="20,x"), "hidden"),
        (dict(hidden="0"), "hidden"),
        (dict(eta=0.0), "eta"),
        (dict(mirror="noisy"), "'noise'"),
    ],
)
def test_mistakes_are_named(given, named):
    with pytest.raises(SpikesimError, match=named):
        Kunin2020(**given)
