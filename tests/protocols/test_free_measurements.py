"""Measurements in a file of spike trains: what cannot be one is refused, with the file and the line."""

import pytest

from spikesim.errors import SpikesimError
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.protocols.free import Free

TABLE = "side,time,condition,measured,sem\npre,0,a,{measured},{sem}\npost,10,a\npre,0,b,0.1,0.2\npost,10,b\n"


def trains(tmp_path, measured="0.25", sem="0.05"):
    path = tmp_path / "trains.csv"
    path.write_text(TABLE.format(measured=measured, sem=sem), encoding="utf-8")
    return Free(file=str(path))


def test_all_that_was_measured_counts(tmp_path):
    result = trains(tmp_path).run(PairSTDP())
    assert [row["counted"] for row in result.rows()] == [True, True]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"sem": "-1"}, "sem, a standard error, must be above 0, not -1"),
        ({"sem": "0"}, "sem, a standard error, must be above 0, not 0"),
        ({"sem": "nan"}, "sem must be finite, not nan"),
        ({"sem": "inf"}, "sem must be finite, not inf"),
        ({"measured": "nan"}, "measured must be finite, not nan"),
        ({"sem": "small"}, "sem is in numbers"),
    ],
)
def test_what_cannot_be_a_measurement_is_refused(tmp_path, given, why):
    with pytest.raises(SpikesimError, match=rf"trains\.csv, line 2: {why}"):
        trains(tmp_path, **given).run(PairSTDP())
