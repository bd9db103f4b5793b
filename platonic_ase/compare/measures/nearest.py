"""Exact nearest neighbours of all points among themselves, in bounded memory."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from platonic_ase.space._checks import Floats, as_points, chunks

Metric = Literal["euclidean", "cosine"]

_ROWS = 4096  # points whose candidates are compared at once


def k_nearest(points: ArrayLike, k: int, *, metric: Metric = "euclidean") -> NDArray[np.intp]:
    """Return the indices of the k nearest other rows, nearest first, shape (n, k).

    scikit-learn's brute force finds twice as many candidates from matrix products, in blocks, so
    that no array grows with n²; they are ranked by distances computed from differences, because
    those of nearly equal points are lost in products.

    Parameters
    ----------
    points
        Shape (n, d).
    k
        From 1 to n - 1; a row is no neighbour of itself.
    metric
        What is near: by Euclidean distance or by angle.

    Raises
    ------
    ValueError
        For too few rows, rows that are all equal, or values that are not finite.
    """
    from sklearn.neighbors import NearestNeighbors

    x = as_points(points)
    n = len(x)
    if not 1 <= k < n:
        raise ValueError(
            f"k is {k} for {n} atoms; it must be from 1 to {n - 1}: lower k or add atoms"
        )
    x = _prepared(x, metric)
    search = NearestNeighbors(n_neighbors=min(2 * k + 2, n), algorithm="brute").fit(x)
    found = np.empty((n, k), np.intp)
    for rows in chunks(n, _ROWS):
        candidates = search.kneighbors(x[rows], return_distance=False)
        found[rows] = _rank(x, np.arange(n)[rows], candidates, k)
    return found


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
    return np.asarray(x - x.mean(axis=0, dtype=np.float64), np.float64)


def _rank(
    x: Floats, rows: NDArray[np.intp], candidates: NDArray[np.intp], k: int
) -> NDArray[np.intp]:
    """Return the k candidates at the smallest distance, without cancellation, shape (n, k)."""
    difference = x[candidates] - x[rows][:, None]
    squared = np.einsum("ijk,ijk->ij", difference, difference)
    squared[candidates == rows[:, None]] = np.inf
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(candidates, order, axis=1)
