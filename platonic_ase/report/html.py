"""The page around the figures: escaping, tables, styles for light, dark and paper."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any

from platonic_ase.errors import LogError

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --muted: #59636e;
  --card: #f6f7f9; --line: #d5d9de; --quiet: #00654a; --alarm: #a84300; --blue: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181c; --ink: #e4e7eb;
  --muted: #9aa4af; --card: #1e2227; --line: #363c44; --quiet: #35c99c; --alarm: #ff9a55;
  --blue: #3d9bd9; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 1120px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; }
p { margin: .4rem 0; } .muted, caption, figcaption { color: var(--muted); }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); gap: .5rem 1.5rem;
  margin: 1rem 0; } dt { color: var(--muted); font-size: .85em; } dd { margin: 0;
  overflow-wrap: anywhere; }
.verdict { background: var(--card); border-left: .4rem solid var(--quiet); padding: .7rem 1rem;
  border-radius: .3rem; } .verdict.alarm { border-color: var(--alarm); }
.verdict.unknown { border-color: var(--muted); } .verdict strong { font-size: 1.15rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; margin: .6rem 0;
  font-size: .9em; } th, td { text-align: left; vertical-align: top; padding: .35rem .6rem;
  border-bottom: 1px solid var(--line); } td.n, th.n { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; } td.k { white-space: nowrap; }
summary { cursor: pointer; color: var(--blue); }
figure { margin: .5rem 0 1rem; padding: .6rem; border: 1px solid var(--line);
  border-radius: .3rem; } figcaption { font-size: .9em; margin-top: .4rem; }
svg { display: block; width: 100%; height: auto; color: var(--ink); }
svg text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif !important; }
@media print { :root { --paper: #fff; --ink: #000; --muted: #444; --card: #f4f4f4;
  --line: #bbb; --quiet: #00654a; --alarm: #a84300; --blue: #0072b2; }
  body { padding: 0; max-width: none; font-size: 10pt; } h2 { break-after: avoid; }
  figure, tr, .verdict { break-inside: avoid; } }
"""


def page(title: str, body: Iterable[str]) -> str:
    """Complete HTML document; ``title`` is escaped, ``body`` is not."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
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
    path = Path(path)
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise LogError(f"cannot write the report {path}: {error}") from error
    return path


def figure(title: str, caption: str, svg: str) -> str:
    """Section with a figure; title and caption are escaped."""
    return (
        f"<section>\n<h2>{escape(title)}</h2>\n"
        f'<figure role="group" aria-label="{escape(title)}">\n{svg}\n'
        f"<figcaption>{escape(caption)}</figcaption>\n</figure>\n</section>"
    )


def facts(entries: Mapping[str, Any]) -> str:
    """Names with values; entries that are None are left out, all are escaped."""
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>"
        for name, value in entries.items()
        if value is not None
    )
    return f"<dl>{items}</dl>"


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]) -> str:
    """Table; columns are (heading, class), cells are HTML already."""
    head = "".join(f'<th class="{kind}">{escape(name)}</th>' for name, kind in columns)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{kind}">{cell}</td>' for (_, kind), cell in zip(columns, row, strict=True)
        )
        + "</tr>\n"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody>'
        "</table></div>"
    )


def number(value: Any, digits: int = 4) -> str:
    """Format a number for the eye; a dash where there is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "–" if value is None else escape(str(value))
    if not math.isfinite(value):
        return "–"
    return f"{value:,d}" if isinstance(value, int) else f"{value:.{digits}g}"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """Join a count and its noun."""
    return f"{count:,d} {noun if count == 1 else many or noun + 's'}"
