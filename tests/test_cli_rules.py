"""spikesim protocol --sweep, spikesim fit and spikesim card: what they print, write and refuse."""

import json

import numba.core.event
import pytest
from click.testing import CliRunner

from spikesim.cli import main

MY_RULE = '''
from spikesim.plasticity import Rule, Trace


class MyRule(Rule):
    """At a post spike dw = a x."""

    tau: float = 20.0
    a: float = 0.01
    traces = {"x": Trace("pre", tau="tau")}

    @staticmethod
    def on_post(w, pre, post, p):
        return w + p.a * pre.x
'''


@pytest.fixture
def my_rule(tmp_path):
    path = tmp_path / "my_rule.py"
    path.write_text(MY_RULE)
    return f"{path}:MyRule"


@pytest.fixture
def two_rules(tmp_path):
    path = tmp_path / "two_rules.py"
    path.write_text(MY_RULE + "\n\nclass Other(MyRule):\n    pass\n")
    return path


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def told(*words):
    result = call(*words, "--json", "--quiet")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def test_sweep():
    result = told(
        "protocol", "pairing", "--rule", "TripletSTDP", "--set", "delta_t=10", "--sweep", "frequency=10,20,50"
    )
    assert result["sweep"] == "protocol.frequency"
    changes = [point["predicted"] for point in result["points"]]
    assert changes == pytest.approx([0.118641, 0.227795, 0.762731], abs=1e-6)


def test_sweep_of_a_rule_in_a_file(my_rule, tmp_path):
    out = tmp_path / "sweep.csv"
    words = ("protocol", "free", "--rule", my_rule, "--set", "post=20", "--sweep", "rule.tau=10:30:3", "--out", out)
    result = call(*words)
    assert result.exit_code == 0, result.stderr
    assert f"wrote {out}" in result.stderr
    assert out.read_text().startswith("rule.tau,label,predicted")
    assert len(out.read_text().splitlines()) == 4


def test_free_trains_from_a_file(tmp_path):
    trains = tmp_path / "trains.csv"
    trains.write_text("side,time\npre,0\npost,10\n")
    result = told("protocol", "free", "--rule", "PairSTDP", "--set", f"file={trains}")
    assert result["points"][0]["predicted"] == pytest.approx(0.00303265, abs=1e-8)


def test_fit(my_rule, tmp_path):
    out = tmp_path / "fit.json"
    words = ("fit", my_rule, "--data", "bi_poo_1998", "--free", "a=0:0.1", "--seed", 3)
    result = told(*words, "--out", out)
    assert result["error"] < result["error_before"]
    assert result["errors"]["bi_poo_1998"]["after"] == pytest.approx(result["error"])
    assert list(result["free"]) == ["a"]
    assert result["parameters"]["tau"] == 20.0
    assert result["seed"] == 3
    assert json.loads(out.read_text()) == result
    assert "--set a=" in call(*words).stdout


def test_fit_sets_parameters_of_rule_and_protocols():
    words = ("fit", "PairSTDP", "--data", "sjostrom_2001,bi_poo_1998", "--free", "a_plus", "--seed", 1)
    result = told(*words, "--set", "tau_plus=15", "--set", "sjostrom_2001.bursts=yes")
    assert result["parameters"]["tau_plus"] == 15.0
    continuous = told(*words, "--set", "tau_plus=15")
    assert result["errors"]["sjostrom_2001"]["before"] != continuous["errors"]["sjostrom_2001"]["before"]
    assert result["errors"]["bi_poo_1998"]["before"] == continuous["errors"]["bi_poo_1998"]["before"]


def test_card_of_a_rule_in_a_file(my_rule):
    result = told("card", my_rule, "--set", "a=0.02")
    assert result["rule"] == "MyRule"
    assert result["parameters"]["a"] == 0.02
    assert set(result["errors"]) >= {"bi_poo_1998", "sjostrom_2001", "wang_2005"}
    assert result["window"]
    assert result["frequency"]
    assert result["triplets"]
    assert result["cost"] is None


def test_card_writes_a_page(tmp_path):
    result = call("card", "PairSTDP", "--out", tmp_path / "cards")
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in (tmp_path / "cards").iterdir()) == ["PairSTDP.html", "PairSTDP.png"]
    assert "Cost of an event: " in result.stdout
    assert result.stderr.count("wrote ") == 2


