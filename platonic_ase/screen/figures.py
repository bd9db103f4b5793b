"""Figures of a screening: how its numbers are distributed, and where its structures lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.report.plots.style import ALARM, BLUE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DRAWN = 5000  # points of the map, the riskiest among them


@styled
def distributions(values: dict[str, np.ndarray]) -> Figure:
    """Histogram of each number, on a logarithmic axis where it spans more than two decades.

    Parameters
    ----------
    values : dict of str to ndarray, shape (n,)
        By label; at most three are drawn.
    """
    shown = dict(list(values.items())[:3])
    figure = new_figure(2.6)
    for ax, (label, numbers) in zip(
        np.atleast_1d(figure.subplots(1, len(shown))), shown.items(), strict=True
    ):
        bins: np.ndarray | int = 40
        low, high = float(numbers.min()), float(numbers.max())
        if low > 0 and high > 100 * low:
            bins = np.geomspace(low, high, 41)
            ax.set_xscale("log")
        ax.hist(numbers, bins=bins, color=BLUE)
        ax.set_xlabel(label)
    figure.supylabel("structures", fontsize=9)
    return figure


@styled
def space_map(
    platonic: np.ndarray, scores: np.ndarray, chosen: Sequence[int], label: str
) -> Figure:
    """Mean Platonic coordinates on their two leading principal components.

    Parameters
    ----------
    platonic : ndarray, shape (n, K)
    scores : ndarray, shape (n,)
        Colour.
    chosen : sequence of int
        Rows that are ringed.
    label : str
        Of the colour.
    """
    centred = platonic - platonic.mean(axis=0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    points = centred @ axes[:2].T
    share = singular[:2] ** 2 / max(float((singular**2).sum()), 1e-300)
    order = np.argsort(scores)[-_DRAWN:]
    figure = new_figure(4.2)
    ax = figure.subplots()
    drawn = ax.scatter(
        points[order, 0], points[order, 1], c=scores[order], s=14, cmap="cividis", linewidths=0
    )
    ringed = list(chosen)
    ax.scatter(
        points[ringed, 0],
        points[ringed, 1],
        s=46, facecolor="none", edgecolor=ALARM, linewidths=1.2,
        label="needs a look",
    )  # fmt: skip
    if 0 < 100 * scores.min() < scores.max():
        drawn.set_norm("log")  # as the histograms
    figure.colorbar(drawn, label=label)
    ax.set_xlabel(f"principal component 1 ({100 * share[0]:.0f} %)")
    ax.set_ylabel(f"principal component 2 ({100 * share[1]:.0f} %)")
    ax.legend(loc="upper left")
    return figure
