"""The table of similarities: every pair of models, raw and in Platonic space."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from platonic_ase.compare.measures.prepared import TwoStep, two_step_measures
from platonic_ase.compare.measures.significance import Draws, Estimate, draws, summary
from platonic_ase.compare.spaces import own_space
from platonic_ase.compare.views import Views
from platonic_ase.errors import ComparisonError
from platonic_ase.space._checks import Floats

OWN_SPACES = ("raw", "platonic", "standardised")
"""Spaces in which each model is described by itself, see ``own_space``."""

KERNEL_ATOMS = 4000
"""Distinct atoms of which RBF kernels are made, at most: their matrices grow with the square."""


@dataclass(frozen=True)
class Similarity:
    """One measure between two models.

    Attributes
    ----------
    a, b : str
        Models.
    space : str
        ``"raw"``, ``"platonic"`` or ``"standardised"``.
    measure : str
        ``"mutual_knn"``; ``"cka_linear_unbiased"``, ``"cka_linear_biased"``,
        ``"cka_rbf_unbiased"``, ``"cka_rbf_biased"``; ``"procrustes"`` (angle in radians),
        ``"wasserstein"`` and ``"gromov_wasserstein"`` (distances): of the last three, small is
        similar.
    estimate : Estimate
        Value, interval from halves of the structures, and a permutation baseline. It is that of
        models that know nothing but the element (atoms permuted within elements) for the
        measures above; for the two distances see
        :func:`~platonic_ase.compare.transport.transports`.
    """

    a: str
    b: str
    space: str
    measure: str
    estimate: Estimate


def similarities(
    views: Views,
    *,
    k: int = 10,
    n_resamples: int = 50,
    n_permutations: int = 50,
    seed: int = 0,
    tick: Callable[[], object] = lambda: None,
) -> list[Similarity]:
    """Compare every pair of models, raw and in Platonic space.

    Parameters
    ----------
    views : Views
    k : int
        Neighbours of the mutual nearest-neighbour measure.
    n_resamples, n_permutations : int
        See :func:`~platonic_ase.compare.measures.significance.estimate`; groups are structures,
        strata elements.
    seed : int
    tick : callable
        Called after each space.

    Raises
    ------
    ComparisonError
        If there are no more atoms than k, fewer than four, or a model for which a measure is not
        defined, such as one that puts most atoms in one place.
    """
    rows = views.distinct
    halves = draws_of(views, rows, n_resamples, 0, seed).samples
    smallest = min(map(len, halves), default=len(rows))
    if smallest <= k:
        raise ComparisonError(
            f"k = {k} neighbours are too many for {len(rows)} distinct atoms, of which the "
            f"smallest half of the structures that is drawn for intervals has {smallest}: lower k, "
            "add structures, or take no resamples"
        )
    if smallest < 4:
        raise ComparisonError(
            f"{len(rows)} distinct atoms are too few, of which the smallest half of the structures "
            f"that is drawn for intervals has {smallest}: 4 are needed; add structures, or take "
            "no resamples"
        )
    found = []
    for space in OWN_SPACES:
        for step in two_step_measures(k):
            rows = sample(views, KERNEL_ATOMS, seed) if step.quadratic else views.distinct
            points = {name: own_space(views, space, name)[rows] for name in views.names}
            drawn = draws_of(views, rows, n_resamples, n_permutations, seed)
            found += [
                Similarity(a, b, space, measure, estimate)
                for a, b, measure, estimate in _estimates(step, points, drawn)
            ]
        tick()
    return found


def sample(views: Views, n_atoms: int, seed: int) -> np.ndarray:
    """Rows of at most ``n_atoms`` distinct atoms, drawn at random, sorted."""
    rows = views.distinct
    if len(rows) <= n_atoms:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, n_atoms, replace=False))


def draws_of(
    views: Views, rows: np.ndarray, n_resamples: int, n_permutations: int, seed: int
) -> Draws:
    """Halves of the structures and permutations within elements; no halves of under four."""
    groups = views.structures[rows]
    return draws(
        len(rows),
        groups=groups,
        strata=views.numbers[rows],
        n_resamples=n_resamples if len(np.unique(groups)) >= 4 else 0,
        n_permutations=n_permutations,
        seed=seed,
    )


def _estimates(
    step: TwoStep, points: Mapping[str, Floats], drawn: Draws
) -> Iterator[tuple[str, str, str, Estimate]]:
    """Yield two models, the name of a measure and its estimate."""
    pairs = list(combinations(points, 2))
    whole = {name: _prepared(step, name, x) for name, x in points.items()}
    resampled: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    permuted: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for rows in drawn.samples:
        parts = {name: _prepared(step, name, x[rows]) for name, x in points.items()}
        for a, b in pairs:
            for measure, compare in step.compare.items():
                resampled[a, b, measure].append(compare(parts[a], parts[b]))
    for order in drawn.permutations:
        moved = {name: prepared.permuted(order) for name, prepared in whole.items()}
        for a, b in pairs:
            for measure, compare in step.compare.items():
                permuted[a, b, measure].append(compare(whole[a], moved[b]))
    for a, b in pairs:
        for measure, compare in step.compare.items():
            yield (
                a,
                b,
                measure,
                summary(
                    compare(whole[a], whole[b]),
                    resampled[a, b, measure],
                    permuted[a, b, measure],
                    alternative="less" if measure == "procrustes" else "greater",
                ),
            )


def _prepared(step: TwoStep, name: str, points: Floats) -> Any:
    try:
        return step.prepare(points)
    except ValueError as error:
        raise ComparisonError(f"{' and '.join(step.compare)} of {name}: {error}") from error
