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

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress

from platonic_ase.monitor.symmetry.operations import Operations
from platonic_ase.monitor.symmetry.orbits import Orbits


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

    @property
    def largest(self) -> float:
        """Largest displacement of an atom, Å."""
        return float(np.sqrt((self.displacements**2).sum(axis=1).max()))


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
    work = float((vectors * (forces @ rotation.T)).sum())
    norm = float((vectors**2).sum())
    if stress is not None:
        tensor = np.asarray(stress)
        if tensor.shape != (3, 3):  # calculators store either
            tensor = voigt_6_to_full_3x3_stress(tensor)
        turned = rotation @ tensor @ rotation.T
        work -= atoms.get_volume() * float((turned * strain).sum())
        norm += float((orbits.spacing**2).sum() * (strain**2).sum())
    curvature = -work / norm if norm > 0 else np.nan
    return Asymmetry(vectors, strain, curvature)
