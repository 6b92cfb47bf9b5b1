"""What the documents say is so: their examples are executed here."""

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from spikesim.cli import main
from spikesim.registry import discover, find

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
#: What makes an example short enough for a test.
SHORTER = {"--time": "20", "hidden": "20", "train_images": "3", "test_images": "2"}


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text(name), re.MULTILINE | re.DOTALL)


def commands(name):
    """The words of every `spikesim ...` line in a document."""
    lines = (line for block in blocks(name, "sh") for line in block.splitlines())
    return [shlex.split(line)[1:] for line in lines if line.startswith("spikesim ")]


def shorter(words):
    """The same command on a smaller network, or for a shorter time."""
    out = []
    for before, word in zip(["", *words], words, strict=False):
        key, equals, _ = word.partition("=")
        if before in SHORTER:
            word = word if before != "--time" else "30" if words[0] == "resume" else SHORTER[before]
        elif equals and key in SHORTER:
            word = f"{key}={SHORTER[key]}"
        elif before == "--split":
            word = "10"
        out.append(word)
    if words[0] == "run" and "brunel_2000" in words:
        small = find("network", "brunel_2000").small
        out += [word for key, value in small.items() for word in ("--set", f"{key}={value}")]
    return out


def test_readme_opens_with_the_two_commands():
    first, second, *_ = blocks("README.md", "sh")
    assert first.strip().endswith("spikesim demo")
    assert second.strip().endswith("bin/pytest")
    for block in (first, second):
        assert block.count("\n") == 1
        assert block.startswith("python3 -m venv .venv && .venv/bin/pip install ")


