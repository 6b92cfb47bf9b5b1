"""The scripts in benchmarks/: their statistics, their fits and their pages, without running what they measure."""

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from spikesim.models.networks.guerguiev_2017 import Guerguiev2017

ROOT = Path(__file__).parent.parent


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


micro = script("microcircuit_statistics")
cold = script("cold_start")
busy = script("busy_core")
scaling = script("scaling")
changes = script("change_recording")
compared = script("guerguiev_2017_comparisons")


def test_rates():
    assert micro.rates(np.array([0, 0, 2]), 4, 0.5).tolist() == [4.0, 0.0, 2.0, 0.0]


def test_cv_of_known_trains():
    rng = np.random.default_rng(1)
    regular = np.arange(0, 1000, 7)
    poisson = np.cumsum(rng.exponential(1e4, 20_000))
    two = np.array([0, 10, 40])  # intervals 10 and 30
    steps = np.concatenate([regular, poisson, two, [5, 6]])
    ids = np.repeat([0, 1, 3, 4], [len(regular), len(poisson), 3, 2])
    shuffled = rng.permutation(len(ids))
    cvs = micro.interval_cvs(steps[shuffled], ids[shuffled], 6, 3)
    assert cvs == pytest.approx([0.0, 1.0, 0.5], abs=0.03)
    assert len(micro.interval_cvs(steps, ids, 6, 4)) == 2
    assert len(micro.interval_cvs(np.zeros(0, int), np.zeros(0, int), 6, 3)) == 0


def test_correlation_of_known_trains():
    rng = np.random.default_rng(1)
    one, other = (np.sort(rng.choice(200_000, 20_000, replace=False)) + 1 for _ in range(2))
    steps, ids = np.concatenate([one, one, other]), np.repeat([3, 5, 9], 20_000)
    found = np.sort(micro.correlations(steps, ids, (1, 200_000), 20, 200, rng))
    assert found == pytest.approx([0.0, 0.0, 1.0], abs=0.04)
    assert len(micro.correlations(steps, ids, (1, 200_000), 20, 2, rng)) == 1  # two of the three
    assert len(micro.correlations(one, ids[:20_000], (1, 200_000), 20, 200, rng)) == 0


def test_correlation_is_that_of_the_counts():
    steps, ids = np.array([1, 2, 3, 5, 1, 4, 3]), np.array([0, 0, 0, 0, 1, 1, 1])
    found = micro.correlations(steps, ids, (1, 6), 2, 2, np.random.default_rng(1))
    assert found == pytest.approx([np.corrcoef([2, 1, 1], [1, 2, 0])[0, 1]])


def test_statistics_leave_out_the_warm_up():
    model = SimpleNamespace(dt=0.1, sizes=[2] * 8)
    given = SimpleNamespace(warmup=10.0, time=100.0, least_spikes=3)
    train = (np.array([100, 101, 200, 300, 1100, 1101]), np.array([0, 1, 1, 1, 1, 0]))
    found = micro.statistics_of(dict.fromkeys(micro.POPULATIONS, train), model, given, 1)
    assert found["L4E/rate"].tolist() == [0.0, 40.0]  # a spike ends its step: 101 to 1100 are inside
    assert len(found["L4E/cv"]) == 1
    assert len(found["L4E/correlation"]) == 0


def test_ks_distance_is_that_of_scipy():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=300), rng.normal(0.3, size=200).round(1)
    assert micro.ks_distance(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic)
    assert micro.ks_distance(a, a) == 0.0
    assert micro.ks_distance(a, a + 100.0) == 1.0
    assert np.isnan(micro.ks_distance(a, a[:0]))


@pytest.mark.parametrize("n", [5, 9])  # all relabellings, and some of them
def test_verdict_and_p_value(n):
    rng = np.random.default_rng(1)
    same = micro.distances([rng.normal(size=400) for _ in range(2 * n)])
    found = micro.compare(same, n)
    assert found["nest_nest_min"] <= found["spikesim_nest_median"] <= found["nest_nest_max"]
    assert (found["verdict"], len(found["spikesim_nest"]), len(found["nest_nest"])) == (
        "within",
        n * n,
        n * (n - 1) / 2,
    )
    assert found["p"] > 0.05
    apart = micro.distances([rng.normal(i < n, size=400) for i in range(2 * n)])
    found = micro.compare(apart, n)
    assert found["verdict"] == "further"
    assert found["p"] < 0.01
    assert micro.p_value(micro.mean_distance([same, apart]), n) < 0.01
    assert micro.compare(micro.distances([np.zeros(0)] * 2 * n), n)["verdict"] == "unknown"


