"""A run whose activity explodes stops, and what was recorded is kept."""

import h5py
import numpy as np
import pytest

import spikesim as ss
from spikesim.models.neurons import LIF, PoissonSource


def network(current=5000.0, **options):
    net = ss.Network(dt=0.1, seed=1, **options)
    exc = net.add(LIF(t_ref=1.0, I_e=current), 50, name="exc")
    net.connect(exc, exc, ss.FixedIndegree(5), weight=1.0, delay=1.5)
    return net, exc


@pytest.mark.parametrize("threads", [1, 2])
def test_it_stops_at_the_same_step_and_the_file_is_whole(tmp_path, threads):
    path = tmp_path / "spikes.h5"
    net, exc = network(threads=threads)
    net.record(exc, "spikes", to=path)
    with (
        pytest.raises(ss.RunError, match=r"population 'exc' fired at \d+ Hz .* max_rate = 300 Hz.*stopped at 100 ms"),
        net,
    ):
        net.run(1000.0)
    assert net.time == 100.0
    with h5py.File(path) as file:
        times = file["spikes/exc/timestamps"][:]
        assert not file["spikesim"].attrs["completed"]
        assert file["spikesim"].attrs["duration_ms"] == 100.0
    assert 99.0 < times.max() <= 100.0
    assert len(times) > 50 * 300 * 0.1


def test_split_runs_are_looked_at_after_a_whole_window():
    net, _ = network()
    for _ in range(9):
        net.run(10.0)
    with pytest.raises(ss.RunError, match="explodes"):
        net.run(10.0)


def test_going_back_in_time_is_not_counted():
    net, _ = network(current=700.0, max_rate=150.0)
    net.run(30.0)
    state = net.store()
    for _ in range(20):
        net.restore(state)
        net.run(60.0)


def test_the_threshold_can_be_set():
    net, _ = network(max_rate=None)
    net.run(300.0)
    net, _ = network(max_rate=1000.0)
    net.run(300.0)
    net, _ = network(current=700.0, max_rate=20.0)
    with pytest.raises(ss.RunError, match="max_rate = 20 Hz"):
        net.run(300.0)
    for wrong in (0.0, -1.0, "high"):
        with pytest.raises(ss.SpikesimError, match="max_rate"):
            network(max_rate=wrong)


def test_sources_and_neurons_that_nobody_hears_may_fire_as_they_like():
    net = ss.Network(dt=0.1, seed=1)
    source = net.add(PoissonSource(rate=2000.0), 20, name="source")
    heard = net.add(LIF(t_ref=1.0, I_e=5000.0), 20, name="unheard")
    net.connect(source, heard, ss.OneToOne(), weight=1.0)
    spikes = net.record(heard, "spikes")
    net.run(250.0)
    assert spikes.count / 20 / 0.25 > 300


def test_a_run_after_the_stop_goes_on_where_it_was():
    net, exc = network()
    spikes = net.record(exc, "spikes")
    with pytest.raises(ss.RunError):
        net.run(1000.0)
    exc.set(I_e=0.0)
    before = spikes.count
    net.run(200.0)
    assert net.time == 300.0
    assert spikes.count - before < 100
    assert np.all(np.diff(spikes.steps) >= 0)
