"""Fitting of the universal phonon risk, and what it says of cases that it has not seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from platonic_ase.phonons.chemistry import why_no_octet
from platonic_ase.phonons.linear import LinearPart, fit_logistic
from platonic_ase.phonons.spectrum import IMAGINARY
from platonic_ase.phonons.stiffness import STRUCTURE_FEATURES, StiffnessLaw, fit_stiffness
from platonic_ase.phonons.table import PhononRow, PhononTable
from platonic_ase.phonons.universal import Level, UniversalRisk

MODE_FEATURES = ("force_odds",)
BINARY_PROTOTYPES = ("rocksalt", "zincblende", "wurtzite")
"""Left out by anion alone: each is most of the crystals with DFT labels."""
_REFERENCE = 0.03
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
    def log_ratio(self) -> float:
        """Ln of the model's frequencies over the true ones; NaN where no factor mends them."""
        return -self.row.log_factor

    @property
    def mismatch(self) -> float:
        """What of the relative error no factor mends; NaN where none mends anything."""
        squares = self.row.relative_error**2 - (1 - math.exp(self.log_ratio)) ** 2
        return math.sqrt(max(squares, 0.0)) if math.isfinite(squares) else math.nan

    @property
    def at_reference(self) -> bool:
        """Whether displaced by the length that the law is learnt at, 0.03 Å."""
        return abs(self.row.displacement - _REFERENCE) < 1e-6

    @property
    def octet(self) -> bool:
        """Whether an octet binary."""
        return not why_no_octet(self.row.numbers)


def cases_of(tables: Mapping[str, PhononTable]) -> list[Case]:
    """All rows of the tables, by model."""
    return [Case(model, row) for model, table in tables.items() for row in table.rows]


Sizes = tuple[float, float, float, float]


def fit_law(cases: Iterable[Case], sizes: Sizes | None = None) -> StiffnessLaw:
    """The law of true stiffness; each crystal counts once, each architecture alike in it."""
    crystals: dict[str, dict[str, list[Case]]] = {}
    for case in cases:
        if case.at_reference and math.isfinite(case.log_ratio):
            crystals.setdefault(case.row.key, {}).setdefault(case.architecture, []).append(case)
    x, y = [], []
    for architectures in crystals.values():
        means = [
            np.mean(
                [
                    [
                        each.row.features.stiffness_excess - 2 * each.log_ratio,
                        *(getattr(each.row.features, name) for name in STRUCTURE_FEATURES),
                    ]
                    for each in group
                ],
                axis=0,
            )
            for group in architectures.values()
        ]
        true, *structure = np.mean(means, axis=0)
        y.append(true)
        x.append(structure)
    return fit_stiffness(np.array(x), np.array(y), sizes=sizes)


def unseen(case: Case, *, architecture: bool = True) -> Callable[[Case], bool]:
    """Which cases share no anion, no prototype and no architecture with one.

    Parameters
    ----------
    case : Case
    architecture : bool
        False where those of its own architecture may stay.
    """
    row = case.row

    def kept(other: Case) -> bool:
        return (
            other.row.anion != row.anion
            and (row.prototype in BINARY_PROTOTYPES or other.row.prototype != row.prototype)
            and not (architecture and other.architecture == case.architecture)
        )

    return kept


