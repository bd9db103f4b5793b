"""Tables of what one model, or one structure, is like, as HTML sections; empty if nothing is."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.compare.comparison import Comparison
from platonic_ase.compare.controls import is_control
from platonic_ase.compare.portraits import Departure
from platonic_ase.compare.report_section import interval, section
from platonic_ase.report.html import jump, number

MOST_BIASED = 8
"""Rows of each kind of label."""
MOST_DISPUTED = 20
SIGNIFICANT = 0.05
SMALLEST = 1e-6


def structures(comparison: Comparison, groups: Mapping[int, int]) -> str:
    """The structures that the models see most differently.

    Parameters
    ----------
    comparison : Comparison
    groups : mapping of int to int
        For structures that are on the page, their group.
    """
    if not comparison.structures:
        return ""
    worst = comparison.structures[:MOST_DISPUTED]
    columns = (
        ("structure", "n"), ("formula", ""), ("space group", "k"), ("atoms", "n"),
        ("median distance", "n"), ("furthest apart", ""), ("distance", "n"),
    )  # fmt: skip
    rows = [
        (
            jump(groups[e.structure], str(e.structure))
            if e.structure in groups
            else str(e.structure),
            escape(e.formula),
            escape(e.space_group),
            str(e.n_atoms),
            f"{e.median:.2f}",
            escape(f"{e.a} – {e.b}"),
            f"{e.largest:.2f}",
        )
        for e in worst
    ]
    typical = float(np.median([e.median for e in comparison.structures]))
    note = (
        f"The {len(worst)} of {len(comparison.structures):,} on which the models agree least. "
        "Distance of two models: mean over atoms of 1 - cos between standardised Platonic "
        f"coordinates, 0 for the same place, about 1 for unrelated ones; its median over pairs of "
        f"models is {typical:.2f} for the typical structure. All are in the JSON file."
    )
    return section("Disputed structures", note, columns, rows)


def bias(comparison: Comparison) -> str:
    """The largest departures of learned models from the consensus that are significant."""
    found: dict[str, list[Departure]] = {}
    for entry in sorted(comparison.bias, key=lambda e: -e.excess):
        if entry.q_value < SIGNIFICANT and not is_control(entry.model):
            found.setdefault(entry.by, []).append(entry)
    worst = [e for by in sorted(found) for e in found[by][:MOST_BIASED]]
    if not worst:
        return ""
    columns = (
        ("model", ""), ("by", "k"), ("label", "k"), ("structures", "n"), ("departure", "n"),
        ("excess", "n"), ("q", "n"),
    )  # fmt: skip
    rows = [
        (
            escape(e.model),
            e.by,
            chemical_symbols[int(e.label)] if e.by == "element" else escape(e.label),
            str(e.n_structures),
            f"{e.departure:.2f}",
            f"{e.excess:+.2f}",
            f"{e.q_value:.2g}" if e.q_value > SMALLEST else f"&lt; {SMALLEST:g}",
        )
        for e in worst
    ]
    note = (
        f"Learned models, q < {SIGNIFICANT:g} after Benjamini and Hochberg: of each kind of label "
        f"the {MOST_BIASED} with the largest excess over the median departure of the other models "
        f"({sum(map(len, found.values()))} are significant). All are in the JSON file."
    )
    return section("Departures from the consensus", note, columns, rows)


def dimension(comparison: Comparison) -> str:
    """Intrinsic dimensions."""
    columns = (
        ("model", ""), ("space", "k"), ("intrinsic dimension", "n"), ("95 % interval", "n"),
        ("baseline", "n"), ("p", "n"), ("distinct atoms", "n"), ("collapsed", "n"),
    )  # fmt: skip
    rows = [
        (
            escape(e.model),
            e.space,
            f"{e.estimate.value:.1f}",
            interval(e.estimate.low, e.estimate.high),
            number(e.estimate.baseline_mean, 3),
            number(e.estimate.p_value, 2),
            f"{e.n_distinct:,}",
            f"{100 * e.collapsed_fraction:.0f} %",
        )
        for e in comparison.dimension
    ]
    note = (
        "Two-NN; baseline: each column permuted by itself; collapsed: atoms that have an equal "
        "among the others, as in a symmetry orbit."
    )
    return section("Intrinsic dimension", note, columns, rows)
