"""Charts of a symmetry forecast for its page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.report.charts import Chart, Trace, arcsinh_axis, axis, chart, line, points

if TYPE_CHECKING:
    from platonic_ase.phonons.breaking import SymmetryRisk

_SCALE = 0.1
"""eV/Å² up to which the axes are about linear; logarithmic beyond."""
_TICKS = (0.2, 1, 5, 20, 100)


def ways_out(directions: Sequence[Mapping[str, Any]], amplitude: float) -> Chart:
    """Curvature along each soft mode, at rest and followed, one row each.

    Parameters
    ----------
    directions : sequence of mapping
        With ``eigenvalue``, ``curvature`` (eV/Å²), ``subgroup`` and ``shares``.
    amplitude : float
        Å.
    """
    rows = list(range(len(directions)))
    start = [_bent(way["eigenvalue"]) for way in directions]
    end = [_bent(way["curvature"]) for way in directions]
    falls = [way["curvature"] < 0 for way in directions]
    traces: list[Trace] = [
        line(
            [v for pair in zip(start, end, strict=True) for v in (*pair, math.nan)],
            [v for row in rows for v in (row, row, math.nan)],
            "@muted",
            hoverinfo="skip",
        ),
        points(
            start,
            rows,
            "@blue",
            symbol="circle-open",
            size=10,
            name="at rest (harmonic)",
            customdata=rows,
            hoverinfo="text",
            hovertext=[f"{way['eigenvalue']:.3g} eV/Å²" for way in directions],
        ),
    ]
    for name, wanted, colour in (
        ("energy rises", False, "@blue"),
        ("energy falls", True, "@alarm"),
    ):
        chosen = [row for row in rows if falls[row] == wanted]
        if not chosen:
            continue
        traces.append(
            points(
                [end[row] for row in chosen],
                chosen,
                colour,
                symbol="diamond",
                size=11,
                name=f"out to {amplitude:g} Å, {name}",
                customdata=chosen,
                hoverinfo="text",
                hovertext=[
                    f"{directions[row]['curvature']:.3g} eV/Å², "
                    f"{directions[row]['energy']:.3g} meV/atom"
                    for row in chosen
                ],
            )
        )
    reach = max(
        1.0, *(abs(way[name]) for way in directions for name in ("eigenvalue", "curvature"))
    )
    zero = {"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1}
    y = axis(
        tickvals=rows,
        ticktext=[label(way) for way in directions],
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
    )
    short = [str(way["subgroup"] or "larger cell") for way in directions]
    return chart(
        traces,
        130 + 32 * len(rows),
        narrow={"yaxis": {**y, "ticktext": short}, "height": 190 + 32 * len(rows)},
        xaxis=arcsinh_axis("curvature of the energy (eV/Å²)", reach, _SCALE, _TICKS),
        yaxis=y,
        shapes=[{**zero, "line": {"color": "@ink", "width": 1}}],
    )


def calibration_curve(risk: SymmetryRisk, curvature: float) -> Chart:
    """Probability against curvature, with the labelled crystals and this one.

    Parameters
    ----------
    risk : SymmetryRisk
    curvature : float
        Of this crystal, eV/Å².
    """
    values, broke = np.array(risk.curvatures), np.array(risk.broke, dtype=bool)
    reach = float(max(abs(values).max(initial=1.0), abs(curvature)))
    grid = _SCALE * np.sinh(np.linspace(-_bent(reach), _bent(reach), 300))
    here = float(risk.probability(curvature))
    traces = [
        line(
            [_bent(x) for x in grid],
            [risk.probability(float(x)) for x in grid],
            "@ink",
            name="calibration",
            hoverinfo="skip",
        )
    ]
    for name, chosen, height, colour in (
        ("broke", broke, 1.06, "@alarm"),
        ("kept", ~broke, -0.06, "@blue"),
    ):
        traces.append(
            points(
                [_bent(x) for x in values[chosen]],
                np.full(int(chosen.sum()), height),
                colour,
                symbol="line-ns-open",
                size=9,
                name=name,
                hoverinfo="text",
                hovertext=[f"{x:.3g} eV/Å²" for x in values[chosen]],
            )
        )
    colour = "@alarm" if here >= risk.threshold else "@blue"
    traces.append(
        points(
            [_bent(curvature)],
            [here],
            colour,
            symbol="diamond",
            size=14,
            name="this crystal",
            hoverinfo="text",
            hovertext=[f"{curvature:.3g} eV/Å²: probability {here:.2f}"],
        )
    )
    warning = {"type": "line", "xref": "paper", "x0": 0, "x1": 1}
    warning |= {"y0": risk.threshold, "y1": risk.threshold}
    return chart(
        traces,
        340,
        xaxis=arcsinh_axis("lowest curvature (eV/Å²)", reach, _SCALE, _TICKS),
        yaxis=axis(
            "probability of breaking", range=[-0.13, 1.13], tickvals=[0, 0.25, 0.5, 0.75, 1]
        ),
        shapes=[{**warning, "line": {"color": "@alarm", "width": 1.2, "dash": "dash"}}],
    )


def label(way: Mapping[str, Any]) -> str:
    """Space group that is left, and the elements that move."""
    shares = sorted(way["shares"].items(), key=lambda item: -item[1])
    moving = ", ".join(f"{symbol} {100 * share:.0f} %" for symbol, share in shares if share > 0.005)
    return f"{way['subgroup'] or 'larger cell'}: {moving}"


def _bent(value: float) -> float:
    return math.asinh(value / _SCALE)
