import warnings

import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal
from hypothesis import given, settings
from hypothesis import strategies as st

from platonic_ase.monitor.symmetry.generators import generating_set
from platonic_ase.monitor.symmetry.members import Members, orbit_splitting, split_orbit
from platonic_ase.monitor.symmetry.orbits import (
    find_orbits,
    structural_asymmetry,
)
from platonic_ase.monitor.symmetry.sites import lindemann_ratios


def perovskite():
    return Atoms(
        "BaTiO3",
        scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
        cell=[4.0] * 3,
        pbc=True,
    )


CRYSTALS = {
    "NaCl": (bulk("NaCl", "rocksalt", a=5.6, cubic=True), 225, 2),
    "primitive NaCl": (bulk("NaCl", "rocksalt", a=5.6), 225, 2),
    "supercell": (bulk("NaCl", "rocksalt", a=5.6) * (2, 2, 2), 225, 2),
    "diamond": (bulk("Si", cubic=True), 227, 1),
    "wurtzite": (bulk("ZnO", "wurtzite", a=3.25, c=5.2), 186, 2),
    "hcp": (bulk("Mg") * (3, 2, 1), 194, 1),
    "perovskite": (perovskite(), 221, 3),
    "perovskite 2x2x2": (perovskite() * (2, 2, 2), 221, 3),
    "rutile": (
        crystal(
            ["Ti", "O"],
            [(0, 0, 0), (0.3, 0.3, 0)],
            spacegroup=136,
            cellpar=[4.6, 4.6, 2.95, 90, 90, 90],
        ),
        136,
        2,
    ),
    "calcite": (
        crystal(
            ["Ca", "C", "O"],
            [(0, 0, 0), (0, 0, 0.25), (0.257, 0, 0.25)],
            spacegroup=167,
            cellpar=[4.99, 4.99, 17.06, 90, 90, 120],
        ),
        167,
        3,
    ),
    "triclinic": (
        Atoms(
            "HHe",
            [[0, 0, 0], [1, 0.7, 0.4]],
            cell=[[3, 0, 0], [0.4, 3.5, 0], [0.2, 0.6, 4]],
            pbc=True,
        ),
        1,
        2,
    ),
}


@pytest.fixture(params=CRYSTALS)
def case(request):
    return CRYSTALS[request.param]


def operations(atoms):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = spglib.get_symmetry_dataset(
            (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers), symprec=1e-2
        )
    return found.rotations, found.translations


def key(rotation, translation):
    return (
        *np.asarray(rotation).ravel().tolist(),
        *(np.rint(np.asarray(translation) * 720) % 720).astype(int).tolist(),
    )


def symmetric_displacements(atoms, seed=0, size=0.05):
    """Random displacements, averaged over the group: they keep every operation."""
    rng = np.random.default_rng(seed)
    fractional = atoms.get_scaled_positions()
    shift = rng.normal(scale=size, size=(len(atoms), 3)) @ np.linalg.inv(atoms.cell.array)
    total = np.zeros_like(shift)
    rotations, translations = operations(atoms)
    for w, t in zip(rotations, translations, strict=True):
        moved = fractional @ w.T + t
        difference = moved[:, None] - fractional[None]
        difference -= np.rint(difference)
        target = np.linalg.norm(difference @ atoms.cell.array, axis=2).argmin(axis=1)
        total[target] += shift @ w.T
    return total / len(rotations) @ atoms.cell.array


def test_space_group_and_orbits(case):
    atoms, number, n_orbits = case
    orbits = find_orbits(atoms)
    assert orbits.space_group.endswith(f"({number})")
    assert orbits.labels.max() + 1 == n_orbits
    for orbit in range(n_orbits):
        assert len(set(atoms.numbers[orbits.labels == orbit])) == 1


def test_generators_generate_all_operations(case):
    atoms, _, _ = case
    rotations, translations = operations(atoms)
    everything = {key(w, t) for w, t in zip(rotations, translations, strict=True)}
    chosen = generating_set(rotations, translations)
    assert len(chosen) <= 8
    generators = [(rotations[g], translations[g]) for g in chosen]
    frontier = [(np.eye(3, dtype=int), np.zeros(3))]
    group = {key(*frontier[0])}
    while frontier:
        fresh = []
        for w, t in frontier:
            for v, s in generators:
                product = (v @ w, v @ t + s)
                if key(*product) not in group:
                    group.add(key(*product))
                    fresh.append(product)
        frontier = fresh
    assert group == everything


def test_permutations_map_like_on_like(case):
    atoms, _, _ = case
    orbits = find_orbits(atoms)
    for permutation in orbits.permutations:
        assert sorted(permutation) == list(range(len(atoms)))
        assert (atoms.numbers[permutation] == atoms.numbers).all()
        assert (orbits.labels[permutation] == orbits.labels).all()


