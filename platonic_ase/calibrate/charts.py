"""Charts of how force-error bounds do on structures that they were not made from."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.report.charts import Chart, axis, chart, error_bars, line, numbers, points

_LEAST = 1e-3  # eV/Å; smaller errors are drawn on it
_TENTHS = 10
_FEWEST = 20  # compounds of an element below which its coverage says nothing
_CELLS = 60


def bound_and_error(errors: np.ndarray, bounds: np.ndarray) -> Chart:
    """Counts of atoms by bound and error, both on logarithmic axes.

    Parameters
    ----------
    errors, bounds : ndarray, shape (n,)
        eV/Å.
    """
    x, y = (np.log10(np.maximum(values, _LEAST)) for values in (bounds, errors))
    counts, x_edges, y_edges = np.histogram2d(x, y, bins=_CELLS)
    shown = np.where(counts > 0, np.log10(np.maximum(counts, 1)), np.nan).T
    powers = list(range(int(np.nanmax(shown)) + 1))
    ends = [float(min(x.min(), y.min())), float(max(x.max(), y.max()))]
    heat = {
        "type": "heatmap",
        "x": numbers((x_edges[:-1] + x_edges[1:]) / 2),
        "y": numbers((y_edges[:-1] + y_edges[1:]) / 2),
        "z": [numbers(row, 4) for row in shown],
        "text": [[f"{int(n):,d} atoms" for n in row] for row in counts.T],
        "hoverinfo": "text",
        "colorscale": [[0, "@line"], [0.5, "@blue"], [1, "@ink"]],
        "colorbar": {
            "title": {"text": "atoms"},
            "tickvals": powers,
            "ticktext": [f"{10**p:,d}" for p in powers],
            "thickness": 12,
        },
        "showlegend": False,
    }
    same = line(ends, ends, "@alarm", dash="dash", width=1.6, name="error = bound")
    return chart(
        [heat, same],
        460,
        xaxis=_decades("bound of an atom (eV/Å)", float(x.min()), float(x.max())),
        yaxis=_decades("error of its force (eV/Å)", float(y.min()), float(y.max())),
        showlegend=True,
    )


def coverage_by_size(
    bounds: np.ndarray, within: np.ndarray, units: np.ndarray, level: float
) -> Chart:
    """Share of errors within the bound, by tenths of the atoms ordered by bound.

    Parameters
    ----------
    bounds : ndarray, shape (n,)
        eV/Å.
    within : ndarray of bool, shape (n,)
    units : ndarray of int, shape (n,)
        For the bars: two standard errors, with whole compounds as units.
    level : float
        Aimed at.
    """
    parts = np.array_split(np.argsort(bounds, kind="stable"), _TENTHS)
    x = [float(np.log10(max(np.median(bounds[part]), _LEAST))) for part in parts if len(part)]
    found = [share(within[part], units[part]) for part in parts if len(part)]
    return _coverage(
        x, found, level, _decades("bound, median of a tenth of the atoms (eV/Å)", min(x), max(x))
    )


def coverage_by_element(
    numbers: np.ndarray, within: np.ndarray, units: np.ndarray, level: float
) -> Chart | None:
    """Share of errors within the bound, by element.

    Parameters
    ----------
    numbers : ndarray of int, shape (n,)
    within, units, level
        See :func:`coverage_by_size`.

    Returns
    -------
    Chart or None
        None where no element is in twenty compounds.
    """
    rows = []
    for z in np.unique(numbers):
        own = numbers == z
        if len(np.unique(units[own])) >= _FEWEST:
            rows.append((chemical_symbols[z], share(within[own], units[own])))
    if not rows:
        return None
    rows.sort(key=lambda row: row[1][0])
    places = list(range(len(rows)))
    symbols = axis(
        tickvals=places,
        ticktext=[symbol for symbol, _ in rows],
        tickangle=0,
        tickfont={"size": 10 if len(rows) < 45 else 8},
        showgrid=False,
        range=[-0.7, len(rows) - 0.3],
    )
    return _coverage([float(p) for p in places], [found for _, found in rows], level, symbols)


def _coverage(
    x: list[float], found: list[tuple[float, float]], level: float, x_axis: dict[str, Any]
) -> Chart:
    shares = [kept for kept, _ in found]
    dots = points(
        x,
        shares,
        "@blue",
        error_y=error_bars(error for _, error in found),
        hovertemplate="%{y:.3f}<extra></extra>",
    )
    aimed = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": level, "y1": level}
    lowest = min(min(kept - error for kept, error in found), level)
    said = {"x": 0, "xref": "paper", "xanchor": "left", "y": level, "yanchor": "bottom"}
    return chart(
        [dots],
        300,
        xaxis=x_axis,
        yaxis=axis("share within the bound", range=[max(0.0, lowest - 0.05), 1.01]),
        shapes=[{**aimed, "line": {"color": "@ink", "width": 1.2, "dash": "dash"}}],
        annotations=[{**said, "text": f"aimed at: {level:g}", "showarrow": False}],
    )


def _decades(title: str, low: float, high: float) -> dict[str, Any]:
    """Axis of common logarithms, with the numbers themselves for labels."""
    inside = list(range(int(np.floor(low)), int(np.ceil(high)) + 1))
    margin = 0.04 * (high - low) + 0.02
    return axis(
        title,
        tickvals=inside,
        ticktext=[f"{10.0**p:g}" for p in inside],
        range=[low - margin, high + margin],
    )


def share(within: np.ndarray, units: np.ndarray) -> tuple[float, float]:
    """Share, each unit counting as one, and two standard errors of it."""
    _, inverse, counts = np.unique(units, return_inverse=True, return_counts=True)
    each = np.bincount(inverse, within) / counts
    return float(each.mean()), float(2 * each.std() / np.sqrt(len(each)))
