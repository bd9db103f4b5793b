"""A run in columns that stay small however long it is: the extremes of every stretch are kept."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from platonic_ase.report.layouts import ROW, Geometry, Layout
from platonic_ase.report.reader import LogReader, Run, read_runs
from platonic_ase.report.shapes import LARGEST
from platonic_ase.report.tracks import TrackSeries, abscissa, extremes, orbit_label, place

MOST_STRUCTURES = 240
_MOST_ATOMS = 40_000  # in all structures of a run together
_PENDING = 2048  # rows that wait as lists
_MOST_ROWS = 30_000
_BINS = 250
_AT = (("at", "row"), ("at", "index"), ("at", "step"))
_ORBITS = "orbit_splitting_by_orbit"


class TrackColumns:
    """One track as a table, thinned to the extremes of each column where it grows long."""

    def __init__(self) -> None:
        self.length = 0
        self.facts: Mapping[str, Any] = {}
        self.n_atoms: int | None = None
        self.events: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
        self._columns: dict[tuple[str, Any], int] = {key: k for k, key in enumerate(_AT)}
        self._pending: dict[Layout, list[list[Any]]] = {}
        self._waiting = 0
        self._parts: list[np.ndarray] = []

    def add(self, geometry: Geometry) -> None:
        """Take in a geometry; what is no number is NaN."""
        rows = self._pending.get(geometry.layout)
        if rows is None:
            rows = self._pending[geometry.layout] = []
        rows.append([self.length, geometry.index, geometry.step, *geometry.values])
        self.length += 1
        self._waiting += 1
        if self._waiting >= _PENDING:
            self._settle()

    def series(self, number: int) -> TrackSeries:
        """Everything so far as arrays; thinned evenly where it is long."""
        table = self._table()
        if self.length > _MOST_ROWS:
            table = table[extremes(table, table[:, 0], self.length, _BINS)]
        values = {key: table[:, k] for key, k in self._columns.items()}
        row, index, step = (values.pop(key) for key in _AT)
        x, label, counted = abscissa(step, index, row)
        names = (self.facts.get("symmetry") or {}).get("orbits") or ()
        symbols = dict.fromkeys(name[0] for kind, name in values if kind == "map")
        return TrackSeries(
            number,
            x,
            label,
            {name: v for (kind, name), v in values.items() if kind in ("row", "scalar")},
            {
                orbit_label(name[1], names): v
                for (kind, name), v in values.items()
                if kind == "series" and name[0] == _ORBITS
            },
            {s: np.column_stack([values["map", (s, 0)], values["map", (s, 1)]]) for s in symbols},
            tuple((place(where, counted), event) for where, event in self.events),
            self.facts,
            self.n_atoms,
            index,
            counted,
        )

    def recent(self, name: str, count: int) -> list[float]:
        """Get the latest values of one quantity."""
        column = self._columns.get(("row" if name in ROW else "scalar", name))
        if self._waiting:
            self._settle()
            column = self._columns.get(("row" if name in ROW else "scalar", name))
        if column is None or not self._parts:
            return []
        found: list[float] = []
        for part in reversed(self._parts):
            tail = part[-count:]
            has = column < tail.shape[1]
            values = tail[:, column].tolist() if has else [float("nan")] * len(tail)
            found = values + found
            if len(found) >= count:
                break
        return found[-count:]

    def _settle(self) -> None:
        """Turn the rows that wait into an array, and thin the table where it is long."""
        blocks = []
        for layout, rows in self._pending.items():
            for key in layout.columns:
                self._columns.setdefault(key, len(self._columns))
            where = [0, 1, 2, *(self._columns[key] for key in layout.columns)]
            blocks.append((where, _numbers(rows)))
        part = np.full((self._waiting, len(self._columns)), np.nan)
        at = 0
        for where, block in blocks:
            block[np.abs(block) > LARGEST] = np.nan
            part[at : at + len(block), where] = block
            at += len(block)
        self._pending, self._waiting = {}, 0
        self._parts.append(part[part[:, 0].argsort()] if len(blocks) > 1 else part)
        if sum(map(len, self._parts)) > _MOST_ROWS:
            table = self._table()
            # the newest rows stay for the history of a panel
            kept = extremes(table[:-_PENDING], table[:-_PENDING, 0], self.length, _BINS)
            self._parts = [table[kept], table[-_PENDING:].copy()]

    def _table(self) -> np.ndarray:
        if self._waiting:
            self._settle()
        width = len(self._columns)
        return np.concatenate([np.empty((0, width)), *(_widen(p, width) for p in self._parts)])


class RunColumns(Run):
    """One run, fed record by record; a log that still grows can go on being fed.

    Attributes
    ----------
    tracks : dict of int to TrackColumns
    structures : list of mapping
        The first, those at events and the latest; thinned evenly beyond 240.
    rows : list of (mapping, mapping)
        Each event after the few numbers that say where it was raised.
    risks, largest_risks : dict
        The latest and the largest of each.
    last : Geometry or None
        The latest.
    geometries : int
        How many there were.
    """

    def __init__(self, header: Mapping[str, Any]) -> None:
        super().__init__(header)
        self.tracks: dict[int, TrackColumns] = {}
        self.rows: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
        self.risks: dict[str, Any] = {}
        self.largest_risks: dict[str, float] = {}
        self.last: Geometry | None = None
        self.geometries = 0
        self._atoms = 0

    @property
    def events(self) -> list[Mapping[str, Any]]:
        """All events, in order; those of the workflow last."""
        return [*(event for _, event in self.rows), *self.raised]

    def series(self) -> list[TrackSeries]:
        """Arrays of every track, in order of track number."""
        return [self.tracks[n].series(n) for n in sorted(self.tracks) if self.tracks[n].length]

    def geometry(self, geometry: Geometry) -> None:
        """Take in a geometry."""
        self.geometries += 1
        track = self._track(geometry.track)
        track.add(geometry)
        if "events" in geometry.more:
            where = {"index": geometry.index, "track": geometry.track, "step": geometry.step}
            where["row"] = track.length - 1
            for event in geometry.events:
                track.events.append((where, event))
                self.rows.append((where, event))
        if "risks" in geometry.more or self.last is None or self.last.layout != geometry.layout:
            self._risks({**geometry.layout.risks, **(geometry.more.get("risks") or {})})
        self.last = geometry

    def structure(self, record: Mapping[str, Any]) -> None:
        """Take in a structure."""
        track = self._track(record["track"])
        count = len((record.get("atoms") or {}).get("numbers") or ())
        if track.n_atoms is None:
            track.facts = record.get("facts") or {}
            track.n_atoms = count or None
        self.structures.append(record)
        self._atoms += count
        while len(self.structures) > MOST_STRUCTURES or (
            self._atoms > _MOST_ATOMS and len(self.structures) > 2
        ):
            del self.structures[1:-1:2]
            self._atoms = sum(
                len((each.get("atoms") or {}).get("numbers") or ()) for each in self.structures
            )

    def copy(self, record: Mapping[str, Any]) -> None:
        """Take in a structure that differs from that of another track in a few moved atoms."""
        track, other = self._track(record["track"]), self._track(record["of"])
        if track.n_atoms is None:
            track.n_atoms = other.n_atoms
            track.facts = record.get("facts", other.facts)

    def _track(self, number: int) -> TrackColumns:
        return self.tracks.setdefault(number, TrackColumns())

    def _risks(self, risks: Mapping[str, Any]) -> None:
        for name, value in risks.items():
            self.risks[name] = value
            if isinstance(value, (int, float)):
                self.largest_risks[name] = max(value, self.largest_risks.get(name, value))


def follow(path: str | os.PathLike[str]) -> LogReader[RunColumns]:
    """Reader of a log that another process may be writing."""
    return LogReader(path, RunColumns)


def read_columns(path: str | os.PathLike[str]) -> list[RunColumns]:
    """Read all runs of a log, see :func:`~platonic_ase.report.reader.read_runs`."""
    return read_runs(Path(path), RunColumns)


def _widen(part: np.ndarray, width: int) -> np.ndarray:
    """Columns that were not there yet are NaN."""
    missing = width - part.shape[1]
    return np.pad(part, ((0, 0), (0, missing)), constant_values=np.nan) if missing else part


def _numbers(rows: Sequence[Sequence[Any]]) -> np.ndarray:
    try:
        return np.array(rows, dtype=float)
    except (TypeError, ValueError):
        return np.array([[_number(value) for value in row] for row in rows])


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")
