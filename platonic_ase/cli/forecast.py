"""The command that forecasts whether a symmetry is going to break."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platonic_ase.cli.files import OutputFiles, read_input, save_figures
from platonic_ase.cli.options import (
    DisplacementOpt,
    FiguresOpt,
    ForceOpt,
    RelaxFirstOpt,
    ReportOpt,
    StructureArg,
    WatchOptions,
    within,
)
from platonic_ase.outputs import check_outputs, show_path


def forecast(
    structure: StructureArg,
    watch: WatchOptions,
    supercell: Annotated[
        tuple[int, int, int] | None,
        typer.Option(
            help="Repeat the cell along its three vectors.  [default: the primitive cell doubled, "
            "at most 100 atoms]",
            show_default=False,
            callback=within(1, 100),
        ),
    ] = None,
    relax: RelaxFirstOpt = True,
    fmax: ForceOpt = 2e-3,
    displacement: DisplacementOpt = 0.03,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="All numbers.  [default: STRUCTURE-forecast.json]")
    ] = None,
    report: ReportOpt = None,
    figures: FiguresOpt = None,
) -> None:
    """Will this symmetric structure break?

    Its probability, the soft mode and the subgroup it heads for, from some ten displaced supercells
    of the relaxed structure; no relaxation has to break for that.
    """
    from platonic_ase.stability.run import run_forecast

    given = {"log": watch.log, "report": report, "json": json_file}
    files = OutputFiles(structure, "forecast", watch.inputs, given)
    check_outputs({"folder": figures}, [structure])
    atoms = read_input(structure)
    calc = watch.wrap(files["log"], risk="none")
    result = run_forecast(
        atoms,
        calc,
        supercell=supercell,
        displacement=displacement,
        relax=relax,
        fmax=fmax,
        json=files["json"],
        report=files["report"],
        progress=not watch.quiet,
    )
    typer.echo(str(result.forecast))
    if figures is not None:
        from platonic_ase.stability.figures import drawings

        save_figures(drawings(result), figures)
    for role, path in result.files.items():
        typer.echo(f"{role}: {show_path(path)}")
