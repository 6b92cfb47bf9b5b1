"""Networks that NEST ran, reproduced spike for spike. `README.md` says what the files hold."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import spikesim as ss
from spikesim.models.neurons.lif import LIF
from spikesim.models.neurons.lif_alpha import LIFAlpha
from spikesim.models.neurons.lif_delta import LIFDelta
from spikesim.models.neurons.spike_source import SpikeSource

DATA = Path(__file__).parent / "data"
MODELS = {
    "psc_exp": LIF,
    "psc_exp_dt05": LIF,
    "psc_exp_random_weights": LIF,
    "psc_alpha": LIFAlpha,
    "psc_delta": LIFDelta,
}


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("name", MODELS)
def test_every_spike_and_potential(name, threads):
    with h5py.File(DATA / f"net_{name}.h5") as file:
        attributes = dict(file.attrs)
        parameters = {key: float(value) for key, value in file["neuron_params"].attrs.items()}
        table = {f"{group}/{key}": item[:] for group in file for key, item in file[group].items()}
    dt = float(attributes["dt_ms"])
    n_inputs = 1 + max(table["input/ids"].max(), table["synapses/in_src"].max())
    n = 1 + max(table[f"synapses/{end}"].max() for end in ("src", "tgt", "in_tgt"))

    net = ss.Network(dt=dt, seed=1, threads=threads)
    source = net.add(SpikeSource(table["input/times"], table["input/ids"]), n_inputs, name="input")
    neurons = net.add(MODELS[name](V_m=-70.0, **parameters), n, name="neurons")
    for pre, prefix in ((source, "in_"), (neurons, "")):
        src, tgt, weight, delay = (table[f"synapses/{prefix}{key}"] for key in ("src", "tgt", "weight", "delay"))
        net.connect(pre, neurons, ss.Pairs(src, tgt), weight=weight, delay=delay)
    spikes, potential = net.record(neurons, "spikes"), net.record(neurons[:2], "V_m")
    net.run(float(attributes["T_ms"]))

    steps = np.rint(table["spikes/times"] / dt).astype(int)
    order = np.lexsort((table["spikes/ids"], steps))
    assert len(steps) > 1000
    np.testing.assert_array_equal(spikes.steps, steps[order])
    np.testing.assert_array_equal(spikes.ids, table["spikes/ids"][order])

    shared = len(table["extra/V_m_times"])  # NEST leaves the sample at the very end out
    np.testing.assert_allclose(potential.times[:shared], table["extra/V_m_times"], rtol=1e-12)
    # Both round every step, and the leak forgets within tens of ms; 1e-13 mV was seen.
    for k in range(2):
        np.testing.assert_allclose(potential.values[:shared, k], table[f"extra/V_m_{k}"], rtol=0.0, atol=1e-9)
