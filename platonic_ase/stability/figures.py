"""Figures of a symmetry forecast."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from platonic_ase.report.plots.style import ALARM, BLUE, GREY, INK, new_figure, styled

if TYPE_CHECKING:
    from platonic_ase.phonons.breaking import SymmetryRisk
    from platonic_ase.stability.run import ForecastResult

_ROW, _MARGINS = 0.34, 1.1  # inches
_LINEAR = 0.2
"""eV/Å² up to which the axes are linear; logarithmic beyond."""


def drawings(result: ForecastResult) -> dict[str, Callable[[], Figure | None]]:
    """What draws each figure of a forecast, by file name.

    Parameters
    ----------
    result : ForecastResult
    """
    record, risk = result.to_dict(), result.risk
    ways = record["directions"]
    drawn: dict[str, Callable[[], Figure | None]] = {}
    if ways:
        drawn["ways"] = lambda: ways_out(ways, record["settings"]["amplitude_A"])
        if risk is not None:
            drawn["curve"] = lambda: calibration_curve(risk, ways[0]["curvature"])
    return drawn


@styled
def ways_out(directions: Sequence[Mapping[str, Any]], amplitude: float) -> Figure:
    """Curvature along each soft mode, at rest and followed, one row each.

    Parameters
    ----------
    directions : sequence of mapping
        With ``eigenvalue``, ``curvature`` (eV/Å²), ``subgroup`` and ``shares``.
    amplitude : float
        Å.
    """
    figure = new_figure(_MARGINS + _ROW * len(directions))
    ax = figure.subplots()
    for row, way in enumerate(directions):
        start, end = way["eigenvalue"], way["curvature"]
        ax.plot([start, end], [row, row], color=GREY, lw=1.2, zorder=1)
        ax.scatter([start], [row], marker="o", s=36, facecolor="none", edgecolor=BLUE, zorder=2)
        colour = ALARM if end < 0 else BLUE
        ax.scatter([end], [row], marker="D", s=36, color=colour, zorder=3)
    ax.scatter([], [], marker="o", facecolor="none", edgecolor=BLUE, label="at rest (harmonic)")
    ax.scatter([], [], marker="D", color=BLUE, label=f"out to {amplitude:g} Å, energy rises")
    ax.scatter([], [], marker="D", color=ALARM, label=f"out to {amplitude:g} Å, energy falls")
    ax.axvline(0, color=INK, lw=1)
    ax.set_xscale("symlog", linthresh=_LINEAR, linscale=0.5)
    reach = max(
        1.0, *(abs(way[name]) for way in directions for name in ("eigenvalue", "curvature"))
    )
    ticks = [t for t in (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if t <= 1.3 * reach]
    ax.set_xticks(sorted([-t for t in ticks] + [0] + ticks), minor=False)
    ax.set_xticks([], minor=True)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_xlim(-1.4 * reach, 1.4 * reach)
    ax.set_yticks(range(len(directions)), [_label(way) for way in directions])
    ax.set_ylim(len(directions) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("curvature of the energy (eV/Å²)")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return figure


@styled
def calibration_curve(risk: SymmetryRisk, curvature: float) -> Figure:
    """Probability against curvature, with the labelled crystals and this one.

    Parameters
    ----------
    risk : SymmetryRisk
    curvature : float
        Of this crystal, eV/Å².
    """
    figure = new_figure(2.8)
    ax = figure.subplots()
    values, broke = np.array(risk.curvatures), np.array(risk.broke, dtype=bool)
    lowest = min(values.min(initial=-1.0), curvature)
    highest = max(values.max(initial=1.0), curvature)
    grid = np.linspace(np.arcsinh(lowest / 0.1), np.arcsinh(highest / 0.1), 400)
    grid = 0.1 * np.sinh(grid)
    ax.plot(grid, [risk.probability(float(x)) for x in grid], color=INK, label="calibration")
    ax.scatter(values[broke], np.full(broke.sum(), 1.06), marker="|", color=ALARM, label="broke")
    ax.scatter(values[~broke], np.full((~broke).sum(), -0.06), marker="|", color=BLUE, label="kept")
    ax.axhline(risk.threshold, color=GREY, lw=0.8, ls="--", label="warning")
    ax.axvline(curvature, color=GREY, lw=0.8)
    ax.scatter(
        [curvature],
        [risk.probability(curvature)],
        marker="D",
        s=60,
        color=ALARM if risk.probability(curvature) >= risk.threshold else BLUE,
        zorder=3,
        label="this crystal",
    )
    ax.set_xscale("symlog", linthresh=_LINEAR, linscale=0.5)
    ticks = [t for t in (0.2, 1, 5, 20, 100) if t <= 1.3 * max(-lowest, highest)]
    ax.set_xticks(sorted([-t for t in ticks] + [0] + ticks))
    ax.set_xticks([], minor=True)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_xlim(1.2 * min(lowest, -0.2), 1.2 * max(highest, 0.2))
    ax.set_ylim(-0.12, 1.12)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1])
    ax.set_xlabel("lowest curvature (eV/Å²)")
    ax.set_ylabel("probability of breaking")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper right", ncols=5)
    return figure


def _label(way: Mapping[str, Any]) -> str:
    shares = sorted(way["shares"].items(), key=lambda item: -item[1])
    moving = ", ".join(f"{symbol} {100 * share:.0f} %" for symbol, share in shares if share > 0.005)
    return f"{way['subgroup'] or 'larger cell'}  |  {moving}"
