"""The audit of a model, as a section of the run report and as a page of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from platonic_ase._version import __version__
from platonic_ase.report.html import facts, figure, number, page, table, write_page
from platonic_ase.report.plots.audit import audit_bars
from platonic_ase.report.plots.style import to_svg

TITLE = "What the model gets wrong by construction"


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
    header = facts(
        {
            "Model": record.get("model"),
            "Structure": record.get("structure"),
            "platonic_ase": __version__,
        }
    )
    body = [
        f"<header>\n<h1>Audit of <code>{escape(str(record.get('model')))}</code></h1>",
        f"{header}\n</header>",
        *audit_sections(record, folded=False),
    ]
    return write_page(page(f"platonic_ase: audit of {record.get('model')}", body), path)


def audit_sections(record: Mapping[str, Any] | None, *, folded: bool = True) -> list[str]:
    """Verdict, figure and table of an audit; empty where there is none.

    Parameters
    ----------
    record : mapping or None
        ``AuditReport.to_dict()``, also as read back from a log.
    folded : bool
        Whether the table opens on request only.
    """
    if record is None:
        return []
    drawn = figure(
        "Departures from laws of physics",
        f"{record.get('model')} on {record.get('structure')}. Each bar is one departure "
        "from a law of physics as a multiple of what rounding explains, on a logarithmic axis; "
        "the number beside it is the departure itself. Rounding is the change over translated "
        "copies, or the resolution of the model's numbers where that is more.",
        to_svg(audit_bars(record["departures"]), "departures"),
    )
    return [f"<h2>{escape(TITLE)}</h2>", _verdict(record), drawn, _numbers(record, folded)]


def _verdict(record: Mapping[str, Any]) -> str:
    broken = [law for law in record["laws"] if not law["holds"]]
    kept = [str(law["name"]) for law in record["laws"] if law["holds"]]
    if broken:
        kind, title = "alarm", "Not kept: " + ", ".join(str(law["name"]) for law in broken)
    else:
        kind, title = "quiet", "All laws that were checked are kept"
    remarks = [str(law["meaning"]) for law in broken]
    if kept:
        remarks.append("Kept: " + ", ".join(kept) + ".")
    text = "".join(f"<p>{escape(remark)}</p>" for remark in remarks)
    return f'<div class="verdict {kind}"><strong>{escape(title)}</strong>{text}</div>'


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
    opened = "" if folded else " open"
    return f"<details{opened}><summary>All numbers</summary>{table(columns, rows)}</details>"
