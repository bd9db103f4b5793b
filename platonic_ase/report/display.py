"""What is shown of a run while it goes on: at a fixed rate, and for little of its time."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live

from platonic_ase.report.columns import RunColumns
from platonic_ase.report.reader import LogReader
from platonic_ase.report.terminal import HISTORY, duration, panel

logger = logging.getLogger("platonic_ase")

_SHARE = 0.006  # of the time of a run may go into its panel
_PAUSE, _PLAIN_PAUSE = 0.5, 10.0  # s, at least, between two panels and two plain lines


class Display(ABC):
    """Shows work while it is done: a panel on a terminal, now and then a plain line elsewhere.

    Drawing waits until it has cost less than 0.6 % of the time that has passed, and nothing is
    formatted in between.

    Parameters
    ----------
    shown : bool
        Nothing at all is shown without it.
    console : rich.console.Console, optional
        Standard error by default.
    """

    def __init__(self, *, shown: bool = True, console: Console | None = None) -> None:
        self._shown = shown
        self._console = console or Console(stderr=True)
        self._live: Live | None = None
        self._start = self._next = time.monotonic()

    @abstractmethod
    def draw(self) -> RenderableType:
        """Draw the panel."""

    @abstractmethod
    def line(self) -> str:
        """Say the same in one line."""

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def __enter__(self) -> Self:
        if self._shown and self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=False)
            self._live.start()
        return self

    def refresh(self) -> None:
        """Show what has changed, if it is time to."""
        now = time.monotonic()
        if not self._shown or now < self._next:
            return
        self._try_to_draw()
        cost = time.monotonic() - now
        pause = max(_PAUSE, cost / _SHARE) if self._live is not None else _PLAIN_PAUSE
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
            if self._live is None:
                self._console.print(self.line(), markup=False, highlight=False)
            else:
                self._live.update(self.draw(), refresh=True)
        except Exception as error:  # a panel that cannot be drawn must not end a run
            self._shown = False
            logger.warning("the panel was switched off: %s", error)


class Watched(Protocol):
    """What of a calculator the display needs."""

    session: Any

    @property
    def log_path(self) -> Path | None:
        """The run log."""

    @property
    def run_id(self) -> str | None:
        """In the log, of the run that is open."""


class RunDisplay(Display):
    """Shows a run of a calculator that is watched.

    Parameters
    ----------
    calculator : PlatonicCalculator
        Its run is opened; the panel reads its log as it grows.
    shown, console
        See :class:`Display`.
    """

    def __init__(
        self,
        calculator: Watched,
        *,
        shown: bool = True,
        console: Console | None = None,
    ) -> None:
        super().__init__(shown=shown, console=console)
        calculator.session.open()
        log, run = calculator.log_path, calculator.run_id
        self._reader = None if log is None else LogReader(log, RunColumns, run=run, latest=HISTORY)
        self._label, self._done = "", 0
        self._total: int | None = None
        self._begun = self._start

    def begin(self, label: str, total: int | None) -> None:
        """Begin a part of the run.

        Parameters
        ----------
        label : str
            What runs.
        total : int or None
            Steps, at most; None where that is not known.
        """
        self._label, self._done, self._total = label, 0, total
        self._begun = time.monotonic()

    def update(self, done: int) -> None:
        """Say how many steps of this part were made."""
        self._done = done
        self.refresh()

    def draw(self) -> RenderableType:
        """Draw the panel."""
        runs: list[RunColumns] = []
        if self._reader is not None:
            self._reader.poll()
            runs = self._reader.runs
        return panel(
            runs[-1] if runs else None,
            None if self._reader is None else self._reader.path,
            label=self._label,
            done=self._done,
            total=self._total,
            elapsed=time.monotonic() - self._begun,
        )

    def line(self) -> str:
        """Say the same in one line."""
        of = "" if self._total is None else f" of {self._total}"
        return f"{self._label}: {self._done}{of}, {duration(time.monotonic() - self._begun)}"
