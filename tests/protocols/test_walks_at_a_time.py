"""Walks that are made in steps are shared out among threads: how many there are changes no number."""

import numpy as np
import pytest

from spikesim import side_by_side, voltage_side_by_side
from spikesim.errors import HookError
from spikesim.models.plasticity.clopath_stdp import ClopathSTDP
from spikesim.models.plasticity.convallis import Convallis
from spikesim.protocol import Condition
from spikesim.protocols.pairing import Pairing
from spikesim.side_by_side import relative_changes

PROTOCOL = Pairing()
ROWS = [
    (PROTOCOL, Condition("", {}, 100.0 * np.arange(3), 100.0 * np.arange(3) + gap, trials=[([0.0], [gap])]))
    for gap in (10.0, -10.0, 25.0)
]
SEEN: dict[type, list[list[float]]] = {}


@pytest.fixture(params=[1, 2, 5])
def threads(request, monkeypatch):
    for module in (side_by_side, voltage_side_by_side):
        monkeypatch.setattr(module, "cores", lambda: request.param)


class Lagging(ClopathSTDP):
    """Has something that only the walk one by one knows."""

    pre_lag = "delay"


@pytest.mark.parametrize("kind", [ClopathSTDP, Convallis, Lagging])
def test_the_numbers_are_those_of_one_after_the_other(kind, threads):
    rules = [kind(a_ltp=value) for value in (1e-3, 2e-3, 3e-3)]
    expected = [[PROTOCOL.induce(rule, condition) for _, condition in ROWS] for rule in rules]
    found = relative_changes(rules, ROWS)
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-12)
    assert len({*np.ravel(expected)}) == 9
    seen = SEEN.setdefault(kind, found.tolist())
    assert found.tolist() == seen  # to the last bit, with whatever number of threads


class Failing(ClopathSTDP):
    """Weights outgrow all numbers at the third post spike where a_ltd is above 1/mV."""

    @staticmethod
    def on_post(w, pre, post, p):
        return w * 1e150 if p.a_ltd > 1.0 else w


def test_a_walk_that_fails_is_told_or_lost(threads):
    rules = [Failing(a_ltd=value) for value in (0.5, 2.0, 0.5)]
    rows = [(PROTOCOL, Condition("", {}, [0.0, 20.0], [gap, 40.0, 60.0])) for gap in (5.0, 10.0)]
    with pytest.raises(HookError, match="Failing"):
        relative_changes(rules, rows)
    found = relative_changes(rules, rows, lost=True)
    assert np.isfinite(found[[0, 2]]).all()
    assert np.isnan(found[1]).all()
