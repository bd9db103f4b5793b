import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write
from screening import LARGE, make, make_batched, make_waiting

from platonic_ase import find_encoder
from platonic_ase.errors import ScreenError
from platonic_ase.screen import screen
from platonic_ase.screen import store as store_module
from platonic_ase.screen.store import RowStore, latest_rows
from platonic_ase.testing import small_space


def run(structures, output, space, calculator="screening:make", **options):
    calculator = make if calculator == "screening:make" else calculator
    return screen(structures, calculator, output=output, progress=False, **space, **options)


def test_energy_and_forces_are_those_of_the_bare_calculator(crystals, tmp_path, space):
    run(crystals, tmp_path, space)
    for atoms, row in zip(crystals, latest_rows(tmp_path), strict=True):
        atoms.calc = make()
        assert row["energy"] == atoms.get_potential_energy()
        assert row["largest_force"] == np.linalg.norm(atoms.get_forces(), axis=1).max()
        assert row["structure"]["positions"] == atoms.positions.tolist()
        assert row["ended"] == "finished"
        assert row["worst"]["extrapolation_score"] > 0
        assert row["not_covered"] == ["forces: uncalibrated"]


def test_each_row_is_that_of_the_structure_alone(crystals, tmp_path, space, rows):
    options = {"task": "relax", "options": {"steps": 4, "fmax": 1e-6}}
    run(crystals, tmp_path / "together", space, **options)
    for index in (0, 4, 6):
        run([crystals[index]], tmp_path / str(index), space, **options)
        (alone,) = rows(tmp_path / str(index))
        together = rows(tmp_path / "together")[index]
        assert {**together, "id": 0, "name": "#0"} == alone
        assert alone["steps"] == (0 if alone["n_atoms"] == 1 else 4)


def test_what_cannot_be_computed_is_listed_and_the_rest_goes_on(tmp_path, space):
    flat = Atoms("Cu", cell=[3, 3, 0], pbc=True)
    nowhere = bulk("Cu")
    nowhere.positions[0] = np.nan
    result = run([bulk("Cu"), flat, nowhere, Atoms(), bulk("Cu", a=3.8)], tmp_path, space)
    assert (result.computed, result.failed, result.ended) == (4, 3, "finished")
    errors = [row["error"] for row in latest_rows(tmp_path)]
    assert [error is None for error in errors] == [True, False, False, False, True]
    assert "volume" in errors[1]
    assert "holds no atoms" in errors[3]
    again = run([bulk("Cu"), flat, nowhere, Atoms(), bulk("Cu", a=3.8)], tmp_path, space)
    assert (again.computed, again.kept) == (0, 5)


def test_batches_give_the_rows_of_each_structure_alone(
    crystals, tmp_path, space, rows, monkeypatch
):
    """The mock gives the same bits in a batch; a batch that fails goes one by one."""
    monkeypatch.setenv("SIZES", str(tmp_path / "sizes"))
    mixed = [*crystals[:5], bulk("Ag", a=4.1), bulk("Cu", a=0.2), *crystals[5:]]
    run(mixed, tmp_path / "one", space, make_batched)
    assert not (tmp_path / "sizes").exists()
    result = run(mixed, tmp_path / "many", space, make_batched, batch=6)
    assert (result.computed, result.failed) == (9, 1)
    assert (tmp_path / "sizes").read_text() == "3 2 "  # and 4, with what cannot be computed
    assert rows(tmp_path / "many") == rows(tmp_path / "one")
    with pytest.raises(ScreenError, match=r"batch None then, 6 now"):
        run(mixed, tmp_path / "one", space, make_batched, batch=6)
    with pytest.raises(ScreenError, match=r"batch = 6 with task = 'relax'"):
        run(mixed, tmp_path / "x", space, make_batched, batch=6, task="relax")


def test_a_model_without_batches_goes_one_by_one(crystals, tmp_path, space, rows):
    run(crystals, tmp_path / "one", space)
    run(crystals, tmp_path / "many", space, batch=64)
    assert rows(tmp_path / "many") == rows(tmp_path / "one")


