"""The folder of a screening: one client at a time, rows as they come, readable after a kill."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self, overload

from platonic_ase.errors import ScreenError
from platonic_ase.outputs import write_atomically
from platonic_ase.space.json_text import parse_json

REMEDY = "What is written is kept; free some space and give the same command again."
ROWS, RUN, LOCK = "rows.jsonl", "run.json", "lock"
SCHEMA = 1


class RowStore:
    """Rows of a screening in a folder; a context that no other process can enter.

    Parameters
    ----------
    folder : path-like
        Made if it is not there.

    Raises
    ------
    ScreenError
        On entering, if another process writes there.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._lock: IO[str] | None = None
        self._rows: IO[bytes] | None = None

    def __enter__(self) -> Self:
        import fcntl

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # the lock goes with the process, however it ends
            self._lock = (self.folder / LOCK).open("a+", encoding="utf-8")
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                self._lock.seek(0)
                owner = self._lock.read().strip() or "another process"
                self._lock.close()
                raise ScreenError(
                    f"{self.folder} is being written by {owner}; wait for it, or choose another "
                    "output"
                ) from error
            self._lock.truncate(0)
            self._lock.write(f"process {os.getpid()} on {socket.gethostname()}")
            self._lock.flush()
        except OSError as error:
            if self._lock is not None:
                with suppress(OSError):  # closing tries to write once more
                    self._lock.close()
            raise ScreenError(f"cannot write to {self.folder}: {error}. {REMEDY}") from error
        return self

    def __exit__(self, *exception: object) -> None:
        for file in (self._rows, self._lock):
            if file is not None:
                file.close()

    def settle(self, run: Mapping[str, Any]) -> None:
        """Record what the run is, or make sure that the earlier one was the same.

        Parameters
        ----------
        run : mapping
            JSON-safe.

        Raises
        ------
        ScreenError
            If something differs, where the message has both values, or it cannot be written.
        """
        run = json.loads(json.dumps({"schema": SCHEMA, **run}))
        path = self.folder / RUN
        if not path.exists():
            try:
                write_atomically(path, json.dumps(run, indent=1) + "\n")
            except OSError as error:
                raise ScreenError(f"cannot write {path}: {error}. {REMEDY}") from error
            return
        try:
            earlier = parse_json(path.read_bytes())
        except ValueError as error:
            raise ScreenError(f"{path} is broken ({error}); choose another output") from error
        differ = [
            f"{key} {earlier.get(key)!r} then, {run.get(key)!r} now"
            for key in dict.fromkeys([*earlier, *run])
            if earlier.get(key) != run.get(key)
        ]
        if differ:
            raise ScreenError(
                f"{self.folder} holds another screening ({'; '.join(differ)}). Choose another "
                "output, or give the former settings to go on."
            )

    def finished(self, *, retry: bool = False) -> dict[str, str | None]:
        """Digest of each structure that has a row, by name; makes the file ready to go on.

        Parameters
        ----------
        retry : bool
            Whether structures that failed do not count.
        """
        path = self.folder / ROWS
        if path.exists():
            _cut_half_line(path)
        done: dict[str, str | None] = {}
        for row in read_rows(path):
            if retry and row["error"] is not None:
                done.pop(row["name"], None)
            else:
                done[row["name"]] = row["digest"]
        return done

    def add(self, row: Mapping[str, Any]) -> None:
        """Write a row, whole or not at all.

        Raises
        ------
        ScreenError
            If it cannot be written, on a full disk say; nothing that was written is lost.
        """
        line = json.dumps(row, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        path = self.folder / ROWS
        try:
            if self._rows is None:
                self._rows = path.open("ab", buffering=0)
            written = self._rows.write(line)
            if written != len(line):
                raise OSError(28, "no space left on device")
        except OSError as error:
            if path.exists():
                _cut_half_line(path)
            raise ScreenError(f"cannot write {path}: {error}. {REMEDY}") from error


def read_rows(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """Walk through rows, also those of a run that was killed in the middle of one.

    Parameters
    ----------
    path : path-like
        ``rows.jsonl``, or the folder that holds it; nothing comes where there is none yet.

    Yields
    ------
    dict
        A later row of the same name replaces an earlier one; both come.
    """
    for _, row in _placed_rows(_rows_file(path)):
        yield row


def _rows_file(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    return path / ROWS if path.is_dir() else path


def _placed_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row, and the byte at which it begins."""
    if not path.exists():
        return
    start = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                row = parse_json(line)
            except ValueError as error:
                raise ScreenError(f"{path} is broken ({error}); remove the line") from error
            yield start, row
            start += len(line)


class Rows(Sequence[dict[str, Any]]):
    """Rows of a file, each read when it is asked for; in memory is only where they begin.

    Parameters
    ----------
    path : Path
    starts : sequence of int
        Byte at which each begins.
    """

    def __init__(self, path: Path, starts: Sequence[int]) -> None:
        self._path, self._starts = path, starts

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if not self._starts:
            return
        with self._path.open("rb") as file:
            for start in self._starts:
                file.seek(start)
                yield parse_json(file.readline())

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> Rows: ...
    def __getitem__(self, place: int | slice) -> dict[str, Any] | Rows:
        if isinstance(place, slice):
            return Rows(self._path, self._starts[place])
        (row,) = Rows(self._path, [self._starts[place]])
        return row

    def take(self, places: Iterable[int]) -> Rows:
        """Those at some places, in that order."""
        return Rows(self._path, [self._starts[place] for place in places])


def latest_rows(path: str | os.PathLike[str]) -> Rows:
    """The last row of each name, in the order of the structures.

    Parameters
    ----------
    path : path-like
        As for :func:`read_rows`.
    """
    latest: dict[str, tuple[int, int]] = {}
    for start, row in _placed_rows(_rows_file(path)):
        latest[row["name"]] = int(row["id"]), start
    return Rows(_rows_file(path), [start for _, start in sorted(latest.values())])


def _cut_half_line(path: Path) -> None:
    """Remove what a kill left of a row."""
    with path.open("r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end:
            start = max(end - 65536, 0)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)
