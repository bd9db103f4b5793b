"""The generated pool: coverage, symmetry, sizes, contacts and reproducibility."""

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from ase.io import read

from platonic_ase.crystals.building import build, count_atoms
from platonic_ase.crystals.compounds import ELEMENTS
from platonic_ase.crystals.groups import group_of
from platonic_ase.crystals.pool import generate_pool, pool_elements, restrict
from platonic_ase.crystals.prototypes import PROTOTYPES
from platonic_ase.crystals.radii import atomic_volume, bond_length, ionic_radius
from platonic_ase.space.folders import packaged_folder
from platonic_ase.space.reference import ReferenceManifold

FRAMES = Path(__file__).parents[3] / "shared" / "data" / "mptrj_random_1k.xyz"


@pytest.fixture(scope="module")
def pool() -> list[Atoms]:
    return generate_pool()


def test_pool_has_the_promised_size(pool):
    assert 1500 <= len(pool) <= 3000
    assert 8000 <= sum(map(len, pool)) <= 14000
    assert all(1 <= len(atoms) <= 12 for atoms in pool)
    assert np.mean([2 <= len(atoms) <= 8 for atoms in pool]) > 0.7


def test_every_element_is_covered(pool):
    assert pool_elements(pool) == list(ELEMENTS)
    n_atoms: Counter[int] = Counter()
    groups = defaultdict(set)
    for atoms in pool:
        for z in atoms.numbers:
            n_atoms[int(z)] += atoms.info["kind"] != "ideal"
            groups[int(z)].add(atoms.info["group"])
    assert min(n_atoms[z] for z in ELEMENTS) >= 60
    assert min(len(groups[z]) for z in ELEMENTS) >= 8


def test_plain_compounds_are_in_the_pool(pool):
    found = {(atoms.info["group"], atoms.info["prototype"]) for atoms in pool}
    plain = "Si-diamond NaCl-rocksalt MgO-rocksalt GaAs-zincblende ZnO-wurtzite CsCl-cscl"
    plain += " CaF2-fluorite TiO2-rutile Al2O3-corundum SrTiO3-perovskite SiO2-quartz"
    ordered = {(Atoms(f).get_chemical_formula("metal", empirical=True), p)
               for f, p in (word.split("-") for word in plain.split())}  # fmt: skip
    assert ordered <= found


def test_every_prototype_is_used(pool):
    assert {atoms.info["prototype"] for atoms in pool} == set(PROTOTYPES)


def test_a_group_is_a_reduced_formula(pool):
    for atoms in pool:
        assert atoms.info["group"] == atoms.get_chemical_formula("metal", empirical=True)


def test_info_tells_how_a_copy_was_made(pool):
    for atoms in pool:
        info = atoms.info
        assert set(info) == {"group", "prototype", "kind", "amplitude", "strain"}
        assert len(info["strain"]) == 6
        assert (info["amplitude"] > 0) == (info["kind"] == "rattled")
        assert info["kind"] == "strained" or info["strain"][3:] == [0, 0, 0]
        assert info["kind"] != "ideal" or info["strain"] == [0] * 6
        assert info["kind"] != "strained" or any(info["strain"])
        assert info["kind"] != "rattled" or len(atoms) >= 4


def test_every_compound_has_all_kinds_of_copies(pool):
    kinds = defaultdict(Counter)
    for atoms in pool:
        kinds[atoms.info["group"], atoms.info["prototype"]][atoms.info["kind"]] += 1
    assert all(count == {"ideal": 1, "strained": 1, "rattled": 2} for count in kinds.values())


@pytest.fixture(scope="module")
def contacts(pool) -> list[np.ndarray]:
    """Shortest distance of every pair of atoms, periodic images included, by brute force."""
    steps = np.arange(-3, 4)
    shifts = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(-1, 3)
    shortest = []
    for atoms in pool:
        vectors = atoms.positions[:, None] - atoms.positions
        images = vectors[:, :, None] + shifts @ atoms.cell[:]
        distances = np.linalg.norm(images, axis=-1)
        distances[distances < 1e-9] = np.inf  # an atom and itself
        shortest.append(distances.min(axis=-1))
    return shortest


def test_no_atoms_overlap(pool, contacts):
    for atoms, distances in zip(pool, contacts, strict=True):
        radii = covalent_radii[atoms.numbers]
        assert (distances >= 0.7 * (radii[:, None] + radii)).all(), atoms.info


