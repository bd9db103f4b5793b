"""Options that the commands share, and what they do with them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class OnWarning(StrEnum):
    """Policies of the command line."""

    WARN = "warn"
    STOP = "stop"
    RAISE = "raise"
    IGNORE = "ignore"


class EnsembleName(StrEnum):
    """Ensembles of the command line."""

    NVE = "nve"
    NVT = "nvt"
    NPT = "npt"


class Selection(StrEnum):
    """Ways to choose anchors."""

    DIRECT = "direct"
    FARTHEST_POINT = "farthest_point"


StructureArg = Annotated[
    Path, typer.Argument(help="Structure file: anything that ase.io.read reads.")
]
CalculatorOpt = Annotated[
    str, typer.Option("--calculator", "-c", help="Model; see 'platonic-ase models'.")
]
LayerOpt = Annotated[
    str | None, typer.Option(help="Layer to read; the encoder's first by default.")
]
DeviceOpt = Annotated[
    str | None, typer.Option(help="cpu, cuda, ...; the package's choice by default.")
]
AnchorsOpt = Annotated[str, typer.Option(help="'default' or an anchors file.", show_default=True)]
ReferenceOpt = Annotated[
    str, typer.Option(help="'default', 'none' or a reference file.", show_default=True)
]
CalibrationOpt = Annotated[
    Path | None,
    typer.Option(help="Folder of 'platonic-ase calibrate'; what is packaged by default."),
]
PolicyOpt = Annotated[
    OnWarning, typer.Option("--on-warning", help="What a warning does to the run.")
]
IntervalOpt = Annotated[int, typer.Option(min=1, help="Diagnose every so many geometries.")]
LogOpt = Annotated[
    Path | None, typer.Option(help="Run log (JSON Lines).  [default: STRUCTURE-<command>.jsonl]")
]
ReportOpt = Annotated[
    Path | None, typer.Option(help="HTML report.  [default: STRUCTURE-<command>.html]")
]
SupercellOpt = Annotated[
    tuple[int, int, int], typer.Option(help="Repeat the cell along its three vectors.")
]
AuditOpt = Annotated[
    bool,
    typer.Option(
        "--audit",
        help="First measure what the model gets wrong by construction on this cell, in some fifty "
        "calculations, for the log and the report; see 'platonic-ase audit'.",
    ),
]
QuietOpt = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")]


class OutputFiles:
    """Default names of what a command writes, from the name of its input."""

    def __init__(self, source: Path, command: str, log: Path | None, report: Path | None) -> None:
        self._stem = f"{source.stem}-{command}"
        self.log = log or self.path("jsonl")
        self.report = report or self.path("html")

    def path(self, suffix: str) -> Path:
        """Name of a file of this command."""
        return Path(f"{self._stem}.{suffix}")


def read_input(path: Path, supercell: tuple[int, int, int]) -> Any:
    """Read and check the structure that a command was given."""
    from platonic_ase.structures import check_structure, read_structure

    atoms = read_structure(path)
    if supercell != (1, 1, 1):
        atoms = atoms.repeat(supercell)
    for problem in check_structure(atoms):
        typer.echo(f"warning: {problem}", err=True)
    return atoms


def wrap(
    name: str,
    layer: str | None,
    device: str | None,
    anchors: str,
    reference: str,
    on_warning: OnWarning,
    interval: int,
    log: Path | None,
    quiet: bool,
    calibration: Path | None = None,
    risk: str = "default",
) -> Any:
    """Open a model by name and put it under watch."""
    from platonic_ase.calculator import PlatonicCalculator
    from platonic_ase.models import load_calculator

    return PlatonicCalculator(
        load_calculator(name, device=device),
        layer=layer,
        anchors=anchors,
        reference=None if reference == "none" else reference,
        on_warning=on_warning.value,
        interval=interval,
        log=log,
        phonon_risk=None if risk == "none" else risk,
        calibration=calibration,
        progress=not quiet,
    )


def audit_first(wanted: bool, calculator: Any, structure: Path, quiet: bool) -> None:
    """Audit the model on the cell of a file, and say which laws it does not keep."""
    from platonic_ase.audit import audit_run
    from platonic_ase.structures import read_structure

    if not wanted:
        return
    report = audit_run(calculator, read_structure(structure), progress=not quiet)
    broken = ", ".join(law.name for law in report.broken)
    typer.echo(f"audit: {f'not kept: {broken}' if broken else 'all laws checked are kept'}")


def conclude(result: Any) -> None:
    """Say how a run ended and what it left behind."""
    typer.echo(f"{result.steps} steps, {result.ended}. {result.summary}")
    for role, path in result.files.items():
        typer.echo(f"{role}: {path}")
    if result.ended == "interrupted":
        raise typer.Exit(130)
