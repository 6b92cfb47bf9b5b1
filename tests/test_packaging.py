"""The wheel holds what the tree holds."""

import configparser
import importlib.metadata
import os
from pathlib import Path

import pytest

import spikesim

ROOT = Path(__file__).parent.parent
HOMES = {
    "spikesim": "spikesim",
    "models": "spikesim.models",
    "protocols": "spikesim.protocols",
    "data": "spikesim.data",
}


@pytest.fixture(scope="module")
def setup():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_setup_cfg_lists_every_package(setup):
    found = {
        ".".join((name, *init.parent.relative_to(ROOT / folder).parts))
        for folder, name in HOMES.items()
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert found == set(setup["options"]["packages"].split())


def test_every_folder_with_code_is_a_package():
    for folder in HOMES:
        for path in (ROOT / folder).rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), path


def test_every_data_file_ships(setup):
    shipped = set()
    for package, patterns in setup["options.package_data"].items():
        home = next(ROOT / folder for folder, name in HOMES.items() if name == package)
        for pattern in patterns.replace(",", " ").split():
            matches = set(home.glob(pattern))
            assert matches, f"{package}: nothing is called {pattern}"
            shipped |= matches
    for folder in HOMES:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc"):
                assert path in shipped, f"{path.relative_to(ROOT)} is not in the wheel"


def test_version_and_commands():
    assert importlib.metadata.version("spikesim") == spikesim.__version__
    scripts = importlib.metadata.entry_points(group="console_scripts")
    assert {s.name: s.value for s in scripts}["spikesim"] == "spikesim.__main__:main"
    assert f"## [{spikesim.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_gate_can_be_run():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_folders_offer_their_classes():
    from spikesim.models.neurons import LIF, PoissonSource, SpikeSource
    from spikesim.models.plasticity import PairSTDP, TripletSTDP

    assert {c.__name__ for c in (LIF, PoissonSource, SpikeSource)} == {"LIF", "PoissonSource", "SpikeSource"}
    assert issubclass(TripletSTDP, type(PairSTDP()).__mro__[1])
    with pytest.raises(ImportError, match="LFI"):
        from spikesim.models.neurons import LFI  # noqa: F401
