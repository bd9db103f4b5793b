"""Running dynamics with all that they write, so that nothing already written is lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platonic_ase.errors import LogError, OutputError, RecordingWarning, warn_outside
from platonic_ase.monitor.watch import RunSummary
from platonic_ase.outputs import check_outputs, keep_previous, show_path
from platonic_ase.runs.trajectory import FrameWriter, open_trajectory, trajectory_kind

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator


@dataclass(frozen=True)
class RunResult:
    """What a workflow leaves behind.

    Attributes
    ----------
    summary : RunSummary
        Geometries, events, worst values.
    trajectory, log, report : Path or None
        Files written; None where none was asked for, or could be made.
    steps : int
        Steps made.
    ended : str
        Why the run ended: ``"finished"``, ``"converged"``, ``"not converged"``,
        ``"interrupted"``, or the event that stopped it.
    """

    summary: RunSummary
    trajectory: Path | None
    log: Path | None
    report: Path | None
    steps: int
    ended: str

    @property
    def files(self) -> dict[str, Path]:
        """The files that exist, by role."""
        roles = {"trajectory": self.trajectory, "log": self.log, "report": self.report}
        return {role: path for role, path in roles.items() if path is not None and path.exists()}


def record_run(
    start: Callable[[], str],
    dynamics: Any,
    atoms: Atoms,
    calculator: PlatonicCalculator,
    *,
    steps: int,
    label: str,
    trajectory: str | os.PathLike[str] | None,
    trajectory_interval: int,
    report: str | os.PathLike[str] | None,
    progress: bool,
    provenance: Mapping[str, Any] | None = None,
    append: bool = False,
) -> RunResult:
    """Run dynamics with trajectory, live panel, log and report, complete also on Ctrl-C.

    Parameters
    ----------
    start : callable
        Runs the dynamics and returns how they ended.
    dynamics : ase.md or ase.optimize object
    atoms : Atoms
        Written to the trajectory.
    calculator : PlatonicCalculator
        Attached to the dynamics; closed at the end.
    steps : int
        At most.
    label : str
        What runs.
    trajectory : path-like, optional
        For the frames, in a format of
        :func:`~platonic_ase.runs.trajectory.open_trajectory`; one of an earlier run is kept aside.
    trajectory_interval : int
        Steps between frames.
    report : path-like, optional
        HTML report, made from the calculator's log.
    progress : bool
        Whether to show the panel, or plain lines where there is no terminal.
    provenance : mapping, optional
        What the log is to know of the run, such as ensemble and seed.
    append : bool
        Whether the trajectory is that of the run that goes on here: its frames are kept.

    Raises
    ------
    OutputError
        If a file would be written over something else; nothing has been computed then.
    """
    from platonic_ase.report.display import RunDisplay

    roles: dict[str, str | os.PathLike[str] | None] = {"report": report}
    if trajectory is not None:
        roles[trajectory_kind(trajectory)] = trajectory
    check_outputs(roles)
    calculator.attach(dynamics, **(provenance or {}))
    written = None if trajectory is None else Path(trajectory)
    writer = None if written is None else _Frames(written, atoms, calculator, dynamics, append)
    if writer is not None:
        dynamics.attach(writer, interval=trajectory_interval)
    display = RunDisplay(calculator, shown=progress)
    display.begin(label, steps)
    dynamics.attach(lambda: display.update(dynamics.nsteps))
    try:
        with display:
            ended = start()
        if calculator.stopped_by is not None:
            ended = str(calculator.stopped_by)
    except KeyboardInterrupt:
        ended = "interrupted"
    finally:
        if writer is not None:
            writer.close()
        calculator.close()
        log = calculator.log_path
        html = try_report(log, report)
    return RunResult(calculator.summary(), written, log, html, dynamics.nsteps, ended)


class _Frames:
    """Writes the frames of a run; a full disk ends the trajectory, not the run."""

    def __init__(
        self,
        path: Path,
        atoms: Atoms,
        calculator: PlatonicCalculator,
        dynamics: Any,
        append: bool,
    ) -> None:
        self._dynamics, self._append = dynamics, append
        if not append:
            keep_previous(path)
        self._writer: FrameWriter | None = open_trajectory(path, atoms, calculator, append)
        self._path = path

    def __call__(self) -> None:
        if self._writer is None or (self._append and self._dynamics.nsteps == 0):
            return  # the last frame of the run before
        try:
            self._writer.write()
        except OSError as error:
            warn_outside(
                f"the trajectory {show_path(self._path)} cannot be written on ({error}); the run "
                "goes on without it",
                RecordingWarning,
            )
            self.close()

    def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(OSError):
                writer.close()


def try_report(log: Path | None, report: str | os.PathLike[str] | None) -> Path | None:
    """Write the report of a log; a report that cannot be made does not lose the run.

    Parameters
    ----------
    log : Path or None
    report : path-like or None
        One of an earlier run is kept aside.

    Returns
    -------
    Path or None
        The report, or None where none was asked for or it could not be made.

    Warns
    -----
    RecordingWarning
        If it could not be made.
    """
    if log is None or report is None:
        return None
    from platonic_ase.report.report import write_report

    try:
        return write_report(log, keep_previous(report))
    except (OSError, LogError, OutputError) as error:
        warn_outside(
            f"no report: {error}; make it later with 'platonic-ase report {show_path(log)}'",
            RecordingWarning,
        )
        return None
