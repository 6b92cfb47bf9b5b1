"""Protocols run as networks on the event-driven engine: closed forms, and the exact walk."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import spikesim as ss
from spikesim.cli import main
from spikesim.models.plasticity import ClopathSTDP, GraupnerBrunel, PairSTDP, TripletSTDP, Zenke2015
from spikesim.protocols import pairing, sjostrom_2001, wang_2005


def on_events(protocol, rule):
    protocol.engine = "event"
    return np.array([point.predicted for point in protocol.run(rule).points])


@pytest.mark.parametrize("delta_t", [10.0, -10.0, 3.7, -0.1])
@pytest.mark.parametrize("frequency", [1.0, 17.0])
def test_the_window_of_pair_stdp_is_its_closed_form(delta_t, frequency):
    n, period, rule = 60, 1000.0 / frequency, PairSTDP(a_plus=0.01, a_minus=0.012, tau_plus=17.0, tau_minus=34.0)
    k = np.arange(n)
    lag = np.subtract.outer(k * period + delta_t, k * period)  # of each post spike behind each pre spike
    expected = 0.01 * np.exp(-lag[lag > 0] / 17.0).sum() - 0.012 * np.exp(lag[lag < 0] / 34.0).sum()
    (found,) = on_events(pairing.Pairing(pairs=n, frequency=frequency, delta_t=delta_t), rule)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("protocol", [wang_2005.Wang2005, sjostrom_2001.Sjostrom2001])
def test_triplet_rules_as_networks_are_as_they_are_walked(protocol):
    for preset in ("hippocampal_full_all_to_all", "visual_cortex_minimal_nearest"):
        rule = TripletSTDP(preset=preset)
        walked = np.array([point.predicted for point in protocol().run(rule).points])
        np.testing.assert_allclose(on_events(protocol(), rule), walked, rtol=1e-11, atol=1e-13)


def test_rules_that_act_between_spikes_begin_and_end_at_the_same_time():
    rule = GraupnerBrunel()
    given = {"w0": 0.5, "axonal_delay": 0.5, "dendritic_delay": 0.2, "pairs": 5}
    walked = pairing.Pairing(**given).run(rule).points[0].predicted
    assert on_events(pairing.Pairing(**given), rule) == pytest.approx(walked, rel=1e-9)  # which takes steps itself
    walked = pairing.Pairing(pairs=5).run(Zenke2015()).points[0].predicted
    assert on_events(pairing.Pairing(pairs=5), Zenke2015()) == pytest.approx(walked, rel=1e-12)
    with pytest.raises(ss.SpikesimError, match="set w0 to walk"):
        on_events(pairing.Pairing(), rule)
    with pytest.raises(ss.SpikesimError, match="rules that act at spikes"):
        on_events(pairing.Pairing(), ClopathSTDP())


def test_command_line():
    words = ["protocol", "wang_2005", "--rule", "TripletSTDP", "--set", "preset=hippocampal_full_all_to_all", "--json"]
    results = [CliRunner().invoke(main, [*words, *more]) for more in ([], ["--engine", "event"])]
    walked, run = (json.loads(result.stdout) for result in results)
    assert run["points"][0]["predicted"] == pytest.approx(0.201824, abs=1e-6)
    assert run["error"] == pytest.approx(walked["error"], rel=1e-10)
    refused = CliRunner().invoke(main, [*words, "--engine", "event", "--sweep", "tau_plus=10,20"])
    assert refused.exit_code == 2
