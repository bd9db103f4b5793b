"""Representational bias: where one model's geometry departs from the consensus of the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from platonic_ase.compare.measures.nearest import Metric, k_nearest
from platonic_ase.space._checks import Floats, as_points


@dataclass(frozen=True)
class Bias:
    """Departure of one model from the consensus, label by label (element, family, ...).

    Attributes
    ----------
    labels
        Shape (L,), sorted.
    n_atoms, n_structures
        Shape (L,): what each label rests on.
    departure
        Shape (L,): mean departure of the model's atoms, 0 for full agreement.
    excess
        Shape (L,): by how much that is above the median departure of the other models.
    p_value
        Shape (L,): one-sided, of an excess as large by chance.
    q_value
        Shape (L,): p_value after Benjamini and Hochberg's correction for the number of labels.
    """

    labels: NDArray[np.generic]
    n_atoms: NDArray[np.intp]
    n_structures: NDArray[np.intp]
    departure: Floats
    excess: Floats
    p_value: Floats
    q_value: Floats


def row_departure(models: Mapping[str, ArrayLike]) -> dict[str, Floats]:
    """Return, per model and atom, how much its Platonic row departs from the others' consensus.

    `1 - corr(z_i, c_i)` over the anchors, where each anchor's cosines are first standardised over
    the atoms and `c` is the median of the other models: 0 for agreement, about 1 for none.

    Parameters
    ----------
    models
        Name to Platonic coordinates, each of shape (n, K): at least 3 models, the same atoms and
        the same anchors.

    Returns
    -------
    departures
        Name to shape (n,).
    """
    standard = _standardised(models)
    return {name: _one_minus_correlation(z, c) for name, z, c in _with_consensus(standard)}


def anchor_departure(models: Mapping[str, ArrayLike]) -> dict[str, Floats]:
    """Return, per model and anchor, `1 - corr` over the atoms with the consensus, shape (K,)."""
    standard = _standardised(models)
    return {name: _one_minus_correlation(z.T, c.T) for name, z, c in _with_consensus(standard)}


def neighbour_departure(
    models: Mapping[str, ArrayLike], k: int = 10, *, metric: Metric = "euclidean"
) -> dict[str, Floats]:
    """Return, per model and atom, the share of its k neighbours that the others do not see.

    The median over the other models of `1 - |N_k ∩ N'_k| / k`. The arrays may differ in width, so
    this serves for raw embeddings too.

    Parameters
    ----------
    models
        Name to shape (n, d): at least 3 models, the same atoms.
    """
    arrays = same_atoms(models)
    neighbours = {name: k_nearest(x, k, metric=metric) for name, x in arrays.items()}
    membership = {}
    for one in arrays:
        shared = [
            (neighbours[one][:, :, None] == neighbours[other][:, None, :]).sum(axis=(1, 2))
            for other in arrays
            if other != one
        ]
        membership[one] = 1 - np.median(shared, axis=0) / k
    return membership


def group_bias(
    departures: Mapping[str, ArrayLike],
    model: str,
    labels: ArrayLike,
    *,
    structures: ArrayLike | None = None,
    n_permutations: int = 2000,
    seed: int = 0,
) -> Bias:
    """Test, label by label, whether a model departs from the consensus more than others do.

    The excess of an atom is the model's departure less the median departure of the other models.
    If the model is one like the others its sign is as likely plus as minus, so the mean excess of
    a label is compared with means after random changes of sign, one sign for all atoms of a
    structure because these are not independent. A label needs at least 5 structures to reach
    p = 0.05.

    Parameters
    ----------
    departures
        Name to shape (n,), from `row_departure` or `neighbour_departure`.
    model
        The one to audit.
    labels
        Shape (n,): element, family, space group, ...
    structures
        Shape (n,): which structure an atom is of. Each atom for itself by default.
    n_permutations
        Changes of sign; the smallest possible p is 1 / (1 + n_permutations).

    References
    ----------
    Y. Benjamini and Y. Hochberg, J. R. Stat. Soc. B 57, 289 (1995),
    doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    from scipy.stats import false_discovery_control

    values = {name: np.asarray(value, np.float64) for name, value in departures.items()}
    if model not in values or len(values) < 3:
        raise ValueError(f"model is {model!r}; it must be one of at least 3, got {sorted(values)}")
    own = values.pop(model)
    n = len(own)
    kinds, kind = _codes(labels, n, "labels")
    _, structure = _codes(np.arange(n) if structures is None else structures, n, "structures")
    excess = own - np.median(list(values.values()), axis=0)
    n_atoms = np.bincount(kind)
    # Sums per (label, structure) that occurs: a change of sign acts on these.
    pairs, pair = np.unique(np.stack([kind, structure]), axis=1, return_inverse=True)
    sums = np.bincount(pair.ravel(), excess)
    observed = np.bincount(pairs[0], sums) / n_atoms
    rng = np.random.default_rng(seed)
    as_large = np.zeros(len(kinds))
    for _ in range(n_permutations):
        signs = rng.choice((-1.0, 1.0), size=structure.max() + 1)
        flipped = np.bincount(pairs[0], sums * signs[pairs[1]]) / n_atoms
        as_large += flipped >= observed - 1e-12 * np.abs(observed)
    p_value = (1 + as_large) / (1 + n_permutations)
    return Bias(
        labels=kinds,
        n_atoms=n_atoms,
        n_structures=np.bincount(pairs[0]),
        departure=np.bincount(kind, own) / n_atoms,
        excess=observed,
        p_value=p_value,
        q_value=np.asarray(false_discovery_control(p_value)),
    )


