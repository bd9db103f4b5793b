"""Similarity of all pairs of models, and how well atoms are carried between them."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from platonic_ase.compare.comparison import Comparison
from platonic_ase.report.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    VERMILLION,
    WIDTH,
    styled,
)

MEASURES = {
    "mutual_knn": "mutual nearest neighbours",
    "cka_linear_unbiased": "linear CKA, unbiased",
    "cka_rbf_unbiased": "RBF CKA, unbiased",
    "procrustes": "Procrustes angle (rad)",
}
SPACES = {"raw": "raw", "platonic": "Platonic", "standardised": "Platonic standardised"}
COLOURS = {
    "platonic": (BLUE, "o", "Platonic"),
    "standardised": (GREEN, "s", "Platonic standardised"),
    "procrustes": (ORANGE, "D", "raw, orthogonal map fitted on anchors"),
    "pca": (GREY, "^", "raw, principal components"),
    "padded": (VERMILLION, "v", "raw, padded"),
    "gromov": (PURPLE, "P", "raw, Gromov–Wasserstein"),
}
LABELS = ("atom", "orbit", "element")
TICKS = (0, 0.01, 0.05, 0.1, 0.25, 0.5, 1)


@styled
def similarity_matrices(comparison: Comparison) -> Figure:
    """Draw each measure (a row) in each space (a column) as a matrix of models.

    Parameters
    ----------
    comparison : Comparison
    """
    names = comparison.models
    size = max(WIDTH / 4, 0.33 * len(names) + 0.8)
    shape = len(SPACES) * size, len(MEASURES) * size * 0.86
    figure = Figure(figsize=shape, layout="constrained")
    axes = figure.subplots(len(MEASURES), len(SPACES), squeeze=False, sharex=True, sharey=True)
    for row, (measure, label) in enumerate(MEASURES.items()):
        angle = measure == "procrustes"
        for column, (space, space_label) in enumerate(SPACES.items()):
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
                ax.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=6.5,
                        color="white" if dark else "black")  # fmt: skip
            ax.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7)
            ax.set_yticks(range(len(names)), names, fontsize=7)
            if row == 0:
                ax.set_title(space_label)
        figure.colorbar(image, ax=axes[row], shrink=0.8, pad=0.01, label=label)
    return figure


@styled
def transport_accuracies(comparison: Comparison) -> Figure:
    """Draw, pair by pair, the share of mass that lands on the same atom, orbit and element.

    The axes are square roots, in which shares of a hundredth and of a half can both be read.

    Parameters
    ----------
    comparison : Comparison
    """
    platonic = {
        (e.a, e.b): e.estimate.value
        for e in comparison.transport
        if e.space == "platonic" and e.label == "atom"
    }
    pairs = sorted(platonic, key=platonic.__getitem__)
    place = {pair: i for i, pair in enumerate(pairs)}
    labels = [label for label in LABELS if any(e.label == label for e in comparison.transport)]
    figure = Figure(figsize=(WIDTH * 1.2, 0.24 * len(pairs) + 1.6), layout="constrained")
    axes = figure.subplots(1, len(labels), sharey=True)
    for ax, label in zip(axes, labels, strict=True):
        for space, (colour, marker, name) in COLOURS.items():
            entries = [e for e in comparison.transport if (e.space, e.label) == (space, label)]
            y = [place[e.a, e.b] for e in entries]
            ends = np.array([(e.estimate.low, e.estimate.high) for e in entries]).reshape(-1, 2)
            values = [e.estimate.value for e in entries]
            ax.plot(values, y, marker, color=colour, ms=4.5, label=name)
            ax.hlines(y, *ends.clip(0, 1).T, color=colour, lw=0.8, alpha=0.7)
            if space == "platonic" and entries:
                ax.axvline(entries[0].chance, color=INK, lw=0.8, ls=":")
        ax.set_xlabel(f"share of mass on the same {label}")
        ax.set_xscale("function", functions=(_signed_root, _signed_square))
        ax.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
        ax.set_xlim(-0.001, 1.05)
        ax.set_ylim(-0.6, len(pairs) - 0.4)
    axes[0].set_yticks(range(len(pairs)), [f"{a} → {b}" for a, b in pairs], fontsize=7)
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, title="dotted: chance")
    return figure


def _signed_root(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.sign(x) * np.sqrt(np.abs(x)))


def _signed_square(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.sign(x) * np.square(x))
