"""The softest collective modes of a symmetric supercell, and where they could lead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from platonic_ase.monitor.symmetry.operations import Operations

_DEGENERATE = 0.02
"""Relative difference of eigenvalues that count as equal, and eV/Å² at least."""
_SAME = 0.02
"""Rounding of matrices and vectors of order one that stem from a model's forces."""
_PAIRS = 20_000


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


def directions(modes: SoftModes, operations: Operations, at_most: int = 3) -> np.ndarray:
    r"""Displacement fields of high symmetry within degenerate modes, none an image of another.

    An operation acts on the modes as a matrix :math:`D(g)`. A field that is the only one, but for
    its length, that a subgroup leaves as it is belongs to a distorted crystal which that subgroup
    describes without a free parameter; along such fields new phases branch off (equivariant
    branching lemma: M. Golubitsky, I. Stewart and D. G. Schaeffer, Singularities and Groups in
    Bifurcation Theory II, 1988). Two operations generate the subgroups that are tried.

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
        Each of unit length; the modes themselves where no subgroup singles one out.
    """
    basis = modes.vectors
    matrices = np.stack(
        [[operations.vector_overlaps(one, other) for other in basis] for one in basis]
    ).transpose(2, 0, 1)
    found: list[tuple[int, np.ndarray]] = []
    for unit in _singled_out(_distinct(matrices)):
        images = matrices @ unit
        if any(np.abs(images @ other).max() > 1 - _SAME for _, other in found):
            continue
        found.append((int((images @ unit > 1 - _SAME).sum()), unit))
    found.sort(key=lambda each: -each[0])
    chosen = [unit for _, unit in found[:at_most]] or list(np.eye(len(basis))[:at_most])
    return np.asarray(np.einsum("km,mia->kia", np.array(chosen), basis))


def _distinct(matrices: np.ndarray) -> np.ndarray:
    """Matrices that differ, shape (k, m, m)."""
    flat = np.rint(matrices.reshape(len(matrices), -1) / _SAME).astype(int)
    return np.asarray(matrices[np.unique(flat, axis=0, return_index=True)[1]])


def _singled_out(matrices: np.ndarray) -> np.ndarray:
    """Unit vectors that are alone in being fixed by two of the matrices, shape (k, m)."""
    m = matrices.shape[1]
    shifted = matrices - np.eye(m)
    # null space of A^T A + B^T B: what both leave as it is
    squares = np.einsum("gab,gac->gbc", shifted, shifted)
    first, second = np.triu_indices(len(squares))
    if len(first) > _PAIRS:
        some = np.random.default_rng(0).permutation(len(first))[:_PAIRS]
        first, second = first[some], second[some]
    values, vectors = np.linalg.eigh(squares[first] + squares[second])
    alone = values[:, 0] < _SAME
    if m > 1:
        alone &= values[:, 1] > _SAME
    units = vectors[alone, :, 0]
    keys = np.rint(np.einsum("ka,kb->kab", units, units).reshape(-1, m * m) / _SAME).astype(int)
    return np.asarray(units[np.unique(keys, axis=0, return_index=True)[1]])
