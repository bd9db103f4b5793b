"""The page of a screening: what needs a look, how the numbers are distributed, what failed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from platonic_ase.report.html import facts, figure, number, page, plural, table, write_page
from platonic_ase.screen.ranking import Row, ranked, score

SHOWN = 50
"""Rows of the table."""
_LABELS = {
    "risks.force_error_bound": "bound of the force error (eV/Å)",
    "worst.extrapolation_score": "extrapolation score",
    "largest_force": "largest force (eV/Å)",
    "risks.symmetry_breaking": "probability of breaking the symmetry",
    "risks.phonon_probability_above_25_percent": "probability of a phonon error above 25 %",
    "risks.phonon_error_rank": "rank of the phonon error",
}


def write_summary(
    rows: Sequence[Row], run: Mapping[str, Any], path: str | os.PathLike[str], name: str
) -> Path:
    """Write the page: one file that refers to nothing outside it.

    Parameters
    ----------
    rows : sequence of dict
        From :func:`~platonic_ase.screen.store.latest_rows`.
    run : mapping
        Settings and facts of the run, from ``run.json``.
    path : path-like
        Replaced if it exists.
    name : str
        What is ranked by; from :func:`~platonic_ase.screen.ranking.resolve`.

    Raises
    ------
    LogError
        If it cannot be written.
    """
    order = ranked(rows, name)
    failed = [row for row in rows if row["error"] is not None]
    body = [
        f"<h1>Screening of {plural(len(rows), 'structure')}</h1>",
        _said(rows, failed),
        facts(
            {
                "model": run.get("model"),
                "task": run.get("task"),
                "options": run.get("options") or None,
                "fingerprint": run.get("fingerprint"),
                "platonic_ase": run.get("platonic_ase"),
                "time of all rows": f"{sum(score(row, 'seconds') or 0.0 for row in rows):,.0f} s",
            }
        ),
        f"<h2>What needs a look, by {escape(label(name))}</h2>",
        _table(order[:SHOWN], name),
        *_figures(rows, order, name),
        *_failures(failed),
    ]
    return write_page(page("Screening", body), path)


def label(name: str) -> str:
    """What a number is called on the page.

    Parameters
    ----------
    name : str
    """
    return _LABELS.get(name, name.rpartition(".")[2].replace("_", " "))


def _said(rows: Sequence[Row], failed: Sequence[Row]) -> str:
    done = [row for row in rows if row["error"] is None]
    warned = sum(bool(row["events"]) for row in done)
    outside = sum(not row["covered"] for row in done)
    state = "alarm" if warned or failed else ""
    ends = Counter(str(row["ended"]) for row in done)
    return (
        f'<div class="verdict {state}"><strong>{warned} of {len(done)} raised a warning, '
        f"{len(failed)} could not be computed.</strong><p>{outside} are not covered by a "
        f"calibration, or not fully. Ended: "
        f"{escape(', '.join(f'{count} {how}' for how, count in ends.most_common(6)) or 'none')}."
        "</p></div>"
    )


def _table(rows: Sequence[Row], name: str) -> str:
    columns = [
        ("#", "n"), ("structure", "k"), ("formula", "k"), ("space group", "k"),
        (label(name), "n"), ("largest force (eV/Å)", "n"), ("ended", ""), ("warnings", ""),
        ("calibration", ""),
    ]  # fmt: skip
    cells = [
        [
            str(place),
            escape(row["name"]),
            escape(row["formula"]),
            escape(_groups(row)),
            number(score(row, name)),
            number(row["largest_force"]),
            escape(str(row["ended"])),
            escape(", ".join(kind.replace("_", " ") for kind in row["events"])) or "–",
            "covers it" if row["covered"] else escape("; ".join(row["not_covered"])),
        ]
        for place, row in enumerate(rows, start=1)
    ]
    return table(columns, cells)


def _groups(row: Row) -> str:
    before, after = row["space_group"] or "–", row["space_group_after"] or "–"
    return before if before == after else f"{before} → {after}"


def _figures(rows: Sequence[Row], order: Sequence[Row], name: str) -> list[str]:
    from platonic_ase.report.plots import to_svg
    from platonic_ase.screen.figures import distributions, space_map

    numbers: dict[str, np.ndarray] = {}
    for key in dict.fromkeys((name, "worst.extrapolation_score", "largest_force")):
        values = [value for row in rows if (value := score(row, key)) is not None]
        if values:
            numbers[label(key)] = np.array(values)
    parts = []
    if numbers:
        parts.append(
            figure(
                "Distributions",
                "Of all structures that were computed.",
                to_svg(distributions(numbers), "distributions"),
            )
        )
    placed = [row for row in order if row.get("platonic")]
    if len(placed) > 2:
        drawn = space_map(
            np.array([row["platonic"] for row in placed]),
            np.array([score(row, name) for row in placed]),
            range(min(SHOWN, len(placed))),
            label(name),
        )
        parts.append(
            figure(
                "Map",
                "One point a structure: the mean of the Platonic coordinates of its atoms, on the "
                "two leading principal components. Ringed are the structures of the table.",
                to_svg(drawn, "map"),
            )
        )
    return parts


def _failures(failed: Sequence[Row]) -> list[str]:
    if not failed:
        return []
    rows = [[f"<code>{escape(r['name'])}</code>", escape(str(r["error"]))] for r in failed[:500]]
    more = f"<p>and {len(failed) - 500} more, in rows.jsonl</p>" if len(failed) > 500 else ""
    return ["<h2>Not computed</h2>", table([("structure", ""), ("why", "")], rows), more]
