"""Choosing a few environments that represent many: DIRECT and farthest-point sampling.

Both are deterministic for given arguments and return sorted, distinct row indices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from platonic_ase.errors import CalibrationError, SettingError
from platonic_ase.space._checks import Floats, as_points, chunks

_ROWS = 8192  # rows handled at once: a few MB for d = 128
_TRIAL_ROWS = 20_000
_MAX_SUBCLUSTERS = 5000  # the agglomeration of m subclusters holds m² / 2 distances


def direct(
    embeddings: ArrayLike, n: int, *, threshold: float = 0.3, seed: int = 0
) -> NDArray[np.intp]:
    """Select `n` rows by DIRECT: stratified sampling of the leading principal components.

    The embeddings are standardised, projected onto the principal components whose eigenvalue
    exceeds 1, and each component is weighted by its share of the variance. BIRCH
    groups the rows into subclusters of radius `threshold`, which is lowered until there are at
    least `n`, Ward's method merges these into `n` clusters, and the row nearest each centroid is
    taken. Where there would be thousands of subclusters the threshold is raised, which bounds time
    and memory.

    Parameters
    ----------
    embeddings
        Shape (n_samples, d). Constant columns carry no information and are ignored.
    n
        Number of rows to select.
    threshold
        First BIRCH threshold, in the weighted principal components (dimensionless).
    seed
        Seed of the order in which the rows are shown to BIRCH, which depends on it.

    Returns
    -------
    indices
        Shape (n,), sorted and distinct.

    Raises
    ------
    ValueError
        When there are fewer than `n` distinct rows, or the array is not finite.

    References
    ----------
    J. Qi, T. W. Ko, B. C. Wood, T. A. Pham and S. P. Ong, npj Comput. Mater. 10, 43 (2024),
    doi:10.1038/s41524-024-01227-4.

    Examples
    --------
    >>> import numpy as np
    >>> direct(np.array([[0.0], [0.1], [5.0], [5.1], [9.0]]), 3).shape
    (3,)
    """
    points = _check(embeddings, n)
    features = principal_features(points)
    order = np.random.default_rng(seed).permutation(len(features))
    subclusters = _subclusters(features[order], n, threshold)
    labels = _ward(subclusters, n)[_nearest(features, subclusters)]
    return _complete(features, _medoids(features, labels), n)


def farthest_point(
    embeddings: ArrayLike, n: int, *, start: int | None = None, seed: int = 0
) -> NDArray[np.intp]:
    """Select `n` rows, each the farthest (Euclidean) from all that were selected before it.

    Parameters
    ----------
    embeddings
        Shape (n_samples, d).
    n
        Number of rows to select.
    start
        Index of the first row; drawn with `seed` by default.
    seed
        Seed of that draw.

    Returns
    -------
    indices
        Shape (n,), sorted and distinct.

    Raises
    ------
    ValueError
        When there are fewer than `n` distinct rows, or the array is not finite.

    References
    ----------
    T. F. Gonzalez, Theor. Comput. Sci. 38, 293 (1985), doi:10.1016/0304-3975(85)90224-5.

    Examples
    --------
    >>> import numpy as np
    >>> farthest_point(np.array([[0.0], [0.1], [5.0], [9.0]]), 3, start=0)
    array([0, 2, 3])
    """
    points = _check(embeddings, n)
    if start is None:
        start = int(np.random.default_rng(seed).integers(len(points)))
    if not 0 <= start < len(points):
        raise SettingError(f"start is {start}; it must be a row index from 0 to {len(points) - 1}")
    centred = (points - points.mean(axis=0, dtype=np.float64)).astype(np.float32)
    return _complete(centred, np.array([start]), n)


def principal_features(points: Floats) -> Floats:
    """Return the weighted principal components that DIRECT clusters, shape (n, m).

    With `λ_j` and `v_j` the eigenvalues and eigenvectors of the correlation matrix and `x̂` the
    standardised embeddings, feature j is `λ_j / Σ_i λ_i · x̂ · v_j`, for each `λ_j > 1` (or for
    the largest alone, where none is).
    """
    mean = points.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((points.shape[1],) * 2)
    for rows in chunks(len(points), _ROWS):
        centred = points[rows] - mean
        covariance += centred.T @ centred
    covariance /= len(points)
    deviation = np.sqrt(np.diag(covariance))
    # A column that varies by rounding only must not be blown up to unit variance.
    varies = deviation > 1e-6 * np.maximum(np.abs(mean), deviation.max(initial=0.0) * 1e-6)
    if not varies.any():
        raise CalibrationError(
            f"all {len(points)} embeddings are equal; there is nothing to select from: check that "
            "the structures differ and that the right layer was captured"
        )
    deviation = deviation[varies]
    correlation = covariance[np.ix_(varies, varies)] / np.outer(deviation, deviation)
    eigenvalues, vectors = np.linalg.eigh(correlation)
    kept = max(int((eigenvalues > 1).sum()), 1)  # eigh sorts upwards
    variance = eigenvalues[: -kept - 1 : -1]
    weights = vectors[:, : -kept - 1 : -1] * (variance / eigenvalues.sum()) / deviation[:, None]
    features = np.empty((len(points), kept))
    for rows in chunks(len(points), _ROWS):
        features[rows] = (points[rows] - mean)[:, varies] @ weights
    return features


def _check(embeddings: ArrayLike, n: int) -> Floats:
    if n < 1:
        raise SettingError(f"n is {n}; select at least one row")
    points = as_points(embeddings)
    if len(points) < n:
        raise SettingError(
            f"cannot select {n} of {len(points)} embeddings; lower n or add structures to the pool"
        )
    return points


def _subclusters(features: Floats, n: int, threshold: float) -> Floats:
    """Return the centres of at least `n` BIRCH subclusters, and of thousands at most.

    Fewer than `n` come back where no threshold gives a number between: hardly `n` distinct rows,
    or `n` between the number of groups and the number of rows in evenly split groups.
    """
    from sklearn.cluster import Birch

    if not threshold > 0:
        raise SettingError(
            f"threshold is {threshold}; it must be positive (DIRECT starts with 0.3)"
        )
    smallest = 1e-6 * np.sqrt(features.var(axis=0).sum())
    raised = False
    # A sample finds the threshold at a fraction of the cost; the whole then has more subclusters.
    trial = [(features[:_TRIAL_ROWS], _MAX_SUBCLUSTERS // 4)] * (len(features) > _TRIAL_ROWS)
    for part, most in [*trial, (features, _MAX_SUBCLUSTERS)]:
        while True:
            model = Birch(threshold=threshold, n_clusters=None, compute_labels=False).fit(part)
            found = len(model.subcluster_centers_)
            if found > max(most, 2 * n):
                threshold = max(1.5 * threshold, smallest)
                raised = True
            elif found < n and threshold > smallest and not raised:
                threshold *= max(found / n, 0.5)
            else:
                break
    return np.asarray(model.subcluster_centers_)


def _ward(centres: Floats, n: int) -> NDArray[np.intp]:
    """Return the cluster of each centre, from 0 to n - 1 at most."""
    from sklearn.cluster import AgglomerativeClustering

    if len(centres) <= n:
        return np.arange(len(centres))
    return np.asarray(AgglomerativeClustering(n_clusters=n).fit(centres).labels_, np.intp)


def _nearest(points: Floats, centres: Floats) -> NDArray[np.intp]:
    """Return the index of the centre nearest each point."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(centres).query(points)[1], np.intp)


