"""From the records of a run log to arrays, one set a track, thinned out where they are long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from platonic_ase.monitor.frame import EVERY


@dataclass(frozen=True)
class TrackSeries:
    """One track of a run as arrays over its n diagnosed geometries; NaN where nothing was logged.

    Attributes
    ----------
    number : int
        Of the track; -1 for structures of many tracks put in a row.
    x : ndarray, shape (n,)
        Never decreasing: steps of the dynamics, or geometries.
    x_label : str
        What ``x`` counts.
    columns : mapping of str to ndarray, shape (n,)
        Scalars of the diagnostics, and ``energy`` (eV), ``volume`` (Å³), ``temperature`` (K).
    orbits : mapping of str to ndarray, shape (n,)
        Splitting of each crystallographic orbit, by label.
    paths : mapping of str to ndarray, shape (n, 2)
        Way through the map of the Platonic space, by chemical symbol.
    events : tuple of (float, mapping)
        Each event with its ``x``.
    facts : mapping
        What the diagnostics said of the whole track.
    n_atoms : int or None
    index : ndarray, shape (n,), optional
        Geometries as the log counts them.
    counted : str
        What of a geometry its ``x`` is: ``"step"``, ``"index"`` or ``"row"``, which counts the
        geometries of the track.
    """

    number: int
    x: np.ndarray
    x_label: str
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    orbits: Mapping[str, np.ndarray] = field(default_factory=dict)
    paths: Mapping[str, np.ndarray] = field(default_factory=dict)
    events: tuple[tuple[float, Mapping[str, Any]], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    n_atoms: int | None = None
    index: np.ndarray | None = None
    counted: str = "row"

    def __len__(self) -> int:
        return len(self.x)

    def column(self, name: str) -> np.ndarray:
        """Get a column, all NaN where it was not logged."""
        return self.columns.get(name, np.full(len(self.x), np.nan))

    def computed(self, values: np.ndarray) -> np.ndarray:
        """Indices to draw: those that are finite, and a gap where there is none for long.

        What is far from its alarm is computed at every tenth geometry only: a line joins those.

        Parameters
        ----------
        values : ndarray, shape (n,)
        """
        finite = np.flatnonzero(np.isfinite(values))
        if self.index is None or len(finite) in (0, len(values)):
            return np.arange(len(values))
        apart = np.diff(self.index[finite])
        gaps = finite[:-1][(apart > EVERY) & (np.diff(finite) > 1)] + 1
        ends = [k for k in (0, len(values) - 1) if abs(finite - k).min() >= EVERY]
        return np.union1d(np.concatenate([finite, gaps]), np.array(ends, dtype=int))

    def limit(self, scalar: str) -> float | None:
        """Where an alarm of a scalar begins, if the diagnostics said."""
        for facts in self.facts.values():
            value = (facts.get("limits") or {}).get(scalar)
            if value is not None:
                return float(value)
        return None


def choose_tracks(
    tracks: Sequence[TrackSeries], most: int = 6
) -> tuple[list[TrackSeries], str | None]:
    """Choose the tracks worth showing, with a remark on those left out.

    Many structures of one geometry each are put in a row. Of more than ``most`` tracks, those with
    the most events and the largest extrapolation scores remain.
    """
    if len(tracks) <= most:
        return list(tracks), None
    if all(len(track) == 1 for track in tracks):
        return [_in_a_row(tracks)], None
    worst = sorted(tracks, key=_severity, reverse=True)[:most]
    return sorted(worst, key=lambda track: track.number), (
        f"{most} of {len(tracks)} tracks are shown: those with the most events and the largest "
        "extrapolation scores."
    )


def envelope(values: np.ndarray, bins: int = 500) -> np.ndarray:
    """Thin out a long series and keep its look: minimum, maximum and gap of each bin.

    Parameters
    ----------
    values : ndarray, shape (n,)
        NaN marks a gap.
    bins : int
        Each of about n / bins values.

    Returns
    -------
    ndarray of int
        Indices, sorted; all indices where n is at most 4 ``bins``. First and last are always kept.
    """
    n = len(values)
    if n <= 4 * bins:
        return np.arange(n)
    width = -(-n // bins)
    padded = np.full(bins * width, np.nan)
    padded[:n] = values
    rows = padded.reshape(bins, width)
    gap = np.isnan(rows)
    starts = np.arange(bins) * width
    kept = np.concatenate(
        [
            starts + np.where(gap, np.inf, rows).argmin(axis=1),
            starts + np.where(gap, -np.inf, rows).argmax(axis=1),
            (starts + gap.argmax(axis=1))[gap.any(axis=1)],
            [0, n - 1],
        ]
    )
    return np.unique(kept[kept < n])


def extremes(table: np.ndarray, row: np.ndarray, length: int, bins: int) -> np.ndarray:
    """Thin out many columns at once: rows with a minimum, maximum or first gap of a stretch.

    Parameters
    ----------
    table : ndarray, shape (n, m)
        NaN marks a gap.
    row : ndarray, shape (n,)
        Place of each among ``length``, rising.
    length : int
    bins : int
        Stretches of the same length.

    Returns
    -------
    ndarray of int
        Indices, sorted; first and last are always among them.
    """
    gap = np.isnan(table)
    low, high = np.where(gap, np.inf, table), np.where(gap, -np.inf, table)
    ends = np.searchsorted(row, np.linspace(0, length, bins + 1)[1:])
    kept = [np.array([0, len(table) - 1])]
    start = 0
    for end in ends:
        if end > start:
            stretch = slice(start, end)
            holes = gap[stretch]
            kept += [
                start + low[stretch].argmin(axis=0),
                start + high[stretch].argmax(axis=0),
                start + holes.argmax(axis=0)[holes.any(axis=0)],
            ]
        start = end
    return np.unique(np.concatenate(kept))


def abscissa(step: np.ndarray, index: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, str, str]:
    """What a track is drawn over: steps, or geometries, or else a count; and what that is.

    Steps restart with a new integrator, and a line search goes back to older geometries.

    Parameters
    ----------
    step, index : ndarray, shape (n,)
        NaN where not logged.
    row : ndarray, shape (n,)
        Geometries counted.

    Returns
    -------
    x : ndarray, shape (n,)
    label : str
    counted : str
        ``"step"``, ``"index"`` or ``"row"``.
    """
    for x, label, counted in ((step, "step", "step"), (index, "geometry", "index")):
        if not np.isnan(x).any() and (np.diff(x) >= 0).all():
            return x, label, counted
    return row, "geometry", "row"


def place(where: Mapping[str, Any], counted: str) -> float:
    """Where on the abscissa a geometry is.

    Parameters
    ----------
    where : mapping
        Its ``row``, ``index`` and ``step``.
    counted : str
        Which of them the abscissa counts.
    """
    value = where.get(counted)
    return float(value if isinstance(value, (int, float)) else where["row"])


def _in_a_row(tracks: Sequence[TrackSeries]) -> TrackSeries:
    names = dict.fromkeys(name for track in tracks for name in track.columns)
    columns = {name: np.concatenate([t.column(name) for t in tracks]) for name in names}
    sizes = np.array([np.nan if t.n_atoms is None else t.n_atoms for t in tracks])
    for name in ("energy", "volume"):
        columns[name] = columns[name] / sizes  # so that different structures compare
    return TrackSeries(
        number=-1,
        x=np.array([float(track.number) for track in tracks]),
        x_label="structure",
        columns=columns,
        events=tuple((float(t.number), event) for t in tracks for _, event in t.events),
        facts=tracks[0].facts,
        n_atoms=1,
    )


def _severity(track: TrackSeries) -> tuple[int, float]:
    scores = track.column("extrapolation_score")
    return len(track.events), float(np.nanmax(scores)) if np.isfinite(scores).any() else -1.0


def orbit_label(k: int, names: Sequence[str]) -> str:
    """Name of an orbit; a letter tells those of one name apart."""
    if k >= len(names):
        return f"orbit {k + 1}"
    twins = [j for j, name in enumerate(names) if name == names[k]]
    return names[k] if len(twins) == 1 else f"{names[k]} {chr(97 + twins.index(k) % 26)}"
