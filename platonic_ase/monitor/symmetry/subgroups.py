"""Where a breaking symmetry heads: the subgroup of a distorted structure, and who moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from platonic_ase.monitor.symmetry.generators import common_denominator
from platonic_ase.monitor.symmetry.members import equivalent
from platonic_ase.monitor.symmetry.operations import Operations
from platonic_ase.monitor.symmetry.orbits import Orbits, symmetry_dataset

_EXTRAPOLATED = 0.15
"""Å that the atom which moves most is displaced by."""
_TOLERANCE = 0.2
"""Of spglib, as a share of that."""


@dataclass(frozen=True)
class Breaking:
    """How a displacement field breaks a space group.

    Attributes
    ----------
    subgroup : str or None
        Space group of the displaced structure within the tolerance, such as ``"P4mm (99)"``;
        None where it is that of the reference: not resolved.
    orbit : str
        The orbit that tells: the one that splits and moves most, or moves most where none splits.
    minority, majority : tuple of int
        Atoms on its two sides, the smaller side first; the first is empty where it stays whole.
    """

    subgroup: str | None
    orbit: str
    minority: tuple[int, ...]
    majority: tuple[int, ...]

    def __str__(self) -> str:
        """One clause for a message."""
        many = len(self.minority) + len(self.majority) > 1
        if self.minority:
            text = f"{self.orbit} split into {len(self.minority)} and {len(self.majority)}"
        else:
            text = f"{self.orbit} {'move together' if many else 'moves'}"
        return f"{text}, towards {self.subgroup or 'a group that is not clear yet'}"


def identify_breaking(
    orbits: Orbits,
    operations: Operations,
    numbers: np.ndarray,
    displacements: np.ndarray,
    error: float = 0.0,
) -> Breaking:
    r"""Find the subgroup that displacements from the reference lead to.

    Operations that leave most of the displacement field as it is, with overlaps
    :math:`\langle u, g u \rangle` above three quarters of its square, are taken to be kept, and
    the field is averaged over them: small components of other modes drop out. The group is that of
    the structure extrapolated along the rest until an atom has moved by 0.15 Å.

    Parameters
    ----------
    orbits, operations
        Of the reference.
    numbers : ndarray of int, shape (n_atoms,)
    displacements : ndarray, shape (n_atoms, 3)
        From the sites of the reference, Å.
    error : float
        Standard error of a displacement coordinate, Å; displacements do not count below three.

    Returns
    -------
    Breaking
    """
    displacements = displacements - operations.symmetric_part(displacements)
    square = float((displacements**2).sum()) - displacements.size * error**2
    overlaps = operations.vector_overlaps(displacements, displacements)
    kept = overlaps > 0.75 * max(square, 0.0)
    smooth = operations.mean_image(displacements, kept) if kept.any() else 0 * displacements
    largest = float(np.sqrt((smooth**2).sum(axis=1).max()))
    group = None
    if largest > 0 and 3 * error < largest:
        stretch = _EXTRAPOLATED / largest
        tolerance = max(_TOLERANCE * _EXTRAPOLATED, 3 * error * stretch)
        if kept[1:].any() or _may_be_kept(stretch**2 * overlaps, len(numbers), tolerance):
            group = _group_of(orbits, operations, numbers, stretch * smooth, kept, tolerance)
        else:
            group = "P1 (1)", np.arange(len(numbers))
    lengths = np.sqrt(
        np.bincount(orbits.labels, weights=(smooth**2).sum(axis=1)) / np.bincount(orbits.labels)
    )
    labels, subgroup = orbits.labels, None
    if group is not None:
        found, equivalents = group
        fewer = len(np.unique(equivalents)) > len(lengths)
        if found != orbits.space_group or fewer:
            labels, subgroup = equivalents, found
    splits = np.array(
        [len(np.unique(labels[orbits.labels == orbit])) > 1 for orbit in range(len(lengths))]
    )
    orbit = int(np.where(splits, lengths, lengths - lengths.max() - 1).argmax())
    members = np.flatnonzero(orbits.labels == orbit)
    name = equivalent(numbers, members)
    if not splits[orbit]:
        return Breaking(subgroup, name, (), tuple(members.tolist()))
    _, parts, counts = np.unique(labels[members], return_inverse=True, return_counts=True)
    smallest = members[parts == counts.argmin()]
    others = members[parts != counts.argmin()]
    return Breaking(subgroup, name, tuple(smallest.tolist()), tuple(others.tolist()))


def _may_be_kept(overlaps: np.ndarray, n_atoms: int, tolerance: float) -> bool:
    r"""Whether an operation but the identity may take each atom to within a tolerance of another.

    Then :math:`\|u - g u\|^2 = 2 (\|u\|^2 - \langle u, g u \rangle)` is at most n times the
    square of the tolerance, wherever the origin is put, since the mean of u is zero.

    Parameters
    ----------
    overlaps : ndarray, shape (n_operations,)
        Those with the images, Å²; the first is that of the identity.
    n_atoms : int
    tolerance : float
        Å.
    """
    return bool((2 * (overlaps[0] - overlaps[1:]) <= n_atoms * tolerance**2).any())


def _group_of(
    orbits: Orbits,
    operations: Operations,
    numbers: np.ndarray,
    displacements: np.ndarray,
    kept: np.ndarray,
    tolerance: float,
) -> tuple[str, np.ndarray] | None:
    """Space group of a displaced structure, and a label of equivalent atoms, shape (n_atoms,).

    Where lattice translations are kept, spglib is given the smallest cell that they leave.
    """
    cell, fractional = orbits.cell, orbits.fractional + displacements @ orbits.inverse
    basis, classes = np.eye(3), np.arange(len(numbers))
    chosen = operations.translations[kept[:: len(operations.rotations)]]
    if len(chosen) > 1:
        smaller = lattice_of(orbits.fractional[chosen[:, 0]] - orbits.fractional[0])
        _, labels = np.unique(chosen.min(axis=0), return_inverse=True)
        first = np.unique(labels, return_index=True)[1]
        periodic = np.abs(displacements - displacements[first][labels]).max() < 0.1 * tolerance
        if smaller is not None and len(first) * len(chosen) == len(numbers) and periodic:
            basis, classes = smaller, labels
            fractional, numbers = fractional[first], numbers[first]
    dataset = symmetry_dataset(
        (basis @ cell, fractional @ np.linalg.inv(basis), numbers), tolerance
    )
    if dataset is None:
        return None
    return f"{dataset.international} ({dataset.number})", dataset.equivalent_atoms[classes]


def lattice_of(translations: np.ndarray) -> np.ndarray | None:
    """Basis of the lattice of a group of translations and the unit vectors, in rows, shape (3, 3).

    Parameters
    ----------
    translations : ndarray, shape (m, 3)
        Fractional, the identity among them; any lattice vector may be added to each.

    Returns
    -------
    ndarray or None
        None where they make no group.
    """
    grid = common_denominator(translations)
    steps = np.unique(np.rint(translations * grid).astype(int) % grid, axis=0)
    rows = [*steps.tolist(), *(grid * np.eye(3, dtype=int)).tolist()]
    basis = []
    for axis in range(3):
        pivot = [0, 0, 0]
        rest = []
        for row in rows:  # Euclid's algorithm on two rows at a time
            while row[axis]:
                times = pivot[axis] // row[axis]
                pivot, row = row, [a - times * b for a, b in zip(pivot, row, strict=True)]
            if any(row):
                rest.append(row)
        basis.append(pivot)
        rows = rest
    found = np.array(basis) / grid
    volume = abs(float(np.linalg.det(found)))
    return found if abs(volume * len(translations) - 1) < 1e-6 else None
