import numpy as np
import pytest
from ase.build import bulk

from platonic_ase.monitor.symmetry.curvature import asymmetry_of, polar_decomposition
from platonic_ase.monitor.symmetry.operations import find_operations
from platonic_ase.monitor.symmetry.orbits import find_orbits, fractional_shift
from platonic_ase.testing import DoubleWellCrystal


def salt():
    return bulk("NaCl", "rocksalt", a=5.6, cubic=True)


def seen(reference, live, forces, stress=None):
    orbits, operations = find_orbits(reference), find_operations(reference)
    shift = fractional_shift(orbits, live)
    return asymmetry_of(orbits, operations, live, shift, forces, stress)


@pytest.mark.parametrize("depth", [2.0, -1.0])
def test_the_curvature_of_a_known_mode(depth):
    live = salt()
    anions = live.symbols == "Cl"
    live.positions[anions, 2] += 1e-3
    forces = DoubleWellCrystal(depth).get_forces(live)
    found = seen(salt(), live, forces)
    # anions move by w/2 and cations by -w/2 about the centre, with forces ±b w
    assert found.curvature == pytest.approx(-2 * depth, rel=1e-4)
    assert found.largest == pytest.approx(5e-4)


def test_forces_are_the_gradient_of_the_energy():
    calc, atoms = DoubleWellCrystal(), salt()
    atoms.rattle(0.1, seed=0)
    atoms.calc = calc
    forces = atoms.get_forces()
    for i, a in ((0, 0), (3, 1), (5, 2)):
        step = np.zeros((8, 3))
        step[i, a] = 1e-4
        up, down = atoms.copy(), atoms.copy()
        up.positions += step
        down.positions -= step
        numeric = -(calc.get_potential_energy(up) - calc.get_potential_energy(down)) / 2e-4
        assert forces[i, a] == pytest.approx(numeric, abs=1e-6)


def test_what_keeps_the_symmetry_drops_out():
    live = salt()
    live.set_cell(live.cell * 1.02, scale_atoms=True)
    found = seen(salt(), live, np.zeros((8, 3)), np.array([0.1, 0.1, 0.1, 0, 0, 0]))
    assert np.abs(found.strain).max() < 1e-12
    assert found.largest < 1e-12


@pytest.mark.parametrize("sign", [1, -1])
def test_a_strain_that_lowers_the_energy(sign):
    live = salt()
    stretch = np.array([-0.01, -0.01, 0.02])
    live.set_cell(live.cell.array * (1 + stretch), scale_atoms=True)
    # stress = modulus * strain: positive modulus restores
    modulus = 0.5
    stress = np.array([*(sign * modulus * stretch), 0, 0, 0])
    found = seen(salt(), live, np.zeros((8, 3)), stress)
    np.testing.assert_allclose(np.diag(found.strain), stretch, atol=1e-12)
    expected = sign * modulus * live.get_volume() / (8 * 2.8**2)
    assert found.curvature == pytest.approx(expected, rel=1e-6)
    full = np.diag(stress[:3])  # as CHGNet stores it
    assert seen(salt(), live, np.zeros((8, 3)), full).curvature == pytest.approx(expected, rel=1e-6)


def test_a_rotation_of_crystal_and_cell_is_no_strain():
    live = salt()
    live.rattle(0.01, seed=0)
    live.set_cell(live.cell.array * (1.01, 1.0, 0.99), scale_atoms=True)
    forces = np.random.default_rng(1).normal(size=(8, 3))
    stress = np.random.default_rng(2).normal(size=(3, 3))
    stress = stress + stress.T
    expected = seen(salt(), live, forces, stress)
    turned = live.copy()
    turned.rotate(10, (1, 2, 3), rotate_cell=True)
    turn = polar_decomposition(live.cell.array, turned.cell.array)[1]
    found = seen(salt(), turned, forces @ turn, turn.T @ stress @ turn)
    np.testing.assert_allclose(found.strain, expected.strain, atol=1e-12)
    np.testing.assert_allclose(found.displacements, expected.displacements, atol=1e-12)
    assert found.curvature == pytest.approx(expected.curvature, rel=1e-9)


def test_a_rotated_crystal_has_no_asymmetry():
    turned = salt()
    turned.rotate(10, (1, 2, 3), rotate_cell=True)
    found = seen(salt(), turned, np.zeros((8, 3)), np.zeros((3, 3)))
    assert np.abs(found.strain).max() < 1e-12
    assert found.largest < 1e-12
