"""The clock comes to the exact spikes as its step gets shorter."""

import json

from click.testing import CliRunner

from spikesim.cli import main


def test_spikes_on_a_clock_come_near_the_exact_ones_with_order_one(tmp_path):
    words = ["check", "convergence", "sparse", "--set", "N=40", "--set", "indegree=10", "--set", "rate=20", "--time",
             "300", "--seed", "1", "--threads", "1", "--json", "--out", str(tmp_path / "c.png")]  # fmt: skip
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["spikes"] > 150
    errors = [row["error"] for row in result["steps"]]
    for row, error in zip(result["steps"], errors, strict=True):
        assert 0.1 * row["dt"] < error < 2.0 * row["dt"]
        assert row["compared"] > (0.9 if row["dt"] < 0.05 else 0.3)  # a long step loses a spike here and there
    assert 0.8 < result["order"] < 1.2
    assert (tmp_path / "c.png").stat().st_size > 1000


def test_networks_that_draw_random_numbers_are_refused():
    done = CliRunner().invoke(main, ["check", "convergence", "brunel_2000", "--time", "1", "--seed", "1"])
    assert done.exit_code == 2
    assert "draws random numbers while it runs" in done.stderr or "engine 'event'" in done.stderr
