"""A run read one record at a time: numbers go to columns, so that a long run fits in memory."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np

from platonic_ase.report.reader import with_provenance
from platonic_ase.report.tracks import TrackSeries, abscissa, orbit_label

_MOST_STRUCTURES = 240
_NAN = float("nan")
_ROW = ("energy", "volume", "temperature", "step", "index")


class TrackColumns:
    """One track: each number of its geometries in a column of its own, 8 bytes each."""

    def __init__(self) -> None:
        self.length = 0
        self.facts: Mapping[str, Any] = {}
        self.n_atoms: int | None = None
        self.events: list[tuple[int, Mapping[str, Any]]] = []
        self._columns: dict[tuple[str, Any], array[float]] = {}

    def add(self, record: Mapping[str, Any]) -> None:
        """Take in a ``geometry`` record; what it lacks, or has as no number, is NaN."""
        row = self.length
        for name in _ROW:
            self._put("row", name, record.get(name))
        for name, value in _items(record.get("scalars")):
            self._put("scalar", name, value)
        splitting = dict(_items(record.get("series"))).get("orbit_splitting_by_orbit")
        for k, value in enumerate(splitting if isinstance(splitting, list) else ()):
            self._put("orbit", k, value)
        for symbol, point in _items(record.get("map")):
            for axis in (0, 1):
                inside = isinstance(point, list) and len(point) == 2
                self._put("map", (symbol, axis), point[axis] if inside else None)
        self.events += [(row, event) for event in record.get("events") or ()]
        self.length += 1

    def series(self, number: int) -> TrackSeries:
        """Everything so far as arrays."""
        table = {key: self._filled(column) for key, column in self._columns.items()}
        step, index = table[("row", "step")], table[("row", "index")]
        x, label = abscissa(step, index)
        columns = {name: v for (kind, name), v in table.items() if kind == "scalar"}
        columns |= {name: table[("row", name)] for name in _ROW[:3]}
        names = (self.facts.get("symmetry") or {}).get("orbits") or ()
        symbols = dict.fromkeys(name[0] for kind, name in table if kind == "map")
        return TrackSeries(
            number,
            x,
            label,
            columns,
            {orbit_label(k, names): v for (kind, k), v in table.items() if kind == "orbit"},
            {s: np.column_stack([table[("map", (s, 0))], table[("map", (s, 1))]]) for s in symbols},
            tuple((float(x[row]), event) for row, event in self.events),
            self.facts,
            self.n_atoms,
            index,
        )

    def recent(self, name: str, count: int) -> list[float]:
        """Get the latest values of one quantity, without touching the rest."""
        kind = "row" if name in _ROW else "scalar"
        column = self._columns.get((kind, name))
        if column is None:
            return []
        return list(column[-count:]) if len(column) == self.length else [*column[-count:], _NAN]

    def _put(self, kind: str, name: Any, value: Any) -> None:
        column = self._columns.get((kind, name))
        if column is None:
            column = self._columns[(kind, name)] = array("d")
        if len(column) < self.length:  # it was not there for a while
            column.extend([_NAN] * (self.length - len(column)))
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        column.append(float(value) if number else _NAN)

    def _filled(self, column: array[float]) -> np.ndarray:
        values = np.array(column)
        missing = self.length - len(values)
        return np.append(values, np.full(missing, _NAN)) if missing else values


class RunColumns:
    """One run of a log, fed record by record; a log that still grows can go on being fed.

    Attributes
    ----------
    header : mapping
    tracks : dict of int to TrackColumns
    structures : list of mapping
        The first, those at events and the latest; thinned evenly beyond 240.
    rows : list of (mapping, mapping)
        Each event after the few numbers that say where it was raised.
    raised : list of mapping
        Events of a workflow rather than of one geometry.
    risks, largest_risks : dict
        The latest and the largest of each.
    last : mapping or None
        The latest geometry, complete.
    summary, audit : mapping or None
    geometries, damaged : int
        How many there were.
    """

    def __init__(self, header: Mapping[str, Any]) -> None:
        self.header = header
        self.tracks: dict[int, TrackColumns] = {}
        self.structures: list[Mapping[str, Any]] = []
        self.rows: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
        self.raised: list[Mapping[str, Any]] = []
        self.risks: dict[str, Any] = {}
        self.largest_risks: dict[str, float] = {}
        self.last: Mapping[str, Any] | None = None
        self.summary: Mapping[str, Any] | None = None
        self.audit: Mapping[str, Any] | None = None
        self.geometries = 0
        self.damaged = 0

    @property
    def events(self) -> list[Mapping[str, Any]]:
        """All events, in order; those of the workflow last."""
        return [*(event for _, event in self.rows), *self.raised]

    def add(self, kind: str, record: Mapping[str, Any]) -> None:
        """Take in one record of any kind but a header."""
        if kind == "geometry":
            self._geometry(record)
        elif kind == "structure":
            self._structure(record)
        elif kind == "copy":
            self._copy(record)
        elif kind == "event":
            self.raised.append(record)
        elif kind == "audit":
            self.audit = record
        elif kind == "summary":
            self.summary = record
        elif kind == "provenance":
            self.header = with_provenance(self.header, record)
        elif kind != "layout":
            self.damaged += 1

    def series(self) -> list[TrackSeries]:
        """Arrays of every track, in order of track number."""
        return [self.tracks[n].series(n) for n in sorted(self.tracks) if self.tracks[n].length]

    def _track(self, number: int) -> TrackColumns:
        return self.tracks.setdefault(number, TrackColumns())

    def _geometry(self, record: Mapping[str, Any]) -> None:
        self.geometries += 1
        self.last = record
        track = self._track(record["track"])
        track.add(record)
        for event in record.get("events") or ():
            where = {name: record.get(name) for name in ("index", "track", "step")}
            where["row"] = track.length - 1
            self.rows.append((where, event))
        for name, value in _items(record.get("risks")):
            self.risks[name] = value
            if isinstance(value, (int, float)):
                self.largest_risks[name] = max(value, self.largest_risks.get(name, value))

    def _structure(self, record: Mapping[str, Any]) -> None:
        track = self._track(record["track"])
        if track.n_atoms is None:
            numbers = (record.get("atoms") or {}).get("numbers")
            track.facts = record.get("facts") or {}
            track.n_atoms = None if numbers is None else len(numbers)
        self.structures.append(record)
        if len(self.structures) > _MOST_STRUCTURES:
            del self.structures[1:-1:2]

    def _copy(self, record: Mapping[str, Any]) -> None:
        """A structure that differs from that of another track in a few displaced atoms."""
        track, other = self._track(record["track"]), self._track(record["of"])
        if track.n_atoms is None:
            track.n_atoms = other.n_atoms
            track.facts = record.get("facts", other.facts)


def _items(mapping: Any) -> Any:
    return mapping.items() if isinstance(mapping, Mapping) else ()
