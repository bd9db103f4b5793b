r"""The reference manifold: environments the model is known to handle, and how far is too far.

Thresholds are split-conformal (Vovk et al. 2005; Lei et al., J. Am. Stat. Assoc. 113, 1094
(2018)): with distances :math:`d_1 \ldots d_n` of held-out environments, the
:math:`\lceil (n+1) \cdot \mathrm{level} \rceil`-th smallest is exceeded by a new environment of
the same kind with probability at most :math:`1 - \mathrm{level}`. What is exchangeable is
compounds, not their strained and rattled copies: n counts compounds.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
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
from platonic_ase.space.selection import farthest_point

NEIGHBOURS = 3


@dataclass(frozen=True)
class ReferenceManifold:
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
        Per atomic number: how many held-out groups set the threshold.
    pooled_threshold : float
        The same over all elements; serves elements with too few held-out groups.
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


def fit_reference(
    platonic: np.ndarray,
    numbers: np.ndarray,
    structures: np.ndarray,
    groups: Sequence[str],
    anchors: AnchorSet,
    *,
    level: float = 0.9,
    alarm_level: float = 0.99,
    per_element: int = 120,
    seed: int = 0,
    provenance: Mapping[str, Any] | None = None,
) -> ReferenceManifold:
    """Build a reference manifold and its thresholds from environments.

    Groups (compounds) are dealt to three parts, so that all copies of one compound stay on one
    side: half are references (thinned by farthest-point sampling to ``per_element`` points an
    element), 30 % set the per-element thresholds, 20 % set the alarm per structure.

    Strained and rattled copies of one compound are not independent, so that each group counts as
    one, shared out equally among its environments (or structures): a threshold covers an
    environment of a compound that is new with the probability stated. Elements in too few groups
    get the threshold of all elements pooled. Where the groups are too few for the alarm level, the
    highest level that they support is used and recorded.

    Parameters
    ----------
    platonic : ndarray, shape (n, K)
        Platonic coordinates of all environments.
    numbers : ndarray of int, shape (n,)
        Atomic numbers.
    structures : ndarray of int, shape (n,)
        Which structure each environment belongs to, 0..S-1.
    groups : sequence of str, length S
        Which group each structure belongs to.
    anchors : AnchorSet
        The anchors that span the space.
    level, alarm_level : float
        Conformal levels, per atom and per structure.
    per_element : int
        Most reference points kept for one element.
    seed : int
        Of the deal.
    provenance : mapping, optional
        Recorded.

    Raises
    ------
    ValueError
        With fewer than three groups, or too few of them held out for the level.
    """
    names = sorted(set(groups))
    if len(names) < 3:
        raise ValueError(
            f"a reference needs at least 3 groups of structures to split; got {len(names)}"
        )
    dealt = np.random.default_rng(seed).permutation(len(names))
    share = np.digitize(np.argsort(dealt) / len(names), [0.5, 0.8])
    part_of = dict(zip(names, share.tolist(), strict=True))
    part = np.array([part_of[group] for group in groups])[structures]
    group_number = np.unique(groups, return_inverse=True)[1]

    platonic = np.asarray(platonic, dtype=np.float32)
    by_element: dict[int, np.ndarray] = {}
    for element in np.unique(numbers[part == 0]):
        rows = platonic[(part == 0) & (numbers == element)]
        distinct = np.unique(rows, axis=0)
        if len(distinct) > per_element:
            distinct = distinct[farthest_point(distinct, per_element, seed=seed)]
        by_element[int(element)] = distinct
    everything = np.concatenate(list(by_element.values()))
    labels = np.repeat(list(by_element), [len(rows) for rows in by_element.values()])

    held = part == 1
    distances = element_distances(platonic[held], numbers[held], by_element, everything)
    owners = group_number[structures[held]]
    pooled = conformal_quantile(distances, level, owners)
    thresholds: dict[int, float] = {}
    counts: dict[int, int] = {}
    for element in by_element:
        own = numbers[held] == element
        quantile = conformal_quantile(distances[own], level, owners[own])
        if math.isfinite(quantile):
            thresholds[element], counts[element] = quantile, len(np.unique(owners[own]))
    if not math.isfinite(pooled):
        raise ValueError(
            f"{len(np.unique(owners))} held-out groups are too few for level {level}; "
            f"{_needed(level)} are needed: add compounds or lower the level"
        )

    judged = part == 2
    judges = np.unique(structures[judged])
    n_judges = len(np.unique(group_number[judges]))
    # the largest of n is exceeded by the next with a probability of 1 / (n + 1)
    supported = n_judges / (n_judges + 1)
    if supported < min(level, alarm_level) - 1e-9:
        raise ValueError(
            f"too few held-out groups for alarm level {alarm_level}: {n_judges}, and "
            f"{_needed(min(level, alarm_level))} are the least; add compounds or lower the levels"
        )
    alarm_level = min(alarm_level, supported)

    manifold = ReferenceManifold(
        platonic=everything,
        numbers=labels,
        thresholds=thresholds,
        counts=counts,
        pooled_threshold=pooled,
        alarm=math.nan,
        level=level,
        alarm_level=alarm_level,
        identity=anchors.identity,
        anchors_digest=anchors.digest,
        provenance=dict(provenance or {}),
    )
    scores = manifold.scores(manifold.distances(platonic[judged], numbers[judged]), numbers[judged])
    worst = np.zeros(len(groups))
    np.maximum.at(worst, structures[judged], scores)
    alarm = conformal_quantile(worst[judges], alarm_level, group_number[judges])
    object.__setattr__(manifold, "alarm", max(alarm, 1.0))
    return manifold


def _needed(level: float) -> int:
    """Fewest groups for a finite quantile at this level."""
    return math.ceil(level / (1 - level) - 1e-9)
