"""Who may import whom, and what `import spikesim` must not load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTICULAR = ("spikesim.models", "spikesim.protocols")
#: Modules of spikesim/ that may look at particular models: `jit` reads their sources to name its cache.
OUTWARD = {"demo.py": PARTICULAR, "jit.py": ("spikesim.models",)}


def imported(path):
    """The modules that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(module, packages):
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [("spikesim", PARTICULAR), ("models", ("spikesim.protocols",)), ("data", PARTICULAR)],
)
def test_the_arrow(folder, forbidden):
    for path in (ROOT / folder).rglob("*.py"):
        allowed = OUTWARD.get(path.name, ()) if folder == "spikesim" else ()
        wrong = [m for m in imported(path) if within(m, forbidden) and not within(m, allowed)]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_models_are_imported_by_their_full_name():
    for folder in ("spikesim", "models", "protocols", "data", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            wrong = [m for m in imported(path) if within(m, ("models", "protocols", "data"))]
            assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


@pytest.mark.parametrize("statement", ["import spikesim", "import spikesim.cli"])
def test_import_is_light(statement):
    heavy = ("numba", "llvmlite", "scipy", "matplotlib", "h5py", "tqdm", "spikesim.models")
    code = f"{statement}\nimport sys\nprint([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there():
    import spikesim

    for name in spikesim.__all__:
        assert getattr(spikesim, name) is not None
    assert set(spikesim.__all__) <= set(dir(spikesim))
    with pytest.raises(AttributeError, match="Netwrok"):
        spikesim.Netwrok  # noqa: B018
