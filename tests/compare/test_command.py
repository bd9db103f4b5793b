import pytest
from ase.calculators.emt import EMT
from ase.io import write
from typer.testing import CliRunner

from platonic_ase.cli import app
from platonic_ase.errors import ComparisonError
from platonic_ase.testing import MockCalculator

runner = CliRunner()
FAST = ["-k", "3", "--resamples", "0", "--transport-atoms", "30", "--quiet"]


@pytest.fixture
def folder(cells, few_anchors, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "platonic_ase.models.load_calculator",
        lambda name, device=None: MockCalculator(seed={"a": 1, "b": 2, "c": 3}[name]),
    )
    write("cells.xyz", cells)
    return tmp_path


def test_compare_writes_what_it_says(folder):
    done = runner.invoke(
        app, ["compare", "cells.xyz", "--calculators", "a", "b", "a*random", "--report", "r.html",
              "--json", "t.json", *FAST]
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    for name in ("r.html", "t.json"):
        assert name in done.output
        assert (folder / name).stat().st_size > 0
    assert "a and b share " in done.output  # the model with shuffled weights does not count
    assert "Most disputed: structure " in done.output
    names = sorted(path.name for path in (folder / "cells-compare").iterdir())
    assert names == [f"{m}.embeddings.safetensors" for m in ("a-random", "a", "b")]


def test_a_model_without_weights_cannot_be_shuffled(folder, monkeypatch):
    monkeypatch.setattr("platonic_ase.models.load_calculator", lambda name, device=None: EMT())
    done = runner.invoke(app, ["compare", "cells.xyz", "-c", "a", "-c", "a*random", *FAST])
    assert isinstance(done.exception, ComparisonError), done.output
    assert "no weights that can be shuffled" in str(done.exception)


def test_files_made_elsewhere_are_compared(folder):
    for name in ("a", "b"):
        done = runner.invoke(
            app, ["compare", "cells.xyz", "-c", name, "--folder", f"of-{name}", "--embed-only",
                  "--quiet"]
        )  # fmt: skip
        assert done.exit_code == 0, done.output
    files = [f"of-{name}/{name}.embeddings.safetensors" for name in ("a", "b")]
    done = runner.invoke(app, ["compare", "cells.xyz", "--embeddings", *files, *FAST])
    assert done.exit_code == 0, done.output
    assert "cells-compare.html" in done.output
    assert "a and b share " in done.output


def test_one_model_is_too_few(folder):
    done = runner.invoke(app, ["compare", "cells.xyz", "-c", "a", *FAST])
    assert done.exit_code != 0
    assert "at least 2 models" in str(done.exception)
