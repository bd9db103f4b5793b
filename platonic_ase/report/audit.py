"""The audit of a model, as a section of the run report and as a page of its own."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from platonic_ase._version import __version__
from platonic_ase.report.charts import Chart, axis, chart
from platonic_ase.report.html import chart_section, facts, fold, number, section, table, write_page
from platonic_ase.report.sheet import sheet
from platonic_ase.report.verdict import Verdict

TITLE = "What the model gets wrong by construction"
_LEAST = 1e-2
"""Start of the axis, where bars begin."""


def write_audit(record: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Write the audit of a model as one self-contained HTML page.

    Parameters
    ----------
    record : mapping
        ``AuditReport.to_dict()``.
    path : path-like
        Replaced if it exists; its folder is made.

    Raises
    ------
    LogError
        If it cannot be written.
    """
    about = facts(
        {
            "Model": record.get("model"),
            "Structure": record.get("structure"),
            "platonic_ase": __version__,
        }
    )
    sections = [_departures(record), _numbers(record, folded=False), section("The audit", about)]
    heading = f"Audit of {record.get('model')}"
    return write_page(sheet(heading, _verdict(record), sections, audit_charts(record)), path)


def audit_sections(record: Mapping[str, Any] | None) -> list[str]:
    """Verdict, chart and table of an audit, for the page of a run; empty where there is none.

    Parameters
    ----------
    record : mapping or None
        ``AuditReport.to_dict()``, also as read back from a log.
    """
    if record is None:
        return []
    said = _verdict(record)
    remarks = "".join(f"<p>{escape(remark)}</p>" for remark in (said.sentence, *said.remarks))
    box = f'<div class="verdict {said.kind}"><strong>{escape(said.title)}</strong>{remarks}</div>'
    return [section(TITLE, box), _departures(record), _numbers(record, folded=True)]


def audit_charts(record: Mapping[str, Any] | None) -> dict[str, Chart]:
    """Departures as bars on a logarithmic axis, one row each, law by law.

    Parameters
    ----------
    record : mapping or None
        ``AuditReport.to_dict()``.
    """
    found = [] if record is None else record["departures"]
    rows = [each for each in found if None not in (each["value"], each["rounding"])]
    if not rows:
        return {}
    multiples = [max(each["value"] / each["rounding"], 1.2 * _LEAST) for each in rows]
    kept = [bool(each["holds"]) for each in rows]
    labels = [str(each["label"]) for each in rows]
    said = [f"{each['value']:.1e} {each['unit']}".rstrip() for each in rows]
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "x": [m for m, k in zip(multiples, kept, strict=True) if k == held],
            "y": [n for n, k in enumerate(kept) if k == held],
            "base": 0,
            "text": [t for t, k in zip(said, kept, strict=True) if k == held],
            "textposition": "outside",
            "cliponaxis": False,
            "hoverinfo": "text",
            "hovertext": [
                f"{label}: {t}" for label, t, k in zip(labels, said, kept, strict=True) if k == held
            ],
            "marker": {
                "color": "@blue" if held else "@alarm",
                "pattern": {"shape": "" if held else "/"},
            },
        }
        for name, held in (("kept", True), ("not kept", False))
        if held in kept
    ]
    most = max(*multiples, 1e3)
    rounding = {
        "type": "line",
        "x0": 1,
        "x1": 1,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "layer": "below",
    }
    rounding |= {"line": {"color": "@ink", "width": 1.2, "dash": "dash"}}
    y_axis = axis(
        tickvals=list(range(len(rows))),
        ticktext=labels,
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
    )
    short = [label if len(label) < 26 else f"{label[:25]}…" for label in labels]
    return {
        "departures": chart(
            traces,
            110 + 26 * len(rows),
            narrow={
                "yaxis": {**y_axis, "ticktext": short, "tickfont": {"size": 9}},
                "xaxis": _multiples_axis(most, 4, 0.75),
            },
            xaxis=_multiples_axis(most, 8, 0.25),
            yaxis=y_axis,
            shapes=[rounding],
            barmode="overlay",
        )
    }


def _multiples_axis(most: float, labels: int, room: float) -> dict[str, Any]:
    """Axis with about so many labels, and room for the texts beside bars as a share of them."""
    decades = (1 + room) * (math.log10(most) + 2)
    return axis(
        "departure / rounding",
        type="log",
        tick0=0,
        dtick=math.ceil(decades / labels),
        tickangle=0,
        range=[-2, decades - 2],
    )


def _departures(record: Mapping[str, Any]) -> str:
    if not audit_charts(record):
        return ""
    return chart_section(
        "Departures from laws of physics",
        f"{record.get('model')} on {record.get('structure')}. Each bar is one departure "
        "from a law of physics as a multiple of what rounding explains, on a logarithmic axis; "
        "the number beside it is the departure itself; dashed: rounding alone. Rounding is the "
        "change over translated copies, or the resolution of the model's numbers where that is "
        "more.",
        "departures",
    )


def _verdict(record: Mapping[str, Any]) -> Verdict:
    broken = [law for law in record["laws"] if not law["holds"]]
    kept = [str(law["name"]) for law in record["laws"] if law["holds"]]
    remarks = [f"Kept: {', '.join(kept)}."] if kept and broken else []
    if not broken:
        return Verdict(
            "quiet",
            "All laws that were checked are kept",
            "The model departs from none of them by more than rounding: nothing to do.",
            remarks,
        )
    return Verdict(
        "alarm",
        "Not kept: " + ", ".join(str(law["name"]) for law in broken),
        " ".join(str(law["meaning"]) for law in broken),
        remarks,
    )


def _numbers(record: Mapping[str, Any], folded: bool) -> str:
    columns = [("law", ""), ("measured", ""), ("departure", "n"), ("rounding", "n"), ("kept", "k")]
    rows = [
        (
            escape(str(found["law"])),
            escape(str(found["label"])),
            f"{number(found['value'], 2)} {escape(str(found['unit']))}",
            number(found["rounding"], 1),
            "yes" if found["holds"] else "<strong>no</strong>",
        )
        for found in record["departures"]
    ]
    return fold("All numbers", table(columns, rows), opened=not folded)
