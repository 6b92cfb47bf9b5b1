"""Cards of rules, and the table that compares them."""

import base64
import html
import json
import math
import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from spikesim.card import Card, card_of, cost_text, number, units, write_card
from spikesim.card_figure import _beyond_noise, panels
from spikesim.card_index import every_card, index_page, markdown, to_text
from spikesim.card_page import reflowed
from spikesim.card_table import compare, counts, data_sets, least, rules_named
from spikesim.errors import SpikesimError
from spikesim.event_cost import event_cost
from spikesim.models.plasticity.convallis import Convallis
from spikesim.models.plasticity.dopamine_stdp import DopamineSTDP
from spikesim.models.plasticity.graupner_brunel import GraupnerBrunel
from spikesim.models.plasticity.pair_stdp import PairSTDP
from spikesim.models.plasticity.plateau import PlateauRule
from spikesim.models.plasticity.triplet_stdp import TripletSTDP
from spikesim.protocol import PREDICTED_BY
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
    page, png = write_card(card, tmp_path / "new")
    assert png.read_bytes().startswith(PNG)
    text = page.read_text(encoding="utf-8")
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


def test_a_rule_that_spikes_change_but_not_alone_has_a_card(tmp_path, monkeypatch):
    """Of what it is and costs, not of experiments that it cannot be walked through."""
    monkeypatch.setattr("spikesim.event_cost.PIECE", 20.0)
    found = card_of(DopamineSTDP(), cost=True)
    assert found.results == {}
    assert found.cost["ns_per_event"] > 0.0
    assert found.cost["what"].endswith("no reward comes")
    assert found.to_text().count("it needs events (reward)") == 1
    page, png = write_card(found, tmp_path)
    text = page.read_text(encoding="utf-8")
    assert text.count("it needs events (reward)") == 1
    assert "dw/dt = c (n - b)" in text
    assert "Cost of an event: " in text
    assert "error E" not in text + found.to_text()
    assert png.read_bytes().startswith(PNG)
    assert json.loads(json.dumps(found.as_dict()))["errors"] == {}


def test_a_rule_of_events_alone_has_no_cost_of_spikes():
    assert "needs the events target_plateau" in cost_text(event_cost(PlateauRule()))


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
    triplets = [s for s in table["data_sets"] if least(table, "published", s) == "TripletSTDP"]
    assert {"wang_2005", "sjostrom_2001", "markram_1997"} <= set(triplets)
    assert least(table, "published", "bi_poo_1998") == "PairSTDP"


def test_refitted_numbers_are_marked_so(table):
    one = refitted_to(table, 2)
    published, apart = markdown(one).split("Refitted here")
    assert "bi_poo_2001" in published
    assert "| PairSTDP, 2 free | **0.50** |" in apart


def refitted_to(table, free):
    """The table of one rule, as if so many parameters had been free."""
    best = {"error": 0.5, "preset": "x", "parameters": {f"a{k}": 1.0 for k in range(free)}}
    refitted = {"PairSTDP": dict.fromkeys(table["data_sets"], best)}
    return {**table, "published": {"PairSTDP": table["published"]["PairSTDP"]}, "refitted": refitted}


def test_as_many_parameters_as_points_say_nothing(table):
    """bi_poo_1998 has 7 points."""
    enough, few = refitted_to(table, 6), refitted_to(table, 7)
    assert counts(enough, "refitted", "PairSTDP", "bi_poo_1998")
    assert not counts(few, "refitted", "PairSTDP", "bi_poo_1998")
    assert least(few, "refitted", "bi_poo_1998") is None
    assert least(few, "refitted", "wang_2005") == "PairSTDP"  # 10 points
    assert "| PairSTDP, 7 free | (0.50) |" in markdown(few)
    assert "(0.50)" in to_text(few)
    page = index_page(few, {"PairSTDP": {"song_2000": "a.html", "bi_poo_2001": "b.html"}}, {"PairSTDP": ""})
    assert "<td class=few>(0.50)</td>" in page
    assert "<td class=best>0.50</td>" in page


def test_presets_fitted_here_are_marked_and_not_counted_for_their_data(table):
    fitted = {"error": 0.01, "preset": "ours", "fitted_here": ["bi_poo_1998"]}
    rows = {**table["published"], "Mine": dict.fromkeys(table["data_sets"], fitted)}
    mine = {**table, "published": rows}
    assert least(mine, "published", "bi_poo_1998") == "PairSTDP"
    assert least(mine, "published", "wang_2005") == "Mine"
    assert "| Mine | 0.01†<br>ours | **0.01†**<br>ours |" in markdown(mine)
    assert "† not published, but fitted here (Mine ours to bi_poo_1998)" in markdown(mine)
    assert "†" not in markdown(table)
    assert set(Convallis.fitted_here) == set(Convallis.presets)
    assert {name for names in Convallis.fitted_here.values() for name in names} <= data_sets().keys()


