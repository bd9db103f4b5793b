"""The command that forecasts whether a symmetry is going to break."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platonic_ase.cli.options import (
    AnchorsOpt,
    CalculatorOpt,
    DeviceOpt,
    LayerOpt,
    OnWarning,
    OutputFiles,
    PolicyOpt,
    QuietOpt,
    ReferenceOpt,
    ReportOpt,
    StructureArg,
    read_input,
    wrap,
)


def forecast(
    structure: StructureArg,
    calculator: CalculatorOpt = "chgnet",
    supercell: Annotated[
        tuple[int, int, int] | None,
        typer.Option(
            help="Repeat the cell along its three vectors.  [default: the primitive cell doubled, "
            "at most 100 atoms]",
            show_default=False,
        ),
    ] = None,
    relax: Annotated[
        bool, typer.Option("--relax/--no-relax", help="Relax first, with the symmetry kept.")
    ] = True,
    fmax: Annotated[float, typer.Option(help="Largest force after relaxation, eV/Å.")] = 2e-3,
    displacement: Annotated[float, typer.Option(help="Of single atoms, Å.")] = 0.03,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Result.  [default: STRUCTURE-forecast.json]")
    ] = None,
    report: ReportOpt = None,
    on_warning: PolicyOpt = OnWarning.WARN,
    layer: LayerOpt = None,
    device: DeviceOpt = None,
    anchors: AnchorsOpt = "default",
    reference: ReferenceOpt = "default",
    quiet: QuietOpt = False,
) -> None:
    """Will this symmetric structure break? Probability, soft mode, and the subgroup it heads for.

    From some ten displaced supercells of the relaxed structure, without a relaxation that breaks.
    """
    from platonic_ase.stability.run import run_forecast

    atoms = read_input(structure, (1, 1, 1))
    files = OutputFiles(structure, "forecast", None, report)
    calc = wrap(
        calculator, layer, device, anchors, reference, on_warning, 1, None, quiet, risk="none"
    )
    result = run_forecast(
        atoms,
        calc,
        supercell=supercell,
        displacement=displacement,
        relax=relax,
        fmax=fmax,
        json=json_file or files.path("json"),
        report=files.report,
        progress=not quiet,
    )
    typer.echo(str(result.forecast))
    for role, path in result.files.items():
        typer.echo(f"{role}: {path}")