def test_no_atom_is_isolated(pool, contacts):
    for atoms, distances in zip(pool, contacts, strict=True):
        assert atoms.pbc.all()
        assert atoms.cell.handedness == 1
        assert (distances.min(axis=1) < 5.0).all(), atoms.info


def test_ideal_structures_have_the_space_group_of_their_prototype(pool):
    for atoms in pool:
        if atoms.info["kind"] == "ideal":
            cell = (atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers)
            found = spglib.get_symmetry_dataset(cell, symprec=1e-4).number
            assert found == PROTOTYPES[atoms.info["prototype"]].spacegroup, atoms.info


@pytest.mark.parametrize("name", PROTOTYPES)
def test_prototype_cells_are_primitive(name):
    numbers = [29, 8, 14, 16][: PROTOTYPES[name].n_species]
    atoms = build(name, numbers, volume=15.0)
    cell = (atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers)
    primitive = spglib.find_primitive(cell, symprec=1e-4)
    assert len(primitive[2]) == len(atoms) == sum(count_atoms(name))
    assert atoms.cell.volume == pytest.approx(15.0 * len(atoms))


# Conventional lattice constants in Å, measured (R. W. G. Wyckoff, Crystal Structures, 1963).
MEASURED = [
    ("rocksalt", "Na Cl", (1, -1), 5.64),
    ("rocksalt", "Mg O", (2, -2), 4.21),
    ("rocksalt", "Ti N", (3, -3), 4.24),
    ("rocksalt", "Pb Te", (2, -2), 6.46),
    ("rocksalt", "Ag Cl", (1, -1), 5.55),
    ("zincblende", "Ga As", (3, -3), 5.65),
    ("zincblende", "Zn S", (2, -2), 5.41),
    ("zincblende", "Si C", (4, -4), 4.36),
    ("cscl", "Cs Cl", (1, -1), 4.12),
    ("fluorite", "Ca F", (2, -1), 5.46),
    ("fluorite", "Th O", (4, -2), 5.60),
    ("antifluorite", "Na O", (1, -2), 5.55),
    ("rutile", "Ti O", (4, -2), 4.59),
    ("corundum", "Al O", (3, -2), 4.76),
    ("perovskite", "Sr Ti O", (2, 4, -2), 3.905),
    ("perovskite", "K Mg F", (1, 2, -1), 3.99),
    ("perovskite", "Cs Pb I", (1, 2, -1), 6.29),
    ("hexachloroplatinate", "K Pt Cl", (1, 4, -1), 9.74),
    ("zircon", "Zr Si O", (4, 4, -2), 6.60),
    ("half-heusler", "Ti Ni Sn", (), 5.93),
    ("l12", "Au Cu", (), 3.75),
    ("b2", "Cu Zn", (), 2.95),
]


@pytest.mark.parametrize(("name", "symbols", "charges", "measured"), MEASURED)
def test_radii_give_measured_lattice_constants(name, symbols, charges, measured):
    numbers = [atomic_numbers[symbol] for symbol in symbols.split()]
    a = (build(name, numbers, charges).cell.volume / build(name, numbers, a=1.0).cell.volume) ** (
        1 / 3
    )
    assert a == pytest.approx(measured, rel=0.035)  # 10 % in volume


@pytest.mark.parametrize(
    ("symbol", "prototype", "measured"),
    [("Si", "diamond", 5.43), ("Cu", "fcc", 3.61), ("Fe", "bcc", 2.87), ("C", "diamond", 3.567)],
)
def test_elements_have_measured_lattice_constants(pool, symbol, prototype, measured):
    (atoms,) = (
        atoms
        for atoms in pool
        if atoms.info["group"] == symbol
        and (atoms.info["prototype"], atoms.info["kind"]) == (prototype, "ideal")
    )
    per_cell = {"fcc": 4, "bcc": 2, "diamond": 8}[prototype]
    assert (per_cell * atoms.cell.volume / len(atoms)) ** (1 / 3) == pytest.approx(
        measured, rel=0.01
    )


def test_the_same_seed_gives_the_same_pool(pool):
    some = [8, 9, 11, 12, 13, 14, 17, 19, 22, 38, 56]
    again = generate_pool(some)
    for one, other in zip(restrict(pool, some), again, strict=True):
        assert one == other
        assert one.info == other.info


def test_another_seed_moves_rattled_copies_only(pool):
    other = generate_pool([11, 17], seed=1)
    same = restrict(pool, [11, 17])
    for one, two in zip(same, other, strict=True):
        assert (one == two) == (one.info["kind"] != "rattled")


