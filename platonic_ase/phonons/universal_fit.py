"""Fitting of the universal phonon risk to cases: crystals with models whose error is known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from platonic_ase.phonons.cases import case_quantities, case_vector
from platonic_ase.phonons.chemistry import is_octet
from platonic_ase.phonons.laws import StiffnessLaws
from platonic_ase.phonons.levels import LevelPrior
from platonic_ase.phonons.odds import (
    AFTER,
    BEFORE,
    ImaginaryModes,
    ModeOdds,
    fit_odds,
    of_forces,
    of_spectrum,
)
from platonic_ase.phonons.process import ErrorProcess
from platonic_ase.phonons.spectrum import IMAGINARY
from platonic_ase.phonons.stiffness import (
    OF_BINARIES,
    OF_OTHERS,
    Sizes,
    StiffnessLaw,
    fit_stiffness,
)
from platonic_ase.phonons.table import PhononRow, PhononTable
from platonic_ase.phonons.universal import UniversalRisk

BINARY_PROTOTYPES = ("rocksalt", "zincblende", "wurtzite")
"""Left out by anion alone: each is most of the crystals with DFT labels."""
_REFERENCE = 0.03
_LARGEST = 1.5
"""Relative errors beyond count as this: one crystal must not outweigh all others."""
_MISMATCHES = np.linspace(0.5, 32.5, 33) / 33


@dataclass(frozen=True)
class Case:
    """One crystal with one model, at one displacement."""

    model: str
    row: PhononRow

    @property
    def architecture(self) -> str:
        """Models of one architecture are left out together."""
        return self.model.split("-")[0]

    @property
    def group(self) -> tuple[str, str]:
        """What cases share that are left out together: anion, and prototype beyond the binaries."""
        row = self.row
        return row.anion, "" if row.prototype in BINARY_PROTOTYPES else row.prototype

    @property
    def log_ratio(self) -> float:
        """Ln of the model's frequencies over the true ones; NaN where no factor mends them."""
        return -self.row.log_factor

    @property
    def mismatch(self) -> float:
        """What of the relative error no factor mends; NaN where none mends anything."""
        squares = self.row.relative_error**2 - (1 - math.exp(self.log_ratio)) ** 2
        return math.sqrt(max(squares, 0.0)) if math.isfinite(squares) else math.nan

    @cached_property
    def quantities(self) -> dict[str, float]:
        """All that is known of it, by name."""
        return case_quantities(self.row.features.to_dict(), self.row.numbers)

    @cached_property
    def vector(self) -> np.ndarray:
        """What describes it for the process, shape (18,)."""
        return case_vector(self.quantities)

    @property
    def values(self) -> tuple[float, float]:
        """Square root of the relative error, and :attr:`log_ratio`; what the process learns."""
        return math.sqrt(min(self.row.relative_error, _LARGEST)), self.log_ratio

    @property
    def at_reference(self) -> bool:
        """Whether displaced by the length that the law is learnt at, 0.03 Å."""
        return abs(self.row.displacement - _REFERENCE) < 1e-6

    @property
    def teaches(self) -> bool:
        """Whether the process learns from it: displaced as usual, and some factor mends it."""
        return self.at_reference and math.isfinite(self.log_ratio)

    @property
    def lowest(self) -> float:
        """Lowest frequency of the model's spectrum, THz, at whatever wave vector."""
        return min(self.row.lowest, self.row.quantiles[0])

    @property
    def unstable(self) -> bool:
        """Whether the model has imaginary modes, as a teacher's spectrum is asked."""
        return min(self.row.lowest, self.row.quantiles[1]) < IMAGINARY

    @property
    def octet(self) -> bool:
        """Whether an octet binary."""
        return is_octet(self.row.numbers)


def cases_of(tables: Mapping[str, PhononTable]) -> list[Case]:
    """All rows of the tables, by model."""
    return [Case(model, row) for model, table in tables.items() for row in table.rows]


def fit_law(cases: Iterable[Case], octet: bool, sizes: Sizes | None = None) -> StiffnessLaw:
    """A law of true stiffness; each crystal counts once, each architecture alike in it.

    Parameters
    ----------
    cases : iterable of Case
    octet : bool
        Whether it is the law of octet binaries or that of other crystals. Crystals of the other
        kind teach all the same.
    sizes : Sizes, optional
        By the largest likelihood, if not given.
    """
    quantity, names = OF_BINARIES if octet else OF_OTHERS
    crystals: dict[str, dict[str, list[list[float]]]] = {}
    for case in cases:
        if case.teaches:
            known = case.quantities
            row = [known[quantity] - 2 * case.log_ratio, *(known[name] for name in names)]
            of_crystal = crystals.setdefault(case.row.key, {})
            of_crystal.setdefault(case.architecture, []).append(row)
    rows = np.array(
        [
            np.mean([np.mean(group, axis=0) for group in architectures.values()], axis=0)
            for architectures in crystals.values()
        ]
    )
    return fit_stiffness(rows[:, 1:], rows[:, 0], quantity, names, sizes)


def fit_process(
    models: Sequence[str], crystals: Sequence[str], vectors: np.ndarray, values: np.ndarray
) -> ErrorProcess:
    """The process of cases of known error, its sizes as they are.

    Parameters
    ----------
    models, crystals : sequence of str, length n
        Fingerprint or name of the model of each case, and name of its crystal.
    vectors : ndarray, shape (n, 18)
    values : ndarray, shape (n, 2)

    Raises
    ------
    ValueError
        With fewer than five cases.
    """
    if len(vectors) < 5:
        raise ValueError(f"{len(vectors)} cases; at least 5 are needed for a process")
    names, owners = np.unique(np.array(models), return_inverse=True)
    found, places = np.unique(np.array(crystals), return_inverse=True)
    return ErrorProcess(
        models=tuple(names.tolist()),
        crystals=tuple(found.tolist()),
        mean=vectors.mean(axis=0),
        scale=vectors.std(axis=0) + 1e-9,
        points=vectors,
        owners=owners,
        places=places,
        values=values,
    )


