r"""Fitting a force bound to structures whose DFT forces are known.

With the model's force :math:`F`, its error :math:`\epsilon = \|F - F_{DFT}\|` and the components x
of the Platonic coordinates, the pinball loss at the level :math:`\tau`

.. math::

    \rho_\tau(\ln \epsilon - \ln(b + a \|F\|) - c \cdot x)

(smoothed at zero) is minimised over a, b and c, each structure counting as one. The conformal
quantile of the ratios of errors to fitted scales comes from structures left out of the fit in turn
(cross-conformal: Vovk, Ann. Math. Artif. Intell. 74, 9 (2015)), all copies of a compound together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from platonic_ase.calibrate.force_table import ForceErrors, deal
from platonic_ase.errors import CalibrationError
from platonic_ase.monitor.force_bound import ForceBound, components
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.reference import conformal_quantile

LEVEL = 0.9
ALARM_LEVEL = 0.99
N_COMPONENTS = 32
FOLDS = 5
_ROUNDING = 1e-4  # eV/Å; errors of atoms at rest by symmetry have no logarithm
_PENALTY = 3e-3  # on coefficients of standardised components
_SMOOTH = 0.05  # half width of the rounded corner of the pinball loss


@dataclass(frozen=True)
class _Scale:
    """Size of the error before the conformal quantile: (b + a |F|) exp(c x)."""

    constant: float
    slope: float
    mean: np.ndarray
    directions: np.ndarray
    coefficients: np.ndarray

    def __call__(self, table: ForceErrors) -> np.ndarray:
        size = np.linalg.norm(table.forces, axis=1)
        x = components(table.platonic, self.mean, self.directions)
        return np.asarray((self.constant + self.slope * size) * np.exp(x @ self.coefficients))


def fit_force_bound(
    name: str,
    table: ForceErrors,
    anchors: AnchorSet,
    *,
    level: float = LEVEL,
    folds: int = FOLDS,
    seed: int = 0,
    provenance: Mapping[str, Any] | None = None,
) -> ForceBound:
    """Fit a bound and its conformal quantile.

    Parameters
    ----------
    name : str
        Of the pack.
    table : ForceErrors
    anchors : AnchorSet
        They span the Platonic space and know the model.
    level : float
        In (0, 1).
    folds : int
        How many times a part of the compounds is left out for the quantile.
    seed : int
        Of the deal of compounds to folds.
    provenance : mapping, optional
        Recorded.

    Raises
    ------
    CalibrationError
        With too few structures for the alarm, or a single compound.
    """
    whole, scale, quantile = _conformalise(table, level, folds, seed)
    present, structure = np.unique(table.structures, return_inverse=True)
    worst = np.zeros(len(present))
    np.maximum.at(worst, structure, quantile * scale)
    square = np.bincount(structure, (table.forces**2).sum(axis=1)) / np.bincount(structure)
    alarms = [
        conformal_quantile(values, ALARM_LEVEL)
        for values in (worst, worst / (whole.constant + np.sqrt(square)))
    ]
    if not math.isfinite(alarms[0]):
        raise CalibrationError(
            f"{len(present)} structures are too few for an alarm at {ALARM_LEVEL:.0%}; at least "
            f"{math.ceil(ALARM_LEVEL / (1 - ALARM_LEVEL))} are needed"
        )
    return ForceBound(
        name=name,
        constant=whole.constant,
        slope=whole.slope,
        mean=whole.mean,
        directions=whole.directions,
        coefficients=whole.coefficients,
        quantile=quantile,
        level=level,
        alarm=alarms[0],
        alarm_ratio=alarms[1],
        elements=tuple(int(z) for z in np.unique(table.numbers)),
        identity=anchors.identity,
        anchors_digest=anchors.digest,
        provenance={
            "structures": len(present),
            "atoms": len(table),
            "compounds": len(set(table.groups[present])),
            **(provenance or {}),
        },
    )


def _conformalise(
    table: ForceErrors, level: float, folds: int = FOLDS, seed: int = 0
) -> tuple[_Scale, np.ndarray, float]:
    """Scale of the whole table, those of each atom without its compound, and the quantile."""
    fold = deal(table, folds, seed)
    scale = np.empty(len(table))
    for k in range(int(fold.max()) + 1):
        scale[fold == k] = _fit(table.take(fold != k), level)(table.take(fold == k))
    quantile = conformal_quantile(table.errors / scale, level, table.structures)
    return _fit(table, level), scale, quantile


def principal_components(
    platonic: np.ndarray, count: int = N_COMPONENTS
) -> tuple[np.ndarray, np.ndarray]:
    """Mean, shape (K,), and standardising principal directions, shape (K, m), of a cloud."""
    mean = platonic.mean(axis=0, dtype=np.float64)
    variances, vectors = np.linalg.eigh(np.cov((platonic - mean).T))
    kept = [k for k in np.argsort(-variances)[:count] if variances[k] > 1e-10]
    return mean, np.asarray(vectors[:, kept] / np.sqrt(variances[kept]))


def pinball(residuals: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Pinball loss with a rounded corner, and its derivative; same shape as the residuals."""
    slope = np.where(residuals > 0, level, 1 - level)
    near = np.abs(residuals) <= _SMOOTH
    size = np.abs(residuals)
    loss = slope * np.where(near, size**2 / (2 * _SMOOTH), size - _SMOOTH / 2)
    return loss, slope * np.clip(residuals / _SMOOTH, -1, 1)