def test_a_restricted_pool_is_part_of_the_full_one(pool):
    few = generate_pool([11, 17, 12, 8])
    expected = restrict(pool, [11, 17, 12, 8])
    assert few == expected
    assert [atoms.info for atoms in few] == [atoms.info for atoms in expected]
    assert set(pool_elements(few)) <= {8, 11, 12, 17}


def test_displacements_have_the_stated_amplitude(pool):
    ideal = {(a.info["group"], a.info["prototype"]): a for a in pool if a.info["kind"] == "ideal"}
    squares = defaultdict(list)
    for atoms in pool:
        parent = ideal[atoms.info["group"], atoms.info["prototype"]]
        if atoms.info["kind"] == "rattled" and len(parent) == len(atoms):
            unmoved = parent.get_scaled_positions(wrap=False) @ atoms.cell[:]
            moved = atoms.positions - unmoved
            squares[atoms.info["amplitude"]].append(
                (moved**2).sum() / (3 * (len(atoms) - 1))  # the centre does not move
            )
    for amplitude in (0.03, 0.08, 0.15, 0.25):
        assert np.sqrt(np.mean(squares[amplitude])) == pytest.approx(amplitude, rel=0.1)


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ([], "empty list.*at least one"),
        ([0], r"\[0\]; allowed are integers 1 to"),
        ([200], r"\[200\]; allowed"),
        (["Na"], r"Use numbers in place of symbols: \{'Na': 11\}"),
        ([11.5], r"\[11\.5\]; allowed"),
        ([11, 84], r"Po \(Z=84\).*covers Z = 1-83 and 89-94.*Remove"),
    ],
)
def test_bad_elements_are_refused(elements, message):
    with pytest.raises(ValueError, match=message):
        generate_pool(elements)


def test_restrict_refuses_an_empty_list(pool):
    with pytest.raises(ValueError, match="empty"):
        restrict(pool, [])


def test_restrict_takes_numpy_integers(pool):
    assert pool_elements(restrict(pool, np.array([11, 17]))) == [11, 17]


def test_build_refuses_a_wrong_number_of_elements():
    with pytest.raises(ValueError, match=r"'rocksalt' has 2 species, got 3.*\[1, 2, 3\]"):
        build("rocksalt", [1, 2, 3])


def test_ionic_radius_falls_back_to_the_nearest_charge():
    assert ionic_radius(26, 3) == 0.645
    assert ionic_radius(26, 6) == ionic_radius(26, 4)
    with pytest.raises(ValueError, match=r"no ionic radius for Z=2 with charge \+2"):
        ionic_radius(2, 2)


def test_bonds_lengthen_with_coordination():
    lengths = [bond_length(11, 1, 17, -1, n, n) for n in (4, 6, 8)]
    assert lengths == sorted(lengths)
    assert lengths[1] == pytest.approx(1.02 + 1.81)  # Shannon's radii, unchanged at six


def test_atomic_volume_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="no atomic volume for Po"):
        atomic_volume(84)


@pytest.mark.parametrize("model", ["chgnet-r2scan", "chgnet-0.3.0", "7net-0", "7net-l3i5"])
def test_thresholds_of_shipped_references_count_the_compounds_held_out(model, pool):
    """Not their copies: 2,556 generated structures are 540 compounds."""
    (path,) = packaged_folder().glob(f"{model}-*.reference.safetensors")
    reference = ReferenceManifold.load(path)
    structures = pool
    if "MPtrj" in reference.provenance["source"]:
        if not FRAMES.exists():
            pytest.skip(f"no {FRAMES}")
        structures = [*pool, *read(FRAMES, ":")]
    assert reference.provenance["structures"] == len(structures)
    groups = [group_of(atoms) for atoms in structures]
    names = sorted(set(groups))
    place = np.argsort(np.random.default_rng(0).permutation(len(names))) / len(names)
    held_out = {name for name, x in zip(names, place, strict=True) if 0.5 <= x < 0.8}
    compounds = defaultdict(set)
    for atoms, group in zip(structures, groups, strict=True):
        for element in set(atoms.numbers.tolist()) if group in held_out else ():
            compounds[element].add(group)
    shared = reference.provenance["elements_sharing_a_threshold"]
    own = {z: n for z, n in reference.counts.items() if z not in shared}
    assert own == {z: len(each) for z, each in compounds.items() if len(each) >= 9}
    assert all(len(compounds[z]) < 9 for z in shared)