def test_p_value_is_even_where_nothing_differs():
    rng = np.random.default_rng(1)
    found = [micro.p_value(micro.distances([rng.normal(size=50) for _ in range(6)]), 3) for _ in range(200)]
    assert np.mean(np.array(found) <= 0.1) == pytest.approx(0.1, abs=0.06)  # 1 of 10 divisions
    assert np.mean(found) == pytest.approx(0.55, abs=0.06)


def test_cold_start_summary_and_command():
    found = cold.summary([{"import": 3.0}, {"import": 1.0}, {"import": 1.5}])
    assert found == {"import": {"median_s": 1.5, "min_s": 1.0, "max_s": 3.0, "all_s": [3.0, 1.0, 1.5]}}
    words = cold.command("brunel_2000", True, 100.0, 2)
    assert words[:4] == ["-m", "spikesim", "run", "brunel_2000"]
    assert "N_E=400" in words
    assert "N_E=400" not in cold.command("brunel_2000", False, 100.0, 2)


@pytest.mark.parametrize(
    ("beside", "verdict"), [(1.1, "less than fair"), (1.7, "explained"), (9, "more than explained")]
)
def test_busy_core_compares_neighbours(beside, verdict):
    found = busy.summary({"alone": [1.0, 2.0, 4.0], "beside": [beside, 2 * beside, 40.0]})
    assert found["ratio"] == pytest.approx(beside)
    assert found["verdict"] == verdict


def test_busy_process_begins_and_ends():
    with busy.busy(0):
        pass


def rows(true, growth="log2"):
    found = []
    for neurons, synapses, rate, threads in np.ndindex(3, 3, 3, 4):
        spikes = 500.0 * 4**neurons * rate * 1e-3  # 0, 10 and 20 Hz
        work = {"neurons": 500 * 4**neurons, "spikes": spikes, "events": spikes * 100 * 5**synapses}
        row = {**work, "populations": 1 + neurons % 2, "threads": 2**threads, "recording": "memory"}
        found.append({**row, "ns": scaling.predict(true, row, growth)})
    return found


TRUE = dict(zip(scaling.TERMS, (4.0, 1.5, 300.0, 800.0, 2500.0), strict=True))


def test_fit_recovers_the_coefficients():
    exact = rows(TRUE)
    assert scaling.fit(exact) == pytest.approx(TRUE, rel=1e-6)
    rng = np.random.default_rng(1)
    noisy = [{**row, "ns": row["ns"] * rng.normal(1.0, 0.02)} for row in exact]
    assert scaling.fit(noisy) == pytest.approx(TRUE, rel=0.1)
    found = scaling.regimes(noisy, [1, 8])
    assert set(found) == {"spikes: memory", "threads: 1", "threads: 8"}
    low, high = found["spikes: memory"]["ns_interval"]["ns_per_neuron"]
    assert low < 4.0 < high
    assert found["spikes: memory"]["median_off"] == pytest.approx(0.0135, abs=0.005)
    alone = [{**row, "ns": 7.0 * row["neurons"]} for row in exact if row["threads"] == 1]
    assert scaling.fit(alone) == pytest.approx(dict.fromkeys(TRUE, 0.0) | {"ns_per_neuron": 7.0})


def test_work_of_the_microcircuit():
    work = scaling.microcircuit()
    assert (work["neurons"], work["populations"]) == (77169, 8)
    assert work["spikes"] / work["neurons"] == pytest.approx(3.24e-4, rel=0.01)
    even = scaling.microcircuit(1.0, np.full(8, 10.0))
    assert even["events"] == pytest.approx(298_880_968 * 1e-3, rel=1e-6)
    tenth = scaling.microcircuit(0.1)
    assert (tenth["spikes"], tenth["events"]) == pytest.approx((work["spikes"] / 10, work["events"] / 10))


