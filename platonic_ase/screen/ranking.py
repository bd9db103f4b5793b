"""Which structures need a look: ranked by risk, and chosen for being different as well."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Mapping, Sequence
from io import StringIO
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from platonic_ase.errors import ScreenError
from platonic_ase.outputs import keep_previous, write_atomically
from platonic_ase.screen.sources import atoms_of
from platonic_ase.screen.store import Rows

logger = logging.getLogger("platonic_ase")

Row = Mapping[str, Any]

RISKS = (
    "risks.symmetry_breaking",
    "risks.phonon_probability_above_25_percent",
    "risks.phonon_error_rank",
    "risks.force_error_bound",
    "worst.extrapolation_score",
    "largest_force",
)
"""What ``"risk"`` stands for: the first of these that the rows have."""
POOL = 5
"""How many times as many of the riskiest structures a diverse selection chooses from."""


def resolve(rows: Sequence[Row], by: str = "risk") -> str:
    """Name of the number that rows are ranked by.

    Parameters
    ----------
    rows : sequence of dict
    by : str
        ``"risk"``, or a number of the rows such as ``"largest_force"`` or
        ``"worst.extrapolation_score"``.

    Raises
    ------
    ScreenError
        If no row has it; names what there is.
    """
    asked = RISKS if by == "risk" else (by,)
    there: set[str] = set()
    for row in rows:
        there.update(name for name in asked if name not in there and score(row, name) is not None)
        if asked[0] in there:
            break
    for name in asked:
        if name in there:
            return name
    known = sorted({name for row in rows for name in _numbers(row)})
    raise ScreenError(f"by = {by!r}: no row has that number; choose 'risk' or {', '.join(known)}")


def score(row: Row, name: str) -> float | None:
    """A number of a row; None where it has none.

    Parameters
    ----------
    row : dict
    name : str
        With a dot for what is nested, such as ``"worst.net_force"``.
    """
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else None


def ranked(rows: Sequence[Row], name: str) -> Sequence[Row]:
    """Rows that have the number, largest first; equal ones in the order of the structures.

    Parameters
    ----------
    rows : sequence of dict
    name : str
        From :func:`resolve`.
    """
    scored = [
        (-value, row["id"], place)
        for place, row in enumerate(rows)
        if (value := score(row, name)) is not None
    ]
    return at_places(rows, [place for *_, place in sorted(scored)])


def at_places(rows: Sequence[Row], places: Sequence[int]) -> Sequence[Row]:
    """Some of the rows, still in their file if they are there."""
    return rows.take(places) if isinstance(rows, Rows) else [rows[place] for place in places]


def parted(rows: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
    """Rows that were computed, and those that could not be."""
    failed = [row["error"] is not None for row in rows]
    places = range(len(failed))
    return (
        at_places(rows, [place for place in places if not failed[place]]),
        at_places(rows, [place for place in places if failed[place]]),
    )


def select(rows: Sequence[Row], count: int, name: str) -> list[Row]:
    """Structures that are risky and different: DIRECT among the riskiest.

    The five times as many riskiest are clustered by their mean Platonic coordinates, and of each
    cluster the structure nearest its centre is taken
    (:func:`~platonic_ase.space.selection.direct`).

    Parameters
    ----------
    rows : sequence of dict
    count : int
        All are taken where there are no more.
    name : str
        From :func:`resolve`.

    Returns
    -------
    list of dict
        Riskiest first.
    """
    from platonic_ase.space.selection import direct

    if count < 1:
        raise ScreenError(f"top = {count}; at least 1 structure is needed")
    able = (row for row in ranked(rows, name) if row["structure"])
    pool = list(islice(able, POOL * count))
    placed = [row for row in pool if row.get("platonic")]
    if len(placed) <= count:
        return pool[:count]
    try:
        chosen = direct(np.array([row["platonic"] for row in placed]), count)
    except ValueError as error:  # fewer that differ than are wanted
        logger.warning("the selection is by %s alone: %s", name, error)
        return pool[:count]
    return [placed[index] for index in sorted(chosen)]


def write_selection(rows: Sequence[Row], path: str | os.PathLike[str], name: str) -> Path:
    """Write structures to an extxyz file, for DFT.

    Parameters
    ----------
    rows : sequence of dict
    path : path-like
        A file of an earlier run is kept aside.
    name : str
        What they were chosen by; written with each, and the name of the structure.
    """
    from ase.io import write

    frames = []
    for row in rows:
        atoms = atoms_of(row["structure"])
        atoms.info.update(name=row["name"], platonic_id=row["id"])
        atoms.info[name.replace(".", "_")] = score(row, name)
        frames.append(atoms)
    text = StringIO()
    write(text, frames, format="extxyz")
    return write_atomically(keep_previous(path), text.getvalue())


def write_database(rows: Sequence[Row], path: str | os.PathLike[str]) -> Path:
    """Write rows to an ASE database: numbers as key-value pairs ``screen_...``, all else as data.

    Parameters
    ----------
    rows : sequence of dict
        Those without a structure are left out.
    path : path-like
        A file of an earlier run is kept aside.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left of it then.
    """
    import ase.db

    path = keep_previous(path)
    with TemporaryDirectory(dir=path.parent, prefix=".platonic-") as folder:
        whole = Path(folder) / path.name
        try:
            with ase.db.connect(whole, type="db") as database:
                for row in rows:
                    if not row["structure"]:
                        continue
                    pairs = {
                        f"screen_{name.replace('.', '_')}": score(row, name)
                        for name in _numbers(row)
                    }
                    data = {key: value for key, value in row.items() if key != "structure"}
                    database.write(
                        atoms_of(row["structure"]), key_value_pairs=pairs, data={"screen": data}
                    )
        except sqlite3.Error as error:
            raise OSError(f"{path}: {error}") from error
        whole.replace(path)
    return path


def _numbers(row: Row) -> list[str]:
    """Names of all numbers of a row, one level deep."""
    names = [key for key in row if score(row, key) is not None]
    for key, value in row.items():
        if isinstance(value, Mapping) and key not in ("structure", "info"):
            names += [f"{key}.{k}" for k in value if score(row, f"{key}.{k}") is not None]
    return names
