"""Stitching: a head that was fitted on one model's coordinates, used on another's.

In Platonic coordinates no map between the models is fitted. The comparators are ways to bring raw
embeddings into one space: `padded`, `pca_aligned` and `procrustes_aligned`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from platonic_ase.compare.measures.procrustes import orthogonal_map
from platonic_ase.space._checks import Floats, as_pair, as_points

CONSTANT = 1e-6
"""A column that varies by less than this share of the one that varies most is constant."""


@dataclass(frozen=True)
class Head:
    """A linear head on standardised coordinates.

    Attributes
    ----------
    mean, deviation
        Shape (d,), of the coordinates that it was fitted on.
    weights
        Shape (d, n_outputs).
    intercept
        Shape (n_outputs,).
    classes
        Shape (n_outputs,), the label of each output of a classifier; None for regression.
    """

    mean: Floats
    deviation: Floats
    weights: Floats
    intercept: Floats
    classes: NDArray[np.generic] | None

    def predict(self, coordinates: ArrayLike) -> NDArray[np.generic]:
        """Return a number or a class per row, shape (n,)."""
        x = as_points(coordinates, "coordinates")
        if x.shape[1] != len(self.mean):
            raise ValueError(
                f"coordinates have {x.shape[1]} columns; the head was fitted on {len(self.mean)}: "
                "bring both models into one space first"
            )
        outputs = (x - self.mean) / self.deviation @ self.weights + self.intercept
        return outputs[:, 0] if self.classes is None else self.classes[outputs.argmax(axis=1)]


def fit_head(coordinates: ArrayLike, targets: ArrayLike, *, ridge: float = 1e-3) -> Head:
    """Fit `W = (XᵀX + n α 1)⁻¹ Xᵀ Y` on standardised coordinates X.

    Parameters
    ----------
    coordinates
        Shape (n, d).
    targets
        Shape (n,). Floats are regressed; integers and strings are classes, regressed as one-hot
        columns of which the largest wins.
    ridge
        α.

    References
    ----------
    A. E. Hoerl and R. W. Kennard, Technometrics 12, 55 (1970), doi:10.1080/00401706.1970.10488634.
    """
    x = as_points(coordinates, "coordinates", at_least=2)
    values = np.asarray(targets)
    if values.shape != (len(x),):
        raise ValueError(
            f"targets have shape {values.shape}; expected ({len(x)},): one per row of coordinates"
        )
    if not ridge > 0:
        raise ValueError(f"ridge is {ridge}; it must be positive")
    classes = None
    if values.dtype.kind == "f":
        y = as_points(values[:, None], "targets")
    else:
        classes = np.unique(values)
        y = (values[:, None] == classes).astype(np.float64)
    mean, deviation = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    # a constant column counts for nothing, here and on another model, where it may vary
    deviation[deviation <= CONSTANT * deviation.max()] = np.inf
    scaled = (x - mean) / deviation
    intercept = y.mean(axis=0)
    normal = scaled.T @ scaled
    normal[np.diag_indices_from(normal)] += ridge * len(x)
    weights = np.linalg.solve(normal, scaled.T @ (y - intercept))
    return Head(mean, deviation, weights, intercept, classes)


@dataclass(frozen=True)
class StitchingScore:
    """Scores of one head: R² for regression, the share of right classes for classification.

    Attributes
    ----------
    own
        On test atoms in the coordinates of the model that it was fitted on.
    stitched
        On the same atoms in the other model's coordinates.
    chance
        Of the best constant prediction.
    """

    own: float
    stitched: float
    chance: float


def stitch(
    source: ArrayLike,
    target: ArrayLike,
    labels: ArrayLike,
    *,
    train: ArrayLike,
    ridge: float = 1e-3,
) -> StitchingScore:
    """Fit a head on `source[train]`; score it on the other rows of source and of target.

    Parameters
    ----------
    source, target
        Shapes (n, d), in one space: Platonic coordinates, or what a comparator returned.
    labels
        Shape (n,): the property of each atom, as in `fit_head`.
    train
        Shape (n,), booleans. Keep atoms of one structure on one side.
    """
    x, y = as_pair(source, target, ("source", "target"))
    values, fitted = np.asarray(labels), np.asarray(train)
    if fitted.shape != (len(x),) or fitted.dtype != bool or fitted.all() or not fitted.any():
        raise ValueError(
            f"train has shape {fitted.shape} and dtype {fitted.dtype}; expected {len(x)} booleans, "
            "some true and some false"
        )
    if values.shape != (len(x),):
        raise ValueError(f"labels have shape {values.shape}; expected ({len(x)},): one per atom")
    head = fit_head(x[fitted], values[fitted], ridge=ridge)
    truth = values[~fitted]
    if head.classes is None:
        constant = np.full(len(truth), values[fitted].mean())
    else:
        common, counts = np.unique(values[fitted], return_counts=True)
        constant = np.full(len(truth), common[counts.argmax()])
    predictions = (head.predict(x[~fitted]), head.predict(y[~fitted]), constant)
    return StitchingScore(*(_score(truth, predicted) for predicted in predictions))


def padded(source: ArrayLike, target: ArrayLike) -> tuple[Floats, Floats]:
    """Return raw embeddings, each centred and of unit mean square norm, padded with zeros."""
    x, y = (_normalised(points) for points in as_pair(source, target, ("source", "target")))
    width = max(x.shape[1], y.shape[1])
    x, y = (np.pad(points, ((0, 0), (0, width - points.shape[1]))) for points in (x, y))
    return x, y


def pca_aligned(source: ArrayLike, target: ArrayLike) -> tuple[Floats, Floats]:
    """Return each model's own principal components, by falling variance, of equal width.

    The sign of a component is arbitrary; here the third moment of each is positive.
    """
    x, y = (_normalised(points) for points in as_pair(source, target, ("source", "target")))
    width = min(x.shape[1], y.shape[1])
    return _components(x)[:, :width], _components(y)[:, :width]


def procrustes_aligned(
    source: ArrayLike, target: ArrayLike, source_anchors: ArrayLike, target_anchors: ArrayLike
) -> tuple[Floats, Floats]:
    """Return source as it is and target mapped into its space by a similarity of the anchors.

    Parameters
    ----------
    source, target
        Shapes (n, d_source) and (n, d_target), raw embeddings.
    source_anchors, target_anchors
        Shapes (K, d_source) and (K, d_target); row k of both is the same anchor.
    """
    x, y = as_pair(source, target, ("source", "target"))
    return x, orthogonal_map(target_anchors, source_anchors, scaling=True)(y)


def _normalised(points: Floats) -> Floats:
    centred = points - points.mean(axis=0, dtype=np.float64)
    size = np.sqrt(np.square(centred).sum(axis=1).mean())
    if size == 0:
        raise ValueError(f"all {len(points)} embeddings are equal; there is nothing to stitch")
    return np.asarray(centred / size)


def _components(centred: Floats) -> Floats:
    vectors = np.linalg.eigh(centred.T @ centred)[1][:, ::-1]
    scores = centred @ vectors
    return np.asarray(scores * np.where((scores**3).sum(axis=0) < 0, -1.0, 1.0))


def _score(truth: NDArray[np.generic], predicted: NDArray[np.generic]) -> float:
    if truth.dtype.kind != "f":
        return float((truth == predicted).mean())
    values = truth.astype(np.float64)
    residual = np.square(values - predicted.astype(np.float64)).sum()
    return float(1 - residual / np.square(values - values.mean()).sum())
