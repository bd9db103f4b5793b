"""Similarity of all pairs of models, and how well atoms are carried between them."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from platonic_ase.recording.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILLION,
    WIDTH,
    styled,
)
from platonic_ase.workflows.compare.comparison import Comparison

MEASURES = {
    "mutual_knn": "mutual nearest neighbours",
    "cka": "linear CKA, debiased",
    "procrustes": "Procrustes angle (rad)",
}
SPACES = {"raw": "raw", "platonic": "Platonic", "standardised": "Platonic\nstandardised"}
COLOURS = {
    "platonic": (BLUE, "o", "Platonic"),
    "standardised": (GREEN, "s", "Platonic standardised"),
    "procrustes": (ORANGE, "D", "raw, orthogonal map fitted on anchors"),
    "pca": (GREY, "^", "raw, principal components"),
    "padded": (VERMILLION, "v", "raw, padded"),
}


@styled
def similarity_matrices(comparison: Comparison) -> Figure:
    """Draw each measure in each space as a matrix of models.

    Parameters
    ----------
    comparison : Comparison
    """
    names = comparison.models
    size = max(WIDTH / 3, 0.42 * len(names) + 1.2)
    figure = Figure(figsize=(3 * size, 3 * size * 0.86), layout="constrained")
    axes = figure.subplots(len(SPACES), len(MEASURES), squeeze=False, sharex=True, sharey=True)
    for row, (space, space_label) in enumerate(SPACES.items()):
        for column, (measure, label) in enumerate(MEASURES.items()):
            angle = measure == "procrustes"
            matrix = np.diag(np.full(len(names), 0.0 if angle else 1.0))
            for entry in comparison.similarity:
                if entry.space == space and entry.measure == measure:
                    i, j = names.index(entry.a), names.index(entry.b)
                    matrix[i, j] = matrix[j, i] = entry.estimate.value
            ax = axes[row, column]
            high = np.pi / 2 if angle else 1.0
            image = ax.imshow(matrix, cmap="cividis_r" if angle else "cividis", vmin=0, vmax=high)
            ax.grid(visible=False)
            for (i, j), value in np.ndenumerate(matrix):
                dark = value > 0.5 * high if angle else value < 0.5 * high
                ax.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=5.5,
                        color="white" if dark else "black")  # fmt: skip
            ax.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7)
            ax.set_yticks(range(len(names)), names, fontsize=7)
            if row == 0:
                ax.set_title(label)
            if column == 0:
                ax.set_ylabel(space_label)
            figure.colorbar(image, ax=ax, shrink=0.8, pad=0.02)
    return figure


@styled
def transport_accuracies(comparison: Comparison) -> Figure:
    """Draw, pair by pair, the share of atoms and of elements that transport finds again.

    Parameters
    ----------
    comparison : Comparison
    """
    pairs = sorted(
        {(entry.a, entry.b) for entry in comparison.transport},
        key=lambda pair: (
            -max(
                e.same_atom
                for e in comparison.transport
                if (e.a, e.b) == pair and e.space == "platonic"
            )
        ),
    )
    place = {pair: len(pairs) - 1 - i for i, pair in enumerate(pairs)}
    figure = Figure(figsize=(WIDTH, 0.24 * len(pairs) + 1.6), layout="constrained")
    atoms, elements = figure.subplots(1, 2, sharey=True)
    for space, (colour, marker, label) in COLOURS.items():
        entries = [e for e in comparison.transport if e.space == space]
        y = [place[e.a, e.b] for e in entries]
        atoms.plot([e.same_atom for e in entries], y, marker, color=colour, ms=4.5, label=label)
        atoms.hlines(
            y, [e.low for e in entries], [e.high for e in entries], color=colour, lw=0.8, alpha=0.7
        )
        elements.plot([e.same_element for e in entries], y, marker, color=colour, ms=4.5)
    if comparison.transport:
        atoms.axvline(comparison.transport[0].chance_atom, color=INK, lw=0.8, ls=":")
        elements.axvline(comparison.transport[0].chance_element, color=INK, lw=0.8, ls=":")
    atoms.set_yticks([place[pair] for pair in pairs], [f"{a} → {b}" for a, b in pairs], fontsize=7)
    atoms.set_xlabel("share of mass on the same atom (dotted: chance)")
    elements.set_xlabel("share of mass on the same element (dotted: chance)")
    figure.legend(loc="outside lower center", ncols=3)
    return figure
