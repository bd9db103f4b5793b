"""The closest contact of a structure, and a list of near pairs that makes it cheap to follow."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from ase.data import covalent_radii

if TYPE_CHECKING:
    from ase import Atoms

_PAIRS = 20_000  # up to so many, all pairs are compared; beyond, a tree finds the near ones
_SKIN = 1.0
"""Å beyond the reach up to which pairs are listed."""


@dataclass(frozen=True)
class _Listed:
    """Pairs within reach and skin at one geometry."""

    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray
    first: np.ndarray
    second: np.ndarray
    images: np.ndarray  # lattice vectors, in cells, from the first to the second
    shifts: np.ndarray  # the same in Å, in the cell at which they were listed
    scales: np.ndarray  # inverse squares of sums of covalent radii, Å^-2
    reach: float
    flat: bool  # whether a cell vector is missing
    least: float  # distance over radii of the closest pair, Å-free
    shortest: float  # least sum of covalent radii of a pair, Å


@dataclass
class Contacts:
    """Closest contact of the geometries of one trajectory, exact in each.

    Pairs within reach and a skin are listed. As long as no atom has moved by half of what is left
    of the skin, with the strain of the cell taken off, no other pair can have come within reach,
    and only those listed are measured.
    """

    _listed: _Listed | None = field(default=None, repr=False)

    def another(self, atoms: Atoms) -> Contacts:
        """For another trajectory; where it has the same atoms, the pairs listed here serve it."""
        listed = self._listed
        same = listed is not None and np.array_equal(listed.numbers, atoms.numbers)
        return Contacts(listed if same else None)

    def closest(self, atoms: Atoms) -> tuple[float, int, int]:
        """What :func:`closest_contact` says of the same structure.

        Parameters
        ----------
        atoms : Atoms
            The same atoms in the same order as before.
        """
        listed = self._listed
        moved = None if listed is None else _moved(listed, atoms)
        if listed is None or moved is None or not _still_holds(listed, *moved):
            listed = self._listed = _list_pairs(atoms)
        if len(listed.first) == 0:
            return math.inf, -1, -1
        positions, cell = atoms.positions, atoms.cell.array
        vectors = positions.take(listed.second, axis=0)
        vectors -= positions.take(listed.first, axis=0)
        same = np.array_equal(cell, listed.cell)
        vectors += listed.shifts if same else listed.images @ cell
        squares = np.einsum("ij,ij->i", vectors, vectors) * listed.scales
        closest = int(squares.argmin())
        ratio = math.sqrt(squares[closest])
        if ratio > 1.0:
            return math.inf, -1, -1
        return ratio, int(listed.first[closest]), int(listed.second[closest])

    def at_least(self, atoms: Atoms) -> float:
        """Bound below the ratio of the closest contact, from how far atoms moved; 0 if unknown."""
        moved = None if self._listed is None else _moved(self._listed, atoms)
        if self._listed is None or moved is None:
            return 0.0
        smallest, farthest = moved
        return smallest * self._listed.least - 2 * farthest / self._listed.shortest


def _moved(listed: _Listed, atoms: Atoms) -> tuple[float, float] | None:
    """Smallest stretch of the cell, at most 1, and farthest move of an atom beside it, Å.

    None where the structures cannot be compared.
    """
    if listed.positions.shape != atoms.positions.shape or (listed.pbc != atoms.pbc).any():
        return None
    cell = atoms.cell.array
    if listed.cell.tobytes() == cell.tobytes():
        smallest, moved = 1.0, atoms.positions - listed.positions
    elif listed.flat:
        return None
    else:
        gradient = np.linalg.solve(listed.cell, cell)
        smallest = min(1.0, float(np.linalg.svd(gradient, compute_uv=False)[-1]))
        moved = atoms.positions - listed.positions @ gradient
    return smallest, math.sqrt(float(np.einsum("ij,ij->i", moved, moved).max()))


def _still_holds(listed: _Listed, smallest: float, farthest: float) -> bool:
    return smallest * (listed.reach + _SKIN) - 2 * farthest >= listed.reach


def _list_pairs(atoms: Atoms) -> _Listed:
    from scipy.spatial import cKDTree

    radii = covalent_radii[atoms.numbers]
    reach = 2 * float(radii.max())
    points, owners = _with_images(atoms, reach + _SKIN)
    pairs = cKDTree(points).query_pairs(reach + _SKIN, output_type="ndarray")
    pairs = pairs[(pairs < len(atoms)).any(axis=1)]  # at least one end in the home cell
    first, second = owners[pairs[:, 0]], owners[pairs[:, 1]]
    separation = points[pairs[:, 1]] - points[pairs[:, 0]]
    sums = radii[first] + radii[second]
    near = np.einsum("ij,ij->i", separation, separation) <= (sums + _SKIN) ** 2
    first, second, separation = first[near], second[near], separation[near]
    lattice = separation - (atoms.positions[second] - atoms.positions[first])
    images = np.zeros_like(lattice)
    if atoms.pbc.any():
        images = np.rint(np.linalg.solve(atoms.cell.complete().array.T, lattice.T).T)
    # of pairs that are not listed, none is closer than this
    least = 1 + _SKIN / reach
    if len(first):
        least = min(least, float((np.sqrt((separation**2).sum(axis=1)) / sums[near]).min()))
    return _Listed(
        atoms.numbers.copy(),
        atoms.positions.copy(),
        atoms.cell.array.copy(),
        atoms.pbc.copy(),
        first,
        second,
        images,
        images @ atoms.cell.complete().array,
        1 / sums[near] ** 2,
        reach,
        atoms.cell.rank < 3,
        least,
        float(sums.min(initial=reach)),
    )


def closest_contact(atoms: Atoms, within: float = 1.0) -> tuple[float, int, int]:
    """The pair of atoms that is closest relative to its covalent radii.

    Parameters
    ----------
    atoms : Atoms
        Positions in Å, periodic images included.
    within : float
        Only pairs closer than this times the sum of their covalent radii (Cordero et al., Dalton
        Trans. 2008, 2832) are looked at.

    Returns
    -------
    ratio : float
        Distance over the sum of covalent radii; infinity if no pair is within reach.
    i, j : int
        The atoms; -1 if there is no pair.
    """
    radii = covalent_radii[atoms.numbers]
    reach = 2 * within * float(radii.max())
    ratio, i, j = _closest_of_few(atoms, radii, reach) or _closest_of_many(atoms, radii, reach)
    return (ratio, i, j) if ratio <= within else (math.inf, -1, -1)


def _closest_of_few(atoms: Atoms, radii: np.ndarray, reach: float) -> tuple[float, int, int] | None:
    """All pairs at once; None where a tree is faster."""
    n = len(atoms)
    if n * n > _PAIRS:
        return None
    cell = atoms.cell.complete().array if atoms.pbc.any() else np.eye(3)
    inverse = np.linalg.inv(cell)
    # differences are wrapped to [-1/2, 1/2]: this many images on either side come within reach
    spread = reach * np.sqrt(np.einsum("ij,ij->j", inverse, inverse)) + 0.5
    images = [int(s) if periodic else 0 for s, periodic in zip(spread, atoms.pbc, strict=True)]
    shifts = _shifts(*images)
    if n * n * len(shifts) > _PAIRS:
        return None
    fractional = atoms.positions @ inverse
    difference = fractional[:, None] - fractional[None]  # (n, n, 3)
    difference -= np.where(atoms.pbc, np.rint(difference), 0.0)
    separation = (difference.reshape(-1, 3) @ cell)[:, None] + shifts @ cell
    squared = np.einsum("pmk,pmk->pm", separation, separation)
    squared[:: n + 1, len(shifts) // 2] = math.inf  # an atom and itself
    ratios = squared.min(axis=1) / np.add.outer(radii, radii).ravel() ** 2
    closest = int(ratios.argmin())
    return math.sqrt(ratios[closest]), closest // n, closest % n


@lru_cache(maxsize=64)
def _shifts(*images: int) -> np.ndarray:
    """Lattice points up to so many cells on either side, (m, 3); the origin in the middle."""
    grid = np.meshgrid(*(np.arange(-k, k + 1) for k in images), indexing="ij")
    return np.stack(grid, axis=-1).reshape(-1, 3).astype(float)


def _closest_of_many(atoms: Atoms, radii: np.ndarray, reach: float) -> tuple[float, int, int]:
    from scipy.spatial import cKDTree

    points, owners = _with_images(atoms, reach)
    pairs = cKDTree(points).query_pairs(reach, output_type="ndarray")
    pairs = pairs[(pairs < len(atoms)).any(axis=1)]  # at least one end in the home cell
    if len(pairs) == 0:
        return math.inf, -1, -1
    first, second = owners[pairs[:, 0]], owners[pairs[:, 1]]
    separation = points[pairs[:, 0]] - points[pairs[:, 1]]
    ratios = np.sqrt(np.einsum("ij,ij->i", separation, separation))
    ratios /= radii[first] + radii[second]
    closest = int(np.argmin(ratios))
    return float(ratios[closest]), int(first[closest]), int(second[closest])


def _with_images(atoms: Atoms, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Wrapped positions, then those of images within ``reach`` of the cell, and their owners."""
    cell, pbc = atoms.cell.array, atoms.pbc
    positions, owners = atoms.positions, np.arange(len(atoms))
    if not pbc.any():
        return positions, owners
    complete = atoms.cell.complete().array
    fractional = np.linalg.solve(complete.T, positions.T).T
    fractional[:, pbc] %= 1.0
    heights = 1 / np.linalg.norm(np.linalg.inv(complete), axis=0)
    margins = reach / heights
    for axis in np.flatnonzero(pbc):
        shifts = range(-math.ceil(margins[axis]), math.ceil(margins[axis]) + 1)
        home = (fractional, owners)
        for shift in shifts:
            if shift == 0:
                continue
            moved = home[0][:, axis] + shift
            near = (moved > -margins[axis]) & (moved < 1 + margins[axis])
            images = home[0][near].copy()
            images[:, axis] += shift
            fractional = np.concatenate([fractional, images])
            owners = np.concatenate([owners, home[1][near]])
    return fractional @ np.where(pbc[:, None], cell, complete), owners
