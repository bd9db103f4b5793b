"""Departures from laws of physics, as multiples of rounding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter

from platonic_ase.report.plots.style import ALARM, BLUE, INK, legend_beside, new_figure, styled

_ROW, _MARGINS = 0.27, 0.75  # inches
_LEAST, _MOST = 1e-2, 1e3
"""Start of the axis, where bars begin, and how far it goes at least."""


@styled
def audit_bars(departures: Sequence[Mapping[str, Any]]) -> Figure:
    """Bars of departures over rounding on a logarithmic axis, one row each, law by law.

    Parameters
    ----------
    departures : sequence of mapping
        With ``law``, ``label``, ``value``, ``rounding``, ``unit`` and ``holds``.
    """
    rows = [found for found in departures if None not in (found["value"], found["rounding"])]
    multiples = np.array([found["value"] / found["rounding"] for found in rows])
    figure = new_figure(_MARGINS + _ROW * len(rows))
    ax = figure.subplots()
    most = float(multiples.max(initial=_MOST))
    for row, (found, multiple) in enumerate(zip(rows, multiples, strict=True)):
        kept = bool(found["holds"])
        ax.barh(
            row,
            max(multiple, _LEAST) - _LEAST,
            left=_LEAST,
            height=0.7,
            color=BLUE if kept else ALARM,
            hatch=None if kept else "///",
            edgecolor="white",
            linewidth=0,
        )
        value = f"{found['value']:.1e}" if found["value"] else "0"
        text = f"{value} {found['unit']}".rstrip()
        ax.annotate(
            text,
            (max(multiple, 1.0), row),  # no number lies under the dashed line
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
        if row and rows[row - 1]["law"] != found["law"]:
            ax.axhline(row - 0.5, color=INK, lw=0.5, alpha=0.4)
    ax.axvline(1.0, color=INK, lw=1, ls="--")
    ax.set_xscale("log")
    ax.set_xlim(_LEAST, most * 10 ** (0.16 * np.log10(most / _LEAST)))  # room for the numbers
    ax.xaxis.set_major_locator(LogLocator(numticks=9))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_yticks(range(len(rows)), [str(found["label"]) for found in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("departure / rounding (dashed: rounding alone)")
    handles = [Patch(color=BLUE, label="kept"), Patch(facecolor=ALARM, label="not kept")]
    handles[1].set(hatch="///", edgecolor="white", linewidth=0)
    legend_beside(ax, handles=handles)
    return figure
