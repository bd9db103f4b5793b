"""The map of the Platonic space: anchors, reference cloud and the way of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from platonic_ase.recording.plots.style import (
    GREY,
    INK,
    PAPER,
    SERIES,
    element_colours,
    new_figure,
    styled,
)
from platonic_ase.recording.tracks import TrackSeries, envelope

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
    symbols = sorted({symbol for symbol, _, _ in paths}, key=lambda s: -_extent(paths, s))
    colours = element_colours(symbols)
    zooms = symbols[:_ZOOMS]
    figure = new_figure(5.2)
    rows = 1 if len(zooms) == 1 else 2
    columns = -(-len(zooms) // rows)
    main_width = 1.2 if rows == 1 else 2.8 - 0.4 * columns  # leaves little room around squares
    grid = figure.add_gridspec(rows, 1 + columns, width_ratios=[main_width] + [1.0] * columns)
    main = figure.add_subplot(grid[:, 0])
    _background(main, header_map, colours)
    for symbol, track, points in paths:
        _draw_path(main, track, points, tracks, small=True)
        if track is tracks[-1]:
            main.annotate(
                symbol,
                points[-1],
                xytext=(7, 7),
                textcoords="offset points",
                weight="bold",
                bbox={"boxstyle": "round,pad=0.15", "fc": PAPER, "ec": "none", "alpha": 0.8},
            )
    main.set_aspect("equal", adjustable="datalim")
    main.set(xlabel="first principal direction (–)", ylabel="second principal direction (–)")
    figure.legend(
        *main.get_legend_handles_labels(), loc="outside lower left", ncols=5, markerscale=1.3
    )
    for k, symbol in enumerate(zooms):
        ax = figure.add_subplot(grid[k // columns, 1 + k % columns])
        _zoom(ax, header_map, colours, symbol, paths, tracks)
    if len(tracks) == 1 and len(tracks[0]) > 1:
        bar = figure.colorbar(
            ScalarMappable(Normalize(tracks[0].x[0], tracks[0].x[-1]), _TIME),
            ax=figure.axes,
            pad=0.01,
            aspect=40,
            label=tracks[0].x_label,
        )
        bar.outline.set_visible(False)
    return figure


_Paths = list[tuple[str, TrackSeries, np.ndarray]]


def _finite_paths(tracks: Sequence[TrackSeries]) -> _Paths:
    paths = []
    for track in tracks:
        for symbol, points in track.paths.items():
            good = np.isfinite(points).all(axis=1)
            if good.any():
                paths.append((symbol, track, np.where(good[:, None], points, np.nan)))
    return [(s, t, p[np.isfinite(p).all(axis=1)]) for s, t, p in paths]


def _extent(paths: _Paths, symbol: str) -> float:
    points = np.concatenate([p for s, _, p in paths if s == symbol])
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
    ax: Axes,
    track: TrackSeries,
    points: np.ndarray,
    tracks: Sequence[TrackSeries],
    *,
    small: bool = False,
) -> None:
    kept = np.unique(np.concatenate([envelope(points[:, axis], 120) for axis in (0, 1)]))
    first = not any(line.get_label() == "start" for line in ax.lines)
    size = 5.5 if small else 7
    if len(tracks) == 1:
        time = np.linspace(0, 1, len(points))[kept]
        if not small:
            ax.plot(*points[kept].T, color=INK, lw=0.5, alpha=0.35)
        x, y = points[kept].T
        ax.scatter(x, y, c=_TIME(time), s=4 if small else 12, linewidths=0, zorder=3)
        colour = INK
    else:
        colour = SERIES[list(tracks).index(track) % len(SERIES)]
        name = f"track {track.number}"
        known = {line.get_label() for line in ax.lines}
        ax.plot(*points[kept].T, color=colour, lw=1, label="_" if name in known else name)
    ends: dict[str, Any] = {"mec": colour, "mew": 1.2, "ls": "none", "zorder": 4, "ms": size}
    ax.plot(*points[0], "o", mfc=PAPER, label="start" if first else "_", **ends)
    ax.plot(*points[-1], "s", mfc=colour, label="end" if first else "_", **ends)


def _zoom(
    ax: Axes,
    header_map: Mapping[str, Any],
    colours: Mapping[str, str],
    symbol: str,
    paths: _Paths,
    tracks: Sequence[TrackSeries],
) -> None:
    _background(ax, header_map, colours, size=4.5)
    own = [(track, points) for s, track, points in paths if s == symbol]
    for track, points in own:
        _draw_path(ax, track, points, tracks)
    points = np.concatenate([points for _, points in own])
    centre = (points.max(axis=0) + points.min(axis=0)) / 2
    half = max(0.65 * float(np.ptp(points, axis=0).max()), 2e-3)
    ax.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half))
    ax.set_box_aspect(1)
    ax.spines[["top", "right"]].set_visible(True)
    ax.locator_params(nbins=3)
    ax.set_title(f"{symbol}, close up", loc="left")