@pytest.mark.slow
def test_batches_of_chgnet_are_the_structures_to_rounding(crystals, tmp_path, chgnet):
    options = {"output": tmp_path / "one", "progress": False, "reference": None}
    options["anchors"] = str(
        small_space(find_encoder(chgnet), crystals)[0].save(tmp_path / "a.safetensors")
    )
    screen(crystals, chgnet, **options)
    screen(crystals, chgnet, **{**options, "output": tmp_path / "many"}, batch=64)
    for one, many in zip(
        latest_rows(tmp_path / "one"), latest_rows(tmp_path / "many"), strict=True
    ):
        assert many["error"] is None
        assert one["worst"].keys() == many["worst"].keys()
        assert many["energy"] == pytest.approx(one["energy"], abs=1e-4)
        assert many["largest_force"] == pytest.approx(one["largest_force"], abs=1e-4)
        assert np.allclose(many["platonic"], one["platonic"], atol=1e-4)


def test_an_interrupted_screening_goes_on(crystals, tmp_path, space, rows, monkeypatch):
    run(crystals, tmp_path / "whole", space)
    add, calls = RowStore.add, []

    def interrupt(self, row):
        calls.append(row)
        if len(calls) == 4:
            raise KeyboardInterrupt
        add(self, row)

    monkeypatch.setattr(RowStore, "add", interrupt)
    first = run(crystals, tmp_path / "parts", space)
    assert (first.computed, first.ended) == (3, "interrupted")
    with (tmp_path / "parts" / "rows.jsonl").open("a") as file:
        file.write('{"id": 3, "na')  # what a kill leaves
    second = run(crystals, tmp_path / "parts", space)
    assert (second.computed, second.kept, second.ended) == (4, 3, "finished")
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


def test_runs_of_the_worst_are_kept_also_over_two_calls(crystals, tmp_path, space, rows):
    options = {"task": "relax", "options": {"steps": 2, "fmax": 1e-6}}
    options |= {"keep": "worst:3", "by": "largest_force"}
    run(crystals[:4], tmp_path, space, **options)
    assert len(kept_ids(tmp_path)) == 3
    run([*crystals, bulk("Cu", a=0.2)], tmp_path, space, **options)
    worst = sorted(rows(tmp_path)[:7], key=lambda row: -row["largest_force"])[:3]
    assert kept_ids(tmp_path) == {row["id"] for row in worst}
    assert len(list((tmp_path / "runs").glob("*.traj"))) == 3
    run(crystals, tmp_path / "all", space, keep="all")
    assert kept_ids(tmp_path / "all") == set(range(7))
    with pytest.raises(ScreenError, match=r"keep = 'best'; 'all', or 'worst:50'"):
        run(crystals, tmp_path, space, keep="best")


def kept_ids(folder):
    return {int(path.name[:7]) for path in (folder / "runs").glob("*.jsonl")}


def test_a_structure_that_has_changed_is_computed_again(crystals, tmp_path, space):
    run(crystals, tmp_path, space)
    crystals[2].rattle(0.01, seed=9)
    result = run(crystals, tmp_path, space)
    assert (result.computed, result.kept) == (1, 6)
    row = latest_rows(tmp_path)[2]
    assert row["structure"]["positions"] == crystals[2].positions.tolist()


def test_other_settings_are_refused_with_both_values(crystals, tmp_path, space):
    run(crystals, tmp_path, space)
    with pytest.raises(ScreenError, match=r"task 'singlepoint' then, 'relax' now"):
        run(crystals, tmp_path, space, task="relax")
    with pytest.raises(ScreenError, match=r"fingerprint '\w+' then, '\w+' now"):
        screen(crystals, make(1), output=tmp_path, progress=False)


def test_two_clients_on_one_output_refuse(crystals, tmp_path, space):
    with RowStore(tmp_path), pytest.raises(ScreenError, match=f"written by process {os.getpid()}"):
        run(crystals, tmp_path, space)


