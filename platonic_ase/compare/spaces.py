"""Ways to bring two models into one space, the Platonic ones and those it is compared with."""

from __future__ import annotations

import numpy as np

from platonic_ase.compare.measures.stitching import padded, pca_aligned, procrustes_aligned
from platonic_ase.compare.views import Views
from platonic_ase.space._checks import Floats
from platonic_ase.space.projection import unit_rows

SPACES = {
    "platonic": "Platonic coordinates",
    "standardised": "Platonic, each axis standardised over the anchors, unit rows",
    "padded": "raw, padded with zeros",
    "pca": "raw, each model's own principal components",
    "procrustes": "raw, orthogonal map fitted on the anchors",
}
"""Names of common spaces; no map between models is fitted in any but the last."""


def standardised(views: Views, name: str) -> Floats:
    """Platonic coordinates whose axes have the mean and spread 0 and 1 over the anchors.

    Plain cosines of different architectures differ in offset and scale, axis by axis. The anchors
    are the same environments for every model, so their own coordinates tell both, and no atom
    under comparison is looked at. Rows are scaled to unit length after that.

    Parameters
    ----------
    views : Views
    name : str
        Model.

    Returns
    -------
    ndarray, shape (n, K)
    """
    axes = views.project(name, views.anchors[name])
    spread = axes.std(axis=0)
    spread[spread == 0] = 1.0
    return unit_rows((views.platonic[name] - axes.mean(axis=0)) / spread)


def own_space(views: Views, space: str, name: str) -> Floats:
    """Coordinates of one model, shape (n, d): "raw", "platonic" or "standardised".

    Parameters
    ----------
    views : Views
    space, name : str

    Raises
    ------
    ValueError
        For any other space.
    """
    if space == "raw":
        return views.raw[name]
    if space == "platonic":
        return views.platonic[name]
    if space == "standardised":
        return standardised(views, name)
    raise ValueError(f"space = {space!r}; it is one of raw, platonic, standardised")


def common_space(views: Views, space: str, a: str, b: str) -> tuple[Floats, Floats]:
    """Coordinates of two models in one of :data:`SPACES`, both of shape (n, d).

    Parameters
    ----------
    views : Views
    space : str
    a, b : str
        Models.
    """
    if space == "padded":
        return padded(views.raw[a], views.raw[b])
    if space == "pca":
        return pca_aligned(views.raw[a], views.raw[b])
    if space == "procrustes":
        return procrustes_aligned(views.raw[a], views.raw[b], views.anchors[a], views.anchors[b])
    return own_space(views, space, a), own_space(views, space, b)


def principal_plane(points: Floats) -> tuple[Floats, Floats]:
    """Mean, shape (d,), and first two principal directions, shape (d, 2), signs fixed.

    Parameters
    ----------
    points : ndarray, shape (n, d)
    """
    mean = points.mean(axis=0, dtype=np.float64)
    centred = points - mean
    plane = np.linalg.eigh(centred.T @ centred)[1][:, [-1, -2]]
    largest = plane[np.abs(plane).argmax(axis=0), [0, 1]]
    return mean, np.asarray(plane * np.sign(largest))
