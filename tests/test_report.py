"""Reports on saved runs: which there are, what is refused, and how a network of one's own comes by one."""

import json

import pytest
from click.testing import CliRunner

from spikesim.cli import main
from spikesim.errors import SpikesimError
from spikesim.registry import discover
from spikesim.report import Verdict, known, report_of
from spikesim.report_figure import median
from spikesim.saved_runs import read_runs

NETWORK = '''
from spikesim.training import TrainedNetwork

class Own(TrainedNetwork):
    """Learns nothing in `n` lessons of 1 ms."""
    n: int = 4
    title = "Learns nothing"
    reference = "doi:10.1000/none"

    def lessons(self):
        return self.n
'''
REPORT = '''
from functools import partial
from spikesim.report import Section, Verdict

def sections(runs):
    """The curves of all."""
    errors = {run.name: float(run.curve[-1, 1]) for run in runs if len(run.curve)}
    met = Verdict("below 3", "errors below 3 %", "2 %", str(errors), all(e < 3 for e in errors.values()))
    return [Section("curves", "Curves <b>", "All of them.", partial(draw, runs), numbers=errors, verdicts=[met]),
            Section("more", "More", missing="there is no more.")]

def draw(runs, figure):
    ax = figure.subplots()
    for run in runs:
        ax.plot(*run.curve.T)
'''


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def refused(*words):
    result = call(*words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.fixture
def own(tmp_path):
    """A network of one's own, and a folder of two runs of it, one of which has failed."""
    file = tmp_path / "own_trained.py"
    file.write_text(NETWORK)
    folder = tmp_path / "runs"
    folder.mkdir()
    runs = [{"name": f"own_seed_{s}", "seed": s, "grid": {}, "given": {"n": 8}} for s in (1, 2)]
    manifest = {"format": 1, "version": "0", "source_digest": "x", "network": f"{file}:Own", "folder": "/elsewhere",
                "options": {"threads": 1, "record": [], "split": []}, "runs": runs}  # fmt: skip
    (folder / "runs.json").write_text(json.dumps(manifest))
    result = {"error_curve": [[0, 90.0], [8, 2.5]], "images": 8, "parameters": {"n": 8}}
    (folder / "own_seed_1.json").write_text(json.dumps(result))
    (folder / "results.csv").write_text("name,error\nown_seed_1,\nown_seed_2,it broke\n")
    return file, folder


def test_a_report_is_a_file_beside_the_network(own, tmp_path):
    file, folder = own
    assert "has no report" in refused("report", f"{file}:Own", folder)
    (file.parent / "reports").mkdir()
    (file.parent / "reports" / file.name).write_text(REPORT)
    result = call("report", f"{file}:Own", folder, "--out", tmp_path / "page", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["figures"] == {"curves": {"own_seed_1": 2.5}}
    assert found["verdicts"]["below 3"]["pass"] is True
    assert found["missing"] == {"more": "there is no more."}
    states = [(run["state"], run["note"], run["lessons_done"], run["lessons"]) for run in found["runs"]]
    assert states == [("ended", "", 8, 8), ("failed", "it broke", 0, 8)]
    assert found["runs"][0]["parameters"] == {"n": 8}
    page = (tmp_path / "page" / "own_trained.html").read_text(encoding="utf-8")
    assert "<h2>Curves &lt;b&gt;</h2>" in page
    assert "failed (it broke)" in page
    assert (tmp_path / "page" / "own_trained_curves.png").is_file()
    text = call("report", f"{file}:Own", folder).stdout
    assert "below 3 pass: errors below 3 %" in text
    assert "More: there is no more." in text


def test_a_mistake_in_a_report_is_told_with_its_line(own):
    file, folder = own
    (file.parent / "reports").mkdir()
    report = file.parent / "reports" / file.name
    report.write_text("\n1 / 0\n")
    assert f"{report}, line 2: ZeroDivisionError" in refused("report", f"{file}:Own", folder)
    report.write_text("x = 1\n")
    assert "has no function `sections`" in refused("report", f"{file}:Own", folder)


def test_without_a_folder_the_runs_are_where_the_page_goes(own):
    file, folder = own
    (file.parent / "reports").mkdir()
    (file.parent / "reports" / file.name).write_text(REPORT)
    result = call("report", f"{file}:Own", "--out", folder, "--quiet")
    assert result.exit_code == 0, result.stderr
    assert (folder / "own_trained.html").is_file()
    assert "needs a FOLDER" in refused("report", f"{file}:Own")


def test_what_there_is_no_report_of_is_told(own, tmp_path):
    _, folder = own
    assert "guerguiev_2017" in known()
    assert set(known()) <= set(discover("network"))  # what helps a report is none
    assert "did you mean 'guerguiev_2017'?" in refused("report", "guergiev_2017", folder)
    assert "brunel_2000 is a network without one. It knows: guerguiev_2017" in refused("report", "brunel_2000", folder)
    assert "there is no runs.json" in refused("report", "guerguiev_2017", tmp_path)
    assert "holds runs of" in refused("report", "guerguiev_2017", folder)


def test_folders_that_cannot_be_read_are_named(own):
    file, folder = own
    network = f"{file}:Own"
    with pytest.raises(SpikesimError, match="given twice"):
        read_runs([folder, folder], network)
    with pytest.raises(SpikesimError, match="is not trained"):
        read_runs([folder], "brunel_2000")
    (folder / "own_seed_1.json").write_text('{"error_curve": [[0, 1]]}')
    with pytest.raises(SpikesimError, match=r"own_seed_1\.json cannot be read"):
        read_runs([folder], network)
    (folder / "runs.json").write_text("{")
    with pytest.raises(SpikesimError, match=r"runs\.json cannot be read"):
        report_of("guerguiev_2017", [folder])


def test_the_median_goes_as_far_as_half_of_the_curves():
    x, y = median([([0, 1, 2, 3], [9.0, 8.0, 7.0, 6.0]), ([0, 2], [1.0, 3.0]), ([0, 1, 2], [2.0, 2.0, 2.0])])
    assert x.tolist() == [0, 1, 2]
    assert y.tolist() == [2.0, 5.0, 3.0]


def test_a_verdict_that_is_open_says_why():
    told = Verdict("G", "a < b", "1", why="b is not there").as_dict()
    assert (told["pass"], told["why"]) == (None, "b is not there")
