"""Centred kernel alignment (CKA) and the Hilbert-Schmidt independence criterion (HSIC).

With kernel matrices `K_ij = k(x_i, x_j)`, `L_ij = l(y_i, y_j)` and `H = 1 - 1/n`:

- biased HSIC (Gretton et al. 2005): `tr(K H L H) / (n - 1)²`;
- unbiased HSIC (Song et al. 2012), with `K̃`, `L̃` the same without their diagonals:
  `[tr(K̃ L̃) + 1ᵀK̃1 1ᵀL̃1 / ((n-1)(n-2)) - 2 1ᵀK̃L̃1 / (n-2)] / (n (n-3))`;
- `CKA = HSIC(K, L) / √(HSIC(K, K) HSIC(L, L))`; with unbiased HSIC it is called debiased, is about
  0 (and may be negative) for unrelated models whatever their width, and is to be preferred when n
  is not much larger than d.

No n × n matrix is stored: both estimators need only row sums, diagonals and `Σ_ij K_ij L_ij`.

References
----------
A. Gretton et al., ALT 2005, doi:10.1007/11564089_7. L. Song et al., J. Mach. Learn. Res. 13, 1393
(2012). S. Kornblith et al., Proc. ICML 2019, arXiv:1905.00414.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from platonic_ase.space._checks import Floats, as_pair, as_points, chunks

Kernel = Literal["linear", "rbf"]
Estimator = Literal["unbiased", "biased"]

_BLOCK = 512  # rows and columns of a kernel block: 1 MB in float32, which stays in the cache


def cka(
    x: ArrayLike,
    y: ArrayLike,
    *,
    kernel: Kernel = "linear",
    estimator: Estimator = "unbiased",
    bandwidth: float = 1.0,
) -> float:
    """Return the centred kernel alignment of two models: 1 for the same geometry.

    Unchanged by rotation, reflection and uniform scaling of either space.

    Parameters
    ----------
    x, y
        Shapes (n, d_x) and (n, d_y), n >= 4; row i of both is the same atom.
    kernel
        "linear": `x_i · x_j`, O(n d²). "rbf": `exp(-|x_i - x_j|² / 2σ²)`, O(n² d) in blocks.
    estimator
        The HSIC estimator (see the module): "unbiased" gives debiased CKA.
    bandwidth
        σ of the RBF kernel, in units of `median_distance` of each space.

    Raises
    ------
    ValueError
        For different row counts, fewer than 4 rows, constant or non-finite embeddings.
    """
    sums = _kernel_sums(x, y, kernel, bandwidth)
    between = hsic_of_sums(sums.x, sums.y, sums.xy, estimator)
    x_norm = hsic_of_sums(sums.x, sums.x, sums.xx, estimator)
    y_norm = hsic_of_sums(sums.y, sums.y, sums.yy, estimator)
    return float(between / np.sqrt(x_norm * y_norm))


def hsic(
    x: ArrayLike,
    y: ArrayLike,
    *,
    kernel: Kernel = "rbf",
    estimator: Estimator = "unbiased",
    bandwidth: float = 1.0,
) -> float:
    """Return the Hilbert-Schmidt independence criterion; the arguments are those of `cka`."""
    sums = _kernel_sums(x, y, kernel, bandwidth)
    return hsic_of_sums(sums.x, sums.y, sums.xy, estimator)


def median_distance(points: ArrayLike, *, n_sample: int = 2000, seed: int = 0) -> float:
    """Return the median distance between two rows, of at most `n_sample` rows drawn with `seed`."""
    from scipy.spatial.distance import pdist

    x = as_points(points, at_least=2)
    if len(x) > n_sample:
        x = x[np.sort(np.random.default_rng(seed).choice(len(x), n_sample, replace=False))]
    return float(np.median(pdist(x)))


class KernelSums(NamedTuple):
    """What the estimators need of one kernel matrix: row sums (n,) and diagonal (n,)."""

    row_sums: Floats
    diagonal: Floats

    def permuted(self, order: NDArray[np.intp]) -> KernelSums:
        """Return the sums with the atoms in another order."""
        return KernelSums(self.row_sums[order], self.diagonal[order])


class _Sums(NamedTuple):
    """Two kernel matrices and `Σ_ij` of the products of their entries."""

    x: KernelSums
    y: KernelSums
    xy: float
    xx: float
    yy: float


def hsic_of_sums(a: KernelSums, b: KernelSums, product: float, estimator: Estimator) -> float:
    """Return HSIC of two kernel matrices from their sums and `Σ_ij` of their products."""
    n = len(a.row_sums)
    if estimator == "biased":
        total = a.row_sums.sum() * b.row_sums.sum()
        return float((product - 2 / n * (a.row_sums @ b.row_sums) + total / n**2) / (n - 1) ** 2)
    if estimator != "unbiased":
        raise ValueError(f"estimator is {estimator!r}; it must be 'unbiased' or 'biased'")
    rows_a, rows_b = a.row_sums - a.diagonal, b.row_sums - b.diagonal
    total = rows_a.sum() * rows_b.sum() / ((n - 1) * (n - 2))
    trace = product - a.diagonal @ b.diagonal
    return float((trace + total - 2 / (n - 2) * (rows_a @ rows_b)) / (n * (n - 3)))


def _kernel_sums(x: ArrayLike, y: ArrayLike, kernel: Kernel, bandwidth: float) -> _Sums:
    x, y = as_pair(x, y, at_least=4)
    for name, points in (("x", x), ("y", y)):
        if (points == points[0]).all():
            raise ValueError(
                f"all {len(points)} embeddings in {name} are equal, so no similarity is defined; "
                "check that the structures differ and that the right layer was captured"
            )
    if kernel == "linear":
        return _linear_sums(x, y)
    if kernel == "rbf":
        return _rbf_sums(scaled_points(x, bandwidth), scaled_points(y, bandwidth))
    raise ValueError(f"kernel is {kernel!r}; it must be 'linear' or 'rbf'")


def _linear_sums(x: Floats, y: Floats) -> _Sums:
    """Return the sums for linear kernels; centred features leave both estimators unchanged."""
    x, y = (points - points.mean(axis=0, dtype=np.float64) for points in (x, y))
    first, second = (KernelSums(p @ p.sum(axis=0), np.einsum("ij,ij->i", p, p)) for p in (x, y))
    products = [float(((a.T @ b) ** 2).sum()) for a, b in ((x, y), (x, x), (y, y))]
    return _Sums(first, second, *products)


def scaled_points(points: Floats, bandwidth: float) -> Floats:
    """Return points such that the kernel is `exp(-|x_i - x_j|²)`, centred for accuracy."""
    if not bandwidth > 0:
        raise ValueError(f"bandwidth is {bandwidth}; it must be positive (1 is the median)")
    sigma = bandwidth * median_distance(points)
    if sigma == 0:
        raise ValueError(
            "more than half of the pairs of embeddings are equal, so the median distance is 0; "
            "keep one atom per orbit"
        )
    centred = points - points.mean(axis=0, dtype=np.float64)
    return np.asarray(centred / (np.sqrt(2) * sigma), points.dtype)


def _rbf_sums(x: Floats, y: Floats) -> _Sums:
    n = len(x)
    row_sums = np.zeros((2, n))
    products = np.zeros(3)
    factors = [exponent_factors(points) for points in (x, y)]
    blocks = chunks(n, _BLOCK)
    for i, rows in enumerate(blocks):
        for columns in blocks[i:]:  # the matrices are symmetric: the lower half is a mirror image
            a, b = (rbf_block(*pair, rows, columns) for pair in factors)
            mirror = columns != rows
            for sums, block in zip(row_sums, (a, b), strict=True):
                sums[rows] += block.sum(axis=1)
                if mirror:
                    sums[columns] += block.sum(axis=0)
            products += (1 + mirror) * np.array(
                [product_sum(a, b), product_sum(a, a), product_sum(b, b)]
            )
    first, second = (KernelSums(sums, np.ones(n)) for sums in row_sums)
    return _Sums(first, second, *products.tolist())


def exponent_factors(points: Floats) -> tuple[Floats, Floats]:
    """Return L, shape (n, d + 2), and R, shape (d + 2, n), with `(L R)_ij = -|x_i - x_j|²`."""
    squared = np.einsum("ij,ij->i", points, points)[:, None]
    one = np.ones_like(squared)
    right = np.ascontiguousarray(np.hstack([points, one, -squared]).T)
    return np.hstack([2 * points, -squared, one]), right


def rbf_block(left: Floats, right: Floats, rows: slice, columns: slice) -> Floats:
    """Return `exp((L R)_ij)` of `exponent_factors` for some rows and columns."""
    exponent = left[rows] @ right[:, columns]
    np.minimum(exponent, 0, out=exponent)
    if rows == columns:
        np.fill_diagonal(exponent, 0)
    return np.asarray(np.exp(exponent, out=exponent))


def product_sum(a: Floats, b: Floats) -> float:
    """Return Σ_ij a_ij b_ij; row by row in the blocks' precision, then in float64."""
    return float(np.einsum("ij,ij->i", a, b).sum(dtype=np.float64))
