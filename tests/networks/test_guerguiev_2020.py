"""Feedback weights from spikes: the network, and that it finds signs, in a short run."""

import json

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from spikesim import Network, SpikesimError
from spikesim.cli import main
from spikesim.experiment import RunOptions
from spikesim.models.networks.guerguiev_2020 import Guerguiev2020, alignment


def test_signs_are_found_within_forty_seconds(tmp_path):
    """Ten other seeds: sign agreement 0.81 to 0.86, 0.14 and more above a guess, correlation 0.81 to 0.88."""
    model = Guerguiev2020()
    found = model.simulate(RunOptions(seed=1, time=40_000.0, out=str(tmp_path / "kept.h5")))
    assert found["final"]["seconds"] == 40.0
    assert found["final"]["online"]["correlation"] > 0.75
    assert found["final"]["online"]["sign_agreement"] > found["always_positive"] + 0.08
    assert found["rates_hz"]["senders"] == pytest.approx(4.3, abs=0.4)
    assert found["windows"]["above"] > found["windows"]["below"] > 0
    assert [row["seconds"] for row in found["course"]] == list(np.arange(1.0, 41.0))
    with h5py.File(tmp_path / "kept.h5") as file:
        assert alignment(file["B/online"][...], file["W"][...]) == found["final"]["online"]
        assert file["course/online"].shape == (40, 2)
    again = Guerguiev2020().simulate(RunOptions(seed=1, time=1000.0, threads=2))
    assert again["final"] == found["course"][0]


def test_weights_and_stimuli_are_those_of_the_network():
    model = Guerguiev2020(N_in=200, N_out=50)
    model.build(Network(dt=0.25, seed=3, max_rate=None))
    n = 0.2 * 200
    assert model.W.mean() == pytest.approx(75.0 / n, abs=4 * 75.0 / (2 * np.sqrt(n)) / 100)  # 4 standard errors
    assert model.W.std() == pytest.approx(75.0 / (2 * np.sqrt(n)), rel=0.03)
    forward = next(p for p in model.senders.network.projections if p.source is model.senders)
    assert (forward.weights == model.W / 20.0).all()


def test_feedback_potential_is_the_kernel():
    """One spike of a receiver evokes (e^(-t/10) - e^(-t/3))/7 in the feedback population."""
    model = Guerguiev2020(N_in=1, N_out=1)
    net = Network(dt=0.25, seed=1, max_rate=None)
    model.build(net)
    model.receivers.set(force=1.0)
    net.trigger("window")
    psp = net.record(model.feedback, "V_m")
    net.run(50.0)
    t = psp.times - 0.25 - 0.25  # the spike leaves at the end of the first step and arrives one later
    expected = np.where(t > 0, (np.exp(-t / 10.0) - np.exp(-t / 3.0)) / 7.0, 0.0)
    np.testing.assert_allclose(psp.values[:, 0], expected, atol=1e-12)


def test_alignment_of_known_matrices():
    W = np.array([[1.0, -2.0], [3.0, -4.0]])
    assert alignment(2.0 * W, W) == {"correlation": pytest.approx(1.0), "sign_agreement": 1.0}
    assert alignment(-W, W) == {"correlation": pytest.approx(-1.0), "sign_agreement": 0.0}
    assert alignment(np.array([[1.0, np.nan], [3.0, -4.0]]), W)["sign_agreement"] == 0.75
    assert alignment(np.zeros((2, 2)), W) == {"correlation": None, "sign_agreement": 0.5}
    assert alignment(np.full((2, 2), np.nan), W) == {"correlation": None, "sign_agreement": 0.0}


def test_ctrl_c_keeps_what_there_is(monkeypatch):
    runs, run = [], Network.run

    def stopped(self, duration, **given):
        runs.append(duration)
        if len(runs) > 7:
            raise KeyboardInterrupt
        return run(self, duration, **given)

    monkeypatch.setattr(Network, "run", stopped)
    found = Guerguiev2020(**Guerguiev2020.small).simulate(RunOptions(seed=1, time=1000.0))
    assert found["interrupted"]
    assert found["time_ms"] == 70.0
    assert found["final"]["seconds"] == 0.07


def test_runs_from_the_command_line():
    small = [word for name, value in Guerguiev2020.small.items() for word in ("--set", f"{name}={value}")]
    done = CliRunner().invoke(
        main, ["run", "guerguiev_2020", "--seed", "1", "--json", "--quiet", "--time", "105", *small]
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["final"]["seconds"] == 0.105
    assert found["time_ms"] == 105.0


@pytest.mark.parametrize(
    ("given", "named"),
    [(dict(active=0.0), "active"), (dict(window=-1.0), "window"), (dict(eta=2.0), "eta"), (dict(alfa=1.0), "alpha")],
)
def test_bad_parameters_are_named(given, named):
    with pytest.raises(SpikesimError, match=named):
        Guerguiev2020(**given)


def test_bad_options_are_refused_before_the_work(monkeypatch, tmp_path):
    monkeypatch.setattr(Guerguiev2020, "build", lambda *given: pytest.fail("began to build"))
    with pytest.raises(SpikesimError, match="time"):
        Guerguiev2020().simulate(RunOptions(seed=1, time=0.1))
    with pytest.raises(SpikesimError, match="cannot be written"):
        Guerguiev2020().simulate(RunOptions(seed=1, out=str(tmp_path / "no" / "such" / "folder.h5")))
