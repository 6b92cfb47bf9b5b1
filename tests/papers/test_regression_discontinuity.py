"""Regression discontinuity in full, as benchmarks/regression_discontinuity.py measures it, and its page."""

import importlib.util
import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from spikesim.cli import main
from spikesim.experiment import RunOptions
from spikesim.models.networks.guerguiev_2020 import Guerguiev2020
from spikesim.models.networks.lansdell_2023 import Lansdell2023

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "regression_discontinuity.md"
spec = importlib.util.spec_from_file_location("rd", ROOT / "benchmarks" / "regression_discontinuity.py")
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)


@pytest.mark.slow
def test_r1_the_linear_model_is_nearly_unbiased_at_the_highest_correlation():
    """Criterion of R1: what bias is left at p = 0.1 is below 20 % of that of the observed dependence."""
    run = Lansdell2023(c="0,0.99").simulate(RunOptions(seed=1))
    for row in script.biases(run).values():
        assert row["observed_bias"] < -2.0
        assert row["share"]["linear"] < 0.2
        assert row["share"]["constant"] > row["share"]["linear"]


@pytest.mark.slow
def test_r1_late_spikes_do_more_where_the_reward_forgets():
    """With tau_s = 20 ms the effect at the threshold is not that of all spikes; the discontinuity tells the former."""
    run = Lansdell2023(c="0,0.99", tau_s=20.0).simulate(RunOptions(seed=1))
    found = run["correlations"]["0.99"]
    assert found["do_at_threshold"] > 1.2 * found["do_treated"]
    assert found["do_treated"] == pytest.approx(run["correlations"]["0"]["observed_dependence"], rel=0.05)
    assert script.biases(run)["do_at_threshold"]["share"]["linear"] < 0.2


@pytest.mark.slow
def test_r4_signs_of_feedback_weights():
    """Criterion of R4: more than 80 % of the signs are right after 4000 s; and least squares agree."""
    final = Guerguiev2020().simulate(RunOptions(seed=1))["final"]
    assert final["online"]["sign_agreement"] > 0.8
    assert final["online"]["correlation"] > 0.9
    assert final["linear"]["sign_agreement"] > 0.8


def run_of(linear, constant, observed, c0):
    """What `biases` reads of a run."""
    found = {
        "do_at_threshold": 4.4,
        "observed_dependence": observed,
        "linear": [9.0, linear],
        "constant": [9.0, constant],
    }
    return {"bands": [0.02, 0.1], "correlations": {"0": {"observed_dependence": c0}, "0.99": found}}


def test_biases_of_known_numbers():
    found = script.biases(run_of(4.3, 3.4, 1.9, 4.2))
    assert found["do_at_threshold"]["observed_bias"] == pytest.approx(-2.5)
    assert found["do_at_threshold"]["share"] == pytest.approx({"linear": 0.1 / 2.5, "constant": 0.4})
    assert found["observed_at_c_0"]["share"] == pytest.approx({"linear": 0.1 / 2.3, "constant": 0.8 / 2.3})


def test_figures_can_be_drawn(tmp_path):
    small = dict(pairs=10, bands="0.1,0.3,1")
    runs = {"200": Lansdell2023(**small, c="0,0.01,0.5,0.99"), "20": Lansdell2023(**small, c="0,0.99", tau_s=20.0)}
    runs = {name: model.simulate(RunOptions(seed=1, time=2500.0)) for name, model in runs.items()}
    script.draw_r1(runs, tmp_path / "r1.png")
    model = Guerguiev2020()
    run = model.simulate(RunOptions(seed=1, time=1000.0))
    script.draw_r4([run], {"W": model.W, **{k: B.ravel() for k, B in model.B.items()}}, tmp_path / "r4.png")
    assert min((tmp_path / name).stat().st_size for name in ("r1.png", "r4.png")) > 20_000


def test_page_quotes_the_result_files():
    page = PAGE.read_text(encoding="utf-8")
    assert script.quoted(page) == page
    assert len(re.findall(r"<!-- (\w+_r\d) -->\n\|", page)) == 2


def test_results_say_what_they_were_judged_by():
    for name in ("lansdell_2023_r1", "guerguiev_2020_r4"):
        found = json.loads((script.RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        assert found["criterion"]
        assert found["provenance"]["spikesim"]
        if name == "lansdell_2023_r1":
            again = [script.biases(run) for run in found["runs"].values()]
            for row, kept in zip(again, found["biases"].values(), strict=True):
                for truth in row:
                    assert kept[truth]["share"] == pytest.approx(row[truth]["share"], abs=2e-3)
            assert found["passed"] == all(row["share"]["linear"] < 0.2 for row in again[0].values())
        else:
            assert found["passed"] == all(row["online"]["sign_agreement"] > 0.8 for row in found["final"])


def test_page_works_as_it_stands(capsys):
    page = PAGE.read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    exec(example, {})
    assert capsys.readouterr().out == "True\n"
    commands = re.findall(r"^spikesim (.*)$", page, re.MULTILINE)
    assert len(commands) == 2
    for words in map(shlex.split, commands):
        done = CliRunner().invoke(main, [*words, "--quiet"])
        assert done.exit_code == 0, done.output
