r"""The reference manifold: environments the model is known to handle, and how far is too far."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.errors import ModelMismatchError, SpaceFileError
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.files import read_arrays, write_arrays
from platonic_ase.space.identity import ModelIdentity
from platonic_ase.space.neighbours import ElementClouds
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
        clouds = ElementClouds(self.platonic, self.numbers, NEIGHBOURS)
        object.__setattr__(self, "_clouds", clouds)
        scale = np.full(len(chemical_symbols), self.pooled_threshold, dtype=float)
        for element, threshold in self.thresholds.items():
            scale[element] = threshold
        object.__setattr__(self, "_scale", scale)

    def __len__(self) -> int:
        return len(self.platonic)

    @property
    def elements(self) -> frozenset[int]:
        """Atomic numbers with at least one reference environment."""
        return self._clouds.elements  # type: ignore[attr-defined, no-any-return]

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
        found: np.ndarray = self._clouds.distances(platonic, numbers)  # type: ignore[attr-defined]
        return found

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
