"""What the report says in words: the header, the verdict and the table of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from platonic_ase.report.html import facts, number, plural, table
from platonic_ase.report.reader import RunRecord

_FULL_TABLE = 25
_LISTED = 200
_ATOMS_LISTED = 8

Event = Mapping[str, Any]


def header_facts(run: RunRecord, position: tuple[int, int]) -> str:
    """Model, space, calibration, versions, time and size of a run.

    Parameters
    ----------
    run : RunRecord
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
    tracks = len({record["track"] for record in run.geometries})
    package = " ".join(str(model[k]) for k in ("package", "package_version") if model.get(k))
    return facts(
        {
            "Model": model.get("model"),
            "Package": package or None,
            "Fingerprint": model.get("fingerprint"),
            "Layer": model.get("layer"),
            "Settings": ", ".join(f"{k} = {v}" for k, v in settings.items()) or None,
            "Anchors": anchors,
            "Reference environments": number(head.get("reference")),
            "Calibration": calibration(head),
            "Geometries": number(len(run.geometries)),
            "Tracks": None if tracks < 2 else tracks,
            "Started": head.get("started"),
            "Ended": (run.summary or {}).get("ended") or _no_end(run),
            "Run of the log": None if position[1] < 2 else f"{position[0]} of {position[1]}",
            "Damaged lines": run.damaged or None,
            "Versions": ", ".join(f"{name} {v}" for name, v in versions.items() if v),
        }
    )


def calibration(header: Mapping[str, Any]) -> str:
    """Say the calibration level in words."""
    known = header.get("calibration")
    if not isinstance(known, Mapping):
        return "uncalibrated"
    return (
        f"per-element thresholds at {_percent(known.get('level'))}, alarm above "
        f"{number(known.get('alarm'))} "
        f"({_percent(known.get('alarm_level'))} of held-out structures)"
    )


def verdict(run: RunRecord) -> str:
    """Quiet, or which warnings; then everything that limits what the verdict is worth."""
    summary, events = run.summary or {}, run.events
    n = len(run.geometries)
    if n == 0:
        kind, title = "unknown", "Empty run"
        remarks = ["No geometry was diagnosed: the log holds the header of this run only."]
    elif not events:
        kind, title = "quiet", "Quiet"
        remarks = [f"No warning in {plural(n, 'geometry', 'geometries')}."]
    else:
        kind = "alarm"
        counts = Counter(str(event.get("kind")) for event in events)
        title = "Warnings: " + ", ".join(
            _readable(name) + (f" ×{count}" if count > 1 else "") for name, count in counts.items()
        )
        first = events[0]
        remarks = [f"First at geometry {number(first.get('index'))}: {first.get('message')}"]
    held = {k: v for k, v in (summary.get("held_back") or {}).items() if v}
    if held:
        listed = ", ".join(f"{_readable(k)} in {v:,d}" for k, v in held.items())
        remarks.append(
            "Alarms that stayed up or came back soon were not raised again: "
            f"{listed} further geometries."
        )
    if n and not isinstance(run.header.get("calibration"), Mapping):
        remarks.append(
            "Uncalibrated: there is no reference for this model, so extrapolation was not judged."
        )
    for name, reason in (summary.get("switched_off") or {}).items():
        remarks.append(f"The diagnostic {name!r} failed and was switched off: {reason}")
    if run.summary is None:
        remarks.append("The log has no summary: the run was killed, or is still going.")
    if run.damaged:
        remarks.append(f"{plural(run.damaged, 'line')} of the log could not be read.")
    text = "".join(f"<p>{escape(remark)}</p>" for remark in remarks)
    return f'<div class="verdict {kind}"><strong>{escape(title)}</strong>{text}</div>'


