"""The platonic-ase command."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from io import TextIOWrapper
from typing import Annotated, Any, NoReturn

import typer

from platonic_ase._version import __version__
from platonic_ase.cli import models, runs
from platonic_ase.cli.calibrate import calibrate
from platonic_ase.cli.doctor import doctor
from platonic_ase.cli.flatten import flatten
from platonic_ase.cli.forecast import forecast
from platonic_ase.cli.screen import screen
from platonic_ase.cli.watch import watch
from platonic_ase.compare.command import compare
from platonic_ase.errors import PlatonicError, PlatonicWarning
from platonic_ase.outputs import show_path

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
        invoke_without_command=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for function, example in _EXAMPLES.items():
        app.command(epilog=f"Example: platonic-ase {example}")(flatten(function))
    anchors = typer.Typer(help="Make and look at anchors.", no_args_is_help=True)
    for name, (function, example) in _ANCHORS.items():
        anchors.command(name, epilog=f"Example: platonic-ase anchors {name} {example}")(
            flatten(function)
        )
    app.add_typer(anchors, name="anchors")
    return app


def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Run simulations with a foundation potential under watch of its latent geometry."""
    if version:
        typer.echo(f"platonic-ase {__version__}")
        raise typer.Exit


app = _assemble()


def main() -> None:
    """Run the command; errors end it with one line, not a traceback.

    SIGTERM ends a run as Ctrl-C does: trajectory, log, report and summary are completed.
    """
    for stream in (sys.stdout, sys.stderr):  # names of files need not be UTF-8
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    logging.getLogger("platonic_ase").addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")
    warnings.filterwarnings("always", category=PlatonicWarning)
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    terminated, before = _interrupt_on_sigterm()
    try:
        app()
    except SystemExit:
        if terminated:
            sys.exit(128 + signal.SIGTERM)
        raise
    except PlatonicError as error:
        _fail(str(error))
    except OSError as error:  # a full disk, a folder without permission
        name = "" if error.filename is None else f" ({show_path(error.filename)})"
        _fail(f"{error.strerror or error}{name}")
    except Exception as error:
        if os.environ.get("PLATONIC_ASE_TRACEBACK"):
            raise
        text = " ".join(str(error).split())[:500]
        _fail(
            f"unexpected {type(error).__name__}: {text}; set PLATONIC_ASE_TRACEBACK=1 to see where"
        )
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _interrupt_on_sigterm() -> tuple[list[int], Any]:
    """Make SIGTERM an interrupt; the list holds the signal once it has come, then what was set."""
    received: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        return received, None
    return received, signal.signal(signal.SIGTERM, interrupt)


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    sys.exit(1)


def _show_warning(message: Warning | str, category: type[Warning], *_rest: Any) -> None:
    if issubclass(category, PlatonicWarning):
        from tqdm.auto import tqdm

        tqdm.write(f"{category.__name__}: {message}", file=sys.stderr)
