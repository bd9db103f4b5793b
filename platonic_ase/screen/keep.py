"""Which runs are kept: logs and trajectories of all structures, or of the worst so far."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from platonic_ase.errors import ScreenError
from platonic_ase.screen.evaluate import run_file
from platonic_ase.screen.ranking import RISKS, Row, score

FOLDER = "runs"
_SUFFIXES = ("jsonl", "traj")


class Keeper:
    """Deletes runs that are not among the worst, as rows come; never holds more than those few.

    Parameters
    ----------
    folder : Path
        Of the screening.
    keep : str
        ``"all"``, or ``"worst:50"``.
    by : str
        ``"risk"``, or a number of the rows.
    rows : iterable of dict
        Of an earlier call: their runs compete for the places.

    Raises
    ------
    ScreenError
        If ``keep`` is something else.
    """

    def __init__(self, folder: Path, keep: str, by: str = "risk", rows: Iterable[Row] = ()) -> None:
        self._folder, self._by = folder / FOLDER, by
        self._count = parse(keep)
        self._worst: list[tuple[float, int, str]] = []
        for row in rows:
            if self._count is not None and row["error"] is None:
                self.add(row)

    def add(self, row: Row) -> None:
        """Look at a row that was written: its run stays, and maybe another goes.

        Parameters
        ----------
        row : dict
            One that has no number to rank by, or was not computed, leaves no run.
        """
        if self._count is None:
            return
        value = self._value(row)
        place = (int(row["id"]), str(row["name"]))
        if value is None:
            self._remove(*place)
            return
        heapq.heappush(self._worst, (value, -place[0], place[1]))
        if len(self._worst) > self._count:
            _, index, name = heapq.heappop(self._worst)
            self._remove(-index, name)

    def _value(self, row: Row) -> float | None:
        if row["error"] is not None:
            return None
        names = RISKS if self._by == "risk" else (self._by,)
        return next((value for name in names if (value := score(row, name)) is not None), None)

    def _remove(self, index: int, name: str) -> None:
        for suffix in _SUFFIXES:
            with suppress(FileNotFoundError):
                run_file(self._folder, index, name, suffix).unlink()


def parse(keep: str) -> int | None:
    """How many runs are kept; None for all.

    Parameters
    ----------
    keep : str

    Raises
    ------
    ScreenError
        If it is neither ``"all"`` nor ``"worst:N"``.
    """
    kind, _, count = keep.partition(":")
    if keep == "all":
        return None
    if kind == "worst" and count.isdecimal() and int(count) > 0:
        return int(count)
    raise ScreenError(f"keep = {keep!r}; 'all', or 'worst:50' for those of the 50 worst, is needed")
