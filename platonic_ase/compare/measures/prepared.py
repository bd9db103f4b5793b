"""Measures in two steps: what each model needs once, and what each pair of models needs.

Comparing M models on many resamples repeats no work on a model for each of its M - 1 partners, and
a permutation of atoms reorders what is known instead of computing it again. The values are those
of `mutual_knn`, `cka` and `angular_procrustes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from platonic_ase.compare.measures.kernel_alignment import (
    Estimator,
    KernelSums,
    exponent_factors,
    hsic_of_sums,
    product_sum,
    rbf_block,
    scaled_points,
)
from platonic_ase.compare.measures.nearest import k_nearest
from platonic_ase.compare.measures.procrustes import angle_of_units, unit_shape
from platonic_ase.space._checks import Floats, as_points


@dataclass(frozen=True)
class Neighbours:
    """Nearest neighbours of each atom, shape (n, k)."""

    indices: NDArray[np.intp]

    def permuted(self, order: NDArray[np.intp]) -> Neighbours:
        """Return what the points in another order would have given."""
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return Neighbours(place[self.indices[order]])


@dataclass(frozen=True)
class Features:
    """Centred points, shape (n, d), and the sums of their linear kernel."""

    points: Floats
    sums: KernelSums
    own: float

    def permuted(self, order: NDArray[np.intp]) -> Features:
        """Return what the points in another order would have given."""
        return Features(self.points[order], self.sums.permuted(order), self.own)

    def product(self, other: Features) -> float:
        """Return `Σ_ij K_ij L_ij`."""
        return float(((self.points.T @ other.points) ** 2).sum())


@dataclass(frozen=True)
class Matrix:
    """A kernel matrix, shape (n, n), and its sums: for up to some thousand atoms."""

    entries: Floats
    sums: KernelSums
    own: float

    def permuted(self, order: NDArray[np.intp]) -> Matrix:
        """Return what the points in another order would have given."""
        return Matrix(self.entries[np.ix_(order, order)], self.sums.permuted(order), self.own)

    def product(self, other: Matrix) -> float:
        """Return `Σ_ij K_ij L_ij`."""
        return product_sum(self.entries, other.entries)


@dataclass(frozen=True)
class Shape:
    """Centred points of unit Frobenius norm."""

    points: Floats

    def permuted(self, order: NDArray[np.intp]) -> Shape:
        """Return what the points in another order would have given."""
        return Shape(self.points[order])


@dataclass(frozen=True)
class TwoStep:
    """Measures as `compare[name](prepare(x), prepare(y))`.

    Attributes
    ----------
    prepare
        From points, shape (n, d), to an object with `permuted(order)`.
    compare
        By name; several where they share what is prepared.
    quadratic
        Whether memory grows with n².
    """

    prepare: Callable[[Floats], Any]
    compare: Mapping[str, Callable[[Any, Any], float]]
    quadratic: bool = False


def two_step_measures(k: int) -> list[TwoStep]:
    """Return the measures; biased and unbiased are the estimators of HSIC.

    Parameters
    ----------
    k
        Neighbours of the mutual nearest-neighbour measure.
    """
    estimators: tuple[Estimator, ...] = ("unbiased", "biased")
    return [
        TwoStep(lambda x: Neighbours(k_nearest(x, k)), {"mutual_knn": _shared}),
        TwoStep(_features, {f"cka_linear_{e}": partial(_cka, estimator=e) for e in estimators}),
        TwoStep(_matrix, {f"cka_rbf_{e}": partial(_cka, estimator=e) for e in estimators}, True),
        TwoStep(lambda x: Shape(unit_shape(as_points(x), "x")), {"procrustes": _angle}),
    ]


def _shared(a: Neighbours, b: Neighbours) -> float:
    both = a.indices[:, :, None] == b.indices[:, None, :]
    return float(both.sum() / a.indices.size)


def _features(points: Floats) -> Features:
    x = as_points(points, at_least=4)
    x = x - x.mean(axis=0, dtype=np.float64)
    sums = KernelSums(x @ x.sum(axis=0), np.einsum("ij,ij->i", x, x))
    return Features(x, sums, float(((x.T @ x) ** 2).sum()))


def _matrix(points: Floats) -> Matrix:
    x = scaled_points(as_points(points, at_least=4), 1.0)
    entries = rbf_block(*exponent_factors(x), slice(None), slice(None))
    sums = KernelSums(entries.sum(axis=1, dtype=np.float64), np.ones(len(x)))
    return Matrix(entries, sums, product_sum(entries, entries))


def _cka(a: Any, b: Any, *, estimator: Estimator) -> float:
    between = hsic_of_sums(a.sums, b.sums, a.product(b), estimator)
    sizes = [hsic_of_sums(each.sums, each.sums, each.own, estimator) for each in (a, b)]
    return between / float(np.sqrt(sizes[0] * sizes[1]))


def _angle(a: Shape, b: Shape) -> float:
    return angle_of_units(a.points, b.points)
