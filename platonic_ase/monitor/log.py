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
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from platonic_ase._version import __version__
from platonic_ase.errors import RecordingWarning

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
