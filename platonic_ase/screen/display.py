"""A screening in the terminal while it goes on: how far it is, what stands out, what failed."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from platonic_ase.report.display import Display
from platonic_ase.report.terminal import HISTORY, progress, sparkline
from platonic_ase.screen.page import label
from platonic_ase.screen.ranking import RISKS, score

_SHOWN = 4


class ScreenDisplay(Display):
    """Shows a screening.

    Parameters
    ----------
    folder : Path
        Of the results.
    shown, console
        See :class:`~platonic_ase.report.display.Display`.
    """

    def __init__(self, folder: Path, *, shown: bool = True, console: Console | None = None) -> None:
        super().__init__(shown=shown, console=console)
        self._folder = folder
        self._computed = self._failed = self.kept = 0
        self._warnings: Counter[str] = Counter()
        self._failures: deque[Mapping[str, Any]] = deque(maxlen=2)
        self._number: str | None = None
        self._highest: list[tuple[float, str, str]] = []
        self._recent: deque[float] = deque(maxlen=HISTORY)

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in a row that was finished."""
        self._computed += 1
        if row["error"] is not None:
            self._failed += 1
            self._failures.append(row)
        else:
            self._warnings.update(row["events"].keys())
            self._rank(row)
        self.refresh()

    def draw(self) -> RenderableType:
        """Draw the panel."""
        parts: list[RenderableType] = [
            progress(self._computed, None, self.elapsed),
            Text(f"{self._failed:,d} failed, {self.kept:,d} were there"),
        ]
        if self._highest and self._number is not None:
            table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
            for name, right in (
                ("highest so far", False),
                ("", False),
                (label(self._number), True),
            ):
                table.add_column(name, justify="right" if right else "left")
            for value, name, formula in self._highest:
                table.add_row(Text(name), Text(formula), Text(f"{value:.3g}"))
            parts.append(table)
            parts.append(Text(f"the latest: {sparkline(list(self._recent))}", style="cyan"))
        if self._warnings:
            kinds = ", ".join(
                f"{kind.replace('_', ' ')} in {n:,d}" for kind, n in self._warnings.most_common(4)
            )
            parts.append(Text(f"warnings: {kinds}", style="yellow"))
        parts += [
            Text(f"failed: {row['name']}: {row['error']}", style="yellow", overflow="ellipsis")
            for row in self._failures
        ]
        parts.append(Text(f"rows: {self._folder}", style="dim", overflow="fold"))
        alarmed = self._warnings or self._failed
        return Panel(
            Group(*parts), title="screening", border_style="yellow" if alarmed else "green"
        )

    def line(self) -> str:
        """Say the same in one line."""
        return (
            f"screening: {self._computed} structures, {self._failed} failed, {self.elapsed:.0f} s"
        )

    def _rank(self, row: Mapping[str, Any]) -> None:
        if self._number is None:
            self._number = next((n for n in RISKS if score(row, n) is not None), None)
        value = None if self._number is None else score(row, self._number)
        if value is None:
            return
        self._recent.append(value)
        self._highest.append((value, str(row["name"]), str(row["formula"])))
        self._highest.sort(key=lambda entry: -entry[0])
        del self._highest[_SHOWN:]
