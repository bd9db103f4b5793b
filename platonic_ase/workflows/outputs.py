"""Running dynamics with all that they write, so that nothing already written is lost."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platonic_ase.diagnostics.watch import RunSummary
from platonic_ase.errors import LogError, RecordingWarning

if TYPE_CHECKING:
    from ase import Atoms

    from platonic_ase.calculator import PlatonicCalculator

logger = logging.getLogger("platonic_ase")


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
) -> RunResult:
    """Run dynamics with trajectory, progress bar, log and report, complete also on Ctrl-C.

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
        At most; the length of the bar.
    label : str
        Of the bar.
    trajectory : path-like, optional
        ASE trajectory; one of an earlier run is kept aside.
    trajectory_interval : int
        Steps between frames.
    report : path-like, optional
        HTML report, made from the calculator's log.
    progress : bool
        Whether to show the bar.
    """
    from ase.io.trajectory import Trajectory
    from tqdm.auto import tqdm

    calculator.attach(dynamics)
    written, writer = None, None
    if trajectory is not None:
        written = keep_previous(trajectory)
        writer = Trajectory(str(written), "w", atoms)
        dynamics.attach(writer.write, interval=trajectory_interval)
    bar = tqdm(total=steps, desc=label, disable=not progress)
    dynamics.attach(lambda: bar.update(dynamics.nsteps - bar.n))
    try:
        ended = start()
        if calculator.stopped_by is not None:
            ended = str(calculator.stopped_by)
    except KeyboardInterrupt:
        ended = "interrupted"
    finally:
        bar.close()
        if writer is not None:
            writer.close()
        calculator.close()
        log = calculator.log_path
        html = try_report(log, report)
    return RunResult(calculator.summary(), written, log, html, dynamics.nsteps, ended)


def keep_previous(path: str | os.PathLike[str]) -> Path:
    """Move a file of an earlier run aside, to ``name.1.ext``, ``name.2.ext``, ...

    Parameters
    ----------
    path : path-like
        Where a new file is about to be written; its folder is made.

    Returns
    -------
    Path
        The path, free to be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size:
        n = 1
        while (aside := path.with_name(f"{path.stem}.{n}{path.suffix}")).exists():
            n += 1
        path.replace(aside)
        logger.warning("%s existed and was kept as %s", path, aside.name)
    return path


def try_report(log: Path | None, report: str | os.PathLike[str] | None) -> Path | None:
    """Write the report of a log; a report that cannot be made does not lose the run.

    Parameters
    ----------
    log : Path or None
    report : path-like or None

    Returns
    -------
    Path or None
        The report, or None where none was asked for or it could not be made.
    """
    import warnings

    if log is None or report is None:
        return None
    from platonic_ase.recording.report import write_report

    try:
        return write_report(log, report)
    except (OSError, LogError) as error:
        message = f"no report: {error}; make it later with 'platonic-ase report {log}'"
        logger.warning(message)
        warnings.warn(message, RecordingWarning, stacklevel=2)
        return None
