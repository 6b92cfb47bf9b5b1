"""Ctrl-C while a file is written."""

import signal

import h5py
import pytest

import spikesim as ss
from spikesim import spike_writer
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.stopping import unbroken


@pytest.fixture
def ctrl_c():
    """What Ctrl-C does in a terminal, even where those who began the tests have it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_a_file_is_finished_costs_no_spikes(ctrl_c, tmp_path, monkeypatch):
    compress = spike_writer.zlib.compress

    def interrupted(*given):
        ctrl_c()
        return compress(*given)

    net = ss.Network(dt=1.0, seed=1)
    spikes = net.record(net.add(PoissonSource(rate=50.0), 20, name="noise"), "spikes", to=str(tmp_path / "a.h5"))
    net.run(500.0)
    monkeypatch.setattr(spike_writer.zlib, "compress", interrupted)
    with pytest.raises(KeyboardInterrupt):
        net.close()
    with h5py.File(tmp_path / "a.h5") as file:
        assert len(file["spikes/noise/timestamps"]) == spikes.count > 300
        assert file["spikesim"].attrs["completed"]


def test_ctrl_c_waits_for_what_must_not_be_broken(ctrl_c):
    done = []

    def work(trouble):
        with unbroken():
            ctrl_c()
            with unbroken():
                ctrl_c()
            done.append("all of it")
            if trouble:
                raise ValueError("mine")

    with pytest.raises(KeyboardInterrupt):
        work(trouble=False)
    with pytest.raises(ValueError, match="mine"):
        work(trouble=True)
    assert done == ["all of it"] * 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
