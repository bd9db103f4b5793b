import gc
import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import read, write

from platonic_ase import PhysicalCompanions, PlatonicCalculator
from platonic_ase.errors import KeptAsideWarning, LogError, StructureError
from platonic_ase.monitor import Diagnostic, Finding, Signal
from platonic_ase.outputs import keep_previous
from platonic_ase.report.reader import read_log
from platonic_ase.report.report import write_report
from platonic_ase.runs.md import run_md
from platonic_ase.runs.relax import run_relaxation
from platonic_ase.runs.replay import read_frames, replay


class AlarmAt(Diagnostic):
    """Alarms from a given geometry on."""

    name = "alarm"

    def __init__(self, index):
        self.index = index

    def examine(self, frame, state):
        level = 2.0 if frame.index >= self.index else 0.0
        return Finding("alarm", signals=(Signal("alarm", level, level, 1.0, "", "m", "a"),))


class InterruptAt(EMT):
    """Presses Ctrl-C at a given evaluation."""

    def __init__(self, evaluation):
        super().__init__()
        self.left = evaluation

    def calculate(self, *args, **kwargs):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        super().calculate(*args, **kwargs)


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt"])
def test_md_equals_the_bare_run(ensemble, wrap, copper, tmp_path):
    bare, watched = copper.copy(), copper.copy()
    for atoms, calc in ((bare, EMT()), (watched, wrap(log=tmp_path / "run.jsonl"))):
        if atoms is bare:
            bare_run(atoms, calc, ensemble)
        else:
            result = run_md(
                atoms, calc, temperature=300, steps=12, ensemble=ensemble, seed=3, progress=False,
                trajectory=tmp_path / "run.traj", trajectory_interval=4,
                report=tmp_path / "run.html",
            )  # fmt: skip
    assert np.array_equal(bare.positions, watched.positions)
    assert np.array_equal(bare.get_momenta(), watched.get_momenta())
    assert result.ended == "finished"
    assert result.steps == 12
    assert set(result.files) == {"trajectory", "log", "report"}
    assert len(read(result.trajectory, ":")) == 4
    (run,) = read_log(result.log)
    assert len(run.geometries) == result.summary.diagnosed == 13
    assert [record["step"] for record in run.geometries] == list(range(13))


def bare_run(atoms, calc, ensemble):
    from ase import units
    from ase.md.velocitydistribution import Stationary, thermalize_momenta

    from platonic_ase.runs.md import _dynamics

    rng = np.random.default_rng(3)
    atoms.calc = calc
    thermalize_momenta(atoms, 300, rng=rng)
    Stationary(atoms)
    _dynamics(atoms, ensemble, 300, 2 * units.fs, 0.0, rng).run(12)


def test_unknown_ensemble_is_named(wrap, copper):
    with pytest.raises(ValueError, match="'nve', 'nvt' or 'npt'"):
        run_md(copper, wrap(), temperature=1, steps=1, ensemble="nph", progress=False)


def test_stop_ends_the_run_after_the_step_of_the_event(wrap, copper):
    calc = wrap(on_warning="stop", diagnostics=[AlarmAt(5)], reference=None)
    with pytest.warns(UserWarning, match="geometry 5"):
        result = run_md(copper, calc, temperature=300, steps=50, seed=0, progress=False)
    assert result.steps == 5
    assert result.ended.startswith("geometry 5")


def test_interrupt_completes_trajectory_log_and_report(wrap, copper, tmp_path):
    calc = wrap(InterruptAt(8), log=tmp_path / "run.jsonl")
    result = run_md(
        copper, calc, temperature=300, steps=50, seed=0, progress=False, trajectory_interval=1,
        trajectory=tmp_path / "run.traj", report=tmp_path / "run.html",
    )  # fmt: skip
    assert result.ended == "interrupted"
    (run,) = read_log(result.log)
    assert len(run.geometries) == 8
    assert run.summary["diagnosed"] == 8
    assert len(read(result.trajectory, ":")) == 8
    assert result.report.stat().st_size > 0


