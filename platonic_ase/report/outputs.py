"""Output files: one of an earlier run is moved aside, never overwritten."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from platonic_ase.errors import LogError, RecordingWarning

logger = logging.getLogger("platonic_ase")


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
    from platonic_ase.report.report import write_report

    try:
        return write_report(log, report)
    except (OSError, LogError) as error:
        message = f"no report: {error}; make it later with 'platonic-ase report {log}'"
        logger.warning(message)
        warnings.warn(message, RecordingWarning, stacklevel=2)
        return None
