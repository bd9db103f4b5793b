"""Distances to the nearest points of a reference cloud, in bounded memory."""

from __future__ import annotations

import numpy as np

_SMALL = 100_000  # bytes of squared distances up to which one pass is faster than blocks


def half_squares(points: np.ndarray) -> np.ndarray:
    """Half the squared norm of each row, shape (m,)."""
    return np.asarray(0.5 * np.einsum("ij,ij->i", points, points))


def nearest_distances(
    queries: np.ndarray,
    references: np.ndarray,
    k: int = 1,
    max_bytes: int = 4_000_000,
    halves: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Euclidean distances to the k nearest reference points.

    Squared distances come as :math:`|q|^2 + |r|^2 - 2 q \cdot r`, block by block; those of the
    k nearest are then computed anew from differences, so that near-zero distances are exact.

    Parameters
    ----------
    queries : ndarray, shape (n, D)
    references : ndarray, shape (m, D)
    k : int
        How many neighbours, at most m.
    max_bytes : int
        Bound on the block of squared distances that is held at once, in bytes.
    halves : ndarray, shape (m,), optional
        :func:`half_squares` of the references, where they are known.

    Returns
    -------
    distances : ndarray, shape (n, k)
        Ascending.
    indices : ndarray of int, shape (n, k)
        Rows of ``references``.

    Raises
    ------
    ValueError
        If k is not in 1..m or the widths D differ.
    """
    n, m = len(queries), len(references)
    if not 1 <= k <= m:
        raise ValueError(f"k = {k} neighbours were asked of {m} reference points; 1 to {m} exist")
    if queries.shape[1:] != references.shape[1:]:
        raise ValueError(
            f"queries have width {queries.shape[1:]}, references {references.shape[1:]}: "
            "project both onto the same anchors"
        )
    halves = half_squares(references) if halves is None else halves
    if n * m * queries.itemsize <= min(max_bytes, _SMALL) and k < m:
        return _nearest_of_few(queries, references, k, halves)
    references_t = references.T
    indices = np.empty((n, k), dtype=np.int64)
    rows = max(1, max_bytes // max(1, m * queries.itemsize))
    for start in range(0, n, rows):
        block = queries[start : start + rows] @ references_t
        np.subtract(halves, block, out=block)  # half squared distance less |q|²/2
        row = np.arange(len(block))
        # k passes of argmin beat a partition for the few neighbours that are ever asked for
        for column in range(k):
            nearest = block.argmin(axis=1)
            indices[start : start + rows, column] = nearest
            if column + 1 < k:
                block[row, nearest] = np.inf
    distances = np.empty((n, k), dtype=queries.dtype)
    for column in range(k):
        for start in range(0, n, rows):
            part = slice(start, start + rows)
            difference = queries[part] - references[indices[part, column]]
            distances[part, column] = np.sqrt(np.einsum("ij,ij->i", difference, difference))
    if (distances[:, 1:] >= distances[:, :-1]).all():  # as good as always
        return distances, indices
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, order, 1), np.take_along_axis(indices, order, 1)


def _nearest_of_few(
    queries: np.ndarray, references: np.ndarray, k: int, halves: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Do the same for few points, where the number of calls is what takes time."""
    block = halves - queries @ references.T
    indices = np.argpartition(block, k - 1, axis=1)[:, :k]
    difference = queries[:, None] - references[indices]  # (n, k, D)
    distances = np.sqrt(np.einsum("ijk,ijk->ij", difference, difference))
    order = distances.argsort(axis=1, kind="stable")
    rows = np.arange(len(queries))[:, None]
    return distances[rows, order], indices[rows, order]
