"""Which structures the models see differently."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from platonic_ase.compare.catalogue import Catalogue
from platonic_ase.compare.controls import is_control
from platonic_ase.compare.spaces import standardised
from platonic_ase.compare.views import Views


@dataclass(frozen=True)
class Disagreement:
    """How far apart the models put the atoms of one structure.

    The distance of two models is the mean over the atoms of ``1 - cos`` between their standardised
    Platonic coordinates: 0 for the same place, about 1 for unrelated ones. Models with random
    weights do not count, unless there are no two others.

    Attributes
    ----------
    structure : int
        Its place among the structures given.
    formula, space_group : str
    n_atoms : int
    median : float
        Of the distances of all pairs of models.
    a, b : str
        The two models furthest apart.
    largest : float
        Their distance.
    """

    structure: int
    formula: str
    space_group: str
    n_atoms: int
    median: float
    a: str
    b: str
    largest: float


def disagreements(views: Views, catalogue: Catalogue) -> list[Disagreement]:
    """Rank structures by how much the models disagree about them, most first.

    Parameters
    ----------
    views : Views
    catalogue : Catalogue
        Of the structures of the views.
    """
    pairs, of_atoms = atom_distances(views)
    structures, place = np.unique(views.structures, return_inverse=True)
    n_atoms = np.bincount(place)
    distances = np.stack([np.bincount(place, each) / n_atoms for each in of_atoms])
    medians, furthest = np.median(distances, axis=0), distances.argmax(axis=0)
    return [
        Disagreement(
            structure=int(structures[i]),
            formula=catalogue.formulas[structures[i]],
            space_group=str(catalogue.space_groups[structures[i]]),
            n_atoms=int(n_atoms[i]),
            median=float(medians[i]),
            a=pairs[furthest[i]][0],
            b=pairs[furthest[i]][1],
            largest=float(distances[furthest[i], i]),
        )
        for i in np.argsort(-medians, kind="stable")
    ]


def atom_distances(views: Views) -> tuple[list[tuple[str, str]], np.ndarray]:
    """How far apart two models put each atom, see :class:`Disagreement`.

    Parameters
    ----------
    views : Views

    Returns
    -------
    pairs : list of (str, str)
    distances : ndarray, shape (n_pairs, n)
    """
    learned = [name for name in views.names if not is_control(name)]
    names = learned if len(learned) > 1 else views.names
    points = {name: standardised(views, name) for name in names}
    pairs = list(combinations(points, 2))
    return pairs, np.stack([1 - np.einsum("ij,ij->i", points[a], points[b]) for a, b in pairs])
