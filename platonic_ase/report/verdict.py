"""What the report says in words: what happened, what to do, and the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from platonic_ase.report.columns import RunColumns
from platonic_ase.report.html import plural

_FULL_TABLE = 25
LISTED = 200
_ATOMS_LISTED = 8

Event = Mapping[str, Any]
Row = tuple[Mapping[str, Any], Event]


@dataclass(frozen=True)
class Verdict:
    """The first thing that a reader sees.

    Attributes
    ----------
    kind : str
        ``"quiet"``, ``"alarm"`` or ``"unknown"``.
    title : str
    sentence : str
        What happened and what to do.
    remarks : list of str
        What limits what the verdict is worth.
    """

    kind: str
    title: str
    sentence: str
    remarks: list[str]


def header_facts(run: RunColumns, position: tuple[int, int]) -> dict[str, Any]:
    """Model, space, calibration, versions, time and size of a run; None where not known.

    Parameters
    ----------
    run : RunColumns
    position : tuple of int
        Which run of the log, counted from 1, and how many there are.
    """
    head, model = run.header, run.header.get("model") or {}
    settings = model.get("settings") or {}
    versions = {"platonic_ase": head.get("platonic_ase"), **(head.get("versions") or {})}
    anchors = head.get("anchors")
    if anchors is not None:
        digest = head.get("anchors_digest")
        anchors = f"{anchors}{', centred' if head.get('centred') else ''}" + (
            f" ({digest})" if digest else ""
        )
    tracks = len(run.tracks)
    package = " ".join(str(model[k]) for k in ("package", "package_version") if model.get(k))
    reference = head.get("reference")
    return {
        "Model": model.get("model"),
        "Package": package or None,
        "Fingerprint": model.get("fingerprint"),
        "Layer": model.get("layer"),
        "Settings": ", ".join(f"{k} = {v}" for k, v in settings.items()) or None,
        "Anchors": anchors,
        "Reference environments": f"{reference:,d}" if isinstance(reference, int) else "–",
        "Calibration": calibration(head),
        "Geometries": f"{run.geometries:,d}",
        "Tracks": None if tracks < 2 else tracks,
        "Started": head.get("started"),
        "Ended": (run.summary or {}).get("ended")
        or ("no summary: killed, or still running" if run.summary is None else None),
        "Run of the log": None if position[1] < 2 else f"{position[0]} of {position[1]}",
        "Damaged lines": run.damaged or None,
        "Versions": ", ".join(f"{name} {v}" for name, v in versions.items() if v),
    }


def calibration(header: Mapping[str, Any]) -> str:
    """Say the calibration level in words."""
    known = header.get("calibration")
    if not isinstance(known, Mapping):
        return "uncalibrated"
    alarm = known.get("alarm")
    return (
        f"per-element thresholds at {_percent(known.get('level'))}, alarm above "
        f"{f'{alarm:.4g}' if isinstance(alarm, (int, float)) else '–'} "
        f"({_percent(known.get('alarm_level'))} of held-out structures)"
    )


def verdict(run: RunColumns) -> Verdict:
    """Quiet, or which warnings; what to do; everything that limits what that is worth."""
    summary, events, n = run.summary or {}, run.events, run.geometries
    remarks = []
    calibrated = isinstance(run.header.get("calibration"), Mapping)
    if n == 0 and not events:
        kind, title = "unknown", "Empty run"
        sentence = (
            "No geometry was diagnosed: the log holds the header of this run only. Start the run "
            "again."
        )
    elif not events and isinstance(run.risks.get("phonon_relative_error"), str):
        kind, title = "unknown", "Phonons not judged"
        sentence = (
            f"No warning in {plural(n, 'geometry', 'geometries')}, but there are displaced "
            "supercells of which no risk can be given: there is no calibration for this model, or "
            "none for such displacements. Check a few forces by other means, or displace single "
            "atoms by 0.01 to 0.03 Å."
        )
    elif not events:
        kind, title = "quiet", "Quiet"
        sentence = f"No warning in {plural(n, 'geometry', 'geometries')}: " + (
            "nothing asks you to distrust what this run computed."
            if calibrated
            else "but extrapolation was not judged, so check a few results by other means."
        )
    else:
        kind = "alarm"
        counts = Counter(str(event.get("kind")) for event in events)
        title = "Warnings: " + ", ".join(
            readable(name) + (f" ×{count}" if count > 1 else "") for name, count in counts.items()
        )
        first = events[0]
        index = first.get("index")
        sentence = " ".join(
            str(part)
            for part in (
                f"First at geometry {index}:" if index is not None else "First:",
                first.get("message"),
                first.get("advice"),
            )
            if part
        )
    held = {k: v for k, v in (summary.get("held_back") or {}).items() if v}
    if held:
        listed = ", ".join(f"{readable(k)} in {v:,d}" for k, v in held.items())
        remarks.append(
            "Alarms that stayed up or came back soon were not raised again: "
            f"{listed} further geometries."
        )
    if n and not calibrated:
        remarks.append(
            "Uncalibrated: there is no reference for this model, so extrapolation was not judged."
        )
    remarks += _notices(run)
    for name, reason in (summary.get("switched_off") or {}).items():
        remarks.append(f"The diagnostic {name!r} failed and was switched off: {reason}")
    if run.summary is None:
        remarks.append("The log has no summary: the run was killed, or is still going.")
    if run.damaged:
        remarks.append(f"{plural(run.damaged, 'line')} of the log could not be read.")
    return Verdict(kind, title, sentence, remarks)


def _notices(run: RunColumns) -> list[str]:
    """What the diagnostics said of the start of each track, once each."""
    found = (
        facts.get("notice")
        for track in run.tracks.values()
        for facts in (track.facts.values() if isinstance(track.facts, Mapping) else ())
        if isinstance(facts, Mapping)
    )
    return list(dict.fromkeys(str(notice) for notice in found if notice))


def risk_rows(run: RunColumns) -> list[tuple[str, Any, Any]]:
    """Name, latest and largest of every risk."""
    return [
        (readable(name), value, run.largest_risks.get(name)) for name, value in run.risks.items()
    ]


def event_rows(run: RunColumns) -> list[dict[str, Any]]:
    """Each event as a row of the table, the first :data:`LISTED` of them."""
    return [
        {
            "number": k,
            "track": event.get("track"),
            "index": event.get("index"),
            "step": where.get("step"),
            "kind": readable(str(event.get("kind"))),
            "atoms": _atoms(event.get("atoms") or []),
            **_seen(event),
        }
        for k, (where, event) in enumerate(run.rows[:LISTED])
    ]


def kind_rows(run: RunColumns) -> list[dict[str, Any]]:
    """Events by kind with the worst of each, where there are too many to list at once."""
    if len(run.rows) <= _FULL_TABLE:
        return []
    kinds: dict[str, list[tuple[int, Event]]] = {}
    for k, (_, event) in enumerate(run.rows):
        kinds.setdefault(str(event.get("kind")), []).append((k, event))
    rows = []
    for kind, own in kinds.items():
        n, worst = max(own, key=lambda entry: _severity(entry[1]))
        rows.append(
            {
                "number": n,
                "kind": readable(kind),
                "times": len(own),
                "first": own[0][1].get("index"),
                "last": own[-1][1].get("index"),
                "atoms": len({a for _, event in own for a in event.get("atoms") or ()}),
                **_seen(worst),
            }
        )
    return rows


def readable(kind: str) -> str:
    """Name of a kind of event for people."""
    return kind.replace("_", " ")


def _seen(event: Event) -> dict[str, Any]:
    names = ("value", "threshold", "unit", "message", "advice")
    return {name: event.get(name) for name in names}


def _atoms(atoms: Sequence[int]) -> str:
    more = f" and {len(atoms) - _ATOMS_LISTED} more" if len(atoms) > _ATOMS_LISTED else ""
    return ", ".join(map(str, atoms[:_ATOMS_LISTED])) + more if atoms else "all"


def _severity(event: Event) -> float:
    value, threshold = event.get("value"), event.get("threshold")
    if not value or not threshold:
        return 0.0
    ratio = abs(float(value) / float(threshold))
    return max(ratio, 1 / ratio)


def _percent(level: Any) -> str:
    return f"{100 * level:g} %" if isinstance(level, (int, float)) else "an unknown level"
