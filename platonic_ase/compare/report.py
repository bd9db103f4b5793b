"""The HTML report of a comparison: one file, nothing fetched."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from platonic_ase._version import __version__
from platonic_ase.compare import report_pairs as pairs
from platonic_ase.compare import report_portraits as portraits
from platonic_ase.compare.comparison import Comparison
from platonic_ase.compare.figures.gallery import Drawing
from platonic_ase.report.html import facts, figure, page, write_page
from platonic_ase.report.plots.style import to_svg


def write_report(
    comparison: Comparison,
    drawings: Mapping[str, Drawing],
    path: str | os.PathLike[str],
    *,
    progress: bool = False,
) -> Path:
    """Write tables and figures of a comparison to one HTML file.

    Parameters
    ----------
    comparison : Comparison
    drawings : mapping of str to Drawing
        From :func:`~platonic_ase.compare.figures.draw_all`.
    path : path-like
    progress : bool
        Whether to show a progress bar.
    """
    return write_page(render(comparison, drawings, progress=progress), path)


def render(
    comparison: Comparison, drawings: Mapping[str, Drawing], *, progress: bool = False
) -> str:
    """HTML of a comparison."""
    from tqdm.auto import tqdm

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
        pairs.failures(comparison),
        *(
            figure(drawing.title, drawing.caption, to_svg(drawing.figure, name))
            for name, drawing in tqdm(drawings.items(), desc="drawing", disable=not progress)
        ),
        portraits.structures(comparison),
        pairs.similarity(comparison),
        pairs.transport(comparison),
        pairs.stitching(comparison),
        pairs.analogies(comparison),
        portraits.bias(comparison),
        portraits.dimension(comparison),
    ]
    return page("Comparison of models", [part for part in body if part])
