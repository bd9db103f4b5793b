"""Exact nearest neighbours of all points among themselves, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from platonic_ase.space._checks import Floats, as_points, chunks

Metric = Literal["euclidean", "cosine"]

_LEAF = 128  # points in a box, at most
_ROWS = 32  # points of a box that look into the same boxes
_FIRST = 4096  # points in the nearest boxes, which bound the distance to the k-th neighbour
_COLUMNS = 8192  # points compared at once
_AXES = 16  # principal axes along which boxes have a lower and an upper face


def k_nearest(points: ArrayLike, k: int, *, metric: Metric = "euclidean") -> NDArray[np.intp]:
    """Return the indices of the k nearest other rows, nearest first, shape (n, k).

    Exact. The points are halved along principal axes into boxes (a k-d tree). Of each point the
    nearest boxes bound the distance to its k-th neighbour, and boxes further away than that are
    not looked into; the others are, by matrix products. Where no box can be left out, as in data
    without structure, that is brute force. No array grows with n². float32 input is searched in
    float32 and ranked in float64.

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

    References
    ----------
    J. H. Friedman, J. L. Bentley and R. A. Finkel, ACM Trans. Math. Softw. 3, 209 (1977),
    doi:10.1145/355744.355745.
    """
    x = as_points(points)
    n = len(x)
    if not 1 <= k < n:
        raise ValueError(
            f"k is {k} for {n} atoms; it must be from 1 to {n - 1}: lower k or add atoms"
        )
    x = _prepared(x, metric)
    shadow = x @ np.linalg.eigh(x.T @ x)[1][:, ::-1][:, :_AXES]
    order, starts = _halved(shadow)
    x, shadow = x[order], shadow[order]
    faces = _Boxes(
        starts,
        np.minimum.reduceat(shadow, starts[:-1]),
        np.maximum.reduceat(shadow, starts[:-1]),
    )
    squared = np.einsum("ij,ij->i", x, x)
    # left_i · right_j = x_i · x_j - |x_j|² / 2 = (|x_i|² - |x_i - x_j|²) / 2: larger is nearer.
    left = np.hstack([x, np.ones((n, 1), x.dtype)])
    right = np.hstack([x, -squared[:, None] / 2])
    slack = 64 * np.finfo(x.dtype).eps * squared.max()
    found = np.empty((n, k), np.intp)
    for box in range(len(starts) - 1):
        own = slice(starts[box], starts[box + 1])
        by_distance, gaps = faces.from_box(box)
        first = faces.members(by_distance[: faces.enough(by_distance, max(_FIRST, k + 1))])
        lowest = np.partition(left[own] @ right[first].T, -(k + 1), axis=1)[:, -(k + 1)] - slack
        reach = squared[own] - 2 * lowest + slack
        possible = np.sort(by_distance[gaps <= reach.max()])
        seen = faces.from_points(shadow[own], possible) <= reach[:, None]
        for group in _alike(seen):
            rows = np.arange(own.start, own.stop)[group]
            columns = faces.members(possible[seen[group].any(axis=0)])
            candidates = _candidates(left[rows], right, columns, lowest[group], 2 * k + 2)
            found[order[rows]] = order[_rank(x, rows, candidates, k)]
    return found


class _Boxes(NamedTuple):
    """Points `starts[b]` to `starts[b + 1]` lie between the faces `low[b]` and `high[b]`."""

    starts: NDArray[np.intp]
    low: Floats
    high: Floats

    def from_box(self, box: int) -> tuple[NDArray[np.intp], Floats]:
        """Return all boxes, nearest first, and the squared distances to them."""
        gap = np.maximum(self.low - self.high[box], self.low[box] - self.high).clip(min=0)
        squared = np.einsum("ij,ij->i", gap, gap)
        by_distance = np.argsort(squared, kind="stable")
        return by_distance, squared[by_distance]

    def from_points(self, points: Floats, boxes: NDArray[np.intp]) -> Floats:
        """Return squared distances of points to boxes, shape (n_points, n_boxes)."""
        squared = np.zeros((len(points), len(boxes)), points.dtype)
        for axis, column in enumerate(points.T[:, :, None]):
            low, high = self.low[boxes, axis], self.high[boxes, axis]
            squared += np.maximum(low - column, column - high).clip(min=0) ** 2
        return squared

    def enough(self, boxes: NDArray[np.intp], count: int) -> int:
        """Return how many of these boxes hold at least `count` points, or all of them."""
        sizes = self.starts[boxes + 1] - self.starts[boxes]
        return int(np.searchsorted(np.cumsum(sizes), count)) + 1

    def members(self, boxes: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the points in some boxes."""
        return np.concatenate([np.arange(*self.starts[b : b + 2]) for b in boxes])


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


def _halved(points: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return an order of the points in which boxes are contiguous, and where each begins."""
    waiting, boxes = [np.arange(len(points))], []
    while waiting:
        rows = waiting.pop()
        if len(rows) <= _LEAF:
            boxes.append(rows)
            continue
        inside = points[rows]
        axis = int(inside.var(axis=0).argmax())
        middle = len(rows) // 2
        parts = rows[np.argpartition(inside[:, axis], middle)]
        waiting += [parts[:middle], parts[middle:]]
    starts = np.cumsum([0, *(len(rows) for rows in boxes)])
    return np.concatenate(boxes), starts


def _alike(seen: NDArray[np.bool_]) -> Iterator[NDArray[np.intp]]:
    """Yield rows in groups that look into about as many boxes."""
    by_number = np.argsort(seen.sum(axis=1), kind="stable")
    for part in chunks(len(seen), _ROWS):
        yield by_number[part]


def _candidates(
    left: Floats, right: Floats, columns: NDArray[np.intp], lowest: Floats, count: int
) -> NDArray[np.intp]:
    """Return the `count` columns of highest score per row, shape (n, count), -1 for none."""
    hits = []
    for part in chunks(len(columns), _COLUMNS):
        scores = left @ right[columns[part]].T
        hit = np.flatnonzero(scores >= lowest[:, None])
        row, column = np.divmod(hit, scores.shape[1])
        hits.append((row, columns[part][column], scores.ravel()[hit]))
    row, column, score = (np.concatenate(parts) for parts in zip(*hits, strict=True))
    by_score = np.lexsort((-score, row))
    row, column = row[by_score], column[by_score]
    rank = np.arange(len(row)) - np.searchsorted(row, np.arange(len(left)))[row]
    best = np.full((len(left), count), -1)
    kept = rank < count
    best[row[kept], rank[kept]] = column[kept]
    return best


def _rank(
    x: Floats, rows: NDArray[np.intp], candidates: NDArray[np.intp], k: int
) -> NDArray[np.intp]:
    """Return the k candidates at the smallest distance, recomputed without cancellation."""
    difference = x[candidates].astype(np.float64) - x[rows][:, None]
    squared = np.einsum("ijk,ijk->ij", difference, difference)
    squared[(candidates == rows[:, None]) | (candidates < 0)] = np.inf
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(candidates, order, axis=1)
