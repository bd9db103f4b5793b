import numpy as np
import pytest
from ase.build import bulk

from platonic_ase.monitor.symmetry.operations import find_operations
from platonic_ase.phonons.softening import SoftModes, directions, soft_modes
from platonic_ase.testing import DoubleWellCrystal


def salt():
    return bulk("NaCl", "rocksalt", a=5.6, cubic=True)


def numeric_force_constants(calc, atoms, step=1e-4):
    n = len(atoms)
    found = np.empty((n, n, 3, 3))
    for i in range(n):
        for a in range(3):
            shift = np.zeros((n, 3))
            shift[i, a] = step
            forces = []
            for sign in (1, -1):
                moved = atoms.copy()
                moved.positions += sign * shift
                forces.append(calc.get_forces(moved).copy())
            found[i, :, a] = -(forces[0] - forces[1]) / (2 * step)
    return found


@pytest.mark.parametrize("depth", [2.0, -1.0])
def test_the_lowest_eigenvalue_of_a_known_crystal(depth):
    constants = numeric_force_constants(DoubleWellCrystal(depth), salt())
    lowest = soft_modes(constants, 1)[0]
    # the sublattices move against each other: reduced mass one half, curvature -2 b, three ways
    assert lowest.eigenvalue == pytest.approx(min(-2 * depth, 2.0 if depth < 0 else 0), rel=1e-4)
    assert len(lowest.vectors) == 3


def test_translations_are_left_out():
    constants = numeric_force_constants(DoubleWellCrystal(-1.0), salt())
    every = soft_modes(constants, 100)
    assert min(modes.eigenvalue for modes in every) > 0.1
    assert sum(len(modes.vectors) for modes in every) == 3 * 8 - 3
    for modes in every:
        assert np.abs(modes.vectors.sum(axis=1)).max() < 1e-8


def test_eigenvalues_rise_and_vectors_are_orthonormal():
    found = soft_modes(numeric_force_constants(DoubleWellCrystal(2.0), salt()), 3)
    values = [modes.eigenvalue for modes in found]
    assert values == sorted(values)
    vectors = np.concatenate([modes.vectors for modes in found]).reshape(-1, 24)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(len(vectors)), atol=1e-10)


def test_directions_are_symmetric_and_none_is_an_image_of_another():
    modes = soft_modes(numeric_force_constants(DoubleWellCrystal(2.0), salt()), 1)[0]
    operations = find_operations(salt())
    ways = directions(modes, operations)
    basis = modes.vectors.reshape(len(modes.vectors), -1)
    for way in ways:
        assert np.linalg.norm(way) == pytest.approx(1)
        assert np.linalg.norm(basis @ way.ravel()) == pytest.approx(1)  # within the modes
    kept = [int((operations.vector_overlaps(way, way) > 0.99).sum()) for way in ways]
    # <100>, <111> and <110> of a vector of the cube: stabilisers 4mm, 3m and mm2 in Oh, of which
    # the last fixes a line too; times four translations
    assert kept == [8 * 4, 6 * 4, 4 * 4]
    for i, one in enumerate(ways):
        for other in ways[:i]:
            assert np.abs(operations.vector_overlaps(one, other)).max() < 0.99


def test_no_more_directions_than_asked_for():
    modes = soft_modes(numeric_force_constants(DoubleWellCrystal(2.0), salt()), 1)[0]
    assert len(directions(modes, find_operations(salt()), 2)) == 2


def test_one_mode_has_one_direction():
    modes = soft_modes(numeric_force_constants(DoubleWellCrystal(2.0), salt()), 1)[0]
    single = SoftModes(modes.eigenvalue, modes.vectors[:1])
    assert len(directions(single, find_operations(salt()))) == 1
