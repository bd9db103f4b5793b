"""How well analogies of one model are answered in another."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from platonic_ase.compare.comparison import Comparison
from platonic_ase.compare.retrieval import COMPOSITION, pooled
from platonic_ase.report.plots.style import WIDTH, styled

PANELS = {
    "platonic": "Platonic",
    "standardised": "Platonic standardised",
    "procrustes": "raw, fitted map",
}


@styled
def analogy_matrices(comparison: Comparison) -> Figure:
    """Draw the mean reciprocal rank by model of the analogy and model of the answer.

    Parameters
    ----------
    comparison : Comparison
        With analogies.

    Returns
    -------
    Figure
        One panel a space; on the diagonal, analogies within a model (raw ones where the models
        are brought together by a map).
    """
    names, scores = comparison.models, pooled(comparison.analogies)
    baseline = scores[COMPOSITION, COMPOSITION, "composition"]
    size = max(WIDTH / 4, 0.33 * len(names) + 0.8)
    figure = Figure(figsize=(len(PANELS) * size, size + 1.2), layout="constrained")
    axes = figure.subplots(1, len(PANELS), sharey=True)
    for ax, (space, title) in zip(axes, PANELS.items(), strict=True):
        own = "raw" if space == "procrustes" else space
        matrix = np.array(
            [[scores[a, b, own if a == b else space]["mean_reciprocal_rank"] for b in names]
             for a in names]
        )  # fmt: skip
        image = ax.imshow(matrix, cmap="cividis", vmin=0, vmax=1)
        ax.grid(visible=False)
        for (i, j), value in np.ndenumerate(matrix):
            ax.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=6.5,
                    color="white" if value < 0.5 else "black")  # fmt: skip
        ax.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7)
        ax.set_yticks(range(len(names)), names, fontsize=7)
        ax.set_title(title)
        ax.set_xlabel("answered in")
    axes[0].set_ylabel("formed in")
    figure.colorbar(
        image, ax=axes, shrink=0.8, pad=0.01,
        label="mean reciprocal rank\n"
        f"(composition {baseline['mean_reciprocal_rank']:.2f}, "
        f"chance {baseline['chance_mean_reciprocal_rank']:.2f})",
    )  # fmt: skip
    return figure
