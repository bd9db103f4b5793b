"""Diagnostics that raise alarms, keep frames or fail on purpose."""

from __future__ import annotations

from typing import Any

from ase import Atoms

from platonic_ase.monitor import Diagnostic, Finding, Frame, Signal


class PlannedAlarm(Diagnostic):
    """Raises its signal to a planned level at each geometry of a track.

    Parameters
    ----------
    *levels : float
        By index of the geometry; the last one holds from then on.
    """

    name = "planned"

    def __init__(self, *levels: float) -> None:
        self.levels = levels

    def examine(self, frame: Frame, state: Any) -> Finding:
        """Give the level planned for this geometry."""
        level = self.levels[min(frame.index, len(self.levels) - 1)]
        signal = Signal("planned", level, level, 1.0, "", "a planned alarm.", "Ignore it.", (0,))
        return Finding(self.name, scalars={"planned": level}, signals=(signal,))


class FrameKeeper(Diagnostic):
    """Keeps the frames that it is shown in :attr:`frames`."""

    name = "keeper"

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def examine(self, frame: Frame, state: Any) -> Finding:
        """Keep the frame."""
        self.frames.append(frame)
        return Finding(self.name, scalars={"kept": float(len(self.frames))})


class FailingDiagnostic(Diagnostic):
    """Throws at one geometry, or when a track begins.

    Parameters
    ----------
    at : int
        Index of the geometry; -1 for the beginning of a track.
    """

    name = "failing"

    def __init__(self, at: int = 0) -> None:
        self.at = at

    def start(self, reference: Atoms) -> None:
        """Fail where that is planned."""
        if self.at < 0:
            raise RuntimeError("planned failure at the beginning")

    def examine(self, frame: Frame, state: Any) -> Finding:
        """Fail where that is planned."""
        if frame.index >= self.at:
            raise RuntimeError(f"planned failure at geometry {frame.index}")
        return Finding(self.name)
