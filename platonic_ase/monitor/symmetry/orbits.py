"""Crystallographic orbits, and how far a geometry and its Platonic coordinates break them."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.monitor.symmetry.generators import (
    connected_atoms,
    generating_set,
    rotations_keeping,
    site_permutation,
)
from platonic_ase.monitor.symmetry.kinds import atom_kinds, held_directions
from platonic_ase.monitor.symmetry.members import Members

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Orbits:
    """Symmetry of a reference structure.

    Atoms that differ in mass, initial magnetic moment or constraints are not equivalent.

    Attributes
    ----------
    labels : ndarray of int, shape (n_atoms,)
        Orbit of each atom, 0..n_orbits-1: atoms of one orbit are symmetry-equivalent.
    space_group : str
        International symbol and number, such as ``"Fm-3m (225)"``.
    rotations : ndarray of int, shape (n_generators, 3, 3)
        Rotation parts of a generating set, acting on fractional coordinates: x' = W x + w.
    permutations : ndarray of int, shape (n_generators, n_atoms)
        Atom ``permutations[g, i]`` is where generator g takes atom i.
    fractional : ndarray, shape (n_atoms, 3)
        Fractional coordinates of the reference.
    cell : ndarray, shape (3, 3)
        Reference cell vectors in rows, Å.
    spacing : ndarray, shape (n_atoms,)
        Distance to the nearest neighbour in the reference, Å.
    """

    labels: np.ndarray
    space_group: str
    rotations: np.ndarray
    permutations: np.ndarray
    fractional: np.ndarray
    cell: np.ndarray
    spacing: np.ndarray

    @cached_property
    def watched(self) -> np.ndarray:
        """Orbits of more than one atom, which alone can split."""
        return np.flatnonzero(self.sizes > 1)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Number of atoms of each orbit, shape (n_orbits,)."""
        return np.bincount(self.labels)

    @cached_property
    def inverse(self) -> np.ndarray:
        """Of the reference cell, shape (3, 3), Å^-1."""
        return np.linalg.inv(self.cell)

    @cached_property
    def images(self) -> tuple[np.ndarray, np.ndarray]:
        """Rotation parts side by side, (3, 3 n_generators); images of atoms, (n, n_generators)."""
        turns = self.rotations.transpose(2, 0, 1).reshape(3, -1).astype(float)
        return np.ascontiguousarray(turns), np.ascontiguousarray(self.permutations.T)

    @cached_property
    def cell_asymmetry(self) -> float:
        """That of the reference cell itself, of rounding."""
        return _cell_asymmetry(self.rotations, self.cell)

    @cached_property
    def members(self) -> Members:
        """The atoms of each orbit."""
        return Members(self.labels)


def find_orbits(atoms: Atoms, symprec: float = 1e-2) -> Orbits | None:
    """Orbits of a periodic structure, by spglib.

    Parameters
    ----------
    atoms : Atoms
    symprec : float
        Tolerance in Å.

    Returns
    -------
    Orbits or None
        None where the structure has no three-dimensional cell or spglib finds no symmetry.
    """
    if atoms.cell.rank < 3 or not atoms.pbc.any():
        return None
    fractional = atoms.get_scaled_positions(wrap=False)
    dataset = symmetry_dataset((atoms.cell.array, fractional, atom_kinds(atoms)), symprec)
    if dataset is None:
        return None
    rotations, translations = dataset.rotations, dataset.translations
    group = f"{dataset.international} ({dataset.number})"
    allowed = rotations_keeping(rotations, atoms.cell.array, held_directions(atoms))
    if not allowed.all():
        rotations, translations = rotations[allowed], translations[allowed]
        group = f"a subgroup of {group}"
    chosen = generating_set(rotations, translations)
    rotations = rotations[chosen]
    permutations = np.array(
        [
            site_permutation(fractional, w, t)
            for w, t in zip(rotations, translations[chosen], strict=True)
        ],
        dtype=np.int64,
    ).reshape(len(chosen), len(atoms))
    equivalent = dataset.equivalent_atoms if allowed.all() else connected_atoms(permutations)
    _, labels = np.unique(equivalent, return_inverse=True)
    return Orbits(
        labels=labels,
        space_group=group,
        rotations=rotations,
        permutations=permutations,
        fractional=fractional,
        cell=atoms.cell.array.copy(),
        spacing=_nearest_neighbour(atoms),
    )


