"""The command ``platonic-ase compare``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from platonic_ase.cli.placement import PlacementOptions


def compare(
    structures: Annotated[
        Path, typer.Argument(help="Structures: anything that ase.io reads, all its frames.")
    ],
    where: PlacementOptions,
    calculators: Annotated[
        list[str] | None,
        typer.Option(
            "--calculators",
            "-c",
            metavar="NAME...",
            help="Models, see 'platonic-ase models'. NAME*random is a model with shuffled weights, "
            "which a comparison has to tell from the others.",
        ),
    ] = None,
    more: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="...",
            help="The rest of the names or files after --calculators or --embeddings.",
        ),
    ] = None,
    embeddings: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE...", help="Embedding files of models, made in other environments."
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="For embedding files; STRUCTURES-compare by default."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="HTML report; STRUCTURES-compare.html by default."),
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="All tables; STRUCTURES-compare.json by default."),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The figures for papers: PDF, SVG and PNG."),
    ] = None,
    embed_only: Annotated[
        bool, typer.Option("--embed-only", help="Write the embedding files only.")
    ] = False,
    centred: Annotated[
        bool, typer.Option("--centred", help="Subtract the mean anchor before cosines.")
    ] = False,
    k: Annotated[
        int, typer.Option("-k", min=1, help="How many neighbours of an atom are compared.")
    ] = 10,
    resamples: Annotated[
        int, typer.Option(min=0, help="Draws for intervals and baselines; 0 for none.")
    ] = 50,
    transport_atoms: Annotated[
        int, typer.Option(min=2, help="Distinct atoms matched by optimal transport, at most.")
    ] = 800,
    gromov_atoms: Annotated[
        int, typer.Option(min=2, help="The same, for transport between raw embeddings.")
    ] = 200,
    moments_of: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Model, such as chgnet-0.3.0, whose magnetic moments stand for those that the "
            "structures lack; the tables say so.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = 0,
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="cpu, cuda, ...; the package's choice by default."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress shown.")] = False,
) -> None:
    """Where do two or more models agree?

    Compared on the same atoms: neighbours, transport, stitching, arithmetic, bias; tables, figures
    and a report.
    """
    from platonic_ase.compare.catalogue import describe
    from platonic_ase.compare.controls import load_model
    from platonic_ase.compare.embedding import stream
    from platonic_ase.compare.report import write_report
    from platonic_ase.compare.run import compare_models, embed_models, file_name
    from platonic_ase.compare.summary import describe as conclusion
    from platonic_ase.outputs import check_outputs, keep_previous

    # the shell's "--calculators A B C" gives A to the option and leaves the rest
    files = [Path(text) for text in more or () if text.endswith(".safetensors")]
    rest = [text for text in more or () if not text.endswith(".safetensors")]
    names = [name for text in [*(calculators or ()), *rest] for name in text.split(",")]
    opened = {name: partial(load_model, name, device=device) for name in dict.fromkeys(names)}
    stem = f"{structures.stem}-compare"
    folder = folder or Path(stem)
    table = json or Path(f"{stem}.json")
    target = report or Path(f"{stem}.html")
    given = [structures, *(embeddings or ()), *files]
    check_outputs({"folder": folder, "json": table, "report": target}, given)
    read = partial(stream, [structures])
    if embed_only:
        catalogue = describe(read(), progress=not quiet)
        embed_models(
            read, catalogue, opened, folder=folder, placement=where.placement, progress=not quiet
        )
        for name in opened:
            typer.echo(f"embeddings: {folder / file_name(name)}")
        return
    comparison, views = compare_models(
        read,
        opened,
        folder=folder,
        embeddings=[*(embeddings or ()), *files],
        centred=centred,
        placement=where.placement,
        progress=not quiet,
        k=k,
        n_resamples=resamples,
        n_permutations=resamples,
        transport_atoms=transport_atoms,
        gromov_atoms=gromov_atoms,
        moments_of=None
        if moments_of is None
        else (moments_of, partial(load_model, moments_of, device=device)),
        seed=seed,
    )
    for name, failures in comparison.failures.items():
        if failures:
            typer.echo(f"warning: {name} failed on {len(failures)} structures", err=True)
    typer.echo(conclusion(comparison))
    typer.echo(f"tables: {comparison.save(keep_previous(table))}")
    page = write_report(comparison, views, keep_previous(target), read())
    typer.echo(f"report: {page}")
    if figures is not None:
        from platonic_ase.compare.figures import draw_all, save_all

        save_all(draw_all(comparison, views), figures, progress=not quiet)
        typer.echo(f"figures: {figures}")
