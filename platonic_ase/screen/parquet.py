"""Rows as a Parquet table, for pandas, Polars, DuckDB and the like; an extra."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from platonic_ase.errors import MissingExtraError
from platonic_ase.outputs import keep_previous, write_atomically

_NESTED = ("worst", "risks", "found", "info", "label_force_error")


def require_parquet() -> None:
    """Refuse before anything is computed.

    Raises
    ------
    MissingExtraError
        If pyarrow is missing.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingExtraError(
            "Parquet needs pyarrow: pip install 'platonic_ase[parquet]'; rows.jsonl holds the "
            "same, and --database writes an ASE database"
        )


def write_parquet(rows: Sequence[Mapping[str, Any]], path: str | os.PathLike[str]) -> Path:
    """Write rows as a table, one a structure.

    Numbers of ``worst``, ``risks`` and the like are columns of their own, such as
    ``risks.force_error_bound``; where some rows have a number and others a word, such as
    "uncalibrated", the word is left out. The structure, and what else is nested, is JSON.

    Parameters
    ----------
    rows : sequence of dict
    path : path-like
        A file of an earlier run is kept aside.
    """
    require_parquet()
    import pyarrow
    import pyarrow.parquet

    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    columns = {name: _column([row.get(name) for row in flat]) for name in names}
    whole = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(columns), whole)
    return write_atomically(keep_previous(path), whole.getvalue().to_pybytes())


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if key in _NESTED and isinstance(value, Mapping):
            flat |= {f"{key}.{name}": each for name, each in value.items()}
        else:
            flat[key] = value
    return flat


def _column(values: Sequence[Any]) -> list[Any]:
    """Values of one type: numbers, lists of numbers, truth values or text."""
    there = [value for value in values if value is not None]
    if there and all(isinstance(value, bool) for value in there):
        return list(values)
    numeric = [isinstance(value, (int, float)) and not isinstance(value, bool) for value in there]
    if any(numeric):
        return [
            value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
            for value in values
        ]
    if there and all(_is_numbers(value) for value in there):
        return list(values)
    return [
        value if value is None or isinstance(value, str) else json.dumps(value) for value in values
    ]


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, (int, float)) for each in value)
