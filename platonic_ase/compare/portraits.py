"""What one model is like: its dimension, and where it departs from the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from platonic_ase.compare.catalogue import Catalogue
from platonic_ase.compare.controls import is_control
from platonic_ase.compare.measures.anchor_bias import anchor_bias
from platonic_ase.compare.measures.bias import Bias, group_bias, row_departure
from platonic_ase.compare.measures.dimension import distinct, two_nn
from platonic_ase.compare.measures.significance import Estimate, summary
from platonic_ase.compare.similarity import draws_of
from platonic_ase.compare.views import EQUIVALENT, Views

MIN_STRUCTURES = 5
"""Structures that a label needs before its bias is tested: fewer cannot reach p = 0.05."""


@dataclass(frozen=True)
class Dimension:
    """Intrinsic dimension of a model's atoms in one space, see ``two_nn``.

    Attributes
    ----------
    model, space : str
    estimate : Estimate
        Of the dimension: interval from halves of the structures. The baseline has each column
        permuted by itself, which keeps every coordinate and destroys the geometry; a small p says
        that the dimension is lower than that.
    collapsed_fraction : float
        Of all atoms.
    n_distinct : int
    """

    model: str
    space: str
    estimate: Estimate
    collapsed_fraction: float
    n_distinct: int


@dataclass(frozen=True)
class Departure:
    """Departure of one model from the consensus of the others on one label.

    See ``group_bias`` for the labels of atoms and ``anchor_bias`` for anchors.

    Attributes
    ----------
    by : str
        ``"element"``, ``"family"``, ``"space group"`` or ``"anchor"``.
    label : str
        Such as ``"83"`` (an atomic number), ``"oxide"``, ``"Fm-3m (225)"`` or
        ``"12: Na in NaCl"``, an anchor.
    """

    model: str
    by: str
    label: str
    n_atoms: int
    n_structures: int
    departure: float
    excess: float
    p_value: float
    q_value: float


def dimensions(
    views: Views,
    *,
    n_resamples: int = 10,
    seed: int = 0,
    tick: Callable[[], object] = lambda: None,
) -> list[Dimension]:
    """Intrinsic dimension and collapsed fraction of each model, raw and in Platonic space.

    Parameters
    ----------
    views : Views
    n_resamples : int
        Halves of the structures, and permutations; 0 for none.
    seed : int
    tick : callable
        Called after each model.
    """
    found = []
    rng = np.random.default_rng(seed)
    for name in views.names:
        for space, points in (("raw", views.raw[name]), ("platonic", views.platonic[name])):
            value = two_nn(points, tolerance=EQUIVALENT)
            kept = np.unique(distinct(points, tolerance=EQUIVALENT))
            drawn = draws_of(views, kept, n_resamples, 0, seed)
            estimate = summary(
                value.dimension,
                [two_nn(points[kept[half]]).dimension for half in drawn.samples if len(half) > 2],
                [two_nn(rng.permuted(points[kept], axis=0)).dimension for _ in range(n_resamples)],
                alternative="less",
            )
            found.append(
                Dimension(name, space, estimate, value.collapsed_fraction, value.n_distinct)
            )
        tick()
    return found


def departures(
    views: Views,
    catalogue: Catalogue,
    *,
    n_permutations: int = 2000,
    seed: int = 0,
    tick: Callable[[], object] = lambda: None,
) -> list[Departure]:
    """Test where each model departs from the consensus; empty for fewer than three.

    A model with random weights is no part of the consensus of others.

    Parameters
    ----------
    views : Views
    catalogue : Catalogue
    n_permutations : int
        Changes of sign of the test.
    seed : int
    tick : callable
        Called after each model.
    """
    found: list[Departure] = []
    rows = views.distinct
    structures = views.structures[rows]
    labels = {
        "element": views.numbers[rows].astype(str),
        "family": catalogue.families[structures],
        "space group": catalogue.space_groups[structures],
    }
    for name in views.names:
        others = _consensus(views, name)
        tick()
        if len(others) < 3:
            continue
        each = row_departure({key: views.platonic[key][rows] for key in others})
        for by, kinds in labels.items():
            enough = _frequent(kinds, structures)
            if not enough.any():
                continue
            bias = group_bias(
                {key: value[enough] for key, value in each.items()},
                name,
                kinds[enough],
                structures=structures[enough],
                n_permutations=n_permutations,
                seed=seed,
            )
            found += _rows(name, by, bias)
        if len(np.unique(structures)) >= MIN_STRUCTURES:
            arrays = {key: views.platonic[key][rows] for key in others}
            bias = anchor_bias(arrays, name, structures=structures, seed=seed)
            named = replace(bias, labels=np.array(views.anchor_names)[bias.labels.astype(int)])
            found += _rows(name, "anchor", named)
    return found


def _rows(name: str, by: str, bias: Bias) -> list[Departure]:
    return [
        Departure(
            name,
            by,
            str(bias.labels[i]),
            int(bias.n_atoms[i]),
            int(bias.n_structures[i]),
            float(bias.departure[i]),
            float(bias.excess[i]),
            float(bias.p_value[i]),
            float(bias.q_value[i]),
        )
        for i in range(len(bias.labels))
    ]


def _consensus(views: Views, name: str) -> list[str]:
    return [key for key in views.names if key == name or not is_control(key)]


def _frequent(kinds: np.ndarray, structures: np.ndarray) -> np.ndarray:
    """Rows whose label occurs in at least :data:`MIN_STRUCTURES` structures."""
    _, codes = np.unique(kinds, return_inverse=True)
    pairs = np.unique(np.stack([codes, structures]), axis=1)
    return np.asarray((np.bincount(pairs[0]) >= MIN_STRUCTURES)[codes])
