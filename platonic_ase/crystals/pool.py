"""The pool of generated structures behind the default anchors and reference manifolds.

Nothing is downloaded: crystals of every element are built from prototypes and radii, then strained
and rattled, so that a model's embeddings of them cover what it meets in dynamics.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols, covalent_radii

from platonic_ase.crystals.building import build
from platonic_ase.crystals.compounds import (
    ELEMENTS,
    Compound,
    all_compounds,
    select_compounds,
)

__all__ = ["generate_pool", "generate_sample", "pool_elements", "restrict"]

AMPLITUDES = (0.03, 0.08, 0.15, 0.25)
"""Standard deviations in Å of each Cartesian coordinate in rattled copies: 100 K to about 900 K."""

STRAINS = (-0.04, -0.02, 0.02, 0.04)
"""Isotropic linear strains."""

SHEARS = (0.03, 0.06)
"""Symmetric shear strains."""

MIN_CONTACT = 0.7
"""Shortest distance allowed, as a fraction of the sum of covalent radii."""

MIN_RATTLED_ATOMS = 4
"""Smallest rattled cell: fewer atoms would move with their own periodic images."""

_NUMBERS = range(1, len(chemical_symbols))


def generate_pool(elements: Sequence[int] | None = None, *, seed: int = 0) -> list[Atoms]:
    """Generate the pool of reference structures.

    The same seed gives the same structures on every platform, and a restricted call gives exactly
    the members of the full pool that hold no other element.

    Parameters
    ----------
    elements
        Atomic numbers allowed in the structures, for instance those that a model knows; default
        all of ``compounds.ELEMENTS``.
    seed
        Seed of strains and displacements.

    Returns
    -------
    list of ase.Atoms
        Periodic cells of 1 to 12 atoms without a calculator. ``info`` holds ``group`` (the reduced
        formula: all polymorphs and copies of a compound share it, so keep a group on one side of a
        split), ``prototype``, ``kind`` ("ideal", "strained" or "rattled"), ``amplitude`` (standard
        deviation of each Cartesian displacement, Å; zero unless rattled) and ``strain`` (six Voigt
        components, engineering shear not doubled; zero in ideal cells).

    Raises
    ------
    ValueError
        If ``elements`` is empty or names an element that the pool does not have.
    """
    allowed = _validate(elements)
    structures: list[Atoms] = []
    for compound in select_compounds(all_compounds(), min_cell=MIN_RATTLED_ATOMS):
        if set(compound.numbers) <= allowed:
            structures.extend(_copies(compound, seed))
    return structures


def generate_sample(
    most: int, elements: Iterable[int] | None = None, *, seed: int = 0
) -> list[Atoms]:
    """Generate a few members of the pool, one a compound, without building the rest.

    DIRECT chooses the compounds by what they are made of: shares of elements, and prototype. The
    copy that is taken goes round: ideal, strained, rattled, rattled more.

    Parameters
    ----------
    most
        How many at most.
    elements
        Atomic numbers allowed; those that the pool does not have are left out. Default all.
    seed
        Seed of :func:`generate_pool`, and of the choice.

    Returns
    -------
    list of ase.Atoms
        Members of ``generate_pool(seed=seed)``.
    """
    from platonic_ase.space.selection import direct  # imports scikit-learn

    allowed = set(ELEMENTS) if elements is None else set(elements)
    compounds = [
        compound
        for compound in select_compounds(all_compounds(), min_cell=MIN_RATTLED_ATOMS)
        if set(compound.numbers) <= allowed
    ]
    chosen = range(len(compounds))
    if len(compounds) > most:
        prototypes = sorted({compound.prototype for compound in compounds})
        made_of = np.zeros((len(compounds), len(chemical_symbols) + len(prototypes)))
        for row, compound in zip(made_of, compounds, strict=True):
            np.add.at(row, list(compound.numbers), 1 / len(compound.numbers))
            row[len(chemical_symbols) + prototypes.index(compound.prototype)] = 1
        chosen = direct(made_of[:, made_of.any(axis=0)], most, seed=seed).tolist()
    sample = []
    for place, index in enumerate(chosen):
        copies = _copies(compounds[index], seed)
        sample.append(copies[place % len(copies)])
    return sample


def pool_elements(structures: Iterable[Atoms]) -> list[int]:
    """Sorted atomic numbers that occur in the structures."""
    return sorted({int(z) for atoms in structures for z in atoms.numbers})


def restrict(structures: Iterable[Atoms], elements: Iterable[int]) -> list[Atoms]:
    """Structures that hold none but the given atomic numbers, in their order.

    Raises
    ------
    ValueError
        If ``elements`` is empty or holds something that is not an atomic number.
    """
    allowed = _atomic_numbers(elements)
    return [atoms for atoms in structures if {int(z) for z in atoms.numbers} <= allowed]


def _atomic_numbers(elements: Iterable[int]) -> set[int]:
    """Check that there is at least one element and that all are atomic numbers."""
    given = list(elements)
    if not given:
        raise ValueError(
            "no elements given: got an empty list, at least one atomic number is needed. "
            "Leave `elements` out for all elements of the pool."
        )
    wrong = [z for z in given if not isinstance(z, int | np.integer) or z not in _NUMBERS]
    if wrong:
        hint = {z: atomic_numbers[z] for z in wrong if isinstance(z, str) and z in atomic_numbers}
        raise ValueError(
            f"not atomic numbers: {wrong}; allowed are integers 1 to {len(chemical_symbols) - 1}. "
            + (f"Use numbers in place of symbols: {hint}." if hint else "Remove them.")
        )
    return {int(z) for z in given}


def _validate(elements: Sequence[int] | None) -> set[int]:
    """Elements asked for, all of which the pool has."""
    if elements is None:
        return set(ELEMENTS)
    allowed = _atomic_numbers(elements)
    unknown = sorted(allowed - set(ELEMENTS))
    if unknown:
        names = ", ".join(f"{chemical_symbols[z]} (Z={z})" for z in unknown)
        raise ValueError(
            f"the pool has no structures of {names}; it covers Z = 1-83 and 89-94. "
            "Remove these elements from the list."
        )
    return allowed


def _copies(compound: Compound, seed: int) -> list[Atoms]:
    """Ideal, strained and rattled copies of one compound."""
    ideal = build(
        compound.prototype, compound.numbers, compound.charges,
        a=compound.a, volume=compound.volume, ca=compound.ca, x=compound.x,
    )  # fmt: skip
    group = ideal.get_chemical_formula("metal", empirical=True)
    hashed = zlib.crc32(f"{group}/{compound.prototype}".encode())
    rng = np.random.default_rng([seed, hashed])
    copies = [_labelled(ideal, group, compound.prototype, "ideal")]
    strain = _strain(hashed)
    if _overlaps(_strained(ideal, strain)):
        strain = np.abs(strain)  # dense already: stretched instead of compressed
    strained = _strained(ideal, strain)
    copies.append(_labelled(strained, group, compound.prototype, "strained", strain=strain))
    large = _enlarge(ideal)
    first = (hashed // 8) % 2
    for amplitude in (AMPLITUDES[first], AMPLITUDES[first + 2]):
        expansion = np.zeros(6)
        expansion[:3] = rng.uniform(-0.015, 0.025)
        rattled, used = _rattled(_strained(large, expansion), amplitude, rng)
        copies.append(_labelled(rattled, group, compound.prototype, "rattled", used, expansion))
    return copies


def _strain(hashed: int) -> np.ndarray:
    """Voigt strain of the strained copy: four in six are isotropic, two are shears."""
    strain = np.zeros(6)
    choice = hashed % 6
    if choice < len(STRAINS):
        strain[:3] = STRAINS[choice]
    else:
        strain[3 + hashed // 6 % 3] = SHEARS[choice - len(STRAINS)]
    return strain


def _labelled(
    atoms: Atoms,
    group: str,
    prototype: str,
    kind: str,
    amplitude: float = 0.0,
    strain: np.ndarray | None = None,
) -> Atoms:
    """Copy with the info that the pool promises."""
    copy: Atoms = atoms.copy()
    voigt = [0.0] * 6 if strain is None else [float(s) for s in strain]
    copy.info = {
        "group": group, "prototype": prototype, "kind": kind,
        "amplitude": float(amplitude), "strain": voigt,
    }  # fmt: skip
    return copy


def _strained(atoms: Atoms, voigt: np.ndarray) -> Atoms:
    """Copy whose cell is deformed by 1 + strain, atoms with it."""
    xx, yy, zz, yz, xz, xy = voigt
    deformation = np.eye(3) + np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    copy: Atoms = atoms.copy()
    copy.set_cell(atoms.cell[:] @ deformation, scale_atoms=True)
    return copy


def _enlarge(atoms: Atoms) -> Atoms:
    """Repeat along the shortest vector until displacements are independent enough."""
    large: Atoms = atoms.copy()
    while len(large) < MIN_RATTLED_ATOMS:
        repeats = [1, 1, 1]
        repeats[int(np.argmin(np.round(large.cell.lengths(), 6)))] = 2
        large = large.repeat(repeats)
    return large


def _rattled(atoms: Atoms, amplitude: float, rng: np.random.Generator) -> tuple[Atoms, float]:
    """Copy with normal displacements, drawn again (in the end smaller) until no atoms overlap.

    Rejected draws have the largest displacements, so that those kept at 0.25 Å are 5 % smaller.

    Returns
    -------
    atoms, amplitude
        The displaced copy and the standard deviation that was used, in Å.
    """
    while True:
        for _ in range(20):
            displacements = rng.normal(scale=amplitude, size=(len(atoms), 3))
            copy: Atoms = atoms.copy()
            copy.positions += displacements - displacements.mean(axis=0)
            if not _overlaps(copy):
                return copy, amplitude
        amplitude /= 2


def _overlaps(atoms: Atoms) -> bool:
    """Whether any two atoms are closer than ``MIN_CONTACT`` times their covalent radii."""
    from ase.neighborlist import neighbor_list  # imports scipy

    radii = MIN_CONTACT * covalent_radii[atoms.numbers]
    return len(neighbor_list("i", atoms, list(radii))) > 0
