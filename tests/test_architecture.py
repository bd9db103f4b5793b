"""Layers import one way, importing the package is cheap, and nothing unpickles."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import platonic_ase

PACKAGE = Path(platonic_ase.__file__).parent
LAYERS = (
    ("_version", "errors"),
    ("outputs", "unusual", "structures", "doctor"),
    ("space", "crystals"),
    ("models",),
    ("monitor",),
    ("report",),
    ("phonons",),
    ("stability",),
    ("session", "defaults"),
    ("watching",),
    ("calculator",),
    ("runs", "factory"),
    ("audit", "calibrate", "compare"),
    ("screen", "integrations"),
    ("testing",),
    ("cli", "__main__"),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))


def module_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def for_annotations(tree):
    """Statements under ``if TYPE_CHECKING:``, which nothing runs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from ast.walk(node)


def imported(path):
    """Layers of the package that a file imports, also inside functions.

    Annotations alone may name PlatonicCalculator from below: functions are handed one.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    annotations = set(for_annotations(tree))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node in annotations and node.module == "platonic_ase.calculator":
                continue
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "platonic_ase" and len(parts) > 1:
                yield parts[1]


LONGEST = 350
"""Lines of a file, about one idea each."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_downwards(path):
    own = module_of(path)
    if own == "__init__":
        return
    assert own in RANK, f"{own} belongs to no layer"
    for other in imported(path):
        if other in ("__version__",):
            continue
        assert other in RANK, f"{path.name} imports platonic_ase.{other}, which is no layer"
        assert RANK[other] <= RANK[own], f"{own} imports {other}, a layer above it"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_unpickles(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
            forbidden = {"pickle", "dill", "joblib", "cloudpickle", "shelve"}
            if path.name == "exchange.py" and path.parent.parent.name == "testing":
                continue  # the contract checks that wrapped calculators can be pickled
            assert not forbidden & {name.split(".")[0] for name in names}
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in {("torch", "load"), ("torch", "save")}
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            raise AssertionError(f"allow_pickle in {path}")


def test_importing_the_package_is_cheap():
    code = (
        "import json, sys, time; t = time.process_time(); import platonic_ase; "
        "modules = sorted({name.split('.')[0] for name in sys.modules}); "
        "print(json.dumps([time.process_time() - t, modules]))"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    seconds, modules = json.loads(run.stdout)
    heavy = {
        "torch", "chgnet", "sevenn", "mace", "orb_models", "mattersim", "matgl", "fairchem",
        "nequip", "pymatgen", "matplotlib", "sklearn", "phonopy", "ot", "pandas", "typer",
    }  # fmt: skip
    assert not heavy & set(modules)
    assert seconds < 1.5
    assert run.stdout.count("\n") == 1
    assert run.stderr == ""


def test_everything_public_exists():
    for name in platonic_ase.__all__:
        assert getattr(platonic_ase, name) is not None


def test_the_package_is_typed():
    assert (PACKAGE / "py.typed").is_file()
