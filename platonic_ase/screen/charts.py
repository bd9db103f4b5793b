"""Charts of a screening for its page: how its numbers are distributed, and where structures lie."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from platonic_ase.report.charts import Chart, Trace, axis, chart, numbers, panels, points

_DRAWN = 5000  # points of the map, the riskiest among them
_BINS = 40


def distributions(values: Mapping[str, np.ndarray]) -> Chart:
    """Histogram of each number, on a logarithmic axis where it spans more than two decades.

    Parameters
    ----------
    values : mapping of str to ndarray, shape (n,)
        By label; at most three are drawn.
    """
    shown: list[tuple[Sequence[Trace], str, str]] = []
    axes: dict[str, Any] = {}
    for k, (label, each) in enumerate(list(values.items())[:3]):
        low, high = float(each.min()), float(each.max())
        logarithmic = low > 0 and high > 100 * low
        edges = np.geomspace(low, high, _BINS + 1) if logarithmic else None
        counts, edges = np.histogram(each, bins=_BINS if edges is None else edges)
        if logarithmic:
            edges = np.log10(edges)
            powers = list(range(math.floor(edges[0]), math.ceil(edges[-1]) + 1))
            axes[f"xaxis{k + 1 if k else ''}"] = {
                "tickvals": powers,
                "ticktext": [f"{10.0**p:g}" for p in powers],
            }
        ends = 10.0**edges if logarithmic else edges
        bars = {
            "type": "bar",
            "x": numbers((edges[:-1] + edges[1:]) / 2),
            "y": counts.tolist(),
            "width": numbers(np.diff(edges)),
            "marker": {"color": "@blue"},
            "hoverinfo": "text",
            "hovertext": [
                f"{a:.3g} to {b:.3g}: {n:,d}"
                for a, b, n in zip(ends[:-1], ends[1:], counts, strict=True)
            ],
        }
        shown.append(([bars], label, "structures" if k == 0 else ""))
    return panels(shown, 300, axes=axes, bargap=0.02)


def space_map(
    platonic: np.ndarray,
    scores: np.ndarray,
    names: Sequence[str],
    groups: Mapping[int, int],
    label: str,
) -> Chart:
    """Mean Platonic coordinates on their two leading principal components.

    Parameters
    ----------
    platonic : ndarray, shape (n, K)
    scores : ndarray, shape (n,)
        Colour.
    names : sequence of str
    groups : mapping of int to int
        For rows that are ringed, the group of structures that a click on them shows.
    label : str
        Of the colour.
    """
    centred = platonic - platonic.mean(axis=0, dtype=np.float64).astype(platonic.dtype)
    variances, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    places = centred @ axes[:, :-3:-1]
    share = variances[:-3:-1] / max(float(variances.sum()), 1e-300)
    order = np.argsort(scores)[-_DRAWN:]
    logarithmic = 0 < 100 * float(scores.min()) < float(scores.max())
    shade = np.log10(scores[order]) if logarithmic else scores[order]
    bar: dict[str, Any] = {"title": {"text": label, "side": "right"}, "thickness": 12}
    if logarithmic:
        powers = list(range(math.floor(shade.min()), math.ceil(shade.max()) + 1))
        bar |= {"tickvals": powers, "ticktext": [f"{10.0**p:g}" for p in powers]}
    hover = [f"{names[k]}: {scores[k]:.3g}" for k in order]
    cloud = points(
        places[order, 0],
        places[order, 1],
        numbers(shade),
        size=8,
        marker={"colorscale": "Cividis", "colorbar": bar},
        hoverinfo="text",
        hovertext=hover,
        customdata=[groups.get(int(k)) for k in order],
    )
    ringed = list(groups)
    rings = points(
        places[ringed, 0],
        places[ringed, 1],
        "@alarm",
        symbol="circle-open",
        size=13,
        marker={"line": {"width": 1.6}},
        name="in the table: click to see",
        hoverinfo="text",
        hovertext=[f"{names[k]}: {scores[k]:.3g}" for k in ringed],
        customdata=[groups[k] for k in ringed],
    )
    return chart(
        [cloud, rings],
        480,
        xaxis=axis(f"principal component 1 ({100 * share[0]:.0f} %)"),
        yaxis=axis(f"principal component 2 ({100 * share[1]:.0f} %)"),
        showlegend=True,
    )
