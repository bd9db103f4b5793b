"""Stitching: heads fitted on one model's coordinates and used on another's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from platonic_ase.compare.catalogue import Catalogue
from platonic_ase.compare.measures.stitching import StitchingScore, stitch
from platonic_ase.compare.spaces import SPACES, common_space
from platonic_ase.compare.views import Views

MIN_LABELLED = 20
"""Fewest labelled structures that a head is fitted on and tested with."""

RIDGE = 1.0
"""Penalty of the heads: a weak one fits the very directions in which models differ."""


@dataclass(frozen=True)
class Stitch:
    """A head of one model on another, averaged over random splits of the structures.

    Attributes
    ----------
    source, target : str
        Models: the head is fitted on the first and used on the second.
    space : str
        Key of :data:`~platonic_ase.compare.spaces.SPACES`.
    label : str
        ``"energy"`` (per atom, from mean coordinates of a structure), ``"element"``,
        ``"coordination"`` or ``"magmom"``; ``"magmom, predicted by MODEL"`` where the moments
        are not those of the structures' file.
    own, stitched, chance : float
        Share of right classes for elements, R² else: on the model itself, on the other, and of
        the best constant.
    low, high : float
        Smallest and largest ``stitched`` among the splits.
    n_rows : int
        Atoms or structures with a label.
    """

    source: str
    target: str
    space: str
    label: str
    own: float
    stitched: float
    chance: float
    low: float
    high: float
    n_rows: int


def stitches(
    views: Views,
    catalogue: Catalogue,
    *,
    n_splits: int = 5,
    seed: int = 0,
    tick: Callable[[], object] = lambda: None,
) -> list[Stitch]:
    """Stitch every ordered pair of models in every common space, for each label there is.

    Parameters
    ----------
    views : Views
    catalogue : Catalogue
        Of the structures of the views.
    n_splits : int
        Random splits, 70 % of the structures to fit and 30 % to test.
    seed : int
    tick : callable
        Called after each ordered pair.
    """
    tasks = _tasks(views, catalogue)
    kinds = np.unique(views.structures)
    rng = np.random.default_rng(seed)
    fitted = [rng.permutation(kinds)[: int(0.7 * len(kinds))] for _ in range(n_splits)]
    found = []
    for source, target in permutations(views.names, 2):
        for space in SPACES:
            x, y = common_space(views, space, source, target)
            for label, (pool, values, owners) in tasks.items():
                scores = [
                    stitch(pool(x), pool(y), values, train=np.isin(owners, chosen), ridge=RIDGE)
                    for chosen in fitted
                ]
                found.append(_summed(source, target, space, label, scores, len(values)))
        tick()
    return found


Pool = Callable[[np.ndarray], np.ndarray]


def _tasks(views: Views, catalogue: Catalogue) -> dict[str, tuple[Pool, np.ndarray, np.ndarray]]:
    """By label: how its rows come from those of atoms, its values, and the structure of each."""
    tasks: dict[str, tuple[Pool, np.ndarray, np.ndarray]] = {}
    kinds, which = np.unique(views.structures, return_inverse=True)
    energies = catalogue.energies[kinds]
    known = np.isfinite(energies)

    def means(points: np.ndarray) -> np.ndarray:
        sums = np.zeros((len(kinds), points.shape[1]))
        np.add.at(sums, which, points)
        return np.asarray((sums / np.bincount(which)[:, None])[known])

    if known.sum() >= MIN_LABELLED:
        tasks["energy"] = (means, energies[known], kinds[known])
    moment = f"magmom, {catalogue.magmom_source}" if catalogue.magmom_source else "magmom"
    rows = views.distinct
    atoms = np.isin(catalogue.structures, kinds)
    for label, values in (
        ("element", views.numbers[rows]),
        ("coordination", catalogue.coordination[atoms][rows]),
        (moment, catalogue.magmoms[atoms][rows]),
    ):
        valid = np.ones(len(rows), bool) if values.dtype.kind != "f" else np.isfinite(values)
        owners = views.structures[rows][valid]
        if len(np.unique(owners)) >= MIN_LABELLED and len(np.unique(values[valid])) > 1:
            tasks[label] = (_picker(rows[valid]), values[valid], owners)
    return tasks


def _picker(rows: np.ndarray) -> Pool:
    return lambda points: points[rows]


def _summed(
    source: str, target: str, space: str, label: str, scores: list[StitchingScore], n: int
) -> Stitch:
    stitched = [score.stitched for score in scores]
    return Stitch(
        source,
        target,
        space,
        label,
        float(np.mean([score.own for score in scores])),
        float(np.mean(stitched)),
        float(np.mean([score.chance for score in scores])),
        min(stitched),
        max(stitched),
        n,
    )
