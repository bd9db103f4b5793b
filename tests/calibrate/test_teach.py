"""Labels of a teacher: exact where the pupil is the teacher scaled, resumable, well built."""

import json
from pathlib import Path

import numpy as np
import pytest
import spglib
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from platonic_ase.calibrate import crystal_phonons, teach, teach_table
from platonic_ase.calibrate.candidates import FLAT, Candidate, candidates
from platonic_ase.calibrate.teach_table import build_table, extend_table, write_table
from platonic_ase.phonons.packaging import judged_cases
from platonic_ase.phonons.spectra import relative_error
from platonic_ase.phonons.structure import to_ase
from platonic_ase.phonons.table import read_phonon_table

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
CRYSTALS = [
    Candidate("fcc", ("Cu",)),
    Candidate("l12", ("Au", "Cu")),
    Candidate("bcc", ("Cu",)),  # unstable
    Candidate("fcc", ("Fe",)),  # EMT knows no iron
]


class Softened(Calculator):
    """EMT with its energy multiplied: the same minimum, all frequencies times 0.9."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self):
        super().__init__()
        self.inner = EMT()

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        atoms = atoms.copy()
        atoms.calc = self.inner
        self.results = {
            "energy": 0.81 * atoms.get_potential_energy(),
            "forces": 0.81 * atoms.get_forces(),
            "stress": 0.81 * atoms.get_stress(),
        }


class Loud(EMT):
    def calculate(self, *_args, **_kwargs):
        raise AssertionError("computed again")


@pytest.fixture
def taught(tmp_path, monkeypatch):
    monkeypatch.setattr(teach, "candidates", lambda: CRYSTALS)
    teach.teach({"teacher": EMT()}, tmp_path)
    teach.teach({"soft": Softened()}, tmp_path, teacher=tmp_path / "teacher")
    return tmp_path


def test_a_pupil_that_is_soft_by_a_factor_is_found_so(taught):
    path = taught / "table.json"
    write_table(path, build_table(taught / "teacher", [taught / "soft"]))
    rows = read_phonon_table(path)["soft"].rows
    assert [row.key for row in rows] == ["AuCu3 l12", "Cu fcc"]
    for row in rows:
        assert row.relative_error == pytest.approx(0.1, abs=2e-3)
        assert row.log_factor == pytest.approx(-np.log(0.9), abs=2e-3)
        assert row.imaginary is False
        assert np.isnan(row.features.locality)  # a bare calculator has no Platonic space
        assert np.isfinite(row.features.stiffness_excess)
    stored = json.loads(path.read_text())
    assert list(stored["teacher_unstable"]) == ["Cu_bcc"]
    assert stored["teacher_unstable"]["Cu_bcc"] < -0.1
    assert "Fe_fcc" in stored["teacher_failed"]


def test_a_pupil_that_comes_later_needs_the_table_only(taught):
    path = taught / "table.json"
    table = build_table(taught / "teacher", [taught / "soft"])
    del table["models"]["soft"]["rows"][1:]  # one of the two stable crystals is in the table
    write_table(path, table)
    teach.teach({"late": Softened(), "soft": Softened()}, taught / "later", teacher=path)
    assert sorted(each.stem for each in (taught / "later" / "late").iterdir()) == ["AuCu3_l12"]
    assert not list((taught / "later" / "soft").iterdir())  # the table has it
    longer = extend_table(json.loads(path.read_text()), [taught / "later" / "late"])
    write_table(path, longer)
    early, late = (read_phonon_table(path)[name].rows for name in ("soft", "late"))
    assert early[0].supercell_atoms == late[0].supercell_atoms
    assert late[0].relative_error == pytest.approx(early[0].relative_error, abs=1e-3)
    again = extend_table(longer, [taught / "later" / "late"])  # what is there stays as it is
    assert again["models"]["late"]["rows"] == longer["models"]["late"]["rows"]


def test_pupils_are_asked_of_what_the_teacher_finds_unstable(taught):
    teacher, folder = taught / "teacher", taught / "unstable"
    teach.teach({"soft": Softened()}, folder, teacher=teacher, unstable=True)
    assert [each.stem for each in (folder / "soft").iterdir()] == ["Cu_bcc"]
    path = taught / "unstable.json"
    out = ["-o", str(path)]
    teach_table.main([str(teacher), str(folder / "soft"), "--unstable", *out])
    (row,) = read_phonon_table(path)["soft"].rows
    assert row.key == "Cu bcc"
    assert row.imaginary is False  # the pupil has modes, and they are real
    assert row.lowest < -0.1
    (case,) = judged_cases({}, read_phonon_table(path))
    assert case.unstable
    assert case.lowest == pytest.approx(row.lowest)
    whole = build_table(teacher, [taught / "soft", folder / "soft"])
    write_table(path, whole)
    assert judged_cases(read_phonon_table(path), {}) == []  # those are stable for both
    with pytest.raises(SystemExit):
        teach_table.main([str(path), str(folder / "soft"), "--unstable", *out])


def test_a_table_takes_up_other_crystals_of_its_teacher(taught, tmp_path, monkeypatch):
    whole = build_table(taught / "teacher", [taught / "soft"])
    monkeypatch.setattr(teach, "candidates", lambda: [CRYSTALS[1], CRYSTALS[2]])
    teach.teach({"teacher": EMT()}, tmp_path / "more")
    more = tmp_path / "more" / "teacher"
    teach.teach({"soft": Softened()}, tmp_path / "more", teacher=more)
    less = {**whole, "teacher_unstable": {}, "models": {"soft": {**whole["models"]["soft"]}}}
    less["models"]["soft"]["rows"] = whole["models"]["soft"]["rows"][1:]
    joined = extend_table(less, [tmp_path / "more" / "soft"], more)
    assert sorted(joined["models"]["soft"]["rows"]) == sorted(whole["models"]["soft"]["rows"])
    assert list(joined["teacher_unstable"]) == ["Cu_bcc"]
    assert joined["added_later"] == ["AuCu3 l12"]


def test_a_supercell_of_another_size_than_the_teachers_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(teach, "candidates", lambda: CRYSTALS[:1])
    monkeypatch.setattr(teach, "_told", lambda _: {("Cu", "fcc"): ({"supercell_atoms": 5}, set())})
    path = tmp_path / "table.json"
    path.touch()
    teach.teach({"soft": Softened()}, tmp_path, teacher=path)
    stored = json.loads((tmp_path / "soft" / "Cu_fcc.json").read_text())
    assert "no small supercell has 5 atoms" in stored["failed"]


def test_what_is_finished_is_not_computed_again(taught):
    teach.teach({"teacher": Loud()}, taught)
    path = taught / "teacher" / "Cu_fcc.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "settings": {}}))
    with pytest.raises(AssertionError, match="computed again"):
        teach.teach({"teacher": Loud()}, taught)


def test_candidates_are_many_and_what_they_say():
    everything = candidates()
    assert len(everything) >= 300
    assert len({each.key for each in everything}) == len(everything)
    assert len({each.prototype for each in everything[:70]}) >= 50  # the cheapest count is diverse
    groups = {"spinel": 227, "anatase": 141, "olivine": 62, "perovskite-tilted": 140,
              "perovskite-rhombohedral": 167, "perovskite-orthorhombic": 62, "monolayer-h": 187,
              "chalcopyrite": 122, "half-heusler": 216, "lithium-niobate": 161}  # fmt: skip
    for each in everything:
        if each.prototype in groups:
            atoms = each.build()
            cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
            assert spglib.get_symmetry_dataset(cell, 1e-3).number == groups[each.prototype]
            assert len(spglib.find_primitive(cell, 1e-3)[2]) == len(atoms)


@pytest.mark.parametrize("name", ["perovskite", "half-heusler", "b2", "monolayer-h", "olivine"])
def test_supercells_are_small_and_wide_enough(name):
    atoms = next(each for each in candidates() if each.prototype == name).build()
    flat = name in FLAT
    matrix = crystal_phonons.small_supercell(atoms, flat=flat)
    cell = matrix.T @ atoms.cell.array
    count = round(np.linalg.det(matrix)) * len(atoms)
    assert count <= crystal_phonons.AT_MOST
    widths = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    assert widths[: 2 if flat else 3].min() >= 4.7
    if flat:
        assert matrix[:, 2].tolist() == [0, 0, 1]


def test_a_supercell_at_rest_feels_what_its_cell_feels():
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    atoms = bulk("Cu", cubic=True)
    atoms.symbols = "CuAuCuAg"
    atoms.rattle(0.05, seed=1)
    cell = PhonopyAtoms(
        numbers=atoms.numbers,
        cell=atoms.cell.array,
        scaled_positions=atoms.get_scaled_positions(),
    )
    phonon = Phonopy(
        cell,
        supercell_matrix=[[2, 0, 0], [0, 1, -1], [0, 1, 1]],
        primitive_matrix=np.eye(3),
    )
    repeated, _ = crystal_phonons._repeated(atoms, phonon.supercell, EMT())
    whole = to_ase(phonon.supercell)
    whole.calc = EMT()
    assert np.abs(whole.get_forces()).max() > 0.5
    assert repeated == pytest.approx(whole.get_forces(), abs=1e-10)


def test_the_committed_table_is_large_diverse_and_stable_in_truth():
    stored = json.loads((BENCHMARKS / "phonon_any.json").read_text())
    truth = stored["columns"].index("truth_quantiles")
    tables = read_phonon_table(BENCHMARKS / "phonon_any.json")
    rows = tables["chgnet-0.3.0"].rows
    assert len({row.key for row in rows}) >= 250
    assert len({row.prototype for row in rows}) >= 20
    assert len({row.anion for row in rows}) >= 20
    for model, table in tables.items():
        for row, values in zip(table.rows, stored["models"][model]["rows"], strict=True):
            assert values[truth][1] >= -0.1
            assert row.relative_error == pytest.approx(
                relative_error(np.array(row.quantiles), np.array(values[truth])), abs=2e-3
            )


def test_the_teacher_was_checked_against_dft():
    rows = json.loads((BENCHMARKS / "phonon_teacher.json").read_text())["rows"]
    errors = [row["relative_error"] for row in rows]
    assert len({(row["formula"], row["prototype"]) for row in rows}) == 73
    assert np.median(errors) < 0.03
    assert max(errors) < 0.15  # labels of 15 % and 25 % are resolved
