"""Pairwise tables: similarity of geometry, and transport between models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np

from platonic_ase.errors import ComparisonError
from platonic_ase.space._checks import Floats
from platonic_ase.space.compare.kernel_alignment import cka
from platonic_ase.space.compare.mutual_neighbours import mutual_knn
from platonic_ase.space.compare.procrustes import angular_procrustes
from platonic_ase.space.compare.significance import Estimate, Measure, estimate
from platonic_ase.space.compare.transport import exact_transport, label_accuracy
from platonic_ase.workflows.compare.spaces import SPACES, common_space, own_space
from platonic_ase.workflows.compare.views import Views


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
        ``"mutual_knn"``, ``"cka"`` (linear, debiased) or ``"procrustes"`` (angle in radians:
        small is similar).
    estimate : Estimate
        Value, interval over structures, and the baseline of models that know nothing but the
        element: atoms permuted within elements.
    """

    a: str
    b: str
    space: str
    measure: str
    estimate: Estimate


@dataclass(frozen=True)
class TransportAccuracy:
    """Where an exact optimal transport plan between two models lands.

    Attributes
    ----------
    a, b : str
        Models.
    space : str
        Key of :data:`~platonic_ase.workflows.compare.spaces.SPACES`.
    n_atoms : int
        Atoms transported, none equivalent to another.
    same_atom, same_element : float
        Share of the mass that lands on the atom itself, and on an atom of its element.
    low, high : float
        95 % interval of ``same_atom``, from halves of the structures; NaN without resampling.
    chance_atom, chance_element : float
        The same for a plan that sends every atom everywhere.
    element_baseline : float
        ``same_atom`` of a plan that lands on elements as this one does, but on any atom of them.
    """

    a: str
    b: str
    space: str
    n_atoms: int
    same_atom: float
    same_element: float
    low: float
    high: float
    chance_atom: float
    chance_element: float
    element_baseline: float


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
        See :func:`~platonic_ase.space.compare.significance.estimate`; groups are structures,
        strata elements.
    seed : int
    tick : callable
        Called after each pair.
    """
    rows = views.distinct
    if len(rows) // 2 <= k:  # half of the structures are drawn for the interval
        raise ComparisonError(
            f"k = {k} neighbours are too many for {len(rows)} distinct atoms (more than "
            f"{2 * k + 1} are needed): lower k or add structures"
        )
    measures: dict[str, Measure] = {
        "mutual_knn": partial(mutual_knn, k=k),
        "cka": cka,
        "procrustes": angular_procrustes,
    }
    groups = views.structures[rows]
    enough = len(np.unique(groups)) >= 4
    found = []
    for a, b in combinations(views.names, 2):
        for space in ("raw", "platonic", "standardised"):
            x, y = (own_space(views, space, name)[rows] for name in (a, b))
            for name, measure in measures.items():
                value = estimate(
                    measure,
                    x,
                    y,
                    groups=groups,
                    strata=views.numbers[rows],
                    alternative="less" if name == "procrustes" else "greater",
                    n_resamples=n_resamples if enough else 0,
                    n_permutations=n_permutations,
                    seed=seed,
                )
                found.append(Similarity(a, b, space, name, value))
        tick()
    return found


def transports(
    views: Views,
    *,
    n_atoms: int = 800,
    n_resamples: int = 10,
    seed: int = 0,
    tick: Callable[[], object] = lambda: None,
) -> list[TransportAccuracy]:
    """Transport every model onto every other, in every common space.

    Parameters
    ----------
    views : Views
    n_atoms : int
        Distinct atoms drawn at random where there are more; the cost grows with the cube.
    n_resamples : int
        Halves of the structures for the interval; 0 for none.
    seed : int
        Of the draws.
    tick : callable
        Called after each pair.
    """
    rows = sample(views, n_atoms, seed)
    groups, numbers = views.structures[rows], views.numbers[rows]
    halves = list(_halves(groups, n_resamples, seed))
    found = []
    for a, b in combinations(views.names, 2):
        for space in SPACES:
            x, y = (points[rows] for points in common_space(views, space, a, b))
            plan = exact_transport(x, y).plan
            value = label_accuracy(plan, np.arange(len(rows)), np.arange(len(rows)))
            spread = np.array([_atom_accuracy(x[half], y[half]) for half in halves])
            low, high = _interval(value, spread)
            same = numbers[:, None] == numbers
            shares = np.bincount(numbers)[numbers]
            found.append(
                TransportAccuracy(
                    a,
                    b,
                    space,
                    len(rows),
                    value,
                    label_accuracy(plan, numbers, numbers),
                    low,
                    high,
                    1 / len(rows),
                    float(same.mean()),
                    float((plan * same / shares[:, None]).sum() / plan.sum()),
                )
            )
        tick()
    return found


def sample(views: Views, n_atoms: int, seed: int) -> np.ndarray:
    """Rows of at most ``n_atoms`` distinct atoms, drawn at random, sorted."""
    rows = views.distinct
    if len(rows) <= n_atoms:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, n_atoms, replace=False))


def _atom_accuracy(x: Floats, y: Floats) -> float:
    itself = np.arange(len(x))
    return label_accuracy(exact_transport(x, y).plan, itself, itself)


def _halves(groups: np.ndarray, n: int, seed: int) -> Iterator[np.ndarray]:
    """Rows of half of the structures, n times; none where there are too few structures."""
    kinds = np.unique(groups)
    rng = np.random.default_rng(seed)
    for _ in range(n if len(kinds) >= 4 else 0):
        yield np.flatnonzero(np.isin(groups, rng.permutation(kinds)[: len(kinds) // 2]))


def _interval(value: float, resampled: np.ndarray) -> tuple[float, float]:
    """Basic 95 % interval from the spread about the mean, as in significance.estimate."""
    if len(resampled) < 2:
        return float("nan"), float("nan")
    spread = resampled - resampled.mean()
    low, high = value - np.quantile(spread, [0.975, 0.025])
    return float(low), float(high)
