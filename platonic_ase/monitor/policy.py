"""What happens when an event is raised, and how a user is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from platonic_ase.errors import NoticeWarning, WarningRaised, warn_outside
from platonic_ase.monitor.diagnosis import Event

logger = logging.getLogger("platonic_ase.events")
# what is said here is issued as a Python warning as well: without a handler of the user's own, the
# logging module would print it a second time
logger.addHandler(logging.NullHandler())

PolicyName = Literal["warn", "stop", "raise", "ignore"]
_NAMES = ("warn", "stop", "raise", "ignore")


class Policy:
    """Acts on events and remembers a stop until it is resumed.

    Parameters
    ----------
    on_warning : {"warn", "stop", "raise", "ignore"} or callable
        ``"warn"`` issues a Python warning; ``"stop"`` does too, and ends an attached run at its
        next step, or refuses the next geometry where nothing is attached; ``"raise"`` raises
        :class:`~platonic_ase.errors.WarningRaised`; ``"ignore"`` only logs, at level INFO; a
        callable is given the event. Every event goes to the logger ``platonic_ase.events`` in any
        case, at level WARNING where it is not ignored.

    Raises
    ------
    ValueError
        For anything else.
    """

    def __init__(self, on_warning: PolicyName | Callable[[Event], object]) -> None:
        if not callable(on_warning) and on_warning not in _NAMES:
            raise ValueError(
                f"on_warning = {on_warning!r}; one of {', '.join(map(repr, _NAMES))} or a "
                "function that takes an event is needed"
            )
        self.on_warning = on_warning
        self.stopped_by: Event | None = None
        self._listeners: list[list[Event]] = []
        self._noticed: set[str] = set()

    @contextmanager
    def listening(self) -> Iterator[list[Event]]:
        """Collect the events of a stretch of a run, whatever else happens to them."""
        events: list[Event] = []
        self._listeners.append(events)
        try:
            yield events
        finally:
            # by identity: two empty lists are equal
            self._listeners = [each for each in self._listeners if each is not events]

    def act(self, event: Event) -> None:
        """Act on one event.

        Raises
        ------
        WarningRaised
            Under ``"raise"``.
        """
        logger.log(logging.INFO if self.on_warning == "ignore" else logging.WARNING, "%s", event)
        for listener in self._listeners:
            listener.append(event)
        if callable(self.on_warning):
            self.on_warning(event)
        elif self.on_warning == "raise":
            raise WarningRaised(event)
        elif self.on_warning != "ignore":
            warn_outside(str(event), event.signal.category)
            if self.on_warning == "stop" and self.stopped_by is None:
                self.stopped_by = event

    def renew(self) -> None:
        """Begin a new run: nothing has stopped it, nothing has been noticed."""
        self.stopped_by = None
        self._noticed.clear()

    def notice(self, message: str) -> None:
        """Say once what limits the watch of a run; no event, so that nothing stops or raises."""
        if message in self._noticed:
            return
        self._noticed.add(message)
        logger.info("%s", message)
        if self.on_warning != "ignore":
            warn_outside(message, NoticeWarning)

    @property
    def name(self) -> str:
        """Name of the policy, for logs."""
        return "callable" if callable(self.on_warning) else self.on_warning


def tell(message: str, category: type[Warning], error: Exception | None = None) -> None:
    """Say something once to the logger and as a Python warning: a part of the watch has failed."""
    logger.error(message, exc_info=error)
    warn_outside(message, category)
