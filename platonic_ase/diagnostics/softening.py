"""The softest collective modes of a symmetric supercell, and where they could lead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from platonic_ase.diagnostics.operations import Operations

_DEGENERATE = 0.02
"""Relative difference of eigenvalues that count as equal, and eV/Å² at least."""
_SEEDS = np.array(
    [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, -1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
)


@dataclass(frozen=True)
class SoftModes:
    """One of the lowest eigenvalues of the Hessian of a supercell, translations left out.

    Attributes
    ----------
    eigenvalue : float
        In eV/Å²; negative where the symmetric structure is a saddle point.
    vectors : ndarray, shape (m, n_atoms, 3)
        Orthonormal displacement fields of all modes with this eigenvalue.
    """

    eigenvalue: float
    vectors: np.ndarray

    def share(self, atoms: np.ndarray) -> float:
        """Share of these atoms in the modes, in [0, 1]; does not depend on the basis."""
        return float((self.vectors[:, atoms] ** 2).sum() / len(self.vectors))


def soft_modes(force_constants: np.ndarray, at_most: int = 3) -> tuple[SoftModes, ...]:
    """Diagonalise force constants without masses.

    Parameters
    ----------
    force_constants : ndarray, shape (n_atoms, n_atoms, 3, 3)
        eV/Å², of a whole supercell: all of its wave vectors at once.
    at_most : int
        How many different eigenvalues, from the lowest.
    """
    n = len(force_constants)
    hessian = force_constants.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n)
    translations = np.tile(np.eye(3), (n, 1)) / np.sqrt(n)
    rest = np.eye(3 * n) - translations @ translations.T
    hessian = rest @ (0.5 * (hessian + hessian.T)) @ rest
    hessian += np.abs(hessian).sum() * translations @ translations.T  # out of the way
    values, vectors = np.linalg.eigh(hessian)
    found: list[SoftModes] = []
    start = 0
    while start < 3 * n - 3 and len(found) < at_most:
        lowest = float(values[start])
        end = int(np.searchsorted(values, lowest + _DEGENERATE * max(1.0, abs(lowest))))
        found.append(SoftModes(lowest, vectors[:, start:end].T.reshape(-1, n, 3)))
        start = end
    return tuple(found)


def directions(modes: SoftModes, operations: Operations, at_most: int = 4) -> np.ndarray:
    """Displacement fields of high symmetry within degenerate modes, none an image of another.

    Parameters
    ----------
    modes : SoftModes
    operations : Operations
        Of the supercell.
    at_most : int
        Those that keep the most operations.

    Returns
    -------
    ndarray, shape (k, n_atoms, 3)
        Each of unit length.
    """
    basis = modes.vectors.reshape(len(modes.vectors), -1)
    n = modes.vectors.shape[1]
    found: list[tuple[int, np.ndarray]] = []
    for atom in np.argsort(-(modes.vectors**2).sum(axis=(0, 2)), kind="stable"):
        for seed in _SEEDS:
            field = np.zeros((n, 3))
            field[atom] = seed
            projected = basis.T @ (basis @ field.ravel())
            length = np.linalg.norm(projected)
            if length < 0.05:
                continue
            unit = (projected / length).reshape(n, 3)
            overlaps = operations.vector_overlaps(unit, unit)
            kept = int((overlaps > 0.99).sum())
            if any(
                np.abs(operations.vector_overlaps(other, unit)).max() > 0.99 for _, other in found
            ):
                continue
            found.append((kept, unit))
        if len(found) >= 3 * at_most:
            break
    found.sort(key=lambda each: -each[0])
    return np.array([unit for _, unit in found[:at_most]])
