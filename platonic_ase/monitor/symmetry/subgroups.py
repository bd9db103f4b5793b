"""Where a breaking symmetry heads: the subgroup of a distorted structure, and who moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
    kept = operations.select(overlaps > 0.75 * max(square, 0.0))
    smooth = kept.symmetric_part(displacements)
    largest = float(np.sqrt((smooth**2).sum(axis=1).max()))
    dataset = None
    if largest > 0 and 3 * error < largest:
        stretch = _EXTRAPOLATED / largest
        fractional = orbits.fractional + stretch * smooth @ np.linalg.inv(orbits.cell)
        tolerance = max(_TOLERANCE * _EXTRAPOLATED, 3 * error * stretch)
        dataset = symmetry_dataset((orbits.cell, fractional, numbers), tolerance)
    lengths = np.sqrt(
        np.bincount(orbits.labels, weights=(smooth**2).sum(axis=1)) / np.bincount(orbits.labels)
    )
    labels, subgroup = orbits.labels, None
    if dataset is not None:
        found = f"{dataset.international} ({dataset.number})"
        fewer = len(np.unique(dataset.equivalent_atoms)) > len(lengths)
        if found != orbits.space_group or fewer:
            labels, subgroup = dataset.equivalent_atoms, found
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
