"""The HTML report of a comparison: one file, nothing fetched."""

from __future__ import annotations

import os
from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np

from platonic_ase._version import __version__
from platonic_ase.recording.html import facts, figure, number, page, plural, table
from platonic_ase.recording.plots.style import to_svg
from platonic_ase.workflows.compare.comparison import Comparison
from platonic_ase.workflows.compare.figures.gallery import Drawing
from platonic_ase.workflows.compare.spaces import SPACES

MOST_BIASED = 25


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
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(comparison, drawings), encoding="utf-8")
    return path


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
        _failures(comparison),
        *(
            figure(drawing.title, drawing.caption, to_svg(drawing.figure, name))
            for name, drawing in drawings.items()
        ),
        _similarity(comparison),
        _transport(comparison),
        _stitching(comparison),
        _analogies(comparison),
        _bias(comparison),
        _dimension(comparison),
    ]
    return page("Comparison of models", [part for part in body if part])


def _section(title: str, note: str, content: str) -> str:
    return (
        f'<section>\n<h2>{escape(title)}</h2>\n<p class="muted">{escape(note)}</p>\n'
        f"{content}</section>"
    )


def _interval(low: float, high: float) -> str:
    if not np.isfinite([low, high]).all():
        return "–"
    return f"{low:.3f} to {high:.3f}"


def _failures(comparison: Comparison) -> str:
    rows = [
        (escape(name), str(index), escape(why))
        for name, failures in comparison.failures.items()
        for index, why in sorted(failures.items())
    ]
    if not rows:
        return ""
    columns = (("model", "k"), ("structure", "n"), ("why", ""))
    return _section(
        f"{plural(len(rows), 'failure')}",
        "These structures are left out for all models, so that all see the same atoms.",
        table(columns, rows),
    )


def _similarity(comparison: Comparison) -> str:
    columns = (
        ("models", ""), ("space", "k"), ("measure", "k"), ("value", "n"),
        ("95 % interval", "n"), ("element only", "n"), ("p", "n"),
    )  # fmt: skip
    rows = [
        (
            escape(f"{e.a} – {e.b}"),
            e.space,
            e.measure,
            f"{e.estimate.value:.3f}",
            _interval(e.estimate.low, e.estimate.high),
            number(e.estimate.baseline_mean, 3),
            number(e.estimate.p_value, 2),
        )
        for e in comparison.similarity
    ]
    note = (
        "Mutual k nearest neighbours, linear debiased CKA and Procrustes angle (radians, small is "
        "similar); intervals from halves of the structures. 'Element only' is the baseline with "
        "atoms permuted within elements: what models that know the element alone share."
    )
    return _section("Similarity", note, table(columns, rows))


def _transport(comparison: Comparison) -> str:
    columns = (
        ("models", ""), ("space", ""), ("same atom", "n"), ("95 % interval", "n"),
        ("chance", "n"), ("right elements only", "n"), ("same element", "n"), ("chance", "n"),
    )  # fmt: skip
    rows = [
        (
            escape(f"{e.a} → {e.b}"),
            escape(SPACES[e.space]),
            f"{e.same_atom:.3f}",
            _interval(e.low, e.high),
            f"{e.chance_atom:.4f}",
            f"{e.element_baseline:.3f}",
            f"{e.same_element:.3f}",
            f"{e.chance_element:.3f}",
        )
        for e in comparison.transport
    ]
    note = (
        "Share of the mass of an exact optimal transport plan that lands on the same atom. "
        "'Right elements only' is what a plan with the same elements but random atoms gets."
    )
    return _section("Transport", note, table(columns, rows))


def _stitching(comparison: Comparison) -> str:
    if not comparison.stitching:
        return ""
    columns = (
        ("head of → used on", ""), ("space", ""), ("label", "k"), ("own", "n"),
        ("stitched", "n"), ("range of splits", "n"), ("constant", "n"),
    )  # fmt: skip
    rows = [
        (
            escape(f"{e.source} → {e.target}"),
            escape(SPACES[e.space]),
            e.label,
            f"{e.own:.2f}",
            f"{e.stitched:.2f}",
            f"{e.low:.2f} to {e.high:.2f}",
            f"{e.chance:.2f}",
        )
        for e in comparison.stitching
    ]
    note = "Share of right elements, R² else; five random splits of the structures."
    return _section("Stitching", note, table(columns, rows))


def _analogies(comparison: Comparison) -> str:
    if not comparison.analogies:
        return ""
    columns = (
        ("model", ""), ("space", "k"), ("family", ""), ("analogies", "n"), ("hits at 1", "n"),
        ("hits at 5", "n"), ("mean reciprocal rank", "n"), ("chance", "n"),
    )  # fmt: skip
    rows = [
        (
            escape(e.model),
            e.space,
            escape(e.family),
            str(e.n_analogies),
            f"{e.hits_at_1:.2f}",
            f"{e.hits_at_5:.2f}",
            f"{e.mean_reciprocal_rank:.2f}",
            f"{e.chance_mean_reciprocal_rank:.2f}",
        )
        for e in comparison.analogies
    ]
    note = (
        "Polymorphs compete with the answer. Composition alone finds the compound and ties "
        "between its polymorphs; it is perfect where a family has one prototype."
    )
    return _section("Embedding arithmetic", note, table(columns, rows))


def _bias(comparison: Comparison) -> str:
    worst = sorted(comparison.bias, key=lambda e: (e.q_value, -e.excess))[:MOST_BIASED]
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
            escape(e.label),
            str(e.n_structures),
            f"{e.departure:.2f}",
            f"{e.excess:+.2f}",
            number(e.q_value, 2),
        )
        for e in worst
    ]
    note = (
        f"The {len(rows)} most certain of {len(comparison.bias)}; excess over the median of the "
        "other models; q after Benjamini and Hochberg. All are in the JSON file."
    )
    return _section("Departures from the consensus", note, table(columns, rows))


def _dimension(comparison: Comparison) -> str:
    columns = (
        ("model", ""), ("space", "k"), ("intrinsic dimension", "n"), ("distinct atoms", "n"),
        ("collapsed", "n"),
    )  # fmt: skip
    rows = [
        (
            escape(e.model),
            e.space,
            f"{e.dimension:.1f}",
            f"{e.n_distinct:,}",
            f"{100 * e.collapsed_fraction:.0f} %",
        )
        for e in comparison.dimension
    ]
    note = "Two-NN; collapsed: atoms that have an equal among the others, as in a symmetry orbit."
    return _section("Intrinsic dimension", note, table(columns, rows))
