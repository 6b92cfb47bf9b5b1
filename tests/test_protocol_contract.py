"""What every protocol keeps to; protocols are found, not named. Those that hold the postsynaptic potential need a rule
that goes by it."""

import csv
import json
import math
import re

import pytest

from spikesim.errors import SpikesimError
from spikesim.models.plasticity.clopath_stdp import ClopathSTDP
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.protocol import Protocol
from spikesim.registry import discover

PROTOCOLS = discover("protocol")
every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
PRESETS = {PairSTDP: "bi_poo_2001", ClopathSTDP: "visual_cortex"}
NO_LEARNING = {PairSTDP: {"a_plus": 0.0, "a_minus": 0.0}, ClopathSTDP: {"a_ltp": 0.0, "a_ltd": 0.0}}


def rule_for(protocol):
    """A rule that the protocol takes."""
    return PairSTDP if protocol.takes(PairSTDP) else ClopathSTDP


@every_protocol
def test_says_what_it_is_and_where_it_is_from(protocol):
    assert issubclass(protocol, Protocol)
    assert protocol.__doc__
    assert protocol.title
    assert re.fullmatch(r"doi:10\.\d{4,}/\S+", protocol.reference)
    assert PROTOCOLS[protocol.name()] is protocol


@every_protocol
def test_predictions_are_finite_and_measurements_complete(protocol):
    result = protocol().run(rule_for(protocol)())
    assert result.points
    for row in result.rows():
        assert math.isfinite(row["predicted"])
        assert (row["measured"] is None) == (row["sem"] is None)
        assert row["sem"] is None or row["sem"] > 0
    assert result.error is None or result.error > 0


@every_protocol
def test_a_rule_that_does_not_learn_predicts_no_change(protocol):
    kind = rule_for(protocol)
    rows = protocol().run(kind(**NO_LEARNING[kind])).rows()
    assert [row["predicted"] for row in rows] == [0.0] * len(rows)


@every_protocol
def test_predictions_do_not_depend_on_the_unit_of_the_weights(protocol):
    kind = rule_for(protocol)
    plain, scaled = protocol().run(kind()), protocol().run(kind(w_ref=45.0))
    expected = [row["predicted"] for row in plain.rows()]
    assert [row["predicted"] for row in scaled.rows()] == pytest.approx(expected, abs=1e-12)


@every_protocol
def test_result_goes_through_json(protocol):
    kind = rule_for(protocol)
    result = protocol().run(kind(preset=PRESETS[kind]))
    told = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert told["protocol"] == protocol.name()
    assert told["rule"] == kind.__name__
    assert len(told["points"]) == len(result.points)
    assert told["error"] == result.error
    # What was written makes the same rule and protocol again.
    assert kind(**told["parameters"]["rule"]).values() == result.rule.values()
    assert protocol(**told["parameters"]["protocol"]).values() == result.protocol.values()


@every_protocol
def test_result_goes_to_text_csv_and_figure(protocol, tmp_path):
    result = protocol().run(rule_for(protocol)())
    text = result.to_text()
    assert protocol.title in text
    assert all(point.condition.label in text for point in result.points)
    result.to_csv(tmp_path / "table.csv")
    with open(tmp_path / "table.csv", encoding="utf-8") as file:
        read = [float(row["predicted"]) for row in csv.DictReader(file)]
    assert read == [row["predicted"] for row in result.rows()]
    result.plot(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


@every_protocol
def test_wants_a_rule(protocol):
    with pytest.raises(SpikesimError, match="needs a plasticity rule"):
        protocol().run("PairSTDP")
