"""One look for all figures: colours that everyone can tell apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import matplotlib
from ase.data import atomic_numbers
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito, Color Universal Design (2008); those that read on white and on black come first
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW = "#E69F00", "#56B4E9", "#F0E442"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION)
ELEMENTS = (SKY, ORANGE, GREEN, PURPLE, YELLOW, BLUE)  # vermillion is kept for flags
ALARM = VERMILLION
GREY = "#8a8a8a"
INK, PAPER = "#0b0c0d", "#fefefd"

WIDTH = 10.0  # inches

RC: Any = {
    "text.usetex": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "mathtext.default": "regular",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.titlesize": 9,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": [-6, 7],
    "axes.xmargin": 0.01,
    "figure.facecolor": "white",
    "grid.color": GREY,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.2,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "svg.fonttype": "none",
}
styled = matplotlib.rc_context(RC)
"""Decorator of functions that draw: the same look whatever the user's matplotlibrc says."""


def new_figure(height: float) -> Figure:
    """Empty figure of the common width; ``height`` in inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def element_colours(symbols: Iterable[str]) -> dict[str, str]:
    """Choose a colour for each element, the same in all figures of a run."""
    ordered = sorted(set(symbols), key=lambda symbol: atomic_numbers[symbol])
    return {symbol: ELEMENTS[k % len(ELEMENTS)] for k, symbol in enumerate(ordered)}


def legend_beside(ax: Axes, **options: Any) -> None:
    """Legend to the right of the axes, where it can cover nothing."""
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0, **options)
