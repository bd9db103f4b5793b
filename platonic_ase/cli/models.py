"""Commands about models and their anchors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platonic_ase.cli.options import (
    ModelOptions,
    Selection,
    StructureArg,
    SupercellOpt,
    read_input,
    within,
)
from platonic_ase.outputs import check_outputs, keep_previous, show_path, write_atomically


def models() -> None:
    """What is installed, which encoder reads it, and which checkpoints work offline."""
    from platonic_ase.models import format_models_table

    typer.echo(format_models_table())


def anchors_build(
    model: ModelOptions,
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
    seed: Annotated[
        int, typer.Option(help="Of selection and split.", callback=within(0, 2**32 - 1))
    ] = 0,
) -> None:
    """Choose anchors among structures and make the reference manifold that goes with them."""
    from platonic_ase.crystals.pool import generate_pool
    from platonic_ase.models import find_encoder
    from platonic_ase.models.default_anchors import GENERATED
    from platonic_ase.models.default_reference import build_custom_space
    from platonic_ase.runs.replay import read_frames

    stem = output.name.replace(".anchors", "").removesuffix(".safetensors")
    beside = output.with_name(f"{stem}.reference.safetensors")
    check_outputs(
        {"arrays": output, "arrays:reference": beside}, [] if structures is None else [structures]
    )
    chosen = list(generate_pool() if structures is None else read_frames(structures))
    encoder = find_encoder(model.load(), model.layer)
    made, reference = build_custom_space(
        encoder,
        chosen,
        n=n,
        method=method.value,
        centred=centred,
        seed=seed,
        source=GENERATED if structures is None else structures.name,
        progress=not model.quiet,
    )
    typer.echo(f"anchors: {show_path(made.save(keep_previous(output)))}")
    if reference is None:
        typer.echo("reference: none (too few structures to calibrate; distances are uncalibrated)")
    else:
        typer.echo(f"reference: {show_path(reference.save(keep_previous(beside)))}")


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
        typer.echo(f"{show_path(each.name)}\n{AnchorSet.load(each).describe()}\n")


def embed(
    structures: Annotated[Path, typer.Argument(help="Structures: anything that ase.io reads.")],
    model: ModelOptions,
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
) -> None:
    """Embed all atoms of many structures, in batches where the model's package can.

    The same command goes on after a kill.
    """
    from platonic_ase.runs.embed import embed_file

    made = embed_file(
        structures,
        model.calculator,
        output,
        layer=model.layer,
        device=model.device,
        batch_atoms=batch_atoms,
        progress=not model.quiet,
    )
    for index, reason in made.failures.items():
        typer.echo(f"structure {index} failed: {reason}", err=True)
    typer.echo(f"embeddings: {show_path(output)} ({len(made)} atoms, width {made.identity.width})")


def audit(
    structure: StructureArg,
    model: ModelOptions,
    supercell: SupercellOpt = (1, 1, 1),
    json: Annotated[Path | None, typer.Option("--json", help="Write the numbers here.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
) -> None:
    """What the model gets wrong by construction: symmetry, force constants, work around a loop.

    Give a structure near equilibrium with sites that rotations relate, such as diamond silicon.
    """
    import json as jsonlib

    from platonic_ase.audit import audit as run_audit
    from platonic_ase.models import find_encoder
    from platonic_ase.report.audit import write_audit

    check_outputs({"json": json, "report": report}, [structure])
    atoms = read_input(structure, supercell)
    calculator = model.load()
    encoder = find_encoder(calculator, model.layer)
    found = run_audit(calculator, atoms, encoder=encoder, progress=not model.quiet)
    typer.echo(str(found))
    if json is not None:
        write_atomically(keep_previous(json), jsonlib.dumps(found.to_dict(), indent=2))
        typer.echo(f"json: {show_path(json)}")
    if report is not None:
        typer.echo(f"report: {show_path(write_audit(found.to_dict(), keep_previous(report)))}")