def test_symmetric_displacements_are_symmetric(case):
    atoms, _, _ = case
    orbits = find_orbits(atoms)
    live = atoms.copy()
    live.positions += symmetric_displacements(atoms)
    asymmetry, strain, _ = structural_asymmetry(orbits, live)
    assert asymmetry < 1e-6
    assert strain < 1e-9


def test_a_drift_is_not_an_asymmetry(case):
    atoms, _, _ = case
    orbits = find_orbits(atoms)
    live = atoms.copy()
    live.positions += np.random.default_rng(0).normal(scale=0.02, size=live.positions.shape)
    expected, _, _ = structural_asymmetry(orbits, live)
    for fraction in (0.25, 0.5, 0.75, 3.5):
        wandering = live.copy()
        wandering.positions += fraction * atoms.cell.array.sum(axis=0)
        assert structural_asymmetry(orbits, wandering)[0] == pytest.approx(expected, abs=1e-9)
        wandering.wrap()
        assert structural_asymmetry(orbits, wandering)[0] == pytest.approx(expected, abs=1e-9)
        assert lindemann_ratios(orbits, wandering).max() < 0.2


def test_a_planted_displacement_is_recovered():
    atoms = CRYSTALS["supercell"][0]
    orbits = find_orbits(atoms)
    live = atoms.copy()
    live.positions[3] += [0.0, 0.0, 0.1]
    asymmetry, _, _ = structural_asymmetry(orbits, live)
    # a rotation turns the displacement of the moved atom away from itself: at most twice as far,
    # an operation that moves another atom there compares it with an atom at rest: as far
    assert 0.1 - 1e-9 <= asymmetry <= 0.2 + 1e-9
    far = live.copy()
    far.positions[3] += [0.0, 0.0, 0.1]
    assert structural_asymmetry(orbits, far)[0] == pytest.approx(2 * asymmetry)


def test_a_sublattice_shift_in_a_cubic_crystal_is_seen():
    atoms = perovskite()
    live = atoms.copy()
    live.positions[1, 2] += 0.05
    asymmetry, strain, _ = structural_asymmetry(find_orbits(atoms), live)
    drift = 0.05 / 5
    # inversion turns the polar displacement u of Ti into -u: 2 |u|, drift removed
    assert asymmetry == pytest.approx(2 * (0.05 - drift), rel=1e-6)
    assert strain == 0


def test_cell_strain():
    atoms = perovskite()
    orbits = find_orbits(atoms)
    breathing, tetragonal = atoms.copy(), atoms.copy()
    breathing.set_cell(atoms.cell * 1.03, scale_atoms=True)
    tetragonal.set_cell(atoms.cell.array @ np.diag([1, 1, 1.01]), scale_atoms=True)
    assert structural_asymmetry(orbits, breathing)[1] == pytest.approx(0, abs=1e-12)
    assert structural_asymmetry(orbits, tetragonal)[1] == pytest.approx(1 - 1.01**-2, rel=1e-6)


def test_no_orbits_without_a_crystal():
    assert find_orbits(Atoms("H2O", np.eye(3))) is None
    assert find_orbits(Atoms("H2", np.zeros((2, 3)), cell=[4] * 3, pbc=True)) is None


def test_spglib_stays_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_orbits(bulk("Cu")).space_group == "Fm-3m (225)"
        assert find_orbits(Atoms("H2", np.zeros((2, 3)), cell=[4] * 3, pbc=True)) is None


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), sizes=st.lists(st.integers(1, 6), min_size=1, max_size=12))
def test_splitting_follows_its_definition(seed, sizes):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    z = rng.normal(size=(len(labels), 7))
    expected = [
        max(np.linalg.norm(row - z[labels == g].mean(axis=0)) for row in z[labels == g]) / 7**0.5
        for g in range(len(sizes))
    ]
    np.testing.assert_allclose(orbit_splitting(z, Members(labels)), expected, atol=1e-12)


def test_single_precision_is_averaged_in_double():
    z = np.full((1000, 3), 0.1, dtype=np.float32)
    assert orbit_splitting(z, Members(np.zeros(1000, dtype=int))).max() < 1e-12


def test_the_two_sides_are_named():
    rng = np.random.default_rng(0)
    z = rng.normal(scale=1e-3, size=(10, 5))
    z[[2, 5, 6]] += [0, 0.1, 0, 0, 0]
    minority, majority = split_orbit(z, np.arange(10))
    assert minority.tolist() == [2, 5, 6]
    assert majority.tolist() == [0, 1, 3, 4, 7, 8, 9]