def _medoids(points: Floats, labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return, per label, the index of the point nearest the mean of the points so labelled."""
    counts = np.bincount(labels)[:, None]
    sums = np.stack([np.bincount(labels, column) for column in points.T], axis=1)
    distances = np.linalg.norm(points - (sums / np.maximum(counts, 1))[labels], axis=1)
    order = np.lexsort((distances, labels))
    return order[np.unique(labels[order], return_index=True)[1]]


def _complete(points: Floats, chosen: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Add the farthest points to those chosen until there are `n`; return them sorted."""
    selected = chosen.tolist()
    nearest = np.full(len(points), np.inf)
    for count, latest in enumerate(iter(selected)):  # the list grows while it is walked
        for rows in chunks(len(points), _ROWS):
            difference = points[rows] - points[latest]
            squared = np.einsum("ij,ij->i", difference, difference)
            np.minimum(nearest[rows], squared, out=nearest[rows])
        if len(selected) == n:
            break
        if count + 1 == len(selected):
            farthest = int(nearest.argmax())
            if nearest[farthest] == 0:
                raise SettingError(
                    f"cannot select {n} embeddings: only {len(selected)} are distinct; lower n or "
                    "add structures that differ to the pool"
                )
            selected.append(farthest)
    return np.sort(np.array(selected, np.intp))
