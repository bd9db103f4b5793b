"""One self-contained HTML page that says how a run went, to walk through."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from platonic_ase.errors import LogError
from platonic_ase.monitor.frame import EVERY
from platonic_ase.report import scene
from platonic_ase.report.audit import audit_charts, audit_sections
from platonic_ase.report.columns import RunColumns, read_columns
from platonic_ase.report.html import (
    as_script,
    content_policy,
    environment,
    page_script,
    source_of,
    write_page,
)
from platonic_ase.report.libraries import library
from platonic_ase.report.tracks import TrackSeries, choose_tracks
from platonic_ase.report.verdict import event_rows, header_facts, kind_rows, risk_rows, verdict
from platonic_ase.report.viewer import axes, chosen, dataset


def write_report(
    log_path: str | os.PathLike[str],
    html_path: str | os.PathLike[str],
    run: int | str = -1,
    figures: str | os.PathLike[str] | None = None,
) -> Path:
    """Write the report of one run of a log.

    Parameters
    ----------
    log_path : path-like
        Written by ``PlatonicCalculator(..., log=...)``; also of a run that was killed or goes on.
    html_path : path-like
        Replaced if it exists; its folder is made.
    run : int or str
        Which run of the log, by its number or its id; the last by default.
    figures : path-like, optional
        Folder for the same as pictures (PDF, SVG and PNG).

    Returns
    -------
    Path
        The report: one file that refers to nothing outside it.

    Raises
    ------
    LogError
        If the log cannot be read or holds no such run, or the report cannot be written.
    """
    runs = read_columns(log_path)
    number = number_of(runs, run, log_path) if isinstance(run, str) else run
    chosen_run = pick(runs, number, log_path)
    text = render(chosen_run, Path(log_path).name, (number % len(runs) + 1, len(runs)))
    if figures is not None:
        from platonic_ase.report.figures import write_figures

        write_figures(chosen_run, figures)
    return write_page(text, html_path)


def number_of(runs: Sequence[RunColumns], run_id: str, path: str | os.PathLike[str]) -> int:
    """Which of the runs of a log has an id.

    Raises
    ------
    LogError
        If there is none.
    """
    ids = [each.header.get("run") for each in runs]
    if run_id not in ids:
        raise LogError(f"{path} has no run of the id {run_id!r}; it holds {len(runs)} others")
    return ids.index(run_id)


def pick(runs: Sequence[RunColumns], run: int, path: str | os.PathLike[str]) -> RunColumns:
    """One of the runs of a log.

    Raises
    ------
    LogError
        If there is none of this number.
    """
    if not -len(runs) <= run < len(runs):
        raise LogError(
            f"{path} has no run {run}: it holds {len(runs)}, numbered 0 to {len(runs) - 1}, "
            f"or from the end -1 to {-len(runs)}"
        )
    return runs[run]


def render(run: RunColumns, name: str, position: tuple[int, int] = (1, 1)) -> str:
    """HTML text of the report of a run.

    Parameters
    ----------
    run : RunColumns
    name : str
        What to call the run, such as the name of its log.
    position : tuple of int
        Which run of the log, counted from 1, and how many there are.
    """
    return page_of(run, name, position)


def page_of(
    run: RunColumns,
    name: str,
    position: tuple[int, int] = (1, 1),
    *,
    further: Sequence[str] = (),
    **directives: str,
) -> str:
    """Page of a run, with further scripts where it is served live.

    Parameters
    ----------
    run : RunColumns
    name : str
    position : tuple of int
    further : sequence of str
        Scripts after that of the page.
    directives : str
        Of the content-security policy, beyond those of a file.
    """
    tracks, remark = choose_tracks(run.series())
    drawn = scene_of(run, tracks)
    shown = chosen(run.structures)
    structures = dataset(shown, name)
    drawn["frames"] = scene.frames([record for record, _ in shown], tracks)
    drawn["flagged"] = [(record.get("flagged") or [0])[0] for record, _ in shown]
    drawn["chemiscope"], drawn["axes"] = structures, axes(structures)
    drawn["charts"] = audit_charts(run.audit)
    used = [
        *(["plotly"] if any((drawn["lines"], drawn["map"], structures, drawn["charts"])) else []),
        *(["chemiscope"] if structures is not None else []),
    ]
    libraries = [library(each) for each in used]
    scripts = [page_script("run.js"), *further]
    text = (
        environment()
        .get_template("run.html")
        .render(
            title=f"platonic_ase: {name}",
            heading="Run" if further else "Run report:",
            name=name,
            style=Markup(source_of("style.css")),
            policy=content_policy([*(each.text for each in libraries), *scripts], **directives),
            live=bool(further),
            facts=header_facts(run, position),
            verdict=verdict(run),
            rows=event_rows(run),
            kinds=kind_rows(run),
            total=len(run.rows),
            tracks=len(run.tracks),
            risks=risk_rows(run),
            audit=Markup("\n".join(audit_sections(run.audit))),
            remark=remark,
            captions=_captions(tracks),
            scene=drawn,
            json=as_script(drawn),
            packed={each.name: Markup(each.packed) for each in libraries},
            scripts=[Markup(script) for script in scripts],
        )
    )
    return text + "\n"


def scene_of(run: RunColumns, tracks: Sequence[TrackSeries]) -> dict[str, Any]:
    """Everything that the drawings of a page need, but for the structures."""
    return {
        "x": tracks[0].x_label if tracks else "",
        "lines": scene.time_lines(run, tracks),
        "events": scene.events(run, tracks),
        "map": scene.platonic_map(run, tracks),
    }


def _captions(tracks: Sequence[TrackSeries]) -> dict[str, str]:
    lines = "Dashed lines are where an alarm begins. Worst distance: how far the worst atom is "
    lines += "from environments that the model is known to handle, over its element's threshold. "
    lines += (
        f"What is far from its alarm is computed at every {EVERY}th geometry; lines join those. "
    )
    if tracks:
        lines += _bound_caption(tracks)
        group = next((s for t in tracks if (s := _space_group(t)) is not None), None)
        if any(np.isfinite(t.column("orbit_splitting")).any() for t in tracks):
            lines += (
                (f"Orbits are those of {group}. " if group else "")
                + "Orbit splitting: atoms that are equivalent in the reference structure must look "
                "the same to the model; splitting on a symmetric geometry is the model's error, "
                "growing splitting with the structural asymmetry is the structure breaking its "
                "symmetry."
            )
        lines += _evidence_caption(tracks)
    return {
        "lines": lines,
        "map": "Mean Platonic coordinates of each element, where they were computed: at least at "
        f"every {EVERY}th geometry of the run, in the plane in which the "
        "reference varies most. A path that leaves the cloud of its element leaves what the model "
        "is known to handle; the plane hides other directions.",
    }


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
        f"Force error bound: what the error of the force stays below for {100 * facts['level']:g} "
        "% of the atoms of structures like those of the calibration, at the atom where that is "
        f"largest ({facts.get('calibration')}"
        + (f"; it has seen no {unseen}" if unseen else "")
        + "). "
    )


def _space_group(track: TrackSeries) -> str | None:
    return (track.facts.get("symmetry") or {}).get("space_group")
