"""Maps of all models: each in its own raw axes, and all in the same Platonic axes."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from platonic_ase.compare.groups import GROUPS
from platonic_ase.compare.spaces import own_space, principal_plane
from platonic_ase.compare.views import Views
from platonic_ase.report.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    WIDTH,
    styled,
)

ROWS = {
    "raw": "raw, own axes",
    "platonic": "Platonic, shared axes",
    "standardised": "Platonic standardised,\nshared axes",
}

COLOURS = (PURPLE, BLUE, SKY, GREEN, INK, VERMILLION, ORANGE, GREY)
MARKERS = ("o", "o", "o", "s", "v", "^", "D", "x")


@styled
def principal_maps(views: Views) -> Figure:
    """Draw the two principal components of each model, coloured by group of elements.

    Parameters
    ----------
    views : Views

    Returns
    -------
    Figure
        One column a model; in the Platonic rows the components are those of all models' atoms
        together, so that a place means the same in every panel.
    """
    names, rows = views.names, views.distinct
    size = max(WIDTH / len(names), 1.5)
    height = len(ROWS) * min(size, 2.6) + 1.0
    figure = Figure(figsize=(size * len(names), height), layout="constrained")
    axes = figure.subplots(len(ROWS), len(names), squeeze=False)
    for line, (space, label) in enumerate(ROWS.items()):
        points = {name: own_space(views, space, name)[rows] for name in names}
        shared = None if space == "raw" else principal_plane(np.concatenate([*points.values()]))
        reach = np.zeros(2)
        for ax, name in zip(axes[line], names, strict=True):
            mean, plane = principal_plane(points[name]) if shared is None else shared
            flat = (points[name] - mean) @ plane
            reach = np.maximum(reach, np.abs(flat).max(axis=0))
            for (_, members), colour, marker in zip(GROUPS, COLOURS, MARKERS, strict=True):
                chosen = np.isin(views.numbers[rows], list(members))
                ax.scatter(
                    *flat[chosen].T, s=4, c=colour, marker=marker, linewidths=0.4, alpha=0.7,
                    rasterized=len(rows) > 5000,
                )  # fmt: skip
            ax.set_xticks([])
            ax.set_yticks([])
            ax.margins(0.05)
            if line == len(ROWS) - 1:
                ax.set_xlabel("PC 1", fontsize=7)
            if line == 0:
                ax.set_title(name, fontsize=8)
        axes[line, 0].set_ylabel(f"{label}\nPC 2", fontsize=8)
        if shared is not None:
            for ax in axes[line]:
                ax.set_xlim(-1.05 * reach[0], 1.05 * reach[0])
                ax.set_ylim(-1.05 * reach[1], 1.05 * reach[1])
    present = [
        Line2D([], [], color=colour, marker=marker, linestyle="", markersize=5, label=name)
        for (name, members), colour, marker in zip(GROUPS, COLOURS, MARKERS, strict=True)
        if np.isin(views.numbers[rows], list(members)).any()
    ]
    figure.legend(handles=present, loc="outside lower center", ncols=4)
    return figure
