"""Displaced supercells: recognise them, find what they were displaced from, collect them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.monitor.symmetry.orbits import symmetry_dataset
from platonic_ase.phonons.features import (
    DisplacementFeatures,
    Probe,
    Rest,
    SiteResponse,
    aggregate,
    site_responses,
)

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.space.reference import ReferenceManifold

SAME_PLACE = 1e-3
"""Å within which an atom counts as not moved."""
SMALLEST, LARGEST = 5e-3, 0.1
"""Å: what counts as a finite displacement."""
FEW = 4
"""So many atoms may move at a time in what is still taken for a displaced supercell."""
_SYMPREC = 1e-2


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
    mapped = [found for t in _candidates(atoms) if (found := _translate(atoms, t)) is not None]
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


def _translate(atoms: Atoms, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Where a translation takes each atom, and by how much it misses; None if no symmetry."""
    from scipy.spatial import cKDTree

    lengths = atoms.cell.lengths()
    inverse = np.linalg.inv(atoms.cell.array)
    scaled = (atoms.positions @ inverse) % 1.0 % 1.0 * lengths
    shifted = ((atoms.positions + vector) @ inverse) % 1.0 % 1.0 * lengths
    _, target = cKDTree(scaled, boxsize=lengths).query(shifted)
    if len(np.unique(target)) < len(target) or (atoms.numbers[target] != atoms.numbers).any():
        return None
    gap = shifted / lengths - scaled[target] / lengths
    gap = (gap - np.rint(gap)) @ atoms.cell.array
    misses = np.linalg.norm(gap, axis=1)
    if (misses > SAME_PLACE).sum() > 2 or misses.max() > LARGEST:
        return None
    return np.asarray(target), np.asarray(gap)


def mirrored(atoms: Atoms, rotations: np.ndarray, probe: Probe) -> Probe | None:
    r"""The probe at :math:`-u` that symmetry gives, where an operation of the site turns u round.

    Forces turn with the operation, Platonic coordinates only change places.

    Parameters
    ----------
    atoms : Atoms
        The supercell at rest.
    rotations : ndarray of int, shape (n, 3, 3)
        Rotation parts of its space group, acting on fractional coordinates.
    probe : Probe

    Returns
    -------
    Probe or None
    """
    cell = atoms.cell.array
    inverse = np.linalg.inv(cell)
    u = probe.displacement
    cartesian = np.einsum("ab,nbc,cd->nad", cell.T, rotations, inverse.T)
    turned = np.linalg.norm(cartesian @ u + u, axis=1) < 1e-3 * np.linalg.norm(u)
    centre = atoms.positions[probe.atom]
    for rotation in cartesian[turned]:
        target = _map_onto(atoms, (atoms.positions - centre) @ rotation.T + centre)
        if target is None:
            continue
        forces, platonic = np.empty_like(probe.forces), np.empty_like(probe.platonic)
        forces[target] = probe.forces @ rotation.T
        platonic[target] = probe.platonic
        return Probe(probe.atom, -u, forces, platonic)
    return None


def _map_onto(atoms: Atoms, positions: np.ndarray) -> np.ndarray | None:
    """Which atoms sit at these positions, all of them and with the same elements."""
    from scipy.spatial import cKDTree

    lengths = atoms.cell.lengths()
    inverse = np.linalg.inv(atoms.cell.array)
    scaled = (atoms.positions @ inverse) % 1.0 % 1.0 * lengths
    _, target = cKDTree(scaled, boxsize=lengths).query(
        (positions @ inverse) % 1.0 % 1.0 * lengths, distance_upper_bound=0.1
    )
    if (target == len(atoms)).any() or len(np.unique(target)) < len(target):
        return None
    return None if (atoms.numbers[target] != atoms.numbers).any() else np.asarray(target)