def same_atoms(models: Mapping[str, ArrayLike]) -> dict[str, Floats]:
    """Return checked arrays of at least three models on the same atoms."""
    if len(models) < 3:
        raise ValueError(
            f"a consensus needs at least 3 models, got {sorted(models)}; compare two by mutual_knn"
        )
    arrays = {name: as_points(z, name, at_least=3) for name, z in models.items()}
    if len({len(z) for z in arrays.values()}) > 1:
        sizes = {name: len(z) for name, z in arrays.items()}
        raise ValueError(
            f"the models have different numbers of atoms, {sizes}; embed the same structures in "
            "the same order"
        )
    return arrays


def _standardised(models: Mapping[str, ArrayLike]) -> dict[str, Floats]:
    arrays = same_atoms(models)
    widths = {name: z.shape[1] for name, z in arrays.items()}
    if len(set(widths.values())) > 1:
        raise ValueError(
            f"the models have different numbers of anchors, {widths}; project all onto the same, "
            "or use neighbour_departure"
        )
    standard = {}
    for name, z in arrays.items():
        centred = z - z.mean(axis=0, dtype=np.float64)
        deviation = centred.std(axis=0)
        if (z == z[0]).all():
            raise ValueError(f"all coordinates of {name} are equal; check what was captured")
        standard[name] = centred / np.where(deviation > 0, deviation, 1.0)
    return standard


def _with_consensus(standard: dict[str, Floats]) -> list[tuple[str, Floats, Floats]]:
    """Return each model's name, its array and the median of the others'."""
    return [
        (name, z, np.median([other for key, other in standard.items() if key != name], axis=0))
        for name, z in standard.items()
    ]


def _one_minus_correlation(a: Floats, b: Floats) -> Floats:
    """Return 1 - Pearson's correlation, row by row; 1 where a row is constant."""
    a, b = (rows - rows.mean(axis=1, keepdims=True) for rows in (a, b))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(1 - np.einsum("ij,ij->i", a, b) / np.where(norms > 0, norms, 1.0))


def _codes(labels: ArrayLike, n: int, name: str) -> tuple[NDArray[np.generic], NDArray[np.intp]]:
    array = np.asarray(labels)
    if array.shape != (n,):
        raise ValueError(f"{name} has shape {array.shape}; expected ({n},): one per atom")
    return np.unique(array, return_inverse=True)
