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
from platonic_ase.cli.compare import compare
from platonic_ase.cli.doctor import doctor
from platonic_ase.cli.examples import epilog
from platonic_ase.cli.flatten import flatten
from platonic_ase.cli.forecast import forecast
from platonic_ase.cli.screen import screen
from platonic_ase.cli.watch import watch
from platonic_ase.errors import PlatonicError, PlatonicWarning
from platonic_ase.outputs import show_path

_COMMANDS: tuple[Callable[..., None], ...] = (
    runs.md,
    runs.relax,
    runs.phonon,
    forecast,
    screen,
    runs.replay,
    watch,
    runs.report,
    compare,
    models.embed,
    models.audit,
    doctor,
    calibrate,
    models.models,
)
_ANCHORS: dict[str, Callable[..., None]] = {
    "build": models.anchors_build,
    "show": models.anchors_show,
}


def _assemble() -> typer.Typer:
    app = typer.Typer(
        name="platonic-ase",
        no_args_is_help=True,
        invoke_without_command=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for function in _COMMANDS:
        app.command(epilog=epilog(function.__name__))(flatten(function))
    anchors = typer.Typer(help="Make and look at anchors.", no_args_is_help=True)
    for name, function in _ANCHORS.items():
        anchors.command(name, epilog=epilog(f"anchors {name}"))(flatten(function))
    app.add_typer(anchors, name="anchors")
    return app


def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Simulations with a foundation potential, watched: warned before it fails.

    COMMAND --help shows the options of a command, with examples.
    """
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
