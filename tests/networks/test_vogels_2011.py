"""Inhibitory plasticity brings excitatory neurons to their rate; the full network is in tests/papers."""

import numpy as np
import pytest

from spikesim import Network
from spikesim.experiment import RunOptions
from spikesim.models.networks.vogels_2011 import Vogels2011


def built(seed=1, threads=1, **given):
    model = Vogels2011(**given)
    net = Network(dt=model.dt, seed=seed, threads=threads)
    model.build(net)
    return net


def test_parameters_are_those_of_the_authors_program():
    assert Vogels2011().values() == {
        "dt": 0.1, "N_E": 8000, "N_I": 2000, "p": 0.02, "w_ex": 0.3, "w_in": 3.0, "w_start": 1e-10, "w_max": 100.0,
        "eta": 1e-2, "tau": 20.0, "rho_0": 3.0, "learn_from": 1000.0, "C_m": 200.0, "g_L": 10.0, "E_L": -60.0,
        "E_ex": 0.0, "E_in": -80.0, "V_th": -50.0, "t_ref": 5.0, "tau_ex": 5.0, "tau_in": 10.0, "I_e": 200.0,
    }  # fmt: skip
    assert Vogels2011.duration == 10_000.0


def test_what_is_in_it():
    net = built()
    ex_ex, ex_in, in_in, plastic = net.projections
    assert [(p.source.name, p.target.name) for p in net.projections] == [
        ("excitatory", "excitatory"), ("excitatory", "inhibitory"), ("inhibitory", "inhibitory"),
        ("inhibitory", "excitatory"),
    ]  # fmt: skip
    for projection in net.projections:
        mean = 0.02 * projection.source.n * projection.target.n
        assert len(projection) == pytest.approx(mean, abs=5 * np.sqrt(mean))
    assert (ex_ex.weights == 0.3).all()
    assert (np.abs(in_in.weights) == 3.0).all()
    assert (plastic.weights == 1e-10).all()
    assert plastic.rule.hook_params().rho_0 == 3.0
    assert not plastic.learning


def test_inhibition_grows_once_it_may():
    """A tenth of the neurons with as many synapses each: fast learning."""
    net = built(N_E=800, N_I=200, p=0.2, learn_from=300.0, eta=0.3)
    spikes = net.record(net.populations[0], "spikes")
    plastic = net.projections[-1]
    net.run(300.0)
    fast = spikes.count / 800 / 0.3
    assert (plastic.weights == 1e-10).all()
    net.run(1700.0)
    before = spikes.count
    net.run(500.0)
    slow = (spikes.count - before) / 800 / 0.5
    assert fast > 20.0
    assert slow == pytest.approx(3.0, abs=1.5)
    assert plastic.weights.mean() > 1.0
    assert plastic.weights.max() <= 100.0


def test_it_runs_from_the_command_line_and_threads_change_nothing():
    results = [Vogels2011(**Vogels2011.small).simulate(RunOptions(time=100.0, seed=2, threads=t)) for t in (1, 2)]
    assert results[0]["spikes"] == results[1]["spikes"] > 100
