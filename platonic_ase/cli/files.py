"""The structure that a command reads, the files that it writes, and what it says of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from platonic_ase.outputs import check_outputs, show_path
from platonic_ase.runs.trajectory import trajectory_kind

MOST_ATOMS = 1_000_000
"""In a repeated cell; more are a slip of the keyboard."""


class OutputFiles:
    """Where a command writes: as given, or named after its input; refused before the run if unsafe.

    Parameters
    ----------
    source : Path
        The input.
    command : str
        Part of the default names.
    inputs : sequence of Path
        Further inputs.
    given : Path or None
        By kind, see :func:`~platonic_ase.outputs.check_outputs`; None takes the default name.
    """

    def __init__(
        self, source: Path, command: str, inputs: list[Path], given: Mapping[str, Path | None]
    ) -> None:
        stem = f"{source.stem}-{command}"
        names = {
            "log": f"{stem}.jsonl",
            "report": f"{stem}.html",
            "trajectory": f"{stem}.traj",
            "json": f"{stem}.json",
            "phonopy": f"{source.stem}-phonopy_params.yaml",
            "structure": f"{source.stem}-relaxed.xyz",
            "folder": f"{stem}.parts",
        }
        self._paths = {kind: path or Path(names[kind]) for kind, path in given.items()}
        roles = {
            trajectory_kind(path) if kind == "trajectory" else kind: path
            for kind, path in self._paths.items()
        }
        check_outputs(roles, inputs=[source, *inputs])

    def __getitem__(self, kind: str) -> Path:
        return self._paths[kind]


def read_input(path: Path, supercell: tuple[int, int, int] = (1, 1, 1)) -> Any:
    """Read and check the structure that a command was given."""
    from platonic_ase.structures import check_structure, read_structure

    atoms = read_structure(path)
    count = len(atoms) * math.prod(supercell)
    if count > MOST_ATOMS:
        raise typer.BadParameter(f"the supercell has {count} atoms; at most {MOST_ATOMS}")
    if supercell != (1, 1, 1):
        atoms = atoms.repeat(supercell)
    for problem in check_structure(atoms):
        typer.echo(f"warning: {problem}", err=True)
    return atoms


def save_figures(drawn: Mapping[str, Any], folder: Path) -> None:
    """Write figures for papers, and say where."""
    from platonic_ase.report.figures import save_drawings

    save_drawings(drawn, folder)
    typer.echo(f"figures: {show_path(folder)}")


def conclude(result: Any, **written: Path) -> None:
    """Say how a run ended, what was seen, and what it left behind.

    Parameters
    ----------
    result : RunResult or PhononResult
    written : Path
        Files besides, by role.
    """
    typer.echo(result.describe())
    for role, path in {**written, **result.files}.items():
        typer.echo(f"{role}: {show_path(path)}")
    if result.ended == "interrupted":
        raise typer.Exit(130)
