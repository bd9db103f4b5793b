"""Runs in a notebook: the interactive page in the output of a cell."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import escape

from platonic_ase.errors import LogError
from platonic_ase.report.columns import read_columns
from platonic_ase.report.report import pick, render

if TYPE_CHECKING:
    from platonic_ase.calculator import PlatonicCalculator


class Page:
    """A report that a notebook shows as the output of a cell, in a frame of its own.

    Parameters
    ----------
    html : str
        Complete document.
    height : int
        Of the frame, in pixels.
    """

    def __init__(self, html: str, height: int) -> None:
        self.html, self._height = html, height

    def _repr_html_(self) -> str:
        return (
            f'<iframe sandbox="allow-scripts" srcdoc="{escape(self.html)}" width="100%" '
            f'height="{int(self._height)}" style="border:0"></iframe>'
        )


def show(
    run: str | os.PathLike[str] | PlatonicCalculator, number: int = -1, height: int = 800
) -> Page:
    """Show the interactive report of a run in a notebook.

    Parameters
    ----------
    run : path-like or PlatonicCalculator
        A run log, or a calculator that writes one; the run may still go on.
    number : int
        Which run of the log; the last by default.
    height : int
        In pixels.

    Raises
    ------
    LogError
        If the calculator writes no log, or the log cannot be read.
    """
    path = run if isinstance(run, (str, os.PathLike)) else run.log_path
    if path is None:
        raise LogError(
            "the calculator writes no log, and a report is made of one; give it "
            "PlatonicCalculator(..., log='run.jsonl')"
        )
    runs = read_columns(path)
    chosen = pick(runs, number, path)
    text = render(chosen, Path(path).name, (number % len(runs) + 1, len(runs)))
    return Page(text, height)
