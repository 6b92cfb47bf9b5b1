"""The neuron that knows its drive: closed forms, windows, and interventions."""

import numpy as np
import pytest

from spikesim import Network, OneToOne, SpikesimError
from spikesim.models.neurons.current_sources import NoiseSource
from spikesim.models.neurons.lif_drive import LIFDrive
from spikesim.models.neurons.spike_source import SpikeSource


def test_constant_current_drives_to_the_closed_form_and_spikes_come_in_its_intervals():
    net = Network(dt=0.1, seed=1)
    cell = net.add(LIFDrive(tau_m=10.0, I_e=0.15, V_reset=-0.5), 1)
    U, spikes = net.record(cell, "U_m"), net.record(cell, "spikes")
    net.run(100.0)
    np.testing.assert_allclose(U.values[:, 0], 1.5 * (1.0 - np.exp(-U.times / 10.0)), rtol=1e-9)
    first, later = 10.0 * np.log(1.5 / 0.5), 10.0 * np.log(2.0 / 0.5)
    expected = np.ceil(first * 10.0) + np.ceil(later * 10.0) * np.arange(len(spikes))
    assert spikes.steps.tolist() == expected.tolist()
    assert len(spikes) > 5


def test_a_spike_evokes_a_potential_of_known_area():
    # The kernel has unit area, and a membrane makes tau_m times the area of its current; the steps add O(dt).
    for dt, within in ((0.1, 0.02), (0.025, 0.005)):
        net = Network(dt=dt, seed=1)
        source, cell = net.add(SpikeSource(times=[1.0], ids=[0]), 1), net.add(LIFDrive(tau_m=12.0), 1)
        net.connect(source, cell, OneToOne(), weight=0.3, delay=dt, receptor="synaptic")
        V = net.record(cell, "V_m")
        net.run(300.0)
        assert V.values.sum() * dt == pytest.approx(0.3 * 12.0, rel=within)
        kappa = {tau: np.exp(-(V.times - 1.0) / tau) for tau in (12.0, 10.0, 3.0)}
        response = sum(
            sign * tau * 12.0 / (12.0 - tau) * (kappa[12.0] - kappa[tau]) for sign, tau in ((1, 10.0), (-1, 3.0))
        )
        late = V.times > 2.0
        np.testing.assert_allclose(V.values[late, 0], 0.3 / 7.0 * response[late], atol=within * 0.1)


def noisy(n=100, t_ref=3.0, seed=3):
    """A network of n neurons with a noise of their own, which fire about once in two windows of 50 ms."""
    net = Network(dt=1.0, seed=seed)
    cells, source = net.add(LIFDrive(tau_m=100.0, t_ref=t_ref, V_min=0.0), n), net.add(NoiseSource(std=0.12), n)
    net.connect(source, cells, OneToOne(), weight=1.0, delay=1.0, receptor="current")
    return net, cells, net.record(cells, "spikes")


@pytest.mark.parametrize("t_ref", [0.0, 3.0])
def test_a_neuron_fires_in_a_window_if_and_only_if_its_drive_reaches_the_threshold(t_ref):
    net, cells, spikes = noisy(t_ref=t_ref)
    both = np.zeros(2, dtype=int)
    for _ in range(40):
        spikes.clear()
        net.trigger("window")
        net.run(50.0)
        fired = np.bincount(spikes.ids, minlength=100)
        assert ((cells.get("Z") >= 1.0) == (fired > 0)).all()
        assert (cells.get("fired") == fired).all()
        both += [(fired > 0).sum(), (fired == 0).sum()]
    assert both.min() > 500


def test_the_highest_drive_is_that_of_the_window():
    net, cells, _ = noisy()
    net.run(20.0)
    net.trigger("window")
    before, U = cells.get("V_m"), net.record(cells, "U_m")
    assert (cells.get("U_m") == before).all()
    net.run(50.0)
    values = U.values
    highest = values.max(axis=0)
    free = cells.get("Z_step").astype(int)
    np.testing.assert_array_equal(cells.get("Z"), np.maximum(highest, 0.0))
    np.testing.assert_array_equal(values[free - 1, np.arange(100)], cells.get("Z"))


def test_interventions_change_spikes_and_not_the_drive():
    net, cells, spikes = noisy()
    net.run(200.0)
    net.trigger("window")
    state = net.store()
    drives, trains = [], []
    for change in ({}, {"mute": 1.0}, {"force": 17.0}, {"mute": 1.0, "force": 17.0}):
        net.restore(state)
        spikes.clear()
        cells.set(**{"mute": 0.0, "force": 0.0, **change})
        net.run(50.0)
        drives.append(cells.get("Z"))
        trains.append((spikes.steps - 200, spikes.ids))
        if change.get("mute") and not change.get("force"):
            np.testing.assert_array_equal(cells.get("V_m"), cells.get("U_m"))
    natural, silent, forced, only = trains
    assert len(natural[0]) > 20
    assert len(silent[0]) == 0
    refractory = np.isin(np.arange(100), natural[1][(natural[0] >= 17 - 3) & (natural[0] < 17)])
    assert set(np.flatnonzero(~refractory)) <= set(forced[1][forced[0] == 17])
    assert (only[0] == 17).all()
    assert len(only[0]) >= 95  # all but those that a spike before the window has left refractory: none, at step 17
    for other in drives[1:]:
        np.testing.assert_array_equal(drives[0], other)


@pytest.mark.parametrize(
    ("given", "named"),
    [(dict(V_reset=1.0), "V_reset"), (dict(tau_L=3.0), "tau_L"), (dict(V_min=0.5), "V_min"), (dict(tau=3.0), "tau_m")],
)
def test_parameters_that_do_not_go_together_are_refused(given, named):
    with pytest.raises(SpikesimError, match=named):
        Network(dt=0.1, seed=1).add(LIFDrive(**given), 1)
