import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = EXAMPLES / "notebooks"
OWN_ENVIRONMENT = {"mace_md.py", "orb_relax.py"}  # run by the back-end tests
FIGURES = {"maps", "similarity", "transport", "plan", "analogies", "retrieval", "bias"}


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_example_runs(path, tmp_path):
    if path.name in OWN_ENVIRONMENT:
        pytest.skip("runs with its back-end")
    if "chgnet" in path.read_text():
        pytest.importorskip("chgnet")
    if "7net" in path.read_text():
        pytest.importorskip("sevenn")
    if "ovito" in path.read_text():
        pytest.importorskip("ovito", reason="pip install ovito")
    done = subprocess.run(
        [sys.executable, path], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "MPLBACKEND": "agg"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip()
    if path.name == "paper_figures.py":
        for suffix in ("pdf", "svg", "png"):
            drawn = tmp_path.glob(f"figures/*.{suffix}")
            assert {figure.stem for figure in drawn if figure.stat().st_size > 5000} == FIGURES


def test_own_model_example_teaches_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path(str(EXAMPLES / "own_model.py"))
    assert names["atoms"].calc.platonic.shape == (4, 20)
    assert (tmp_path / "toy.anchors.safetensors").exists()


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_its_script_executed(path):
    jupytext = pytest.importorskip("jupytext")
    assert path.stat().st_size < 500_000
    script = jupytext.read(EXAMPLES / f"{path.stem}.py")
    notebook = jupytext.read(path)
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        (cell.cell_type, cell.source) for cell in script.cells
    ], f"out of date: python examples/notebooks/build.py {path.stem}"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in code]
    assert counts == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not any(output.output_type == "error" for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert "text/html" not in json.dumps(outputs)  # no page of megabytes inside
    assert not re.search(r"/(home|root|tmp|work)/", json.dumps(outputs))


def test_the_gallery_shows_every_example_and_every_picture():
    gallery = (EXAMPLES / "README.md").read_text()
    for script in EXAMPLES.glob("*.py"):
        assert f"({script.name})" in gallery
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        assert f"](notebooks/{notebook.stem}.png)](notebooks/{notebook.name})" in gallery
    for shown in re.findall(r"\]\(([\w/.]+)\)", gallery):
        assert (EXAMPLES / shown).is_file(), shown
    files = [path for path in NOTEBOOKS.iterdir() if path.suffix in (".ipynb", ".png")]
    assert sum(path.stat().st_size for path in files) < 3_000_000
