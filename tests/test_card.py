"""Cards of rules, and the table that compares them."""

import base64
import json
import re

import pytest

from spikesim.card import card_of, write_card
from spikesim.card_table import compare, data_sets, every_card, least, markdown, rules_named
from spikesim.errors import SpikesimError
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.models.plasticity.plateau import PlateauRule
from spikesim.models.plasticity.triplet_stdp import TripletSTDP
from spikesim.protocols.bi_poo_1998 import BiPoo1998
from spikesim.protocols.sjostrom_2001 import Sjostrom2001
from spikesim.registry import discover

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def card():
    return card_of(TripletSTDP(preset="visual_cortex_minimal_all_to_all"))


@pytest.fixture(scope="module")
def table():
    return compare(rules_named("PairSTDP,TripletSTDP,PlateauRule"))


def test_errors_are_those_of_the_protocols(card):
    assert card.errors["sjostrom_2001"] == pytest.approx(0.356, abs=0.001)
    assert card.errors["sjostrom_2001"] == pytest.approx(Sjostrom2001().run(card.rule).error, rel=1e-9)
    assert set(card.errors) == set(data_sets())
    assert not card.refused


def test_what_is_told(card):
    told = json.loads(json.dumps(card.as_dict(), allow_nan=False))
    assert {"errors", "window", "frequency", "triplets", "rates", "cost", "parameters", "preset"} <= set(told)
    at = {(row["protocol"], row.get("delta_t"), row["frequency"]): row for row in told["frequency"]}
    assert at["sjostrom_2001", 10.0, 20.0]["predicted"] == pytest.approx(0.227795, abs=1e-6)
    assert {row["protocol"] for row in told["window"]} == {"bi_poo_1998", "sjostrom_2001_timing"}
    assert any(row["label"] == "post-pre-post (-5, 5)" for row in told["triplets"])
    assert all(row["closed_form"] is not None for row in told["rates"])
    assert told["scalars"]["poisson_rates"]["threshold_hz"] == pytest.approx(19.220326, abs=1e-6)
    assert "pre spike at t:" in card.to_text()


def test_page_has_everything_in_it(card, tmp_path):
    html, png = write_card(card, tmp_path / "new")
    assert png.read_bytes().startswith(PNG)
    text = html.read_text(encoding="utf-8")
    pictures = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', text)
    assert len(pictures) >= 10
    assert all(b"<svg" in base64.b64decode(picture) for picture in pictures)
    assert not re.search(r'(src|href)="(?!data:|https://doi)', text)
    assert "o1(t-) [a2_minus + a3_minus r2(t-)]" in text
    assert all(name in text for name in card.results)


def test_a_protocol_that_refuses_is_listed(monkeypatch):
    def refuse(self, rule):
        raise SpikesimError("too many spikes")

    monkeypatch.setattr(Sjostrom2001, "run", refuse)
    found = card_of(PairSTDP())
    assert found.refused == {"sjostrom_2001": "too many spikes"}
    assert "too many spikes" in found.to_text()
    assert "sjostrom_2001" not in found.errors


def test_a_rule_that_needs_a_network_has_no_card():
    with pytest.raises(SpikesimError, match="PlateauRule.*Run it in a Network"):
        card_of(PlateauRule())


def test_cost_is_measured(tmp_path):
    found = card_of(PairSTDP(), cost=True).cost
    assert 0.5 < found["ns_per_event"] < 5000.0
    assert found["events"] == pytest.approx(4e6, rel=0.02)  # (1000 x 100 + 100 x 1000) spikes of 20 Hz in a second


def test_every_rule_is_in_the_table_or_told_why_not(table):
    assert set(rules_named("all")) == set(discover("rule"))
    assert set(table["published"]) == {"PairSTDP", "TripletSTDP"}
    assert "Run it in a Network" in table["not_walked"]["PlateauRule"]
    assert "PlateauRule" in markdown(table)
    assert set(table["data_sets"]) >= {"bi_poo_1998", "markram_1997", "sjostrom_2001", "wang_2005"}


def test_best_presets_are_named(table):
    triplet = table["published"]["TripletSTDP"]
    assert triplet["sjostrom_2001"] == {
        "error": pytest.approx(0.232, abs=0.001),
        "preset": "visual_cortex_full_nearest",
    }
    assert triplet["wang_2005"]["preset"].startswith("hippocampal_")
    assert table["published"]["PairSTDP"]["bi_poo_1998"]["preset"] == "bi_poo_2001"
    # Defaults that are a published set go by its name.
    assert table["published"]["PairSTDP"]["sjostrom_2001"]["preset"] == "song_2000"


def test_which_rule_explains_which_experiment(table):
    rows = table["published"]
    assert least(rows, "wang_2005") == least(rows, "sjostrom_2001") == least(rows, "markram_1997") == "TripletSTDP"
    assert least(rows, "bi_poo_1998") == "PairSTDP"


def test_refitted_numbers_are_marked_so(table):
    best = {"error": 0.5, "preset": "x", "parameters": {"a": 1.0, "b": 2.0}}
    refitted = {"PairSTDP": dict.fromkeys(table["data_sets"], best)}
    one = {**table, "published": {"PairSTDP": table["published"]["PairSTDP"]}, "refitted": refitted}
    published, apart = markdown(one).split("Refitted here")
    assert "bi_poo_2001" in published
    assert "| PairSTDP, 2 free | **0.50** |" in apart


def test_refit(monkeypatch):
    """One rule, one data set."""
    monkeypatch.setattr("spikesim.card_table.data_sets", lambda: {"bi_poo_1998": BiPoo1998()})
    found = compare(rules_named("PairSTDP"), refit=True, seed=1)
    best, refitted = found["published"]["PairSTDP"]["bi_poo_1998"], found["refitted"]["PairSTDP"]["bi_poo_1998"]
    assert refitted["error"] < best["error"]
    rule = PairSTDP(preset=refitted["preset"], **refitted["parameters"])
    assert BiPoo1998().run(rule).error == pytest.approx(refitted["error"])
    monkeypatch.setattr("spikesim.card_table.SLOW", 0.0)
    slow = compare(rules_named("PairSTDP"), refit=True)
    assert slow["refitted"] == {}
    assert "takes" in slow["not_refitted"]["PairSTDP"]


def test_all_cards_need_a_folder_that_can_be_written(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(SpikesimError, match="taken"):
        every_card(rules_named("all"), tmp_path / "taken")


def test_cards_of_several_rules(tmp_path, monkeypatch):
    monkeypatch.setattr("spikesim.event_cost.PIECE", 20.0)
    _, text, written = every_card(rules_named("PairSTDP,PlateauRule"), tmp_path)
    names = {"index.html", "rules.md", "rules.png", "PairSTDP.html", "PairSTDP.png"}
    assert {path.name for path in written} == {path.name for path in tmp_path.iterdir()} == names
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'href="PairSTDP.html"' in index
    assert "Run it in a Network" in index
    assert "PlateauRule" in text
