"""A rule is one new file of at most 30 lines in models/plasticity: with it there, everything knows the rule."""

import importlib.util
import inspect
import itertools
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import spikesim as ss
import spikesim.models.plasticity as folder
from spikesim.cli import main
from spikesim.registry import discover, find

ROOT = Path(__file__).parent.parent
SMALL = {"N_E": 80, "N_I": 20, "C_E": 20, "C_I": 5, "J": 1.0}


@pytest.fixture
def my_rule(tmp_path, monkeypatch):
    """The first rule of CONTRIBUTING.md, in a second folder of rules."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = re.search(r"^```python\n# models/plasticity/(\w+\.py)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    name, source = block.groups()
    assert source.count("\n") <= 30
    (tmp_path / name).write_text(source, encoding="utf-8")
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])
    discover.cache_clear()
    yield tmp_path / name
    discover.cache_clear()
    sys.modules.pop(f"{folder.__name__}.{Path(name).stem}", None)


def told(*words):
    result = CliRunner().invoke(main, [str(word) for word in (*words, "--json")])
    assert result.exit_code == 0, f"{result.stderr}{result.exception}"
    return json.loads(result.stdout)


def checks_of(module, rule):
    """Every test of a module that is about all rules, with the arguments that pytest calls it with for this one."""
    for name, test in vars(module).items():
        if name.startswith("test_") and "rule" in inspect.signature(test).parameters:
            marks = [mark for mark in test.pytestmark if mark.name == "parametrize"]
            for values in itertools.product(*(mark.args[1] for mark in marks)):
                given = dict(zip((mark.args[0] for mark in marks), values, strict=True))
                if given["rule"] is rule:
                    yield test, given


def test_it_is_listed_has_a_card_and_keeps_the_contract(my_rule):
    listed = told("list")
    (kind,) = (kind for kind, names in listed.items() if "MyRule" in names)
    assert "PairSTDP" in listed[kind]
    assert told("list", "MyRule")["name"] == "MyRule"
    card = told("card", "MyRule", "--quiet")
    assert card["rule"] == "MyRule"
    assert card["errors"]
    spec = importlib.util.spec_from_file_location("contract", ROOT / "tests/test_rule_contract.py")
    contract = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(contract)
    done = [test(**given) or test.__name__ for test, given in checks_of(contract, find("rule", "MyRule"))]
    assert len(set(done)) == sum(name.startswith("test_") for name in vars(contract))


def test_it_runs_in_a_network_from_wherever_its_file_is(my_rule):
    settings = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    rule = f"{my_rule}:MyRule"
    result = told("run", "plastic", "--set", f"rule={rule}", *settings, "--time", 100, "--seed", 1, "--quiet")
    assert result["parameters"]["rule"] == rule
    assert result["ns_per_plastic_event"] > 0.0
    model = find("network", "plastic")(rule="MyRule", **SMALL)  # by its name, for it is in a folder of rules
    with ss.Network(dt=model.dt, seed=1) as net:
        model.build(net)
        (synapses,) = (projection for projection in net.projections if projection.plastic)
        before = synapses.weights
        net.run(100.0)
        assert np.ptp(synapses.weights - before) > 0.0
