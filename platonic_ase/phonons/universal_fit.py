"""Fitting of the universal phonon risk, and what it says of cases that it has not seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from platonic_ase.phonons.chemistry import why_no_octet
from platonic_ase.phonons.linear import LinearPart, fit_logistic
from platonic_ase.phonons.process import ErrorProcess, case_vector, fit_process
from platonic_ase.phonons.spectrum import IMAGINARY
from platonic_ase.phonons.stiffness import STRUCTURE_FEATURES, StiffnessLaw, fit_stiffness
from platonic_ase.phonons.table import PhononRow, PhononTable
from platonic_ase.phonons.universal import UniversalRisk

MODE_FEATURES = ("force_odds",)
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
    def log_ratio(self) -> float:
        """Ln of the model's frequencies over the true ones; NaN where no factor mends them."""
        return -self.row.log_factor

    @property
    def mismatch(self) -> float:
        """What of the relative error no factor mends; NaN where none mends anything."""
        squares = self.row.relative_error**2 - (1 - math.exp(self.log_ratio)) ** 2
        return math.sqrt(max(squares, 0.0)) if math.isfinite(squares) else math.nan

    @property
    def vector(self) -> np.ndarray:
        """What describes it for the process, shape (18,)."""
        return case_vector(self.row.features.to_dict(), self.row.numbers)

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


def law_spread(
    cases: Sequence[Case], laws: np.ndarray, use: Callable[[Case], bool] = lambda _: True
) -> float:
    """By how much left-out octet binaries scatter more than their laws say."""
    z = [
        (case.log_ratio - own) / deviation
        for case, (own, deviation) in zip(cases, laws, strict=True)
        if case.at_reference and case.octet and use(case) and math.isfinite(case.log_ratio)
    ]
    return float(np.sqrt(np.mean(np.square(z)))) if len(z) >= 5 else 1.0


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
        np.array([case.vector for case in used]),
        np.array([case.values for case in used]),
    )


def left_out_process(
    cases: Sequence[Case], *, architecture: bool = False, given: Collection[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """What processes that never saw a case's like say of it.

    Parameters
    ----------
    cases : sequence of Case
    architecture : bool
        Whether other models of a case's architecture are left out as well.
    given : collection of str
        Keys of crystals whose cases with the model itself stay all the same.

    Returns
    -------
    ndarray, ndarray
        Both values and their standard deviations before they are scaled, shape (n, 2) both.
    """
    teachers = [case for case in cases if case.teaches]
    everything = process_of(teachers)
    groups: dict[tuple[str, str, str], list[int]] = {}
    for k, case in enumerate(cases):
        kind = "" if case.row.prototype in BINARY_PROTOTYPES else case.row.prototype
        model = case.model if architecture else ""
        groups.setdefault((model, case.row.anion, kind), []).append(k)
    means, deviations = np.empty((len(cases), 2)), np.empty((len(cases), 2))
    for members in groups.values():
        one = cases[members[0]]
        kept = unseen(one, architecture=architecture)
        process = everything.without(
            np.array(
                [
                    not (kept(each) or (each.model == one.model and each.row.key in given))
                    for each in teachers
                ]
            )
        )
        for model in {cases[k].model for k in members}:
            those = [k for k in members if cases[k].model == model]
            vectors = np.array([cases[k].vector for k in those])
            octet = [cases[k].octet for k in those]
            means[those], deviations[those] = process(vectors, model, octet)
    return means, deviations


def process_spreads(
    cases: Sequence[Case],
    means: np.ndarray,
    deviations: np.ndarray,
    use: Callable[[Case], bool] = lambda _: True,
) -> tuple[tuple[float, float], tuple[float, float]]:
    """By how much left-out cases scatter more than stated; see :class:`ErrorProcess`."""
    z = (np.array([case.values for case in cases]) - means) / deviations
    asked = np.array([case.at_reference and use(case) for case in cases])
    octet = np.array([case.octet for case in cases])
    asked &= np.isfinite(z).all(axis=1)
    root, log = (
        [float(np.sqrt(np.mean(z[asked & kind, j] ** 2))) for kind in (octet, ~octet)]
        for j in range(2)
    )
    return (root[0], root[1]), (log[0], log[1])


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
    everything: Sequence[Case],
    name: str,
    *,
    spread: float,
    spreads: tuple[tuple[float, float], tuple[float, float]],
    fingerprints: Mapping[str, str] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> UniversalRisk:
    """Fit the universal risk.

    Parameters
    ----------
    cases : sequence of Case
        That the law and imaginary modes are learnt from.
    everything : sequence of Case
        Those of the process.
    name : str
        Of the pack.
    spread, spreads : float, tuple of tuples
        See :func:`law_spread` and :func:`process_spreads`.
    fingerprints : mapping of str to str, optional
        Of models.
    provenance : mapping, optional
        JSON-safe.
    """
    used = [case for case in cases if case.at_reference]
    mismatches = np.array([case.mismatch for case in used])
    modes, base = fit_modes(used)
    return UniversalRisk(
        name=name,
        law=fit_law(used),
        spread=spread,
        mismatches=np.quantile(mismatches[np.isfinite(mismatches)], _MISMATCHES),
        process=replace(process_of(everything, fingerprints), spreads=spreads),
        imaginary=modes,
        base_imaginary=base,
        provenance=dict(provenance or {}),
    )


def is_stable(truth_lowest: float) -> bool:
    """Whether the truth has no imaginary mode: only then can one of the model be spurious."""
    return truth_lowest >= IMAGINARY
