"""The command that calibrates a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platonic_ase.cli.options import ModelOptions, within
from platonic_ase.cli.placement import PlacementOptions
from platonic_ase.outputs import check_outputs, show_path


def calibrate(
    model: ModelOptions,
    where: PlacementOptions,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Structures with DFT forces, such as extxyz; may be given again."
        ),
    ] = None,
    beyond: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="The same of another kind, such as hot or squeezed ones, to learn how the force "
            "bound grows beyond the data; may be given again, a file a kind.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder of the result; CALCULATOR-calibration by default.",
            show_default=False,
        ),
    ] = None,
    forces_key: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Array of the forces, where its name is unusual."),
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="Where the data come from, and their licence; recorded.",
            show_default=False,
        ),
    ] = "",
    generated: Annotated[
        bool,
        typer.Option(
            "--generated/--no-generated",
            help="Put some 2,500 generated crystals into the reference as well.",
        ),
    ] = True,
    spectra: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="DFT phonon spectra, JSON, for the phonon risk."),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A better model, whose phonons of generated crystals, and whose forces of data "
            "without any, stand for the truth.",
        ),
    ] = None,
    crystals: Annotated[
        int, typer.Option(min=20, help="Crystals that the teacher computes, at most.")
    ] = 60,
    level: Annotated[
        float,
        typer.Option(
            help="Share of atoms that the force bound is to cover.", callback=within(0.5, 0.999)
        ),
    ] = 0.9,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Only how wrong its phonons are: those of fifteen crystals whose DFT spectra come "
            "with the package; minutes.",
        ),
    ] = False,
) -> None:
    """Thresholds and risks for a model of your own.

    Use the folder as --calibration of md, relax, phonon, forecast, screen and replay, or as
    PlatonicCalculator(..., calibration=FOLDER). The same command goes on after a kill.
    """
    from platonic_ase.calibrate import calibrate as run
    from platonic_ase.models import load_calculator

    name = model.calculator.replace(":", "-").replace("/", "-")
    folder = output or Path(f"{name}-calibration")
    check_outputs(
        {"folder": folder},
        [*(data or ()), *(beyond or ()), *([] if spectra is None else [spectra])],
    )
    try:
        made = run(
            model.load(),
            folder,
            data=data or (),
            beyond=beyond or (),
            forces_key=forces_key,
            source=source,
            generated=generated,
            spectra=spectra,
            teacher=None if teacher is None else load_calculator(teacher, device=model.device),
            crystals=crystals,
            layer=model.layer,
            level=level,
            quick=quick,
            placement=where.placement,
            progress=not model.quiet,
        )
    except KeyboardInterrupt:
        typer.echo(
            f"interrupted; what is done is in {show_path(folder)}, the same command goes on",
            err=True,
        )
        raise typer.Exit(130) from None
    typer.echo(made.describe())
    typer.echo(
        f"use: platonic-ase md STRUCTURE --calculator {model.calculator} --calibration "
        f"{show_path(folder)}"
    )
