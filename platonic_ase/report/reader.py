"""Reading a run log back, also of a run that was killed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from platonic_ase.errors import LogError
from platonic_ase.monitor.log import SCHEMA
from platonic_ase.report.layouts import Layouts


@dataclass
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

    def add(self, kind: str, record: dict[str, Any]) -> None:
        """Take in one record of any kind but a header."""
        if kind == "geometry":
            self.geometries.append(record)
        elif kind == "structure":
            self.structures.append(record)
        elif kind == "event":
            self.raised.append(record)
        elif kind == "audit":
            self.audit = record
        elif kind == "summary":
            self.summary = record
        elif kind == "provenance":
            self.header = with_provenance(self.header, record)
        elif kind not in ("layout", "copy"):
            self.damaged += 1

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
        At least one, in the order of their headers. Lines belong to the run whose id they have, so
        that calculators can share a file; those without an id to the run before them.

    Raises
    ------
    LogError
        If the file is missing, holds no run, or was written with another schema.
    """
    path = Path(path)
    runs: list[RunRecord] = []
    by_id: dict[Any, RunRecord] = {}
    layouts = Layouts()
    last: dict[tuple[int, int], dict[str, Any]] = {}  # geometry by run and track
    try:
        with path.open("rb") as lines:
            for line in lines:
                kind, record = layouts.read(*parse(line))
                if kind == "header":
                    check_schema(record, path)
                    runs.append(RunRecord(record))
                    if isinstance(record.get("run"), str):
                        by_id[record["run"]] = runs[-1]
                elif runs:
                    run = by_id.get(str(record.pop("run", None)), runs[-1])
                    if kind == "geometry" and not per_atom:
                        key = (id(run), record["track"])
                        last.get(key, {}).pop("per_atom", None)
                        last[key] = record
                    run.add(kind, record)
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


def with_provenance(header: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Header with what was said later of where a run comes from."""
    known, more = header.get("provenance"), record.get("provenance")
    parts = [part for part in (known, more) if isinstance(part, Mapping)]
    return {**header, "provenance": {k: v for part in parts for k, v in part.items()}}


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
    if kind == "geometry" and not ({"index", "track"} <= record.keys() or "at" in record):
        return "damaged", {}
    if kind == "structure" and not {"index", "track", "atoms"} <= record.keys():
        return "damaged", {}
    if kind == "copy" and not {"index", "track", "of"} <= record.keys():
        return "damaged", {}
    if kind == "audit" and not {"laws", "departures"} <= record.keys():
        return "damaged", {}
    return kind, record