def test_refit(monkeypatch):
    """One rule, one data set."""
    monkeypatch.setattr("spikesim.card_table.data_sets", lambda: {"bi_poo_1998": BiPoo1998()})
    found = compare(rules_named("PairSTDP"), refit=True, seed=1)
    best, refitted = found["published"]["PairSTDP"]["bi_poo_1998"], found["refitted"]["PairSTDP"]["bi_poo_1998"]
    assert refitted["error"] < best["error"]
    rule = PairSTDP(preset=refitted["preset"], **refitted["parameters"])
    assert BiPoo1998().run(rule).error == pytest.approx(refitted["error"])


def test_rules_with_a_neuron_are_not_refitted(monkeypatch):
    """Whatever time it takes."""
    monkeypatch.setattr("spikesim.card_table.data_sets", lambda: {"bi_poo_1998": BiPoo1998(delta_t_step=0.0, pairs=2)})
    found = compare(rules_named("Convallis"), refit=True)
    assert found["refitted"] == {}
    assert "a neuron is walked beside the synapse" in found["not_refitted"]["Convallis"]
    assert found["published"]["Convallis"]["bi_poo_1998"]["fitted_here"]
    assert "Not refitted: Convallis (" in markdown(found)


def test_a_preset_has_a_card_of_its_own(tmp_path):
    rules = PairSTDP(), PairSTDP(preset="bi_poo_2001")
    plain, preset = (Card(rule, {"bi_poo_1998": BiPoo1998(delta_t_step=0.0).run(rule)}) for rule in rules)
    written = [path.name for each in (plain, preset) for path in write_card(each, tmp_path)]
    assert written == ["PairSTDP.html", "PairSTDP.png", "PairSTDP_bi_poo_2001.html", "PairSTDP_bi_poo_2001.png"]


def test_parameters_are_those_of_the_rule_and_those_chosen():
    found = Card(TripletSTDP(preset="hippocampal_full_nearest", coincident="pre_first"), {})
    told = found.parameters()
    assert (told["pairing"], told["w_min"], told["w_max"]) == ("nearest", -math.inf, math.inf)
    assert told["coincident"] == "pre_first"
    assert "w_ref" not in told
    assert set(Card(PairSTDP(), {}).parameters()) == {"tau_plus", "tau_minus", "a_plus", "a_minus"}


def test_units_are_those_of_the_declarations():
    found = units(Convallis)
    assert (found["tau_m"], found["theta_ltp"], found["a_ltp"]) == ("ms", "mV", "1/ms")
    assert "w_min" not in found  # "lower bound, in units of the weights" is no unit
    assert units(PairSTDP) == {"tau_plus": "ms", "tau_minus": "ms"}


def test_errors_have_one_format():
    assert [number(e) for e in (0.004, 9.999, 67.19, 1376.0, 2.5e4)] == ["0.00", "10.00", "67.19", "1376.00", "2e+04"]


def test_descriptions_run_on_and_lose_nothing():
    prose = "A line of prose that is long enough to have been broken by hand, and that goes on"
    text = f"Title.\n\n{prose}\nin the next.\n\n    x = y\n    z = 1\n\nShort.\nLines."
    assert reflowed(text, 200) == [
        "Title.", "", f"{prose} in the next.", "", "    x = y", "    z = 1", "", "Short.", "Lines.",
    ]  # fmt: skip
    words = [word for line in reflowed(text, 40) for word in line.split()]
    assert words == text.split()
    assert max(map(len, reflowed(text, 40))) <= 40


def drawn(panel):
    ax = Figure().add_subplot()
    panel.draw(ax)
    return ax


def test_curves_are_not_joined_across_zero(card):
    """At 0 the order of the spikes changes; what is predicted there is a dot of its own."""
    own = [panel for panel in panels(card) if panel.title.startswith("Sjöström et al. 2001: timing")]
    assert len(own) == 1
    curves = [line.get_xdata() for line in drawn(own[0]).lines if line.get_linestyle() == "-"]
    curves = [x for x in curves if len(x) > 2]
    before, after = (sorted(x[0] for x in curves if np.sign(x[-1]) == sign) for sign in (-1, 1))
    assert (before, after) == ([-25.0, -10.0], [1.0, 1.0])
    assert all(len(set(np.sign(x))) == 1 for x in curves)


def test_legend_is_above_what_is_drawn(card):
    """The closed form comes last in it."""
    ax = drawn(
        next(panel for panel in panels(card) if panel.title == "Poisson firing: the weight change against the rates")
    )
    assert [text.get_text() for text in ax.get_legend().get_texts()][-1] == "closed form"
    ax.figure.canvas.draw()
    lowest = ax.transData.inverted().transform(ax.get_legend().get_window_extent())[0][1]
    assert lowest >= max(max(line.get_ydata()) for line in ax.lines)


