"""Embedding arithmetic as a table: within each model, and from one model to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from platonic_ase.compare.analogies import (
    analogy_structures,
    composition_vectors,
    family_analogies,
)
from platonic_ase.compare.measures.arithmetic import AnalogyScore, score_analogies
from platonic_ase.compare.similarity import OWN_SPACES
from platonic_ase.compare.spaces import SPACES, common_space, own_space
from platonic_ase.compare.views import Views
from platonic_ase.space._checks import Floats

COMPOSITION = "composition only"
"""Name of the baseline that knows which elements there are, and no model."""


@dataclass(frozen=True)
class Analogies:
    """Retrieval scores on one family, see ``score_analogies``.

    Attributes
    ----------
    model, target : str
        The analogy a - b + c is formed of the vectors of ``model``, and its answer looked for
        among those of ``target``. Both are :data:`COMPOSITION` for the baseline, to which all
        models are the same.
    space : str
        ``"raw"``, ``"composition"`` or a key of
        :data:`~platonic_ase.compare.spaces.SPACES`.
    family : str
    n_analogies, n_candidates : int
    hits_at_1, hits_at_5, mean_reciprocal_rank : float
    chance_hits_at_1, chance_hits_at_5, chance_mean_reciprocal_rank : float
        Of a random order of the candidates.
    """

    model: str
    target: str
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


def arithmetic(views: Views) -> list[Analogies]:
    """Score the analogies of all families, model by model, across models, and by composition.

    Vectors are means over the atoms of a crystal, centred over all crystals, each model's by
    itself. Empty where a model failed on one of the crystals.

    Parameters
    ----------
    views : Views
    """
    if not views.analogies:
        return []
    structures = analogy_structures()
    families = family_analogies(structures)
    composition = composition_vectors(structures)
    rows = [(COMPOSITION, COMPOSITION, "composition", composition, composition)]
    found = []
    for model, target, space, x, y in [*rows, *_vectors(views)]:
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
        for family, quads in families.items():
            score = score_analogies(x, quads, candidates=y)
            found.append(_row(model, target, space, family, score))
    return found


def pooled(analogies: list[Analogies]) -> dict[tuple[str, str, str], dict[str, float]]:
    """Scores over all families, each analogy once, by model, target and space.

    Parameters
    ----------
    analogies : list of Analogies
    """
    members: dict[tuple[str, str, str], list[Analogies]] = {}
    for entry in analogies:
        members.setdefault((entry.model, entry.target, entry.space), []).append(entry)
    names = (
        "hits_at_1", "hits_at_5", "mean_reciprocal_rank",
        "chance_hits_at_1", "chance_hits_at_5", "chance_mean_reciprocal_rank",
    )  # fmt: skip
    return {
        key: {
            name: float(
                np.average(
                    [getattr(entry, name) for entry in entries],
                    weights=[entry.n_analogies for entry in entries],
                )
            )
            for name in names
        }
        for key, entries in members.items()
    }


def _vectors(views: Views) -> Iterator[tuple[str, str, str, Floats, Floats]]:
    """Yield model, target, space, and the vectors of both."""
    crystals = views.of_crystals()
    for name in views.names:
        for space in OWN_SPACES:
            points = own_space(crystals, space, name)
            yield name, name, space, points, points
    for name, target in permutations(views.names, 2):
        for space in SPACES:
            yield name, target, space, *common_space(crystals, space, name, target)


def _row(model: str, target: str, space: str, family: str, score: AnalogyScore) -> Analogies:
    return Analogies(
        model,
        target,
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
