"""Running dynamics with all that they write, so that nothing already written is lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platonic_ase.monitor.watch import RunSummary
from platonic_ase.report.outputs import keep_previous, try_report

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
        ASE trajectory; one of an earlier run is kept aside.
    trajectory_interval : int
        Steps between frames.
    report : path-like, optional
        HTML report, made from the calculator's log.
    progress : bool
        Whether to show the panel, or plain lines where there is no terminal.
    provenance : mapping, optional
        What the log is to know of the run, such as ensemble and seed.
    """
    from ase.io.trajectory import Trajectory

    from platonic_ase.report.terminal import RunDisplay

    calculator.attach(dynamics, **(provenance or {}))
    written, writer = None, None
    if trajectory is not None:
        written = keep_previous(trajectory)
        writer = Trajectory(str(written), "w", atoms)
        dynamics.attach(writer.write, interval=trajectory_interval)
    display = RunDisplay(label, steps, calculator.log_path, shown=progress)
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
