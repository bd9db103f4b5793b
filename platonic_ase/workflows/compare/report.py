"""The HTML report of a comparison: one file, nothing fetched."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from platonic_ase._version import __version__
from platonic_ase.recording.html import facts, figure, page, write_page
from platonic_ase.recording.plots.style import to_svg
from platonic_ase.workflows.compare import report_tables as tables
from platonic_ase.workflows.compare.comparison import Comparison
from platonic_ase.workflows.compare.figures.gallery import Drawing


def write_report(
    comparison: Comparison, drawings: Mapping[str, Drawing], path: str | os.PathLike[str]
) -> Path:
    """Write tables and figures of a comparison to one HTML file.

    Parameters
    ----------
    comparison : Comparison
    drawings : mapping of str to Drawing
        From :func:`~platonic_ase.workflows.compare.figures.draw_all`.
    path : path-like
    """
    return write_page(render(comparison, drawings), path)


def render(comparison: Comparison, drawings: Mapping[str, Drawing]) -> str:
    """HTML of a comparison."""
    data = comparison.data
    body = [
        "<h1>Comparison of models</h1>",
        facts(
            {
                "models": ", ".join(comparison.models),
                "structures": data["n_structures"],
                "atoms": f"{data['n_atoms']:,} ({data['n_distinct']:,} distinct)",
                "anchors": data["n_anchors"],
                "cosines": "centred" if data["centred"] else "plain",
                "neighbours k": data["k"],
                "platonic_ase": __version__,
            }
        ),
        tables.failures(comparison),
        *(
            figure(drawing.title, drawing.caption, to_svg(drawing.figure, name))
            for name, drawing in drawings.items()
        ),
        tables.structures(comparison),
        tables.similarity(comparison),
        tables.transport(comparison),
        tables.stitching(comparison),
        tables.analogies(comparison),
        tables.bias(comparison),
        tables.dimension(comparison),
    ]
    return page("Comparison of models", [part for part in body if part])
