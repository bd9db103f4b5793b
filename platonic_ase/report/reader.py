"""Reading a run log back, also of a run that was killed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from platonic_ase.errors import LogError
from platonic_ase.monitor.log import SCHEMA


@dataclass(frozen=True)
class RunRecord:
    """One run read back from a log.

    Attributes
    ----------
    header : mapping
    geometries, structures : list of mapping
        In the order written.
    summary : mapping or None
        None where the run was killed.
    damaged : int
        Lines that could not be read.
    raised : list of mapping
        Events of a workflow rather than of one geometry.
    audit : mapping or None
        What the model gets wrong by construction, where it was asked for.
    """

    header: Mapping[str, Any]
    geometries: list[Mapping[str, Any]] = field(default_factory=list)
    structures: list[Mapping[str, Any]] = field(default_factory=list)
    summary: Mapping[str, Any] | None = None
    damaged: int = 0
    raised: list[Mapping[str, Any]] = field(default_factory=list)
    audit: Mapping[str, Any] | None = None

    @property
    def events(self) -> list[Mapping[str, Any]]:
        """All events, in order; those of the workflow last."""
        seen = [event for record in self.geometries for event in record.get("events") or ()]
        return [*seen, *self.raised]


def read_log(path: str | os.PathLike[str], *, per_atom: bool = True) -> list[RunRecord]:
    """Read all runs of a log, also of a run that was killed in the middle of a line.

    Parameters
    ----------
    path : path-like
    per_atom : bool
        Whether to keep the per-atom arrays of every geometry. They are most of a long log; without
        them only the last geometry of each track keeps its own.

    Returns
    -------
    list of RunRecord
        At least one.

    Raises
    ------
    LogError
        If the file is missing, holds no run, or was written with another schema.
    """
    path = Path(path)
    runs: list[RunRecord] = []
    last: dict[int, dict[str, Any]] = {}  # geometry by track
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                kind, record = parse(line)
                if kind == "header":
                    check_schema(record, path)
                    runs.append(RunRecord(record))
                    last.clear()
                elif not runs:
                    continue
                elif kind == "geometry":
                    if not per_atom:
                        last.get(record["track"], {}).pop("per_atom", None)
                        last[record["track"]] = record
                    runs[-1].geometries.append(record)
                elif kind == "structure":
                    runs[-1].structures.append(record)
                elif kind == "event":
                    runs[-1].raised.append(record)
                elif kind == "audit":
                    runs[-1] = replace(runs[-1], audit=record)
                elif kind == "summary":
                    runs[-1] = replace(runs[-1], summary=record)
                else:
                    runs[-1] = replace(runs[-1], damaged=runs[-1].damaged + 1)
    except OSError as error:
        raise LogError(f"cannot read the run log {path}: {error}") from error
    if not runs:
        raise no_run(path)
    return runs


def check_schema(header: Mapping[str, Any], path: Path) -> None:
    """Refuse a log of another schema.

    Raises
    ------
    LogError
    """
    if header.get("schema") != SCHEMA:
        raise LogError(
            f"{path} has schema {header.get('schema')!r}; this version of platonic_ase reads "
            f"{SCHEMA}"
        )


def no_run(path: Path) -> LogError:
    """Error for a file without a header."""
    return LogError(
        f"{path} holds no run of platonic_ase: its first line has to be a header. Was it "
        "written with PlatonicCalculator(..., log=...)?"
    )


def parse(line: str | bytes) -> tuple[str, dict[str, Any]]:
    """Kind and content of a line; the kind is "damaged" where it cannot be read."""
    try:
        record = orjson.loads(line)
        kind = record.pop("type")
    except (ValueError, AttributeError, KeyError, TypeError):
        return "damaged", {}
    if kind == "geometry" and not {"index", "track"} <= record.keys():
        return "damaged", {}
    if kind == "structure" and not {"index", "track", "atoms"} <= record.keys():
        return "damaged", {}
    if kind == "audit" and not {"laws", "departures"} <= record.keys():
        return "damaged", {}
    return kind, record
