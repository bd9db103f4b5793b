"""Options that the commands share, and the calculator that they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from platonic_ase.cli.files import read_input


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


class ThermostatName(StrEnum):
    """Thermostats of the command line."""

    BUSSI = "bussi"
    LANGEVIN = "langevin"
    NOSE_HOOVER = "nose-hoover"


class DiagnosticName(StrEnum):
    """What can be switched off."""

    EXTRAPOLATION = "extrapolation"
    FORCE_ERROR = "force_error"
    SYMMETRY = "symmetry"
    PHYSICS = "physics"
    DISPLACEMENT = "displacement"


class Selection(StrEnum):
    """Ways to choose anchors."""

    DIRECT = "direct"
    FARTHEST_POINT = "farthest_point"


def within(low: float, high: float, *, above: bool = False) -> Callable[[Any], Any]:
    """Callback of an option that has to be a number in a range, also each of several.

    Parameters
    ----------
    low, high : float
        Allowed, both.
    above : bool
        Whether ``low`` itself is not.
    """

    def check(value: Any) -> Any:
        for number in value if isinstance(value, (tuple, list)) else (value,):
            if number is None:
                continue
            if not (low < number if above else low <= number) or not number <= high:
                begin = "above" if above else "at least"
                raise typer.BadParameter(
                    f"{number:g} is not in the range: {begin} {low:g}, at most {high:g}"
                )
        return value

    return check


StructureArg = Annotated[
    Path, typer.Argument(help="Structure file: anything that ase.io.read reads.")
]
SupercellOpt = Annotated[
    tuple[int, int, int],
    typer.Option(
        metavar="A B C",
        help="Repeat the cell along its three vectors; 1 1 1 by default.",
        show_default=False,
        callback=within(1, 1000),
    ),
]
ReportOpt = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="HTML report; INPUT-COMMAND.html by default."),
]
FiguresOpt = Annotated[
    Path | None, typer.Option(help="Folder for the same as figures: PDF, SVG and PNG.")
]
StepsOpt = Annotated[
    int, typer.Option("--steps", "-n", help="Steps, at most.", callback=within(0, 1e10))
]
SeedOpt = Annotated[
    int | None,
    typer.Option(
        help="Seed of velocities and thermostat; a random one by default.",
        callback=within(0, 2**32 - 1),
    ),
]
PressureOpt = Annotated[float, typer.Option(help="Pressure, GPa.", callback=within(-1e4, 1e4))]
DisplacementOpt = Annotated[
    float, typer.Option(help="How far an atom is moved, Å.", callback=within(1e-4, 0.5))
]
ForceOpt = Annotated[
    float,
    typer.Option(
        help="Largest force of the relaxed structure, eV/Å.", callback=within(0, 100, above=True)
    ),
]
RelaxFirstOpt = Annotated[
    bool, typer.Option("--relax/--no-relax", help="Relax first, with the symmetry kept.")
]

CalculatorOpt = Annotated[
    str,
    typer.Option("--calculator", "-c", metavar="NAME", help="Model; see 'platonic-ase models'."),
]
DeviceOpt = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="cpu, cuda, ...; the package's choice by default."),
]


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model, and how it is opened."""

    calculator: CalculatorOpt = "chgnet"
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Layer of the model to read embeddings from; its usual by default."
        ),
    ] = None
    device: DeviceOpt = None
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress shown.")] = False

    def load(self) -> Any:
        """The calculator, bare."""
        from platonic_ase.models import load_calculator

        return load_calculator(self.calculator, device=self.device)


@dataclass(frozen=True, kw_only=True)
class SpaceOptions(ModelOptions):
    """The model, and what its embeddings are held against."""

    anchors: Annotated[
        str,
        typer.Option(metavar="FILE", help="Anchors of 'anchors build'.", show_default="packaged"),
    ] = "default"
    reference: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="What the model is known to handle; 'none' judges no extrapolation.",
            show_default="packaged",
        ),
    ] = "default"
    calibration: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder of 'calibrate', instead of what is packaged."),
    ] = None

    @property
    def inputs(self) -> list[Path]:
        """Files that are read."""
        given = (self.anchors, self.reference)
        return [Path(name) for name in given if name not in ("default", "none")]

    @property
    def reference_or_none(self) -> str | None:
        """As the calculator takes it."""
        return None if self.reference == "none" else self.reference


@dataclass(frozen=True, kw_only=True)
class WatchOptions(SpaceOptions):
    """What is watched, and what a warning does."""

    without: Annotated[
        list[DiagnosticName] | None,
        typer.Option(
            metavar="NAME",
            help="Switch off extrapolation, force_error, symmetry, physics or displacement; may be "
            "given again.",
        ),
    ] = None
    second_opinion: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Another model, run once on each geometry that raises a warning."
        ),
    ] = None
    on_warning: Annotated[
        OnWarning,
        typer.Option(
            "--on-warning",
            help="What a warning does: it is said, ends the run after the step, or at once as an "
            "error, or is logged only.",
        ),
    ] = OnWarning.WARN
    log: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Run log, JSON Lines, appended to; INPUT-COMMAND.jsonl by default."
        ),
    ] = None

    def wrap(self, log: Path | None, *, interval: int = 1, risk: str = "default") -> Any:
        """Open the model and put it under watch."""
        from platonic_ase.calculator import PlatonicCalculator
        from platonic_ase.models import load_calculator

        other = self.second_opinion
        return PlatonicCalculator(
            self.load(),
            layer=self.layer,
            anchors=self.anchors,
            reference=self.reference_or_none,
            without=[name.value for name in self.without or ()],
            on_warning=self.on_warning.value,
            interval=interval,
            log=log,
            second_opinion=None if other is None else load_calculator(other, device=self.device),
            phonon_risk=None if risk == "none" else risk,
            calibration=self.calibration,
            progress=not self.quiet,
        )


@dataclass(frozen=True, kw_only=True)
class RunOptions(WatchOptions):
    """The same for a run of many geometries."""

    interval: Annotated[int, typer.Option(min=1, help="Look at every so many geometries.")] = 1
    ideal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The ideal structure, atoms in the same order: what counts as symmetric. The "
            "first geometry by default.",
        ),
    ] = None

    def watch(self, log: Path | None, supercell: tuple[int, int, int] = (1, 1, 1)) -> Any:
        """Open the model and put it under watch, with the ideal structure that was given."""
        ideal = None if self.ideal is None else read_input(self.ideal, supercell)
        calculator = self.wrap(log, interval=self.interval)
        if ideal is not None:
            calculator.reset_reference(ideal)
        return calculator

    @property
    def inputs(self) -> list[Path]:
        """Files that are read."""
        return [*super().inputs, *([] if self.ideal is None else [self.ideal])]


@dataclass(frozen=True, kw_only=True)
class AuditOptions:
    """Whether the model is audited first."""

    audit: Annotated[
        bool,
        typer.Option(
            "--audit",
            help="First check on this cell which laws the model keeps, in some fifty "
            "calculations; see 'platonic-ase audit'.",
        ),
    ] = False

    def run(self, calculator: Any, structure: Path, quiet: bool) -> None:
        """Audit the model on the cell of a file, and say which laws it does not keep."""
        from platonic_ase.audit import audit_run
        from platonic_ase.structures import read_structure

        if not self.audit:
            return
        report = audit_run(calculator, read_structure(structure), progress=not quiet)
        broken = ", ".join(law.name for law in report.broken)
        typer.echo(f"audit: {f'not kept: {broken}' if broken else 'all laws checked are kept'}")
