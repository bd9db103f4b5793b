"""Options that say where a command computes: in this process, or over Dask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from platonic_ase.runs.placement import Placement

_WORKERS = "Processes on this machine, of one thread each; 0 for none beside this one."


@dataclass(frozen=True, kw_only=True)
class PlacementOptions:
    """Workers of a Dask cluster, or processes on this machine."""

    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A running Dask scheduler, tcp://HOST:PORT."),
    ] = None
    scheduler_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file that a running Dask scheduler wrote."),
    ] = None
    wait: Annotated[
        float, typer.Option(help="Seconds until the scheduler has to have a worker.")
    ] = 300.0
    workers: Annotated[int | None, typer.Option(min=0, help=_WORKERS)] = 0

    @property
    def placement(self) -> Placement:
        """As functions take it."""
        return Placement(self.scheduler, self.scheduler_file, self.workers, self.wait)


@dataclass(frozen=True, kw_only=True)
class ManyWorkersOptions(PlacementOptions):
    """The same, with all cores of this machine unless told otherwise."""

    workers: Annotated[
        int | None,
        typer.Option(min=0, help=f"{_WORKERS}  [default: one a core]", show_default=False),
    ] = None
