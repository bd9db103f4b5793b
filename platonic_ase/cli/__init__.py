"""The platonic-ase command."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from typing import Any

import typer

from platonic_ase.cli import models, runs
from platonic_ase.cli.calibrate import calibrate
from platonic_ase.cli.doctor import doctor
from platonic_ase.cli.forecast import forecast
from platonic_ase.cli.screen import screen
from platonic_ase.cli.watch import watch
from platonic_ase.compare.command import compare
from platonic_ase.errors import PlatonicError, PlatonicWarning

_EXAMPLES: dict[Callable[..., None], str] = {
    runs.md: "md NaCl.cif --calculator chgnet --temperature 600 --steps 500",
    runs.relax: "relax POSCAR --calculator chgnet --cell --fix-symmetry",
    runs.phonon: "phonon NaCl.cif --calculator chgnet --json NaCl.json --report NaCl.html",
    forecast: "forecast SrTiO3.cif --calculator chgnet --report SrTiO3.html",
    screen: "screen my.xyz --calculator chgnet --task relax --cell --output screening",
    runs.replay: "replay run.traj --calculator 7net-0 --report replay.html",
    watch: "watch run.jsonl --serve",
    runs.report: "report run.jsonl --output run.html",
    compare: "compare my.xyz --calculators chgnet-0.3.0 7net-0 --report compare.html",
    models.embed: "embed my.xyz --calculator 7net-0 --output my.safetensors",
    models.audit: "audit Si.cif --calculator chgnet --report audit.html --json audit.json",
    doctor: "doctor --calculator chgnet --json chgnet.json",
    calibrate: "calibrate --calculator 7net-0 --data frames.xyz --output mine",
    models.models: "models",
}
_ANCHORS: dict[str, tuple[Callable[..., None], str]] = {
    "build": (
        models.anchors_build,
        "--calculator chgnet --structures my.xyz --output my.anchors.safetensors",
    ),
    "show": (models.anchors_show, "my.anchors.safetensors"),
}


def _assemble() -> typer.Typer:
    app = typer.Typer(
        name="platonic-ase",
        help="Run simulations with a foundation potential under watch of its latent geometry.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    for function, example in _EXAMPLES.items():
        app.command(epilog=f"Example: platonic-ase {example}")(function)
    anchors = typer.Typer(help="Make and look at anchors.", no_args_is_help=True)
    for name, (function, example) in _ANCHORS.items():
        anchors.command(name, epilog=f"Example: platonic-ase anchors {name} {example}")(function)
    app.add_typer(anchors, name="anchors")
    return app


app = _assemble()


def main() -> None:
    """Run the command; errors of this package end it with one line, not a traceback."""
    logging.getLogger("platonic_ase").addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")
    warnings.filterwarnings("always", category=PlatonicWarning)
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        app()
    except PlatonicError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


def _show_warning(message: Warning | str, category: type[Warning], *_rest: Any) -> None:
    if issubclass(category, PlatonicWarning):
        from tqdm.auto import tqdm

        tqdm.write(f"{category.__name__}: {message}", file=sys.stderr)