def test_prediction_splits_what_can_be_split():
    one, two, *_, many = scaling.predictions(rows(TRUE))
    work = scaling.microcircuit()
    assert one["log2"] == pytest.approx(scaling.predict(TRUE, {**work, "threads": 1}) * 1e-5, rel=1e-6)
    assert one["log2"] == one["linear"]
    assert two["log2"] == two["linear"]
    assert many["linear"] - many["log2"] == pytest.approx(2500.0 * (127 - 7) * 1e-5, rel=1e-6)
    assert many["log2_interval"] == pytest.approx([many["log2"]] * 2, rel=1e-6)


def test_page_is_rewritten_between_its_markers():
    page = "before\n<!-- results -->\nold\n<!-- end of results -->\nafter\n"
    new = scaling.rewritten(page, "1 | \\2\n")
    assert new == "before\n<!-- results -->\n1 | \\2\n<!-- end of results -->\nafter\n"
    assert scaling.rewritten(new, "old\n") == page
    assert len(scaling.BLOCK.findall(scaling.PAGE.read_text(encoding="utf-8"))) == 1


def test_scaling_page_quotes_the_result_file():
    path = ROOT / "docs/results/scaling.json"
    if not path.exists():
        pytest.skip("not measured yet")
    assert scaling.block(json.loads(path.read_text(encoding="utf-8"))) in scaling.PAGE.read_text(encoding="utf-8")


def test_slowdowns_are_of_the_same_round():
    """On a machine that is slow in the second round a ratio of medians would be off."""
    found = [{"none": 1.0, "a": 2.0}, {"none": 10.0, "a": 25.0}, {"none": 1.0, "a": 3.0}]
    assert changes.slowdowns(found) == {"a": {"median": 2.5, "min": 2.0, "max": 3.0}}


def test_change_recorders_that_are_compared_record():
    """All see the same network, in which both sides fire, and what they record changes."""
    digests = set()
    for recorder in changes.RECORDERS.values():
        with changes.network(
            changes.PairSTDP(), 1.0, {**recorder, **({"sample": 10} if recorder else {})}, 200, 40.0
        ) as net:
            net.run(40.0)
            digests.add(net.projections[0].weights.tobytes())
            for kept in net.recorders:
                assert len(kept.times) > 0
    assert len(digests) == 1


def test_docs_quote_the_change_recording_that_was_measured():
    docs = ROOT / "docs"
    found = json.loads((docs / "results" / "change_recording.json").read_text(encoding="utf-8"))
    quoted = changes.BLOCK.search((docs / "learning.md").read_text(encoding="utf-8"))
    assert quoted[0] == quoted[1] + changes.block(found["measured"]) + quoted[2]
    assert quoted[0].count("\n|") == 2 + 4  # the head and its line, four networks


def test_comparisons_of_errors_know_their_noise():
    errors = {"regular": [10.0, 12.0], "sparse": [13.0, 15.0], "g_a = 0": [5.0], "g_a = 0.05": [5.2]}
    found = compared.verdict(errors, 10_000, ("G3", "sparse", "regular", ">", 0.0))
    assert found["difference"] == pytest.approx(3.0)
    assert found["standard_error"] == pytest.approx(np.sqrt(2.0 / 2 + 2.0 / 2))  # the spread over two seeds of both
    assert found["pass"]
    assert not compared.verdict(errors, 10_000, ("G3", "sparse", "regular", "<=", 0.0))["pass"]
    one = compared.verdict(errors, 10_000, ("G4", "g_a = 0.05", "g_a = 0", "within", 0.3))
    assert one["pass"]
    assert one["standard_error"] == pytest.approx(100 * np.sqrt((0.05 * 0.95 + 0.052 * 0.948) / 10_000))
    assert not compared.verdict(errors, 10_000, ("G4", "g_a = 0.05", "g_a = 0", "within", 0.1))["pass"]


def test_comparisons_run_every_case_with_every_seed(tmp_path):
    given = SimpleNamespace(epochs=1, train_images=5, test_images=3, seeds="1-2", folder=None)
    runs = compared.planned(given).runs
    assert len({run.name for run in runs}) == len(runs) == 2 * 8
    models = {run.grid["case"]: Guerguiev2017(**run.given) for run in runs}
    assert models["sparse, times 5"].feedback_gain * models["sparse, times 5"].feedback_density == 1.0
    assert [models[f"g_a = {g}"].g_a for g in ("0", "0.05", "0.6")] == [0.0, 0.05, 0.6]
    assert {case for _, *cases, _, _ in compared.CRITERIA for case in cases} == set(models)
