"""The command for many structures."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from platonic_ase.cli.options import EnsembleName, SpaceOptions
from platonic_ase.cli.placement import ManyWorkersOptions
from platonic_ase.outputs import check_outputs, show_path


class TaskName(StrEnum):
    """Tasks of the command line."""

    SINGLEPOINT = "singlepoint"
    RELAX = "relax"
    MD = "md"
    PHONON = "phonon"
    FORECAST = "forecast"
    AUDIT = "audit"


def screen(
    structures: Annotated[
        list[Path],
        typer.Argument(
            help="extxyz files, ASE databases, folders of structure files, rows.jsonl of a former "
            "screening; anything else that ase.io reads."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the results.")],
    model: SpaceOptions,
    where: ManyWorkersOptions,
    task: Annotated[TaskName, typer.Option(help="What is done with each.")] = TaskName.SINGLEPOINT,
    fmax: Annotated[
        float | None, typer.Option(help="relax, phonon, forecast: largest force, eV/Å.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", "-n", help="relax, md: at most.")] = None,
    cell: Annotated[bool, typer.Option("--cell", help="relax: the cell as well.")] = False,
    fix_symmetry: Annotated[
        bool, typer.Option("--fix-symmetry", help="relax: keep the space group.")
    ] = False,
    optimizer: Annotated[str | None, typer.Option(help="relax: from ase.optimize.")] = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", "-t", help="md: in K.")
    ] = None,
    timestep: Annotated[float | None, typer.Option(help="md: in fs.")] = None,
    ensemble: Annotated[EnsembleName | None, typer.Option(help="md: ensemble.")] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="singlepoint: so many atoms, at most, go through the model together, where its "
            "encoder can: faster for small crystals; numbers are then equal to rounding only.",
        ),
    ] = None,
    by: Annotated[
        str, typer.Option(help="What to rank by: 'risk' or a number of the rows.")
    ] = "risk",
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Write so many structures for DFT to OUTPUT/top.xyz: risky ones that differ.",
        ),
    ] = None,
    database: Annotated[
        bool, typer.Option("--database", help="Write OUTPUT/rows.db, an ASE database, as well.")
    ] = False,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write OUTPUT/rows.parquet, a table, as well.")
    ] = False,
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="WHICH",
            help="Whose log and trajectory stay in OUTPUT/runs: 'all', or 'worst:50' for the 50 "
            "worst by --by; none by default.",
        ),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Compute again what failed in an earlier run.")
    ] = False,
) -> None:
    """Many structures: a row each, ranked by risk.

    A page shows which need a look.
    The same command goes on where an earlier one was interrupted or killed.
    """
    from platonic_ase.screen import conclude_screening, describe_screening
    from platonic_ase.screen import screen as run_screen
    from platonic_ase.screen.parquet import require_parquet

    check_outputs({"folder": output})
    if parquet:
        require_parquet()
    chosen = {
        "fmax": fmax,
        "steps": steps,
        "cell": cell or None,
        "fix_symmetry": fix_symmetry or None,
        "optimizer": optimizer,
        "temperature": temperature,
        "timestep": timestep,
        "ensemble": None if ensemble is None else ensemble.value,
    }
    result = run_screen(
        structures,
        model.calculator,
        output=output,
        task=task.value,
        options={name: value for name, value in chosen.items() if value is not None},
        placement=where.placement,
        keep=keep,
        by=by,
        retry=retry,
        progress=not model.quiet,
        batch=batch,
        layer=model.layer,
        device=model.device,
        anchors=model.anchors,
        reference=model.reference_or_none,
        calibration=None if model.calibration is None else str(model.calibration.absolute()),
    )
    typer.echo(str(result))
    files = conclude_screening(result.folder, by, top, database, parquet)
    typer.echo(describe_screening(result.folder, by))
    for role, path in files.items():
        typer.echo(f"{role}: {show_path(path)}")
    if result.ended == "interrupted":
        typer.echo("the same command goes on from here", err=True)
        raise typer.Exit(130)
