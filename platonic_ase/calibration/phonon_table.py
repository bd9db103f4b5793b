"""Crystals with known phonon errors: reading them, fitting packs to them, leaving some out.

A table is a JSON file with ``columns`` and, by model, ``rows``: formula, prototype, anion, relative
error, spurious imaginary mode, frequencies of the model itself and displacement features.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from platonic_ase.calibration.phonon_risk import ERROR_THRESHOLD, PhononRisk, fit_phonon_risk
from platonic_ase.diagnostics.displacement import FEATURES, DisplacementFeatures
from platonic_ase.errors import SpaceFileError
from platonic_ase.space.identity import ModelIdentity

ERROR_FEATURES = (
    "stiffness_excess", "log_coordination", "bond_polarity", "log_valence", "log_bond",
    "mean_radius", "log_stretch", "neighbour_share",
)  # fmt: skip
"""Features of the packs that this package ships."""
IMAGINARY_FEATURES = ("force_odds",)
CAVEAT = (
    "one anion at a time, ridge penalty fixed at 3; the features were chosen on the same "
    "crystals, so that the scores are optimistic"
)


@dataclass(frozen=True)
class PhononTable:
    """Phonon errors of one model.

    Attributes
    ----------
    model : str
        As :func:`~platonic_ase.loading.load_calculator` knows it.
    title : str
        For people.
    formulas, prototypes, anions : tuple of str, length n
    features : tuple of DisplacementFeatures, length n
        NaN where the table has no such column.
    relative_errors : ndarray, shape (n,)
        Wasserstein-1 distance of the spectra over the mean true frequency.
    imaginary : ndarray of bool, shape (n,)
        Whether the model has an imaginary mode that the truth has not.
    supercell_atoms : tuple of int, length n
    frequencies : mapping of str to ndarray, shape (n,)
        Of the model itself, THz: ``mean``, ``lowest``, ``lower_quartile``, ``upper_quartile``.
    """

    model: str
    title: str
    formulas: tuple[str, ...]
    prototypes: tuple[str, ...]
    anions: tuple[str, ...]
    features: tuple[DisplacementFeatures, ...]
    relative_errors: np.ndarray
    imaginary: np.ndarray
    supercell_atoms: tuple[int, ...]
    frequencies: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.formulas)

    def feature(self, name: str) -> np.ndarray:
        """One feature of all crystals, shape (n,)."""
        return np.array([getattr(each, name) for each in self.features])


def read_phonon_table(path: str | os.PathLike[str]) -> dict[str, PhononTable]:
    """Read a table, by model.

    Raises
    ------
    SpaceFileError
        If the file is no JSON, or lacks a column.
    """
    try:
        stored = json.loads(Path(path).read_text(encoding="utf-8"))
        return {
            model: _table(model, each["title"], stored["columns"], each["rows"])
            for model, each in stored["models"].items()
        }
    except OSError as error:
        raise SpaceFileError(f"no phonon table at {path} ({error.strerror})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise SpaceFileError(f"{path} is no table of phonon errors ({error!r})") from error


def fit_table(
    table: PhononTable,
    name: str,
    *,
    error_features: Sequence[str] = ERROR_FEATURES,
    identity: ModelIdentity | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> PhononRisk:
    """Fit a pack to all crystals of a table, anions being the groups.

    Parameters
    ----------
    table : PhononTable
    name, error_features, identity, provenance
        See :func:`~platonic_ase.calibration.phonon_risk.fit_phonon_risk`.
    """
    return fit_phonon_risk(
        name,
        table.features,
        table.relative_errors.tolist(),
        table.anions,
        imaginary=table.imaginary.tolist(),
        error_features=error_features,
        imaginary_features=IMAGINARY_FEATURES,
        identity=identity,
        provenance=provenance,
    )


@dataclass(frozen=True)
class LeftOut:
    """What packs predict for crystals whose anion they have not seen, arrays of shape (n,).

    NaN where a feature is missing.

    Attributes
    ----------
    root_error : ndarray
        Predicted square root of the relative error.
    probability : ndarray
        Of a relative error above 25 %.
    covered : ndarray of bool
        Whether the true error lies in the 90 % interval.
    imaginary : ndarray
        Probability of an imaginary mode; NaN where no training crystal had one.
    """

    root_error: np.ndarray
    probability: np.ndarray
    covered: np.ndarray
    imaginary: np.ndarray


def leave_anions_out(
    table: PhononTable,
    train: Sequence[PhononTable] | None = None,
    *,
    error_features: Sequence[str] = ERROR_FEATURES,
) -> LeftOut:
    """Predict each crystal with a pack fitted to the crystals of other anions.

    Parameters
    ----------
    table : PhononTable
        The crystals to predict.
    train : sequence of PhononTable, optional
        To fit to, such as those of other models; the table itself by default.
    error_features : sequence of str
    """
    pooled = merge([table] if train is None else train)
    n = len(table)
    nothing = np.full(n, np.nan)
    found = LeftOut(nothing, nothing.copy(), np.zeros(n, dtype=bool), nothing.copy())
    for anion in sorted(set(table.anions)):
        kept = _take(pooled, [each != anion for each in pooled.anions])
        pack = fit_table(kept, "left out", error_features=error_features)
        for k in np.flatnonzero(np.array(table.anions) == anion):
            risk = pack.predict(table.features[k])
            found.root_error[k] = pack.error(table.features[k].to_dict())
            if risk.probability_above_25_percent is not None:
                found.probability[k] = risk.probability_above_25_percent
            if risk.interval is not None:
                low, high = risk.interval
                found.covered[k] = low <= table.relative_errors[k] <= high
            if risk.probability_imaginary is not None:
                found.imaginary[k] = risk.probability_imaginary
    return found


def left_out_scores(table: PhononTable) -> dict[str, Any]:
    """Scores of a model's pack on the anions that were left out, for its provenance."""
    out = leave_anions_out(table)
    large = table.relative_errors > ERROR_THRESHOLD
    alarms = out.probability > 0.5
    scores: dict[str, Any] = {
        "left_out": CAVEAT,
        "auroc_above_25_percent": auroc(large, out.root_error),
        "spearman": spearman(out.root_error, table.relative_errors),
        "auroc_imaginary": auroc(table.imaginary, out.imaginary),
        "hits": f"{(alarms & large).sum()} of {large.sum()}",
        "false_alarms": f"{(alarms & ~large).sum()} of {(~large).sum()}",
        "imaginary": int(table.imaginary.sum()),
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

    positive = int(labels.sum())
    negative = len(labels) - positive
    if not positive or not negative or np.isnan(scores).any():
        return float("nan")
    above = rankdata(scores)[labels].sum() - positive * (positive + 1) / 2
    return float(above / (positive * negative))


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation."""
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(one), rankdata(other))[0, 1])


def merge(tables: Sequence[PhononTable]) -> PhononTable:
    """The crystals of several models, one after the other."""
    first = tables[0]

    def together(name: str) -> tuple[Any, ...]:
        return tuple(each for table in tables for each in getattr(table, name))

    return replace(
        first,
        model="+".join(table.model for table in tables),
        title=", ".join(table.title for table in tables),
        formulas=together("formulas"),
        prototypes=together("prototypes"),
        anions=together("anions"),
        features=together("features"),
        relative_errors=np.concatenate([table.relative_errors for table in tables]),
        imaginary=np.concatenate([table.imaginary for table in tables]),
        supercell_atoms=together("supercell_atoms"),
        frequencies={
            name: np.concatenate([table.frequencies[name] for table in tables])
            for name in first.frequencies
        },
    )


def _take(table: PhononTable, kept: Sequence[bool]) -> PhononTable:
    rows = [k for k, keep in enumerate(kept) if keep]

    def some(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(values[k] for k in rows)

    return replace(
        table,
        formulas=some(table.formulas),
        prototypes=some(table.prototypes),
        anions=some(table.anions),
        features=some(table.features),
        relative_errors=table.relative_errors[rows],
        imaginary=table.imaginary[rows],
        supercell_atoms=some(table.supercell_atoms),
        frequencies={name: values[rows] for name, values in table.frequencies.items()},
    )


def _table(
    model: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> PhononTable:
    by_name = dict(zip(columns, zip(*rows, strict=True), strict=True))
    known = {name: by_name[name] for name in FEATURES if name in by_name}
    return PhononTable(
        model=model,
        title=title,
        formulas=by_name["formula"],
        prototypes=by_name["prototype"],
        anions=by_name["anion"],
        features=tuple(
            DisplacementFeatures(
                **{
                    **dict.fromkeys(FEATURES, float("nan")),
                    **{name: float(values[k]) for name, values in known.items()},
                }
            )
            for k in range(len(rows))
        ),
        relative_errors=np.array(by_name["relative_error"], dtype=float),
        imaginary=np.array(by_name["imaginary"], dtype=bool),
        supercell_atoms=by_name["supercell_atoms"],
        frequencies={
            name.removeprefix("frequency_"): np.array(values, dtype=float)
            for name, values in by_name.items()
            if name.startswith("frequency_")
        },
    )
