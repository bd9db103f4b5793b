"""Titles and captions of the charts of a comparison."""

from __future__ import annotations

from platonic_ase.compare.comparison import Comparison
from platonic_ase.compare.controls import is_control

SAID = {
    "likeness": (
        "How alike the spaces are",
        "One row a pair of models, the most alike first; one column a measure, with its value: the "
        "lighter, the more alike. Neighbours: share of the {k} nearest atoms that both have. "
        "Procrustes is an angle in radians, 0 for the same. Hover for intervals and for the "
        "baseline: what models share that know the elements only.",
    ),
    "map-standardised": (
        "The same atoms in each model, on common axes",
        "Principal components of standardised Platonic coordinates, of all models together: a "
        "place means the same in every panel. A click on an atom shows its structure.",
    ),
    "map-raw": (
        "The same atoms, on each model's own axes",
        "Principal components of the embeddings themselves: places of two panels cannot be "
        "compared, shapes can.",
    ),
    "distances": (
        "Distances between the clouds of atoms",
        "Small is alike. Baseline of 2-Wasserstein: atoms exchanged between the models at random; "
        "of Gromov–Wasserstein: a model without structure.",
    ),
    "transport": (
        "Where atoms land in the other model",
        "Optimal transport of distinct atoms. Bars: 95 % intervals over structures; rings: "
        "baseline of the Platonic plan, which lands on the same elements but on any atom of them "
        "(for elements: atoms permuted freely). The axis is that of square roots.",
    ),
    "plan": (
        "Where the elements of {a} land in {b}",
        "Share of the mass of the element of a row ({a}) that lands on that of a column ({b}), the "
        "lighter the more; a perfect plan is the diagonal. Of learned models this pair has "
        "the lowest linear CKA in Platonic space.",
    ),
    "stitching": (
        "Heads of one model, used on another",
        "Share of right elements, R² else. Bars: range of five splits; rings: the head on its own "
        "model, in Platonic coordinates; dotted: the best constant. Scores below −0.25 are drawn "
        "there.",
    ),
    "retrieval": (
        "Embedding arithmetic across models",
        "Analogies formed in the model of the row, answered among the crystals as the model of the "
        "column sees them: mean reciprocal rank. The diagonal stays within a model. Hover for what "
        "composition alone and chance come to.",
    ),
    "bias": (
        "Departure from the consensus, by element",
        "Brown: further from the other models than these are from each other; violet: closer; dot: "
        "false-discovery rate below 5 %; empty: fewer than five structures.",
    ),
}
"""By the name of the chart; ``k`` is the number of neighbours, ``a`` and ``b`` are models."""


def foreign_pair(comparison: Comparison) -> tuple[str, str]:
    """Two models least alike in Platonic space, of those with learned weights if there are two."""
    entries = [
        e
        for e in comparison.similarity
        if e.space == "platonic" and e.measure == "cka_linear_unbiased"
    ]
    learned = [e for e in entries if not (is_control(e.a) or is_control(e.b))]
    chosen = min(learned or entries, key=lambda e: e.estimate.value)
    return chosen.a, chosen.b
