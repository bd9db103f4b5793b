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

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from platonic_ase.errors import LogError, OutputError
from platonic_ase.monitor.log import to_json
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


def page_script(name: str) -> str:
    """Script of a page, after what all pages share, in one function."""
    return f'"use strict";\n(() => {{\n{source_of("base.js")}\n{source_of(name)}}})();\n'


def as_script(value: Any) -> Markup:
    """JSON that can stand inside a script element, whatever strings are in it."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode("utf-8")
    except TypeError:  # text that UTF-8 cannot hold, such as the name of a file
        text = orjson.dumps(to_json(value)).decode("utf-8")
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


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


def chart_section(title: str, caption: str, name: str) -> str:
    """Section with a chart of the page; title and caption are escaped."""
    return _part("chart", title, caption, name)


def viewer_section(title: str, caption: str, moving: bool = False) -> str:
    """Section with the structures of the page, in three dimensions.

    Parameters
    ----------
    title, caption : str
        Escaped.
    moving : bool
        Whether they are frames of a motion that can be stopped.
    """
    return _part("viewer", title, caption, moving)


def jump(group: int, text: str) -> str:
    """Button that shows a group of structures; the text is escaped."""
    return _part("jump", group, text)


def fold(summary: str, content: str, *, opened: bool = False) -> str:
    """Content, HTML already, that opens on request."""
    return (
        f"<details{' open' if opened else ''}><summary>{escape(summary)}</summary>\n"
        f"{content}</details>"
    )


def section(title: str, *content: str) -> str:
    """Section of HTML under a heading, which is escaped."""
    return f"<section>\n<h2>{escape(title)}</h2>\n" + "\n".join(content) + "\n</section>"


def muted(text: str) -> str:
    """Paragraph of what is said beside; escaped."""
    return f'<p class="muted">{escape(text)}</p>'


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
