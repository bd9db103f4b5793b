import numpy as np
import pytest
from ase import Atoms

from platonic_ase.monitor.symmetry.operations import find_operations
from platonic_ase.monitor.symmetry.orbits import find_orbits
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
