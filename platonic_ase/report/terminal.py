"""A run in the terminal: progress, each quantity against its threshold, the last events."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from platonic_ase.report.columns import RunColumns
from platonic_ase.report.follow import LogFollower
from platonic_ase.report.scene import LINES
from platonic_ase.report.verdict import readable

logger = logging.getLogger("platonic_ase")

_BLOCKS = "▁▂▃▄▅▆▇█"
_HISTORY = 24
_EVENTS = 3
_SILENCE = 120.0  # s
_SHARE = 0.005  # of the time of a run may go into its panel
_BELOW = frozenset({"closest_contact"})  # alarms below its threshold


def sparkline(values: Sequence[float]) -> str:
    """Small history of a quantity, one block a value; a gap where it is not finite."""
    finite = [v for v in values if math.isfinite(v)]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    span = (high - low) or 1.0
    return "".join(
        _BLOCKS[min(7, int(8 * (v - low) / span))] if math.isfinite(v) else " " for v in values
    )


def state_of(run: RunColumns | None, path: Path) -> str:
    """Say whether a run ended, goes on, or has gone silent."""
    if run is None:
        return "nothing logged yet"
    if run.summary is not None:
        return "ended"
    try:
        silent = time.time() - path.stat().st_mtime
    except OSError:
        return "the log is gone"
    if silent > _SILENCE:
        return f"silent for {_duration(silent)}: killed, or a very long step"
    return "running"


def panel(
    run: RunColumns | None,
    path: Path,
    *,
    label: str = "",
    done: int | None = None,
    total: int | None = None,
    elapsed: float | None = None,
) -> RenderableType:
    """Draw a run as it is now.

    Parameters
    ----------
    run : RunColumns or None
        None before anything was logged.
    path : Path
        Of the log.
    label : str
        What runs.
    done, total : int, optional
        Steps.
    elapsed : float, optional
        Seconds since the start.
    """
    parts: list[RenderableType] = []
    if total and done is not None:
        parts.append(_progress(done, total, elapsed))
    if run is not None:
        parts.append(_quantities(run))
        worst = _worst_atoms(run)
        if worst:
            parts.append(Text(worst))
        parts += _events(run)
    parts.append(Text(f"log: {path}", style="dim", overflow="fold"))
    state = state_of(run, path)
    alarmed = run is not None and bool(run.events)
    title = Text(" · ".join(t for t in (label, state) if t))
    return Panel(Group(*parts), title=title, border_style="yellow" if alarmed else "green")


class RunDisplay:
    """Shows a run while it runs: a panel on a terminal, now and then a plain line elsewhere.

    Drawing waits until it has cost less than half a percent of the time that has passed.

    Parameters
    ----------
    label : str
        What runs.
    total : int
        Steps, at most.
    log : path-like, optional
        Run log, which the panel reads as it grows.
    shown : bool
        Nothing at all is shown without it.
    console : rich.console.Console, optional
        Standard error by default.
    """

    def __init__(
        self,
        label: str,
        total: int,
        log: Path | None,
        *,
        shown: bool = True,
        console: Console | None = None,
    ) -> None:
        self._label, self._total, self._shown = label, total, shown
        self._follower = None if log is None else LogFollower(log, from_end=True)
        self._console = console or Console(stderr=True)
        self._live: Live | None = None
        self._start = self._next = time.monotonic()
        self._done = 0

    def __enter__(self) -> Self:
        if self._shown and self._console.is_terminal and self._follower is not None:
            self._live = Live(console=self._console, auto_refresh=False, transient=False)
            self._live.start()
        return self

    def update(self, done: int) -> None:
        """Say how many steps were made."""
        self._done = done
        now = time.monotonic()
        if not self._shown or now < self._next:
            return
        self._try_to_draw()
        cost = time.monotonic() - now
        pause = max(0.5, cost / _SHARE) if self._live is not None else 10.0
        self._next = time.monotonic() + pause

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._try_to_draw()
            self._live.stop()

    def _try_to_draw(self) -> None:
        try:
            self._draw()
        except Exception as error:  # a panel that cannot be drawn must not end a run
            self._shown = False
            logger.warning("the panel was switched off: %s", error)

    def _draw(self) -> None:
        elapsed = time.monotonic() - self._start
        if self._live is None or self._follower is None:
            self._console.print(
                f"{self._label}: {self._done} of {self._total}, {_duration(elapsed)}",
                markup=False,
                highlight=False,
            )
            return
        self._follower.poll()
        runs = self._follower.runs
        drawn = panel(
            runs[-1] if runs else None,
            self._follower.path,
            label=self._label,
            done=self._done,
            total=self._total,
            elapsed=elapsed,
        )
        self._live.update(drawn, refresh=True)


def _progress(done: int, total: int, elapsed: float | None) -> RenderableType:
    left = ""
    if elapsed and done:
        left = f"{_duration(elapsed * max(0, total - done) / done)} left at most"
    row = Table.grid(padding=(0, 1), expand=True)
    row.add_column(ratio=1)
    row.add_column(no_wrap=True)
    row.add_row(ProgressBar(total=total, completed=done), Text(f"{done} of {total}  {left}"))
    return row


def _quantities(run: RunColumns) -> RenderableType:
    table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
    for name, right in (("", False), ("now", True), ("alarm at", True), ("history", False)):
        table.add_column(name, justify="right" if right else "left", no_wrap=not right)
    track = run.tracks.get(run.last["track"]) if run.last is not None else None
    for line in LINES:
        values = [] if track is None else track.recent(line.column, _HISTORY)
        if track is None or not values or not math.isfinite(values[-1]):
            continue
        limit = _limit(run, track.facts, line.column)
        now = values[-1] * line.scale
        if line.per_atom and track.n_atoms:
            now /= track.n_atoms
        bad = limit is not None and (now < limit if line.column in _BELOW else now >= limit)
        table.add_row(
            Text(f"{line.title}{f' ({line.unit})' if line.unit else ''}"),
            Text(f"{now:.3g}", style="bold red" if bad else ""),
            Text("" if limit is None else f"{limit:.3g}", style="dim"),
            Text(sparkline(values), style="cyan"),
        )
    return table


def _limit(run: RunColumns, facts: Any, column: str) -> float | None:
    known = run.header.get("calibration")
    if column == "extrapolation_score" and isinstance(known, dict):
        value = known.get("alarm")
    else:
        found = (f.get("limits") or {} for f in facts.values() if isinstance(f, dict))
        value = next((f[column] for f in found if column in f), None)
    return float(value) if isinstance(value, (int, float)) else None


def _worst_atoms(run: RunColumns) -> str:
    scores = ((run.last or {}).get("per_atom") or {}).get("extrapolation_score")
    if not isinstance(scores, list) or not all(isinstance(s, (int, float)) for s in scores):
        return ""
    worst = sorted(range(len(scores)), key=lambda i: -scores[i])[:4]
    return "worst atoms: " + ", ".join(f"{i} ({scores[i]:.2f})" for i in worst)


def _events(run: RunColumns) -> list[RenderableType]:
    events = run.events
    if not events:
        return [Text("no warning so far", style="green")]
    counted = f"{len(events)} warnings; the latest:" if len(events) > 1 else "1 warning:"
    rows: list[RenderableType] = [Text(counted, style="yellow")]
    for event in events[-_EVENTS:]:
        text = Text(f"  geometry {event.get('index')}: ", style="yellow")
        text.append(f"{readable(str(event.get('kind')))}. {event.get('message')}", style="default")
        rows.append(text)
    return rows


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
