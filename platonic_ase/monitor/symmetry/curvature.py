r"""Does the energy rise or fall along the asymmetry that a relaxing structure has now?

With the part :math:`u_\perp` of the displacements that breaks the space group of the reference, the
same part :math:`\eta_\perp` of the strain, and the forces and stress of the model there,

.. math:: \kappa = - \frac{u_\perp \cdot F - \Omega\, \sigma : \eta_\perp}
    {\|u_\perp\|^2 + N \ell^2 \|\eta_\perp\|^2}

is the Rayleigh quotient of the Hessian for small asymmetries: positive while a rattled structure
heals, negative once the asymmetry lies along a mode that lowers the energy. Then it will grow,
whatever the optimiser: under friction-free motion of unit masses at the rate
:math:`\sqrt{-\kappa}`. What keeps the symmetry (a volume that relaxes, say) drops out, and so does
a rotation of crystal and cell together: forces and stress are turned back to the reference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms

from platonic_ase.monitor.symmetry.operations import Operations
from platonic_ase.monitor.symmetry.orbits import Orbits
from platonic_ase.monitor.volume import volume_of

_VOIGT = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
"""Where ASE's order of six has the components of a tensor."""


@dataclass(frozen=True)
class Asymmetry:
    """The part of a deformation that breaks the symmetry.

    Attributes
    ----------
    displacements : ndarray, shape (n_atoms, 3)
        Å.
    strain : ndarray, shape (3, 3)
    curvature : float
        κ in eV/Å²; NaN without asymmetry.
    """

    displacements: np.ndarray
    strain: np.ndarray
    curvature: float

    @cached_property
    def largest(self) -> float:
        """Largest displacement of an atom, Å."""
        squares = np.einsum("ij,ij->i", self.displacements, self.displacements)
        return math.sqrt(squares.max())


def polar_decomposition(reference: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Stretch and rotation that take one cell to another, :math:`h = h_0 S R`.

    Parameters
    ----------
    reference, cell : ndarray, shape (3, 3)
        Cell vectors in rows, Å.

    Returns
    -------
    stretch : ndarray, shape (3, 3)
        S, symmetric: the strain is :math:`S - 1`.
    rotation : ndarray, shape (3, 3)
        R, orthogonal, acting on rows from the right.
    """
    if np.array_equal(reference, cell):
        return np.eye(3), np.eye(3)
    gradient = np.linalg.solve(reference, cell)
    if np.array_equal(gradient, gradient.T):  # exact where nothing turns
        return gradient, np.eye(3)
    left, lengths, right = np.linalg.svd(gradient)
    return (left * lengths) @ left.T, left @ right


def asymmetry_of(
    orbits: Orbits,
    operations: Operations,
    atoms: Atoms,
    shift: np.ndarray,
    forces: np.ndarray,
    stress: np.ndarray | None = None,
) -> Asymmetry:
    """Asymmetric displacements and strain of a geometry, and the curvature along them.

    Parameters
    ----------
    orbits, operations
        Of the reference.
    atoms : Atoms
        Live geometry.
    shift : ndarray, shape (n_atoms, 3)
        Fractional displacements, drift removed.
    forces : ndarray, shape (n_atoms, 3)
        eV/Å, raw.
    stress : ndarray, shape (6,) or (3, 3), optional
        eV/Å³, in ASE's Voigt order or in full; strain does not count without.
    """
    vectors = shift @ orbits.cell
    vectors = vectors - operations.symmetric_part(vectors)
    stretch, rotation = polar_decomposition(orbits.cell, atoms.cell.array)
    strain = stretch - np.eye(3)
    strain = strain - operations.symmetric_tensor(strain)
    work = float(np.vdot(vectors, forces @ rotation.T))
    norm = float(np.vdot(vectors, vectors))
    if stress is not None:
        tensor = np.asarray(stress)
        if tensor.shape != (3, 3):  # calculators store either
            tensor = tensor[_VOIGT]
        turned = rotation @ tensor @ rotation.T
        work -= volume_of(atoms.cell.array) * float(np.vdot(turned, strain))
        norm += float(np.vdot(orbits.spacing, orbits.spacing) * np.vdot(strain, strain))
    curvature = -work / norm if norm > 0 else np.nan
    return Asymmetry(vectors, strain, curvature)
