"""Charts as Plotly takes them, in plain dictionaries: pages draw them, in the colours of the page.

A colour is ``"@ink"``, ``"@muted"``, ``"@line"``, ``"@blue"``, ``"@quiet"`` or ``"@alarm"`` of the
page, or ``"@0"`` to ``"@5"`` of the palette. All text is escaped where it is drawn, except for
``hovertemplate``, which must not hold text from outside. ``customdata`` of a point is the number of
the group of structures that a click on it shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Chart = dict[str, Any]
Trace = dict[str, Any]

MARGIN = {"l": 62, "r": 14, "t": 28, "b": 46}


def chart(
    traces: Sequence[Trace],
    height: int = 380,
    *,
    narrow: Mapping[str, Any] | None = None,
    **layout: Any,
) -> Chart:
    """Put traces and layout together.

    Parameters
    ----------
    traces : sequence of dict
    height : int
        Pixels.
    narrow : mapping, optional
        What of the layout is different on a phone.
    **layout
        As Plotly names it: ``xaxis``, ``yaxis``, ``shapes``, ...
    """
    legend = {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"}
    named = sum(bool(trace.get("showlegend", trace.get("name"))) for trace in traces)
    return {
        "traces": list(traces),
        "layout": {
            "height": height,
            "margin": MARGIN,
            "legend": legend,
            "showlegend": named > 1,
            **layout,
        },
        "narrow": {"margin": {**MARGIN, "l": 50}, **(narrow or {})},
    }


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """Make an axis with a title."""
    return {"title": {"text": title}, "zeroline": False, **more}


def line(x: Iterable[float], y: Iterable[float], colour: str, **more: Any) -> Trace:
    """Make a line; what is not finite is a gap."""
    width = more.pop("width", 1.5)
    dash = more.pop("dash", "solid")
    return {
        "type": "scatter",
        "mode": "lines",
        "x": numbers(x),
        "y": numbers(y),
        "line": {"color": colour, "width": width, "dash": dash},
        "showlegend": "name" in more,
        **more,
    }


def points(x: Iterable[float], y: Iterable[float], colour: Any, **more: Any) -> Trace:
    """Make points; ``size`` and ``symbol`` are those of the markers."""
    marker = {"color": colour, "size": more.pop("size", 7), "symbol": more.pop("symbol", "circle")}
    marker |= more.pop("marker", {})
    return {
        "type": "scatter",
        "mode": "markers",
        "x": numbers(x),
        "y": numbers(y),
        "marker": marker,
        "showlegend": "name" in more,
        **more,
    }


def side_by_side(count: int, gap: float = 0.09) -> tuple[list[list[float]], list[list[float]]]:
    """Domains of panels beside each other, and of the same one below the other on a phone.

    Parameters
    ----------
    count : int
    gap : float
        Share of the whole.
    """
    width = (1 - gap * (count - 1)) / count
    wide = [[k * (width + gap), k * (width + gap) + width] for k in range(count)]
    tall_gap = 0.13
    height = (1 - tall_gap * (count - 1)) / count
    tall = [[1 - k * (height + tall_gap) - height, 1 - k * (height + tall_gap)]
            for k in range(count)]  # fmt: skip
    return wide, [[max(0.0, low), min(1.0, high)] for low, high in tall]


def panels(
    shown: Sequence[tuple[Sequence[Trace], str, str]],
    height: int = 300,
    *,
    axes: Mapping[str, Any] | None = None,
    **layout: Any,
) -> Chart:
    """Panels beside each other, on a phone one below the other.

    Parameters
    ----------
    shown : sequence of (traces, str, str)
        What is drawn in each, and the titles of its axes.
    height : int
        Pixels.
    axes : mapping, optional
        More of an axis by its name, such as ``{"xaxis2": {"type": "log"}}``.
    **layout
        See :func:`chart`.
    """
    wide, tall = side_by_side(len(shown))
    traces: list[Trace] = []
    wide_axes: dict[str, Any] = {}
    tall_axes: dict[str, Any] = {}
    for k, (drawn, x_title, y_title) in enumerate(shown):
        number = "" if k == 0 else str(k + 1)
        traces += [{**trace, "xaxis": f"x{number}", "yaxis": f"y{number}"} for trace in drawn]
        more = axes or {}
        x = axis(x_title, anchor=f"y{number}", **more.get(f"xaxis{number}", {}))
        y = axis(y_title, anchor=f"x{number}", **more.get(f"yaxis{number}", {}))
        wide_axes |= {f"xaxis{number}": {**x, "domain": wide[k]}, f"yaxis{number}": y}
        tall_axes |= {f"xaxis{number}": x, f"yaxis{number}": {**y, "domain": tall[k]}}
    narrow = {"height": 60 + 260 * len(shown), **tall_axes}
    return chart(traces, height, narrow=narrow, **wide_axes, **layout)


def error_bars(sizes: Iterable[float]) -> dict[str, Any]:
    """Make symmetric bars for ``error_x`` or ``error_y``."""
    return {"type": "data", "array": numbers(sizes), "thickness": 1.2, "width": 3}


def arcsinh_axis(title: str, reach: float, scale: float, ticks: Sequence[float]) -> dict[str, Any]:
    """Axis for values that went through :func:`arcsinh`: both signs and many decades.

    Parameters
    ----------
    title : str
    reach : float
        Largest magnitude.
    scale : float
        Up to which it is about linear.
    ticks : sequence of float
        Positive ones; drawn with both signs as far as they are within reach.
    """
    inside = [t for t in ticks if t <= 1.3 * reach]
    at = sorted([-t for t in inside] + [0.0] + inside)
    end = math.asinh(1.35 * reach / scale)
    return axis(
        title,
        tickvals=[math.asinh(t / scale) for t in at],
        ticktext=[f"{t:g}".replace("-", "−") for t in at],
        range=[-end, end],
    )


def numbers(values: Iterable[float | None], digits: int = 5) -> list[float | None]:
    """Round to significant digits; None where a number is not finite."""
    return [
        float(f"{v:.{digits}g}") if v is not None and math.isfinite(v) else None for v in values
    ]
