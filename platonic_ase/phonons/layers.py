"""Layers, chains and slabs: in which directions a cell goes on, and what follows for phonons."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

VACUUM = 7.0
"""Å without an atom, from face to face, that no crystal has."""
_ALIGNED = 1e-3


def find_vacuum(atoms: Atoms) -> np.ndarray:
    """Widest slice without atoms along each cell vector, Å, shape (3,).

    Parameters
    ----------
    atoms : Atoms
        With three cell vectors.
    """
    faces = 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    fractional = np.sort(atoms.get_scaled_positions(), axis=0)
    gaps = np.diff(fractional, axis=0, append=fractional[:1] + 1)
    return np.asarray(gaps.max(axis=0) * faces)


def open_directions(atoms: Atoms) -> np.ndarray:
    """Cell vectors along which the structure does not go on, bool, shape (3,).

    Those that are not periodic, and those along which there is vacuum; none in a box with vacuum
    on all sides.

    Parameters
    ----------
    atoms : Atoms
    """
    found = ~atoms.pbc | (find_vacuum(atoms) > VACUUM)
    return np.zeros(3, dtype=bool) if found.all() else found


def describe_openness(atoms: Atoms) -> str:
    """What follows from open directions, in a sentence; empty where there are none.

    Parameters
    ----------
    atoms : Atoms
    """
    found = open_directions(atoms)
    if not found.any():
        return ""
    vacuum = find_vacuum(atoms)
    dimensions = "two dimensions" if found.sum() == 1 else "one dimension"
    why = [
        f"{vacuum[k]:.0f} Å of vacuum along {'abc'[k]}, although it is periodic there"
        if atoms.pbc[k]
        else f"no periodicity along {'abc'[k]}"
        for k in np.flatnonzero(found)
    ]
    return (
        f"The cell has {' and '.join(why)}: wave vectors, path and the relaxation of the cell are "
        f"those of {dimensions}."
    )


def centre_layer(atoms: Atoms, openly: np.ndarray) -> None:
    """Move a layer to the middle of its cell, so that no face cuts it; in place.

    Parameters
    ----------
    atoms : Atoms
    openly : ndarray of bool, shape (3,)
        Open directions.
    """
    fractional = atoms.get_scaled_positions()
    for k in np.flatnonzero(openly):
        order = np.sort(fractional[:, k])
        gaps = np.diff(order, append=order[0] + 1)
        start = order[(int(gaps.argmax()) + 1) % len(order)]
        column = (fractional[:, k] - start + 1e-9) % 1.0
        fractional[:, k] = column + (1 - column.max()) / 2
    atoms.set_scaled_positions(fractional)


def strain_mask(atoms: Atoms, openly: np.ndarray) -> list[int] | None:
    """Components of the strain that a relaxation may change, in Voigt's order; None for all.

    None of them where the periodic directions are not along the axes of space.

    Parameters
    ----------
    atoms : Atoms
    openly : ndarray of bool, shape (3,)
        Open directions.
    """
    if not openly.any():
        return None
    periodic = atoms.cell.array[~openly]
    inside = np.abs(periodic).max(axis=0) > _ALIGNED * np.abs(periodic).max()
    if inside.sum() != (~openly).sum():
        return [0] * 6
    pairs = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
    return [int(inside[i] and inside[j]) for i, j in pairs]


def open_vectors(cell: np.ndarray, atoms: Atoms, openly: np.ndarray) -> np.ndarray:
    """Which vectors of another cell of the same lattice are open, bool, shape (3,).

    Parameters
    ----------
    cell : ndarray, shape (3, 3)
        Rows, Å.
    atoms : Atoms
        With the cell that ``openly`` is about.
    openly : ndarray of bool, shape (3,)
    """
    parts = np.abs(cell @ np.linalg.inv(atoms.cell.array)[:, openly])
    return np.asarray((parts > _ALIGNED).any(axis=1))


def flat_path(cell: np.ndarray, openly: np.ndarray, points: int) -> tuple[list[Any], list[str]]:
    """Path through the Brillouin zone of a layer or a chain, for phonopy.

    Parameters
    ----------
    cell : ndarray, shape (3, 3)
        Primitive cell, rows, Å.
    openly : ndarray of bool, shape (3,)
        Its open vectors.
    points : int
        Of each segment.

    Returns
    -------
    segments : list of ndarray, shape (points, 3)
    labels : list of str
        Of the first point of each segment, and of the last of all.
    """
    from ase.cell import Cell

    path = Cell(cell).bandpath(npoints=0, pbc=~openly)
    special = path.special_points
    names = _names(path.path.split(",")[0])
    segments = [np.linspace(special[one], special[other], points) for one, other in pairwise(names)]
    return segments, [name.replace("G", "Γ") for name in names]


def _names(path: str) -> list[str]:
    """Names of special points, which may end in digits."""
    names: list[str] = []
    for letter in path:
        if letter.isdigit():
            names[-1] += letter
        else:
            names.append(letter)
    return names
