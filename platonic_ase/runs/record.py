"""Running dynamics with all that they write, so that nothing already written is lost."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platonic_ase.errors import LogError, OutputError, RecordingWarning, warn_outside
from platonic_ase.monitor.diagnosis import Event
from platonic_ase.monitor.history import RunSummary
from platonic_ase.outputs import check_outputs, keep_previous, show_path
from platonic_ase.runs.trajectory import FrameWriter, open_trajectory, trajectory_kind

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator


EXPLODED = "exploded"
"""How molecular dynamics ends that leaves all temperatures and energies that make sense, whatever
else warnings do."""


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
        ``"interrupted"``, ``"exploded"``, or the event that stopped it.
    events : tuple of Event
        Warnings that were raised, in order.
    outcome : str
        What it came to, such as the energy of a relaxed structure; empty where nothing was
        computed.
    calibrated : bool
        Whether there was a reference, so that extrapolation was judged.
    unit : str
        What a step is.
    """

    summary: RunSummary
    trajectory: Path | None
    log: Path | None
    report: Path | None
    steps: int
    ended: str
    events: tuple[Event, ...] = ()
    outcome: str = ""
    calibrated: bool = True
    unit: str = "step"

    @property
    def files(self) -> dict[str, Path]:
        """The files that exist, by role."""
        roles = {"trajectory": self.trajectory, "log": self.log, "report": self.report}
        return {role: path for role, path in roles.items() if path is not None and path.exists()}

    def describe(self) -> str:
        """How it ended, what it came to and what was seen; two lines, three where warned."""
        from platonic_ase.report.html import plural

        stopped = self.events[-1] if self.events and self.ended == str(self.events[-1]) else None
        ended = self.ended if stopped is None else "stopped by a warning"
        said = [f"{plural(self.steps, self.unit)}, {ended}{self.outcome and f': {self.outcome}'}."]
        summary = self.summary
        seen = f"{summary.diagnosed} of {summary.evaluated} geometries diagnosed"
        if self.events:
            kinds = []
            for kind, count in Counter(event.kind for event in self.events).items():
                further = summary.held_back.get(kind)
                kinds.append(
                    f"{kind.replace('_', ' ')}{f' ×{count}' if count > 1 else ''}"
                    + (f" (not repeated in {further:,d} more geometries)" if further else "")
                )
            said.append(f"{plural(len(self.events), 'warning')}, {seen}: {', '.join(kinds)}.")
            said.append(f"{'Last' if stopped else 'First'}: {stopped or self.events[0]}")
        else:
            said.append(f"Quiet: {seen}, no warning." if summary.diagnosed else f"{seen}.")
        if summary.diagnosed and not self.calibrated:
            said.append(
                "There is no reference for this model, so extrapolation was not judged: check a "
                "few geometries by other means, or make one with 'platonic-ase calibrate'."
            )
        if summary.switched_off:
            said.append(f"Failed and switched off: {', '.join(summary.switched_off)}.")
        return "\n".join(said)


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
    outcome: Callable[[], str] = str,
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
    outcome : callable
        Says, at the end, what the run came to.

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
    dynamics.attach(lambda: _end_explosion(dynamics, calculator))
    try:
        with display, calculator.policy.listening() as events:
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
        html = try_report(log, report, calculator.run_id)
    if ended == "finished" and _has_exploded(calculator):
        ended = EXPLODED
    return RunResult(
        calculator.summary(),
        written,
        log,
        html,
        dynamics.nsteps,
        ended,
        tuple(events),
        outcome() if calculator.results and not calculator.check_state(atoms) else "",
        calculator.reference is not None,
    )


def _end_explosion(dynamics: Any, calculator: PlatonicCalculator) -> None:
    """Make no further step: models hang, or fill the memory, on atoms that fly apart."""
    if _has_exploded(calculator):
        dynamics.max_steps = dynamics.nsteps


def _has_exploded(calculator: PlatonicCalculator) -> bool:
    return not {"exploding", "non_finite"}.isdisjoint(calculator.summary().raised)


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


def try_report(
    log: Path | None, report: str | os.PathLike[str] | None, run_id: str | None
) -> Path | None:
    """Write the report of a run; a report that cannot be made does not lose the run.

    Parameters
    ----------
    log : Path or None
    report : path-like or None
        One of an earlier run is kept aside.
    run_id : str or None
        Which run of the log: others may write to it as well. None where there is no log.

    Returns
    -------
    Path or None
        The report, or None where none was asked for or it could not be made.

    Warns
    -----
    RecordingWarning
        If it could not be made.
    """
    if log is None or report is None or run_id is None:
        return None
    from platonic_ase.report.report import write_report

    try:
        return write_report(log, keep_previous(report), run=run_id)
    except (OSError, LogError, OutputError) as error:
        warn_outside(
            f"no report: {error}; make it later with 'platonic-ase report {show_path(log)}'",
            RecordingWarning,
        )
        return None
