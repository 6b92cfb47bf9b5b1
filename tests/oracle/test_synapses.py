"""Plastic synapses that NEST ran: the final weight of each. `README.md` says what the files hold."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import spikesim as ss
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.models.plasticity.guetig_stdp import GuetigSTDP
from spikesim.models.plasticity.multiplicative_stdp import MultiplicativeSTDP
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.models.plasticity.triplet_stdp import TripletSTDP

DATA = Path(__file__).parent / "data"


def pair_additive(p):
    step = p["lambda"]
    return PairSTDP(a_plus=step, a_minus=p["alpha"] * step, w_ref=p["Wmax"], w_max=p["Wmax"])


def pair_guetig(p):
    return GuetigSTDP(lambda_=p["lambda"], alpha=p["alpha"], mu=p["mu_plus"], w_ref=p["Wmax"], w_max=p["Wmax"])


def pair_multiplicative(p):
    return MultiplicativeSTDP(lambda_=p["lambda"], alpha=p["alpha"], w_ref=p["Wmax"], w_max=p["Wmax"])


def triplet(p):
    names = ("Aplus", "Aminus", "Aplus_triplet", "Aminus_triplet", "tau_plus", "tau_plus_triplet", "Wmax")
    return TripletSTDP(tau_minus=33.7, tau_y=125.0, **{name: p[name] for name in names})


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("make", [pair_additive, pair_guetig, pair_multiplicative, triplet])
def test_final_weights(make, threads):
    with h5py.File(DATA / f"stdp_{make.__name__}.h5") as file:
        parameters = {key: float(value) for key, value in file["neuron_params"].attrs.items()}
        trains = {
            side: (file[f"input/{side}_times"][:], np.diff(file[f"input/{side}_offsets"][:]))
            for side in ("pre", "post")
        }
        delays, final = file["synapses/delay"][:], file["extra/final_weight"][:]
        dt = float(file.attrs["dt_ms"])
    n = len(delays)
    net = ss.Network(dt=dt, seed=1, threads=threads)
    pre, post = (
        net.add(SpikeSource(times, np.repeat(np.arange(n), counts)), n, name=side)
        for side, (times, counts) in trains.items()
    )
    synapses = net.connect(pre, post, ss.OneToOne(), weight=parameters["w0"], delay=delays, plasticity=make(parameters))
    net.run(round(max(times.max() for times, _ in trains.values())) + 2.0 * delays.max())

    assert np.abs(final - parameters["w0"]).max() > 0.1
    # Traces decay step by step here and in one go in NEST; 2e-14 was seen.
    np.testing.assert_allclose(synapses.weights, final, rtol=1e-10)
