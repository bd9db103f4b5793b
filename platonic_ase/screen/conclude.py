"""What is made of the rows in the end: a page, a selection for DFT, a database."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from platonic_ase.errors import LogError, ScreenError
from platonic_ase.report.html import number, plural
from platonic_ase.screen.page import label, write_summary
from platonic_ase.screen.parquet import write_parquet
from platonic_ase.screen.ranking import (
    parted,
    ranked,
    resolve,
    score,
    select,
    write_database,
    write_selection,
)
from platonic_ase.screen.store import REMEDY, RUN, latest_rows
from platonic_ase.space.json_text import parse_json


def conclude_screening(
    folder: str | os.PathLike[str],
    by: str = "risk",
    top: int | None = None,
    database: bool = False,
    parquet: bool = False,
) -> dict[str, Path]:
    """Write the page of a screening, and what else is asked for.

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
        Whether to write ``rows.parquet``; needs pyarrow, and reads all rows into memory.

    Returns
    -------
    dict of str to Path
        Files, by role.

    Raises
    ------
    ScreenError
        If there are no rows, none has that number, or a file cannot be written; nothing is left
        of that file then.
    MissingExtraError
        If pyarrow is needed and missing.
    """
    folder = Path(folder)
    rows = latest_rows(folder)
    if not rows:
        raise ScreenError(f"{folder} holds no rows yet; were there any structures?")
    run = parse_json((folder / RUN).read_bytes())
    computed, _ = parted(rows)
    if not computed:
        raise ScreenError(
            f"none of {len(rows)} structures could be computed; the first: {rows[0]['error']}"
        )
    name = resolve(computed, by)
    files = {
        "summary": _made(folder / "summary.html", lambda path: write_summary(rows, run, path, name))
    }
    if top is not None:
        chosen = select(computed, top, name)
        files["selection"] = _made(
            folder / "top.xyz", lambda path: write_selection(chosen, path, name)
        )
    if database:
        files["database"] = _made(folder / "rows.db", lambda path: write_database(rows, path))
    if parquet:
        files["table"] = _made(folder / "rows.parquet", lambda path: write_parquet(rows, path))
    return files


def _made(path: Path, write: Callable[[Path], object]) -> Path:
    try:
        write(path)
    except (OSError, LogError) as error:
        raise ScreenError(f"cannot write {path}: {error}. {REMEDY}") from error
    return path


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
    computed, _ = parted(latest_rows(folder))
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
