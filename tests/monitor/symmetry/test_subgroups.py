import numpy as np
import pytest
from ase import Atoms

from platonic_ase.monitor.symmetry import subgroups
from platonic_ase.monitor.symmetry.operations import find_operations
from platonic_ase.monitor.symmetry.orbits import find_orbits, symmetry_dataset
from platonic_ase.monitor.symmetry.subgroups import identify_breaking


def perovskite():
    return Atoms(
        "BaTiO3",
        scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
        cell=[4.0] * 3,
        pbc=True,
    )


def identify(atoms, field, **options):
    orbits, operations = find_orbits(atoms), find_operations(atoms)
    return identify_breaking(orbits, operations, atoms.numbers, field, **options)


@pytest.mark.parametrize(
    ("direction", "group", "sides"),
    [
        ([0, 0, 1], "P4mm (99)", ((2,), (3, 4))),
        ([1, 1, 1], "R3m (160)", None),
        ([0, 1, 1], "Amm2 (38)", ((4,), (2, 3))),
    ],
)
def test_a_polar_shift(direction, group, sides):
    field = np.zeros((5, 3))
    field[1] = 0.02 * np.array(direction)
    found = identify(perovskite(), field)
    assert found.subgroup == group
    if sides is None:  # titanium alone, which no splitting shows
        assert found.minority == ()
        assert found.majority == (1,)
    else:
        assert "the 3 equivalent O atoms" in found.orbit
        assert (found.minority, found.majority) == sides


def tilt(size, sign):
    """Rotate the octahedra of a 2x2x2 cell about z, in phase (1) or out of phase (-1)."""
    atoms = perovskite() * (2, 2, 2)
    field = np.zeros((len(atoms), 3))
    for i in np.flatnonzero(atoms.symbols == "O"):
        x, y, z = atoms.positions[i] / 4.0
        if x % 1 == 0:
            field[i] = [0, size * (-1) ** (np.rint(x) + np.floor(y)) * sign ** np.floor(z), 0]
        elif y % 1 == 0:
            field[i] = [-size * (-1) ** (np.floor(x) + np.rint(y)) * sign ** np.floor(z), 0, 0]
    return atoms, field


@pytest.mark.parametrize(("sign", "group"), [(1, "P4/mbm (127)"), (-1, "I4/mcm (140)")])
def test_tilts_under_noise(sign, group):
    atoms, field = tilt(0.05, sign)
    assert identify(atoms, field).subgroup == group
    noisy = field + np.random.default_rng(0).normal(scale=0.004, size=field.shape)
    found = identify(atoms, noisy, error=0.004)
    assert found.subgroup == group
    assert "split into" in str(found)


def test_noise_alone_is_not_resolved():
    atoms = perovskite()
    noise = np.random.default_rng(1).normal(scale=0.004, size=(5, 3))
    found = identify(atoms, noise, error=0.01)
    assert found.subgroup is None
    assert "not clear yet" in str(found)


def fields(atoms):
    """Displacement fields that keep many translations, some, a rotation only, and nothing."""
    rng = np.random.default_rng(3)
    oxygens = atoms.symbols == "O"
    polar, layers, wave = np.zeros((3, len(atoms), 3))
    polar[oxygens] = [0, 0, 0.03]
    layers[oxygens & (atoms.positions[:, 2] > 6.0)] = [0.03, 0, 0]
    wave[:, 1] = 0.02 * np.cos(np.pi * atoms.positions[:, 0] / 4.0)
    return polar, layers, wave, rng.normal(scale=0.02, size=(len(atoms), 3))


@pytest.mark.parametrize(("which", "cells"), list(enumerate([[5], [20], [10], []])))
def test_a_smaller_cell_has_the_group_of_the_whole_one(which, cells, monkeypatch):
    atoms = perovskite() * (2, 2, 4)
    field = fields(atoms)[which] + np.random.default_rng(4).normal(scale=1e-4, size=(len(atoms), 3))
    field -= field.mean(axis=0)
    found = identify(atoms, field)
    searched: list[int] = []

    def counted(cell, tolerance):
        searched.append(len(cell[2]))
        return symmetry_dataset(cell, tolerance)

    monkeypatch.setattr(subgroups, "symmetry_dataset", counted)
    assert identify(atoms, field) == found
    assert searched == cells
    monkeypatch.setattr(subgroups, "lattice_of", lambda _: None)
    monkeypatch.setattr(subgroups, "_may_be_kept", lambda *_: True)
    assert identify(atoms, field) == found
    assert searched[-1] == len(atoms)


@pytest.mark.parametrize(
    ("translations", "volume"),
    [
        ([[0, 0, 0]], 1.0),
        ([[0, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5]], 0.25),
        ([[0, 0, 0], [1 / 3, 0, 0], [-1 / 3, 0, 0]], 1 / 3),
        ([[0, 0, 0], [0.25, 0, 0]], None),  # no group
    ],
)
def test_the_lattice_of_translations(translations, volume):
    basis = subgroups.lattice_of(np.array(translations, dtype=float))
    if volume is None:
        assert basis is None
        return
    assert abs(np.linalg.det(basis)) == pytest.approx(volume)
    steps = np.array(translations) @ np.linalg.inv(basis)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-9)
    np.testing.assert_allclose(np.linalg.inv(basis), np.rint(np.linalg.inv(basis)), atol=1e-9)