def test_card_of_several_rules_compares():
    result = told("card", "TripletSTDP,PlateauRule", "--seed", 1)
    assert result["published"]["TripletSTDP"]["sjostrom_2001"]["error"] == pytest.approx(0.232, abs=0.001)
    assert "PlateauRule" in result["not_walked"]
    assert "refitted" not in result


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("fit TripletSTPD --data wang_2005", "has no rule 'TripletSTPD'; did you mean 'TripletSTDP'"),
        ("fit TripletSTDP --data wang_2006", "has no protocol 'wang_2006'; did you mean 'wang_2005'"),
        ("fit TripletSTDP --data wang_2005 --free a2_pluss", "did you mean 'a2_plus'"),
        ("fit TripletSTDP --data wang_2005 --free bounds", "no free parameter 'bounds'"),
        ("fit TripletSTDP --data wang_2005 --set tau_yy=3", "did you mean 'tau_y'"),
        ("fit TripletSTDP --data pairing", "pairing has no measurements to fit to"),
        ("fit TripletSTDP --data wang_2005,", "commas between"),
        ("fit TripletSTDP", "Missing option '--data'"),
        ("fit TripletSTDP --data wang_2005 --out nowhere/fit.json", "cannot be written"),
        ("fit PlateauRule --data wang_2005", "Run it in a Network"),
        ("card TripletSTPD", "did you mean 'TripletSTDP'"),
        ("card TripletSTDP --set tau_yy=3", "did you mean 'tau_y'"),
        ("card TripletSTDP --set preset=hippocampal", "has no preset 'hippocampal'"),
        ("card TripletSTDP --refit", "--refit belongs to several rules"),
        ("card all --set tau_y=3", "takes no --set"),
        ("card PairSTDP,TripletSTPD", "did you mean 'TripletSTDP'"),
        ("card PlateauRule", "Run it in a Network"),
        ("card nowhere.py:MyRule", "no file 'nowhere.py'"),
        ("protocol wang_2005 --rule TripletSTDP --sweep tau_yy=1:2:3", "did you mean 'tau_y'"),
        ("protocol wang_2005 --rule TripletSTDP --sweep tau_y=1:2", "START:STOP:NUMBER"),
        ("protocol wang_2005 --rule TripletSTDP --sweep w0=0,inf --out x.doc", "the ending is one of"),
        ("protocol free --rule PairSTDP --set file=nowhere.csv", "nowhere.csv cannot be read"),
    ],
)
def test_refuses_in_one_line_before_it_compiles(words, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with numba.core.event.install_recorder("numba:compile") as compiled:
        result = call(*words.split())
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("spikesim: ")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr
    assert not compiled.buffer


def test_unwritable_folder_is_found_first(tmp_path):
    (tmp_path / "taken").write_text("")
    result = call("card", "PairSTDP", "--out", tmp_path / "taken")
    assert result.exit_code == 2
    assert "taken" in result.stderr


def test_a_file_with_one_rule_needs_no_name(my_rule):
    path, name = my_rule.split(".py:")
    found = told("protocol", "pairing", "--rule", f"{path}.py")
    assert found["rule"] == name
    assert found["points"] == told("protocol", "pairing", "--rule", my_rule)["points"]


def test_a_file_with_more_or_fewer_rules_is_told(two_rules, tmp_path):
    result = call("card", two_rules)
    assert result.exit_code == 2
    assert f"has several rules; choose one: {two_rules}:MyRule, {two_rules}:Other." in result.stderr
    empty = tmp_path / "empty.py"
    empty.write_text("")
    for path, says in ((empty, f"{empty} has no rule."), (tmp_path / "none.py", "to take the rule from")):
        result = call("card", path)
        assert result.exit_code == 2
        assert says in result.stderr


@pytest.mark.parametrize(("name", "kind"), [("LIF", "neuron"), ("bi_poo_1998", "protocol"), ("brunel_2000", "network")])
def test_a_name_of_another_kind_is_told_as_such(name, kind):
    for words in (("card", name), ("card", f"PairSTDP,{name}"), ("protocol", "pairing", "--rule", name)):
        result = call(*words)
        assert result.exit_code == 2
        assert f"no rule '{name}'; {name} is a {kind}. It knows: BCMRule" in result.stderr


def test_a_rule_without_hooks_is_refused(tmp_path):
    """In place of a card on which nothing ever changes; a hook that is misspelt is named."""
    path = tmp_path / "flat.py"
    text = MY_RULE.replace("on_post", "on_posst")
    path.write_text(text)
    for words in (("card", path), ("protocol", "pairing", "--rule", path)):
        result = call(*words)
        assert result.exit_code == 2
        assert "MyRule has no hook, so nothing would change its weights. 'on_posst' may be meant for 'on_post'." in (
            result.stderr
        )
    path.write_text(text.partition("    @staticmethod")[0])
    result = call("card", path)
    assert result.exit_code == 2
    assert "weights. A rule has at least one of on_pre, on_post, drift." in result.stderr
