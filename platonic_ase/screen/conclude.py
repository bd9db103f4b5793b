"""What is made of the rows in the end: a page, a selection for DFT, a database."""

from __future__ import annotations

import os
from pathlib import Path

from platonic_ase.errors import ScreenError
from platonic_ase.report.html import number, plural
from platonic_ase.screen.page import label, write_summary
from platonic_ase.screen.parquet import write_parquet
from platonic_ase.screen.ranking import (
    ranked,
    resolve,
    score,
    select,
    write_database,
    write_selection,
)
from platonic_ase.screen.store import RUN, latest_rows
from platonic_ase.space.json_text import parse_json


def conclude_screening(
    folder: str | os.PathLike[str],
    by: str = "risk",
    top: int | None = None,
    database: bool = False,
    parquet: bool = False,
) -> dict[str, Path]:
    """Write the page of a screening, and what else is asked for; all rows are read into memory.

    Parameters
    ----------
    folder : path-like
        The output of :func:`~platonic_ase.screen.screen`, also of one that goes on.
    by : str
        ``"risk"``, or a number of the rows such as ``"worst.extrapolation_score"``.
    top : int, optional
        How many structures to write to ``top.xyz``; see
        :func:`~platonic_ase.screen.ranking.select`.
    database : bool
        Whether to write ``rows.db``.
    parquet : bool
        Whether to write ``rows.parquet``; needs pyarrow.

    Returns
    -------
    dict of str to Path
        Files, by role.

    Raises
    ------
    ScreenError
        If there are no rows, or none has that number.
    MissingExtraError
        If pyarrow is needed and missing.
    """
    folder = Path(folder)
    rows = latest_rows(folder)
    if not rows:
        raise ScreenError(f"{folder} holds no rows yet; were there any structures?")
    run = parse_json((folder / RUN).read_bytes())
    computed = [row for row in rows if row["error"] is None]
    if not computed:
        raise ScreenError(
            f"none of {len(rows)} structures could be computed; the first: {rows[0]['error']}"
        )
    name = resolve(computed, by)
    files = {"summary": write_summary(rows, run, folder / "summary.html", name)}
    if top is not None:
        files["selection"] = write_selection(select(computed, top, name), folder / "top.xyz", name)
    if database:
        files["database"] = write_database(rows, folder / "rows.db")
    if parquet:
        files["table"] = write_parquet(rows, folder / "rows.parquet")
    return files


def describe_screening(folder: str | os.PathLike[str], by: str = "risk", count: int = 3) -> str:
    """How many raised a warning, and which structures to look at first; two lines.

    Parameters
    ----------
    folder : path-like
    by : str
        See :func:`conclude_screening`.
    count : int
        How many to name.
    """
    computed = [row for row in latest_rows(folder) if row["error"] is None]
    name = resolve(computed, by)
    warned = sum(bool(row["events"]) for row in computed)
    first = "; ".join(
        f"{row['name']} ({', '.join(row['events']).replace('_', ' ') or 'no warning'}, "
        f"{number(score(row, name), 3)})"
        for row in ranked(computed, name)[:count]
    )
    return (
        f"{warned} of {plural(len(computed), 'structure')} raised a warning.\n"
        f"Look first at, by {label(name)}: {first}."
    )
