"""The number of independent directions in which a model's embeddings vary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from platonic_ase.compare.measures.nearest import k_nearest
from platonic_ase.space._checks import Floats, as_points, chunks


@dataclass(frozen=True)
class IntrinsicDimension:
    """A Two-NN estimate.

    Attributes
    ----------
    dimension
        Intrinsic dimension of the distinct points.
    collapsed_fraction
        Share of atoms that have an equal among the others, as symmetry-equivalent atoms have.
    n_distinct
        Number of distinct points.
    """

    dimension: float
    collapsed_fraction: float
    n_distinct: int


def two_nn(
    embeddings: ArrayLike, *, discard: float = 0.1, tolerance: float = 1e-6
) -> IntrinsicDimension:
    """Estimate the intrinsic dimension from the ratio of the two nearest distances.

    On a locally uniform set of dimension d, `μ = r_2 / r_1` has the distribution
    `F(μ) = 1 - μ^-d`; d is the slope through the origin of `-log(1 - F)` against `log μ`, with
    the empirical `F` of the sorted μ. Of points that coincide one is kept, for a second neighbour
    at the same place as the first says nothing about dimension.

    Parameters
    ----------
    embeddings
        Shape (n, d), at least 3 distinct rows.
    discard
        Share of the largest μ that is left out of the fit, where the density varies.
    tolerance
        Distance at which points coincide, in units of their root-mean-square distance from the
        mean; above the rounding of a model's arithmetic.

    References
    ----------
    E. Facco, M. d'Errico, A. Rodriguez and A. Laio, Sci. Rep. 7, 12140 (2017),
    doi:10.1038/s41598-017-11873-y.
    """
    points = as_points(embeddings, at_least=3)
    if not 0 <= discard < 1:
        raise ValueError(f"discard is {discard}; it must be at least 0 and below 1")
    representative = distinct(points, tolerance=tolerance)
    kept, counts = np.unique(representative, return_counts=True)
    if len(kept) < 3:
        raise ValueError(
            f"only {len(kept)} of {len(points)} embeddings are distinct; at least 3 are needed: "
            "add structures that differ"
        )
    nearest, second = _two_distances(points[kept])
    ratios = np.sort(second / nearest)
    fitted = min(max(int(len(ratios) * (1 - discard)), 1), len(ratios) - 1)  # F = 1 has no log
    log_ratio = np.log(ratios[:fitted])
    survival = -np.log1p(-np.arange(1, fitted + 1) / len(ratios))
    spread = log_ratio @ log_ratio
    if spread == 0:
        raise ValueError(
            "the two nearest neighbours of every point are at the same distance, as on a lattice; "
            "the dimension is not defined: use embeddings of disordered structures too"
        )
    collapsed = float(counts[counts > 1].sum() / len(points))
    return IntrinsicDimension(float(log_ratio @ survival / spread), collapsed, len(kept))


def distinct(points: ArrayLike, *, tolerance: float = 1e-6) -> NDArray[np.intp]:
    """Return, per row, the index of the row that stands for all that coincide with it.

    Rows within `tolerance` (in units of the root-mean-square distance from the mean) of each
    other, directly or through others, coincide; the first of them stands for all.

    Returns
    -------
    representative
        Shape (n,); `np.unique` of it are the rows to keep.
    """
    from scipy.spatial import cKDTree

    x = as_points(points)
    x = x - x.mean(axis=0, dtype=np.float64)
    radius = tolerance * np.sqrt(np.square(x).sum(axis=1).mean())
    # Orthonormal directions shorten distances, so no close pair is missed in few of them.
    width = min(x.shape[1], 6)
    frame = np.linalg.qr(np.random.default_rng(0).normal(size=(x.shape[1], width)))[0]
    shadow = x @ frame
    representative = np.arange(len(x))
    left = representative.copy()
    while len(left) > 1:  # each round at least halves every group of coinciding points
        near = left[cKDTree(shadow[left]).query(shadow[left], k=2)[1]]
        other = np.where(near[:, 0] == left, near[:, 1], near[:, 0])
        close = np.linalg.norm(x[left] - x[other], axis=1) <= radius
        if not close.any():
            break
        first = np.minimum(left, other)[close]
        representative[np.maximum(left, other)[close]] = first
        left = left[representative[left] == left]
    while True:  # follow the chain to the row that stands for itself
        further = representative[representative]
        if (further == representative).all():
            return representative
        representative = further


def _two_distances(points: Floats) -> tuple[Floats, Floats]:
    nearest = k_nearest(points, 2)
    distances = np.empty((len(points), 2))
    for rows in chunks(len(points), 8192):
        difference = points[nearest[rows]].astype(np.float64) - points[rows][:, None]
        distances[rows] = np.linalg.norm(difference, axis=-1)
    return distances[:, 0], distances[:, 1]
