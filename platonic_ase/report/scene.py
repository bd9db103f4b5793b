"""What the interactive page draws: time lines, the map and the structures, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from ase.data import chemical_symbols

from platonic_ase.report.charts import numbers
from platonic_ase.report.columns import RunColumns
from platonic_ase.report.tracks import TrackSeries, envelope, place

_BINS = 300
_CLOUD = 1500
_EVENTS = 2000


class Line(NamedTuple):
    """A quantity drawn over time: column, heading, unit, and how."""

    column: str
    title: str
    unit: str = ""
    log: bool = False
    per_atom: bool = False
    scale: float = 1.0
    hide_constant: bool = False


LINES = (
    Line("extrapolation_score", "worst distance / threshold"),
    Line("force_error_bound", "largest force error bound", "eV/Å"),
    Line("orbit_splitting", "orbit splitting", "rms Δcosine", log=True),
    Line("asymmetry", "structural asymmetry", "Å", log=True),
    Line("asymmetry_curvature", "curvature along it", "eV/Å²"),
    Line("symmetry_evidence", "evidence of broken symmetry", "10ˣ"),
    Line("lindemann_ratio", "rms displacement / spacing"),
    Line("temperature", "temperature", "K"),
    Line("max_force", "largest force", "eV/Å", log=True),
    Line("energy", "energy", "eV/atom", per_atom=True),
    Line("volume", "volume", "Å³/atom", per_atom=True, hide_constant=True),
    Line("energy_drift", "energy drift", "meV/atom/ps", scale=1e3),
    Line("net_force", "net force", "eV/Å per atom", log=True),
    Line("closest_contact", "closest contact / radii"),
)
_FLOOR = {"orbit_splitting": 1e-7, "asymmetry": 1e-5, "max_force": 1e-9, "net_force": 1e-9}


def time_lines(run: RunColumns, tracks: Sequence[TrackSeries]) -> list[dict[str, Any]]:
    """Panels over time: the extremes of every bin are kept, so that no peak is lost.

    Parameters
    ----------
    run : RunColumns
    tracks : sequence of TrackSeries
        Those worth showing.
    """
    panels = []
    for line in LINES:
        drawn = [d for track in tracks if (d := _line(line, track)) is not None]
        if not drawn:
            continue
        panels.append(
            {
                "title": line.title,
                "unit": line.unit,
                "log": line.log,
                "limit": alarm_level(run, tracks, line.column),
                "lines": drawn,
            }
        )
    return panels


def alarm_level(run: RunColumns, tracks: Sequence[TrackSeries], column: str) -> float | None:
    """Where an alarm of a quantity begins, if the run said so."""
    known = run.header.get("calibration")
    if column == "extrapolation_score":
        value = known.get("alarm") if isinstance(known, Mapping) else None
        return float(value) if isinstance(value, (int, float)) else None
    return next((v for track in tracks if (v := track.limit(column)) is not None), None)


def events(run: RunColumns, tracks: Sequence[TrackSeries]) -> list[dict[str, Any]]:
    """Where on the time lines each event is, in the order of the table of events."""
    by_number = {track.number: track for track in tracks}
    placed = []
    for where, event in run.rows[:_EVENTS]:
        track = by_number.get(where["track"])
        x = where["track"] if track is None else place(where, track.counted)
        placed.append(
            {
                "x": x,
                "track": where["track"],
                "kind": str(event.get("kind")).replace("_", " "),
                "text": str(event.get("message") or ""),
            }
        )
    return placed


def frames(
    records: Sequence[Mapping[str, Any]], tracks: Sequence[TrackSeries]
) -> list[dict[str, Any]]:
    """Where on the time lines each structure that is shown belongs."""
    by_number = {track.number: track for track in tracks}
    placed = []
    for record in records:
        track = by_number.get(record["track"])
        x = float(record["track"] if track is None else record["index"])
        if track is not None and track.index is not None and len(track):
            x = float(track.x[np.abs(track.index - record["index"]).argmin()])
            if isinstance(record.get(track.counted), (int, float)):
                x = float(record[track.counted])
        placed.append({"x": x, "track": record["track"], "index": record["index"]})
    return placed


def platonic_map(run: RunColumns, tracks: Sequence[TrackSeries]) -> dict[str, Any] | None:
    """Reference cloud, anchors and the path of each element; None where none was logged."""
    paths = []
    for track in tracks:
        for symbol, points in track.paths.items():
            rows = np.flatnonzero(np.isfinite(points).all(axis=1))
            if not len(rows):
                continue
            kept = rows[np.union1d(envelope(points[rows, 0], 150), envelope(points[rows, 1], 150))]
            paths.append(
                {
                    "name": symbol,
                    "track": track.number,
                    "x": numbers(points[kept, 0], 4),
                    "y": numbers(points[kept, 1], 4),
                    "at": numbers(track.x[kept], 8),
                }
            )
    if not paths:
        return None
    stored = run.header.get("map") or {}
    cloud, anchors = _points(stored.get("reference")), _points(stored.get("anchors"))
    symbols = [_symbol(z) for z in stored.get("reference_numbers") or ()]
    every = max(1, len(cloud) // _CLOUD)
    return {
        "paths": paths,
        "cloud": {
            "x": numbers(cloud[::every, 0], 4),
            "y": numbers(cloud[::every, 1], 4),
            "text": symbols[::every],
        },
        "anchors": {"x": numbers(anchors[:, 0], 4), "y": numbers(anchors[:, 1], 4)},
    }


def _line(line: Line, track: TrackSeries) -> dict[str, Any] | None:
    values = track.column(line.column) * line.scale
    if line.per_atom and track.n_atoms:
        values = values / track.n_atoms
    finite = values[np.isfinite(values)]
    if not len(finite) or (line.hide_constant and np.ptp(finite) <= 1e-9 * abs(finite[0])):
        return None
    kept = track.computed(values)
    kept = kept[envelope(values[kept], _BINS)]
    shown = values[kept]
    if line.log:
        shown = np.maximum(shown, _FLOOR[line.column])
    return {"track": track.number, "x": numbers(track.x[kept], 8), "y": numbers(shown, 6)}


def _points(stored: Any) -> np.ndarray:
    try:
        points = np.array(stored or [], dtype=float).reshape(-1, 2)
    except (TypeError, ValueError):
        return np.empty((0, 2))
    return points


def _symbol(number: Any) -> str:
    known = isinstance(number, int) and 0 <= number < len(chemical_symbols)
    return chemical_symbols[number] if known else "?"
