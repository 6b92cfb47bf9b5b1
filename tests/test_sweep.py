"""A parameter tried at many values."""

import csv
import json

import pytest

from spikesim.errors import SpikesimError
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.models.plasticity.triplet_stdp import TripletSTDP
from spikesim.protocols.pairing import Pairing
from spikesim.protocols.sjostrom_2001 import Sjostrom2001
from spikesim.protocols.wang_2005 import Wang2005
from spikesim.sweep import sweep, sweep_of_word

OWNERS = {"protocol": Pairing, "rule": TripletSTDP}


@pytest.mark.parametrize(
    ("word", "parameter", "values"),
    [
        ("tau_y=50:150:3", "rule.tau_y", [50.0, 100.0, 150.0]),
        ("rule.a3_plus=0.01,0.02", "rule.a3_plus", [0.01, 0.02]),
        ("pairs=1:3:3", "protocol.pairs", [1, 2, 3]),
        ("rule.Aplus_triplet=0.5,1", "rule.a3_plus", [0.5, 1.0]),
        ("rule.pairing=nearest,all_to_all", "rule.pairing", ["nearest", "all_to_all"]),
        ("preset=hippocampal_full_nearest", "rule.preset", ["hippocampal_full_nearest"]),
    ],
)
def test_words(word, parameter, values):
    assert sweep_of_word(word, OWNERS) == (parameter, values)


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("tau_y", "NAME=START:STOP:NUMBER"),
        ("tau_y=1:2", "a range is START:STOP:NUMBER"),
        ("tau_y=a:b:c", "are numbers"),
        ("tau_y=1:2:1", "2 values or more"),
        ("tau_y=0:10:3", "tau_y must be > 0"),
        ("tau_yy=1,2", "did you mean 'tau_y'"),
        ("w0=-1", "w0 must be >= 0"),
        ("pairs=1:2:4", "whole number"),
        ("preset=hippocampal_full_nearst", "did you mean 'hippocampal_full_nearest'"),
        ("roule.tau_y=1,2", "--sweep roule.tau_y: this command has no part 'roule'"),
    ],
)
def test_words_that_are_refused(word, why):
    with pytest.raises(SpikesimError, match=why):
        sweep_of_word(word, OWNERS)


def test_a_parameter_of_the_rule():
    values = [40.0, 114.0, 200.0]
    found = sweep(Sjostrom2001(), TripletSTDP(), "rule.tau_y", values)
    for value, result in zip(values, found.results, strict=True):
        alone = Sjostrom2001().run(TripletSTDP(tau_y=value))
        assert [p.predicted for p in result.points] == pytest.approx([p.predicted for p in alone.points], abs=1e-12)
        assert result.error == pytest.approx(alone.error, rel=1e-9)
    assert found.errors[1] == pytest.approx(0.356, abs=0.001)
    assert found.as_dict()["best"] == 114.0


def test_a_parameter_of_the_protocol():
    found = sweep(Pairing(pairs=1), PairSTDP(), "protocol.delta_t", [-10.0, 10.0])
    assert [r.points[0].predicted for r in found.results] == pytest.approx([-0.00318429, 0.00303265], abs=1e-8)
    assert [r.protocol.delta_t for r in found.results] == [-10.0, 10.0]
    delays = sweep(Pairing(pairs=1), PairSTDP(), "protocol.dendritic_delay", [0.0, 1.0])
    assert delays.results[1].points[0].predicted == pytest.approx(0.00288475, abs=1e-8)
    assert sweep(Wang2005(), PairSTDP(), "protocol.measurements", ["table", "digitised"]).errors[0] > 0


def test_published_parameters():
    names = ["hippocampal_full_all_to_all", "hippocampal_minimal_nearest"]
    found = sweep(Wang2005(), TripletSTDP(), "rule.preset", names)
    assert found.errors == pytest.approx([3.32, 3.08], abs=0.01)


def test_text_csv_json_and_figure(tmp_path):
    found = sweep(Sjostrom2001(), TripletSTDP(), "rule.tau_y", [100.0, 120.0])
    assert "rule.tau_y" in found.to_text()
    assert "--out takes the predictions of all conditions (10" in found.to_text()
    found.to_csv(tmp_path / "sweep.csv")
    with open(tmp_path / "sweep.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    assert [float(row["predicted"]) for row in rows] == [row["predicted"] for row in found.rows()]
    told = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert told["sweep"] == "rule.tau_y"
    assert len(told["points"]) == 20
    found.plot(tmp_path / "sweep.png")
    sweep(Pairing(), TripletSTDP(), "rule.pairing", ["nearest", "all_to_all"]).plot(tmp_path / "words.png")
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in ("sweep.png", "words.png"))


def test_only_rule_and_protocol_have_parameters():
    with pytest.raises(SpikesimError, match=r"rule\.NAME or protocol\.NAME"):
        sweep(Pairing(), PairSTDP(), "tau_plus", [1.0])
