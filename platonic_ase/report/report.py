"""One self-contained HTML page that says how a run went."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from platonic_ase.errors import LogError
from platonic_ase.report import plots
from platonic_ase.report.audit import audit_sections
from platonic_ase.report.html import figure, page, write_page
from platonic_ase.report.reader import RunRecord, read_log
from platonic_ase.report.tracks import TrackSeries, choose_tracks, read_tracks
from platonic_ase.report.verdict import events_table, header_facts, risks_table, verdict

if TYPE_CHECKING:
    from ase import Atoms
    from matplotlib.figure import Figure


def write_report(
    log_path: str | os.PathLike[str], html_path: str | os.PathLike[str], run: int = -1
) -> Path:
    """Write the report of one run of a log.

    Parameters
    ----------
    log_path : path-like
        Written by ``PlatonicCalculator(..., log=...)``; also of a run that was killed or goes on.
    html_path : path-like
        Replaced if it exists; its folder is made.
    run : int
        Which run of the log; the last by default.

    Returns
    -------
    Path
        The report: one file that refers to nothing outside it.

    Raises
    ------
    LogError
        If the log cannot be read or holds no such run, or the report cannot be written.
    """
    runs = read_log(log_path, per_atom=False)
    if not -len(runs) <= run < len(runs):
        raise LogError(
            f"{log_path} has no run {run}: it holds {len(runs)}, numbered 0 to {len(runs) - 1}, "
            "or from the end -1 to "
            f"{-len(runs)}"
        )
    text = render(runs[run], Path(log_path).name, (run % len(runs) + 1, len(runs)))
    return write_page(text, html_path)


def render(run: RunRecord, name: str, position: tuple[int, int] = (1, 1)) -> str:
    """HTML text of the report of a run.

    Parameters
    ----------
    run : RunRecord
    name : str
        What to call the run, such as the name of its log.
    position : tuple of int
        Which run of the log, counted from 1, and how many there are.
    """
    tracks, remark = choose_tracks(read_tracks(run))
    remarks = [] if remark is None else [f'<p class="muted">{escape(remark)}</p>']
    return page(
        f"platonic_ase: {name}",
        [
            f"<header>\n<h1>Run report: <code>{escape(name)}</code></h1>",
            f"{header_facts(run, position)}\n</header>",
            verdict(run),
            risks_table(run),
            events_table(run),
            *audit_sections(run.audit),
            *remarks,
            *_figures(run, tracks),
        ],
    )


def _figures(run: RunRecord, tracks: Sequence[TrackSeries]) -> list[str]:
    if not tracks:
        return []
    known = run.header.get("calibration")
    alarm = known.get("alarm") if isinstance(known, Mapping) else None
    group = next((s for t in tracks if (s := _space_group(t)) is not None), None)
    drawn: list[tuple[str, str, Callable[[], Figure | None]]] = [
        (
            "Distortion of the Platonic space",
            "Top: how far the worst atom is from the environments that the model is known to "
            "handle, as a multiple of its element's threshold. Then: the same distance averaged "
            "over atoms (a difference of cosines, no unit). "
            + _bound_caption(tracks)
            + "Triangles "
            "mark warnings.",
            lambda: plots.distortion(tracks, alarm),
        ),
        (
            "Orbit splitting",
            (f"Reference: {group}. " if group else "")
            + "Atoms that are equivalent in the reference structure must look the same to the "
            "model: splitting on a symmetric geometry is the model's error, growing splitting "
            "together with the structural asymmetry is the structure breaking its symmetry. "
            "Thermal motion splits orbits at every instant." + _evidence_caption(tracks),
            lambda: plots.splitting(tracks),
        ),
        (
            "Map of the Platonic space",
            "Mean Platonic coordinates of each element along the run, in the plane in which the "
            "reference varies most. A path that leaves the cloud of its element leaves what the "
            "model is known to handle; the plane hides other directions.",
            lambda: plots.platonic_map(run.header.get("map") or {}, tracks),
        ),
        *_structures(run),
        (
            "Distance of every atom at the end",
            "Manifold distance by element in the last geometry; atoms to the right of the dashed "
            "line are beyond what held-out reference environments of their element show.",
            lambda: _histogram(run),
        ),
        (
            "Energy, temperature and volume",
            "What the run did. Panels of quantities that were not recorded, or did not change, "
            "are left out.",
            lambda: plots.traces(tracks),
        ),
        (
            "Physical companions",
            "Forces of a conservative model add up to zero. The closest contact is the smallest "
            "distance of two atoms over the sum of their covalent radii; where the line is broken, "
            "no two atoms are closer than that sum.",
            lambda: plots.companions(tracks),
        ),
    ]
    sections = []
    for k, (title, caption, draw) in enumerate(drawn):
        made = draw()
        if made is not None:
            sections.append(figure(title, caption, plots.to_svg(made, f"figure{k}")))
    return sections


def _evidence_caption(tracks: Sequence[TrackSeries]) -> str:
    """State the false-alarm rate of the test of the time average, where there was one."""
    limit = tracks[0].limit("symmetry_evidence")
    if limit is None or not np.isfinite(tracks[0].column("symmetry_evidence")).any():
        return ""
    return (
        " Evidence is a test of the time average: of runs that stay symmetric at most "
        f"{100 * 10**-limit:.2g} % ever pass the dashed line."
    )


def _bound_caption(tracks: Sequence[TrackSeries]) -> str:
    facts = tracks[0].facts.get("force_error") or {}
    if "level" not in facts:
        return ""
    unseen = ", ".join(facts.get("uncalibrated_elements") or [])
    return (
        f"Bottom: what the error of the force stays below for {100 * facts['level']:g} % of the "
        "atoms of structures like those of the calibration, at the atom where that is largest "
        f"({facts.get('calibration')}" + (f"; it has seen no {unseen}" if unseen else "") + "). "
    )


def _structures(run: RunRecord) -> list[tuple[str, str, Callable[[], Figure | None]]]:
    """Choose the first structure with flagged atoms, and the last one."""
    shown = [s for s in run.structures if s.get("flagged")][:1]
    if run.structures and run.structures[-1] not in shown:
        shown.append(run.structures[-1])
    entries: list[tuple[str, str, Callable[[], Figure | None]]] = []
    for record in shown:
        flagged = record.get("flagged") or []
        where = "at the end, " if record is run.structures[-1] and run.summary else ""
        where += f"geometry {record['index']}"
        where += f" of track {record['track']}" if record["track"] else ""
        atoms = _atoms(record)
        if atoms is None:
            continue
        entries.append(
            (
                f"Structure: {where}",
                f"{atoms.get_chemical_formula('metal')}, {len(atoms)} atoms; "
                + (f"{len(flagged)} named by a warning (ringed)." if flagged else "none flagged."),
                lambda atoms=atoms, flagged=flagged: plots.structure_views(  # type: ignore[misc]
                    atoms, flagged
                ),
            )
        )
    return entries


def _histogram(run: RunRecord) -> Figure | None:
    if not run.structures:
        return None
    last = run.geometries[-1]
    same = [s for s in run.structures if s["track"] == last["track"]]
    if not same:
        return None
    per_atom = last.get("per_atom") or same[-1].get("per_atom") or {}
    distances = per_atom.get("manifold_distance")
    scores = per_atom.get("extrapolation_score")
    atoms = _atoms(same[-1])
    if atoms is None or not distances or not scores:
        return None
    if not len(distances) == len(scores) == len(atoms):
        return None
    return plots.distance_histogram(
        list(atoms.symbols), np.array(distances, dtype=float), np.array(scores, dtype=float)
    )


def _atoms(record: Mapping[str, Any]) -> Atoms | None:
    """Build the structure of a record; None where positions are not finite."""
    from ase import Atoms

    stored = record["atoms"]
    try:
        atoms = Atoms(
            numbers=stored["numbers"],
            positions=np.array(stored["positions"], dtype=float),
            cell=np.array(stored["cell"], dtype=float),
            pbc=stored["pbc"],
        )
    except (KeyError, TypeError, ValueError):
        return None
    finite = np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()
    return atoms if finite and len(atoms) else None


def _space_group(track: TrackSeries) -> str | None:
    return (track.facts.get("symmetry") or {}).get("space_group")
