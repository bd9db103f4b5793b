"""The run log: JSON Lines, one object a line, flushed, readable after a kill.

The first line of a run is its header; then come an ``audit`` where one was asked for, one
``geometry`` a diagnosed geometry, a ``structure`` whenever an event is raised, and a ``summary`` at
the end. A file may hold several runs, one after the other.
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from platonic_ase._version import __version__
from platonic_ase.errors import LogError, RecordingWarning

if TYPE_CHECKING:
    from ase import Atoms

SCHEMA = 1
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%z"
logger = logging.getLogger("platonic_ase")


class RunLog:
    """Appends records to a JSON Lines file; a file that cannot be written never stops a run.

    Parameters
    ----------
    path : path-like
        Appended to, so that no earlier run is lost.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.failure: str | None = None
        self._stream: TextIO | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self.path.open("a", encoding="utf-8")
            if self._stream.tell() and not _ends_with_newline(self.path):
                self._stream.write("\n")  # a killed run left half a line
        except OSError as error:
            self._give_up(error)

    def write(self, kind: str, record: Mapping[str, Any]) -> None:
        """Write one record and flush it."""
        if self._stream is None:
            return
        try:
            self._stream.write(json.dumps({"type": kind, **to_json(record)}, allow_nan=False))
            self._stream.write("\n")
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        """Close the file; further records are ignored."""
        if self._stream is not None:
            try:
                self._stream.close()
            except OSError as error:
                self._give_up(error)
            self._stream = None

    def _give_up(self, error: OSError) -> None:
        if self.failure is not None:
            return
        self.failure = str(error)
        if self._stream is not None:
            with suppress(OSError):  # what is still buffered cannot be written either
                self._stream.close()
        self._stream = None
        message = (
            f"the run log {self.path} cannot be written ({error}); the run goes on without it, "
            "and what was written is kept."
        )
        logger.warning(message)
        warnings.warn(message, RecordingWarning, stacklevel=4)


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"


def to_json(value: Any) -> Any:
    """Make a value JSON-safe: arrays become lists, numbers that are not finite become None.

    Floating-point numbers keep seven significant digits.
    """
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return to_json(value.tolist())
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    return value


def structure_record(atoms: Atoms) -> dict[str, Any]:
    """Symbols, positions (Å), cell (Å) and boundary conditions of a structure."""
    return {
        "numbers": atoms.numbers,
        "positions": atoms.positions,
        "cell": atoms.cell.array,
        "pbc": atoms.pbc.tolist(),
    }


def header_record(**entries: Any) -> dict[str, Any]:
    """First record of a run: schema, versions, time, and what the caller adds."""
    return {
        "schema": SCHEMA,
        "platonic_ase": __version__,
        "started": time.strftime(TIME_FORMAT),
        **entries,
    }


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
                kind, record = _parse(line)
                if kind == "header":
                    if record.get("schema") != SCHEMA:
                        raise LogError(
                            f"{path} has schema {record.get('schema')!r}; this version of "
                            f"platonic_ase reads {SCHEMA}"
                        )
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
        raise LogError(
            f"{path} holds no run of platonic_ase: its first line has to be a header. Was it "
            "written with PlatonicCalculator(..., log=...)?"
        )
    return runs


def _parse(line: str) -> tuple[str, dict[str, Any]]:
    """Kind and content of a line; the kind is "damaged" where it cannot be read."""
    try:
        record = json.loads(line)
        kind = record.pop("type")
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError):
        return "damaged", {}
    if kind == "geometry" and not {"index", "track"} <= record.keys():
        return "damaged", {}
    if kind == "structure" and not {"index", "track", "atoms"} <= record.keys():
        return "damaged", {}
    if kind == "audit" and not {"laws", "departures"} <= record.keys():
        return "damaged", {}
    return kind, record
