"""Distances to the nearest points of a reference cloud, in bounded memory."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

_BLOCK = 4_000_000  # bytes of squared distances that are held at once
_CACHE = 300_000  # bytes of differences that stay near the processor
_AT_ONCE = 256  # rows that are settled together


def half_squares(points: np.ndarray) -> np.ndarray:
    """Half the squared norm of each row, shape (m,)."""
    return np.asarray(0.5 * np.einsum("ij,ij->i", points, points))


def nearest_distances(
    queries: np.ndarray,
    references: np.ndarray,
    k: int = 1,
    max_bytes: int = _BLOCK,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Euclidean distances to the k nearest reference points.

    Squared distances come as :math:`|q|^2 + |r|^2 - 2 q \cdot r`, block by block. Where rounding
    leaves open which points are the k nearest, all that may be are compared by their differences
    in double precision. Distances come from differences, so that near-zero ones are exact.

    Parameters
    ----------
    queries : ndarray, shape (n, D)
    references : ndarray, shape (m, D)
    k : int
        How many neighbours, at most m.
    max_bytes : int
        Bound on the block of squared distances that is held at once, in bytes.

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
    m = len(references)
    if not 1 <= k <= m:
        raise ValueError(f"k = {k} neighbours were asked of {m} reference points; 1 to {m} exist")
    if queries.shape[1:] != references.shape[1:]:
        raise ValueError(
            f"queries have width {queries.shape[1:]}, references {references.shape[1:]}: "
            "project both onto the same anchors"
        )
    cloud = Cloud(references)
    indices = cloud.nearest(queries, k, max_bytes)
    distances = np.ascontiguousarray(cloud.distances(queries, indices).T)
    indices = np.ascontiguousarray(indices.T)
    if (distances[:, 1:] >= distances[:, :-1]).all():  # as good as always
        return distances, indices
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, order, 1), np.take_along_axis(indices, order, 1)


class Cloud:
    """Reference points, kept in the form in which the nearest are found fastest.

    Parameters
    ----------
    points : ndarray, shape (m, D)
    """

    def __init__(self, points: np.ndarray) -> None:
        self.points = np.ascontiguousarray(points)
        # from their middle: dot products of shorter vectors are rounded less
        self._centre = points.mean(axis=0, dtype=np.float64).astype(points.dtype)
        centred = points - self._centre
        self._transposed = np.ascontiguousarray(centred.T)
        self._halves = half_squares(centred)
        self._reach = math.sqrt(2 * float(self._halves.max(initial=0.0)))

    def __len__(self) -> int:
        return len(self.points)

    def nearest(self, queries: np.ndarray, k: int, max_bytes: int = _BLOCK) -> np.ndarray:
        """Indices of the k nearest points of each query, nearest first, shape (k, n)."""
        n = len(queries)
        indices = np.empty((k, n), dtype=np.int64)
        rows = max(1, max_bytes // max(1, len(self) * queries.itemsize))
        for start in range(0, n, rows):
            part = slice(start, start + rows)
            centred = queries[part] - self._centre
            block = centred @ self._transposed
            np.subtract(self._halves, block, out=block)  # half squared distance less |q|²/2
            every = np.arange(len(block))
            # k passes of argmin beat a partition for the few neighbours that are ever asked for
            for column in range(k):
                found = block.argmin(axis=1)
                indices[column, part] = found
                if column + 1 < k:
                    block[every, found] = np.inf
            if k < len(self):
                last = block[every, found]
                block[every, found] = np.inf
                limits = last + self._doubt(centred)
                open_rows = np.flatnonzero(block.min(axis=1) <= limits)
                if len(open_rows):
                    self._settle(queries[part], block, limits, open_rows, indices[:, part])
        return indices

    def _doubt(self, centred: np.ndarray) -> float:
        """How far the difference of two computed half squared distances may be off.

        Twice the bound of a dot product of length D, for whatever order of summation (Higham,
        Accuracy and Stability of Numerical Algorithms, section 3.1), and of the shift to the
        centre.
        """
        longest = math.sqrt(float(np.einsum("ij,ij->i", centred, centred).max(initial=0.0)))
        scale = longest * self._reach + 0.5 * self._reach**2
        return float((centred.shape[1] + 6) * np.finfo(centred.dtype).eps * scale)

    def _settle(
        self,
        queries: np.ndarray,
        block: np.ndarray,
        limits: np.ndarray,
        open_rows: np.ndarray,
        indices: np.ndarray,
    ) -> None:
        """Choose anew among all points that may be the nearest; writes into ``indices``.

        Parameters
        ----------
        queries : ndarray, shape (n, D)
        block : ndarray, shape (n, m)
            Half squared distances, less what all of a row share; infinite for those chosen.
        limits : ndarray, shape (n,)
            Up to which value a point may be among the nearest.
        open_rows : ndarray of int
            Rows in which more points may be.
        indices : ndarray of int, shape (k, n)
        """
        k = len(indices)
        for rows in np.array_split(open_rows, -(-len(open_rows) // _AT_ONCE)):
            may_be = block[rows] <= limits[rows, None]
            may_be[np.arange(len(rows))[:, None], indices[:, rows].T] = True
            place, candidate = np.nonzero(may_be)
            difference = queries[rows[place]].astype(np.float64) - self.points[candidate]
            squares = np.einsum("ij,ij->i", difference, difference)
            order = np.lexsort((candidate, squares, place))
            starts = np.searchsorted(place, np.arange(len(rows)))  # sorted, as order leaves it
            indices[:, rows] = candidate[order[starts + np.arange(k)[:, None]]]

    def distances(self, queries: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """Distances from differences, so that those near zero are exact; shape of ``indices``.

        Parameters
        ----------
        queries : ndarray, shape (n, D)
        indices : ndarray of int, shape (k, n)
            Of :meth:`nearest`.
        """
        k, n = indices.shape
        squares = np.empty((k, n), dtype=queries.dtype)
        rows = max(1, _CACHE // max(1, k * queries[:1].nbytes))
        for start in range(0, n, rows):
            part = slice(start, start + rows)
            difference = self.points.take(indices[:, part], axis=0)
            np.subtract(difference, queries[part], out=difference)
            squares[:, part] = np.einsum("kij,kij->ki", difference, difference)
        return np.asarray(np.sqrt(squares, out=squares))


class ElementClouds:
    """Reference points of each element, and mean distances to the nearest few of them.

    Parameters
    ----------
    points : ndarray, shape (M, D)
    numbers : ndarray of int, shape (M,)
        Their atomic numbers.
    neighbours : int
        How many nearest points are averaged, or as many as there are.
    """

    def __init__(self, points: np.ndarray, numbers: np.ndarray, neighbours: int) -> None:
        self._neighbours = neighbours
        self._every = points
        self._clouds = {int(z): Cloud(points[numbers == z]) for z in np.unique(numbers)}
        self._plan: _Plan | None = None

    @property
    def elements(self) -> frozenset[int]:
        """Atomic numbers with at least one point."""
        return frozenset(self._clouds)

    def distances(self, queries: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Mean distance to the nearest points of the same element, shape (n,).

        Parameters
        ----------
        queries : ndarray, shape (n, D)
        numbers : ndarray of int, shape (n,)
            For an element without points, those of all elements count.
        """
        queries = np.asarray(queries, dtype=self._every.dtype)
        plan = self._plan
        if plan is None or not np.array_equal(plan[0], numbers):
            # one assignment: threads may share this
            plan = self._plan = (numbers.copy(), self._planned(numbers))
        result = np.empty(len(queries))
        for rows, cloud in plan[1]:
            own = queries.take(rows, axis=0)
            k = min(self._neighbours, len(cloud))
            result[rows] = cloud.distances(own, cloud.nearest(own, k)).sum(axis=0) / k
        return result

    def _planned(self, numbers: np.ndarray) -> list[tuple[np.ndarray, Cloud]]:
        return [
            (np.flatnonzero(numbers == z), self._clouds.get(z) or self._cloud_of_all)
            for z in sorted(set(numbers.tolist()))
        ]

    @cached_property
    def _cloud_of_all(self) -> Cloud:
        return Cloud(self._every)