def test_a_full_disk_is_told_and_nothing_is_lost(crystals, tmp_path, space, monkeypatch):
    run(crystals[:3], tmp_path, space)
    whole = (tmp_path / "rows.jsonl").read_bytes()
    opened = Path.open

    class Full:
        def __init__(self, file):
            self.file = file

        def write(self, data):
            self.file.write(data[:10])
            raise OSError(28, "No space left on device")

        def close(self):
            self.file.close()

    def full(path, mode="r", *args, **kwargs):
        file = opened(path, mode, *args, **kwargs)
        return Full(file) if mode == "ab" else file

    monkeypatch.setattr(store_module.Path, "open", full)
    with pytest.raises(ScreenError, match=r"No space left on device.*same command"):
        run(crystals, tmp_path, space)
    assert (tmp_path / "rows.jsonl").read_bytes() == whole


def test_options_that_a_task_does_not_take_are_refused(crystals, tmp_path, space):
    with pytest.raises(ScreenError, match="'relax' has no option temperature; it takes fmax"):
        run(crystals, tmp_path, space, task="relax", options={"temperature": 3})
    with pytest.raises(ScreenError, match="'singlepoint' has no option fmax; it takes none"):
        run(crystals, tmp_path, space, options={"fmax": 3})
    with pytest.raises(ScreenError, match="one of singlepoint, relax"):
        run(crystals, tmp_path, space, task="dance")


@pytest.mark.parametrize(
    ("task", "options", "expected"),
    [
        ("md", {"steps": 3}, "steps"),
        ("audit", {}, "found"),
        ("phonon", {"supercell": (2, 2, 2), "mesh": (3, 3, 3), "relax": False}, "found"),
        ("forecast", {"supercell": (2, 2, 2), "relax": False}, "found"),
    ],
)
def test_every_task_leaves_a_row(task, options, expected, tmp_path, space):
    result = run([bulk("Cu", a=3.55, cubic=True)], tmp_path, space, task=task, options=options)
    (row,) = latest_rows(tmp_path)
    assert row["error"] is None, row["error"]
    assert result.failed == 0
    assert row[expected]
    assert json.loads(json.dumps(row, allow_nan=False)) == row


CLIENT = """
import signal, sys
from screening import make_waiting
from platonic_ase.screen import screen
from platonic_ase.runs.placement import Placement
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    result = screen(sys.argv[1], make_waiting, output=sys.argv[2], anchors=sys.argv[3],
                    reference=sys.argv[4], placement=Placement(workers=int(sys.argv[5])),
                    task="md", options={"steps": 10}, progress=False)
    sys.exit(130 if result.ended == "interrupted" else 0)
"""


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_client_goes_on_by_the_same_command(
    how, workers, tmp_path, space, rows, monkeypatch
):
    """Ctrl-C reaches the workers too, as in a terminal; a kill takes the client alone."""
    if workers:
        pytest.importorskip("distributed", reason="pip install 'platonic_ase[screen]'")
    frames = [bulk("Cu", a=3.5 + 0.01 * index) for index in range(8)]
    frames.append(bulk("Cu", a=4.0))
    assert [atoms.get_volume() > LARGE for atoms in frames] == [False] * 8 + [True]
    write(tmp_path / "a.xyz", frames)
    hold = tmp_path / "hold"
    hold.touch()
    monkeypatch.setenv("HOLD", str(hold))
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    script = tmp_path / "client.py"  # workers import it anew
    script.write_text(CLIENT)
    command = [sys.executable, script, tmp_path / "a.xyz", tmp_path / "out"]
    command += [space["anchors"], space["reference"], str(workers)]
    client = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, start_new_session=True
    )
    file = tmp_path / "out" / "rows.jsonl"
    try:
        while client.poll() is None and not (file.exists() and file.stat().st_size):
            time.sleep(0.01)
        if how == signal.SIGINT:
            os.killpg(client.pid, how)
        else:
            client.kill()
        assert client.wait(300) == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    finally:
        hold.unlink()  # lets workers end that nobody waits for
    left = len(latest_rows(tmp_path / "out"))
    assert 0 < left < len(frames)
    options = {"task": "md", "options": {"steps": 10}}
    result = run(tmp_path / "a.xyz", tmp_path / "out", space, make_waiting, **options)
    assert (result.kept, result.computed) == (left, len(frames) - left)
    run(tmp_path / "a.xyz", tmp_path / "whole", space, make_waiting, **options)
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")
