r"""Fitting a force bound to structures whose DFT forces are known.

The pinball loss at the level :math:`\tau`

.. math::

    \rho_\tau(\ln \epsilon - \ln s), \qquad
    \ln s = t + \gamma \ln(b + \|F\|) + c \cdot x / w^2 + \ln w

(smoothed at zero) is minimised over t, γ, b and c, each compound counting as one: its strained and
rattled copies, or the frames of its trajectory, are not independent. See
:mod:`~platonic_ase.monitor.error_scale` for the terms. The widening w is not fitted here: labels of
the calibration cannot say how errors grow beyond it, those of another kind can (see
:mod:`~platonic_ase.calibrate.force_width`). Ratios of errors to sizes come from compounds
left out of the fit in turn (cross-conformal: Vovk, Ann. Math. Artif. Intell. 74, 9 (2015)), and
distances are always to references of other compounds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from platonic_ase.calibrate.force_reference import choose_references, distances_to_others
from platonic_ase.calibrate.force_table import GROUP_REMEDY, ForceErrors, deal
from platonic_ase.calibrate.force_width import POOLED, Growth, learn_growth, unit_of_reach
from platonic_ase.errors import CalibrationError
from platonic_ase.monitor.error_scale import ErrorScale, components, unfamiliarity, widths
from platonic_ase.monitor.force_bound import (
    LEVEL,
    ForceBound,
    equidistant_quantiles,
    fewest_compounds,
)
from platonic_ase.space.anchors import AnchorSet
from platonic_ase.space.reference import conformal_quantile

N_COMPONENTS = 32
FOLDS = 5
RATIOS = 501
_ROUNDING = 0.01  # eV/Å; smaller errors are all the same
_PENALTY = 3e-3  # on coefficients of standardised components
_SMOOTH = 0.05  # half width of the rounded corner of the pinball loss


@dataclass(frozen=True)
class FittedErrors:
    """A fitted size of the error, and the ratios of errors to it on what was left out.

    Attributes
    ----------
    scale : ErrorScale
        Of all structures.
    ratios : ndarray, shape (RATIOS,)
        Equidistant quantiles of error over size, each compound counting as one.
    quantile : float
        The conformal one at the level asked.
    """

    scale: ErrorScale
    ratios: np.ndarray
    quantile: float

    def sizes(self, table: ForceErrors) -> np.ndarray:
        """Size of the error of each atom, eV/Å, shape (n,)."""
        sizes = np.empty(len(table))
        for structure in np.unique(table.structures):
            own = table.structures == structure
            sizes[own] = self.scale(
                table.forces[own], table.platonic[own], table.embeddings[own], table.numbers[own]
            )
        return sizes


def fit_force_bound(
    name: str,
    table: ForceErrors,
    anchors: AnchorSet,
    *,
    level: float = LEVEL,
    folds: int = FOLDS,
    seed: int = 0,
    growth: Growth = POOLED,
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
        How many times a part of the compounds is left out for the ratios.
    seed : int
        Of the deal of compounds to folds.
    growth : Growth
        Of :func:`growth_beyond`, or that of other models.
    provenance : mapping, optional
        Recorded.

    Raises
    ------
    CalibrationError
        With too few compounds for the level.
    """
    fitted = fit_errors(table, level, folds, seed, growth)
    present = np.unique(table.structures)
    compounds = len(set(table.groups[present]))
    needed = fewest_compounds(level) + 1
    if compounds < needed:
        raise CalibrationError(
            f"{compounds} compounds are too few for a bound at {level:.0%} that is tested on what "
            f"it has not seen; at least {needed} are needed. {GROUP_REMEDY}"
        )
    return ForceBound(
        name=name,
        scale=fitted.scale,
        quantile=fitted.quantile,
        level=level,
        ratios=fitted.ratios,
        elements=tuple(int(z) for z in np.unique(table.numbers)),
        identity=anchors.identity,
        anchors_digest=anchors.digest,
        provenance={
            "structures": len(present),
            "atoms": len(table),
            "compounds": compounds,
            "growth": {"onset": growth.onset, "power": growth.power},
            **(provenance or {}),
        },
    )


def growth_beyond(
    table: ForceErrors, beyond: Sequence[ForceErrors], level: float = LEVEL
) -> Growth:
    """How widths grow, learnt from labels of other kinds; that of other models without any.

    Parameters
    ----------
    table : ForceErrors
        In kind.
    beyond : sequence of ForceErrors
        One for each other kind.
    level : float
    """
    if not beyond:
        return POOLED
    references = choose_references(table)
    known = table.embeddings[references], table.numbers[references]

    def fit(width: np.ndarray, reach: float, power: float) -> ErrorScale:
        return _fit(table, width, reach, power, known)

    return learn_growth(table, beyond, references, level, fit)


