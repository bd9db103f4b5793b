"""A section of the report of a comparison: heading, note, table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from platonic_ase.report.html import table

LONG = 20
"""Rows of a table that is not folded, at most."""

Columns = Sequence[tuple[str, str]]
Rows = Sequence[Sequence[str]]


def section(title: str, note: str, columns: Columns, rows: Rows) -> str:
    """Heading, note and table; a long table is folded away."""
    content = table(columns, rows)
    if len(rows) > LONG:
        content = f"<details><summary>{len(rows):,} rows</summary>\n{content}</details>"
    return (
        f'<section>\n<h2>{escape(title)}</h2>\n<p class="muted">{escape(note)}</p>\n'
        f"{content}</section>"
    )


def interval(low: float, high: float) -> str:
    """Both ends, or a dash where there is no interval."""
    if not np.isfinite([low, high]).all():
        return "–"
    return f"{low:.3f} to {high:.3f}"
