"""The map of the Platonic space: anchors, reference cloud and the way of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from ase.data import chemical_symbols
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from platonic_ase.report.plots.style import (
    GREY,
    INK,
    PAPER,
    SERIES,
    WIDTH,
    element_colours,
    styled,
)
from platonic_ase.report.tracks import TrackSeries, envelope

# both ends of the full range vanish on dark or on white pages
_TIME = LinearSegmentedColormap.from_list("time", colormaps["viridis"](np.linspace(0.25, 0.92, 64)))
_ZOOMS = 4


@styled
def platonic_map(header_map: Mapping[str, Any], tracks: Sequence[TrackSeries]) -> Figure | None:
    """Map of the Platonic space in the plane of largest variance of the reference.

    Parameters
    ----------
    header_map : mapping
        ``anchors`` (K, 2), ``reference`` (M, 2) and ``reference_numbers`` (M,).
    tracks : sequence of TrackSeries
        Their paths, one an element, are coloured by time, or by track where there are several.

    Returns
    -------
    Figure or None
        None where no path was logged.
    """
    paths = _finite_paths(tracks)
    if not paths:
        return None
    symbols = sorted({path.symbol for path in paths}, key=lambda s: -_extent(paths, s))
    colours = element_colours(symbols)
    figure, main, close_ups, bar = _frame(min(len(symbols), _ZOOMS))
    _background(main, header_map, colours)
    for path in paths:
        _draw_path(main, path, tracks, small=True)
        if path.track is tracks[-1]:
            main.annotate(
                path.symbol,
                (path.points[-1, 0], path.points[-1, 1]),
                xytext=(7, 7),
                textcoords="offset points",
                weight="bold",
                bbox={"boxstyle": "round,pad=0.15", "fc": PAPER, "ec": "none", "alpha": 0.8},
            )
    main.set_aspect("equal", adjustable="datalim")
    main.set(xlabel="first principal direction (–)", ylabel="second principal direction (–)")
    figure.legend(*main.get_legend_handles_labels(), loc="lower left", ncols=6, markerscale=1.3)
    for ax, symbol in zip(close_ups, symbols, strict=False):
        _close_up(ax, header_map, colours, [p for p in paths if p.symbol == symbol], tracks)
    if len(tracks) == 1 and len(tracks[0]) > 1:
        scale = Normalize(tracks[0].x[0], tracks[0].x[-1])
        figure.colorbar(
            ScalarMappable(scale, _TIME), cax=figure.add_axes(bar), label=tracks[0].x_label
        )
    return figure


def _frame(
    n_close_ups: int,
) -> tuple[Figure, Axes, list[Axes], tuple[float, float, float, float]]:
    """Lay out main axes, square axes beside them, and the place of the colour bar."""
    height, left, bottom, top, bar, ticks = 5.1, 0.65, 1.0, 0.3, 1.0, 0.75  # inches
    inner = height - bottom - top
    rows = 1 if n_close_ups == 1 else 2
    columns = -(-n_close_ups // rows)
    side = 3.3 if rows == 1 else (inner - 0.65) / 2
    start = WIDTH - bar - columns * side - (columns - 1) * ticks
    figure = Figure(figsize=(WIDTH, height))

    def place(x: float, y: float, width: float, tall: float) -> tuple[float, float, float, float]:
        return x / WIDTH, y / height, width / WIDTH, tall / height

    main = figure.add_axes(place(left, bottom, start - left - ticks, inner))
    close_ups = [
        figure.add_axes(
            place(
                start + (k % columns) * (side + ticks),
                height - top - side - (k // columns) * (side + 0.65),
                side,
                side,
            )
        )
        for k in range(n_close_ups)
    ]
    return figure, main, close_ups, place(WIDTH - bar + 0.2, bottom, 0.12, inner)


class _Path(NamedTuple):
    symbol: str
    track: TrackSeries
    points: np.ndarray  # (n, 2)
    time: np.ndarray  # (n,), from 0 to 1


def _finite_paths(tracks: Sequence[TrackSeries]) -> list[_Path]:
    paths = []
    for track in tracks:
        time = (track.x - track.x[0]) / (np.ptp(track.x) or 1.0)
        for symbol, points in track.paths.items():
            good = np.isfinite(points).all(axis=1)
            if good.any():
                paths.append(_Path(symbol, track, points[good], time[good]))
    return paths


def _extent(paths: Sequence[_Path], symbol: str) -> float:
    points = np.concatenate([path.points for path in paths if path.symbol == symbol])
    return float(np.ptp(points, axis=0).max())


def _background(
    ax: Axes, header_map: Mapping[str, Any], colours: Mapping[str, str], *, size: float = 3.0
) -> None:
    reference = np.array(header_map.get("reference") or [], dtype=float).reshape(-1, 2)
    numbers = header_map.get("reference_numbers") or []
    if len(reference) == len(numbers):
        symbols = np.array([chemical_symbols[int(z)] for z in numbers], dtype=str)
        other = ~np.isin(symbols, list(colours))
        ax.plot(*reference[other].T, ".", ms=size, color=GREY, alpha=0.4, mew=0, label="reference")
        for symbol, colour in colours.items():
            ax.plot(
                *reference[symbols == symbol].T,
                ".",
                ms=size + 2.5,
                color=colour,
                mew=0,
                label=f"reference {symbol}",
            )
    anchors = np.array(header_map.get("anchors") or [], dtype=float).reshape(-1, 2)
    ax.plot(*anchors.T, "+", ms=5, mew=0.9, color=INK, alpha=0.7, label="anchors")


def _draw_path(
    ax: Axes, path: _Path, tracks: Sequence[TrackSeries], *, small: bool = False
) -> None:
    points = path.points
    kept = np.unique(np.concatenate([envelope(points[:, axis], 120) for axis in (0, 1)]))
    x, y = points[kept].T
    known = {line.get_label() for line in ax.lines}
    if len(tracks) == 1:
        if not small:
            ax.plot(x, y, color=INK, lw=0.5, alpha=0.35)
        ax.scatter(x, y, c=_TIME(path.time[kept]), s=4 if small else 12, linewidths=0, zorder=3)
        colour = INK
    else:
        colour = SERIES[list(tracks).index(path.track) % len(SERIES)]
        name = f"track {path.track.number}"
        ax.plot(x, y, color=colour, lw=1, label="_" if name in known else name)
    for marker, face, end, name in (("o", PAPER, 0, "start"), ("s", colour, -1, "end")):
        ax.plot(
            *points[end],
            marker,
            mfc=face,
            mec=colour,
            mew=1.2,
            ms=5.5 if small else 7,
            zorder=4,
            label="_" if name in known else name,
        )


def _close_up(
    ax: Axes,
    header_map: Mapping[str, Any],
    colours: Mapping[str, str],
    paths: Sequence[_Path],
    tracks: Sequence[TrackSeries],
) -> None:
    _background(ax, header_map, colours, size=4.5)
    for path in paths:
        _draw_path(ax, path, tracks)
    points = np.concatenate([path.points for path in paths])
    centre = (points.max(axis=0) + points.min(axis=0)) / 2
    half = max(0.65 * float(np.ptp(points, axis=0).max()), 2e-3)
    ax.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half))
    ax.spines[["top", "right"]].set_visible(True)
    ax.locator_params(nbins=3)
    ax.set_title(f"{paths[0].symbol}, close up", loc="left")
