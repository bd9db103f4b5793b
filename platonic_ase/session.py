"""One run: what is watched unless told otherwise, and what happens when an event is raised."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from platonic_ase.errors import WarningRaised
from platonic_ase.monitor import (
    Diagnostic,
    ForceBoundModel,
    ForceErrorBound,
    ManifoldDistance,
    OrbitSplitting,
    PhysicalCompanions,
)
from platonic_ase.monitor.diagnosis import Event
from platonic_ase.phonons.estimate import PhononRiskModel
from platonic_ase.phonons.response import DisplacementResponse

logger = logging.getLogger("platonic_ase")

PolicyName = Literal["warn", "stop", "raise", "ignore"]
_NAMES = ("warn", "stop", "raise", "ignore")


class Policy:
    """Acts on events and remembers a stop until it is resumed.

    Parameters
    ----------
    on_warning : {"warn", "stop", "raise", "ignore"} or callable
        ``"warn"`` issues a Python warning; ``"stop"`` does too, and ends an attached run at its
        next step, or refuses the next geometry where nothing is attached; ``"raise"`` raises
        :class:`~platonic_ase.errors.WarningRaised`; ``"ignore"`` only logs; a callable is given
        the event. Every event goes to the logger ``platonic_ase`` in any case.

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
        logger.warning("%s", event)
        for listener in self._listeners:
            listener.append(event)
        if callable(self.on_warning):
            self.on_warning(event)
        elif self.on_warning == "raise":
            raise WarningRaised(event)
        elif self.on_warning != "ignore":
            warnings.warn(str(event), event.signal.category, stacklevel=5)
            if self.on_warning == "stop" and self.stopped_by is None:
                self.stopped_by = event

    @property
    def name(self) -> str:
        """Name of the policy, for logs."""
        return "callable" if callable(self.on_warning) else self.on_warning


def default_diagnostics(
    phonon_risk: PhononRiskModel | None = None, force_bound: ForceBoundModel | None = None
) -> tuple[Diagnostic, ...]:
    """What a calculator watches unless told otherwise.

    Parameters
    ----------
    phonon_risk : PhononRiskModel, optional
        Calibration of the model in use, for displaced supercells.
    force_bound : ForceBoundModel, optional
        Calibration of the model in use, for force errors.
    """
    return (
        ManifoldDistance(warn=force_bound is None),
        ForceErrorBound(force_bound),
        OrbitSplitting(),
        PhysicalCompanions(),
        DisplacementResponse(phonon_risk),
    )
