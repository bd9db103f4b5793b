"""The same diagnostics over a trajectory that exists already."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sized
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.calculator import PlatonicCalculator
from platonic_ase.errors import StructureError
from platonic_ase.outputs import check_outputs, keep_previous, show_path
from platonic_ase.runs.record import RunResult, try_report
from platonic_ase.runs.trajectory import FrameWriter, open_trajectory, trajectory_kind
from platonic_ase.structures import require_countable

if TYPE_CHECKING:
    from ase import Atoms


def replay(
    frames: Iterable[Atoms],
    calculator: PlatonicCalculator,
    *,
    annotated: str | os.PathLike[str] | None = None,
    report: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> RunResult:
    """Diagnose the frames of a trajectory, with the numbers that a live run would have given.

    Parameters
    ----------
    frames : iterable of Atoms
        In order of time. Frames with the same atoms belong to one track, as in a live run.
    calculator : PlatonicCalculator
        Closed at the end.
    annotated : path-like, optional
        ``.xyz`` or ``.h5`` for the diagnosed frames with what was seen of every atom.
    report : path-like, optional
        HTML report, made from the calculator's log.
    progress : bool
        Whether to show a live panel, or plain lines where there is no terminal.

    Returns
    -------
    RunResult
        Its trajectory is the annotated one.

    Raises
    ------
    StructureError
        If there is no frame.
    OutputError
        If a file would be written over something else; nothing has been computed then.
    """
    from platonic_ase.report.display import RunDisplay

    roles: dict[str, str | os.PathLike[str] | None] = {"report": report}
    if annotated is not None:
        roles[trajectory_kind(annotated, annotated=True)] = annotated
    check_outputs(roles)
    live: Atoms | None = None
    writer: FrameWriter | None = None
    written = None if annotated is None else keep_previous(annotated)
    done, ended = 0, "finished"
    display = RunDisplay(calculator, shown=progress)
    display.begin("replay", len(frames) if isinstance(frames, Sized) else None)
    try:
        with display, calculator.policy.listening() as events:
            for frame in frames:
                if live is None or not np.array_equal(live.numbers, frame.numbers):
                    live = frame.copy()
                    live.calc = calculator
                    writer = None if written is None else open_trajectory(written, live, calculator)
                else:
                    _move(live, frame)
                live.get_potential_energy()
                done += 1
                if writer is not None and calculator.has_diagnosed(live):
                    writer.write()
                if calculator.stopped_by is not None:
                    ended = str(calculator.stopped_by)
                    break
                display.update(done)
    except KeyboardInterrupt:
        ended = "interrupted"
    finally:
        calculator.close()
        log = calculator.log_path
        html = try_report(log, report, calculator.run_id)
    if done == 0 and ended == "finished":
        raise StructureError("the trajectory holds no frame")
    return RunResult(
        calculator.summary(),
        written,
        log,
        html,
        done,
        ended,
        tuple(events),
        calibrated=calculator.reference is not None,
        unit="frame",
    )


def require_frames(path: str | os.PathLike[str]) -> None:
    """Refuse a trajectory whose first frame cannot be read, before a model is opened.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    StructureError
    """
    if next(iter(read_frames(path)), None) is None:
        raise StructureError(f"{show_path(path)} holds no frame")


def read_frames(path: str | os.PathLike[str]) -> Iterable[Atoms]:
    """Iterate over the frames of any trajectory that ``ase.io`` reads.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    StructureError
        If the file is missing or cannot be read.
    """
    from ase.io import iread

    if not Path(path).is_file():
        raise StructureError(f"no trajectory at {show_path(path)}; check the path")
    require_countable(Path(path))
    try:
        yield from iread(str(path), index=":")
    except Exception as error:
        raise StructureError(
            f"cannot read {show_path(path)}: {type(error).__name__}: {error}. Any trajectory that "
            "ase.io.read reads will do: .traj, extxyz, XDATCAR, vasprun.xml, ..."
        ) from error


def _move(live: Atoms, frame: Atoms) -> None:
    live.set_cell(frame.cell)
    live.pbc = frame.pbc
    live.positions[:] = frame.positions
    live.info.update(frame.info)
    if frame.has("momenta"):
        live.set_momenta(frame.get_momenta(), apply_constraint=False)
