"""Forces of a model beside the true ones, and their deal to folds by compound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from platonic_ase.errors import CalibrationError

GROUP_REMEDY = (
    "Where frames of one compound come from independent runs, say which belong together by "
    'atoms.info["group"] (group=... in extxyz).'
)


@dataclass(frozen=True)
class ForceErrors:
    """Forces of a model with their errors.

    Attributes
    ----------
    platonic : ndarray, shape (n, K)
    embeddings : ndarray, shape (n, d)
    forces : ndarray, shape (n, 3)
        The model's, eV/Å.
    true_forces : ndarray, shape (n, 3)
        DFT's, eV/Å.
    numbers : ndarray of int, shape (n,)
        Atomic numbers.
    structures : ndarray of int, shape (n,)
        Structure of each atom, 0..S-1.
    groups : ndarray of str, shape (S,)
        Compound of each structure; all copies of one stay on one side of a split.
    """

    platonic: np.ndarray
    embeddings: np.ndarray
    forces: np.ndarray
    true_forces: np.ndarray
    numbers: np.ndarray
    structures: np.ndarray
    groups: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.platonic)
        shapes = (self.forces.shape, self.true_forces.shape, self.numbers.shape)
        rows = {len(self.embeddings), len(self.structures), n}
        if shapes != ((n, 3), (n, 3), (n,)) or len(rows) > 1:
            raise ValueError(
                f"{n} environments come with arrays of shapes {shapes}, "
                f"{self.embeddings.shape} and {self.structures.shape}: one row an atom is needed "
                "in each"
            )
        if n and int(self.structures.max()) >= len(self.groups):
            raise ValueError(
                f"atoms of structure {int(self.structures.max())} but groups of "
                f"{len(self.groups)} structures only"
            )

    def __len__(self) -> int:
        return len(self.platonic)

    @property
    def errors(self) -> np.ndarray:
        """Length of the error vector of each atom, eV/Å, shape (n,)."""
        return np.asarray(np.linalg.norm(self.forces - self.true_forces, axis=1))

    @property
    def compounds(self) -> np.ndarray:
        """Number of each atom's compound, shape (n,): what is exchangeable, not its copies."""
        return np.asarray(np.unique(self.groups[self.structures], return_inverse=True)[1])

    @property
    def weights(self) -> np.ndarray:
        """One over the atoms of each atom's compound, shape (n,)."""
        compounds = self.compounds
        return np.asarray(1 / np.bincount(compounds)[compounds])

    def without(self, groups: Iterable[str]) -> ForceErrors:
        """Without the compounds of these names."""
        return self.take(~np.isin(self.groups[self.structures], list(groups)))

    @property
    def present(self) -> set[str]:
        """Names of the compounds that atoms are of."""
        return set(self.groups[np.unique(self.structures)].tolist())

    def take(self, kept: np.ndarray) -> ForceErrors:
        """Only the atoms where ``kept``, a mask of shape (n,), is true."""
        return ForceErrors(
            self.platonic[kept],
            self.embeddings[kept],
            self.forces[kept],
            self.true_forces[kept],
            self.numbers[kept],
            self.structures[kept],
            self.groups,
        )


def join(tables: Sequence[ForceErrors]) -> ForceErrors:
    """Several tables as one; equal names of compounds are one compound."""
    offsets = np.cumsum([0, *(len(each.groups) for each in tables)])

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(each, name) for each in tables])

    return ForceErrors(
        column("platonic"),
        column("embeddings"),
        column("forces"),
        column("true_forces"),
        column("numbers"),
        np.concatenate([each.structures + k for each, k in zip(tables, offsets, strict=False)]),
        column("groups"),
    )


def deal(table: ForceErrors, folds: int, seed: int = 0) -> np.ndarray:
    """Deal compounds to folds; the fold of each atom, shape (n,).

    With fewer compounds than folds, each is a fold by itself.

    Raises
    ------
    CalibrationError
        With a single compound.
    """
    names, inverse = np.unique(table.groups[table.structures], return_inverse=True)
    if len(names) < 2:
        raise CalibrationError(
            f"all structures are of {', '.join(names) or 'no compound'}; at least 2 compounds are "
            "needed, to leave one out at a time. " + GROUP_REMEDY
        )
    dealt = np.random.default_rng(seed).permutation(len(names))
    return np.asarray(dealt[inverse] % min(folds, len(names)))
