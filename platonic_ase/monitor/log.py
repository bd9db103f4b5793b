"""The run log: JSON Lines, one object a line, written at once, readable after a kill.

The first line of a run is its header; then come an ``audit`` where one was asked for, one
``geometry`` a diagnosed geometry, a ``structure`` whenever a track begins or an event is raised (a
``copy`` where it differs from the latest one in a few displaced atoms), and a ``summary`` at the
end. Numbers of a geometry stand in a list; a ``layout`` before the first such list names them. What
was not computed at a geometry, see :mod:`~platonic_ase.monitor.frame`, is not in its layout.
A file may hold several runs, one after the other or, from several calculators, mixed: each line
has the id of its run.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import orjson

from platonic_ase._version import __version__
from platonic_ase.errors import RecordingWarning
from platonic_ase.monitor.policy import tell

if TYPE_CHECKING:
    from ase import Atoms

SCHEMA = 1
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%z"
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE


class RunLog:
    """Appends records to a JSON Lines file; a file that cannot be written never stops a run.

    Parameters
    ----------
    path : path-like
        Appended to, so that no earlier run is lost.
    run_id : str, optional
        Written in each record.
    """

    def __init__(self, path: str | os.PathLike[str], run_id: str | None = None) -> None:
        self.path = Path(path)
        self.failure: str | None = None
        self._start = {} if run_id is None else {"run": run_id}
        self._stream: BinaryIO | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # unbuffered: a line is one write, so that those of several runs do not mix
            self._stream = self.path.open("ab", buffering=0)
            if self._stream.tell() and not _ends_with_newline(self.path):
                self._stream.write(b"\n")  # a killed run left half a line
        except OSError as error:
            self._give_up(str(error))

    def write(self, kind: str, record: Mapping[str, Any]) -> None:
        """Write one record, made JSON-safe first."""
        self.write_clean(kind, to_json(record))

    def write_clean(self, kind: str, record: Mapping[str, Any]) -> None:
        """Write one record of Python's and numpy's numbers, contiguous arrays, lists and text.

        Numbers that are not finite become null.
        """
        if self._stream is None:
            return
        line = orjson.dumps({"type": kind, **self._start, **record}, option=_OPTIONS)
        try:
            if self._stream.write(line) != len(line):
                raise OSError("the disk is full")
            if os.fstat(self._stream.fileno()).st_nlink == 0:
                self._give_up("it was removed while the run was writing")
        except OSError as error:
            self._give_up(str(error))

    def close(self) -> None:
        """Close the file; further records are ignored."""
        if self._stream is not None:
            try:
                self._stream.close()
            except OSError as error:
                self._give_up(str(error))
            self._stream = None

    def _give_up(self, reason: str) -> None:
        if self.failure is not None:
            return
        self.failure = reason
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()
        self._stream = None
        tell(
            f"the run log {self.path} cannot be written ({reason}); the run goes on without it, "
            "and what was written is kept.",
            RecordingWarning,
        )


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"


def to_json(value: Any) -> Any:
    """Make a value JSON-safe: arrays become lists, numbers that are not finite become None.

    Floating-point numbers keep seven significant digits.
    """
    if isinstance(value, Mapping):
        return {_text(str(key)): to_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value)
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, str):
        return _text(value)
    return value


def _plain(array: np.ndarray) -> Any:
    """Nested lists of the numbers of an array, as :func:`to_json` makes them one by one."""
    if array.dtype.kind not in "fiub" or array.ndim == 0 or array.size == 0:
        return to_json(array.tolist())
    values = array.tolist() if array.ndim == 1 else array.ravel().tolist()
    if array.dtype.kind == "f":
        values = [float(format(v, ".7g")) if math.isfinite(v) else None for v in values]
    for width in array.shape[:0:-1]:
        values = [values[k : k + width] for k in range(0, len(values), width)]
    return values


def _text(value: str) -> str:
    """Text that UTF-8 can hold: names of files can have bytes that it cannot."""
    return value.encode("utf-8", "replace").decode("utf-8")


def structure_record(atoms: Atoms) -> dict[str, Any]:
    """Symbols, positions (Å), cell (Å) and boundary conditions of a structure."""
    return {
        "numbers": np.ascontiguousarray(atoms.numbers),
        "positions": np.round(atoms.positions, 6),
        "cell": np.round(atoms.cell.array, 7),
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
