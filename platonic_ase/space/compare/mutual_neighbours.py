"""Mutual nearest neighbours: whether two models see the same atoms next to each other."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from platonic_ase.space._checks import Floats, as_pair, as_points, chunks

Metric = Literal["euclidean", "cosine"]

_ROWS, _COLUMNS = 512, 4096  # a block of scores: 8 MB in float32
_SAMPLE = 4096  # rows that bound the distance to the k-th neighbour


def mutual_knn(x: ArrayLike, y: ArrayLike, k: int = 10, *, metric: Metric = "euclidean") -> float:
    """Return the mean share of k nearest neighbours that two models have in common.

    `m_NN = 1/n Σ_i |N_k(x_i) ∩ N_k(y_i)| / k`: 1 for equal neighbourhoods, k / (n - 1) by chance.

    Parameters
    ----------
    x, y
        Shapes (n, d_x) and (n, d_y); row i of both is the same atom.
    k
        Number of neighbours, at most n - 1; an atom is no neighbour of itself.
    metric
        What is near: by Euclidean distance or by angle.

    Notes
    -----
    Symmetry-equivalent atoms have equal rows, and which of many equal rows are the nearest is
    arbitrary: keep one atom per orbit.

    References
    ----------
    M. Huh, B. Cheung, T. Wang and P. Isola, Proc. ICML 2024, arXiv:2405.07987.
    """
    return float(neighbour_overlap(x, y, k, metric=metric).mean())


def neighbour_overlap(
    x: ArrayLike, y: ArrayLike, k: int = 10, *, metric: Metric = "euclidean"
) -> NDArray[np.float64]:
    """Return `|N_k(x_i) ∩ N_k(y_i)| / k` per atom, shape (n,); the terms of `mutual_knn`."""
    x, y = as_pair(x, y)
    first, second = (k_nearest(points, k, metric=metric) for points in (x, y))
    shared = np.empty(len(first))
    for rows in chunks(len(first), _ROWS):
        shared[rows] = (first[rows, :, None] == second[rows, None, :]).sum(axis=(1, 2))
    return shared / k


def k_nearest(points: ArrayLike, k: int, *, metric: Metric = "euclidean") -> NDArray[np.intp]:
    """Return the indices of the k nearest other rows, nearest first, shape (n, k).

    Exact, by brute force in blocks: no array grows with n². A random sample bounds the distance
    to the k-th neighbour of each row, and rows sorted along the first principal component need
    to look no further than that bound along it. float32 input is searched in float32 and ranked
    in float64.

    Raises
    ------
    ValueError
        For too few rows, rows that are all equal, or values that are not finite.
    """
    x = as_points(points)
    n = len(x)
    if not 1 <= k < n:
        raise ValueError(
            f"k is {k} for {n} atoms; it must be from 1 to {n - 1}: lower k or add atoms"
        )
    x, position, order = _sorted_along_first_component(_prepared(x, metric))
    squared = np.einsum("ij,ij->i", x, x)
    # left_i · right_j = x_i · x_j - |x_j|² / 2 = (|x_i|² - |x_i - x_j|²) / 2: larger is nearer.
    left = np.hstack([x, np.ones((n, 1), x.dtype)])
    right = np.hstack([x, -squared[:, None] / 2])
    slack = 64 * np.finfo(x.dtype).eps * squared.max()
    sample = np.random.default_rng(0).permutation(n)[: max(_SAMPLE, 16 * k)]
    sampled = np.ascontiguousarray(right[sample].T)
    found = np.empty((n, k), np.intp)
    for rows in chunks(n, _ROWS):
        lowest = np.partition(left[rows] @ sampled, -(k + 1), axis=1)[:, -(k + 1)] - slack
        reach = np.sqrt((squared[rows] - 2 * lowest).max() + slack)
        start = int(np.searchsorted(position, position[rows.start] - reach))
        stop = int(np.searchsorted(position, position[rows.stop - 1] + reach, side="right"))
        hits = []
        for offset in range(start, stop, _COLUMNS):
            columns = slice(offset, min(offset + _COLUMNS, stop))
            scores = left[rows] @ right[columns].T
            hit = np.flatnonzero(scores >= lowest[:, None])
            row, column = np.divmod(hit, scores.shape[1])
            hits.append((row, column + offset, scores.ravel()[hit]))
        row, column, score = (np.concatenate(parts) for parts in zip(*hits, strict=True))
        candidates = _best(row, column, score, 2 * k + 2, rows.stop - rows.start)
        found[rows] = order[_rank(x, rows, candidates, k)]
    unsorted = np.empty_like(found)
    unsorted[order] = found
    return unsorted


def _prepared(x: Floats, metric: Metric) -> Floats:
    if metric == "cosine":
        norms = np.linalg.norm(x, axis=1, keepdims=True)
        if not norms.all():
            raise ValueError(
                f"{int((norms == 0).sum())} embeddings are zero and have no direction; use "
                "metric='euclidean' or leave these atoms out"
            )
        x = x / norms
    elif metric != "euclidean":
        raise ValueError(f"metric is {metric!r}; it must be 'euclidean' or 'cosine'")
    if (x == x[0]).all():
        raise ValueError(
            f"all {len(x)} embeddings are equal and have no nearest neighbours; check that the "
            "structures differ and that the right layer was captured"
        )
    return np.asarray(x - x.mean(axis=0, dtype=np.float64), x.dtype)


def _sorted_along_first_component(x: Floats) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Return the rows sorted by their first principal component, that component, and the order."""
    axis = np.linalg.eigh(x.T @ x)[1][:, -1]
    position = x @ axis
    order = np.argsort(position, kind="stable")
    return x[order], position[order], order


def _best(
    row: NDArray[np.intp], column: NDArray[np.intp], score: Floats, count: int, n_rows: int
) -> NDArray[np.intp]:
    """Return the `count` columns of highest score per row, shape (n_rows, count), -1 for none."""
    by_score = np.lexsort((-score, row))
    row, column = row[by_score], column[by_score]
    rank = np.arange(len(row)) - np.searchsorted(row, np.arange(n_rows))[row]
    best = np.full((n_rows, count), -1)
    kept = rank < count
    best[row[kept], rank[kept]] = column[kept]
    return best


def _rank(x: Floats, rows: slice, candidates: NDArray[np.intp], k: int) -> NDArray[np.intp]:
    """Return the k candidates at the smallest distance, recomputed without cancellation."""
    itself = np.arange(rows.start, rows.stop)[:, None]
    difference = x[candidates].astype(np.float64) - x[rows][:, None]
    squared = np.einsum("ijk,ijk->ij", difference, difference)
    squared[(candidates == itself) | (candidates < 0)] = np.inf
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(candidates, order, axis=1)
