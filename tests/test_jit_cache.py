"""Compiled code comes back from disk in another process, and is made anew when its sources have changed."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys

import numba
import pytest
from numba import njit

import spikesim.models
from spikesim.jit import cache_for, hook, prune, source_digest
from spikesim.rng import Stream

PLUGIN = """
SCALE = 2.0
class Plugin:
    @staticmethod
    def f(x):
        return SCALE * x + 1.0
"""

# Run in a process of its own: a kernel over the plug-in's function, and one of the simulator's own.
SCRIPT = """
import json
import spikesim.models
from numba import njit
from plugin import Plugin
from spikesim.jit import cache_for, hook
from spikesim.rng import Stream, _filler, _uniform52

def kernel(plugin):
    f = hook(plugin.f)
    with cache_for(plugin) as cache:
        @njit(cache=cache)
        def run(x):
            return f(x)
    return run

run = kernel(Plugin)
print(json.dumps({
    "simulator": spikesim.__file__,
    "result": run(3.0),
    "from disk": sum(run.stats.cache_hits.values()),
    "number": float(Stream(1, "task").uniform(1)[0]),
    "number from disk": sum(_filler(_uniform52).stats.cache_hits.values()),
}))
"""


def compiled_files(home):
    return set(home.rglob("*.nbc"))


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def copy_of_the_simulator(to):
    """In the layout of a wheel. A copy, so that it may be edited and nobody else edits it."""
    no_compiled = shutil.ignore_patterns("__pycache__")
    shutil.copytree(os.path.dirname(spikesim.__file__), to, ignore=no_compiled, dirs_exist_ok=True)
    shutil.copytree(spikesim.models.__path__[0], to / "models", ignore=no_compiled, dirs_exist_ok=True)
    (to / "protocols").mkdir(exist_ok=True)


def test_across_processes(tmp_path):
    """Cold; warm; with the plug-in edited, and edited back; with the simulator edited."""
    plugin, script, home = tmp_path / "plugin.py", tmp_path / "script.py", tmp_path / "cache"
    script.write_text(SCRIPT)
    plugin.write_text(PLUGIN)
    simulator = tmp_path / "spikesim"
    copy_of_the_simulator(simulator)

    def run():
        env = {
            **os.environ,
            "SPIKESIM_CACHE": str(home),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(tmp_path),
        }
        command = [sys.executable, str(script)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=True)
        got = json.loads(done.stdout)
        assert got["simulator"] == str(simulator / "__init__.py")
        assert got["number"] == Stream(1, "task").uniform(1)[0]
        return got["result"], got["from disk"], got["number from disk"], len(compiled_files(home))

    assert run() == (7.0, 0, 0, 2)
    (simulator / "protocols" / "song_2000.py").write_text("# of protocols nothing is compiled")
    assert run() == (7.0, 1, 1, 2)
    plugin.write_text(PLUGIN.replace("SCALE = 2.0", "SCALE = 5.0"))
    assert run() == (16.0, 0, 1, 3)
    plugin.write_text(PLUGIN)
    assert run() == (7.0, 1, 1, 3)
    with (simulator / "errors.py").open("a") as source:
        source.write("# edited")
    assert run() == (7.0, 0, 0, 5)


def folder_of(*plugins):
    with cache_for(*plugins) as cache:
        assert cache is True
        return numba.config.CACHE_DIR


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKESIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_file_edited_after_its_import_is_not_what_was_imported(tmp_path, home):
    """Old functions in memory and a new file on disk: neither the old folder nor that of the new file."""
    path = tmp_path / "edited_plugin.py"
    path.write_text(PLUGIN)
    old = load(path, "edited_plugin").Plugin
    before = folder_of(old)
    path.write_text(PLUGIN.replace("+ 1.0", "+ 3.0"))
    between = folder_of(old)
    after = folder_of(load(path, "edited_plugin").Plugin)
    assert len({before, between, after}) == 3


def test_plugins_of_the_same_file_inherit_and_differ(tmp_path, home):
    base = tmp_path / "base_plugin.py"
    base.write_text(PLUGIN)
    load(base, "base_plugin")
    child = tmp_path / "child_plugin.py"
    child.write_text("from base_plugin import Plugin\nclass Child(Plugin): pass\n")
    before = folder_of(load(child, "child_plugin").Child)
    base.write_text(PLUGIN.replace("2.0", "4.0"))
    load(base, "base_plugin")
    assert folder_of(load(child, "child_plugin").Child) != before


def test_setting_is_put_back_even_after_an_error(home):
    before = numba.config.CACHE_DIR

    def decorate():
        with cache_for():
            assert str(home) in numba.config.CACHE_DIR
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        decorate()
    assert before == numba.config.CACHE_DIR


def test_no_cache_for_what_was_typed_at_a_prompt(home):
    space = {"__name__": "typed_at_a_prompt"}
    exec("class Typed:\n    @staticmethod\n    def f(x): return x + 1", space)
    before = numba.config.CACHE_DIR
    with cache_for(space["Typed"]) as cache:
        assert cache is False
        assert before == numba.config.CACHE_DIR
        f = hook(space["Typed"].f)
        assert njit(lambda x: f(x), cache=cache)(1) == 2
    assert not compiled_files(home)


def test_folder_that_cannot_be_written_is_no_failure(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("SPIKESIM_CACHE", str(tmp_path / "file" / "cache"))
    with cache_for() as cache:
        assert cache is False
        assert njit(lambda x: x + 1, cache=cache)(1) == 2


def test_default_folder_is_in_the_home(tmp_path, monkeypatch):
    monkeypatch.delenv("SPIKESIM_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder_of().startswith(str(tmp_path / ".cache" / "spikesim"))


def test_prune_keeps_the_last_used_and_what_is_not_its_own(tmp_path):
    for age in range(6):
        folder = tmp_path / f"{age:016x}"
        (folder / "inside").mkdir(parents=True)
        os.utime(folder, (1e9 - age, 1e9 - age))
    (tmp_path / "results").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    prune(tmp_path, keep=4)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [f"{age:016x}" for age in range(4)] + ["notes.txt", "results"]


def test_old_states_of_the_sources_are_pruned(home):
    for age in range(9):
        (home / f"{age:016x}").mkdir(parents=True)
        os.utime(home / f"{age:016x}", (1e9 - age, 1e9 - age))
    newest = folder_of()
    assert sorted(path.name for path in home.iterdir()) == sorted([source_digest(), *(f"{i:016x}" for i in range(3))])
    assert os.path.isdir(newest)


def test_digest(tmp_path):
    extra = tmp_path / "a.py"
    extra.write_text("1")
    one = source_digest(extra)
    assert one == source_digest(str(extra))
    assert one != source_digest()
    extra.write_text("2")
    assert source_digest(extra) != one
    with pytest.raises(FileNotFoundError):
        source_digest(tmp_path / "missing.py")


def test_hook_twice_is_once():
    def f(x):
        return x + 1

    assert hook(hook(f)) is f
    assert njit(lambda x: f(x))(1) == 2


def test_import_spikesim_does_not_import_numba():
    script = "import sys, spikesim, spikesim.connectors, spikesim.distributions; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
