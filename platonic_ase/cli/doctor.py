"""The command that asks whether a model is sane."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platonic_ase.cli.options import CalculatorOpt, DeviceOpt
from platonic_ase.outputs import check_outputs, keep_previous, show_path, write_atomically


def doctor(
    calculator: CalculatorOpt = "chgnet",
    model_path: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Weights on this machine, instead of a download."),
    ] = None,
    device: DeviceOpt = None,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers here.")
    ] = None,
) -> None:
    """Is the model sane as it is installed here?

    Derivatives, textbook crystals, frames with DFT labels. Ends with exit code 1 where it is not.
    """
    import json as jsonlib

    from platonic_ase.doctor import Verdict, examine
    from platonic_ase.doctor.table import print_examination
    from platonic_ase.models import find_encoder, load_calculator

    check_outputs({"json": json})
    opened = load_calculator(calculator, device=device, model_path=model_path)
    encoder = find_encoder(opened)
    found = examine(opened, calculator, elements=encoder.elements)
    print_examination(found)
    if json is not None:
        write_atomically(keep_previous(json), jsonlib.dumps(found.to_dict(), indent=2))
        typer.echo(f"json: {show_path(json)}")
    if found.verdict is Verdict.WRONG:
        raise typer.Exit(1)
