"""The map of the Platonic space: a plane through the reference, and who stands where on it."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols


def principal_plane(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and first two principal directions of a cloud.

    Parameters
    ----------
    points : ndarray, shape (n, K)

    Returns
    -------
    mean : ndarray, shape (K,)
    directions : ndarray, shape (K, 2)
        Orthonormal; signs fixed so that the largest component is positive.
    """
    mean = points.mean(axis=0, dtype=float)
    centred = points - mean.astype(points.dtype)  # in the precision of the points: it is a map
    _, directions = np.linalg.eigh((centred.T @ centred).astype(float))
    plane = directions[:, [-1, -2]]
    signs = np.sign(plane[np.abs(plane).argmax(axis=0), [0, 1]])
    return mean, np.asarray(plane * signs)


class ElementMeans:
    """Mean point of the atoms of each element, in a plane; remembers who is who between calls.

    Parameters
    ----------
    mean : ndarray, shape (K,)
    directions : ndarray, shape (K, 2)
        See :func:`principal_plane`.
    """

    def __init__(self, mean: np.ndarray, directions: np.ndarray) -> None:
        self._directions = directions
        self._origin = mean @ directions
        self._numbers = np.zeros(0, dtype=int)
        self._weights = np.zeros((0, 0))
        self.symbols: tuple[str, ...] = ()

    def __call__(self, platonic: np.ndarray, numbers: np.ndarray) -> list[float]:
        """Coordinates of the elements of :attr:`symbols`, two each.

        Parameters
        ----------
        platonic : ndarray, shape (n_atoms, K)
        numbers : ndarray of int, shape (n_atoms,)
        """
        if len(numbers) != len(self._numbers) or np.count_nonzero(numbers != self._numbers):
            elements, index = np.unique(numbers, return_inverse=True)
            self._numbers = numbers.copy()
            self._weights = np.equal.outer(np.arange(len(elements)), index) * 1.0
            self._weights /= self._weights.sum(axis=1, keepdims=True)
            self._weights = self._weights.astype(platonic.dtype)
            self.symbols = tuple(chemical_symbols[z] for z in elements)
        means = (self._weights @ platonic) @ self._directions - self._origin
        return [round(x, 6) for x in means.ravel().tolist()]

    def atoms(self, platonic: np.ndarray) -> dict[str, np.ndarray]:
        """Place of each atom in the plane, as two per-atom values.

        Parameters
        ----------
        platonic : ndarray, shape (n_atoms, K)
        """
        x, y = (platonic @ self._directions - self._origin).T
        return {"map_x": x, "map_y": y}
