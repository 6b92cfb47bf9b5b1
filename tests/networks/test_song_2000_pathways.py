"""Two halves of the inputs compete; the runs in full are in tests/papers."""

import numpy as np
import pytest

from spikesim import Network
from spikesim.errors import SpikesimError
from spikesim.experiment import RunOptions
from spikesim.models.networks.song_2000_pathways import Song2000Pathways
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.rng import Stream


def built(seed=1, **given):
    model = Song2000Pathways(**given)
    net = Network(dt=model.dt, seed=seed)
    model.build(net)
    return model, net


def test_what_is_in_it():
    model, net = built(length=500.0)
    assert [p.n for p in net.populations] == [1, 500, 500]
    for synapses in net.projections:
        np.testing.assert_allclose(synapses.weights, 0.05)
        assert synapses.rule.values() == PairSTDP(
            a_plus=0.01, a_minus=0.0105, tau_plus=20.0, tau_minus=20.0, w_max=0.1, w_ref=0.1
        ).values()  # fmt: skip
    triplet = Song2000Pathways(rule="TripletSTDP").plastic_rule()
    assert triplet.a3_plus == type(triplet).a3_plus
    assert triplet.w_max == triplet.w_ref == pytest.approx(0.1)


def test_rates_fluctuate_as_the_docstring_says():
    """Even between 0 and twice the mean, renewed after exponential intervals: 5000 of them."""
    model = Song2000Pathways()
    times, rates = model.fluctuations(Stream(3, "TASK"))
    intervals = np.diff(times)
    assert intervals.min() >= 0.1 - 1e-9
    assert len(intervals) == pytest.approx(5000, abs=5 * np.sqrt(5000))
    assert np.mean(intervals > 20.0) == pytest.approx(np.exp(-1.0), abs=5 * np.sqrt(0.25 / 5000))
    assert rates.mean() == pytest.approx(15.0, abs=5 * 15.0 / np.sqrt(3 * 5000))
    assert rates.std() == pytest.approx(15.0 / np.sqrt(3.0), rel=0.05)
    assert rates.min() >= 0.0


def counts(net, duration, window=10.0):
    """Spikes of both halves in windows of so many ms."""
    spikes = [net.record(p, "spikes") for p in net.populations[1:]]
    net.run(duration)
    return [np.histogram(s.times, np.arange(0.0, duration + 1e-6, window))[0] for s in spikes]


@pytest.mark.parametrize(("second", "lags"), [("steady", ()), ("late", (30.0,))])
def test_the_second_half_is_steady_or_late(second, lags):
    """The variance of the counts of a steady half is their mean, 5 s of windows of 10 ms. That of a fluctuating one is
    larger, and the late half repeats the early one `latency` ms, three windows, later."""
    model, net = built(second=second, latency=30.0, length=5000.0, N=200)
    first, other = counts(net, 5000.0)
    assert first.mean() == pytest.approx(15.0, rel=0.15)
    assert first.var() > 2.0 * first.mean()
    if second == "steady":
        assert other.var() == pytest.approx(other.mean(), rel=5 * np.sqrt(2.0 / len(other)))
        assert abs(np.corrcoef(first, other)[0, 1]) < 5.0 / np.sqrt(len(first))
    else:
        at = [np.corrcoef(first[: len(first) - k], other[k:])[0, 1] for k in range(8)]
        assert int(np.argmax(at)) == 3
        assert at[3] > 0.6


def test_a_wrong_rule_is_refused_at_once():
    with pytest.raises(SpikesimError, match="did you mean 'PairSTDP'"):
        Song2000Pathways(rule="PairSTPD")


def test_it_tells_the_mean_weights():
    result = Song2000Pathways(**Song2000Pathways.small).simulate(RunOptions(time=500.0, seed=2))
    means = result["mean_weights"]
    assert result["contrast"] == pytest.approx(means["first"] - means["second"])
    assert 0.0 < means["second"] < 1.0
    assert means["first"] != 0.5


def contrasts(seconds, **given):
    """Mean weight of the first half less that of the second, for seeds 1 to 3, with five times fewer inputs, each five
    times stronger, than in full."""
    model = Song2000Pathways(N=200, g_max=0.05, length=1000.0 * seconds, **given)
    return [model.simulate(RunOptions(time=1000.0 * seconds, seed=seed))["contrast"] for seed in (1, 2, 3)]


FASTER = {"a_plus": 0.02, "a_minus": 0.021}


def test_what_fires_together_wins_by_additive_stdp_and_hardly_by_multiplicative():
    """After 10 s: 0.15, 0.26, 0.24 with additive STDP; 0.011, 0.020, 0.019 with multiplicative STDP, which keeps all
    weights near the middle; -0.038, -0.030, 0.029 with additive STDP and no fluctuations, by chance, whose s.d. is 0.03
    (six seeds). The mean of three is allowed four of its standard errors."""
    additive = contrasts(10.0, **FASTER)
    assert min(additive) > 0.1
    assert np.abs(contrasts(10.0, rule="MultiplicativeSTDP")).max() < 0.3 * min(additive)
    assert abs(np.mean(contrasts(10.0, fluctuation=0.0, **FASTER))) < 4 * 0.03 / np.sqrt(3.0)


def test_what_comes_first_wins():
    """The same inputs 10 ms later lose: 0.50, 0.55, 0.60 after 10 s."""
    assert min(contrasts(10.0, second="late", **FASTER)) > 0.4
