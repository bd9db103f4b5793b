"""Calibration of a model into a folder: what it holds, that it goes on, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write
from typer.testing import CliRunner

from platonic_ase import PlatonicCalculator
from platonic_ase.calibrate import calibrate
from platonic_ase.calibrate import evaluate as evaluating
from platonic_ase.calibrate import phonon_pack as calibrate_phonon_pack
from platonic_ase.calibrate import run as module
from platonic_ase.calibrate.labelled import read_labelled
from platonic_ase.calibrate.materials import SUPERCELLS, Material
from platonic_ase.calibrate.phonon_pack import build_phonon_risk, lessons
from platonic_ase.cli import app
from platonic_ase.errors import (
    CalibrationError,
    ModelMismatchError,
    SpaceFileError,
    StructureError,
)
from platonic_ase.models import default_reference as defaults
from platonic_ase.phonons.table import fit_table, read_phonon_table
from platonic_ase.report.reader import read_log
from platonic_ase.testing import MockCalculator

TABLE = Path(__file__).parents[1] / "benchmarks" / "phonon_table.json"
COMPOUNDS = [(name, a) for name in ("NaCl", "MgO", "LiF", "KBr", "CaS") for a in (4.4, 4.8, 5.2)]


COUNT, FEW = 600, 120


class KilledError(BaseException):
    """What a kill looks like from inside."""


class CountingMock(MockCalculator):
    """Counts its calculations; is killed at one of them; softens its forces by a factor."""

    def __init__(self, killed_at=None, factor=1.0, **options):
        super().__init__(**options)
        self.count, self.killed_at, self.factor = 0, killed_at, factor

    def calculate(self, *arguments, **options):
        if self.count == self.killed_at:
            raise KilledError
        self.count += 1
        super().calculate(*arguments, **options)
        self.results["forces"] = self.factor * self.results["forces"]


def structures(count):
    """Rattled rock salts."""
    made = []
    for k in range(count):
        name, a = COMPOUNDS[k % len(COMPOUNDS)]
        atoms = bulk(name, "rocksalt", a=a).repeat((1, 1, 2))
        atoms.rattle(0.1, seed=k)
        atoms.info["group"] = f"run {k // 3}"
        made.append(atoms)
    return made


def labels_of(atoms, rng, noise):
    """True forces that the mock misses by a tenth of its own force and a little more."""
    bare = atoms.copy()
    bare.calc = MockCalculator()
    forces = bare.get_forces()
    scale = noise * (0.01 + 0.1 * np.linalg.norm(forces, axis=1, keepdims=True))
    return forces + scale * rng.normal(size=forces.shape)


def write_labelled(path, count):
    rng, made = np.random.default_rng(0), structures(count)
    for atoms in made:
        atoms.arrays["REF_forces"] = labels_of(atoms, rng, 1.0)
    write(path, made, format="extxyz")
    return path


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Enough for a reference manifold."""
    return write_labelled(tmp_path_factory.mktemp("frames") / "frames.xyz", COUNT)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Enough for a force bound only."""
    return write_labelled(tmp_path_factory.mktemp("few") / "few.xyz", FEW)


@pytest.fixture(scope="module")
def calibrated(frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibration")
    result = calibrate(
        MockCalculator(), folder, data=[frames], source="mock", generated=False, progress=False
    )
    return folder, result


def test_the_folder_is_used_by_the_wrapper(calibrated):
    folder, result = calibrated
    atoms = structures(1)[0]
    atoms.calc = MockCalculator()
    bare = atoms.get_forces()
    calc = PlatonicCalculator(MockCalculator(), calibration=folder)
    atoms.calc = calc
    assert np.array_equal(atoms.get_forces(), bare)
    assert calc.anchors.digest == result.anchors.digest
    assert calc.reference.provenance["source"] == "mock"
    bounds = calc.diagnosis.per_atom["force_error_bound"]
    sizes = result.force_bound.sizes(bare, calc.platonic, calc.embeddings, atoms.numbers)
    np.testing.assert_allclose(bounds, result.force_bound.bounds(sizes), rtol=1e-2)
    assert calc.diagnosis.scalars["extrapolation_score"] > 0


def test_what_was_made_says_how_good_it_is(calibrated):
    _, result = calibrated
    scores = result.force_bound.provenance["left_out"]["compounds"]
    assert 0.85 < scores["coverage"] < 0.95
    text = result.describe()
    assert f"{COUNT} structures (mock)" in text
    assert f"covers {100 * scores['coverage']:.1f} %" in text
    page = result.report.read_text(encoding="utf-8")
    assert f"Covers {100 * scores['coverage']:.1f} %" in page
    assert page.count("data-chart=") == 3
    for outside in ("http:", "https:"):
        assert outside not in page.replace("http://www.w3.org", "")


def test_what_is_given_wins_over_the_folder(calibrated):
    folder, result = calibrated
    calc = PlatonicCalculator(
        MockCalculator(), calibration=folder, force_bound=None, reference=None
    )
    assert calc.force_bound is None
    assert calc.reference is None
    assert calc.anchors.digest == result.anchors.digest


def test_a_killed_calibration_goes_on(few, tmp_path):
    options = {"data": [few], "source": "mock", "generated": False, "progress": False}
    whole = CountingMock()
    expected = calibrate(whole, tmp_path / "whole", **options)
    of_anchors = whole.count - FEW
    with pytest.raises(KilledError):
        calibrate(CountingMock(killed_at=of_anchors + 60), tmp_path / "killed", **options)
    again = CountingMock()
    result = calibrate(again, tmp_path / "killed", **options)
    assert again.count == FEW - 2 * evaluating.SHARD
    assert result.force_bound.quantile == expected.force_bound.quantile
    for name in ("intercept", "floor", "power", "reach"):
        found, wanted = result.force_bound.scale, expected.force_bound.scale
        assert getattr(found, name) == getattr(wanted, name)
    once_more = CountingMock()
    calibrate(once_more, tmp_path / "killed", **options)
    assert once_more.count == 0


def test_too_few_structures_for_a_reference_are_said(few, calibrated, tmp_path, monkeypatch):
    options = {"data": [few], "source": "mock", "generated": False, "progress": False}
    result = calibrate(MockCalculator(), tmp_path, **options)
    assert result.reference is None
    assert "the model's default serves" in result.describe()
    # the default of the mock has the same anchors
    reference = calibrated[1].reference
    monkeypatch.setattr(defaults, "build_reference", lambda *_args, **_options: reference)
    monkeypatch.setattr("platonic_ase.crystals.pool.generate_pool", lambda seed: [])
    monkeypatch.setenv("PLATONIC_ASE_CACHE", str(tmp_path / "cache"))
    calc = PlatonicCalculator(MockCalculator(), calibration=tmp_path)
    assert len(calc.reference) == len(calibrated[1].reference)
    assert calc.force_bound.name == result.force_bound.name


def test_another_model_starts_anew_beside_the_first(few, tmp_path, monkeypatch):
    monkeypatch.setenv("PLATONIC_ASE_CACHE", str(tmp_path / "cache"))
    options = {"data": [few], "generated": False, "progress": False}
    one, other = CountingMock(), CountingMock(seed=1)
    first = calibrate(one, tmp_path, **options)
    second = calibrate(other, tmp_path, **options)
    assert one.count == other.count > FEW
    assert len([*tmp_path.glob("*.forces.safetensors")]) == 2
    for seed, made in ((0, first), (1, second)):
        calc = PlatonicCalculator(MockCalculator(seed=seed), calibration=tmp_path, reference=None)
        assert calc.force_bound.identity == made.anchors.identity


def test_a_folder_without_the_model_is_refused(calibrated, tmp_path):
    with pytest.raises(ModelMismatchError, match="none of"):
        PlatonicCalculator(MockCalculator(seed=7), calibration=calibrated[0])
    with pytest.raises(SpaceFileError, match="no folder with a calibration"):
        PlatonicCalculator(MockCalculator(), calibration=tmp_path)


def test_a_teacher_labels_data_that_have_no_forces(tmp_path, monkeypatch):
    write(tmp_path / "bare.xyz", structures(110))
    taught = []
    monkeypatch.setattr(module, "_taught", lambda teacher, *_args: taught.append(teacher) or [])
    monkeypatch.setattr(module, "build_phonon_risk", lambda *_args, **_options: Unsaved())
    teacher = CountingMock(factor=1.2, seed=3)
    result = calibrate(
        MockCalculator(),
        tmp_path / "made",
        data=[tmp_path / "bare.xyz"],
        teacher=teacher,
        generated=False,
        progress=False,
    )
    assert taught == [teacher]
    assert "a teacher, not of DFT" in result.force_bound.name
    # the error is a fifth of the force, exactly
    bound, force = result.force_bound, np.array([[0.5, 0.0, 0.0], [1.0, 0.0, 0.0]])
    sizes = bound.scale.at(force, np.tile(bound.scale.mean, (2, 1)), np.ones(2))
    np.testing.assert_allclose(bound.bounds(sizes), [0.1, 0.2], rtol=0.25)


def test_growth_is_learnt_from_frames_of_another_kind(few, tmp_path):
    """Squeezed by a tenth, with a label that the mock misses by five times as much."""
    rng, squeezed = np.random.default_rng(1), structures(120)
    for k, atoms in enumerate(squeezed):
        atoms.set_cell(0.9 * atoms.cell, scale_atoms=True)
        atoms.info["group"] = f"squeezed {k // 3}"
        atoms.arrays["REF_forces"] = labels_of(atoms, rng, 5.0)
    write(tmp_path / "squeezed.xyz", squeezed, format="extxyz")
    options = {"data": [few], "generated": False, "progress": False}
    beyond = [tmp_path / "squeezed.xyz"]
    result = calibrate(MockCalculator(), tmp_path / "made", beyond=beyond, **options)
    made = result.force_bound.provenance
    assert made["growth_learnt_from"] == ["squeezed"]
    assert made["beyond"]["squeezed"]["structures"] == 120
    assert "of squeezed, not learnt from" in result.describe()
    assert "another kind, squeezed" in result.report.read_text(encoding="utf-8")
    plain = calibrate(MockCalculator(), tmp_path / "plain", **options).force_bound
    assert plain.provenance["growth_learnt_from"] == "other models"
    assert plain.provenance["beyond"] == {}
    assert made["growth"] != plain.provenance["growth"]


def test_frames_of_another_kind_that_say_nothing_are_refused(few, tmp_path):
    write(tmp_path / "bare.xyz", structures(30))
    with pytest.raises(CalibrationError, match=r"0 of 30 frames of bare have forces; at least 20"):
        refuse(few, beyond=[tmp_path / "bare.xyz"])
    with pytest.raises(CalibrationError, match=r"none that a force bound is fitted to.*--data"):
        refuse(few, data=[], beyond=[few])
    with pytest.raises(CalibrationError, match=r"2 files of other kinds are named few"):
        refuse(few, beyond=[few, few])


def test_teacher_and_pupil_both_compute_the_crystals(tmp_path, monkeypatch):
    """With EMT for both, on the one alloy that is asked for: too few for a pack, and said so."""
    alloy = Material("AlPd", "cesiumchloride")
    monkeypatch.setattr(module, "lessons", lambda count, elements: [alloy][:count])
    with pytest.raises(CalibrationError, match="1 of 1 crystals have both spectra; at least 20"):
        calibrate(EMT(), tmp_path, teacher=EMT(), generated=False, progress=False)
    (made,) = tmp_path.glob("work/*.phonons/AlPd_cesiumchloride.json")
    assert "crystal" in json.loads(made.read_text())


class Unsaved:
    """A pack that leaves no file."""

    def save(self, path):
        return path


def refuse(path, **options):
    calculator = CountingMock()
    options = {"data": [path], "generated": False, "progress": False, **options}
    try:
        calibrate(calculator, path.parent / "made", **options)
    finally:
        assert calculator.count == 0, "the model was run before the data were checked"
        assert not (path.parent / "made").exists()


def test_frames_without_forces_are_refused(tmp_path):
    path = tmp_path / "bare.xyz"
    made = structures(110)
    for atoms in made:
        atoms.arrays["my_labels"] = np.zeros((len(atoms), 3))
    write(path, made, format="extxyz")
    with pytest.raises(CalibrationError, match=r"none of 110 .* my_labels\..*--forces-key"):
        refuse(path)


def test_too_few_frames_are_refused(tmp_path):
    made = structures(110)
    for atoms in made[:50]:
        atoms.arrays["forces"] = np.zeros((len(atoms), 3))
    write(tmp_path / "few.xyz", made[:50] + structures(10), format="extxyz")
    with pytest.raises(CalibrationError, match="50 of 60 frames have forces; at least 99"):
        refuse(tmp_path / "few.xyz")
    for atoms in made:
        atoms.arrays["forces"] = np.zeros((len(atoms), 3))
        atoms.info["group"] = "one run"
    write(tmp_path / "one.xyz", made, format="extxyz")
    with pytest.raises(CalibrationError, match=r"of 1 compounds \(one run\); at least 5"):
        refuse(tmp_path / "one.xyz")


def test_too_few_frames_for_a_teacher_are_refused(tmp_path):
    write(tmp_path / "bare.xyz", structures(20))
    teacher = CountingMock()
    with pytest.raises(CalibrationError, match="20 of 20 frames can be taught; at least 99"):
        refuse(tmp_path / "bare.xyz", teacher=teacher)
    assert teacher.count == 0


def test_broken_files_are_named(tmp_path):
    broken = tmp_path / "broken.xyz"
    broken.write_text("4\nLattice=nonsense\nNa 0 0\n")
    with pytest.raises(StructureError, match=r"cannot read .*broken\.xyz"):
        refuse(broken)
    with pytest.raises(StructureError, match="no trajectory"):
        refuse(tmp_path / "none.xyz")
    (tmp_path / "empty.xyz").write_text("")
    with pytest.raises((CalibrationError, StructureError)):
        refuse(tmp_path / "empty.xyz")


def test_forces_that_are_not_finite_are_named(tmp_path):
    made = structures(2)
    for atoms in made:
        atoms.arrays["mine"] = np.zeros((len(atoms), 3))
    made[1].arrays["mine"][0, 0] = np.nan
    write(tmp_path / "nan.xyz", made, format="extxyz")
    with pytest.raises(CalibrationError, match=r"frame 1 \(Cl2Na2\).*1 of them not finite"):
        refuse(tmp_path / "nan.xyz", forces_key="mine")


def test_contradictory_wishes_are_refused(frames, tmp_path):
    with pytest.raises(CalibrationError, match="one of the two"):
        calibrate(MockCalculator(), tmp_path, spectra=TABLE, teacher=MockCalculator())
    with pytest.raises(CalibrationError, match="level"):
        calibrate(MockCalculator(), tmp_path, data=[frames], level=90)
    with pytest.raises(SpaceFileError, match="no phonon spectra"):
        calibrate(MockCalculator(), tmp_path, spectra=tmp_path / "none.json", generated=False)


def test_labels_are_found_under_any_name(tmp_path):
    made = structures(3)
    rng = np.random.default_rng(0)
    truth = [rng.normal(size=(len(atoms), 3)) for atoms in made]
    for name, atoms, forces in zip(("forces", "DFT_forces", "odd"), made, truth, strict=True):
        atoms.arrays[name] = forces
        write(tmp_path / f"{name}.xyz", atoms, format="extxyz")
    for k, name in enumerate(("forces", "DFT_forces")):
        (found,) = read_labelled([tmp_path / f"{name}.xyz"]).forces
        np.testing.assert_allclose(found, truth[k], atol=1e-7)
    assert read_labelled([tmp_path / "odd.xyz"]).forces == (None,)
    (found,) = read_labelled([tmp_path / "odd.xyz"], "odd").forces
    np.testing.assert_allclose(found, truth[2], atol=1e-7)


def test_lessons_are_spread_over_anions():
    asked = lessons(30)
    assert len({each.key for each in asked}) == 30
    assert all(each.prototype in SUPERCELLS and each.truth is None for each in asked)
    assert len({each.formula[-1] for each in asked}) >= 5
    assert lessons(3) == asked[:3]
    assert {each.formula for each in lessons(99, {11, 12, 8, 17})} == {"NaCl", "MgO"}


def test_the_phonon_pack_is_that_of_the_table(monkeypatch, calibrated, tmp_path):
    table = read_phonon_table(TABLE)["chgnet-0.3.0"]
    calc = PlatonicCalculator(MockCalculator(), calibration=calibrated[0])
    materials = [Material("NaCl", "rocksalt", source="DFT: mock")]
    rows = list(table.rows)
    monkeypatch.setattr(
        calibrate_phonon_pack, "label_crystals", lambda *_args, **_options: tuple(rows)
    )
    pack = build_phonon_risk(calc, materials, tmp_path)
    assert pack.identity == calc.encoder.identity
    assert pack.provenance["labels"] == "DFT: mock"
    plain = fit_table(table, "plain")
    for row in rows[:5]:
        assert pack.error(row.features.to_dict()) == plain.error(row.features.to_dict())
    rows[:] = [row for row in rows if row.anion in ("O", "F")] * 2
    with pytest.raises(CalibrationError, match="at least 3 anions"):
        build_phonon_risk(calc, materials, tmp_path)
    del rows[19:]
    with pytest.raises(CalibrationError, match="19 of 1 crystals"):
        build_phonon_risk(calc, materials, tmp_path)


def test_the_command(frames, calibrated, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "platonic_ase.models.load_calculator", lambda name, device=None: MockCalculator()
    )
    runner = CliRunner()
    arguments = ["calibrate", "-c", "mock:x", "--data", str(frames), "--no-generated", "-q"]
    found = runner.invoke(app, arguments, catch_exceptions=False)
    assert found.exit_code == 0
    assert "of compounds left out it covers" in found.output
    folder = tmp_path / "mock-x-calibration"
    assert len([*folder.glob("*.safetensors")]) == 3
    structures(1)[0].write("NaCl.cif")
    md = ["md", "NaCl.cif", "--calibration", str(folder), "--steps", "2", "-q", "--log", "a.jsonl"]
    assert runner.invoke(app, md, catch_exceptions=False).exit_code == 0
    assert read_log("a.jsonl")[0].geometries[0]["scalars"]["force_error_bound"] > 0


def test_ctrl_c_says_that_it_goes_on(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "platonic_ase.models.load_calculator", lambda name, device=None: MockCalculator()
    )

    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("platonic_ase.calibrate.calibrate", interrupted)
    found = CliRunner().invoke(app, ["calibrate"])
    assert found.exit_code == 130
    assert "the same command goes on" in found.output


@pytest.mark.slow
def test_chgnet_is_killed_goes_on_and_is_bounded(chgnet, tmp_path, monkeypatch):
    """Labels are the forces of another CHGNet: the bound covers their difference."""
    import platonic_ase.calibrate.evaluation as module_of_one
    from platonic_ase.models import load_calculator

    other, made = load_calculator("chgnet-0.2.0"), structures(110)
    for atoms in made:
        atoms.calc = other
        forces = atoms.get_forces()
        atoms.calc = None
        atoms.arrays["forces"] = forces
    write(tmp_path / "frames.xyz", made[:105], format="extxyz")
    options = {"data": [tmp_path / "frames.xyz"], "generated": False, "progress": False}
    evaluate_one, count = module_of_one.evaluate_one, []

    def counted(*arguments):
        count.append(1)
        if len(count) == 60:
            raise KilledError
        return evaluate_one(*arguments)

    monkeypatch.setattr(module_of_one, "evaluate_one", counted)
    with pytest.raises(KilledError):
        calibrate(chgnet, tmp_path / "made", **options)
    count[:] = [1] * 60
    result = calibrate(chgnet, tmp_path / "made", **options)
    assert len(count) == 60 + 105 - 2 * evaluating.SHARD
    calc = PlatonicCalculator(chgnet, calibration=tmp_path / "made", on_warning="ignore")
    assert calc.force_bound.name == result.force_bound.name
    covered = []
    for atoms in made[105:]:
        truth = atoms.arrays["forces"]
        atoms.calc = chgnet
        bare = atoms.get_forces()
        atoms.calc = calc
        assert np.array_equal(atoms.get_forces(), bare)
        bounds = calc.diagnosis.per_atom["force_error_bound"]
        covered.append(np.linalg.norm(bare - truth, axis=1) <= bounds)
    assert 0.6 < np.mean(covered) <= 1  # five structures: a coarse check of a level of 0.9
