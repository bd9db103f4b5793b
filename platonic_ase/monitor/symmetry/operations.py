"""The operations of a space group acting on displacements of its atoms.

A supercell has as many operations as lattice translations times rotations, thousands of them. All
are products of one translation and one of at most 48 representatives, which is how they are kept:
a mean over the group is a mean over the lattice followed by a small sparse projector, and overlaps
with all images are one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.monitor.symmetry.orbits import Orbits, find_orbits

if TYPE_CHECKING:
    from ase import Atoms

_LARGEST = 1_000_000
"""Lattice translations times atoms that are kept."""


@dataclass(frozen=True)
class Operations:
    r"""Space-group operations of a structure, those of its lattice translations included.

    An operation g takes atom i to the site of atom :math:`g(i)` and turns its displacement,
    :math:`(g u)_{g(i)} = R_g u_i`. Each is a representative followed by a translation; operation
    ``t * len(rotations) + r`` is representative r followed by translation t, the identity first.

    Attributes
    ----------
    rotations : ndarray, shape (n_representatives, 3, 3)
        Cartesian; the identity first.
    permutations : ndarray of int, shape (n_representatives, n_atoms)
        Atom ``permutations[r, i]`` is where representative r takes atom i.
    translations : ndarray of int, shape (n_translations, n_atoms)
        Where each lattice translation takes each atom; the identity first. In very large cells a
        random choice of them.
    classes : ndarray of int, shape (n_atoms,)
        Atoms of one label are equivalent under lattice translations, 0..n_classes-1.
    """

    rotations: np.ndarray
    permutations: np.ndarray
    translations: np.ndarray
    classes: np.ndarray

    def __len__(self) -> int:
        return len(self.rotations) * len(self.translations)

    def mean_image(self, vectors: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Mean of the images under some operations, shape (n_atoms, 3).

        Parameters
        ----------
        vectors : ndarray, shape (n_atoms, 3)
        chosen : ndarray of bool, shape (n_operations,)
            At least one is true. They need not make a group.
        """
        weights = chosen.reshape(len(self.translations), -1)
        used = np.flatnonzero(weights.any(axis=1))
        turned = self._turned(vectors).reshape(len(self.rotations), -1)
        # what each translation carries: the images under the representatives that it goes with
        carried = (weights[used].astype(float) @ turned).reshape(len(used), -1, 3)
        total = np.zeros_like(vectors)
        for image, translation in zip(carried, self.translations[used], strict=True):
            total[translation] += image
        return np.asarray(total / np.count_nonzero(chosen))

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """All images of a displacement field, shape (n_operations, n_atoms, 3)."""
        turned = self._turned(vectors)
        images = np.empty((len(self.translations), *turned.shape))
        for image, translation in zip(images, self.translations, strict=True):
            image[:, translation] = turned
        return images.reshape(-1, *vectors.shape)

    def symmetric_part(self, vectors: np.ndarray) -> np.ndarray:
        """Mean over the images: what keeps every operation, shape (n_atoms, 3)."""
        order, count = self._by_class
        means = vectors[order].reshape(count, -1, 3).mean(axis=1)
        return np.asarray((self._projector @ means.ravel()).reshape(count, 3)[self.classes])

    def symmetric_tensor(self, tensor: np.ndarray) -> np.ndarray:
        """Mean of a Cartesian tensor, shape (3, 3), over the rotations."""
        return np.asarray((self._tensor_projector @ tensor.ravel()).reshape(3, 3))

    def vector_overlaps(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        r"""Overlaps :math:`\langle a, g b \rangle` of displacement fields, (n_operations,)."""
        images = self._turned(other).reshape(len(self.rotations), -1)
        shifted = one[self.translations].reshape(len(self.translations), -1)
        return np.asarray(shifted @ images.T).ravel()

    def _turned(self, vectors: np.ndarray) -> np.ndarray:
        """Images under the representatives, shape (n_representatives, n_atoms, 3)."""
        turned = vectors @ self.rotations.transpose(0, 2, 1)
        images = np.empty_like(turned)
        np.put_along_axis(images, self.permutations[:, :, None], turned, axis=1)
        return np.asarray(images)

    @cached_property
    def _by_class(self) -> tuple[np.ndarray, int]:
        """Order that brings each class together, and the number of classes."""
        return np.argsort(self.classes, kind="stable"), int(self.classes.max()) + 1

    @cached_property
    def _projector(self) -> Any:
        """Mean over the representatives, on one displacement a class: sparse, (3 c, 3 c)."""
        from scipy.sparse import csr_array

        order, count = self._by_class
        first = order.reshape(count, -1)[:, 0]
        targets = self.classes[self.permutations[:, first]]  # (n_representatives, n_classes)
        axes = np.arange(3)
        shape = (*targets.shape, 3, 3)
        rows = np.broadcast_to(3 * targets[:, :, None, None] + axes[:, None], shape)
        columns = np.broadcast_to(3 * np.arange(count)[:, None, None] + axes, shape)
        values = np.broadcast_to(self.rotations[:, None] / len(self.rotations), shape)
        return csr_array(
            (values.ravel(), (rows.ravel(), columns.ravel())), shape=(3 * count, 3 * count)
        )

    @cached_property
    def _tensor_projector(self) -> np.ndarray:
        turns = self.rotations
        return np.asarray(np.einsum("gab,gdc->adbc", turns, turns).reshape(9, 9) / len(turns))


def operations_of(orbits: Orbits, seed: int = 0) -> Operations:
    """All operations that the generators of a space group make.

    Parameters
    ----------
    orbits : Orbits
    seed : int
        Of the choice of translations in very large cells.
    """
    pure = (orbits.rotations == np.eye(3, dtype=int)).all(axis=(1, 2))
    translations = np.arange(len(orbits.labels), dtype=np.int32)[None]
    for generator in orbits.permutations[pure]:
        translations = _multiplied(translations, generator)
    # translations are told apart by where they take an atom: none but the identity fixes one
    _, classes = np.unique(translations.min(axis=0), return_inverse=True)
    most = max(2, _LARGEST // len(orbits.labels))
    if len(translations) > most:
        rest = np.random.default_rng(seed).permutation(len(translations) - 1)[: most - 1]
        translations = translations[np.concatenate([[0], 1 + rest])]
    rotations, permutations = _representatives(orbits.rotations[~pure], orbits.permutations[~pure])
    cell = orbits.cell
    cartesian = np.einsum("ab,gbc,cd->gad", cell.T, rotations, np.linalg.inv(cell.T))
    return Operations(cartesian, permutations, translations, classes)


def _multiplied(translations: np.ndarray, generator: np.ndarray) -> np.ndarray:
    """A group of translations together with all products of its own and one more."""
    known = set(translations[:, 0].tolist())
    found, power = [translations], generator.astype(translations.dtype)
    while int(power[0]) not in known:
        found.append(translations[:, power])
        power = generator.astype(translations.dtype)[power]
    return np.concatenate(found)


def _representatives(
    generators: np.ndarray, permutations: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One operation for each rotation part: products of the generators that are not pure."""
    n = permutations.shape[1]
    identity = np.eye(3, dtype=int)
    found = {identity.tobytes(): (identity, np.arange(n))}
    frontier = list(found.values())
    while frontier:
        fresh = []
        for rotation, permutation in frontier:
            for w, moves in zip(generators, permutations, strict=True):
                product = w.astype(int) @ rotation
                if product.tobytes() not in found:
                    found[product.tobytes()] = (product, moves[permutation])
                    fresh.append(found[product.tobytes()])
        frontier = fresh
    rotations, moved = zip(*found.values(), strict=True)
    return np.array(rotations), np.array(moved)


def find_operations(atoms: Atoms, symprec: float = 1e-2, seed: int = 0) -> Operations | None:
    """All operations of a structure, by spglib; a choice of translations in very large cells.

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
    orbits = find_orbits(atoms, symprec)
    return None if orbits is None else operations_of(orbits, seed)
