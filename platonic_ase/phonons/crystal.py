"""A supercell at rest and its displaced copies, whose contributions are kept as they arrive."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.monitor.symmetry.generators import site_permutation
from platonic_ase.monitor.symmetry.orbits import symmetry_dataset
from platonic_ase.phonons.chemistry import formal_valences
from platonic_ase.phonons.features import DisplacementFeatures, combine, orbit_row
from platonic_ase.phonons.kinds import bonded_dimension
from platonic_ase.phonons.sites import Probe, Rest, SiteResponse, opposite, site_response

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.space.reference import ReferenceManifold

_SYMPREC, _NEAR = 1e-2, 0.1


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
    u = probe.displacement
    fractional = atoms.get_scaled_positions(wrap=False)
    cartesian = np.einsum("ab,nbc,cd->nad", cell.T, rotations, np.linalg.inv(cell).T)
    turned = np.linalg.norm(cartesian @ u + u, axis=1) < 1e-3 * np.linalg.norm(u)
    centre = fractional[probe.atom]
    for rotation, matrix in zip(rotations[turned], cartesian[turned], strict=True):
        shift = centre - rotation @ centre
        target = site_permutation(fractional, rotation, shift)
        gap = fractional @ rotation.T + shift - fractional[target]
        far = np.linalg.norm((gap - np.rint(gap)) @ cell, axis=1).max()
        if far > _NEAR or len(np.unique(target)) < len(target):
            continue
        if (atoms.numbers[target] != atoms.numbers).any():
            continue
        forces, platonic = np.empty_like(probe.forces), np.empty_like(probe.platonic)
        forces[target] = probe.forces @ matrix.T
        platonic[target] = probe.platonic
        return Probe(probe.atom, -u, forces, platonic)
    return None


@dataclass
class DisplacedCrystal:
    """A supercell at rest and the displaced copies of it seen so far.

    Attributes
    ----------
    atoms : Atoms
        At rest; not to be changed.
    forces : ndarray, shape (n_atoms, 3)
        Residual forces, eV/Å; zero where they were not calculated.
    platonic : ndarray, shape (n_atoms, K)
    inferred : bool
        Whether the supercell at rest was not calculated: its Platonic coordinates are then those
        of the translation-equivalent atoms farthest from the displaced one.
    probes : list of Probe

    Notes
    -----
    A new probe changes the responses of its atom, and the means of its orbit, only: the rest is
    kept, so that features cost the same after many probes as after one.
    """

    atoms: Atoms
    forces: np.ndarray
    platonic: np.ndarray
    inferred: bool = False
    probes: list[Probe] = field(default_factory=list)
    _lengths: list[float] = field(default_factory=list)
    _probes_of: dict[int, list[int]] = field(default_factory=dict)  # by atom
    _mirrors: dict[int, Probe | None] = field(default_factory=dict)  # by probe
    _distances: dict[int, np.ndarray] = field(default_factory=dict)  # by atom
    _sites: dict[tuple[int, int | None], SiteResponse] = field(default_factory=dict)  # by probes
    _responses: dict[int, list[tuple[int, SiteResponse]]] = field(default_factory=dict)  # by atom
    _rows: dict[int, np.ndarray] = field(default_factory=dict)  # by orbit
    _changed: dict[int, None] = field(default_factory=dict)  # atoms, in the order of their probes
    _manifold: tuple[ReferenceManifold, float] | None = None

    @property
    def orbits(self) -> np.ndarray:
        """Label of the orbit of each atom, shape (n_atoms,)."""
        return self._symmetry[0]

    @property
    def rotations(self) -> np.ndarray:
        """Rotation parts of the space group, on fractional coordinates, shape (n, 3, 3)."""
        return self._symmetry[1]

    @cached_property
    def dimension(self) -> int:
        """In how many directions the bonds go on for ever."""
        return bonded_dimension(self.atoms)

    @cached_property
    def key(self) -> str:
        """Name of the supercell, the same for all displaced copies of it."""
        return crystal_key(self.atoms)

    @cached_property
    def formula(self) -> str:
        """Reduced chemical formula."""
        return str(self.atoms.get_chemical_formula("metal", empirical=True))

    @property
    def complete(self) -> bool:
        """Whether at least one atom of every orbit was moved."""
        seen = np.unique(self.orbits[list(self._probes_of)])
        return len(seen) == self._n_orbits

    @property
    def lengths(self) -> tuple[float, float]:
        """Shortest and longest displacement, Å."""
        return min(self._lengths), max(self._lengths)

    def matches(self, atoms: Atoms) -> bool:
        """Whether a structure has the same atoms and the same cell."""
        return (
            len(atoms) == len(self.atoms)
            and np.array_equal(atoms.numbers, self.atoms.numbers)
            and bool(np.abs(atoms.cell.array - self.atoms.cell.array).max() <= 1e-5)
        )

    def add(self, probe: Probe) -> None:
        """Add a displaced copy; one seen before is replaced."""
        of_atom = self._probes_of.setdefault(probe.atom, [])
        self._changed[probe.atom] = None
        length = float(np.linalg.norm(probe.displacement))
        for k in of_atom:
            if _same(self.probes[k].displacement, probe.displacement):
                self.probes[k], self._lengths[k] = probe, length
                self._mirrors.pop(k, None)
                self._sites = {pair: s for pair, s in self._sites.items() if k not in pair}
                return
        of_atom.append(len(self.probes))
        self.probes.append(probe)
        self._lengths.append(length)

    def calculated(self, forces: np.ndarray, platonic: np.ndarray) -> None:
        """Take over the supercell at rest, calculated after displaced copies of it.

        Parameters
        ----------
        forces : ndarray, shape (n_atoms, 3)
            eV/Å.
        platonic : ndarray, shape (n_atoms, K)
        """
        self.forces, self.platonic, self.inferred = forces, platonic, False
        self._sites.clear()
        self._rows.clear()
        self._manifold = None
        self._changed = dict.fromkeys(self._probes_of)

    def responses(self) -> tuple[SiteResponse, ...]:
        """Response of each atom moved, along each line, in the order of the probes."""
        self._update()
        found = [each for of_atom in self._responses.values() for each in of_atom]
        return tuple(response for _, response in sorted(found, key=lambda each: each[0]))

    def features(self, reference: ReferenceManifold | None = None) -> DisplacementFeatures:
        """Features of the crystal.

        Parameters
        ----------
        reference : ReferenceManifold, optional
        """
        self._update()
        if reference is None:
            distance = np.nan
        else:
            if self._manifold is None or self._manifold[0] is not reference:
                far = reference.distances(self.platonic, self.atoms.numbers)
                self._manifold = (reference, float(far.mean()))
            distance = self._manifold[1]
        orbits = list(self._rows)
        return combine(
            np.array(list(self._rows.values())),
            self._orbit_valences[orbits],
            self._orbit_masses[orbits],
            self._orbit_counts[orbits],
            self._n_elements,
            distance,
        )

    def _update(self) -> None:
        orbits: dict[int, None] = {}
        for atom in self._changed:
            self._responses[atom] = self._respond(atom)
            orbits[int(self.orbits[atom])] = None
        self._changed.clear()
        for orbit in orbits:
            members = [
                each
                for atom, of_atom in self._responses.items()
                if self.orbits[atom] == orbit
                for each in of_atom
            ]
            members.sort(key=lambda each: each[0])
            self._rows[orbit] = orbit_row([response for _, response in members])

    def _respond(self, atom: int) -> list[tuple[int, SiteResponse]]:
        """Responses of one atom, opposite displacements together, by the first of their probes."""
        left = self._with_mirrors(atom)
        rest = self._rest(atom)
        found = []
        while left:
            k, plus = left.pop(0)
            partner = next((n for n, (_, p) in enumerate(left) if opposite(plus, p)), None)
            other, minus = (None, None) if partner is None else left.pop(partner)
            if (k, other) not in self._sites:
                self._sites[k, other] = site_response(rest, plus, minus)
            found.append((k, self._sites[k, other]))
        return found

    def _with_mirrors(self, atom: int) -> list[tuple[int, Probe]]:
        """Probes of an atom, and the one at -u that symmetry gives where it was not calculated."""
        everything = []
        probes = [(k, self.probes[k]) for k in self._probes_of[atom]]
        for k, probe in probes:
            everything.append((k, probe))
            if any(_same(other.displacement, -probe.displacement) for _, other in probes):
                continue
            if k not in self._mirrors:
                self._mirrors[k] = mirrored(self.atoms, self.rotations, probe)
            if (mirror := self._mirrors[k]) is not None:
                everything.append((k, mirror))
        return everything

    def _rest(self, atom: int) -> Rest:
        if atom not in self._distances:
            everything = np.arange(len(self.atoms))
            self._distances[atom] = self.atoms.get_distances(atom, everything, mic=True)
        return Rest(self.atoms.numbers, self._distances, self.orbits, self.forces, self.platonic)

    @cached_property
    def _symmetry(self) -> tuple[np.ndarray, np.ndarray]:
        cell = (self.atoms.cell.array, self.atoms.get_scaled_positions(), self.atoms.numbers)
        dataset = symmetry_dataset(cell, _SYMPREC)
        if dataset is None:
            return np.arange(len(self.atoms)), np.eye(3, dtype=int)[None]
        _, orbits = np.unique(dataset.equivalent_atoms, return_inverse=True)
        return orbits, np.unique(dataset.rotations, axis=0)

    @cached_property
    def _n_orbits(self) -> int:
        return len(np.unique(self.orbits))

    @cached_property
    def _n_elements(self) -> int:
        return len(np.unique(self.atoms.numbers))

    @cached_property
    def _orbit_valences(self) -> np.ndarray:
        """Formal valence of the atoms of each orbit, shape (n_orbits,)."""
        _, first = np.unique(self.orbits, return_index=True)
        return np.asarray(formal_valences(self.atoms.numbers)[first])

    @cached_property
    def _orbit_masses(self) -> np.ndarray:
        """Mass of the atoms of each orbit, u, shape (n_orbits,)."""
        _, first = np.unique(self.orbits, return_index=True)
        return np.asarray(self.atoms.get_masses()[first])

    @cached_property
    def _orbit_counts(self) -> np.ndarray:
        """Number of atoms of each orbit, shape (n_orbits,)."""
        return np.bincount(self.orbits)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(one - other).max() <= 1e-5)


def crystal_key(atoms: Atoms) -> str:
    """Name of a supercell, the same for all displaced copies of it."""
    digest = hashlib.blake2b(np.ascontiguousarray(atoms.numbers).tobytes(), digest_size=8)
    digest.update(np.round(atoms.cell.array, 3).tobytes())
    return f"{atoms.get_chemical_formula('metal')}-{digest.hexdigest()}"
