"""Structures from files, and what is refused or reported before a potential sees them."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from platonic_ase.crystals.pool import generate_pool
from platonic_ase.errors import PlatonicError, StructureError
from platonic_ase.structures import check_structure, read_structure


@pytest.fixture
def salt() -> Atoms:
    return bulk("NaCl", "rocksalt", a=5.64, cubic=True)


@pytest.mark.parametrize("name", ["salt.cif", "POSCAR", "salt.xyz", "salt.traj"])
def test_reads_usual_formats(tmp_path, salt, name):
    ase.io.write(tmp_path / name, salt)
    atoms = read_structure(tmp_path / name)
    assert sorted(atoms.numbers) == sorted(salt.numbers)
    assert atoms.cell.volume == pytest.approx(salt.cell.volume)


def test_reads_the_last_structure_or_the_one_asked_for(tmp_path, salt):
    frames = [salt, salt.repeat((2, 1, 1))]
    ase.io.write(tmp_path / "run.traj", frames)
    assert len(read_structure(tmp_path / "run.traj")) == 16
    assert len(read_structure(str(tmp_path / "run.traj"), index=0)) == 8
    with pytest.raises(StructureError, match="no structure of index 7"):
        read_structure(tmp_path / "run.traj", index=7)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(StructureError, match=r"no such file: .*absent\.cif.*Check the spelling"):
        read_structure(tmp_path / "absent.cif")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.cif", b""),
        ("empty.traj", b""),
        ("blank.xyz", b"\n\n"),
        ("none.xyz", b"0\n\n"),
        ("short.xyz", b"8\ncomment\nNa 0 0 0\n"),
        ("words.cif", b"this is no crystal\n"),
        ("words.traj", b"this is no trajectory\n"),
        ("POSCAR", b"only a title\n"),
        ("words.vasp", b"title\none\n"),
        ("notes.unknown", b"what is this\n"),
        ("noise.cif", bytes(range(256))),
        ("noise.xyz", bytes(range(256))),
        ("table.json", b"{}"),
    ],
)
def test_unreadable_files_raise_one_kind_of_error(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StructureError, match=name.split(".")[0]) as caught:
        read_structure(tmp_path / name)
    assert isinstance(caught.value, PlatonicError)
    assert isinstance(caught.value, ValueError)


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(StructureError):
        read_structure(tmp_path)


def test_sound_structures_raise_nothing(salt):
    assert check_structure(salt, known_elements=[11, 17]) == ()


def test_the_generated_pool_is_sound():
    for atoms in generate_pool([1, 3, 8, 9, 11, 12, 14, 17, 22, 38]):
        assert check_structure(atoms) == ()


def test_no_atoms_are_refused():
    with pytest.raises(StructureError, match="no atoms"):
        check_structure(Atoms())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_positions_must_be_finite(salt, value):
    salt.positions[3, 1] = value
    with pytest.raises(StructureError, match=r"NaN or infinite for Cl3|NaN or infinite for Na3"):
        check_structure(salt)


def test_long_lists_of_atoms_are_cut(salt):
    atoms = salt.repeat((2, 1, 1))
    atoms.positions[:] = np.nan
    with pytest.raises(StructureError, match="and 8 more"):
        check_structure(atoms)


def test_the_cell_must_be_finite(salt):
    salt.cell[0, 0] = np.nan
    with pytest.raises(StructureError, match="cell holds NaN"):
        check_structure(salt)


@pytest.mark.parametrize(
    "cell", [np.zeros((3, 3)), [5.64, 5.64, 0], [[1, 0, 0], [2, 0, 0], [0, 0, 1]], [0.1, 0.1, 0.1]]
)
def test_a_periodic_cell_needs_a_volume(salt, cell):
    salt.set_cell(cell)
    with pytest.raises(StructureError, match=r"periodic along a, b, c.*has a volume of.*set_cell"):
        check_structure(salt)


@pytest.mark.parametrize("length", [1.1e4, 1e6, 1e11])
def test_a_cell_vector_of_another_unit_is_refused(salt, length):
    salt.cell[2] = [0, 0, length]
    with pytest.raises(StructureError, match=r"at most 10000 Å are allowed.*unit"):
        check_structure(salt)


def test_a_slab_needs_no_third_vector(salt):
    salt.pbc = (True, True, False)
    salt.cell[2] = 0
    assert check_structure(salt) == ()


def test_without_periodicity_the_cell_does_not_matter():
    water = molecule("H2O")
    (warning,) = check_structure(water)
    assert "not periodic" in warning
    assert "atoms.center(vacuum=" in warning


def test_the_remedy_for_a_molecule_works():
    water = molecule("H2O")
    water.center(vacuum=8.0)
    water.pbc = True
    assert check_structure(water) == ()


def test_a_left_handed_cell_is_reported_and_the_remedy_works(salt):
    salt.cell[2] *= -1
    before = np.sort(salt.get_all_distances(mic=True).ravel())
    (warning,) = check_structure(salt)
    assert "left-handed" in warning
    assert "Exchange two vectors" in warning
    salt.set_cell(salt.cell[[1, 0, 2]])
    salt.pbc = salt.pbc[[1, 0, 2]]
    assert check_structure(salt) == ()
    np.testing.assert_allclose(np.sort(salt.get_all_distances(mic=True).ravel()), before)


def test_unknown_elements_are_named_with_what_is_known(salt):
    with pytest.raises(StructureError, match=r"Na \(Z=11\); it knows 4 elements: Z = 1-2, 8, 17"):
        check_structure(salt, known_elements={1, 2, 8, 17})


def test_runs_of_elements_are_shortened(salt):
    with pytest.raises(StructureError, match=r"Z = 1-10, 20\."):
        check_structure(salt, known_elements=[*range(1, 11), 20])


def test_overlapping_atoms_are_reported(salt):
    salt.positions[1] = salt.positions[0] + [0.5, 0, 0]
    (warning,) = check_structure(salt)
    assert "overlapping atoms: Na0 and Cl1 are 0.50 Å apart" in warning
    assert "2 atoms concerned" in warning


def test_duplicated_sites_are_reported(salt):
    salt += salt
    (warning,) = check_structure(salt)
    assert "0.00 Å apart" in warning


def test_isolated_atoms_are_reported(salt):
    salt.center(vacuum=10.0)
    salt += Atoms("H", positions=[[1.0, 1.0, 1.0]])
    (warning,) = check_structure(salt)
    assert "isolated atoms: H8 has no neighbour within 6 Å" in warning


def test_checks_leave_the_structure_alone(salt):
    before = salt.copy()
    check_structure(salt, known_elements=[11, 17])
    assert salt == before


def test_a_structure_may_have_several_warnings():
    assert len(check_structure(Atoms("H"))) == 2


@pytest.mark.parametrize("count", ["99999999999999999999", "12345678"])
def test_more_atoms_than_a_file_can_hold_are_refused_at_once(tmp_path, salt, count):
    path = tmp_path / "many.xyz"
    salt.write(path)
    path.write_text(path.read_text().replace("8", count, 1))
    with pytest.raises(StructureError, match="announces"):
        read_structure(path)


def test_occupancies_that_are_no_numbers_are_no_error(salt):
    salt.info["occupancy"] = {"0": {"Na": "a half", "K": 0.5}, "1": 7}
    assert "partial occupancy: 1 Na + 0.5 K" in " ".join(check_structure(salt))
