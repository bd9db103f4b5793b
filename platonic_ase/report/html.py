"""The parts that pages are made of, rendered by Jinja2 with everything escaped.

Text is escaped; what is HTML already (a figure, a cell with a line break) is said to be so in the
docstrings, and its makers escape what they put in.
"""

from __future__ import annotations

import base64
import hashlib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from platonic_ase.errors import LogError, OutputError
from platonic_ase.outputs import show_path, write_atomically


@cache
def environment() -> Environment:
    """Templates of this package; whatever is put into them is escaped."""
    made = Environment(
        loader=PackageLoader("platonic_ase.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["number"] = lambda value, digits=4: Markup(number(value, digits))
    return made


def source_of(name: str) -> str:
    """Text of a style sheet or script of this package, as it stands."""
    loader = environment().loader
    assert loader is not None
    return loader.get_source(environment(), name)[0]


def content_policy(scripts: Iterable[str] = (), **directives: str) -> str:
    """Content-security policy of a page: no network, no script but those given.

    Parameters
    ----------
    scripts : iterable of str
        Texts of the scripts that may run, each allowed by its SHA-256.
    directives : str
        Further ones, such as ``connect_src="'self'"``.
    """
    allowed = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in scripts
    )
    rules = {
        "default-src": "'none'",
        "script-src": allowed or "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data: blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
        **{name.replace("_", "-"): value for name, value in directives.items()},
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def page(title: str, body: Iterable[str]) -> str:
    """Complete HTML document without scripts; ``title`` is escaped, ``body`` is HTML."""
    return (
        environment()
        .get_template("page.html")
        .render(
            title=title,
            style=Markup(source_of("style.css")),
            policy=content_policy(),
            body=Markup("\n".join(body)),
        )
        + "\n"
    )


def write_page(text: str, path: str | os.PathLike[str]) -> Path:
    """Write a page; an older one survives a full disk.

    Parameters
    ----------
    text : str
    path : path-like
        Replaced if it exists; its folder is made.

    Raises
    ------
    LogError
        If it cannot be written.
    """
    try:
        return write_atomically(path, text)
    except (OSError, OutputError) as error:
        raise LogError(f"cannot write the report {show_path(path)}: {error}") from error


def figure(title: str, caption: str, svg: str) -> str:
    """Section with a figure; title and caption are escaped, the SVG is HTML."""
    return _part("figure", title, caption, Markup(svg))


def facts(entries: Mapping[str, Any]) -> str:
    """Names with values; entries that are None are left out, all are escaped."""
    return _part("facts", entries)


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]) -> str:
    """Table; columns are (heading, class), cells are HTML already."""
    cells = [[Markup(cell) for cell in row] for row in rows]
    for row in cells:
        if len(row) != len(columns):
            raise ValueError(f"a row of {len(row)} cells in a table of {len(columns)} columns")
    return _part("table", columns, cells)


def number(value: Any, digits: int = 4) -> str:
    """Format a number for the eye, as HTML; a dash where there is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "–" if value is None else str(escape(str(value)))
    if not math.isfinite(value):
        return "–"
    return f"{value:,d}" if isinstance(value, int) else f"{value:.{digits}g}"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """Join a count and its noun."""
    return f"{count:,d} {noun if count == 1 else many or noun + 's'}"


def _part(macro: str, *arguments: Any) -> str:
    return str(getattr(environment().get_template("parts.html").module, macro)(*arguments)).strip()