def test_zero_line_of_a_map_is_no_chance():
    rng = np.random.default_rng(1)
    noise, slope = rng.normal(size=(4, 10)), np.tile(np.arange(10.0) - 4.5, (4, 1))
    assert np.isnan(_beyond_noise(0.1 * noise)).mean() > 0.8
    kept = _beyond_noise(slope + 0.05 * noise)
    assert not np.isnan(kept[:, 4:6]).any()
    assert np.isnan(kept[:, [0, 1, 2, 7, 8, 9]]).all()


def test_reasons_and_costs_are_escaped(table):
    bad = {**table, "not_walked": {"Mine": "<script>"}}
    pages = {rule: {best["preset"]: "x.html" for best in row.values()} for rule, row in table["published"].items()}
    text = index_page(bad, pages, dict.fromkeys(pages, "<100 synapses> & more"))
    assert "&lt;script&gt;" in text
    assert "<script>" not in text
    assert "&lt;100 synapses&gt; &amp; more" in text


def test_cost_with_a_neuron(monkeypatch):
    """The cell fires when it is kicked, with its 20 Hz, and not by the potentials of the synapses."""
    monkeypatch.setattr("spikesim.event_cost.PIECE", 50.0)
    found = event_cost(Convallis())
    assert found["events"] == pytest.approx(2e6, rel=0.1)  # of 0.5 s
    assert found["ns_per_event"] > 0.0
    assert "ClopathAdEx" in found["what"]
    text = cost_text(found)
    assert found["processor"] in text
    assert found["date"] in text


def test_slow_refits_that_say_nothing_are_not_made(monkeypatch):
    """GraupnerBrunel is walked synapse by synapse and has more numbers of its own than there are points."""
    monkeypatch.setattr("spikesim.card_table.data_sets", lambda: {"bi_poo_1998": BiPoo1998(delta_t_step=0.0, pairs=2)})
    found = compare(rules_named("GraupnerBrunel,TripletSTDP"), refit=True)
    assert "as many free parameters" in found["not_refitted"]["GraupnerBrunel"]
    assert set(found["refitted"]) == {"TripletSTDP"}
    assert not counts(found, "refitted", "TripletSTDP", "bi_poo_1998")  # 8 numbers for 7 points
    assert "Not refitted: GraupnerBrunel (" in markdown(found)
    del found["refitted"]["TripletSTDP"]["bi_poo_1998"]
    assert "| TripletSTDP | – |" in markdown(found)


def test_all_cards_need_a_folder_that_can_be_written(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(SpikesimError, match="taken"):
        every_card(rules_named("all"), tmp_path / "taken")


def test_cards_of_several_rules(tmp_path, monkeypatch):
    monkeypatch.setattr("spikesim.event_cost.PIECE", 20.0)
    table, text, written = every_card(rules_named("PairSTDP,PlateauRule"), tmp_path)
    quoted = {best["preset"] for best in table["published"]["PairSTDP"].values()}
    assert quoted == {"song_2000", "bi_poo_2001"}
    cards = {f"PairSTDP_{preset}{ending}" for preset in quoted for ending in (".html", ".png")}
    names = {"index.html", "rules.md", "rules.png", *cards}
    assert {path.name for path in written} == {path.name for path in tmp_path.iterdir()} == names
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert (
        f'<a href="PairSTDP_bi_poo_2001.html">{number(table["published"]["PairSTDP"]["bi_poo_1998"]["error"])}' in index
    )
    assert index.count("Cost of an event: ") == 1
    assert "Run it in a Network" in index
    assert "PlateauRule" in text


def test_a_card_says_by_which_it_judges(card, tmp_path):
    """A rule whose theory speaks for it, and one that is walked."""
    result = BiPoo1998(delta_t_step=0.0, pairs=10).run(GraupnerBrunel())
    by_theory = Card(GraupnerBrunel(), {"bi_poo_1998": result})
    for each, by in ((card, "walk"), (by_theory, "theory")):
        assert each.as_dict()["predicted_by"] == by
        said = PREDICTED_BY[by]
        assert said in each.to_text()
        page, _ = write_card(each, tmp_path)
        assert html.escape(said) in page.read_text(encoding="utf-8")


def test_the_table_says_who_is_judged_by_theory(monkeypatch):
    monkeypatch.setattr("spikesim.card_table.data_sets", lambda: {"bi_poo_1998": BiPoo1998(delta_t_step=0.0, pairs=2)})
    found = compare(rules_named("GraupnerBrunel,PairSTDP"))
    assert found["by_theory"] == ["GraupnerBrunel"]
    assert "not by a walk: GraupnerBrunel." in markdown(found)
    assert "not by a walk" not in markdown(compare(rules_named("PairSTDP")))
    result = BiPoo1998(delta_t_step=0.0, pairs=2).run(GraupnerBrunel(preset="dp"))
    assert GraupnerBrunel.presets.keys() >= {found["published"]["GraupnerBrunel"]["bi_poo_1998"]["preset"]}
    assert found["published"]["GraupnerBrunel"]["bi_poo_1998"]["error"] <= result.error + 1e-9
