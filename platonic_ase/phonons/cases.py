"""What describes a case, a crystal with a model, to the law and to the process."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ase.data import atomic_masses

from platonic_ase.phonons.chemistry import ELEMENT_FEATURES, element_features
from platonic_ase.phonons.stiffness import STRUCTURE_FEATURES

CASE_GROUPS: tuple[tuple[tuple[str, ...], float, float], ...] = (
    (("stiffness_excess", "log_stiffness"), 0.35, 0.15),
    (STRUCTURE_FEATURES, 0.3, 0.07),
    (ELEMENT_FEATURES, 0.5, 0.0),
    (("force_odds", "neighbour_share", "log_softest"), 0.1, 0.0),
)
"""Quantities, with the weight of their distances and the slope, both shared out among a group."""
CASE_FEATURES = tuple(name for names, _, _ in CASE_GROUPS for name in names)
"""What describes a crystal with a model."""
_SOFTEST = 0.01


def case_quantities(values: Mapping[str, float], numbers: np.ndarray) -> dict[str, float]:
    """All that is known of a case, by name; NaN where a feature is missing.

    Parameters
    ----------
    values : mapping of str to float
        Features of the displaced supercells, by name.
    numbers : ndarray of int, shape (n_atoms,)
        Atomic numbers of the crystal.
    """
    softest = values["softest_curvature"]
    stiffness = 2 * values["log_frequency"] + float(np.log(atomic_masses[numbers]).mean())
    return {
        **values,
        **element_features(numbers),
        "log_stiffness": stiffness,
        "spectral_excess": stiffness - values["log_valence"] + 3 * values["log_bond"],
        "log_softest": float(np.log(max(softest, _SOFTEST))) if np.isfinite(softest) else np.nan,
    }


def case_vector(known: Mapping[str, float]) -> np.ndarray:
    """The quantities that describe a case to the process, shape (18,).

    Parameters
    ----------
    known : mapping of str to float
        Of :func:`case_quantities`.
    """
    return np.array([known[name] for name in CASE_FEATURES])
