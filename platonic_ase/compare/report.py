"""The page of a comparison: one file, nothing fetched."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase._version import __version__
from platonic_ase.compare import charts, charts_between
from platonic_ase.compare import report_pairs as pairs
from platonic_ase.compare import report_portraits as portraits
from platonic_ase.compare.comparison import Comparison
from platonic_ase.compare.disagreement import atom_distances
from platonic_ase.compare.report_said import SAID, foreign_pair
from platonic_ase.compare.summary import verdict
from platonic_ase.compare.views import Views
from platonic_ase.errors import ComparisonError
from platonic_ase.report.charts import Chart
from platonic_ase.report.html import (
    chart_section,
    facts,
    plural,
    section,
    viewer_section,
    write_page,
)
from platonic_ase.report.sheet import Gallery, Group, sheet
from platonic_ase.report.viewer import MOST_ATOMS

if TYPE_CHECKING:
    from ase import Atoms

SHOWN = 60
"""Structures of a page, at most; the most disputed come first."""
BESIDE = 3
"""Maps of models beside each other, at most; more are put below."""


def write_report(
    comparison: Comparison,
    views: Views,
    path: str | os.PathLike[str],
    structures: Iterable[Atoms] = (),
) -> Path:
    """Write what a comparison found as one self-contained HTML file.

    Parameters
    ----------
    comparison : Comparison
    views : Views
        The arrays that it was made from.
    path : path-like
        Replaced if it exists; its folder is made.
    structures : iterable of Atoms, optional
        Those that were compared, in their order; the most disputed are on the page, to turn.

    Raises
    ------
    LogError
        If it cannot be written.
    ComparisonError
        If the structures are not those that were compared.
    """
    return write_page(render(comparison, views, structures), path)


def render(comparison: Comparison, views: Views, structures: Iterable[Atoms] = ()) -> str:
    """HTML of a comparison; see :func:`write_report`."""
    data = comparison.data
    gallery, groups = _gallery(comparison, views, structures)
    drawn = {name: made for name, made in _charts(comparison, views, groups).items() if made}
    about = facts(
        {
            "Models": ", ".join(comparison.models),
            "Structures": data["n_structures"],
            "Atoms": f"{data['n_atoms']:,} ({data['n_distinct']:,} distinct)",
            "Anchors": data["n_anchors"],
            "Cosines": "centred" if data["centred"] else "plain",
            "Neighbours k": data["k"],
            "platonic_ase": __version__,
        }
    )
    sections = [
        _section("likeness", drawn, comparison),
        *(_section(name, drawn, comparison) for name in drawn if name.startswith("map")),
        ""
        if gallery is None
        else viewer_section(
            "Structures",
            "Click on an atom of a map or a number of the table. Colour: how far apart the models "
            "put an atom, 0 for the same place, about 1 for unrelated ones; median over pairs.",
        ),
        portraits.structures(comparison, groups),
        *(
            _section(name, drawn, comparison)
            for name in ("distances", "transport", "plan", "stitching", "retrieval", "bias")
        ),
        pairs.failures(comparison),
        pairs.similarity(comparison),
        pairs.transport(comparison),
        pairs.stitching(comparison),
        pairs.analogies(comparison),
        portraits.bias(comparison),
        portraits.dimension(comparison),
        section("The comparison", about),
    ]
    heading = f"Comparison of {plural(len(comparison.models), 'model')}"
    return sheet(heading, verdict(comparison), sections, drawn, gallery)


def _charts(
    comparison: Comparison, views: Views, groups: Mapping[int, int]
) -> dict[str, Chart | None]:
    formulas = {each.structure: each.formula for each in comparison.structures}
    lines = np.array_split(views.names, math.ceil(len(views.names) / BESIDE))
    return {
        "likeness": charts.likeness(comparison),
        **{
            f"map-{space}{f'-{k}' if k else ''}": charts.maps(
                views, space, formulas, groups, list(map(str, names))
            )
            for space in ("standardised", "raw")
            for k, names in enumerate(lines)
        },
        "distances": charts.distances(comparison),
        "transport": charts_between.transport(comparison),
        "plan": charts_between.plan(views, *foreign_pair(comparison)),
        "stitching": charts_between.stitching(comparison),
        "retrieval": charts_between.retrieval(comparison),
        "bias": charts_between.bias(comparison),
    }


def _section(name: str, drawn: Mapping[str, Chart], comparison: Comparison) -> str:
    if name not in drawn:
        return ""
    if name not in SAID:  # more models of a map
        return chart_section("", "", name)
    title, caption = SAID[name]
    a, b = foreign_pair(comparison)
    words = {"k": comparison.data["k"], "a": a, "b": b}
    return chart_section(title.format(**words), caption.format(**words), name)


def _gallery(
    comparison: Comparison, views: Views, structures: Iterable[Atoms]
) -> tuple[Gallery | None, dict[int, int]]:
    """Structures of the page, and the group of each by its number."""
    kept, total = [], 0
    for each in comparison.structures[:SHOWN]:
        total += each.n_atoms
        if total <= MOST_ATOMS:
            kept.append(each)
    wanted = {each.structure for each in kept}
    found = {k: atoms for k, atoms in enumerate(structures) if k in wanted}
    kept = [each for each in kept if each.structure in found]
    if not kept:
        return None, {}
    apart = np.median(atom_distances(views)[1], axis=0)
    colours = []
    for each in kept:
        rows = views.structures == each.structure
        atoms = found[each.structure]
        if not np.array_equal(views.numbers[rows], atoms.numbers):
            raise ComparisonError(
                f"structure {each.structure} is {atoms.symbols}, which is not what was compared; "
                "give the structures of the comparison, in their order"
            )
        colours.append(apart[rows])
    shown = [
        Group(
            f"structure {each.structure}: {each.formula}, distance {each.median:.2f}",
            [found[each.structure]],
        )
        for each in kept
    ]
    gallery = Gallery(shown, {"distance": np.concatenate(colours)}, "distance")
    return gallery, {each.structure: k for k, each in enumerate(kept)}
