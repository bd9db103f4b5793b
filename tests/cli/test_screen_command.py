import json

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import read, write
from typer.testing import CliRunner

from platonic_ase.cli import app

runner = CliRunner()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platonic_ase.models.load_calculator", lambda name, device=None: EMT())
    frames = [bulk("Cu", a=3.5 + 0.05 * k, cubic=True) for k in range(5)]
    for k, atoms in enumerate(frames):
        atoms.rattle(0.02, seed=k)
    write("a.xyz", frames)
    return tmp_path


def screen(*options):
    return runner.invoke(
        app, ["screen", "a.xyz", "-o", "out", "--workers", "0", "--reference", "none",
              "--quiet", *options]
    )  # fmt: skip


def test_a_screening_leaves_rows_a_page_and_a_selection(folder, mock_space):
    anchors = str(mock_space[0])
    options = ("--anchors", anchors, "--task", "relax", "--steps", "3", "--top", "2", "--database")
    done = screen(*options)
    assert done.exit_code == 0, done.output
    assert "5 structures computed, 0 failed; finished" in done.output
    assert "of 5 structures raised a warning.\nLook first at, by " in done.output
    rows = [json.loads(line) for line in (folder / "out" / "rows.jsonl").open()]
    assert [row["steps"] for row in rows] == [3] * 5
    assert len(read(folder / "out" / "top.xyz", ":")) == 2
    assert (folder / "out" / "summary.html").exists()
    assert (folder / "out" / "rows.db").exists()
    again = screen(*options)
    assert "0 structures computed, 5 were there" in again.output


def test_options_of_another_task_are_refused(folder, mock_space):
    done = screen("--anchors", str(mock_space[0]), "--task", "md", "--fmax", "0.1")
    assert done.exit_code == 1
    assert "'md' has no option fmax; it takes temperature" in str(done.exception)
