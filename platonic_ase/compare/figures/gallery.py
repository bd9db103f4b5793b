"""All figures of a comparison, and saving them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from platonic_ase.compare.comparison import Comparison
from platonic_ase.compare.figures.maps import principal_maps
from platonic_ase.compare.figures.matrices import (
    similarity_matrices,
    transport_accuracies,
)
from platonic_ase.compare.figures.parallelograms import analogy_parallelograms
from platonic_ase.compare.figures.periodic import bias_tables
from platonic_ase.compare.figures.plans import transport_plan
from platonic_ase.compare.figures.retrieval import analogy_matrices
from platonic_ase.compare.report_said import foreign_pair
from platonic_ase.compare.views import Views

FORMATS = ("pdf", "svg", "png")


@dataclass(frozen=True)
class Drawing:
    """A figure with what a reader needs to be told of it."""

    title: str
    caption: str
    figure: Figure


def draw_all(comparison: Comparison, views: Views) -> dict[str, Drawing]:
    """Draw every figure that the comparison has the numbers for.

    Parameters
    ----------
    comparison : Comparison
    views : Views
        The arrays that it was made from.

    Returns
    -------
    dict of str to Drawing
        By file name.
    """
    a, b = foreign_pair(comparison)
    drawings = {
        "maps": Drawing(
            "Maps of all models",
            "Principal components of the same distinct atoms. In Platonic space the axes are "
            "shared, so that a place means the same in every panel.",
            principal_maps(views),
        ),
        "similarity": Drawing(
            "Similarity of geometry",
            f"Same distinct atoms, k = {comparison.data['k']} neighbours. Large means similar, "
            "but for the Procrustes angle.",
            similarity_matrices(comparison),
        ),
        "transport": Drawing(
            "Transport between models",
            "Optimal transport of distinct atoms: exact in a common space, Gromov–Wasserstein "
            "without one; bars are 95 % intervals over structures; square-root scale.",
            transport_accuracies(comparison),
        ),
        "plan": Drawing(
            f"Where the elements of {a} land in {b}",
            "Mass of the plan by element, per row; a perfect plan is the diagonal. Of models with "
            "learned weights, this is the pair with the lowest linear CKA in Platonic space.",
            transport_plan(views, a, b),
        ),
    }
    if views.analogies:
        drawings["analogies"] = Drawing(
            "Embedding arithmetic",
            "a - b + c (cross) against d (ring) in Platonic coordinates, in the plane that holds "
            "most of the four; the gap is their distance in all dimensions, per mean side.",
            analogy_parallelograms(views),
        )
        drawings["retrieval"] = Drawing(
            "Embedding arithmetic across models",
            "Analogies formed in the model of the row, answered among the crystals as the model of "
            "the column sees them; the diagonal stays within a model. Fitted map: orthogonal, on "
            "the anchors.",
            analogy_matrices(comparison),
        )
    if any(entry.by == "element" for entry in comparison.bias):
        drawings["bias"] = Drawing(
            "Departure from the consensus, by element",
            "Brown: further from the other models than these are from each other; bold frame: "
            "false-discovery rate below 5 %; empty: fewer than 5 structures.",
            bias_tables(comparison),
        )
    return drawings


def save_all(
    drawings: Mapping[str, Drawing], folder: str | os.PathLike[str], *, progress: bool = False
) -> list[Path]:
    """Write every figure as PDF, SVG and PNG (200 dpi).

    Parameters
    ----------
    drawings : mapping of str to Drawing
    folder : path-like
        Made if there is none.
    progress : bool
        Whether to show a progress bar.
    """
    from tqdm.auto import tqdm

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, drawing in tqdm(drawings.items(), desc="saving figures", disable=not progress):
        for suffix in FORMATS:
            path = folder / f"{name}.{suffix}"
            drawing.figure.savefig(path, dpi=200, bbox_inches="tight")
            written.append(path)
    return written
