"""The page of a screening: what needs a look, how the numbers are distributed, what failed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from platonic_ase.report.charts import Chart
from platonic_ase.report.html import (
    chart_section,
    facts,
    jump,
    number,
    plural,
    section,
    table,
    viewer_section,
    write_page,
)
from platonic_ase.report.sheet import Gallery, Group, sheet
from platonic_ase.report.verdict import Verdict
from platonic_ase.report.viewer import MOST_ATOMS
from platonic_ase.screen.charts import distributions, space_map
from platonic_ase.screen.ranking import Row, parted, ranked, score
from platonic_ase.screen.sources import atoms_of

SHOWN = 50
"""Rows of the table."""
_SAID = {
    "distributions": ("Distributions", "Of all structures that were computed."),
    "map": (
        "Map",
        "One point a structure: the mean of the Platonic coordinates of its atoms, on the two "
        "leading principal components. Ringed are the structures of the table.",
    ),
}
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
    done, failed = parted(rows)
    shown = list(order[:SHOWN])
    gallery = _gallery(shown)
    known = {} if gallery is None else {row["name"]: k for k, row in enumerate(_drawn(shown))}
    charts = _charts(rows, order, name, known)
    about = facts(
        {
            "model": run.get("model"),
            "task": run.get("task"),
            "options": run.get("options") or None,
            "fingerprint": run.get("fingerprint"),
            "platonic_ase": run.get("platonic_ase"),
            "time of all rows": f"{sum(score(row, 'seconds') or 0.0 for row in rows):,.0f} s",
        }
    )
    sections = [
        section(f"What needs a look, by {label(name)}", _table(shown, name, known)),
        ""
        if gallery is None
        else viewer_section(
            "Structures", "Click on a name of the table or a ringed point of the map."
        ),
        *(chart_section(*_SAID[chart], chart) for chart in charts),
        *_failures(failed),
        section("The screening", about),
    ]
    heading = f"Screening of {plural(len(rows), 'structure')}"
    verdict = _verdict(done, len(failed), shown, name)
    return write_page(sheet(heading, verdict, sections, charts, gallery), path)


def label(name: str) -> str:
    """What a number is called on the page.

    Parameters
    ----------
    name : str
    """
    return _LABELS.get(name, name.rpartition(".")[2].replace("_", " "))


def _verdict(done: Sequence[Row], failed: int, order: Sequence[Row], name: str) -> Verdict:
    warned = outside = 0
    ends: Counter[str] = Counter()
    for row in done:
        warned += bool(row["events"])
        outside += not row["covered"]
        ends[str(row["ended"])] += 1
    title = f"{warned} of {len(done)} raised a warning, {failed} could not be computed"
    if warned or failed:
        kind, sentence = "alarm", "Look at the first of the table before you use any of them"
        if order:
            sentence += f": {order[0]['name']} ({order[0]['formula']}) has the highest "
            sentence += f"{label(name)}, {number(score(order[0], name), 3)}"
        sentence += "."
    else:
        kind, sentence = "quiet", "Nothing asks you to distrust what was computed."
    return Verdict(
        kind,
        title,
        sentence,
        [
            f"{outside} are not covered by a calibration, or not fully. Ended: "
            f"{', '.join(f'{count} {how}' for how, count in ends.most_common(6)) or 'none'}."
        ],
    )


def _drawn(order: Sequence[Row]) -> list[Row]:
    """The first rows whose structures a browser can turn together."""
    kept: list[Row] = []
    total = 0
    for row in order:
        total += row["n_atoms"] if row["structure"] else 0
        if row["structure"] and total <= MOST_ATOMS:
            kept.append(row)
    return kept


def _gallery(order: Sequence[Row]) -> Gallery | None:
    groups = [
        Group(f"{row['name']}: {row['formula']}", [atoms_of(row["structure"])])
        for row in _drawn(order)
    ]
    return Gallery(groups) if groups else None


def _table(rows: Sequence[Row], name: str, known: Mapping[str, int]) -> str:
    values = list(dict.fromkeys((name, "largest_force")))
    columns = [
        ("#", "n"), ("structure", "k"), ("formula", "k"), ("space group", "k"),
        *((label(value), "n") for value in values), ("ended", ""), ("warnings", ""),
        ("calibration", ""),
    ]  # fmt: skip
    cells = [
        [
            str(place),
            jump(known[row["name"]], row["name"]) if row["name"] in known else escape(row["name"]),
            escape(row["formula"]),
            escape(_groups(row)),
            *(number(score(row, value)) for value in values),
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


def _charts(
    rows: Sequence[Row], order: Sequence[Row], name: str, known: Mapping[str, int]
) -> dict[str, Chart]:
    drawn: dict[str, Chart] = {}
    if found := numbers_of(rows, name):
        drawn["distributions"] = distributions(found)
    platonic = np.empty((0, 0), dtype=np.float32)
    scores: list[float | None] = []
    names: list[str] = []
    groups: dict[int, int] = {}
    for row in order:
        if not row.get("platonic"):
            continue
        if not names:
            platonic = np.empty((len(order), len(row["platonic"])), dtype=np.float32)
        platonic[len(names)] = row["platonic"]
        if row["name"] in known:
            groups[len(names)] = known[row["name"]]
        scores.append(score(row, name))
        names.append(f"{row['name']} ({row['formula']})")
    if len(names) > 2:
        drawn["map"] = space_map(
            platonic[: len(names)], np.array(scores), names, groups, label(name)
        )
    return drawn


def numbers_of(rows: Sequence[Row], name: str) -> dict[str, np.ndarray]:
    """The numbers whose distributions are drawn, by label.

    Parameters
    ----------
    rows : sequence of dict
    name : str
        What is ranked by.
    """
    found: dict[str, list[float]] = {
        key: [] for key in (name, "worst.extrapolation_score", "largest_force")
    }
    for row in rows:
        for key, values in found.items():
            if (value := score(row, key)) is not None:
                values.append(value)
    return {label(key): np.array(values) for key, values in found.items() if values}


def _failures(failed: Sequence[Row]) -> list[str]:
    if not failed:
        return []
    rows = [[f"<code>{escape(r['name'])}</code>", escape(str(r["error"]))] for r in failed[:500]]
    more = f"<p>and {len(failed) - 500} more, in rows.jsonl</p>" if len(failed) > 500 else ""
    return [section("Not computed", table([("structure", ""), ("why", "")], rows), more)]
