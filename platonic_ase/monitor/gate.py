"""From signals to events: hysteresis, a rate limit, and a count of what was held back."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from platonic_ase.monitor.diagnosis import Event, Signal


@dataclass
class EventGate:
    """Decides which alarms become events.

    An event is raised when a signal reaches level 1 while its kind is armed. The kind is armed
    again once the level has fallen below ``clear``. While it stays up, or when it comes back
    sooner than ``cooldown`` geometries after its last event, the alarm is counted and held back.

    Attributes
    ----------
    clear : float
        Level below which a kind is armed again, in (0, 1].
    cooldown : int
        Fewest geometries between two events of one kind in one track.
    raised, held_back : Counter
        Events and suppressed alarms by kind.
    """

    clear: float = 0.8
    cooldown: int = 100
    raised: Counter[str] = field(default_factory=Counter)
    held_back: Counter[str] = field(default_factory=Counter)
    _up: set[tuple[int | str, str]] = field(default_factory=set)
    _last: dict[tuple[int | str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.clear <= 1:
            raise ValueError(f"clear = {self.clear}; a level above 0 and at most 1 is needed")
        if self.cooldown < 0:
            raise ValueError(f"cooldown = {self.cooldown}; it cannot be negative")

    def admit(self, signal: Signal, track: int, index: int) -> Event | None:
        """Raise an event for a signal, or hold it back.

        Parameters
        ----------
        signal : Signal
        track, index : int
            The trajectory and the geometry in it.

        Returns
        -------
        Event or None
        """
        key = (signal.group or track, signal.kind)
        if math.isnan(signal.level) or signal.level < 1:
            if signal.level < self.clear:
                self._up.discard(key)
            return None
        last = self._last.get(key)
        if key in self._up or (last is not None and index - last < self.cooldown):
            self._up.add(key)
            self.held_back[signal.kind] += 1
            return None
        self._up.add(key)
        self._last[key] = index
        self.raised[signal.kind] += 1
        return Event(index, track, signal)

    def settle(self, kinds: tuple[str, ...], track: int) -> None:
        """Arm kinds again whose level, not known exactly, is below :attr:`clear`."""
        if self._up:
            for kind in kinds:
                self._up.discard((track, kind))

    def rearm(self, event: Event) -> None:
        """Let the same alarm be raised again at once: the caller was interrupted by it."""
        key = (event.signal.group or event.track, event.kind)
        self._up.discard(key)
        self._last.pop(key, None)