def distances_to_other_groups(
    points: np.ndarray,
    numbers: np.ndarray,
    groups: np.ndarray,
    references: np.ndarray,
    neighbours: int,
) -> np.ndarray:
    """Mean distance of each point to the nearest references of its element in other groups.

    This is what the distance of a point of a new group is. Where no other group has the element,
    it is the distance to the nearest references of any element, as it is for an element without
    references.

    Parameters
    ----------
    points : ndarray, shape (n, D)
    numbers : ndarray of int, shape (n,)
        Their atomic numbers.
    groups : ndarray of int, shape (n,)
    references : ndarray of int
        Rows of the points.
    neighbours : int
        How many nearest references are averaged, or as many as there are.

    Returns
    -------
    ndarray, shape (n,)
    """
    distances = np.empty(len(points))
    for element in np.unique(numbers):
        own = numbers == element
        near = references[numbers[references] == element]
        for group in np.unique(groups[own]):
            asked = own & (groups == group)
            others = near[groups[near] != group]
            if not len(others):
                others = references[groups[references] != group]
            if not len(others):  # other groups have no point of their own
                others = near
            k = min(neighbours, len(others))
            found, _ = nearest_distances(points[asked], points[others], k)
            distances[asked] = found.mean(axis=1)
    return distances


_Plan = tuple[np.ndarray, list[tuple[np.ndarray, Cloud]]]
