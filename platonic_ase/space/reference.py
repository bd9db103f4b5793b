r"""The reference manifold: environments the model is known to handle, and how far is too far."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.errors import ModelMismatchError, SpaceFileError
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.files import read_arrays, write_arrays
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.neighbours import half_squares, nearest_distances
from platonic_ase.space.pack_schemas import REFERENCE
from platonic_ase.space.stored import Stored

NEIGHBOURS = 3


@dataclass(frozen=True)
class ReferenceManifold(Stored):
    """Reference environments in Platonic coordinates, with calibrated thresholds.

    Attributes
    ----------
    platonic : ndarray, shape (M, K)
        Platonic coordinates of the reference environments.
    numbers : ndarray of int, shape (M,)
        Their atomic numbers.
    thresholds : mapping of int to float
        Per atomic number: the distance that a share ``1 - level`` of held-out environments of
        that element exceeds, each group (compound) counting as one.
    counts : mapping of int to int
        Per atomic number: how many held-out groups set the threshold; those of all elements that
        were pooled, where the element had too few of its own.
    pooled_threshold : float
        Serves elements without reference environments.
    alarm : float
        The value of max over atoms of distance / threshold that a share ``1 - alarm_level`` of
        held-out *structures* exceeds.
    level, alarm_level : float
        Conformal levels, in (0, 1).
    identity : ModelIdentity
        The model.
    anchors_digest : str
        The anchors that span the space.
    provenance : mapping
        Source structures and licence, split, seed.
    """

    platonic: np.ndarray
    numbers: np.ndarray
    thresholds: Mapping[int, float]
    counts: Mapping[int, int]
    pooled_threshold: float
    alarm: float
    level: float
    alarm_level: float
    identity: ModelIdentity
    anchors_digest: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.platonic.ndim != 2 or self.numbers.shape != (len(self.platonic),):
            raise SpaceFileError(
                f"a reference manifold of shape {self.platonic.shape} with atomic numbers of "
                f"shape {self.numbers.shape}: (M, K) and (M,) are needed"
            )
        order = np.argsort(self.numbers, kind="stable")
        elements, starts = np.unique(self.numbers[order], return_index=True)
        pieces = np.split(self.platonic[order], starts[1:])
        object.__setattr__(
            self, "_by_element", {int(z): p for z, p in zip(elements, pieces, strict=True)}
        )
        scale = np.full(len(chemical_symbols), self.pooled_threshold, dtype=float)
        for element, threshold in self.thresholds.items():
            scale[element] = threshold
        object.__setattr__(self, "_scale", scale)

    def __len__(self) -> int:
        return len(self.platonic)

    @property
    def elements(self) -> frozenset[int]:
        """Atomic numbers with at least one reference environment."""
        return frozenset(self._by_element)  # type: ignore[attr-defined]

    @cached_property
    def _halves(self) -> dict[int, np.ndarray]:
        """Half squared norms of the references of each element; of all of them at 0."""
        halves = {z: half_squares(p) for z, p in self._by_element.items()}  # type: ignore[attr-defined]
        return {0: half_squares(self.platonic), **halves}

    def distances(self, platonic: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Mean distance to the nearest reference environments of the same element.

        Parameters
        ----------
        platonic : ndarray, shape (n_atoms, K)
        numbers : ndarray of int, shape (n_atoms,)

        Returns
        -------
        ndarray, shape (n_atoms,)
            Dimensionless; for an element without references, to the nearest of any element.
        """
        return element_distances(
            platonic,
            numbers,
            self._by_element,  # type: ignore[attr-defined]
            self.platonic,
            halves=self._halves,
        )

    def scores(self, distances: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Distances divided by the threshold of each atom's element, shape (n_atoms,)."""
        return np.asarray(distances / self._scale[numbers])  # type: ignore[attr-defined]

    def require(self, anchors: AnchorSet) -> None:
        """Refuse anchors that span another space.

        Raises
        ------
        ModelMismatchError
        """
        differences = anchors.differences(self.identity, self.anchors_digest)
        if not differences and self.platonic.shape[1] != len(anchors):
            differences = [f"{self.platonic.shape[1]} coordinates against {len(anchors)} anchors"]
        if differences:
            raise ModelMismatchError(
                "this reference manifold belongs to another space: "
                + "; ".join(differences)
                + " (reference against anchors in use). Make both together with "
                "'platonic-ase anchors build'."
            )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write to a safetensors file with a JSON header."""
        elements = sorted(self.thresholds)
        arrays: dict[str, np.ndarray] = {
            "platonic": self.platonic.astype(np.float32),
            "numbers": self.numbers.astype(np.int64),
            "elements": np.array(elements, dtype=np.int64),
            "thresholds": np.array([self.thresholds[z] for z in elements], dtype=np.float64),
            "counts": np.array([self.counts[z] for z in elements], dtype=np.int64),
        }
        header = {
            "identity": self.identity.to_dict(),
            "anchors": self.anchors_digest,
            "pooled_threshold": self.pooled_threshold,
            "alarm": self.alarm,
            "level": self.level,
            "alarm_level": self.alarm_level,
            "provenance": dict(self.provenance),
        }
        return write_arrays(path, "reference", arrays, header)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ReferenceManifold:
        """Read a file of :meth:`save`.

        Raises
        ------
        SpaceFileError
            If the file is missing, truncated, malformed or holds values that are not finite.
        """
        arrays, header = read_arrays(path, "reference", REFERENCE)
        try:
            elements = [int(z) for z in arrays["elements"]]
            return cls(
                platonic=arrays["platonic"],
                numbers=arrays["numbers"],
                thresholds=dict(zip(elements, arrays["thresholds"].tolist(), strict=True)),
                counts=dict(zip(elements, arrays["counts"].tolist(), strict=True)),
                pooled_threshold=header["pooled_threshold"],
                alarm=header["alarm"],
                level=header["level"],
                alarm_level=header["alarm_level"],
                identity=ModelIdentity.from_dict(header["identity"]),
                anchors_digest=header["anchors"],
                provenance=header["provenance"],
            )
        except (KeyError, ValueError) as error:
            raise SpaceFileError(f"{path} is incomplete ({error}); make it anew") from error


def element_distances(
    platonic: np.ndarray,
    numbers: np.ndarray,
    by_element: Mapping[int, np.ndarray],
    everything: np.ndarray,
    neighbours: int = NEIGHBOURS,
    halves: Mapping[int, np.ndarray] | None = None,
) -> np.ndarray:
    """Mean distance to the nearest references of the same element, shape (n_atoms,).

    Parameters
    ----------
    platonic : ndarray, shape (n_atoms, K)
    numbers : ndarray of int, shape (n_atoms,)
    by_element : mapping of int to ndarray, shape (m, K)
        References per atomic number.
    everything : ndarray, shape (M, K)
        All references, for elements that have none.
    neighbours : int
        How many nearest references are averaged, or as many as there are.
    halves : mapping of int to ndarray, optional
        Half squared norms of the references per atomic number, and of all of them at 0, where they
        are known.
    """
    platonic = np.asarray(platonic, dtype=everything.dtype)
    result = np.empty(len(platonic))
    for element in sorted(set(numbers.tolist())):
        rows = np.flatnonzero(numbers == element)
        references = by_element.get(element, everything)
        known = None if halves is None else halves[element if element in by_element else 0]
        k = min(neighbours, len(references))
        near, _ = nearest_distances(platonic[rows], references, k, halves=known)
        result[rows] = near.sum(axis=1) / k
    return result


def conformal_quantile(
    scores: np.ndarray, level: float, structures: np.ndarray | None = None
) -> float:
    r"""Split-conformal quantile: the :math:`\lceil (n + 1) \cdot \mathrm{level} \rceil`-th score.

    Environments of one structure are not independent. Where ``structures`` says which belong
    together, each structure counts as one, shared out equally among its environments, and n is
    the number of structures (hierarchical conformal prediction: Lee, Barber and Willett,
    arXiv:2306.06342).

    Parameters
    ----------
    scores : ndarray, shape (n_environments,)
    level : float
        In (0, 1).
    structures : ndarray of int, shape (n_environments,), optional
        Structure of each environment; each its own by default.

    Returns
    -------
    float
        Infinity where n is too small for the level, i.e. below level / (1 - level).
    """
    if structures is None:
        structures = np.arange(len(scores))
    _, inverse, counts = np.unique(structures, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    covered = np.cumsum((1 / counts[inverse])[order])
    position = int(np.searchsorted(covered, (len(counts) + 1) * level - 1e-9))
    return math.inf if position >= len(scores) else float(scores[order[position]])
