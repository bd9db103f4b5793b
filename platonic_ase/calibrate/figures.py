"""How force-error bounds do on structures that they were not made from."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols
from matplotlib.figure import Figure

from platonic_ase.calibrate.charts import share
from platonic_ase.report.plots.style import ALARM, BLUE, INK, legend_beside, new_figure, styled

_LEAST = 1e-3  # eV/Å; smaller errors are drawn on it
_TENTHS = 10
_FEWEST = 20  # compounds of an element below which its coverage says nothing


@styled
def bound_and_error(errors: np.ndarray, bounds: np.ndarray) -> Figure:
    """Counts of atoms by bound and error, both on logarithmic axes.

    Parameters
    ----------
    errors, bounds : ndarray, shape (n,)
        eV/Å.
    """
    figure = new_figure(4.6)
    ax = figure.subplots()
    x, y = np.maximum(bounds, _LEAST), np.maximum(errors, _LEAST)
    drawn = ax.hexbin(
        x, y, xscale="log", yscale="log", bins="log", gridsize=55, mincnt=1, cmap="cividis_r"
    )
    drawn.set_edgecolor("face")
    span = [_LEAST, 1.3 * max(x.max(), y.max())]
    ax.plot(span, span, color=ALARM, ls="--", lw=1.4, label="error = bound")
    ax.set_xlim(0.8 * x.min(), 1.3 * x.max())
    ax.set_ylim(_LEAST, 1.5 * y.max())
    ax.set_xlabel("bound of an atom (eV/Å)")
    ax.set_ylabel("error of its force (eV/Å)")
    figure.colorbar(drawn, ax=ax, label="atoms", pad=0.01)
    ax.legend(loc="lower right")
    return figure


@styled
def coverage_by_size(
    bounds: np.ndarray, within: np.ndarray, units: np.ndarray, level: float
) -> Figure:
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
    figure = new_figure(2.6)
    ax = figure.subplots()
    for part in np.array_split(np.argsort(bounds, kind="stable"), _TENTHS):
        kept, error = share(within[part], units[part])
        ax.errorbar(np.median(bounds[part]), kept, error, fmt="o", color=BLUE, ms=4, capsize=2)
    ax.axhline(level, color=INK, ls="--", lw=1, label="aimed at")
    ax.set_xscale("log")
    ax.set_xlabel("bound, median of a tenth of the atoms (eV/Å)")
    ax.set_ylabel("share of errors\nwithin the bound")
    ax.set_ylim(top=1.005)
    legend_beside(ax)
    return figure


@styled
def coverage_by_element(
    numbers: np.ndarray, within: np.ndarray, units: np.ndarray, level: float
) -> Figure | None:
    """Share of errors within the bound, by element.

    Parameters
    ----------
    numbers : ndarray of int, shape (n,)
    within, units, level
        See :func:`coverage_by_size`.

    Returns
    -------
    Figure or None
        None where no element is in twenty compounds.
    """
    rows = []
    for z in np.unique(numbers):
        own = numbers == z
        if len(np.unique(units[own])) >= _FEWEST:
            rows.append((chemical_symbols[z], *share(within[own], units[own])))
    if not rows:
        return None
    rows.sort(key=lambda row: row[1])
    figure = new_figure(2.6)
    ax = figure.subplots()
    symbols, shares, errors = zip(*rows, strict=True)
    ax.errorbar(range(len(rows)), shares, errors, fmt="o", color=BLUE, ms=4, capsize=2)
    ax.axhline(level, color=INK, ls="--", lw=1, label="aimed at")
    ax.set_xticks(range(len(rows)), symbols, fontsize=7)
    ax.set_xlim(-0.7, len(rows) - 0.3)
    ax.grid(axis="x", visible=False)
    ax.set_ylabel("share of errors\nwithin the bound")
    ax.set_ylim(top=1.005)
    legend_beside(ax)
    return figure
