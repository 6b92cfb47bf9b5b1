"""The microcircuit: what is in it against published counts, its compensation in closed form, and its rates."""

import numpy as np
import pytest

from spikesim import Network
from spikesim.errors import SpikesimError
from spikesim.models.networks.potjans_2014 import INDEGREES_EXT, POPULATIONS, RATES, SIZES, Potjans2014, full_synapses


def built(seed=1, **given):
    model = Potjans2014(**given)
    net = Network(dt=model.dt, seed=seed, threads=2)
    model.build(net)
    return model, net


def test_size_at_full_scale():
    """Counts as reported by implementations that follow the same formula."""
    model = Potjans2014()
    assert model.sizes.sum() == 77_169
    assert model.synapses.sum() == 298_880_968
    assert (model.synapses > 0).sum() == 55


def test_in_degrees():
    """Whole numbers of synapses of an L23E and an L23I neuron, as the mean-field toolbox NNMT has them."""
    indegrees = (full_synapses() / SIZES[:, None]).astype(int)
    assert indegrees[:2, :2].tolist() == [[2199, 1079], [2990, 860]]


def test_weights():
    """0.15 mV are 87.8 pA; checked by the height of the potential, a difference of exponentials."""
    model = Potjans2014()
    weights = model.weights
    assert model.weight_ext == pytest.approx(87.8, abs=0.05)
    t = np.arange(0.0, 20.0, 1e-4)
    gain = model.tau_m * model.tau_syn / (model.tau_m - model.tau_syn) / model.C_m
    potential = gain * (np.exp(-t / model.tau_m) - np.exp(-t / model.tau_syn))
    assert model.weight_ext * potential.max() == pytest.approx(model.PSP, rel=1e-8)
    assert weights[0, 2] == 2 * weights[0, 0]
    assert weights[1, 1] == -4 * weights[0, 0]


@pytest.mark.parametrize("drive", ["poisson", "dc"])
def test_fewer_synapses_keep_mean_and_variance_of_the_input(drive):
    """At the rates of the full network; variance but for the spread of weights, which scales alike."""

    def moments(K_scaling):
        model = Potjans2014(K_scaling=K_scaling, drive=drive)
        rates = full_synapses() / SIZES[:, None] * K_scaling * RATES * 1e-3  # spikes/ms from each population
        background = INDEGREES_EXT * K_scaling * model.bg_rate * 1e-3 * (drive == "poisson")
        mean = model.tau_syn * ((model.weights * rates).sum(1) + model.weight_ext * background) + model.currents
        return mean, model.tau_syn / 2 * ((model.weights**2 * rates).sum(1) + model.weight_ext**2 * background)

    for full, fewer in zip(moments(1.0), moments(0.13), strict=True):
        assert fewer == pytest.approx(full, rel=1e-12)


def test_constant_current_has_the_mean_of_the_background():
    """562 pA for L23E: 1600 synapses of 87.8 pA at 8 Hz that decay with 0.5 ms. No current with Poisson input."""
    assert Potjans2014(drive="dc").currents == pytest.approx(INDEGREES_EXT * 8e-3 * 87.8085 * 0.5, rel=1e-5)
    assert (Potjans2014().currents == 0).all()


def test_scale_sets_what_is_not_given():
    assert (Potjans2014(scale=0.1).N_scaling, Potjans2014(scale=0.1).K_scaling) == (0.1, 0.1)
    model = Potjans2014(scale=0.1, K_scaling=0.5)
    assert (model.N_scaling, model.K_scaling) == (0.1, 0.5)
    assert Potjans2014(**model.values()).values() == model.values()


def test_equal_time_constants_are_refused():
    with pytest.raises(SpikesimError, match="tau_syn"):
        Potjans2014(tau_syn=10.0)


def test_synapses_as_built():
    model, net = built(scale=0.05, drive="dc")
    sizes = dict(zip(POPULATIONS, model.sizes, strict=True))
    assert {p.name: p.n for p in net.populations} == sizes
    for projection in net.projections:
        i, j = (POPULATIONS.index(p.name) for p in (projection.target, projection.source))
        weights, mean = projection.weights, model.weights[i, j]
        assert len(projection) == model.synapses[i, j]
        assert (weights * mean >= 0).all()
        assert projection.delays.min() >= model.dt
        if len(projection) > 1000:
            error = 1.0 / np.sqrt(len(projection))
            assert weights.mean() == pytest.approx(mean, rel=0.5 * error)  # five standard errors
            assert weights.std() == pytest.approx(0.1 * abs(mean), rel=4 * error)
            # Gaussians of mean 1.5 and 0.75 ms, s.d. half of that, have these means above 0.1 ms, and s.d. below 0.47.
            delay = 1.5541 if mean > 0 else 0.7847
            assert projection.delays.mean() == pytest.approx(delay, rel=2.5 * error + 0.005)


def test_initial_potentials():
    _, net = built(scale=0.05, drive="dc")
    potentials = net.populations[0].get("V_m")
    assert potentials.mean() == pytest.approx(-68.28, abs=5 * 5.36 / np.sqrt(potentials.size))
    _, net = built(scale=0.05, drive="dc", V_init="original")
    potentials = net.populations[0].get("V_m")
    assert potentials.std() == pytest.approx(10.0, rel=5 / np.sqrt(2 * potentials.size))


@pytest.mark.parametrize("drive", ["poisson", "dc"])
def test_a_small_network_is_asynchronous_with_the_rates_of_the_full_one(drive):
    """Tolerances: distance of the mean over seeds 0 to 4 with dc from the full network's rates, and three s.d.

    Correlations between neurons are those of counts in 3 ms: L5E has the highest, 0.061 +- 0.016 (s.d.) with dc.
    """
    _, net = built(N_scaling=0.05, K_scaling=0.2, drive=drive)
    spikes = [net.record(p, "spikes") for p in net.populations]
    with net:
        net.run(1000.0)
    rates = np.array([(r.times > 200.0).sum() / p.n / 0.8 for r, p in zip(spikes, net.populations, strict=True)])
    assert (np.abs(rates - RATES) < [0.6, 0.4, 1.0, 1.0, 2.4, 0.9, 0.5, 1.1]).all(), rates
    for recorder, population in zip(spikes, net.populations, strict=True):
        counts, _ = np.histogram(recorder.times, np.arange(200.0, 1000.0, 3.0))
        assert (counts.var() / counts.mean() - 1.0) / (population.n - 1) < 0.11