def fit_errors(
    table: ForceErrors,
    level: float = LEVEL,
    folds: int = FOLDS,
    seed: int = 0,
    growth: Growth = POOLED,
) -> FittedErrors:
    """Fit the size of the error, and the ratios of errors to sizes on compounds left out.

    Parameters
    ----------
    table : ForceErrors
    level : float
        Of the quantile; sizes are fitted at :data:`LEVEL` whatever it is.
    folds : int
        How many times a part of the compounds is left out.
    seed : int
        Of the deal of compounds to folds.
    growth : Growth
        Of the widths.

    Raises
    ------
    CalibrationError
        With a single compound.
    """
    fold = deal(table, folds, seed)
    references = choose_references(table)
    unfamiliar = unfamiliarity(distances_to_others(table, references), table.structures)
    reach = growth.onset * unit_of_reach(unfamiliar, table.compounds)
    width = widths(unfamiliar, reach, growth.power)
    known = table.embeddings[references], table.numbers[references]
    sizes = np.empty(len(table))
    for k in range(int(fold.max()) + 1):
        own = fold == k
        part = _fit(table.take(~own), width[~own], reach, growth.power, known)
        sizes[own] = part.at(table.forces[own], table.platonic[own], width[own])
    ratios = table.errors / sizes
    return FittedErrors(
        _fit(table, width, reach, growth.power, known),
        equidistant_quantiles(ratios, table.weights, RATIOS),
        conformal_quantile(ratios, level, table.compounds),
    )


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


def _fit(
    table: ForceErrors,
    width: np.ndarray,
    reach: float,
    power: float,
    known: tuple[np.ndarray, np.ndarray],
) -> ErrorScale:
    """Quantile regression of the logarithm of the error; see the top of this file."""
    from scipy.optimize import minimize

    mean, directions = principal_components(table.platonic)
    x = components(table.platonic, mean, directions) / width[:, None] ** 2
    size = np.linalg.norm(table.forces, axis=1)
    target = np.log(table.errors + _ROUNDING) - np.log(width)
    weights = table.weights / table.weights.sum()

    def objective(t: np.ndarray) -> tuple[float, np.ndarray]:
        floor, slope_of_force = np.exp(t[1]), t[2]
        logarithm = np.log(floor + size)
        loss, slope = pinball(target - t[0] - slope_of_force * logarithm - x @ t[3:], LEVEL)
        pull = weights * slope
        inner = -np.array(
            [pull.sum(), slope_of_force * floor * (pull / (floor + size)).sum(), pull @ logarithm]
        )
        value = float(weights @ loss + _PENALTY * (t[3:] ** 2).sum())
        return value, np.concatenate([inner, -(x.T @ pull) + 2 * _PENALTY * t[3:]])

    start = np.concatenate([[0.0, np.log(0.1), 0.8], np.zeros(x.shape[1])])
    # a floor of 1 meV/Å to 1 eV/Å
    bounds = [(-9.0, 3.0), (np.log(1e-3), 0.0), (0.2, 1.0)] + [(None, None)] * x.shape[1]
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return ErrorScale(
        intercept=float(found[0]),
        floor=float(np.exp(found[1])),
        power=float(found[2]),
        mean=mean,
        directions=directions,
        coefficients=found[3:],
        references=known[0],
        reference_numbers=known[1],
        reach=reach,
        growth=power,
    )


def left_out_bounds(
    table: ForceErrors,
    parts: np.ndarray,
    barred: Sequence[np.ndarray] | None = None,
    *,
    level: float = LEVEL,
    growth: Growth = POOLED,
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
    growth : Growth
        Of the widths.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    ndarray, shape (n,)
        eV/Å; NaN for atoms that are in no part, or whose part leaves too few compounds for the
        level.
    """
    from tqdm.auto import tqdm

    bounds = np.full(len(table), np.nan)
    count = int(parts.max()) + 1
    for part in tqdm(range(count), desc="bounds left out", disable=not progress):
        own = parts == part
        unseen = own if barred is None else barred[part] | own
        rest = table.take(~unseen)
        if len(set(rest.groups[rest.structures])) >= 2:
            fitted = fit_errors(rest, level, growth=growth)
            if math.isfinite(fitted.quantile):
                bounds[own] = fitted.quantile * fitted.sizes(table.take(own))
    return bounds