def risks_table(run: RunRecord) -> str:
    """Latest and largest of every risk; empty where there is none."""
    latest: dict[str, Any] = {}
    largest: dict[str, float] = {}
    for record in run.geometries:
        for name, value in (record.get("risks") or {}).items():
            latest[name] = value
            if isinstance(value, (int, float)):
                largest[name] = max(value, largest.get(name, value))
    if not latest:
        return ""
    rows = [
        (escape(_readable(name)), number(value, 2), number(largest.get(name), 2))
        for name, value in latest.items()
    ]
    return "<h2>Risks</h2>" + table([("risk of", ""), ("latest", "n"), ("largest", "n")], rows)


def events_table(run: RunRecord) -> str:
    """All events; by kind, with the details folded, where there are many."""
    rows = [(record, event) for record in run.geometries for event in record.get("events") or ()]
    if not rows:
        return ""
    tracks = len({record["track"] for record in run.geometries}) > 1
    if len(rows) <= _FULL_TABLE:
        return "<h2>Warnings</h2>" + _full_table(rows, tracks)
    kinds: dict[str, list[tuple[Mapping[str, Any], Event]]] = {}
    for row in rows:
        kinds.setdefault(str(row[1].get("kind")), []).append(row)
    grouped = [
        (
            escape(_readable(kind)),
            number(len(own)),
            number(own[0][1].get("index")),
            number(own[-1][1].get("index")),
            number(len({a for _, event in own for a in event.get("atoms") or ()})),
            *_value_cells(worst := max((event for _, event in own), key=_severity)),
            _seen(worst),
        )
        for kind, own in kinds.items()
    ]
    columns = [
        ("kind", "k"),
        ("times", "n"),
        ("first", "n"),
        ("last", "n"),
        ("atoms", "n"),
        ("worst", "n"),
        ("threshold", "n"),
        ("the worst of them", ""),
    ]
    listed = "all" if len(rows) <= _LISTED else f"the first {_LISTED}"
    return (
        "<h2>Warnings</h2>"
        + table(columns, grouped)
        + f"<details><summary>{len(rows):,d} warnings, {listed} one by one</summary>"
        + _full_table(rows[:_LISTED], tracks)
        + "</details>"
    )


def _full_table(rows: Sequence[tuple[Mapping[str, Any], Event]], tracks: bool) -> str:
    columns = [
        *([("track", "n")] if tracks else []),
        ("geometry", "n"),
        ("step", "n"),
        ("kind", "k"),
        ("what was seen", ""),
        ("atoms", ""),
        ("value", "n"),
        ("threshold", "n"),
    ]
    return table(
        columns,
        [
            (
                *([number(event.get("track"))] if tracks else []),
                number(event.get("index")),
                number(record.get("step")),
                escape(_readable(str(event.get("kind")))),
                _seen(event),
                _atoms(event.get("atoms") or []),
                *_value_cells(event),
            )
            for record, event in rows
        ],
    )


def _seen(event: Event) -> str:
    return (
        f"{escape(str(event.get('message') or ''))}<br>"
        f'<span class="muted">{escape(str(event.get("advice") or ""))}</span>'
    )


def _value_cells(event: Event) -> tuple[str, str]:
    unit = f'<br><span class="muted">{escape(str(event.get("unit") or ""))}</span>'
    return number(event.get("value"), 3), number(event.get("threshold"), 3) + unit


def _atoms(atoms: Sequence[int]) -> str:
    if not atoms:
        return '<span class="muted">all</span>'
    more = f" and {len(atoms) - _ATOMS_LISTED} more" if len(atoms) > _ATOMS_LISTED else ""
    return escape(", ".join(map(str, atoms[:_ATOMS_LISTED])) + more)


def _severity(event: Event) -> float:
    value, threshold = event.get("value"), event.get("threshold")
    if not value or not threshold:
        return 0.0
    ratio = abs(float(value) / float(threshold))
    return max(ratio, 1 / ratio)


def _percent(level: Any) -> str:
    return f"{100 * level:g} %" if isinstance(level, (int, float)) else "an unknown level"


def _readable(kind: str) -> str:
    return kind.replace("_", " ")


def _no_end(run: RunRecord) -> str | None:
    return "no summary: killed, or still running" if run.summary is None else None
