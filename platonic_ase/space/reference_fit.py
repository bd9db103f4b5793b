r"""Fitting a reference manifold: which environments are kept, and how far is too far.

Thresholds are split-conformal (Vovk et al. 2005; Lei et al., J. Am. Stat. Assoc. 113, 1094
(2018)): with distances :math:`d_1 \ldots d_n` of held-out environments, the
:math:`\lceil (n+1) \cdot \mathrm{level} \rceil`-th smallest is exceeded by a new environment of
the same kind with probability at most :math:`1 - \mathrm{level}`. What is exchangeable is
compounds, not their strained and rattled copies: n counts compounds. Elements in too few held-out
compounds are pooled: their distances are divided by what is usual for the element among the
reference environments, which the threshold is not set by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.neighbours import ElementClouds, nearest_distances
from platonic_ase.space.reference import (
    NEIGHBOURS,
    ReferenceManifold,
    conformal_quantile,
)
from platonic_ase.space.selection import farthest_point

PRIOR_GROUPS = 1
"""How many groups of an element weigh as much as all other elements in what is usual for it."""


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
    share one quantile of distances in units of :func:`usual_distances`. Where the groups are too
    few for the alarm level, the highest level that they support is used and recorded.

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
    owners_of: dict[int, np.ndarray] = {}
    for element in np.unique(numbers[part == 0]):
        own = np.flatnonzero((part == 0) & (numbers == element))
        distinct, first = np.unique(platonic[own], axis=0, return_index=True)
        if len(distinct) > per_element:
            chosen = farthest_point(distinct, per_element, seed=seed)
            distinct, first = distinct[chosen], first[chosen]
        by_element[int(element)] = distinct
        owners_of[int(element)] = group_number[structures[own[first]]]
    everything = np.concatenate(list(by_element.values()))
    labels = np.repeat(list(by_element), [len(rows) for rows in by_element.values()])
    usual = usual_distances(by_element, owners_of)

    held = part == 1
    references = ElementClouds(everything, labels, NEIGHBOURS)
    distances = references.distances(platonic[held], numbers[held])
    thresholds, counts, pooled, sharing = _thresholds(
        distances, numbers[held], group_number[structures[held]], usual, level
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
        provenance={"elements_sharing_a_threshold": sharing, **(provenance or {})},
    )
    scores = manifold.scores(manifold.distances(platonic[judged], numbers[judged]), numbers[judged])
    worst = np.zeros(len(groups))
    np.maximum.at(worst, structures[judged], scores)
    alarm = conformal_quantile(worst[judges], alarm_level, group_number[judges])
    object.__setattr__(manifold, "alarm", max(alarm, 1.0))
    return manifold


def usual_distances(
    by_element: Mapping[int, np.ndarray], owners: Mapping[int, np.ndarray]
) -> dict[int, float]:
    """What is usual for an element: the median over its groups of distances to other groups.

    Parameters
    ----------
    by_element : mapping of int to ndarray, shape (m, K)
        Reference environments per atomic number.
    owners : mapping of int to ndarray of int, shape (m,)
        Group of each.

    Returns
    -------
    dict of int to float
        The logarithm is drawn to the median of all elements, which counts as
        :data:`PRIOR_GROUPS` groups; of an element in a single group it is that median. The latter
        stands at 0 as well.
    """
    medians: dict[int, tuple[float, int]] = {}
    for element, rows in by_element.items():
        groups = np.unique(owners[element])
        found = []
        for group in groups if len(groups) > 1 else ():
            own = owners[element] == group
            k = min(NEIGHBOURS, int((~own).sum()))
            found.append(float(np.median(nearest_distances(rows[own], rows[~own], k)[0].mean(1))))
        if found and np.median(found) > 0:
            medians[element] = float(np.log(np.median(found))), len(found)
    centre = float(np.median([value for value, _ in medians.values()])) if medians else 0.0
    drawn = {
        element: (value * n + centre * PRIOR_GROUPS) / (n + PRIOR_GROUPS)
        for element, (value, n) in medians.items()
    }
    return {z: math.exp(drawn.get(z, centre)) for z in (0, *by_element)}


def _thresholds(
    distances: np.ndarray,
    numbers: np.ndarray,
    owners: np.ndarray,
    usual: Mapping[int, float],
    level: float,
) -> tuple[dict[int, float], dict[int, int], float, list[int]]:
    """Thresholds and counts per element, one for elements without references, and who shares."""
    thresholds: dict[int, float] = {}
    counts: dict[int, int] = {}
    for element in usual:
        own = numbers == element  # none at 0
        quantile = conformal_quantile(distances[own], level, owners[own])
        if math.isfinite(quantile):
            thresholds[element], counts[element] = quantile, len(np.unique(owners[own]))
    ratios = distances / np.array([usual.get(int(z), usual[0]) for z in numbers])
    rare = ~np.isin(numbers, list(thresholds))
    shared = conformal_quantile(ratios[rare], level, owners[rare])
    if not math.isfinite(shared):  # few are rare
        rare = np.ones(len(ratios), dtype=bool)
        shared = conformal_quantile(ratios, level, owners)
    if not math.isfinite(shared):
        raise ValueError(
            f"{len(np.unique(owners))} held-out groups are too few for level {level}; "
            f"{_needed(level)} are needed: add compounds or lower the level"
        )
    sharing = sorted(element for element in usual if element and element not in thresholds)
    for element in sharing:
        thresholds[element] = shared * usual[element]
        counts[element] = len(np.unique(owners[rare]))
    return thresholds, counts, shared * usual[0], sharing


def _needed(level: float) -> int:
    """Fewest groups for a finite quantile at this level."""
    return math.ceil(level / (1 - level) - 1e-9)