@dataclass
class DisplacedCrystal:
    """A supercell at rest and the displaced copies of it seen so far.

    Attributes
    ----------
    atoms : Atoms
        At rest.
    forces : ndarray, shape (n_atoms, 3)
        Residual forces, eV/Å; zero where they were not calculated.
    platonic : ndarray, shape (n_atoms, K)
    inferred : bool
        Whether the supercell at rest was not calculated: its Platonic coordinates are then those
        of the translation-equivalent atoms farthest from the displaced one.
    probes : list of Probe
    """

    atoms: Atoms
    forces: np.ndarray
    platonic: np.ndarray
    inferred: bool = False
    probes: list[Probe] = field(default_factory=list)
    _orbits: np.ndarray | None = None
    _rotations: np.ndarray | None = None
    _mirrors: dict[int, Probe | None] = field(default_factory=dict)
    _distances: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def orbits(self) -> np.ndarray:
        """Label of the orbit of each atom, shape (n_atoms,)."""
        self._find_symmetry()
        assert self._orbits is not None
        return self._orbits

    @property
    def complete(self) -> bool:
        """Whether at least one atom of every orbit was moved."""
        seen = {int(self.orbits[probe.atom]) for probe in self.probes}
        return len(seen) == len(np.unique(self.orbits))

    def matches(self, atoms: Atoms) -> bool:
        """Whether a structure has the same atoms and the same cell."""
        return (
            len(atoms) == len(self.atoms)
            and np.array_equal(atoms.numbers, self.atoms.numbers)
            and np.allclose(atoms.cell.array, self.atoms.cell.array, rtol=0, atol=1e-5)
        )

    def add(self, probe: Probe) -> None:
        """Add a displaced copy; one seen before is replaced."""
        for k, known in enumerate(self.probes):
            if known.atom == probe.atom and np.allclose(
                known.displacement, probe.displacement, atol=1e-5
            ):
                self.probes[k] = probe
                self._mirrors.pop(k, None)
                return
        self.probes.append(probe)

    def rest(self) -> Rest:
        """The supercell at rest, as the features need it."""
        moved = sorted({probe.atom for probe in self.probes})
        everything = np.arange(len(self.atoms))
        for i in moved:
            if i not in self._distances:
                self._distances[i] = self.atoms.get_distances(i, everything, mic=True)
        return Rest(self.atoms.numbers, self._distances, self.orbits, self.forces, self.platonic)

    def responses(self) -> tuple[SiteResponse, ...]:
        """Response of each atom moved, along each line."""
        return site_responses(self.rest(), self._with_mirrors())

    def features(self, reference: ReferenceManifold | None = None) -> DisplacementFeatures:
        """Features of the crystal.

        Parameters
        ----------
        reference : ReferenceManifold, optional
        """
        distance = np.nan
        if reference is not None:
            distance = float(reference.distances(self.platonic, self.atoms.numbers).mean())
        return aggregate(self.rest(), self.responses(), distance)

    def _with_mirrors(self) -> Sequence[Probe]:
        self._find_symmetry()
        assert self._rotations is not None
        everything = []
        for k, probe in enumerate(self.probes):
            everything.append(probe)
            if any(
                other.atom == probe.atom
                and np.allclose(other.displacement, -probe.displacement, atol=1e-5)
                for other in self.probes
            ):
                continue
            if k not in self._mirrors:
                self._mirrors[k] = mirrored(self.atoms, self._rotations, probe)
            if (mirror := self._mirrors[k]) is not None:
                everything.append(mirror)
        return everything

    def _find_symmetry(self) -> None:
        if self._orbits is not None:
            return
        cell = (self.atoms.cell.array, self.atoms.get_scaled_positions(), self.atoms.numbers)
        dataset = symmetry_dataset(cell, _SYMPREC)
        if dataset is None:
            self._orbits = np.arange(len(self.atoms))
            self._rotations = np.eye(3, dtype=int)[None]
            return
        _, self._orbits = np.unique(dataset.equivalent_atoms, return_inverse=True)
        self._rotations = np.unique(dataset.rotations, axis=0)
