"""Orthogonal alignment of two models' spaces, and the angle that is left after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from platonic_ase.space._checks import Floats, as_pair, as_points


def angular_procrustes(x: ArrayLike, y: ArrayLike) -> float:
    """Return the angle between two geometries after the best rotation, in radians.

    `θ = arccos(‖Xᵀ Y‖_* / (‖X‖_F ‖Y‖_F))` for column-centred X, Y, with the nuclear norm: 0 for
    the same geometry, at most π/2. A metric, unchanged by rotation, reflection, uniform scaling
    and translation. The columns need not be as many.

    Parameters
    ----------
    x, y
        Shapes (n, d_x) and (n, d_y); row i of both is the same atom.

    References
    ----------
    A. H. Williams, E. Kunz, S. Kornblith and S. W. Linderman, NeurIPS 2021, arXiv:2110.14739.
    """
    x, y = as_pair(x, y)
    return angle_of_units(unit_shape(x, "x"), unit_shape(y, "y"))


def angle_of_units(x: Floats, y: Floats) -> float:
    """Return the angle between two arrays of `unit_shape`."""
    return float(np.arccos(min(float(np.linalg.norm(x.T @ y, ord="nuc")), 1.0)))


@dataclass(frozen=True)
class OrthogonalMap:
    """A rigid map between spaces, `x ↦ scale · (x - source_mean) rotation + target_mean`.

    Attributes
    ----------
    rotation
        Shape (d_source, d_target), orthonormal rows or columns.
    source_mean, target_mean
        Shapes (d_source,) and (d_target,).
    scale
        Uniform factor; 1 if none was fitted.
    """

    rotation: Floats
    source_mean: Floats
    target_mean: Floats
    scale: float

    def __call__(self, points: ArrayLike) -> Floats:
        """Map points, shape (n, d_source), to shape (n, d_target)."""
        x = as_points(points)
        if x.shape[1] != len(self.source_mean):
            raise ValueError(
                f"points have {x.shape[1]} columns; this map takes {len(self.source_mean)}: use "
                "embeddings of the model that it was fitted on"
            )
        return self.scale * (x - self.source_mean) @ self.rotation + self.target_mean


def orthogonal_map(source: ArrayLike, target: ArrayLike, *, scaling: bool = False) -> OrthogonalMap:
    """Fit the orthogonal map that takes `source` to `target`, row by row.

    With `U S Vᵀ` the singular value decomposition of `Xᵀ Y` (centred) the rotation is `U Vᵀ`, and
    the factor, where asked for, `tr S / ‖X U Vᵀ‖²`, the least-squares one.

    Parameters
    ----------
    source, target
        Shapes (n, d_source) and (n, d_target); row i of both is the same atom, such as an anchor.
    scaling
        Whether to fit a uniform factor too.

    References
    ----------
    P. H. Schönemann, Psychometrika 31, 1 (1966), doi:10.1007/BF02289451.
    """
    x, y = as_pair(source, target, ("source", "target"))
    source_mean, target_mean = (points.mean(axis=0, dtype=np.float64) for points in (x, y))
    x, y = x - source_mean, y - target_mean
    left, singular, right = np.linalg.svd(x.T @ y, full_matrices=False)
    rotation = left @ right
    scale = 1.0
    if scaling:
        size = float(np.square(x @ rotation).sum())
        if size == 0:
            raise ValueError("all rows of source are equal, so no factor can be fitted")
        scale = float(singular.sum()) / size
    return OrthogonalMap(rotation, source_mean, target_mean, scale)


def unit_shape(points: Floats, name: str) -> Floats:
    """Return points centred and scaled to unit Frobenius norm."""
    centred = points - points.mean(axis=0, dtype=np.float64)
    norm = np.linalg.norm(centred)
    if (points == points[0]).all() or norm == 0:
        raise ValueError(
            f"all {len(points)} embeddings in {name} are equal, so no angle is defined; check that "
            "the structures differ and that the right layer was captured"
        )
    return np.asarray(centred / norm)
