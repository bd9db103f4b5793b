"""What one model is like: dimension, arithmetic, and where it departs from the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from platonic_ase.space.compare.arithmetic import AnalogyScore, score_analogies
from platonic_ase.space.compare.bias import anchor_departure, group_bias, row_departure
from platonic_ase.space.compare.dimension import two_nn
from platonic_ase.workflows.compare.analogies import (
    analogy_structures,
    composition_vectors,
    family_analogies,
)
from platonic_ase.workflows.compare.catalogue import Catalogue
from platonic_ase.workflows.compare.controls import is_control
from platonic_ase.workflows.compare.views import EQUIVALENT, Views

COMPOSITION = "composition only"
"""Name of the baseline that knows which elements there are, and no model."""

MIN_STRUCTURES = 5
"""Structures that a label needs before its bias is tested: fewer cannot reach p = 0.05."""


@dataclass(frozen=True)
class Dimension:
    """Intrinsic dimension of a model's atoms in one space, see ``two_nn``."""

    model: str
    space: str
    dimension: float
    collapsed_fraction: float
    n_distinct: int


@dataclass(frozen=True)
class Analogies:
    """Retrieval scores of one model on one family, see ``score_analogies``."""

    model: str
    space: str
    family: str
    n_analogies: int
    n_candidates: int
    hits_at_1: float
    hits_at_5: float
    mean_reciprocal_rank: float
    chance_hits_at_1: float
    chance_hits_at_5: float
    chance_mean_reciprocal_rank: float


@dataclass(frozen=True)
class Departure:
    """Departure of one model from the consensus of the others on one label, see ``group_bias``.

    Attributes
    ----------
    by : str
        ``"element"``, ``"family"`` or ``"space group"``.
    label : str
        Such as ``"83"`` (an atomic number), ``"oxide"`` or ``"Fm-3m (225)"``.
    """

    model: str
    by: str
    label: str
    n_atoms: int
    n_structures: int
    departure: float
    excess: float
    p_value: float
    q_value: float


def dimensions(views: Views) -> list[Dimension]:
    """Intrinsic dimension and collapsed fraction of each model, raw and in Platonic space."""
    found = []
    for space, arrays in (("raw", views.raw), ("platonic", views.platonic)):
        for name, points in arrays.items():
            value = two_nn(points, tolerance=EQUIVALENT)
            found.append(
                Dimension(name, space, value.dimension, value.collapsed_fraction, value.n_distinct)
            )
    return found


def arithmetic(views: Views) -> list[Analogies]:
    """Score the analogies of all families, model by model, and with composition only.

    Vectors are means over the atoms of a crystal, centred over all crystals. Empty where a model
    failed on one of the crystals.

    Parameters
    ----------
    views : Views
    """
    if not views.analogies:
        return []
    structures = analogy_structures()
    families = family_analogies(structures)
    vectors = {(COMPOSITION, "composition"): composition_vectors(structures)}
    for name, means in views.analogies.items():
        vectors[name, "raw"] = means
        vectors[name, "platonic"] = views.project(name, means)
    found = []
    for (name, space), points in vectors.items():
        for family, quads in families.items():
            score = score_analogies(points - points.mean(axis=0), quads)
            found.append(_analogies(name, space, family, score))
    return found


def departures(
    views: Views,
    catalogue: Catalogue,
    *,
    n_permutations: int = 2000,
    seed: int = 0,
    tick: Callable[[], object] = lambda: None,
) -> list[Departure]:
    """Test where each model departs from the consensus; empty for fewer than three.

    A model with random weights is no part of the consensus of others.

    Parameters
    ----------
    views : Views
    catalogue : Catalogue
    n_permutations : int
        Changes of sign of the test.
    seed : int
    tick : callable
        Called after each model.
    """
    found: list[Departure] = []
    rows = views.distinct
    structures = views.structures[rows]
    labels = {
        "element": views.numbers[rows].astype(str),
        "family": catalogue.families[structures],
        "space group": catalogue.space_groups[structures],
    }
    for name in views.names:
        others = _consensus(views, name)
        tick()
        if len(others) < 3:
            continue
        each = row_departure({key: views.platonic[key][rows] for key in others})
        for by, kinds in labels.items():
            enough = _frequent(kinds, structures)
            if not enough.any():
                continue
            bias = group_bias(
                {key: value[enough] for key, value in each.items()},
                name,
                kinds[enough],
                structures=structures[enough],
                n_permutations=n_permutations,
                seed=seed,
            )
            found += [
                Departure(
                    name,
                    by,
                    str(bias.labels[i]),
                    int(bias.n_atoms[i]),
                    int(bias.n_structures[i]),
                    float(bias.departure[i]),
                    float(bias.excess[i]),
                    float(bias.p_value[i]),
                    float(bias.q_value[i]),
                )
                for i in range(len(bias.labels))
            ]
    return found


def anchor_departures(views: Views) -> dict[str, list[float]]:
    """Departure of each model on each anchor, `1 - corr` over the atoms; empty for under three."""
    found = {}
    for name in views.names:
        others = _consensus(views, name)
        if len(others) >= 3:
            arrays = {key: views.platonic[key][views.distinct] for key in others}
            found[name] = [float(value) for value in anchor_departure(arrays)[name]]
    return found


def _consensus(views: Views, name: str) -> list[str]:
    return [key for key in views.names if key == name or not is_control(key)]


def _frequent(kinds: np.ndarray, structures: np.ndarray) -> np.ndarray:
    """Rows whose label occurs in at least :data:`MIN_STRUCTURES` structures."""
    _, codes = np.unique(kinds, return_inverse=True)
    pairs = np.unique(np.stack([codes, structures]), axis=1)
    return np.asarray((np.bincount(pairs[0]) >= MIN_STRUCTURES)[codes])


def _analogies(name: str, space: str, family: str, score: AnalogyScore) -> Analogies:
    return Analogies(
        name,
        space,
        family,
        len(score.ranks),
        score.n_candidates,
        score.hits_at_1,
        score.hits_at_5,
        score.mean_reciprocal_rank,
        score.chance_hits_at_1,
        score.chance_hits_at_5,
        score.chance_mean_reciprocal_rank,
    )
