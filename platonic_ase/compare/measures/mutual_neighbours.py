"""Mutual nearest neighbours: whether two models see the same atoms next to each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from platonic_ase.compare.measures.nearest import Metric, k_nearest
from platonic_ase.space._checks import as_pair, chunks

_ROWS = 8192


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
