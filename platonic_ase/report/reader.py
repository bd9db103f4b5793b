"""Reading a run log, also of a run that was killed, or that still goes on."""

from __future__ import annotations

import mmap
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson

from platonic_ase.errors import LogError
from platonic_ase.monitor.log import SCHEMA
from platonic_ase.report.layouts import Geometry, Layouts
from platonic_ase.report.shapes import checked

_BLOCK = 1 << 24
_GEOMETRY, _WITH_EVENTS = b'{"type":"geometry"', b'"events":'


class Run(ABC):
    """What of one run is kept whole: everything but its geometries.

    Attributes
    ----------
    header : mapping
    structures : list of mapping
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

    def __init__(self, header: Mapping[str, Any]) -> None:
        self.header = header
        self.structures: list[Mapping[str, Any]] = []
        self.summary: Mapping[str, Any] | None = None
        self.damaged = 0
        self.raised: list[Mapping[str, Any]] = []
        self.audit: Mapping[str, Any] | None = None

    @abstractmethod
    def geometry(self, geometry: Geometry) -> None:
        """Take in a geometry."""

    def structure(self, record: Mapping[str, Any]) -> None:
        """Take in a structure."""
        self.structures.append(record)

    def copy(self, record: Mapping[str, Any]) -> None:  # noqa: B027
        """Take in a copy of another track's structure, a few atoms moved; ignored by default."""

    def add(self, kind: str, record: Mapping[str, Any]) -> None:
        """Take in a record of any other kind but a header."""
        if kind == "structure":
            self.structure(record)
        elif kind == "event":
            self.raised.append(record)
        elif kind == "audit":
            self.audit = record
        elif kind == "summary":
            self.summary = record
        elif kind == "provenance":
            known, more = self.header.get("provenance"), record.get("provenance")
            parts = [part for part in (known, more) if isinstance(part, Mapping)]
            merged = {k: v for part in parts for k, v in part.items()}
            self.header = {**self.header, "provenance": merged}
        elif kind == "copy":
            self.copy(record)
        elif kind not in ("layout", "forecast"):
            self.damaged += 1


class RunRecord(Run):
    """One run with every geometry, all numbers under their names.

    Attributes
    ----------
    geometries : list of mapping
        In the order written.
    """

    def __init__(self, header: Mapping[str, Any]) -> None:
        super().__init__(header)
        self.geometries: list[dict[str, Any]] = []

    def geometry(self, geometry: Geometry) -> None:
        """Take in a geometry."""
        self.geometries.append(geometry.named())

    @property
    def events(self) -> list[Mapping[str, Any]]:
        """All events, in order; those of the workflow last."""
        return [*(event for record in self.geometries for event in record["events"]), *self.raised]


R = TypeVar("R", bound=Run)


class LogReader(Generic[R]):
    """Reads a log, again and again: only what is new, and half a line waits for its rest.

    Parameters
    ----------
    path : path-like
        Of a log that is finished, grows, or does not exist yet. A log that became shorter is read
        anew.
    make : callable
        Makes what holds a run, from its header.
    run : str, optional
        Begin with the header of this run, or where the log ends if it has none yet.
    latest : int, optional
        Of the geometries that have no event only the last so many of each look are read, which
        costs little however many there were.

    Attributes
    ----------
    runs : list of Run
        In the order in which they began. Lines belong to the run whose id they have, so that
        calculators can share a file; those without an id to the run before them.
    version : int
        Rises with everything new.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        make: Callable[[Mapping[str, Any]], R],
        *,
        run: str | None = None,
        latest: int | None = None,
    ) -> None:
        self.path = Path(path)
        self.version = 0
        self._make, self._latest = make, latest
        self._begin(0 if run is None else _start_of(self.path, run))

    def _begin(self, offset: int) -> None:
        self.runs: list[R] = []
        self._by_id: dict[str, R] = {}
        self._layouts = Layouts()
        self._offset = offset
        self._rest = b""

    def poll(self) -> bool:
        """Read what is new; whether there was anything.

        Raises
        ------
        LogError
            If the log exists and cannot be read, or was written with another schema.
        """
        before = self.version
        try:
            with self.path.open("rb") as stream:
                if os.fstat(stream.fileno()).st_size < self._offset:
                    self._begin(0)
                    self.version += 1
                stream.seek(self._offset)
                while block := stream.read(_BLOCK):
                    self._offset += len(block)
                    *lines, self._rest = (self._rest + block).split(b"\n")
                    for line in self._wanted(lines):
                        self._take(line)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise LogError(f"cannot read the run log {self.path}: {error}") from error
        return self.version != before

    def close(self) -> None:
        """Count what is left of a line that was never finished."""
        rest, self._rest = self._rest, b""
        self._take(rest)

    def _wanted(self, lines: Sequence[bytes]) -> Sequence[bytes]:
        if self._latest is None or len(lines) <= self._latest:
            return lines
        plain = [
            k
            for k, line in enumerate(lines)
            if line.startswith(_GEOMETRY) and _WITH_EVENTS not in line
        ]
        left_out = set(plain[: -self._latest])
        return [line for k, line in enumerate(lines) if k not in left_out]

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        self.version += 1
        kind, record = parse(line)
        if kind == "header":
            check_schema(record, self.path)
            self.runs.append(self._make(record))
            if isinstance(name := record.get("run"), str):
                self._by_id[name] = self.runs[-1]
            return
        if not self.runs:
            return
        name = record.get("run")
        run = self._by_id.get(name, self.runs[-1]) if isinstance(name, str) else self.runs[-1]
        try:
            if kind == "geometry":
                return run.geometry(self._layouts.geometry(record))
            if kind == "layout":
                self._layouts.learn(record)
        except (KeyError, TypeError, ValueError, AttributeError):
            kind = "damaged"
        record.pop("run", None)
        run.add(kind, record)


def read_runs(path: str | os.PathLike[str], make: Callable[[Mapping[str, Any]], R]) -> list[R]:
    """Read all runs of a log that is there.

    Parameters
    ----------
    path : path-like
    make : callable
        Makes what holds a run, from its header.

    Returns
    -------
    list of Run
        At least one.

    Raises
    ------
    LogError
        If the log is missing, holds no run, or was written with another schema.
    """
    path = Path(path)
    if not path.exists():
        raise LogError(f"cannot read the run log {path}: there is no such file")
    reader = LogReader(path, make)
    reader.poll()
    reader.close()
    if not reader.runs:
        raise LogError(
            f"{path} holds no run of platonic_ase: its first line has to be a header. Was it "
            "written with PlatonicCalculator(..., log=...)?"
        )
    return reader.runs


def read_log(path: str | os.PathLike[str]) -> list[RunRecord]:
    """Read all runs of a log with every geometry, see :func:`read_runs`.

    A log of a million geometries does not fit in memory like this;
    :func:`~platonic_ase.report.columns.read_columns` thins it on the way.
    """
    return read_runs(path, RunRecord)


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


def parse(line: str | bytes) -> tuple[str, dict[str, Any]]:
    """Kind and content of a line; the kind is "damaged" where it makes no sense."""
    try:
        record = orjson.loads(line)
        kind = record.pop("type")
        return (kind, checked(kind, record)) if isinstance(kind, str) else ("damaged", {})
    except (ValueError, AttributeError, KeyError, TypeError):
        return "damaged", {}


def _start_of(path: Path, run: str) -> int:
    """Where the first line with the id of a run begins, or where the log ends."""
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if not size:
                return 0
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as text:
                at = text.find(f'"run":"{run}"'.encode())
                return size if at < 0 else text.rfind(b"\n", 0, at) + 1
    except OSError:
        return 0
