"""The findings as a table in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platonic_ase.doctor.report import Examination, Verdict

if TYPE_CHECKING:
    from rich.console import Console

COLOURS = {
    Verdict.SOUND: "green",
    Verdict.NOTE: "yellow",
    Verdict.WRONG: "bold red",
    Verdict.SKIPPED: "dim",
}


def print_examination(found: Examination, console: Console | None = None) -> None:
    """Print findings, and the verdict in its colour.

    Parameters
    ----------
    found : Examination
    console : rich.console.Console, optional
        Standard output by default.
    """
    from rich.console import Console
    from rich.table import Table

    console = console or Console()
    table = Table(title=f"{found.model}, {found.seconds:.0f} s")
    for column in ("check", "measured", "expected", "verdict"):
        table.add_column(column)
    for each in found.findings:
        colour = COLOURS[each.verdict]
        table.add_row(
            each.check, each.measured, each.expected, f"[{colour}]{each.verdict.value}[/]"
        )
    console.print(table)
    for each in found.findings:
        if each.meaning:
            console.print(f"{each.check}: {each.meaning}", style=COLOURS[each.verdict])
    said = {
        Verdict.SOUND: "nothing wrong found",
        Verdict.NOTE: "usable, with the notes above",
        Verdict.WRONG: "DO NOT USE this model as it is",
        Verdict.SKIPPED: "nothing could be checked",
    }[found.verdict]
    console.print(f"verdict: {said}", style=COLOURS[found.verdict])
