"""Reading a run log as it grows: only what is new is read, and half a line waits for its rest."""

from __future__ import annotations

import os
from pathlib import Path

from platonic_ase.errors import LogError
from platonic_ase.report.columns import RunColumns
from platonic_ase.report.layouts import Layouts
from platonic_ase.report.reader import check_schema, no_run, parse

_BLOCK = 1 << 24


class LogFollower:
    """Reads a log into :class:`~platonic_ase.report.columns.RunColumns`, again and again.

    Parameters
    ----------
    path : path-like
        Of a log that is finished, grows, or does not exist yet. A log that became shorter is read
        anew.
    from_end : bool
        Whether to leave out what is there already.

    Attributes
    ----------
    runs : list of RunColumns
        In the order in which they began.
    version : int
        Rises with everything new.
    """

    def __init__(self, path: str | os.PathLike[str], *, from_end: bool = False) -> None:
        self.path = Path(path)
        self.runs: list[RunColumns] = []
        self.version = 0
        self._by_id: dict[str, RunColumns] = {}
        self._offset = self.path.stat().st_size if from_end and self.path.exists() else 0
        self._headless = self._offset > 0
        self._layouts = Layouts()
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
                    self.__init__(self.path)  # type: ignore[misc]
                    self.version = before + 1
                stream.seek(self._offset)
                while block := stream.read(_BLOCK):
                    self._offset += len(block)
                    *lines, self._rest = (self._rest + block).split(b"\n")
                    for line in lines:
                        self._take(line)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise LogError(f"cannot read the run log {self.path}: {error}") from error
        return self.version != before

    def close(self) -> None:
        """Count what is left of a line that was never finished."""
        rest, self._rest = self._rest, b""
        if rest:
            self._take(rest)

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        self.version += 1
        kind, record = self._layouts.read(*parse(line))
        if kind == "header":
            check_schema(record, self.path)
            self.runs.append(RunColumns(record))
            if isinstance(name := record.get("run"), str):
                self._by_id[name] = self.runs[-1]
            return
        if self._headless and not self.runs:
            self.runs.append(RunColumns({}))
        if self.runs:
            self._by_id.get(str(record.get("run")), self.runs[-1]).add(kind, record)


def read_columns(path: str | os.PathLike[str]) -> list[RunColumns]:
    """Read all runs of a log, in memory that grows by a few hundred bytes a geometry.

    Raises
    ------
    LogError
        If the log is missing, holds no run, or was written with another schema.
    """
    path = Path(path)
    if not path.exists():
        raise LogError(f"cannot read the run log {path}: there is no such file")
    follower = LogFollower(path)
    follower.poll()
    follower.close()
    if not follower.runs:
        raise no_run(path)
    return follower.runs
