import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
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
