"""Lillicrap et al. 2016 in full, by the script that writes the results; and what the script computes with."""

import importlib.util
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from spikesim.models.networks.lillicrap_2016_spiking import noise_across

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("feedback_alignment", ROOT / "benchmarks" / "feedback_alignment.py")
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)


@pytest.mark.slow
@pytest.mark.parametrize(("part", "seeds"), [("F1", 10), ("F2", 3), ("F3", 1), ("F5", 5), ("T3", 3)])
def test_criteria_are_met(part, seeds):
    """Quarters of an hour for F2, minutes for the others."""
    with ThreadPoolExecutor(1) as workers:
        found = script.PARTS[part][1](range(1, 1 + seeds), workers)
    assert found["passed"], found.get("checks")


@pytest.mark.parametrize("part", script.PARTS)
def test_results_say_what_they_are(part):
    path = ROOT / "docs" / "results" / f"lillicrap_2016_{script.PARTS[part][0]}.json"
    if not path.exists():
        pytest.skip("not measured yet")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert {"criterion", "passed", "provenance"} <= found.keys()
    assert found["passed"] == all(found.get("checks", {"": found["passed"]}).values())
    assert path.with_suffix(".png").exists()


def test_page_quotes_the_result_of_the_linear_task():
    found = json.loads((ROOT / "docs/results/lillicrap_2016_linear.json").read_text(encoding="utf-8"))
    assert script.linear_table(found) in (ROOT / "docs/alignment.md").read_text(encoding="utf-8")


def test_law_of_error_spikes():
    """Sums of n spikes, each of one of ten units in proportion to its error, through a random B."""
    rng = np.random.default_rng(1)
    error = np.array([0.9, -0.4, 0.3, -0.1, -0.1, -0.05, 0.05, -0.02, 0.02, 0.0])
    B = rng.normal(size=(1000, 10))
    rows = []
    for n in (3, 10, 30, 100, 300):
        units = rng.choice(10, p=np.abs(error) / np.abs(error).sum(), size=(2000, n))
        sums = np.apply_along_axis(np.bincount, 1, units, minlength=10) * np.sign(error)
        rows.append([n, 2000, script.row_angles(sums @ B.T, np.tile(B @ error, (2000, 1))).mean()])
    found = script.fit(rows, 2000)
    # n0 is about the mean of tan^2; the mean angle is smaller than its root, by up to a tenth with few units.
    assert 0.8 < found["n0"] / noise_across(error[None])[0] < 1.0
    assert found["fit_rms_degrees"] < 2.0
    assert found["fitted_up_to"] == 300.0


def test_fit_recovers_its_own_law():
    rows = [[n, 10, float(script.law(n, 4.0))] for n in (1, 10, 100)]
    assert script.fit([*rows, [1000, 8, 90.0]], 10)["n0"] == pytest.approx(4.0, rel=1e-3)  # too few reached the last
    assert script.law(1e12, 4.0) == pytest.approx(0.0, abs=1e-3)
