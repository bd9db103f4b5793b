"""Which commands take packs of ``calibrate``: those that watch, and no others."""

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from typer.main import get_command
from typer.testing import CliRunner

from platonic_ase.cli import app
from platonic_ase.errors import PlatonicError

runner = CliRunner()
WATCH = {"md", "relax", "phonon", "forecast", "replay"}
"""In this process; ``screen`` hands the folder to its workers."""


def test_commands_that_watch_take_a_calibration_and_no_others():
    # compare, embed and audit look at models without thresholds or risks: packs have no part there
    commands = get_command(app).commands
    taking = {
        name
        for name, command in commands.items()
        if any("--calibration" in option.opts for option in command.params)
    }
    assert taking == WATCH | {"screen"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platonic_ase.models.load_calculator", lambda name, device=None: EMT())
    bulk("Cu", "fcc", a=3.6).write("Cu.cif")
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize("command", sorted(WATCH))
def test_a_calibration_is_opened_by_each(command, folder, mock_space):
    done = runner.invoke(
        app, [command, "Cu.cif", "--anchors", str(mock_space[0]), "--reference", "none",
              "--calibration", "empty", "--quiet"]
    )  # fmt: skip
    assert isinstance(done.exception, PlatonicError), done.output
    assert "empty" in str(done.exception)
    assert "calibrate" in str(done.exception)


def test_a_screening_hands_its_calibration_on(folder, mock_space):
    done = runner.invoke(
        app, ["screen", "Cu.cif", "-o", "out", "--workers", "0", "--anchors", str(mock_space[0]),
              "--reference", "none", "--calibration", "empty", "--quiet"]
    )  # fmt: skip
    said = f"{done.output} {done.exception}"
    said += "".join(path.read_text() for path in folder.glob("out/*.jsonl"))
    assert done.exit_code == 1 or '"error"' in said, said
    assert str(folder / "empty") in said
