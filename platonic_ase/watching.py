"""What a calculator that is watched adds to an ASE calculator: its runs, alarms and findings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from platonic_ase.errors import PlatonicError
from platonic_ase.monitor import Diagnosis, Event, Signal
from platonic_ase.monitor.annotate import annotate
from platonic_ase.monitor.history import RunSummary
from platonic_ase.monitor.policy import Policy
from platonic_ase.monitor.watch import Watch
from platonic_ase.session import Session

if TYPE_CHECKING:
    from ase import Atoms


class Watching:
    """Mixed into a calculator that has a :class:`~platonic_ase.session.Session`."""

    session: Session

    def attach(self, dynamics: Any, **provenance: Any) -> None:
        """Follow an MD run or an optimiser: stop it gracefully, and see its total energy.

        Under ``on_warning="stop"`` the run ends after the step that raised the event, and
        :attr:`stopped_by` says why. In NVE runs (``VelocityVerlet``) the energy drift is watched,
        from here on.

        Parameters
        ----------
        dynamics : ase.md or ase.optimize object
            Its class, time step and thermostat's temperature are recorded in the log.
        **provenance
            What else the log is to know of the run, such as ``ensemble="nvt"`` or ``seed=1``.
        """
        self.session.attach(dynamics, provenance)

    @property
    def diagnosis(self) -> Diagnosis | None:
        """Of the latest diagnosed geometry."""
        return self.session.diagnosis

    @property
    def embeddings(self) -> np.ndarray | None:
        """Of the latest diagnosed geometry, shape (n_atoms, d)."""
        return self.session.embeddings

    @property
    def platonic(self) -> np.ndarray | None:
        """Platonic coordinates of the latest diagnosed geometry, shape (n_atoms, K)."""
        return self.session.platonic

    @property
    def watch(self) -> Watch:
        """Diagnostics and histories of the run."""
        return self.session.watch

    @property
    def policy(self) -> Policy:
        """What happens at an event."""
        return self.session.policy

    @property
    def interval(self) -> int:
        """Every so many new geometries of each Atoms object are diagnosed."""
        return self.session.interval

    @interval.setter
    def interval(self, every: int) -> None:
        self.session.interval = every

    @property
    def stopped_by(self) -> Event | None:
        """The event that asked for a stop, until :meth:`resume` or the next run."""
        return self.session.policy.stopped_by

    @property
    def log_path(self) -> Path | None:
        """The run log, or None where there is none."""
        log = self.session.log
        return log if log is not None and log.is_file() else None

    @property
    def run_id(self) -> str | None:
        """In the log, of the run that is open or was the last; None without a log."""
        return self.session.run_id

    def _repr_html_(self) -> str:
        """Show the latest diagnosis in notebooks."""
        seen = "<p>nothing calculated yet</p>"
        return seen if self.diagnosis is None else self.diagnosis._repr_html_()

    def resume(self) -> None:
        """Go on after a stop."""
        self.session.policy.stopped_by = None

    def reset_reference(self, atoms: Atoms | None = None) -> None:
        """Say what "symmetric" and "reference volume" mean from now on; histories restart.

        Parameters
        ----------
        atoms : Atoms, optional
            The ideal structure, same atoms in the same order as those to be calculated; the next
            geometry of each Atoms object if None.
        """
        self.session.restart(atoms)

    def annotate(self, atoms: Atoms) -> Atoms:
        """Write the latest diagnosis to a structure, for extxyz, ASE GUI and OVITO.

        Parameters
        ----------
        atoms : Atoms
            Gets arrays ``platonic_<name>``, shape (n_atoms,), and ``platonic_flagged`` (0 or 1).

        Returns
        -------
        Atoms
            The same object.

        Raises
        ------
        PlatonicError
            If nothing was diagnosed yet, or the latest diagnosis is of another geometry, as with
            an ``interval`` above 1.
        """
        diagnosis, diagnosed = self.session.diagnosis, self.session.geometry
        if diagnosis is None or diagnosed is None:
            raise PlatonicError("nothing to annotate: no geometry has been diagnosed yet")
        if not np.array_equal(atoms.numbers, diagnosed.numbers):
            raise PlatonicError(
                f"the latest diagnosis is of {diagnosed.symbols}, not of {atoms.symbols}"
            )
        if not self.has_diagnosed(atoms):
            raise PlatonicError(
                f"the latest diagnosis is of another geometry of {atoms.symbols}: number "
                f"{diagnosis.index} of its track, of which every {self.interval} is diagnosed. "
                "Annotate the geometry that was, or use interval=1."
            )
        return annotate(atoms, diagnosis)

    def has_diagnosed(self, atoms: Atoms) -> bool:
        """Whether :attr:`diagnosis` is of this geometry: the same atoms, positions and cell."""
        diagnosed = self.session.geometry
        return (
            diagnosed is not None
            and np.array_equal(atoms.numbers, diagnosed.numbers)
            and np.array_equal(atoms.positions, diagnosed.positions)
            and np.array_equal(atoms.cell.array, diagnosed.cell.array)
        )

    def report(self, signal: Signal) -> Event | None:
        """Raise an alarm that a workflow found, through the gate and the policy.

        Parameters
        ----------
        signal : Signal
            Nothing happens below level 1.

        Returns
        -------
        Event or None
            None where hysteresis or the rate limit held it back.

        Raises
        ------
        WarningRaised
            If the policy says so.
        """
        return self.session.report(signal)

    def record(self, kind: str, record: Mapping[str, Any]) -> None:
        """Write a record of a workflow to the run log; nothing happens where there is none.

        Parameters
        ----------
        kind : str
            Such as ``"audit"``.
        record : mapping
            JSON-safe, or arrays and numbers of numpy.
        """
        self.session.record(kind, record)

    def summary(self) -> RunSummary:
        """Sum up the run that is open, or was the last: geometries, events, worst values."""
        return self.session.summary()

    def close(self) -> None:
        """End the run: write its summary to the log and to the logger; done at exit if not before.

        The next geometry begins a new run, with a history, a log and a summary of its own.
        """
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