def symmetry_dataset(cell: Any, symprec: float) -> Any:
    """Dataset of spglib, None where it finds no symmetry, by its old and its new conventions.

    Parameters
    ----------
    cell : tuple
        Cell vectors in rows (Å), fractional coordinates, atomic numbers.
    symprec : float
        Tolerance, Å.
    """
    import spglib

    failure = getattr(spglib, "SpglibError", RuntimeError)
    with warnings.catch_warnings():
        # from 2.7 on it warns at each call, successful or not, that it will raise instead of
        # returning None; either is handled here
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"spglib(\.|$)")
        try:
            return spglib.get_symmetry_dataset(cell, symprec=symprec)
        except failure:
            return None


def structural_asymmetry(
    orbits: Orbits, atoms: Atoms, shift: np.ndarray | None = None
) -> tuple[float, float, int]:
    r"""How far a geometry is from having the symmetry of the reference.

    With displacements :math:`u` from the reference (drift removed) and generators g,
    :math:`\delta = \max_{g, i} \|R_g u_i - u_{g(i)}\|`, zero exactly where the displacements
    keep the symmetry; the same for the metric of the cell, relative to its largest element.

    Parameters
    ----------
    orbits : Orbits
    atoms : Atoms
        Live geometry, same atoms in the same order.
    shift : ndarray, shape (n_atoms, 3), optional
        Of :func:`fractional_shift`, where it is known.

    Returns
    -------
    asymmetry : float
        δ in Å.
    cell_asymmetry : float
        Dimensionless.
    place : int
        Where δ is: number of the atom times the number of generators, plus that of the generator.
    """
    if len(orbits.rotations) == 0:
        return 0.0, 0.0, 0
    shift = fractional_shift(orbits, atoms) if shift is None else shift
    turns, targets = orbits.images
    gap = (shift @ turns).reshape(-1, 3)
    gap -= shift.take(targets.ravel(), axis=0)
    gap = gap @ atoms.cell.array
    squares = np.einsum("ij,ij->i", gap, gap)
    place = int(squares.argmax())
    same = np.array_equal(atoms.cell.array, orbits.cell)
    return (
        math.sqrt(squares[place]),
        orbits.cell_asymmetry if same else _cell_asymmetry(orbits.rotations, atoms.cell.array),
        place,
    )


def _cell_asymmetry(rotations: np.ndarray, cell: np.ndarray) -> float:
    metric = cell @ cell.T
    turned = rotations.transpose(0, 2, 1) @ metric @ rotations
    return float(np.abs(turned - metric).max() / np.abs(metric).max())


def fractional_shift(orbits: Orbits, atoms: Atoms) -> np.ndarray:
    """Displacements from the reference in fractional coordinates, drift removed, (n_atoms, 3)."""
    cell = atoms.cell.array
    inverse = orbits.inverse if np.array_equal(cell, orbits.cell) else np.linalg.inv(cell)
    shift = atoms.positions @ inverse
    shift -= orbits.fractional
    if shift.max() > 0.25 or shift.min() < -0.25:
        # the drift as a mean of angles: a crystal that wanders as a whole crosses the cell's faces
        shift -= np.angle(np.exp(2j * np.pi * shift).sum(axis=0)) / (2 * np.pi)
        shift -= np.rint(shift)
    shift -= shift.sum(axis=0) / len(shift)
    return np.asarray(shift)


def _nearest_neighbour(atoms: Atoms) -> np.ndarray:
    """Distance of each atom to its nearest neighbour, own images included, Å."""
    from scipy.spatial import cKDTree

    span = np.arange(-1, 2)
    shifts = np.stack(np.meshgrid(span, span, span), axis=-1).reshape(-1, 3) @ atoms.cell.array
    wrapped = atoms.get_positions(wrap=True)
    images = (wrapped[None] + shifts[:, None]).reshape(-1, 3)
    return np.asarray(cKDTree(images).query(wrapped, k=2)[0][:, 1])