def left_out_laws(
    cases: Sequence[Case],
    *,
    architecture: bool = True,
    known: Sequence[Case] | None = None,
    sizes_once: bool = False,
) -> np.ndarray:
    """What laws that never saw a case's like say of it.

    Parameters
    ----------
    cases : sequence of Case
    architecture : bool
        False where those of a case's own architecture may stay.
    known : sequence of Case, optional
        What laws are learnt from; the cases themselves by default.
    sizes_once : bool
        Learn the four sizes of a law once for each architecture left out, and only what the law
        says anew for each anion and prototype: many times faster with a thousand cases, but the
        sizes have then seen what is left out.

    Returns
    -------
    ndarray, shape (n, 2)
        ln of the model's frequencies over the true ones, and its standard deviation before it is
        scaled.
    """
    known = cases if known is None else known
    sizes: dict[str, Sizes] = {}
    laws: dict[tuple[str, str, str], StiffnessLaw] = {}
    found = np.empty((len(cases), 2))
    for k, case in enumerate(cases):
        row = case.row
        kind = "" if row.prototype in BINARY_PROTOTYPES else row.prototype
        key = (case.architecture if architecture else "", row.anion, kind)
        if sizes_once and key[0] not in sizes:
            whole = fit_law(each for each in known if each.architecture != key[0])
            sizes[key[0]] = (whole.amplitude, whole.length, whole.noise, whole.slope)
        if key not in laws:
            unlike = filter(unseen(case, architecture=architecture), known)
            laws[key] = fit_law(unlike, sizes.get(key[0]))
        true, deviation = laws[key](row.features.to_dict())
        found[k] = (row.features.stiffness_excess - true) / 2, deviation / 2
    return found


def spreads(
    cases: Sequence[Case], laws: np.ndarray, use: Callable[[Case], bool] = lambda _: True
) -> tuple[float, float]:
    """By how much left-out cases scatter more than their laws say: octet binaries, and others."""
    found = []
    for octet in (True, False):
        z = [
            (case.log_ratio - own) / deviation
            for case, (own, deviation) in zip(cases, laws, strict=True)
            if case.at_reference
            and case.octet == octet
            and use(case)
            and math.isfinite(case.log_ratio)
        ]
        found.append(float(np.sqrt(np.mean(np.square(z)))) if len(z) >= 5 else math.nan)
    octets, others = found
    octets = octets if math.isfinite(octets) else 1.0
    return octets, max(others, octets) if math.isfinite(others) else 2 * octets


def fit_modes(cases: Iterable[Case]) -> tuple[LinearPart | None, float]:
    """Log-odds of a spurious imaginary mode, and the share of cases that have one."""
    used = [case for case in cases if case.at_reference]
    labels = np.array([case.row.imaginary for case in used], dtype=bool)
    if not 0 < labels.sum() < len(labels):
        return None, float(labels.mean()) if len(labels) else 0.0
    x = np.array([[getattr(c.row.features, name) for name in MODE_FEATURES] for c in used])
    return fit_logistic(MODE_FEATURES, x, labels), float(labels.mean())


def fit_universal(
    cases: Sequence[Case],
    name: str,
    *,
    spread: tuple[float, float],
    fingerprints: Mapping[str, str] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> UniversalRisk:
    """Fit the universal risk.

    Parameters
    ----------
    cases : sequence of Case
    name : str
        Of the pack.
    spread : tuple of float
        See :func:`spreads`.
    fingerprints : mapping of str to str, optional
        Of the models whose level is kept.
    provenance : mapping, optional
        JSON-safe.
    """
    used = [case for case in cases if case.at_reference]
    mismatches = np.array([case.mismatch for case in used])
    modes, base = fit_modes(used)
    return UniversalRisk(
        name=name,
        law=fit_law(used),
        spread_octet=spread[0],
        spread_other=spread[1],
        mismatches=np.quantile(mismatches[np.isfinite(mismatches)], _MISMATCHES),
        imaginary=modes,
        base_imaginary=base,
        levels={
            fingerprint: level
            for model, fingerprint in (fingerprints or {}).items()
            if (level := level_of(used, model)) is not None
        },
        provenance=dict(provenance or {}),
    )


def level_of(cases: Iterable[Case], model: str) -> Level | None:
    """The level of a model on these crystals; None with fewer than five."""
    ratios = np.array([c.log_ratio for c in cases if c.model == model and c.at_reference])
    ratios = ratios[np.isfinite(ratios)]
    return Level.measured(ratios) if len(ratios) >= 5 else None


def is_stable(truth_lowest: float) -> bool:
    """Whether the truth has no imaginary mode: only then can one of the model be spurious."""
    return truth_lowest >= IMAGINARY