def _fit(table: ForceErrors, level: float) -> _Scale:
    """Quantile regression of the logarithm of the error; see the top of this file."""
    from scipy.optimize import minimize

    mean, directions = principal_components(table.platonic)
    x = components(table.platonic, mean, directions)
    terms = np.column_stack([np.ones(len(table)), np.linalg.norm(table.forces, axis=1)])
    target = np.log(table.errors + _ROUNDING)
    weights = table.weights / table.weights.sum()

    def objective(t: np.ndarray) -> tuple[float, np.ndarray]:
        affine = terms @ np.exp(t[:2])
        loss, slope = pinball(target - np.log(affine) - x @ t[2:], level)
        pull = weights * slope
        gradient = -(terms.T @ (pull / affine)) * np.exp(t[:2])
        value = float(weights @ loss + _PENALTY * (t[2:] ** 2).sum())
        return value, np.concatenate([gradient, -(x.T @ pull) + 2 * _PENALTY * t[2:]])

    start = np.concatenate([[np.log(0.05), np.log(0.5)], np.zeros(x.shape[1])])
    bounds = [(-9.0, 3.0)] * 2 + [(None, None)] * x.shape[1]  # e^-9: a constant of 0.1 meV/Å
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    constant, slope = np.exp(found[:2])
    return _Scale(float(constant), float(slope), mean, directions, found[2:])


def left_out_bounds(
    table: ForceErrors,
    parts: np.ndarray,
    barred: Sequence[np.ndarray] | None = None,
    *,
    level: float = LEVEL,
    progress: bool = False,
) -> np.ndarray:
    """Bounds of each part by a pack that was fitted *and* conformalised without it.

    Parameters
    ----------
    table : ForceErrors
    parts : ndarray of int, shape (n,)
        0..P-1; negative for atoms that are in no part.
    barred : sequence of ndarray of bool, shape (n,), length P, optional
        Atoms that the pack of each part must not see; those of the part by default.
    level : float
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    ndarray, shape (n,)
        eV/Å; NaN for atoms that are in no part, or whose part leaves less than two compounds.
    """
    from tqdm.auto import tqdm

    bounds = np.full(len(table), np.nan)
    count = int(parts.max()) + 1
    for part in tqdm(range(count), desc="bounds left out", disable=not progress):
        own = parts == part
        unseen = own if barred is None else barred[part] | own
        rest = table.take(~unseen)
        if len(set(rest.groups[rest.structures])) >= 2:
            whole, _, quantile = _conformalise(rest, level)
            bounds[own] = quantile * whole(table.take(own))
    return bounds
