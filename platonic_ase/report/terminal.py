"""A run in the terminal: progress, each quantity against its threshold, the last events."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from platonic_ase.monitor.frame import EVERY
from platonic_ase.report.columns import RunColumns
from platonic_ase.report.scene import LINES
from platonic_ase.report.verdict import readable

_BLOCKS = "▁▂▃▄▅▆▇█"
HISTORY = 24
"""Values of a quantity in its small history."""
_EVENTS = 3
_SILENCE = 120.0  # s
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
        return f"silent for {duration(silent)}: killed, or a very long step"
    return "running"


def panel(
    run: RunColumns | None,
    path: Path | None,
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
    path : Path or None
        Of the log, where there is one.
    label : str
        What runs, where the run itself shows it; its state otherwise.
    done, total : int, optional
        Steps.
    elapsed : float, optional
        Seconds since the start.
    """
    parts: list[RenderableType] = []
    if done is not None:
        parts.append(progress(done, total, elapsed))
    if run is not None:
        parts.append(_quantities(run))
        worst = _worst_atoms(run)
        if worst:
            parts.append(Text(worst))
        parts += _events(run)
    state = ""
    if path is not None:
        parts.append(Text(f"log: {path}", style="dim", overflow="fold"))
        state = state_of(run, path)
    alarmed = run is not None and bool(run.events)
    return Panel(
        Group(*parts), title=Text(label or state), border_style="yellow" if alarmed else "green"
    )


def progress(done: int, total: int | None, elapsed: float | None) -> RenderableType:
    """Bar and time left; where the end is not known, how many there were and how fast.

    Parameters
    ----------
    done : int
    total : int or None
    elapsed : float or None
        Seconds.
    """
    if not total:
        return Text(f"{done:,d} so far" + (f", {done / elapsed:.3g} a second" if elapsed else ""))
    left = ""
    if elapsed and done:
        left = f"{duration(elapsed * max(0, total - done) / done)} left at most"
    row = Table.grid(padding=(0, 1), expand=True)
    row.add_column(ratio=1)
    row.add_column(no_wrap=True)
    row.add_row(ProgressBar(total=total, completed=done), Text(f"{done} of {total}  {left}"))
    return row


def _quantities(run: RunColumns) -> RenderableType:
    table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
    for name, right in (("", False), ("now", True), ("alarm at", True), ("history", False)):
        table.add_column(name, justify="right" if right else "left", no_wrap=not right)
    track = run.tracks.get(run.last.track) if run.last is not None else None
    for line in LINES:
        recent = [] if track is None else track.recent(line.column, HISTORY)
        values = [value for value in recent if math.isfinite(value)]
        if track is None or not values:
            continue
        limit = _limit(run, track.facts, line.column)
        now = values[-1] * line.scale
        # what is far from its alarm is computed at every tenth geometry: say how old it is
        age = next(k for k, value in enumerate(reversed(recent)) if math.isfinite(value))
        if age > EVERY:
            continue
        if line.per_atom and track.n_atoms:
            now /= track.n_atoms
        bad = limit is not None and (now < limit if line.column in _BELOW else now >= limit)
        table.add_row(
            Text(f"{line.title}{f' ({line.unit})' if line.unit else ''}"),
            Text(f"{now:.3g}" + (f" ({age} ago)" if age else ""), style="bold red" if bad else ""),
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
    latest = run.last.more.get("per_atom") if run.last is not None else None
    stored = latest or (run.structures[-1].get("per_atom") if run.structures else None)
    scores = (stored or {}).get("extrapolation_score")
    at = run.last.index if latest and run.last is not None else None
    if at is None and run.structures:
        at = run.structures[-1].get("index")
    if not isinstance(scores, list) or not all(isinstance(s, (int, float)) for s in scores):
        return ""
    worst = sorted(range(len(scores)), key=lambda i: -scores[i])[:4]
    return f"worst atoms of geometry {at}: " + ", ".join(f"{i} ({scores[i]:.2f})" for i in worst)


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


def duration(seconds: float) -> str:
    """Time for people, such as ``"3 min 20 s"``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
