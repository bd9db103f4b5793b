import numpy as np
import pytest
from ase.build import bulk, fcc100
from ase.constraints import FixAtoms, FixCartesian, FixedPlane

from platonic_ase.monitor.symmetry.kinds import atom_kinds, held_directions
from platonic_ase.monitor.symmetry.operations import find_operations
from platonic_ase.monitor.symmetry.orbits import find_orbits


def images_of(atoms, labels):
    """Whether any operation takes an atom of one label to one of another."""
    operations = find_operations(atoms)
    moved = np.concatenate([operations.permutations, operations.translations])
    return (labels[moved] == labels).all()


def slab():
    atoms = fcc100("Cu", (2, 2, 4), a=3.6, vacuum=6.0)
    atoms.pbc = True
    return atoms


def test_no_operation_takes_a_fixed_atom_to_a_free_one():
    free = slab()
    fixed = slab()
    bottom = fixed.positions[:, 2] < fixed.positions[:, 2].mean()
    fixed.set_constraint(FixAtoms(mask=bottom))
    assert not images_of(free, bottom)
    assert images_of(fixed, bottom)
    assert len(find_operations(fixed)) == len(find_operations(free)) / 2
    assert len(find_orbits(fixed).sizes) == 2 * len(find_orbits(free).sizes)


@pytest.mark.parametrize(
    ("name", "values"),
    [("masses", [22.99, 35.45, 22.99, 37.0]), ("initial_magmoms", [0.0, 1.0, 0.0, -1.0])],
)
def test_masses_and_moments_tell_atoms_apart(name, values):
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    assert len(find_orbits(atoms).sizes) == 2
    atoms.set_array(name, np.resize(values, 8))
    kinds = atom_kinds(atoms)
    assert len(np.unique(kinds)) == 3
    assert images_of(atoms, kinds)
    assert len(find_orbits(atoms).sizes) == 4  # unlike neighbours tell the others apart


def test_what_is_the_same_for_all_changes_nothing():
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    plain = atom_kinds(atoms)
    np.testing.assert_array_equal(plain, atoms.numbers)
    atoms.set_masses(atoms.get_masses())
    atoms.set_initial_magnetic_moments(np.zeros(8))
    atoms.set_constraint(FixAtoms(range(8)))
    np.testing.assert_array_equal(atom_kinds(atoms), plain)


@pytest.mark.parametrize(
    "constraint",
    [FixCartesian(range(8), mask=(False, False, True)), FixedPlane(range(8), (0, 0, 1))],
)
def test_held_directions_stay_where_they_are(constraint):
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    free = find_operations(atoms)
    atoms.set_constraint(constraint)
    assert len(held_directions(atoms)) == 1
    held = find_operations(atoms)
    assert len(held) == len(free) / 3  # 16 of 48 rotation parts keep z
    np.testing.assert_allclose(np.abs(held.rotations[:, 2, 2]), 1)


def test_moments_that_are_vectors_keep_only_what_turns_nothing():
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.set_initial_magnetic_moments([[0, 0, 1.0], [0, 0, 0]])
    rotations = find_operations(atoms).rotations
    assert {float(np.round(r[0, 0])) for r in rotations} == {1.0, -1.0}
    for rotation in rotations:
        np.testing.assert_allclose(rotation, rotation[0, 0] * np.eye(3), atol=1e-12)