def process_of(
    cases: Iterable[Case], fingerprints: Mapping[str, str] | None = None
) -> ErrorProcess:
    """The process of all cases at the displacement of the calibration that some factor mends.

    Parameters
    ----------
    cases : iterable of Case
    fingerprints : mapping of str to str, optional
        Of models; others go by their name.
    """
    used = [case for case in cases if case.teaches]
    known = fingerprints or {}
    return fit_process(
        [known.get(case.model, case.model) for case in used],
        [case.row.key for case in used],
        np.array([case.vector for case in used]),
        np.array([case.values for case in used]),
    )


def mismatches_of(cases: Iterable[Case]) -> np.ndarray:
    """What no factor mends, shape (33,): equidistant quantiles over the cases."""
    found = np.array([case.mismatch for case in cases if case.at_reference])
    return np.asarray(np.quantile(found[np.isfinite(found)], _MISMATCHES))


def fit_levels(cases: Sequence[Case], levels: Mapping[str, float]) -> LevelPrior:
    """What the force level of a model says of its phonons; each architecture counts alike.

    Parameters
    ----------
    cases : sequence of Case
    levels : mapping of str to float
        Force level of each model; cases of models without one are passed over.

    Raises
    ------
    ValueError
        Without a case.
    """
    used = [case for case in cases if case.teaches and case.model in levels]
    if not used:
        raise ValueError("no case is of a model of known force level")
    ratios = np.array([case.log_ratio / levels[case.model] ** 2 for case in used])
    architectures, owners = np.unique([case.architecture for case in used], return_inverse=True)
    weights = 1 / np.bincount(owners, minlength=len(architectures))[owners]
    offset = float(np.average(ratios, weights=weights))
    spread = math.sqrt(np.average((ratios - offset) ** 2, weights=weights))
    kappas = np.array([case.mismatch / levels[case.model] for case in used])
    quantiles = np.quantile(kappas[np.isfinite(kappas)], _MISMATCHES)
    return LevelPrior(offset, spread, np.asarray(quantiles))


def fit_before(cases: Iterable[Case], softenings: Iterable[float]) -> ModeOdds:
    """Odds that a stable crystal gets imaginary modes, before diagonalisation.

    Parameters
    ----------
    cases : iterable of Case
        Of octet binaries, or of other crystals; those at other displacements are passed over.
    softenings : iterable of float
        What a law of stiffness says of each that never saw it; see
        :func:`~platonic_ase.phonons.left_out.left_out_laws`.

    Raises
    ------
    ValueError
        If all cases have imaginary modes, or none.
    """
    used = [both for both in zip(cases, softenings, strict=True) if both[0].at_reference]
    x = [
        [of_forces(case.row.features.force_odds, own)[name] for name in BEFORE]
        for case, own in used
    ]
    return fit_odds(BEFORE, np.array(x), np.array([case.row.imaginary for case, _ in used]))


def fit_spurious(cases: Sequence[Case], softenings: Iterable[float]) -> ModeOdds:
    """Odds that imaginary modes are the model's own, after diagonalisation.

    Parameters
    ----------
    cases : sequence of Case
        All with imaginary modes (:attr:`Case.unstable`).
    softenings : iterable of float
        See :func:`fit_before`.

    Raises
    ------
    ValueError
        If all are the model's own, or none.
    """
    x = [
        [of_spectrum(case.lowest, own)[name] for name in AFTER]
        for case, own in zip(cases, softenings, strict=True)
    ]
    return fit_odds(AFTER, np.array(x), np.array([case.row.imaginary for case in cases]))


def fit_universal(
    cases: Sequence[Case],
    everything: Sequence[Case],
    name: str,
    *,
    law_spreads: tuple[float, float],
    pool_spreads: tuple[float, float],
    spreads: tuple[tuple[float, float], tuple[float, float]],
    imaginary: ImaginaryModes | None = None,
    levels: LevelPrior | None = None,
    fingerprints: Mapping[str, str] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> UniversalRisk:
    """Fit the universal risk.

    Parameters
    ----------
    cases : sequence of Case
        That the law of octet binaries is learnt from.
    everything : sequence of Case
        Those of the other law, of the process, and of what no factor mends.
    name : str
        Of the pack.
    law_spreads, pool_spreads, spreads : tuple of float, tuple of tuples
        See :mod:`~platonic_ase.phonons.left_out`.
    imaginary : ImaginaryModes, optional
        Of :func:`fit_before` and :func:`fit_spurious`.
    levels : LevelPrior, optional
        Of :func:`fit_levels`.
    fingerprints : mapping of str to str, optional
        Of models.
    provenance : mapping, optional
        JSON-safe.
    """
    return UniversalRisk(
        name=name,
        laws=StiffnessLaws(
            fit_law(cases, octet=True), fit_law(everything, octet=False), law_spreads
        ),
        pool_spreads=pool_spreads,
        mismatches=mismatches_of(everything),
        process=replace(process_of(everything, fingerprints), spreads=spreads),
        imaginary=imaginary,
        levels=levels,
        provenance=dict(provenance or {}),
    )


def is_stable(truth_lowest: float) -> bool:
    """Whether the truth has no imaginary mode: only then can one of the model be spurious."""
    return truth_lowest >= IMAGINARY
