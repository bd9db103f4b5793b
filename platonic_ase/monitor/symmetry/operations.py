"""The operations of a space group acting on displacements of its atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.monitor.symmetry.orbits import site_permutation, symmetry_dataset

if TYPE_CHECKING:
    from ase import Atoms

_LARGEST = 2_000_000
"""Operations times atoms that are kept."""


@dataclass(frozen=True)
class Operations:
    r"""Space-group operations of a structure, those of its lattice translations included.

    An operation g takes atom i to the site of atom :math:`g(i)` and turns its displacement,
    :math:`(g u)_{g(i)} = R_g u_i`.

    Attributes
    ----------
    rotations : ndarray, shape (n_operations, 3, 3)
        Cartesian; the identity first.
    permutations : ndarray of int, shape (n_operations, n_atoms)
        Atom ``permutations[g, i]`` is where operation g takes atom i.
    """

    rotations: np.ndarray
    permutations: np.ndarray

    def __len__(self) -> int:
        return len(self.rotations)

    def select(self, chosen: np.ndarray) -> Operations:
        """Keep the operations where a boolean array, shape (n_operations,), is true."""
        return Operations(self.rotations[chosen], self.permutations[chosen])

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """All images of a displacement field, shape (n_operations, n_atoms, 3)."""
        turned = np.einsum("gab,ib->gia", self.rotations, vectors)
        images = np.empty_like(turned)
        np.put_along_axis(images, self.permutations[:, :, None], turned, axis=1)
        return np.asarray(images)

    def symmetric_part(self, vectors: np.ndarray) -> np.ndarray:
        """Mean over the images: what keeps every operation, shape (n_atoms, 3)."""
        return np.asarray(self.apply(vectors).mean(axis=0))

    def vector_overlaps(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        r"""Overlaps :math:`\langle a, g b \rangle` of displacement fields, (n_operations,)."""
        return np.asarray(
            np.einsum("gia,gab,ib->g", one[self.permutations], self.rotations, other, optimize=True)
        )


def find_operations(atoms: Atoms, symprec: float = 1e-2, seed: int = 0) -> Operations | None:
    """All operations of a structure, by spglib; a random choice of them in very large cells.

    Parameters
    ----------
    atoms : Atoms
        Periodic.
    symprec : float
        Tolerance, Å.
    seed : int
        Of the choice.

    Returns
    -------
    Operations or None
        None where spglib finds no symmetry.
    """
    cell, fractional = atoms.cell.array, atoms.get_scaled_positions(wrap=False)
    dataset = symmetry_dataset((cell, fractional, atoms.numbers), symprec)
    if dataset is None:
        return None
    chosen = np.arange(len(dataset.rotations))
    most = max(2, _LARGEST // len(atoms))
    if len(chosen) > most:
        rest = np.random.default_rng(seed).permutation(chosen[1:])[: most - 1]
        chosen = np.concatenate([chosen[:1], rest])
    rotations, translations = dataset.rotations[chosen], dataset.translations[chosen]
    permutations = [
        site_permutation(fractional, w, t) for w, t in zip(rotations, translations, strict=True)
    ]
    cartesian = np.einsum("ab,gbc,cd->gad", cell.T, rotations, np.linalg.inv(cell.T))
    return Operations(cartesian, np.array(permutations))
