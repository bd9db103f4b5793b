"""Parts of a comparison's charts: heat maps, values with intervals and baselines, rows of pairs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from platonic_ase.compare.measures.significance import Estimate
from platonic_ase.compare.similarity import Similarity
from platonic_ase.report.charts import Chart, Trace, error_bars, numbers, panels, points


def ordered_pairs(similarity: Sequence[Similarity]) -> list[tuple[str, str]]:
    """Pairs of models, the most alike by neighbours in Platonic space first.

    Parameters
    ----------
    similarity : sequence of Similarity
    """
    known = [e for e in similarity if (e.space, e.measure) == ("platonic", "mutual_knn")]
    return [(e.a, e.b) for e in sorted(known, key=lambda e: -e.estimate.value)]


def told(estimate: Estimate) -> list[str]:
    """Value, interval, and baseline with p, each as a line of what is said of a point.

    Parameters
    ----------
    estimate : Estimate
    """
    lines = [f"value {estimate.value:.3f}", "no interval", "no baseline"]
    if math.isfinite(estimate.low) and math.isfinite(estimate.high):
        lines[1] = f"95 % interval {estimate.low:.3f} to {estimate.high:.3f}"
    if math.isfinite(estimate.baseline_mean):
        lines[2] = f"baseline {estimate.baseline_mean:.3f} (p = {estimate.p_value:.2g})"
    return lines


def heat_map(
    values: Sequence[Sequence[float | None]],
    written: Sequence[Sequence[str]],
    said: Sequence[Sequence[Sequence[str]]],
) -> Trace:
    """Cells with their values written on them.

    Parameters
    ----------
    values : sequence of sequences of float
        Between 0 and 1, for the colour.
    written : sequence of sequences of str
        In the cells.
    said : sequence of sequences of sequences of str
        The lines of what is said of each, as many for all.
    """
    lines = "<br>".join(f"%{{customdata[{k}]}}" for k in range(len(said[0][0])))
    return {
        "type": "heatmap",
        "z": [numbers(row, 4) for row in values],
        "zmin": 0,
        "zmax": 1,
        "text": written,
        "texttemplate": "%{text}",
        "textfont": {"size": 11},
        "customdata": said,
        "hovertemplate": f"{lines}<extra></extra>",
        "colorscale": "Cividis",
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
    }


def estimates(
    found: Sequence[Estimate],
    places: Sequence[float],
    labels: Sequence[str],
    name: str,
    colour: str,
    symbol: str,
    *,
    first: bool,
    baselines: bool = True,
) -> list[Trace]:
    """Values with intervals, and their baselines, as points in rows.

    Parameters
    ----------
    found : sequence of Estimate
    places : sequence of float
        Heights.
    labels : sequence of str
        Said of each.
    name : str
        In the legend.
    colour, symbol : str
    first : bool
        Whether this is the panel that the legend is of.
    baselines : bool
        Whether to draw them.
    """
    bars = {
        **error_bars(_reach(e.high - e.value) for e in found),
        "symmetric": False,
        "arrayminus": numbers(_reach(e.value - e.low) for e in found),
    }
    more = {"legendgroup": name, "showlegend": first}
    values = points(
        [e.value for e in found],
        places,
        colour,
        symbol=symbol,
        name=name,
        error_x=bars,
        customdata=[[label, name, *told(e)] for label, e in zip(labels, found, strict=True)],
        hovertemplate="<br>".join(f"%{{customdata[{k}]}}" for k in range(5)) + "<extra></extra>",
        **more,
    )
    known = [k for k, e in enumerate(found) if math.isfinite(e.baseline_mean)]
    if not baselines or not known:
        return [values]
    rings = points(
        [found[k].baseline_mean for k in known],
        [places[k] for k in known],
        "@alarm",
        symbol="circle-open",
        size=9,
        name="baseline",
        hoverinfo="text",
        hovertext=[f"baseline of {labels[k]}: {found[k].baseline_mean:.3f}" for k in known],
        **{**more, "legendgroup": "baseline"},
    )
    return [values, rings]


def rows_of(
    shown: Sequence[tuple[Sequence[Trace], str, str]],
    labels: Sequence[str],
    *,
    x: Mapping[str, Any] | None = None,
    row: int = 30,
    bottom: int = 0,
    **layout: Any,
) -> Chart:
    """Panels that share their rows, whose labels stand left of the first, on a phone of each.

    Parameters
    ----------
    shown : sequence of (traces, str, str)
        See :func:`~platonic_ase.report.charts.panels`.
    labels : sequence of str
        Of the rows, from above.
    x : mapping, optional
        More of all horizontal axes.
    row, bottom : int
        Pixels of a row, and below the last for what is more than a line of numbers.
    **layout
        See :func:`~platonic_ase.report.charts.chart`.
    """
    y = {
        "tickvals": list(range(len(labels))),
        "ticktext": list(labels),
        "range": [len(labels) - 0.5, -0.5],
        "showgrid": False,
    }
    made_axes: dict[str, Any] = {}
    for k in range(len(shown)):
        made_axes[f"xaxis{place(k)}"] = dict(x or {})
        made_axes[f"yaxis{place(k)}"] = {**y, "showticklabels": k == 0}
    height = 110 + bottom + row * len(labels)
    made = panels(shown, height, axes=made_axes, **layout)
    short = ["".join(map(_short, re.split("( – | → )", label))) for label in labels]
    for k in range(len(shown)):
        key = f"yaxis{place(k)}"
        small = {"showticklabels": True, "ticktext": short, "tickfont": {"size": 9}}
        made["narrow"][key] = {**made["narrow"][key], **small}
    made["narrow"]["height"] = 60 + len(shown) * (row * len(labels) + 110 + int(1.3 * bottom))
    return made


def place(k: int) -> str:
    """Number of a panel in the names of its axes."""
    return str(k + 1) if k else ""


def _short(name: str) -> str:
    return name if len(name) < 15 else f"{name[:6]}…{name[-7:]}"


def _reach(size: float) -> float:
    return max(size, 0.0) if math.isfinite(size) else 0.0