def test_unwritable_log_is_said_once_and_the_run_goes_on(wrap, copper, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        calc = wrap(log=tmp_path / "file" / "run.jsonl")
        result = run_md(copper, calc, temperature=300, steps=5, seed=0, progress=False)
    assert len([w for w in caught if "cannot be written" in str(w.message)]) == 1
    assert result.steps == 5
    assert result.log is None


@pytest.mark.parametrize("cell", [False, True])
def test_relaxation_converges_and_keeps_symmetry(cell, wrap, copper, tmp_path):
    atoms = copper
    atoms.set_cell(atoms.cell * (3.7 / 3.6), scale_atoms=True)
    result = run_relaxation(
        atoms, wrap(log=tmp_path / "r.jsonl"), fmax=0.005, cell=cell, fix_symmetry=True,
        trajectory=tmp_path / "r.traj", progress=False,
    )  # fmt: skip
    assert result.ended == "converged"
    if cell:
        assert atoms.get_volume() != pytest.approx(3.7**3)
        assert np.allclose(atoms.cell.lengths(), atoms.cell.lengths()[0])
    assert np.linalg.norm(atoms.get_forces(), axis=1).max() < 0.005


def test_unknown_optimizer_is_named(wrap, copper):
    with pytest.raises(ValueError, match=r"'Newton'.*FIRE"):
        run_relaxation(copper, wrap(), optimizer="Newton", progress=False)


def test_replay_gives_the_numbers_of_the_live_run(wrap, copper, tmp_path):
    live = run_md(
        copper, wrap(log=tmp_path / "live.jsonl"), temperature=600, steps=10, seed=1,
        trajectory=tmp_path / "live.traj", trajectory_interval=1, progress=False,
    )  # fmt: skip
    again = replay(
        read_frames(live.trajectory), wrap(log=tmp_path / "again.jsonl"),
        annotated=tmp_path / "annotated.xyz", progress=False,
    )  # fmt: skip
    (first,), (second,) = read_log(live.log), read_log(again.log)
    for a, b in zip(first.geometries, second.geometries, strict=True):
        # dynamics ask for forces in the middle of a step, and write velocities at its end
        for record in (a, b):
            record["scalars"].pop("temperature")
        for key in ("energy", "scalars", "series", "map", "events"):
            assert a[key] == b[key], key
    frames = read(again.trajectory, ":")
    assert len(frames) == 11
    assert "platonic_manifold_distance" in frames[-1].arrays


def living(kind):
    """How many objects of a type there are."""
    gc.collect()
    return sum(type(thing) is kind for thing in gc.get_objects())


@pytest.mark.parametrize("name", ["long.traj", "long.xyz"])
def test_replay_holds_a_few_frames_of_a_file_at_a_time(name, wrap, copper, tmp_path):
    frames = [copper.copy() for _ in range(200)]
    for k, atoms in enumerate(frames):
        atoms.rattle(0.01, seed=k)
    write(tmp_path / name, frames)
    del frames, atoms
    before, alive, seen = living(Atoms), [], 0

    def counted():
        nonlocal seen
        for frame in read_frames(tmp_path / name):
            seen += 1
            if seen % 50 == 0:
                alive.append(living(Atoms) - before)
            yield frame

    result = replay(counted(), wrap(log=tmp_path / "long.jsonl"), progress=False)
    assert result.steps == seen == 200
    assert max(alive) <= 10


def test_replay_refuses_what_is_no_trajectory(wrap, tmp_path):
    with pytest.raises(StructureError, match="no trajectory at"):
        list(read_frames(tmp_path / "missing.traj"))
    (tmp_path / "bad.traj").write_bytes(b"nothing of the kind")
    with pytest.raises(StructureError, match="cannot read"):
        list(read_frames(tmp_path / "bad.traj"))
    with pytest.raises(StructureError, match="no frame"):
        replay([], wrap(), progress=False)


def test_previous_files_are_kept(tmp_path):
    path = tmp_path / "run.traj"
    for text in ("first", "second"):
        path.write_text(text)
        with pytest.warns(KeptAsideWarning, match="kept as run"):
            assert keep_previous(path) == path
        assert not path.exists()
    assert (tmp_path / "run.1.traj").read_text() == "first"
    assert (tmp_path / "run.2.traj").read_text() == "second"


@pytest.mark.slow
def test_a_time_step_of_50_fs_ends_as_exploded(chgnet, tmp_path):
    atoms = bulk("LiCl", "rocksalt", a=5.1, cubic=True)
    calc = PlatonicCalculator(chgnet, on_warning="ignore", log=tmp_path / "run.jsonl")
    result = run_md(
        atoms, calc, temperature=300, steps=60, timestep=50, seed=0, progress=False,
        report=tmp_path / "run.html", trajectory=tmp_path / "run.traj",
    )  # fmt: skip
    assert result.ended == "exploded"
    assert result.steps < 60
    assert result.summary.raised["exploding"] >= 1
    assert "exploding" in result.report.read_text()


@pytest.mark.parametrize("policy", ["ignore", "warn"])
def test_a_run_that_explodes_ends_and_does_not_say_finished(policy, wrap, copper, tmp_path):
    calc = wrap(diagnostics=[PhysicalCompanions()], on_warning=policy, log=tmp_path / "run.jsonl")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = run_md(
            copper, calc, temperature=300, steps=100, timestep=60, ensemble="nve", seed=0,
            progress=False, report=tmp_path / "run.html",
        )  # fmt: skip
    assert result.ended == "exploded"
    assert result.steps < 10
    assert result.report.exists()


def test_an_error_of_a_sound_run_is_raised(wrap, copper):
    class Broken(EMT):
        def calculate(self, *arguments, **options):
            raise RuntimeError("no licence")

    calc = wrap(Broken())
    with pytest.raises(RuntimeError, match="no licence"):
        run_md(copper, calc, temperature=300, steps=3, progress=False)


def test_one_calculator_gives_four_logs_and_four_reports(wrap, copper, tmp_path):
    """Molecular dynamics, a relaxation, a loop of displaced supercells, and single points."""
    path = tmp_path / "all.jsonl"
    calc = wrap(log=path)
    ids, reports = [], []
    moving = copper.copy()
    run_md(moving, calc, temperature=300, steps=3, seed=0, progress=False,
           report=tmp_path / "md.html")  # fmt: skip
    ids.append(calc.run_id)
    copper.rattle(0.05, seed=1)
    relaxed = run_relaxation(
        copper.copy(), calc, steps=2, progress=False, report=tmp_path / "relax.html"
    )
    ids.append(calc.run_id)
    for name, structures in (
        ("loop", [displaced(k) for k in range(4)]),
        ("points", [bulk(s, a=a, cubic=True) for s, a in (("Au", 4.1), ("Al", 4.0))]),
    ):
        for atoms in structures:
            atoms.calc = calc
            atoms.get_forces()
        calc.close()
        ids.append(calc.run_id)
        reports.append(write_report(path, tmp_path / f"{name}.html", run=calc.run_id))
    runs = read_log(path)
    assert [run.header["run"] for run in runs] == ids
    assert len(set(ids)) == 4
    assert [len(run.geometries) for run in runs] == [4, relaxed.summary.diagnosed, 4, 2]
    assert all(run.summary is not None and run.damaged == 0 for run in runs)
    pages = [p.read_text() for p in (tmp_path / "md.html", relaxed.report, *reports)]
    assert len(set(pages)) == 4
    for number, page in enumerate(pages, 1):
        # at the time when the report of a workflow was written, its run was the last
        assert f"{number} of " in page or number == 1
    with pytest.raises(LogError, match="no run of the id"):
        write_report(path, tmp_path / "x.html", run="nobody")


def displaced(number):
    atoms = bulk("Cu", a=3.6, cubic=True) * (2, 1, 1)
    atoms.positions[number // 2, 0] += 0.03 if number % 2 else -0.03
    return atoms
