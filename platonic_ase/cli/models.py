"""Commands about models and their anchors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platonic_ase.cli.options import (
    CalculatorOpt,
    DeviceOpt,
    LayerOpt,
    QuietOpt,
    Selection,
    StructureArg,
    SupercellOpt,
    read_input,
)


def models() -> None:
    """What is installed, which encoder reads it, and which checkpoints work offline."""
    from platonic_ase.models import format_models_table

    typer.echo(format_models_table())


def anchors_build(
    calculator: CalculatorOpt = "chgnet",
    structures: Annotated[
        Path | None,
        typer.Option(help="Structures to choose from; the generated pool by default."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Anchors file; the reference goes beside it.")
    ] = Path("mine.anchors.safetensors"),
    n: Annotated[int, typer.Option("--number", "-k", min=1, help="How many anchors.")] = 100,
    method: Annotated[Selection, typer.Option(help="Selection.")] = Selection.DIRECT,
    centred: Annotated[
        bool, typer.Option("--centred", help="Subtract the mean before cosines.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of selection and split.")] = 0,
    layer: LayerOpt = None,
    device: DeviceOpt = None,
    quiet: QuietOpt = False,
) -> None:
    """Choose anchors among structures and make the reference manifold that goes with them."""
    from platonic_ase.crystals.pool import generate_pool
    from platonic_ase.models import find_encoder, load_calculator
    from platonic_ase.models.default_anchors import GENERATED
    from platonic_ase.models.default_reference import build_custom_space
    from platonic_ase.report.outputs import keep_previous
    from platonic_ase.runs.replay import read_frames

    chosen = list(generate_pool() if structures is None else read_frames(structures))
    encoder = find_encoder(load_calculator(calculator, device=device), layer)
    made, reference = build_custom_space(
        encoder,
        chosen,
        n=n,
        method=method.value,
        centred=centred,
        seed=seed,
        source=GENERATED if structures is None else structures.name,
        progress=not quiet,
    )
    typer.echo(f"anchors: {made.save(keep_previous(output))}")
    if reference is None:
        typer.echo("reference: none (too few structures to calibrate; distances are uncalibrated)")
    else:
        beside = keep_previous(
            output.with_name(
                output.name.replace(".anchors", "").removesuffix(".safetensors")
                + ".reference.safetensors"
            )
        )
        typer.echo(f"reference: {reference.save(beside)}")


def anchors_show(
    path: Annotated[
        Path | None, typer.Argument(help="Anchors file; those stored on this machine by default.")
    ] = None,
) -> None:
    """Say what anchors hold: model, layer, elements, origin."""
    from platonic_ase.space.anchors import AnchorSet
    from platonic_ase.space.folders import pack_folders

    paths = (
        [path]
        if path is not None
        else [
            found
            for folder in pack_folders()
            for found in sorted(folder.glob("*.anchors.safetensors"))
        ]
    )
    if not paths:
        typer.echo("no anchors are stored yet; they are made on first use of a model")
    for each in paths:
        typer.echo(f"{each.name}\n{AnchorSet.load(each).describe()}\n")


def embed(
    structures: Annotated[Path, typer.Argument(help="Structures: anything that ase.io reads.")],
    calculator: CalculatorOpt = "chgnet",
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Embeddings file, for any environment.")
    ] = Path("embeddings.safetensors"),
    batch_atoms: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Most atoms in a batch of structures.  [default: 64 on a CPU, else 1024]",
            show_default=False,
        ),
    ] = None,
    layer: LayerOpt = None,
    device: DeviceOpt = None,
    quiet: QuietOpt = False,
) -> None:
    """Embed all atoms of many structures, in batches where the model's package can.

    The same command goes on after a kill.
    """
    from platonic_ase.runs.embed import embed_file

    made = embed_file(
        structures,
        calculator,
        output,
        layer=layer,
        device=device,
        batch_atoms=batch_atoms,
        progress=not quiet,
    )
    for index, reason in made.failures.items():
        typer.echo(f"structure {index} failed: {reason}", err=True)
    typer.echo(f"embeddings: {output} ({len(made)} atoms, width {made.identity.width})")


def audit(
    structure: StructureArg,
    calculator: CalculatorOpt = "chgnet",
    supercell: SupercellOpt = (1, 1, 1),
    layer: LayerOpt = None,
    device: DeviceOpt = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write the numbers here.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    quiet: QuietOpt = False,
) -> None:
    """What the model gets wrong by construction: symmetry, force constants, work around a loop.

    Give a structure near equilibrium with sites that rotations relate, such as diamond silicon.
    """
    import json as jsonlib

    from platonic_ase.audit import audit as run_audit
    from platonic_ase.models import find_encoder, load_calculator
    from platonic_ase.report.audit import write_audit
    from platonic_ase.report.outputs import keep_previous

    atoms = read_input(structure, supercell)
    model = load_calculator(calculator, device=device)
    found = run_audit(model, atoms, encoder=find_encoder(model, layer), progress=not quiet)
    typer.echo(str(found))
    if json is not None:
        keep_previous(json).write_text(jsonlib.dumps(found.to_dict(), indent=2), encoding="utf-8")
        typer.echo(f"json: {json}")
    if report is not None:
        typer.echo(f"report: {write_audit(found.to_dict(), keep_previous(report))}")
