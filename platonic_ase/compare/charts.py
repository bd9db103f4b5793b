"""Charts of a comparison for its page: how alike the spaces are, and where their atoms lie."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.compare.chart_parts import (
    estimates,
    heat_map,
    ordered_pairs,
    place,
    rows_of,
    told,
)
from platonic_ase.compare.comparison import Comparison
from platonic_ase.compare.groups import GROUPS
from platonic_ase.compare.similarity import OWN_SPACES, sample
from platonic_ase.compare.spaces import own_space, principal_plane
from platonic_ase.compare.views import Views
from platonic_ase.report.charts import Chart, Trace, panels, points

MEASURES = {
    "mutual_knn": "neighbours",
    "cka_linear_unbiased": "linear CKA",
    "cka_linear_biased": "same, biased",
    "cka_rbf_unbiased": "RBF CKA",
    "cka_rbf_biased": "same, biased ",
    "procrustes": "Procrustes",
}
"""Measures with a largest and a smallest value, which have colours, by label."""

DISTANCES = {"wasserstein": "2-Wasserstein", "gromov_wasserstein": "Gromov–Wasserstein"}
SPACES = {"raw": "raw", "platonic": "Platonic", "standardised": "Platonic, standardised"}
DRAWN = 1500
"""Atoms of a map, at most."""

COLOURS = ("@3", "@0", "@5", "@2", "@ink", "@1", "@4", "@muted")
SYMBOLS = ("circle", "circle", "circle", "square", "triangle-down", "triangle-up", "diamond", "x")


def likeness(comparison: Comparison) -> Chart | None:
    """Heat map of each measure over the pairs, one panel a space.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    Chart or None
        None where no two models were compared.
    """
    pairs = ordered_pairs(comparison.similarity)
    if not pairs:
        return None
    found = {(e.a, e.b, e.space, e.measure): e.estimate for e in comparison.similarity}
    shown: list[tuple[Sequence[Trace], str, str]] = []
    for space in OWN_SPACES:
        cells = [[found[(*pair, space, measure)] for measure in MEASURES] for pair in pairs]
        heat = heat_map(
            [[_alike(m, e.value) for m, e in zip(MEASURES, row, strict=True)] for row in cells],
            [[f"{e.value:.2f}" for e in row] for row in cells],
            [
                [
                    [" – ".join(pair), f"{m} in {SPACES[space]} coordinates", *told(e)]
                    for m, e in zip(MEASURES, row, strict=True)
                ]
                for pair, row in zip(pairs, cells, strict=True)
            ],
        )
        shown.append(([heat], SPACES[space], ""))
    return rows_of(
        shown,
        [" – ".join(pair) for pair in pairs],
        bottom=75,
        x={
            "tickvals": list(range(len(MEASURES))),
            "ticktext": list(MEASURES.values()),
            "tickangle": -45,
            "tickfont": {"size": 10},
        },
    )


def distances(comparison: Comparison) -> Chart | None:
    """Distances between clouds of atoms, each with its baseline; one panel a distance and space.

    Parameters
    ----------
    comparison : Comparison
    """
    pairs = ordered_pairs(comparison.similarity)
    found = [e for e in comparison.similarity if e.measure in DISTANCES]
    shown: list[tuple[Sequence[Trace], str, str]] = []
    for measure, space in dict.fromkeys((e.measure, e.space) for e in found):
        own = [e for e in found if (e.measure, e.space) == (measure, space)]
        drawn = estimates(
            [e.estimate for e in own],
            [float(pairs.index((e.a, e.b))) for e in own],
            [f"{e.a} – {e.b}" for e in own],
            "measured",
            "@0",
            "circle",
            first=not shown,
        )
        shown.append(
            (drawn, f"{DISTANCES[measure]}, {SPACES[space].removeprefix('Platonic, ')}", "")
        )
    if not shown:
        return None
    return rows_of(shown, [" – ".join(pair) for pair in pairs], x={"rangemode": "tozero"})


def maps(
    views: Views,
    space: str,
    formulas: Mapping[int, str],
    groups: Mapping[int, int],
    names: Sequence[str],
) -> Chart:
    """Atoms of each model side by side, on two principal components.

    Parameters
    ----------
    views : Views
    space : str
        Of :data:`SPACES`; the components are those of all models' atoms together, but for
        ``"raw"``, where each model has its own.
    formulas : mapping of int to str
        Of structures, by number, for what is said of a point.
    groups : mapping of int to int
        For structures, the group of the page that a click on one of their atoms shows.
    names : sequence of str
        Models that are drawn.
    """
    rows = sample(views, DRAWN, 0)
    all_points = {name: own_space(views, space, name)[views.distinct] for name in views.names}
    shared = None if space == "raw" else principal_plane(np.concatenate([*all_points.values()]))
    flat = {}
    for name in views.names:
        mean, plane = principal_plane(all_points[name]) if shared is None else shared
        flat[name] = (own_space(views, space, name)[rows] - mean) @ plane
    structures, z = views.structures[rows], views.numbers[rows]
    shown: list[tuple[Sequence[Trace], str, str]] = []
    for name in names:
        drawn = []
        for (group, members), colour, symbol in zip(GROUPS, COLOURS, SYMBOLS, strict=True):
            chosen = np.flatnonzero(np.isin(z, list(members)))
            if not len(chosen):
                continue
            drawn.append(
                points(
                    flat[name][chosen, 0],
                    flat[name][chosen, 1],
                    colour,
                    symbol=symbol,
                    size=6,
                    opacity=0.75,
                    name=group,
                    legendgroup=group,
                    showlegend=not shown,
                    hoverinfo="text",
                    hovertext=[
                        f"{chemical_symbols[z[k]]} in "
                        f"{formulas.get(int(structures[k]), 'structure')} ({structures[k]})"
                        for k in chosen
                    ],
                    customdata=[groups.get(int(structures[k])) for k in chosen],
                )
            )
        shown.append((drawn, name, ""))
    bare = {"showticklabels": False}
    ends: dict[str, dict[str, Any]] = {"x": {}, "y": {}}
    if shared is not None:
        every = np.concatenate([*flat.values()])
        low, high = every.min(axis=0), every.max(axis=0)
        margin = 0.05 * (high - low) + 1e-9
        for which, a, b in zip("xy", low - margin, high + margin, strict=True):
            ends[which] = {"range": [float(a), float(b)]}
    axes = {
        f"{which}axis{place(k)}": {**bare, **ends[which]}
        for k in range(len(shown))
        for which in "xy"
    }
    made = panels(shown, 420 if len(shown) < 3 else 340, axes=axes, showlegend=True)
    made["narrow"]["height"] = 120 + 280 * len(shown)
    return made


def _alike(measure: str, value: float) -> float | None:
    if not math.isfinite(value):
        return None
    return min(max(1 - value / (math.pi / 2) if measure == "procrustes" else value, 0.0), 1.0)
