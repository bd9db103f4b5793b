"""Commands about models and their anchors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from platonic_ase.cli.files import read_input
from platonic_ase.cli.options import (
    ModelOptions,
    Selection,
    StructureArg,
    SupercellOpt,
    within,
)
from platonic_ase.cli.placement import PlacementOptions
from platonic_ase.outputs import check_outputs, keep_previous, show_path, write_atomically


def models() -> None:
    """Names, what is installed, licences of weights."""
    from platonic_ase.models import format_models_table

    typer.echo(format_models_table())


def anchors_build(
    model: ModelOptions,
    structures: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Structures to choose from; generated crystals by default."
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Anchors file; the reference goes beside it."
        ),
    ] = Path("mine.anchors.safetensors"),
    n: Annotated[int, typer.Option("--number", "-k", min=1, help="How many anchors.")] = 100,
    method: Annotated[Selection, typer.Option(help="How they are chosen.")] = Selection.DIRECT,
    centred: Annotated[
        bool, typer.Option("--centred", help="Subtract the mean embedding before cosines.")
    ] = False,
    seed: Annotated[
        int, typer.Option(help="Seed of selection and split.", callback=within(0, 2**32 - 1))
    ] = 0,
) -> None:
    """Choose anchors, and make their reference."""
    from ase.symbols import Symbols

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
    elements = ", ".join(sorted(set(Symbols(made.numbers))))
    typer.echo(
        f"{len(made)} anchors of {made.identity.model} among {len(chosen):,d} structures, of "
        f"{elements}."
    )
    use = f"--anchors {show_path(output)}"
    if reference is None:
        typer.echo(
            "No reference: the structures are too few to say what is usual, so extrapolation will "
            "not be judged. Give some hundred, of several compounds."
        )
        use += " --reference none"
    else:
        typer.echo(
            f"The reference holds {len(reference):,d} environments; atoms further out than "
            f"{100 * reference.level:g} % of held-out ones are beyond the threshold."
        )
        use += f" --reference {show_path(beside)}"
    typer.echo(f"anchors: {show_path(made.save(keep_previous(output)))}")
    if reference is not None:
        typer.echo(f"reference: {show_path(reference.save(keep_previous(beside)))}")
    typer.echo(f"use: platonic-ase md STRUCTURE --calculator {model.calculator} {use}")


def anchors_show(
    path: Annotated[
        Path | None, typer.Argument(help="Anchors file; those stored on this machine by default.")
    ] = None,
) -> None:
    """What anchors hold: model, layer, origin."""
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
    where: PlacementOptions,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Embeddings file, for any environment."
        ),
    ] = Path("embeddings.safetensors"),
    batch_atoms: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Atoms in a batch of structures, at most; 64 on a CPU and 1024 elsewhere by "
            "default.",
        ),
    ] = None,
) -> None:
    """Embeddings of all atoms of many structures.

    In batches, where the package of the model can. The same command goes on after a kill.
    """
    from platonic_ase.runs.embed import embed_file

    made = embed_file(
        structures,
        model.calculator,
        output,
        layer=model.layer,
        device=model.device,
        batch_atoms=batch_atoms,
        placement=where.placement,
        progress=not model.quiet,
    )
    for index, reason in made.failures.items():
        typer.echo(f"structure {index} failed: {reason}", err=True)
    failed = f", {len(made.failures)} failed" if made.failures else ""
    typer.echo(
        f"{len(made):,d} atoms of {len(np.unique(made.structures)):,d} structures embedded by "
        f"{made.identity.model}, layer {made.identity.layer}, {made.identity.width} numbers "
        f"each{failed}. Use the file in 'platonic-ase compare --embeddings', or read it with "
        "platonic_ase.EmbeddingSet.load."
    )
    typer.echo(f"embeddings: {show_path(output)}")


def audit(
    structure: StructureArg,
    model: ModelOptions,
    supercell: SupercellOpt = (1, 1, 1),
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the numbers here.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an HTML report here.")
    ] = None,
) -> None:
    """Which laws does the model not keep?

    Equivalent sites, rotated copies, force constants, work around a closed loop.
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
    if not found.broken:
        typer.echo(f"All {len(found.laws)} laws are kept, up to rounding.")
    if json is not None:
        write_atomically(keep_previous(json), jsonlib.dumps(found.to_dict(), indent=2))
        typer.echo(f"json: {show_path(json)}")
    if report is not None:
        typer.echo(f"report: {show_path(write_audit(found.to_dict(), keep_previous(report)))}")
