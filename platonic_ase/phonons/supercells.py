"""Displaced supercells: recognise them, and find what they were displaced from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

SAME_PLACE = 1e-3
"""Å within which an atom counts as not moved."""
SMALLEST, LARGEST = 4.9e-3, 0.1001
"""Å: what counts as a finite displacement: 0.005 to 0.1, with room for rounding."""
_TRIED = 8
"""Atoms that tell most vectors from translations before all are looked at."""
FEW = 4
"""So many atoms may move at a time in what is still taken for a displaced supercell."""


@dataclass(frozen=True)
class Ideal:
    """A lattice inferred from a supercell in which at most one atom is off its site.

    Attributes
    ----------
    positions : ndarray, shape (n_atoms, 3)
        Å.
    moved : int
        The atom off its site; -1 where there is none.
    displacement : ndarray, shape (3,)
        Its displacement, Å.
    twins : ndarray of int, shape (n_translations, n_atoms)
        Where each lattice translation found takes every atom.
    """

    positions: np.ndarray
    moved: int
    displacement: np.ndarray
    twins: np.ndarray


def displacements(atoms: Atoms, positions: np.ndarray) -> np.ndarray:
    """Shortest vectors from reference positions to those of a structure, shape (n_atoms, 3)."""
    difference = atoms.positions - positions
    if not atoms.pbc.any():
        return np.asarray(difference)
    from ase.geometry import find_mic

    if np.abs(difference).max() < LARGEST:
        return np.asarray(difference)
    return np.asarray(find_mic(difference, atoms.cell, atoms.pbc)[0])


def single_displacement(shifts: np.ndarray) -> tuple[int, np.ndarray] | None:
    """The one atom that moved by a finite displacement, or None.

    Parameters
    ----------
    shifts : ndarray, shape (n_atoms, 3)
        Å.

    Returns
    -------
    atom : int
    displacement : ndarray, shape (3,)
    """
    lengths = np.linalg.norm(shifts, axis=1)
    moved = np.flatnonzero(lengths > SAME_PLACE)
    if len(moved) != 1 or not SMALLEST <= lengths[moved[0]] <= LARGEST:
        return None
    return int(moved[0]), shifts[moved[0]]


def few_displacements(shifts: np.ndarray) -> np.ndarray | None:
    """The atoms that moved, two to :data:`FEW` and fewer than half of all, or None.

    Parameters
    ----------
    shifts : ndarray, shape (n_atoms, 3)
        Å; each has to be a finite displacement or none.

    Returns
    -------
    ndarray of int or None
    """
    lengths = np.linalg.norm(shifts, axis=1)
    moved = np.flatnonzero(lengths > SAME_PLACE)
    finite = ((lengths[moved] >= SMALLEST) & (lengths[moved] <= LARGEST)).all()
    if not (2 <= len(moved) <= FEW and 2 * len(moved) < len(shifts) and finite):
        return None
    return moved


def infer_ideal(atoms: Atoms, forces: np.ndarray) -> Ideal | None:
    """The lattice of a supercell in which at most one atom is displaced.

    A lattice translation maps a perfect supercell onto itself, and all but two atoms of one with
    a single displaced atom. The displaced atom is the one that fails under every translation;
    where only a translation of order two is there to tell, the one with the larger force.

    Parameters
    ----------
    atoms : Atoms
    forces : ndarray, shape (n_atoms, 3)

    Returns
    -------
    Ideal or None
        None where there is no such lattice: no supercell, or more than one atom displaced.
    """
    if not atoms.pbc.all() or len(atoms) < 2:
        return None
    mapped, lattice = [], _Lattice(atoms)
    for vector in _candidates(atoms):
        found = lattice.translate(vector)
        if found is not None:
            mapped.append(found)
            if np.linalg.norm(found[1], axis=1).max() <= SAME_PLACE:
                break  # no atom is displaced
    if not mapped:
        return None
    twins = np.array([target for target, _ in mapped])
    gaps = np.array([gap for _, gap in mapped])  # (n_translations, n_atoms, 3)
    failing = (np.linalg.norm(gaps, axis=2) > SAME_PLACE).all(axis=0)
    suspects = np.flatnonzero(failing)
    if len(suspects) == 0:
        return Ideal(atoms.positions.copy(), -1, np.zeros(3), twins)
    moved = int(suspects[np.argmax(np.linalg.norm(forces[suspects], axis=1))])
    displacement = gaps[:, moved].mean(axis=0)
    positions = atoms.positions.copy()
    positions[moved] -= displacement
    return Ideal(positions, moved, displacement, twins)


def _candidates(atoms: Atoms, at_most: int = 130) -> list[np.ndarray]:
    """Vectors between equal atoms, from up to four atoms of the rarest elements."""
    elements, counts = np.unique(atoms.numbers, return_counts=True)
    order = np.argsort(counts, kind="stable")
    found: list[np.ndarray] = []
    for element in elements[order][:2]:
        members = np.flatnonzero(atoms.numbers == element)
        for start in members[:2]:
            others = members[members != start]
            found += list(atoms.positions[others] - atoms.positions[start])
            if len(found) > at_most:
                return found
    return found


class _Lattice:
    """Tries translations of one supercell."""

    def __init__(self, atoms: Atoms) -> None:
        from scipy.spatial import cKDTree

        self._atoms = atoms
        self._lengths = atoms.cell.lengths()
        self._inverse = np.linalg.inv(atoms.cell.array)
        self._scaled = (atoms.positions @ self._inverse) % 1.0 % 1.0 * self._lengths
        self._tree = cKDTree(self._scaled, boxsize=self._lengths)

    def translate(self, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Where a translation takes each atom, and by how much it misses; None if no symmetry."""
        if self._map(vector, _TRIED) is None or (found := self._map(vector)) is None:
            return None
        (target, gap), numbers = found, self._atoms.numbers
        if len(np.unique(target)) < len(numbers) or (numbers[target] != numbers).any():
            return None
        return target, gap

    def _map(
        self, vector: np.ndarray, first: int | None = None
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Where the first so many atoms go; None if more than two of them miss."""
        positions, lengths = self._atoms.positions[:first], self._lengths
        shifted = ((positions + vector) @ self._inverse) % 1.0 % 1.0 * lengths
        _, target = self._tree.query(shifted)
        gap = shifted / lengths - self._scaled[target] / lengths
        gap = (gap - np.rint(gap)) @ self._atoms.cell.array
        misses = np.linalg.norm(gap, axis=1)
        if (misses > SAME_PLACE).sum() > 2 or misses.max() > LARGEST:
            return None
        return np.asarray(target), np.asarray(gap)
