"""Transport between models: where atoms land, and how far apart the clouds are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from platonic_ase.compare.measures.significance import Estimate, draws, summary
from platonic_ase.compare.measures.transport import (
    Transport,
    chance_accuracy,
    exact_transport,
    gromov_wasserstein,
    label_accuracy,
    match_distances,
    relative_distances,
)
from platonic_ase.compare.similarity import Similarity, draws_of, sample
from platonic_ase.compare.spaces import SPACES, common_space
from platonic_ase.compare.views import Views
from platonic_ase.space._checks import Floats

GROMOV = "gromov"
PLANS = {**SPACES, GROMOV: "raw, without anchors: Gromov–Wasserstein"}
"""Names of plans: exact transport in each common space, and one that needs no common space."""

DISTANCE_SPACES = ("platonic", "standardised")
"""Spaces with axes that mean the same in all models, in which a distance has a meaning."""


@dataclass(frozen=True)
class TransportAccuracy:
    """How much of the mass of a transport plan lands where it should.

    Attributes
    ----------
    a, b : str
        Models.
    space : str
        Key of :data:`PLANS`.
    label : str
        ``"atom"``: on the atom itself; ``"orbit"``: on an atom that is equivalent to it by the
        symmetry of its structure; ``"element"``.
    n_atoms : int
        Atoms transported. Of those that all models hold equal, one was kept.
    chance : float
        Of a plan that sends every atom everywhere.
    estimate : Estimate
        Interval from halves of the structures. The baseline of atoms and orbits is a plan that
        lands on elements as this one does, but on any atom of them; that of elements permutes all
        atoms.
    """

    a: str
    b: str
    space: str
    label: str
    n_atoms: int
    chance: float
    estimate: Estimate


def transports(
    views: Views,
    orbits: np.ndarray | None = None,
    *,
    n_atoms: int = 800,
    gromov_atoms: int = 200,
    n_resamples: int = 10,
    n_permutations: int = 50,
    seed: int = 0,
    tick: Callable[[], object] = lambda: None,
) -> tuple[list[TransportAccuracy], list[Similarity]]:
    """Transport every model onto every other, in every common space and without any.

    Parameters
    ----------
    views : Views
    orbits : ndarray of int, shape (n,), optional
        Orbit of each atom of the views, different for different structures.
    n_atoms, gromov_atoms : int
        Distinct atoms drawn at random where there are more, for exact transport and for
        Gromov–Wasserstein; the cost grows with the cube.
    n_resamples : int
        Halves of the structures for the interval, and exchanges for the baseline of distances; 0
        for none.
    n_permutations : int
        For the baseline of accuracies.
    seed : int
        Of the draws.
    tick : callable
        Called after each pair.

    Returns
    -------
    accuracies : list of TransportAccuracy
    distances : list of Similarity
        ``"wasserstein"`` (2-Wasserstein, in units of the space) and ``"gromov_wasserstein"``
        (its cost, dimensionless), both small for similar models. The baseline of the first is
        that of models with one distribution (atoms exchanged between the two at random; a small
        p says that they differ more), that of the second a model without structure (its distances
        permuted among all pairs of atoms; a small p says that they differ less).
    """
    accuracies: list[TransportAccuracy] = []
    distances: list[Similarity] = []
    for a, b in combinations(views.names, 2):
        for space in PLANS:
            rows = sample(views, gromov_atoms if space == GROMOV else n_atoms, seed)
            x, y = _points(views, space, a, b, rows)
            drawn = draws_of(views, rows, n_resamples, n_permutations, seed)
            solve = gromov_wasserstein if space == GROMOV else exact_transport
            plan = solve(x, y)
            parts = [solve(x[half], y[half]) for half in drawn.samples]
            labels = {"atom": np.arange(len(rows)), "element": views.numbers[rows]}
            if orbits is not None:
                labels["orbit"] = orbits[rows]
            for label, kinds in labels.items():
                orders = drawn.permutations
                if label == "element":
                    free = draws(len(rows), n_resamples=0, n_permutations=n_permutations, seed=seed)
                    orders = free.permutations
                estimate = _accuracy(plan, parts, kinds, drawn.samples, orders)
                chance = chance_accuracy(kinds, kinds)
                accuracies.append(
                    TransportAccuracy(a, b, space, label, len(rows), chance, estimate)
                )
            rng = np.random.default_rng(seed)
            if space == GROMOV:
                first, second = relative_distances(x), relative_distances(y)
                disturbed = [
                    match_distances(first, _shuffled(second, rng)).cost for _ in range(n_resamples)
                ]
                costs = [part.cost for part in parts]
                estimate = summary(plan.cost, costs, disturbed, alternative="less")
                distances.append(Similarity(a, b, "raw", "gromov_wasserstein", estimate))
            elif space in DISTANCE_SPACES:
                disturbed = [_length(solve(*_exchanged(x, y, rng))) for _ in range(n_resamples)]
                estimate = summary(_length(plan), [_length(part) for part in parts], disturbed)
                distances.append(Similarity(a, b, space, "wasserstein", estimate))
        tick()
    return accuracies, distances


def _points(views: Views, space: str, a: str, b: str, rows: np.ndarray) -> tuple[Floats, Floats]:
    if space == GROMOV:
        return views.raw[a][rows].astype(np.float64), views.raw[b][rows].astype(np.float64)
    x, y = common_space(views, space, a, b)
    return x[rows], y[rows]


def _accuracy(
    plan: Transport,
    parts: Sequence[Transport],
    kinds: np.ndarray,
    halves: Sequence[np.ndarray],
    orders: Sequence[np.ndarray],
) -> Estimate:
    """Accuracy of a plan, of those of the halves, and of plans with permuted columns."""
    i, j = np.nonzero(plan.plan)
    mass = plan.plan[i, j] / plan.plan.sum()
    return summary(
        label_accuracy(plan.plan, kinds, kinds),
        [
            label_accuracy(part.plan, kinds[half], kinds[half])
            for part, half in zip(parts, halves, strict=True)
        ],
        [float(mass[kinds[i] == kinds[order][j]].sum()) for order in orders],
    )


def _exchanged(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Exchange each atom of two clouds with probability one half."""
    swapped = rng.random(len(x))[:, None] < 0.5
    return np.where(swapped, y, x), np.where(swapped, x, y)


def _shuffled(distances: Floats, rng: np.random.Generator) -> Floats:
    """Permute the distances among all pairs of atoms."""
    upper = np.triu_indices(len(distances), 1)
    shuffled = np.zeros_like(distances)
    shuffled[upper] = rng.permutation(distances[upper])
    return np.asarray(shuffled + shuffled.T)


def _length(transport: Transport) -> float:
    """2-Wasserstein distance of a plan of squared distances."""
    return float(np.sqrt(max(transport.cost, 0.0)))
