"""Panels over a common time axis, with a strip of events above them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, SymmetricalLogLocator

from platonic_ase.report.plots.style import ALARM, INK, SERIES, WIDTH, legend_beside
from platonic_ase.report.tracks import TrackSeries, envelope

# inches; the margins are the same in all figures, so that times align down the page
_PANEL, _GAP, _EVENT_ROW, _TOP, _BOTTOM = 1.25, 0.2, 0.19, 0.1, 0.45
_LEFT, _RIGHT = 1.3, 1.45
_MOST_LINES = 15
_LONGEST_NAME = 18


@dataclass(frozen=True)
class Panel:
    """One quantity against time.

    Attributes
    ----------
    column : str
        Of the tracks.
    label : str
        With its unit.
    limit : float, optional
        Where the alarm begins.
    floor : float, optional
        Makes the axis logarithmic; smaller values, mere rounding, are drawn on it.
    wide : bool
        Switch to a symmetric logarithm where the values run away.
    per_atom : bool
        Divide by the number of atoms.
    scale : float
        Multiplies the values.
    hide_constant : bool
        Leave the panel out where nothing changes.
    draw : callable, optional
        Draws the lines instead; gets the axes.
    """

    column: str
    label: str
    limit: float | None = None
    floor: float | None = None
    wide: bool = False
    per_atom: bool = False
    scale: float = 1.0
    hide_constant: bool = False
    draw: Callable[[Axes], None] | None = None

    def values(self, track: TrackSeries) -> np.ndarray:
        """Compute what is drawn of a track."""
        values = self.scale * track.column(self.column)
        if self.per_atom:
            values = values / (track.n_atoms or np.nan)
        return values if self.floor is None else np.maximum(values, self.floor)

    def is_empty(self, tracks: Sequence[TrackSeries]) -> bool:
        """Whether there is nothing to draw."""
        values = np.concatenate([self.values(track) for track in tracks])
        values = values[np.isfinite(values)]
        if self.hide_constant and len(values):
            return bool(np.ptp(values) <= 1e-6 * np.abs(values).max())
        return len(values) == 0


def stack(tracks: Sequence[TrackSeries], panels: Sequence[Panel]) -> Figure | None:
    """Draw the panels that have data above one another; None where none has."""
    panels = [panel for panel in panels if not panel.is_empty(tracks)]
    if not tracks or not panels:
        return None
    kinds = list(dict.fromkeys(event["kind"] for track in tracks for _, event in track.events))
    heights = [_EVENT_ROW * len(kinds)] if kinds else []
    heights += [_PANEL] * len(panels)
    figure, axes = _aligned_axes(heights)
    if kinds:
        _event_strip(axes[0], tracks, kinds)
    for k, (panel, ax) in enumerate(zip(panels, axes[-len(panels) :], strict=True)):
        _draw_panel(ax, panel, tracks, name_tracks=len(tracks) > 1 and k == 0)
        _event_lines(ax, tracks)
    axes[-1].set_xlabel(tracks[0].x_label if _same_label(tracks) else "step or geometry")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    start = min(track.x[0] for track in tracks)
    end = max(track.x[-1] for track in tracks)
    margin = 0.01 * (end - start) or 0.5
    axes[-1].set_xlim(start - margin, end + margin)
    return figure


def _aligned_axes(heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """Axes above one another, heights in inches, sharing their x axis."""
    total = _TOP + sum(heights) + _GAP * (len(heights) - 1) + _BOTTOM
    figure = Figure(figsize=(WIDTH, total))
    axes: list[Axes] = []
    top = total - _TOP
    for height in heights:
        box = (
            _LEFT / WIDTH,
            (top - height) / total,
            (WIDTH - _LEFT - _RIGHT) / WIDTH,
            height / total,
        )
        axes.append(figure.add_axes(box, sharex=axes[0] if axes else None))
        top -= height + _GAP
    for ax in axes[:-1]:
        ax.tick_params(labelbottom=False)
    return figure, axes


def draw_line(
    ax: Axes, track: TrackSeries, y: np.ndarray, colour: str, label: str | None = None
) -> None:
    """Draw a series of a track, thinned out where it is long; single points get a marker."""
    kept = track.computed(y)
    kept = kept[envelope(y[kept])]
    x, y = track.x[kept], y[kept]
    good = np.isfinite(y)
    beside = np.concatenate([[False], good, [False]])
    lonely = good & ~beside[:-2] & ~beside[2:]
    ax.plot(x, y, color=colour, label=label)
    if lonely.any():
        ax.plot(x[lonely], y[lonely], "o", ms=3, color=colour)


def _draw_panel(
    ax: Axes, panel: Panel, tracks: Sequence[TrackSeries], *, name_tracks: bool
) -> None:
    values = np.concatenate([panel.values(track) for track in tracks])
    if panel.wide and _runs_away(values):
        _wide_scale(ax, values[np.isfinite(values)])
    if panel.draw is not None:
        panel.draw(ax)
    else:
        for k, track in enumerate(tracks):
            label = f"track {track.number}" if name_tracks else None
            draw_line(ax, track, panel.values(track), SERIES[k % len(SERIES)], label)
        if panel.limit is not None:
            ax.axhline(panel.limit, color=ALARM, ls="--", lw=1, label="alarm")
    if panel.floor is not None:
        drawn = [np.asarray(line.get_ydata(), dtype=float) for line in ax.lines]
        _whole_decades(ax, np.concatenate(drawn))
    ax.set_ylabel(panel.label)
    ax.yaxis.set_label_coords(-0.085, 0.5)
    if ax.get_yscale() == "linear":
        ax.yaxis.set_major_locator(MaxNLocator(4))
    if ax.get_legend_handles_labels()[0]:
        legend_beside(ax)


def _whole_decades(ax: Axes, values: np.ndarray) -> None:
    values = np.sort(np.log10(values[np.isfinite(values) & (values > 0)]))
    low = values[len(values) // 50]  # a start at the rounding floor would flatten the rest
    ax.set_yscale("log")
    ax.set_ylim(10 ** np.floor(low - 0.01), 10 ** np.ceil(values[-1] + 0.01))
    ax.yaxis.set_major_locator(LogLocator(numticks=5))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _wide_scale(ax: Axes, values: np.ndarray) -> None:
    if values.min() > 0:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(numticks=5))
        return
    start = np.abs(values[: max(1, len(values) // 10)])  # before it ran away
    threshold = float(max(10 * np.median(start), 1e-6))
    decades = float(np.log10(np.abs(values).max() / threshold))
    ax.set_yscale("symlog", linthresh=threshold, linscale=max(1.0, 0.2 * decades))
    locator = SymmetricalLogLocator(base=10, linthresh=threshold)
    locator.set_params(numticks=4)
    ax.yaxis.set_major_locator(locator)


def _runs_away(values: np.ndarray) -> bool:
    values = values[np.isfinite(values)]
    if values.min() > 0 and values.max() > 1e3 * values.min():
        return True
    low, middle, high = np.percentile(values, [10, 50, 90])
    typical = max(high - low, 1e-3 * abs(middle), 1e-6)
    return bool(np.abs(values - middle).max() > 300 * typical)


def _event_strip(ax: Axes, tracks: Sequence[TrackSeries], kinds: Sequence[str]) -> None:
    for row, kind in enumerate(kinds):
        x = np.unique([x for t in tracks for x, event in t.events if event["kind"] == kind])
        if len(x) > 500:
            x = x[:: -(-len(x) // 500)]
        ax.plot(x, np.full(len(x), row), "v", ms=5, color=ALARM, clip_on=False, zorder=3)
    ax.set_yticks(range(len(kinds)), [_short(kind) for kind in kinds])
    ax.set_ylim(len(kinds) - 0.5, -0.5)
    ax.tick_params(length=0, labelbottom=False)
    ax.grid(axis="x", visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _short(kind: str) -> str:
    name = kind.replace("_", " ")
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _event_lines(ax: Axes, tracks: Sequence[TrackSeries]) -> None:
    x = np.unique([x for track in tracks for x, _ in track.events])
    if len(x) <= _MOST_LINES:
        for position in x:
            ax.axvline(position, color=INK, lw=0.6, ls=":", alpha=0.6)


def _same_label(tracks: Sequence[TrackSeries]) -> bool:
    return len({track.x_label for track in tracks}) == 1