def test_readme_python_runs_as_it_stands(tmp_path):
    (example,) = blocks("README.md", "python")
    done = subprocess.run(
        [sys.executable, "-c", example], capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "spikes, the first at" in done.stdout
    assert (tmp_path / "run.h5").is_file()
    example, _ = blocks("docs/files.md", "python")  # which reads that file
    done = subprocess.run(
        [sys.executable, "-c", example], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("7 200.0 ")


def test_the_example_of_a_checkpoint_runs(tmp_path):
    _, example = blocks("docs/files.md", "python")
    example += "\nprint(net.time, ss.read_spikes('spikes.h5').duration_ms)"
    done = subprocess.run(
        [sys.executable, "-c", example], capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "300.0 300.0\n"


def test_the_example_of_a_network_that_learns_runs(tmp_path):
    example = "\n".join(blocks("docs/learning.md", "python"))
    done = subprocess.run(
        [sys.executable, "-c", example], capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(15, 10) 3000.0")


def test_the_example_of_trials_runs(tmp_path):
    (example,) = blocks("docs/training.md", "python")
    example += "\nprint(net.time)"
    done = subprocess.run(
        [sys.executable, "-c", example], capture_output=True, text=True, cwd=tmp_path, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    mean, time = map(float, done.stdout.split())
    assert time == 600.0
    # In the mean V_b = 20 * 0.1 spikes/ms * 1 (the potential's area) - 2, and V = g_b/(g_b + g_L) V_b. Ten cells share
    # the spikes: 70 ms of Poisson input with 140 spikes have an s.d. of about a twelfth.
    assert abs(mean) < 0.5


@pytest.mark.parametrize("name", ["README.md", "docs/command-line.md"])
def test_commands_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in commands(name):
        result = CliRunner().invoke(main, shorter(words))
        assert result.exit_code == 0, f"{' '.join(words)}: {result.stderr}"


def test_every_command_and_option_is_documented():
    page = text("docs/command-line.md")
    headings = re.findall(r"^## spikesim (\w+)$", page, re.MULTILINE)
    assert sorted(headings) == sorted(main.commands)
    for name, command in main.commands.items():
        for option in (o for p in command.params for o in p.opts if o.startswith("--")):
            assert f"`{option}" in page or f" {option} " in page, f"spikesim {name} {option}"


def test_contributing_examples_work(tmp_path, monkeypatch):
    """Each is a complete file; each is used as a first-time reader would."""
    monkeypatch.chdir(tmp_path)
    examples = {}
    for block in blocks("CONTRIBUTING.md", "python"):
        place = re.match(r"# (\S+\.py)\n", block)
        assert place
        path = tmp_path / place.group(1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block, encoding="utf-8")
        (name,) = re.findall(r"^class (\w+)", block, re.MULTILINE)
        examples[path.parent.name] = f"{place.group(1)}:{name}"
    assert set(examples) == {"plasticity", "neurons", "protocols", "networks"}
    tried = re.findall(r"Try it: `spikesim (.*)`", text("CONTRIBUTING.md"))
    assert len(tried) == 4
    for words in map(shlex.split, tried):
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, f"{' '.join(words)}: {result.stderr}{result.exception}"
    _run_neuron(find("neuron", examples["neurons"]))


def _run_neuron(kind):
    """The integrator without a leak reaches threshold when arithmetic says so."""
    from spikesim import Network

    net = Network(dt=0.1, seed=1)
    spikes = net.record(net.add(kind(I_e=2500.0), 2), "spikes")  # 1 mV in a step
    with net:
        net.run(4.0)
    assert spikes.steps.tolist() == [15, 15, 30, 30]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_pynn_table_is_that_of_the_code():
    from spikesim.aliases import PYNN

    page = text("docs/units-and-names.md")
    assert all(f"`{name}`" in page and f"`{ours}`" in page for name, (ours, _) in PYNN.items())


def test_no_personal_path_in_the_documents():
    home = os.path.expanduser("~")
    assert not any(home in path.read_text(encoding="utf-8") for path in DOCUMENTS if len(home) > 5)


def _script(name):
    """A script of benchmarks/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readme_quotes_the_result_files():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert _script("readme_results").block() in readme


def test_readme_quotes_the_rule_table():
    script = _script("rule_table")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert script.BLOCK.search(readme)
    assert script.block() in readme


def test_rule_table_is_what_the_rules_say():
    """Published parameters, of the rules that are walked side by side; the others take long."""
    from spikesim.card_table import compare, rules_named
    from spikesim.side_by_side import known

    kept = json.loads((ROOT / "docs/results/rule_table.json").read_text(encoding="utf-8"))["published"]
    quick = {name: kind for name, kind in rules_named("all").items() if name in kept and known(kind())}
    assert {"PairSTDP", "TripletSTDP"} <= quick.keys()
    found = compare(quick)["published"]
    for rule in quick:
        for name, best in kept[rule].items():
            assert found[rule][name]["preset"] == best["preset"], (rule, name)
            assert found[rule][name]["error"] == pytest.approx(best["error"], rel=1e-6), (rule, name)


def test_every_rule_is_in_the_rule_table():
    kept = json.loads((ROOT / "docs/results/rule_table.json").read_text(encoding="utf-8"))
    rules = discover("rule")
    assert kept["published"].keys() | kept["not_walked"].keys() == rules.keys()
    assert not kept["published"].keys() & kept["not_walked"].keys()
    assert kept["refitted"].keys() | kept["not_refitted"].keys() == kept["published"].keys()
    assert {name for name in kept["published"] if rules[name].signals} <= kept["not_refitted"].keys()


def test_protocols_page_works_as_it_stands(capsys):
    (example,) = blocks("docs/protocols.md", "python")
    exec(example, {})
    errors = json.loads(capsys.readouterr().out)
    assert len(errors) == 3
    assert min(errors) == errors[1] < 0.4


def test_protocols_page_lists_every_protocol():
    from spikesim.registry import discover

    listed = re.findall(r"^\| `(\w+)` \|", text("docs/protocols.md"), re.MULTILINE)
    assert sorted(listed) == sorted(discover("protocol"))


def test_protocol_errors_are_what_the_file_says():
    kept = json.loads((ROOT / "docs/results/protocol_errors.json").read_text(encoding="utf-8"))["errors"]
    found = _script("protocol_errors").errors()
    assert found.keys() == kept.keys()
    for name, errors in found.items():
        assert errors == pytest.approx(kept[name], rel=1e-9)
