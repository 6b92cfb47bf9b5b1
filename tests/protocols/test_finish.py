"""A sweep tells at each value what the protocol adds to its predictions: closed forms and single numbers."""

import csv
import json

import pytest

from spikesim.models.plasticity.clopath_stdp import ClopathSTDP
from spikesim.models.plasticity.froemke_dan_stdp import FroemkeDanSTDP
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.models.plasticity.triplet_stdp import TripletSTDP
from spikesim.protocols.froemke_dan_2002 import FroemkeDan2002
from spikesim.protocols.poisson_rates import PoissonRates
from spikesim.protocols.sjostrom_2001 import Sjostrom2001
from spikesim.protocols.voltage_clamp import VoltageClamp
from spikesim.sweep import sweep

SHORT = PoissonRates(duration=1.0, repeats=2, post_step=25.0)


def test_closed_form_of_poisson_rates(tmp_path):
    found = sweep(SHORT, TripletSTDP(), "rule.tau_y", [100.0, 120.0])
    for tau_y, result in zip(found.values, found.results, strict=True):
        alone = SHORT.run(TripletSTDP(tau_y=tau_y))
        assert [p.closed_form for p in result.points] == [p.closed_form for p in alone.points]
        assert result.scalars == alone.scalars
    assert found.scalars["threshold_hz"][0] > found.scalars["threshold_hz"][1]  # as 1/tau_y
    told = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert told["scalars"] == found.scalars
    assert all("closed_form" in row for row in told["points"])
    assert "threshold_hz" in found.to_text()
    found.to_csv(tmp_path / "sweep.csv")
    with open(tmp_path / "sweep.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["closed_form"]) for row in rows] == [p.closed_form for r in found.results for p in r.points]
    assert {float(row["threshold_hz"]) for row in rows} == set(found.scalars["threshold_hz"])
    found.plot(tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_a_number_that_not_every_value_has(tmp_path):
    found = sweep(SHORT, TripletSTDP(preset="visual_cortex_minimal_nearest"), "rule.pairing", ["nearest", "all_to_all"])
    first, second = found.scalars["threshold_hz"]
    assert first is None
    assert second > 0.0
    found.to_csv(tmp_path / "sweep.csv")
    assert "threshold_hz" in found.to_text()


def test_the_first_pair_in_a_sweep():
    found = sweep(FroemkeDan2002(), FroemkeDanSTDP(), "protocol.repetitions", [1, 60])
    alone = FroemkeDan2002().run(FroemkeDanSTDP()).scalars
    assert found.scalars == {"first_pair_decides": [alone["first_pair_decides"]] * 2}
    both = sweep(FroemkeDan2002(), PairSTDP(), "rule.a_minus", [0.0, 0.00525]).scalars["first_pair_decides"]
    assert both[0] == 0.5  # what only potentiates agrees with those triplets that begin with a pre-post pair


def test_the_reversal_in_a_sweep():
    found = sweep(VoltageClamp(V_step=70.0), ClopathSTDP(), "rule.a_ltd", [8e-5, 16e-5])
    assert found.scalars["reversal_mV"] == pytest.approx([-44.3, -43.3])


def test_protocols_that_add_nothing():
    found = sweep(Sjostrom2001(), PairSTDP(), "rule.tau_plus", [10.0, 20.0])
    assert found.scalars == {}
    assert "closed_form" not in found.rows()[0]
