"""How good bounds of force errors are on structures that they were not made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase.data import atomic_numbers

from platonic_ase.calibrate.force_fit import fit_errors, growth_beyond, left_out_bounds
from platonic_ase.calibrate.force_table import ForceErrors, deal
from platonic_ase.calibrate.force_width import POOLED, Growth
from platonic_ase.monitor.force_bound import LEVEL, fewest_compounds
from platonic_ase.phonons.scores import auroc

ANIONS = ("F", "O", "N", "Cl", "Br", "I", "S", "Se", "Te", "C", "P", "As", "Sb", "H")
"""Roughly by falling electronegativity; the first that a structure holds names its chemistry."""

WORST = 0.1
_FEWEST = 5  # structures of one chemistry: a part of fewer is not left out by itself


def score_bounds(
    table: ForceErrors, bounds: np.ndarray, *, resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Coverage, tightness and ranking of bounds.

    Parameters
    ----------
    table : ForceErrors
    bounds : ndarray, shape (n,)
        eV/Å; atoms whose bound is NaN are left out.
    resamples : int
        Of the 95 % interval of the coverage: whole compounds are drawn again.
    seed : int
        Of the draws.

    Returns
    -------
    dict
        ``coverage``: share of atoms whose error is within the bound, each compound counting as
        one, which is what the level means; ``coverage_interval``; ``coverage_of_atoms``, each atom
        counting as one; ``median_ratio``: median bound over median error; ``auroc_worst_tenth``:
        chance that an atom of the tenth with the largest errors has a larger bound than another.
    """
    kept = ~np.isnan(bounds)
    table, bounds = table.take(kept), bounds[kept]
    within = table.errors <= bounds
    compounds = table.compounds
    each = np.bincount(compounds, within) / np.bincount(compounds)
    rng = np.random.default_rng(seed)
    draws = [each[rng.integers(len(each), size=len(each))].mean() for _ in range(resamples)]
    median_bound, median_error = float(np.median(bounds)), float(np.median(table.errors))
    worst = table.errors >= np.quantile(table.errors, 1 - WORST)
    return {
        "structures": len(np.unique(table.structures)),
        "compounds": len(each),
        "atoms": len(table),
        "coverage": float(each.mean()),
        "coverage_interval": [float(x) for x in np.quantile(draws, [0.025, 0.975])],
        "coverage_of_atoms": float(within.mean()),
        "median_bound_eV_per_A": median_bound,
        "median_error_eV_per_A": median_error,
        "median_ratio": median_bound / median_error,
        "auroc_worst_tenth": auroc(worst, bounds),
    }


def chemistries(table: ForceErrors) -> tuple[np.ndarray, list[np.ndarray], list[str]]:
    """Parts to be left out, one an anion.

    Returns
    -------
    parts : ndarray of int, shape (n,)
        The part of each atom: that of the first of :data:`ANIONS` in its structure.
    barred : list of ndarray of bool, shape (n,)
        For each part, the atoms of all structures that hold its anion at all.
    names : list of str
        Of the parts; the last is "none", structures without anion, if there are enough.
    """
    parts = np.full(len(table), -1)
    barred: list[np.ndarray] = []
    names: list[str] = []
    for symbol in (*ANIONS, "none"):
        if symbol == "none":
            holds = parts == -1
        else:
            with_anion = np.unique(table.structures[table.numbers == atomic_numbers[symbol]])
            holds = np.isin(table.structures, with_anion)
        own = holds & (parts == -1)
        if len(np.unique(table.structures[own])) < _FEWEST:
            parts[own] = -2
            continue
        parts[own] = len(names)
        barred.append(holds)
        names.append(symbol)
    return parts, barred, names


def bounds_left_out(
    table: ForceErrors,
    *,
    level: float = LEVEL,
    growth: Growth = POOLED,
    folds: int = 5,
    progress: bool = False,
) -> dict[str, np.ndarray]:
    """Bounds by packs that were fitted and conformalised without what they bound.

    Parameters
    ----------
    table : ForceErrors
    level : float
    growth : Growth
        Of the widths.
    folds : int
        Parts that compounds are dealt to at random.
    progress : bool
        Whether to show progress bars.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        ``"compounds"``: compounds left out at random; ``"anions"``: all structures with one anion
        left out, where there are several; eV/Å, NaN for atoms in no part.
    """
    parts, barred, _ = chemistries(table)
    compounds = len(np.unique(table.compounds))
    if compounds - -(-compounds // folds) < fewest_compounds(level):
        folds = compounds  # too few to leave several out
    fold = deal(table, folds, seed=1)
    found = {
        "compounds": left_out_bounds(table, fold, level=level, growth=growth, progress=progress)
    }
    if barred:
        by_anion = left_out_bounds(
            table, parts, barred, level=level, growth=growth, progress=progress
        )
        if not np.isnan(by_anion).all():
            found["anions"] = by_anion
    return found


def bounds_beyond(
    table: ForceErrors, beyond: Mapping[str, ForceErrors], *, level: float = LEVEL
) -> dict[str, np.ndarray]:
    """Bounds of each other kind by a pack that has seen neither the kind nor its compounds.

    Parameters
    ----------
    table : ForceErrors
        In kind.
    beyond : mapping of str to ForceErrors
        One for each other kind. The growth of the widths is learnt from the others of them; of
        a single kind the growth of other models is what is scored.
    level : float

    Returns
    -------
    dict of str to ndarray, shape (n,)
        eV/Å, of the atoms of each kind; NaN where too few compounds are left.
    """
    found = {}
    for name, asked in beyond.items():
        known = table.without(asked.present)
        others = [each.without(asked.present) for key, each in beyond.items() if key != name]
        bounds = np.full(len(asked), np.nan)
        if len(known.present) >= 2:
            growth = growth_beyond(known, [each for each in others if len(each)], level)
            fitted = fit_errors(known, level, growth=growth)
            if np.isfinite(fitted.quantile):
                bounds = fitted.quantile * fitted.sizes(asked)
        found[name] = bounds
    return found
