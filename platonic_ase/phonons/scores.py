"""How well phonon packs do on anions that were left out of their fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from platonic_ase.phonons.estimate import ERROR_THRESHOLD
from platonic_ase.phonons.table import ERROR_FEATURES, PhononTable, fit_table, merge

CAVEAT = (
    "one anion at a time, ridge penalty fixed at 3; the features were chosen on the same "
    "crystals, so that the scores are optimistic"
)


@dataclass(frozen=True)
class LeftOut:
    """What packs predict for crystals whose anion they have not seen, arrays of shape (n,).

    NaN where a feature is missing.

    Attributes
    ----------
    root_error : ndarray
        Predicted square root of the relative error.
    probability, worst_third : ndarray
        Of a relative error above 25 %, and in the worst third of the crystals of the fit.
    covered : ndarray of bool
        Whether the true error lies in the 90 % interval.
    imaginary : ndarray
        Probability of an imaginary mode; NaN where no training crystal had one.
    log_factor, half_width : ndarray
        ln of the predicted factor, and how far the best one is from it in 90 % of the cases.
    """

    root_error: np.ndarray
    probability: np.ndarray
    worst_third: np.ndarray
    covered: np.ndarray
    imaginary: np.ndarray
    log_factor: np.ndarray
    half_width: np.ndarray


def leave_anions_out(
    table: PhononTable,
    train: Sequence[PhononTable] | None = None,
    *,
    modes: Sequence[PhononTable] | None = None,
    error_features: Sequence[str] = ERROR_FEATURES,
) -> LeftOut:
    """Predict each crystal with a pack fitted to the crystals of other anions.

    Parameters
    ----------
    table : PhononTable
        The crystals to predict.
    train : sequence of PhononTable, optional
        To fit to, such as those of other models; the table itself by default.
    modes : sequence of PhononTable, optional
        From which imaginary modes are learnt; ``train`` by default.
    error_features : sequence of str
    """
    pooled = merge([table] if train is None else train)
    unstable = pooled if modes is None else merge(modes)
    n = len(table)
    found = LeftOut(*(np.full(n, np.nan) for _ in range(7)))
    anions = table.column("anion")
    for anion in sorted(set(anions)):
        kept, others = (
            each.where(lambda row, anion=anion: row.anion != anion)  # type: ignore[misc]
            for each in (pooled, unstable)
        )
        pack = fit_table(kept, "left out", modes=others, error_features=error_features)
        assert pack.factor is not None
        for k in np.flatnonzero(anions == anion):
            row = table.rows[k]
            values = row.features.to_dict()
            risk = pack.inside(row.features)
            found.root_error[k] = pack.error(values)
            found.log_factor[k] = pack.factor.part(values)
            found.half_width[k] = pack.factor.half_width
            found.probability[k] = _number(risk.probability_above_25_percent)
            found.worst_third[k] = _number(risk.probability_worst_third)
            found.imaginary[k] = _number(risk.probability_imaginary)
            if risk.interval is not None:
                low, high = risk.interval
                found.covered[k] = low <= row.relative_error <= high
    return found


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def worst_third(errors: np.ndarray) -> np.ndarray:
    """Which errors are above two thirds of all, bool, shape (n,)."""
    return np.asarray(errors > np.quantile(errors, 2 / 3))


def left_out_scores(
    table: PhononTable, modes: Sequence[PhononTable] | None = None
) -> dict[str, Any]:
    """Scores of a model's pack on the anions that were left out, for its provenance.

    Parameters
    ----------
    table, modes
        See :func:`leave_anions_out`.
    """
    out = leave_anions_out(table, modes=modes)
    errors = table.relative_errors
    large, imaginary = errors > ERROR_THRESHOLD, table.column("imaginary")
    alarms = out.probability > 0.5
    residual = table.column("log_factor") - out.log_factor
    within = np.abs(residual) <= out.half_width
    scores: dict[str, Any] = {
        "left_out": CAVEAT,
        "auroc_above_25_percent": auroc(large, out.root_error),
        "auroc_worst_third": auroc(worst_third(errors), out.root_error),
        "spearman": spearman(out.root_error, errors),
        "auroc_imaginary": auroc(imaginary, out.imaginary),
        "hits": f"{(alarms & large).sum()} of {large.sum()}",
        "false_alarms": f"{(alarms & ~large).sum()} of {(~large).sum()}",
        "imaginary": int(imaginary.sum()),
        "factor_band_90_covers": float((within[np.isfinite(residual)]).mean()),
    }
    return {
        name: round(score, 3) if isinstance(score, float) else score
        for name, score in scores.items()
        if not (isinstance(score, float) and math.isnan(score))  # it cannot be scored
    }


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the receiver operating characteristic; NaN where it is not defined.

    The chance that a crystal with the label scores higher than one without; ties count a half.
    """
    from scipy.stats import rankdata
    from sklearn.metrics import roc_auc_score

    if len(np.unique(labels)) < 2 or np.isnan(scores).any():
        return float("nan")
    return float(roc_auc_score(labels, rankdata(scores)))  # a bound may be infinite


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation."""
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic)
