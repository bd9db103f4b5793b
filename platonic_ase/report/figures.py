"""The same run as pictures for papers: one file a figure."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from platonic_ase.errors import LogError
from platonic_ase.report.columns import RunColumns
from platonic_ase.report.scene import alarm_level
from platonic_ase.report.tracks import choose_tracks
from platonic_ase.report.viewer import atoms_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("pdf", "svg", "png")


def write_figures(
    run: RunColumns, folder: str | os.PathLike[str], formats: tuple[str, ...] = FORMATS
) -> list[Path]:
    """Draw a run with matplotlib and write each figure in each format.

    Parameters
    ----------
    run : RunColumns
    folder : path-like
        Made if need be; files of the same names are replaced.
    formats : tuple of str

    Returns
    -------
    list of Path

    Raises
    ------
    LogError
        If a file cannot be written.
    """
    return save_drawings(drawings(run), folder, formats)


def save_drawings(
    drawn: Mapping[str, Callable[[], Figure | None]],
    folder: str | os.PathLike[str],
    formats: tuple[str, ...] = FORMATS,
) -> list[Path]:
    """Write figures in each format.

    Parameters
    ----------
    drawn : mapping of str to callable
        What draws each, by file name; None is not written.
    folder : path-like
        Made if need be; files of the same names are replaced.
    formats : tuple of str

    Raises
    ------
    LogError
        If a file cannot be written.
    """
    folder = Path(folder)
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, draw in drawn.items():
            made = draw()
            if made is None:
                continue
            for kind in formats:
                written.append(folder / f"{name}.{kind}")
                made.savefig(written[-1], dpi=200)
    except OSError as error:
        raise LogError(f"cannot write figures to {folder}: {error}") from error
    return written


def drawings(run: RunColumns) -> dict[str, Callable[[], Figure | None]]:
    """Functions that draw the figures of a run, by name; None where nothing was logged."""
    from platonic_ase.report import plots

    tracks, _ = choose_tracks(run.series())
    if not tracks:
        return {}
    drawn: dict[str, Callable[[], Figure | None]] = {
        "distortion": lambda: plots.distortion(
            tracks, alarm_level(run, tracks, "extrapolation_score")
        ),
        "splitting": lambda: plots.splitting(tracks),
        "map": lambda: plots.platonic_map(run.header.get("map") or {}, tracks),
        "traces": lambda: plots.traces(tracks),
        "companions": lambda: plots.companions(tracks),
        "distances": lambda: _histogram(run),
    }
    flagged = [s for s in run.structures if s.get("flagged")][:1]
    for name, record in (("structure-at-warning", flagged), ("structure", run.structures[-1:])):
        if record and (atoms := atoms_of(record[0])) is not None:
            ringed = record[0].get("flagged") or []
            drawn[name] = lambda atoms=atoms, ringed=ringed: plots.structure_views(  # type: ignore[misc]
                atoms, ringed
            )
    return drawn


def _histogram(run: RunColumns) -> Figure | None:
    """Distance of every atom in the last geometry."""
    from platonic_ase.report import plots

    last = run.last
    same = [s for s in run.structures if last is not None and s["track"] == last.track]
    if last is None or not same:
        return None
    per_atom = last.more.get("per_atom") or same[-1].get("per_atom") or {}
    distances = per_atom.get("manifold_distance")
    scores = per_atom.get("extrapolation_score")
    atoms = atoms_of(same[-1])
    if atoms is None or not distances or not scores:
        return None
    if not len(distances) == len(scores) == len(atoms):
        return None
    return plots.distance_histogram(
        list(atoms.symbols), np.array(distances, dtype=float), np.array(scores, dtype=float)
    )
