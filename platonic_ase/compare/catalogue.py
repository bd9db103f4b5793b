"""What the structures themselves say, whatever the model: elements, labels, hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import atomic_numbers, covalent_radii
from ase.neighborlist import neighbor_list

if TYPE_CHECKING:
    from ase import Atoms

BOND = 1.2
"""Atoms closer than this many sums of their covalent radii count as neighbours."""

# By falling electronegativity (Pauling): the first that a compound holds names its family.
_ANIONS = (
    ("F", "halide"), ("O", "oxide"), ("Cl", "halide"), ("N", "pnictide"), ("Br", "halide"),
    ("I", "halide"), ("S", "chalcogenide"), ("Se", "chalcogenide"), ("C", "carbide"),
    ("H", "hydride"), ("P", "pnictide"), ("As", "pnictide"), ("Te", "chalcogenide"),
    ("B", "boride"), ("Sb", "pnictide"), ("Si", "silicide"),
)  # fmt: skip


@dataclass(frozen=True)
class Catalogue:
    """Labels of S structures and their n atoms.

    Attributes
    ----------
    digests : tuple of str
        One short hash a structure, of elements, cell, positions and boundary conditions.
    formulas : tuple of str
        Reduced formulas.
    families : ndarray of str, shape (S,)
        Such as ``"oxide"``; see :func:`family`.
    space_groups : ndarray of str, shape (S,)
        Such as ``"Fm-3m (225)"``; ``"none"`` where spglib finds none, or nothing is periodic.
    energies : ndarray, shape (S,)
        eV per atom, as the file has them (DFT); NaN where it has none.
    numbers, structures : ndarray of int, shape (n,)
        Atomic number and structure of each atom.
    orbits : ndarray of int, shape (n,)
        Atoms with the same number are equivalent by the symmetry of their structure (spglib, to
        0.01 Å); each atom for itself where spglib finds none, or nothing is periodic.
    coordination : ndarray, shape (n,)
        Neighbours within :data:`BOND` sums of covalent radii.
    magmoms : ndarray, shape (n,)
        Sizes of magnetic moments in μB as the file has them; NaN where it has none.
    magmom_source : str
        What the moments are, where they are not those of the file.
    """

    digests: tuple[str, ...]
    formulas: tuple[str, ...]
    families: np.ndarray
    space_groups: np.ndarray
    energies: np.ndarray
    numbers: np.ndarray
    structures: np.ndarray
    orbits: np.ndarray
    coordination: np.ndarray
    magmoms: np.ndarray
    magmom_source: str = ""

    def __len__(self) -> int:
        return len(self.digests)


def describe(structures: Iterable[Atoms], *, progress: bool = False) -> Catalogue:
    """Catalogue structures in one pass, keeping none of them.

    Parameters
    ----------
    structures : iterable of Atoms
    progress : bool
        Whether to show a progress bar.
    """
    from tqdm.auto import tqdm

    bar = tqdm(structures, desc="reading structures", disable=not progress)
    rows = [_describe_one(atoms) for atoms in bar]
    sizes = [len(row["numbers"]) for row in rows]
    before = np.cumsum([0, *sizes])  # orbits of different structures are different
    return Catalogue(
        digests=tuple(row["digest"] for row in rows),
        formulas=tuple(row["formula"] for row in rows),
        families=np.array([row["family"] for row in rows], dtype=str),
        space_groups=np.array([row["space_group"] for row in rows], dtype=str),
        energies=np.array([row["energy"] for row in rows], dtype=float),
        numbers=_joined([row["numbers"] for row in rows], int),
        structures=np.repeat(np.arange(len(rows)), sizes),
        orbits=_joined([row["orbits"] + n for row, n in zip(rows, before, strict=False)], int),
        coordination=_joined([row["coordination"] for row in rows], float),
        magmoms=_joined([row["magmoms"] for row in rows], float),
    )


def digest(atoms: Atoms) -> str:
    """Hash of a structure: 16 digits, of its elements, boundaries, cell and positions to 1e-6 Å."""
    sha = hashlib.sha256(atoms.numbers.astype(np.int64).tobytes())
    sha.update(np.asarray(atoms.pbc, np.uint8).tobytes())
    for lengths in (atoms.cell.array, atoms.positions):
        sha.update((np.round(lengths * 1e6).astype(np.int64)).tobytes())
    return sha.hexdigest()[:16]


def family(atoms: Atoms) -> str:
    """Chemical family by the most electronegative element; "element" or "intermetallic" else."""
    present = set(atoms.numbers.tolist())
    if len(present) == 1:
        return "element"
    for symbol, name in _ANIONS:
        if atomic_numbers[symbol] in present:
            return name
    return "intermetallic"


def _describe_one(atoms: Atoms) -> dict[str, Any]:
    results = getattr(atoms.calc, "results", {})
    energy = results.get("energy", atoms.info.get("energy"))
    space_group, orbits = _symmetry(atoms)
    neighbours = neighbor_list("i", atoms, list(BOND * covalent_radii[atoms.numbers]))
    return {
        "digest": digest(atoms),
        "formula": atoms.get_chemical_formula("metal", empirical=True),
        "family": family(atoms),
        "space_group": space_group,
        "orbits": orbits,
        "energy": np.nan if energy is None else float(energy) / len(atoms),
        "numbers": atoms.numbers,
        "coordination": np.bincount(neighbours, minlength=len(atoms)),
        "magmoms": moment_sizes(atoms),
    }


def moment_sizes(atoms: Atoms) -> np.ndarray:
    """Sizes of magnetic moments, shape (n_atoms,), collinear or not; NaN where there are none."""
    moments = getattr(atoms.calc, "results", {}).get("magmoms", atoms.arrays.get("magmoms"))
    if moments is None:
        return np.full(len(atoms), np.nan)
    return np.asarray(np.linalg.norm(np.reshape(moments, (len(atoms), -1)), axis=1))


def _symmetry(atoms: Atoms) -> tuple[str, np.ndarray]:
    from platonic_ase.monitor.symmetry.orbits import find_orbits

    orbits = find_orbits(atoms) if atoms.cell.rank == 3 and atoms.pbc.all() else None
    if orbits is None:
        return "none", np.arange(len(atoms))
    return orbits.space_group, orbits.labels


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype)
