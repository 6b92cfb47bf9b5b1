"""Pair rules against closed forms."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

import spikesim as ss
from spikesim.errors import SpikesimError
from spikesim.models.neurons.poisson import PoissonSource
from spikesim.models.neurons.spike_source import SpikeSource
from spikesim.models.plasticity.guetig_stdp import GuetigSTDP
from spikesim.models.plasticity.multiplicative_stdp import MultiplicativeSTDP
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.models.plasticity.power_law_stdp import PowerLawSTDP
from spikesim.models.plasticity.van_rossum_stdp import VanRossumSTDP
from spikesim.plasticity import Rule, Trace
from spikesim.timeline import weight_change

LTP, LTD = ([0.0], [10.0]), ([10.0], [0.0])  # one pair each, pre and post times (ms)


def pairs(frequency, delta_t, n=60):
    pre = [1000.0 * k / frequency for k in range(n)]
    return pre, [t + delta_t for t in pre]


def test_additive_single_pair():
    assert weight_change(PairSTDP(), *LTP) == pytest.approx(+0.00303265, abs=1e-8)
    assert weight_change(PairSTDP(), *LTD) == pytest.approx(-0.00318429, abs=1e-8)


@pytest.mark.parametrize(
    ("frequency", "after", "before"),
    [(1.0, 0.181959, -0.191057), (20.0, 0.152336, -0.164404), (50.0, -0.009216, -0.019051)],
)
def test_additive_sixty_pairs(frequency, after, before):
    assert weight_change(PairSTDP(), *pairs(frequency, +10.0)) == pytest.approx(after, abs=1e-6)
    assert weight_change(PairSTDP(), *pairs(frequency, -10.0)) == pytest.approx(before, abs=1e-6)


@pytest.mark.parametrize("delta_t", [-100.0, -33.7, -7.3, -0.01, 0.01, 2.5, 16.8, 61.0])
def test_window_is_the_exponential_of_the_paper(delta_t):
    rule = PairSTDP(preset="bi_poo_2001")
    expected = 0.777 / 60 * math.exp(-delta_t / 16.8) if delta_t > 0 else -0.273 / 60 * math.exp(delta_t / 33.7)
    assert weight_change(rule, [0.0], [delta_t]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("delta_t", [5.0, 10.0, 20.0])
def test_sixty_pairs_sum_the_geometric_series(delta_t):
    rule, n, period = PairSTDP(tau_plus=16.8, tau_minus=33.7), 60, 50.0
    a, b = math.exp(-period / 16.8), math.exp(-period / 33.7)
    ltp = sum((1 - a ** (k + 1)) / (1 - a) for k in range(n)) * math.exp(-delta_t / 16.8)
    ltd = sum(b * (1 - b**k) / (1 - b) for k in range(n)) * math.exp(delta_t / 33.7)
    expected = 0.005 * ltp - 0.00525 * ltd
    assert weight_change(rule, *pairs(20.0, delta_t)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("pairing", "expected"),
    [
        ("all_to_all", 0.01399571),
        ("nearest", 0.00572892),
        ("nearest_pre_centered", 0.00523813),
        ("nearest_reduced", 0.00508674),
    ],
)
def test_which_spikes_pair(pairing, expected):
    pre, post = [10.0, 20.0, 26.0, 50.0], [14.0, 30.0, 33.0, 60.0]
    assert weight_change(PairSTDP(pairing=pairing), pre, post) == pytest.approx(expected, abs=1e-8)


def test_guetig_single_pair():
    rule = GuetigSTDP(lambda_=0.005, alpha=1.05, mu=0.02)
    assert weight_change(rule, *LTP, w0=0.5) == pytest.approx(+0.00299090, abs=1e-8)
    assert weight_change(rule, *LTD, w0=0.5) == pytest.approx(-0.00314045, abs=1e-8)


@pytest.mark.parametrize(("mu", "w_star"), [(1.0, 0.487805), (0.5, 0.475624), (0.1, 0.380388), (0.02, 0.080209)])
def test_guetig_fixed_point(mu, w_star):
    rule = GuetigSTDP(alpha=1.05, mu=mu)
    p, one = rule.hook_params(), (rule.Pre(1.0), rule.Post(1.0))
    drift = brentq(lambda w: rule.on_post(w, *one, p) + rule.on_pre(w, *one, p) - 2 * w, 1e-6, 1 - 1e-6)
    assert drift == pytest.approx(w_star, abs=1e-6)


@pytest.mark.parametrize("w_ref", [1.0, 7.0, 200.0])
def test_guetig_is_nests_normalised_form_whatever_the_units(w_ref):
    rule = GuetigSTDP(lambda_=0.01, alpha=1.2, mu=0.4, w_max=200.0, w_ref=w_ref)
    e = math.exp(-0.5)
    assert weight_change(rule, *LTP, w0=50.0) == pytest.approx(200.0 * 0.01 * 0.75**0.4 * e, rel=1e-12)
    assert weight_change(rule, *LTD, w0=50.0) == pytest.approx(-200.0 * 0.012 * 0.25**0.4 * e, rel=1e-12)


def test_guetig_ends_of_mu_are_the_other_two_rules():
    train = [0.0, 8.0, 30.0, 31.0], [3.0, 12.0, 30.0, 70.0]
    multiplicative = weight_change(MultiplicativeSTDP(lambda_=0.01, alpha=1.1), *train)
    assert weight_change(GuetigSTDP(lambda_=0.01, alpha=1.1, mu=1.0), *train) == pytest.approx(multiplicative)
    additive = weight_change(PairSTDP(a_plus=0.01, a_minus=0.011), *train)
    assert weight_change(GuetigSTDP(lambda_=0.01, alpha=1.1, mu=0.0), *train) == pytest.approx(additive)


def test_guetig_has_no_complex_weights_outside_its_bounds():
    rule = GuetigSTDP(lambda_=0.9, mu=0.3)
    frequent = [float(k) for k in range(40)]
    for w0 in (0.01, 0.99):
        change = weight_change(rule, frequent, [t + 0.4 for t in frequent], w0=w0)
        assert isinstance(change, float)
        assert math.isfinite(change)


@pytest.mark.parametrize("w_ref", [1.0, 80.0])
def test_multiplicative_steps(w_ref):
    rule = MultiplicativeSTDP(lambda_=0.01, alpha=1.5, w_max=80.0, w_ref=w_ref)
    e = math.exp(-0.5)
    assert weight_change(rule, *LTP, w0=20.0) == pytest.approx(0.01 * 60.0 * e, rel=1e-12)
    assert weight_change(rule, *LTD, w0=20.0) == pytest.approx(-0.015 * 20.0 * e, rel=1e-12)


def test_van_rossum_steps_are_nests_with_mu_plus_0_and_mu_minus_1():
    rule = VanRossumSTDP(c_p=0.01, c_d=0.03, w_max=80.0, w_ref=80.0)
    e = math.exp(-0.5)
    assert weight_change(rule, *LTP, w0=20.0) == pytest.approx(80.0 * 0.01 * e, rel=1e-12)
    assert weight_change(rule, *LTD, w0=20.0) == pytest.approx(-0.03 * 20.0 * e, rel=1e-12)


def test_van_rossum_fixed_point():
    # c_p tau_plus / (c_d tau_minus) = 0.25: there one pair at each lag, averaged over lags, changes nothing.
    rule = VanRossumSTDP(c_p=0.002, c_d=0.004, tau_minus=40.0)
    p = rule.hook_params()
    gain = rule.on_post(0.25, rule.Pre(20.0), rule.Post(0.0), p) - 0.25
    loss = rule.on_pre(0.25, rule.Pre(0.0), rule.Post(40.0), p) - 0.25
    assert gain + loss == pytest.approx(0.0, abs=1e-15)


# Rule, where its weights begin, where those between uncorrelated trains settle, and how near that must be.
SETTLING = {
    "van Rossum": (VanRossumSTDP(c_p=0.0025, c_d=0.01), 0.5, 0.25, 0.10),
    "Guetig, mu = 1": (GuetigSTDP(mu=1.0, lambda_=0.02), 0.3, 0.487805, 0.05),
    "Guetig, mu = 1/2": (GuetigSTDP(mu=0.5, lambda_=0.02), 0.3, 0.475624, 0.05),
    "power law": (PowerLawSTDP(alpha=0.11), 30.0, 39.598511, 0.05),
}


def test_weights_settle_at_the_fixed_points():
    """A thousand synapses between Poisson trains of 20 Hz, one minute to settle and ten samples of the next."""
    dt, n, rng = 0.5, 1000, np.random.default_rng(3)
    count = rng.poisson(n * 20.0 * 120.0)
    with ss.Network(dt=dt, seed=3) as net:
        pre = net.add(PoissonSource(rate=20.0), n)
        post = net.add(SpikeSource(dt * rng.integers(1, round(120e3 / dt), count), rng.integers(0, n, count)), n)
        synapses = {
            name: net.connect(pre, post, ss.OneToOne(), weight=start, delay=1.0, plasticity=rule)
            for name, (rule, start, _, _) in SETTLING.items()
        }
        net.run(60_000.0)
        seen = {name: [] for name in SETTLING}
        for _ in range(10):
            net.run(6000.0)
            for name, each in synapses.items():
                seen[name].append(each.weights)
    for name, (rule, start, expected, tolerance) in SETTLING.items():
        weights = np.array(seen[name])
        assert weights.mean() == pytest.approx(expected, rel=tolerance), name
        # One heap about the mean, far from where they began and from the bounds
        assert weights[-1].std() < 0.2 * expected, name
        assert abs(start / expected - 1.0) > 0.2, name
        assert 0.2 * expected < weights[-1].min() < weights[-1].max() < min(0.99 * rule.w_max, 2.0 * expected), name


class PowerLaw(Rule):
    """Morrison, Aertsen & Diesmann 2007, written as a user would: one file, two equations."""

    tau_plus: float = 20.0
    tau_minus: float = 20.0
    lambda_: float = 0.1
    alpha: float = 0.11
    mu: float = 0.4
    traces = {"x": Trace("pre", tau="tau_plus"), "y": Trace("post", tau="tau_minus")}

    @staticmethod
    def on_pre(w, pre, post, p):
        return w - p.lambda_ * p.alpha * w * post.y

    @staticmethod
    def on_post(w, pre, post, p):
        return w + p.lambda_ * w**p.mu * pre.x


def test_a_rule_of_ones_own_needs_no_engine_code():
    assert weight_change(PowerLaw(), *LTP, w0=40.0) == pytest.approx(+0.265263, abs=1e-6)
    assert weight_change(PowerLaw(), *LTD, w0=40.0) == pytest.approx(-0.266873, abs=1e-6)


def test_nest_names_are_accepted():
    rule = GuetigSTDP(**{"lambda": 0.02, "Wmax": 100.0})
    assert (rule.lambda_, rule.w_max) == (0.02, 100.0)
    assert PairSTDP(Wmax=3.0).w_max == 3.0


@pytest.mark.parametrize(
    ("rule", "arguments", "why"),
    [
        (GuetigSTDP, {"mu": 1.5}, "mu must be <= 1"),
        (GuetigSTDP, {"w_max": math.inf}, "w_max must be < inf"),
        (MultiplicativeSTDP, {"w_max": math.inf}, "w_max must be < inf"),
        (MultiplicativeSTDP, {"alpha": -1.0}, "alpha must be >= 0"),
        (VanRossumSTDP, {"c_d": -0.1}, "c_d must be >= 0"),
        (PairSTDP, {"tau_plus": 0.0}, "tau_plus must be > 0"),
        (PairSTDP, {"preset": "bi_poo"}, "bi_poo_2001"),
    ],
)
def test_values_without_sense_are_refused(rule, arguments, why):
    with pytest.raises(SpikesimError, match=why):
        rule(**arguments)
